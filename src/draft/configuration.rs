//! `tokendrift.toml` for a tree that has none.

use std::fmt::Write;

use crate::config::Contract;
use crate::contract::{Facts, Judgement, Verdict};
use crate::draft::columns::Candidate;
use crate::draft::practice::{Practice, is_production, some};
use crate::provenance::{ColumnTrace, ReadKind};
use crate::rules::Form;

/// How many entry points a comment names.
const NAMED: usize = 3;

/// What comes before the columns and after them.
const HEAD: &str = include_str!("templates/configuration-head.toml");
const TAIL: &str = include_str!("templates/configuration-tail.toml");

/// Columns whose values tell the rows of one client, provider or platform from those of another.
const SPLITS: &[&str] =
    &["client", "provider", "platform", "channel", "device_type", "login_method", "auth_method", "signup", "origin"];

/// A proposal.
#[derive(Clone, Debug)]
pub struct Proposed {
    /// The file's text.
    pub text: String,
    /// `users.access_token`, in the order of the file.
    pub columns: Vec<String>,
}

/// The configuration that tracks `candidates`, which are the columns of `facts` in the same order.
pub fn configuration(facts: &Facts<'_>, judgement: &Judgement, candidates: &[Candidate]) -> Proposed {
    let mut text = HEAD.to_owned();
    let mut columns = Vec::new();
    // Migrations and `table!` say of some columns what their models do not.
    let nullable = |rank: usize, candidate: &Candidate| {
        facts.schema.columns.get(rank).and_then(|column| column.nullable).or(candidate.nullable)
    };
    let mut ranked: Vec<(usize, &Candidate)> = candidates.iter().enumerate().collect();
    ranked.sort_by_key(|(rank, candidate)| nullable(*rank, candidate) == Some(false));
    for (rank, candidate) in ranked {
        let candidate = &Candidate { nullable: nullable(rank, candidate), ..candidate.clone() };
        let trace = facts.traces.iter().find(|trace| trace.column.0 == rank);
        let verdict = judgement.verdicts.get(rank);
        text.push('\n');
        column(&mut text, facts, candidate, trace, verdict);
        columns.push(candidate.name());
    }
    text.push('\n');
    text.push_str(TAIL);
    Proposed { text, columns }
}

fn column(
    text: &mut String,
    facts: &Facts<'_>,
    candidate: &Candidate,
    trace: Option<&ColumnTrace>,
    verdict: Option<&Verdict>,
) {
    let at = facts.sources.location(candidate.at);
    let null = match candidate.nullable {
        Some(true) => "may be NULL, so a path that forgets to write it goes unnoticed",
        Some(false) => "is never NULL",
        None => "its declaration does not say whether it may be NULL",
    };
    comment(text, &format!("{}.{} ({}:{}): {null}.", candidate.model, candidate.property, at.path, at.line));
    let practice = trace.map(|trace| Practice::of(facts, trace)).unwrap_or_default();
    for line in what_paths_do(&practice) {
        comment(text, &line);
    }
    if let Some(line) = trace.and_then(|trace| readers(facts, trace)) {
        comment(text, &line);
    }
    text.push_str("[[column]]\n");
    line(text, "table", &candidate.table, "as the database calls it");
    line(text, "column", &candidate.column, &format!("{}.{} in code", candidate.model, candidate.property));
    contract(text, practice.issuers(), verdict);
    let record = format!("docs/adr/{}-{}.md", dashed(&candidate.table), dashed(&candidate.column));
    let why = format!("once it is written; `tokendrift adr {}` writes the draft", candidate.name());
    aside(text, "decision", &record, &why);
    if let Some(form) = trace.and_then(|trace| form(facts, trace)) {
        line(text, "form", form, "the form in which every path stores it today");
    }
    for split in candidate.beside.iter().filter(|name| splits(name)).take(1) {
        text.push('\n');
        comment(text, "For the live part: the NULLs are counted for each value of this column.");
        text.push_str("[[column.cohort]]\n");
        line(text, "name", &dashed(split), "what reports call it");
        line(text, "by", split, "a column of the table, or an SQL expression");
        text.push_str(
            "# path.web = \"/web/\"  # which value stands for which entry points: a part of a route or of a name\n",
        );
    }
}

