//! The decision record about a column, in the form of MADR: what is so, both ways out with their changes, what follows.

use std::fmt::Write;

use crate::config::Contract;
use crate::contract::{Change, Facts, Judgement};
use crate::draft::practice::{Practice, is_production, some};
use crate::draft::template::fill;
use crate::probe::{ColumnProbe, Counts, Method, Outcome};
use crate::provenance::{ColumnTrace, ReadKind};
use crate::schema::ColumnId;

const TEMPLATE: &str = include_str!("templates/decision.md");

/// How many entry points of a kind are named.
const NAMED: usize = 12;

/// The record of the tracked column `rank`; `None` where there is none.
pub fn decision(facts: &Facts<'_>, judgement: &Judgement, rank: usize) -> Option<String> {
    let tracked = facts.schema.columns.get(rank)?;
    let trace = facts.traces.iter().find(|trace| trace.column == ColumnId(rank))?;
    let verdict = judgement.verdicts.get(rank)?;
    let name = format!("{}.{}", tracked.table, tracked.column);
    let practice = Practice::of(facts, trace);
    let declared_contract = facts.config.columns.get(tracked.config).and_then(|column| column.contract);
    let contract = declared_contract.or(verdict.recommendation);
    let (outcome, consequences) = outcome(contract, declared_contract.is_some(), verdict.kept_by);
    let probes = facts.probes.iter().filter(|probe| probe.column == tracked.config);
    let live: Vec<String> = probes.map(figures).collect();
    let live = if live.is_empty() { "No database was asked.".to_owned() } else { live.join("\n\n") };
    Some(fill(
        TEMPLATE,
        &[
            ("column", &name),
            ("declared", &declared(facts, rank)),
            ("guard", guard(facts, trace)),
            ("practice", &paths(&practice)),
            ("readers", &readers(facts, trace)),
            ("live", &live),
            ("driver", driver(facts, trace)),
            ("outcome", &outcome),
            ("consequences", consequences),
            ("contract", contract.map_or("write-consistently\" or \"drop-writes", Contract::word)),
            ("to_write", &changes(facts, &verdict.to_write)),
            ("to_drop", &changes(facts, &verdict.to_drop)),
            ("files", &facts.sources.tally.files.to_string()),
        ],
    ))
}

fn declared(facts: &Facts<'_>, rank: usize) -> String {
    let Some(tracked) = facts.schema.columns.get(rank) else { return String::new() };
    let models = tracked.bindings.iter().filter_map(|(model, at)| {
        let model = facts.schema.models.get(model.0)?;
        let property = model.properties.get(*at)?;
        let place = facts.sources.location(property.span);
        Some(format!("`{}.{}` ({}:{})", model.name, property.name, place.path, place.line))
    });
    let models: Vec<String> = models.collect();
    let null = match tracked.nullable {
        Some(true) => "It may be NULL.",
        Some(false) => "It is never NULL.",
        None => "Its declaration does not say whether it may be NULL.",
    };
    let default = if tracked.default.is_some() { " It has a default." } else { "" };
    format!("`{}.{}` is {} in code. {null}{default}", tracked.table, tracked.column, models.join(" and "))
}

fn reads_in_guard(facts: &Facts<'_>, trace: &ColumnTrace) -> bool {
    trace.reads.iter().any(|read| read.kind == ReadKind::Guard && is_production(facts.sources, read.span))
}