fn what_paths_do(practice: &Practice) -> Vec<String> {
    let group = |(semantics, entries): (&String, &std::collections::BTreeSet<_>)| {
        let verb = if semantics == "missing" { "never write it".to_owned() } else { format!("write {semantics}") };
        format!("  {} {verb}: {}", entries.len(), some(entries, NAMED))
    };
    let mut lines = Vec::new();
    match practice.issuers() {
        0 if practice.others.is_empty() => lines.push("No production path that writes it was found.".to_owned()),
        0 => lines.push("No production path mints or receives a token for it:".to_owned()),
        1 => lines.push("1 entry point mints or receives a token for it:".to_owned()),
        many => lines.push(format!("{many} entry points mint or receive a token for it:")),
    }
    lines.extend(practice.issuing.iter().map(group));
    if !practice.issuing.is_empty() && !practice.others.is_empty() {
        lines.push("Beside them, without a token of their own:".to_owned());
    }
    lines.extend(practice.others.iter().map(group));
    lines
}

fn contract(text: &mut String, issuers: usize, verdict: Option<&Verdict>) {
    let (write, drop) = (Contract::WriteConsistently, Contract::DropWrites);
    if let Some(contract) = verdict.and_then(|verdict| verdict.recommendation) {
        let what = if contract == write { "store the fresh token" } else { "store something else or nothing" };
        line(text, "contract", contract.word(), &format!("most of the {issuers} entry points {what}"));
        let other = if contract == write { drop } else { write };
        aside(text, "contract", other.word(), "the other way; a contract is a decision of yours");
    } else {
        let why = match verdict.and_then(|verdict| verdict.kept_by) {
            Some(kept_by) => format!("most entry points do not store it, but {kept_by}"),
            None if issuers < 3 => "too few entry points issue a token to tell".to_owned(),
            None => "the entry points are no majority either way".to_owned(),
        };
        comment(text, &format!("Not decided ({why}), which is a finding until one of these holds:"));
        aside(text, "contract", write.word(), "every path that issues a token stores it");
        aside(text, "contract", drop.word(), "nobody writes the column any more");
    }
}

fn readers(facts: &Facts<'_>, trace: &ColumnTrace) -> Option<String> {
    let reads: Vec<_> = trace.reads.iter().filter(|read| is_production(facts.sources, read.span)).collect();
    let guard = reads.iter().find(|read| read.kind == ReadKind::Guard);
    let shown = guard.or_else(|| reads.first())?;
    let at = facts.sources.location(shown.span);
    let more = match reads.len() - 1 {
        0 => String::new(),
        1 => ", and in 1 more place".to_owned(),
        more => format!(", and in {more} more places"),
    };
    let who = if guard.is_some() { "A guard reads it" } else { "It is read" };
    Some(format!("{who} in {} ({}:{}){more}.", shown.function, at.path, at.line))
}

/// The form that all written values share, where it is not plain text.
fn form(facts: &Facts<'_>, trace: &ColumnTrace) -> Option<&'static str> {
    let sites = trace.sites.iter().filter(|site| is_production(facts.sources, site.span));
    let mut forms = sites.flat_map(|site| &site.paths).filter_map(|path| path.form);
    let first = forms.next()?;
    let word = match first {
        Form::Hashed => "hashed",
        Form::Encrypted => "encrypted",
        Form::Plain | Form::Unknown => return None,
    };
    forms.all(|form| form == first).then_some(word)
}

fn splits(column: &str) -> bool {
    let folded = dashed(column).replace('-', "_");
    // `client_type`, but not `client_kdf_type`: how something of the client's is kept.
    let of_kind = |rest: &str| ["app", "channel", "kind", "method", "name", "source", "type"].contains(&rest);
    SPLITS.iter().any(|split| {
        folded == *split
            || folded.strip_prefix(split).and_then(|rest| rest.strip_prefix('_')).is_some_and(of_kind)
            || folded.ends_with(&format!("_{split}"))
    }) && !folded.ends_with("_id")
        && !folded.ends_with("_at")
}

fn dashed(name: &str) -> String {
    crate::schema::words(name).join("-")
}

/// The same, put aside by a `#`.
fn aside(text: &mut String, key: &str, value: &str, why: &str) {
    let value = toml::Value::String(value.to_owned());
    _ = writeln!(text, "# {:<32}  # {why}", format!("{key} = {value}"));
}

fn line(text: &mut String, key: &str, value: &str, why: &str) {
    let value = toml::Value::String(value.to_owned());
    // Writing to a string cannot fail.
    _ = writeln!(text, "{:<34}  # {why}", format!("{key} = {value}"));
}

fn comment(text: &mut String, words: &str) {
    // A name of the audited code may hold anything; a comment ends with its line.
    let words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    _ = writeln!(text, "# {words}");
}