fn guard(facts: &Facts<'_>, trace: &ColumnTrace) -> &'static str {
    if reads_in_guard(facts, trace) {
        "A guard reads it: who has no token there is not let in."
    } else {
        "No guard was found that reads it: what stands in it decides nothing at login."
    }
}

fn driver(facts: &Facts<'_>, trace: &ColumnTrace) -> &'static str {
    if reads_in_guard(facts, trace) {
        "A guard reads the column, so a path that loses the token locks its users out: this is urgent."
    } else {
        "No guard reads the column, so this is a matter of what the data promises, not a security incident."
    }
}

fn paths(practice: &Practice) -> String {
    let mut text = String::new();
    let issuers = practice.issuers();
    let is_stored = practice.issuing.keys().any(|semantics| semantics.contains("fresh"));
    let what = if is_stored { "a token for it" } else { "a token, which none of them stores in it" };
    _ = writeln!(text, "Entry points that mint or receive {what}: {issuers}.\n");
    let groups = |text: &mut String, groups: &std::collections::BTreeMap<String, std::collections::BTreeSet<_>>| {
        for (semantics, entries) in groups {
            let what = if semantics == "missing" { "never written" } else { semantics };
            _ = writeln!(text, "* {what} ({}): {}", entries.len(), some(entries, NAMED));
        }
    };
    groups(&mut text, &practice.issuing);
    if !practice.others.is_empty() {
        _ = writeln!(text, "\nBeside them, without a token of their own:\n");
        groups(&mut text, &practice.others);
    }
    text.trim_end().to_owned()
}

fn readers(facts: &Facts<'_>, trace: &ColumnTrace) -> String {
    let reads: Vec<String> = trace
        .reads
        .iter()
        .filter(|read| is_production(facts.sources, read.span))
        .map(|read| {
            let at = facts.sources.location(read.span);
            format!("* {} `{}` ({}:{})", read.kind.word(), read.function, at.path, at.line)
        })
        .collect();
    if reads.is_empty() {
        return "No reader was found in this tree; whoever reads the database directly is not seen.".to_owned();
    }
    format!("Who reads it:\n\n{}", reads.join("\n"))
}

fn figures(probe: &ColumnProbe) -> String {
    match &probe.outcome {
        Outcome::Failed(why) => format!("`{}` has no answer: {why}", probe.database),
        Outcome::Counted(counts) => counted(&probe.database, counts),
    }
}

fn counted(database: &str, counts: &Counts) -> String {
    let (rows, nulls, empty) = (counts.rows, counts.nulls, counts.empty);
    let mut text = format!("In `{database}`: {rows} rows, {nulls} NULL");
    match counts.method {
        Method::Exact => _ = write!(text, ", {empty} empty."),
        Method::Sample => _ = write!(text, ", {empty} empty. These are the rows of a sample."),
        Method::Statistics => text.push_str(". This is what the server's statistics hold; no row was looked at."),
    }
    if !counts.cohorts.is_empty() {
        text.push_str("\n\n| cohort | rows | NULL | empty |\n|---|---:|---:|---:|");
    }
    for cohort in &counts.cohorts {
        // The value comes from the database and must not end the cell.
        let value = cohort.value.as_deref().unwrap_or("NULL").replace(['|', '\n', '`'], " ");
        _ = write!(text, "\n| {} {value} | {} | {} | {} |", cohort.name, cohort.rows, cohort.nulls, cohort.empty);
    }
    text
}

fn outcome(contract: Option<Contract>, is_declared: bool, kept_by: Option<&str>) -> (String, &'static str) {
    let Some(contract) = contract else {
        let why = match kept_by {
            Some(why) => format!("most paths that issue a token leave the column without it, but {why}"),
            None => "the paths are no majority either way".to_owned(),
        };
        let text =
            format!("Open: {why}. Choose one option and say why; \"kept for compatibility\" puts the decision off.");
        return (text, "* Open, until an option is chosen.");
    };
    let because =
        if is_declared { "it is the declared contract" } else { "most paths that issue a token do so already" };
    let consequences = match contract {
        Contract::WriteConsistently => {
            "* Good, because who reads the column meets the newest token of every user who has logged in since.\n* Good, because no \
             back-fill is needed: a row heals at its user's next login.\n* Bad, because every new login path has to store the token too; the \
             audit and the pin see to it."
        }
        Contract::DropWrites => {
            "* Good, because the column can go, and with it a copy of every token.\n* Bad, because readers outside of this tree have to be \
             found and moved first."
        }
    };
    (
        format!("Chosen option: `{}`, because {because}. (Say here what else spoke for it.)", contract.word()),
        consequences,
    )
}

fn changes(facts: &Facts<'_>, changes: &[Change]) -> String {
    if changes.is_empty() {
        return "* Nothing was found.".to_owned();
    }
    let lines = changes.iter().map(|change| {
        let at = facts.sources.location(change.at);
        format!("* [ ] {}:{}: {}", at.path, at.line, change.edit)
    });
    lines.collect::<Vec<_>>().join("\n")
}
