//! `explain ID`: the page of a check or of a rule pack, or one finding hop by hop.

use std::path::Path;

use tokendrift::config::closest;
use tokendrift::contract::Finding;
use tokendrift::report::{self, Report};
use tokendrift::{contract, rules};

use crate::cli::args::ExplainArgs;
use crate::cli::audit::targets;
use crate::cli::interrupt::Asking;
use crate::cli::terminal::Streams;
use crate::cli::{Exit, Ran, inputs};

pub(crate) fn run(args: &ExplainArgs, streams: &Streams) -> Result<Ran, String> {
    let page = contract::page(&args.id).or_else(|| rules::page(&args.id)).filter(|_| args.report.is_none());
    let text = match page {
        Some(page) => page.to_owned(),
        None => finding(args, streams)?,
    };
    Ok(Ran::text(Exit::Clean, text))
}

/// A finding is explained from the tree as it is now: the same tree gives the same findings.
fn finding(args: &ExplainArgs, streams: &Streams) -> Result<String, String> {
    let listed = args.report.as_deref().map(|file| listed(file, &args.id)).transpose()?;
    // What looks like no finding is a misspelt check or pack, whatever the tree is.
    if listed.is_none() && !args.id.contains(['|', ':']) {
        return Err(unknown(&args.id));
    }
    let mut request = inputs::request(&args.input)?;
    // What cannot be asked explains nothing, and an explanation is no verdict.
    request.databases = targets(&request.config, args.database_url.as_deref(), streams)?.databases;
    let asking = (!request.databases.is_empty()).then(Asking::start);
    let audit = {
        let _progress = streams.progress("auditing", args.input.quiet);
        tokendrift::audit(request).map_err(|error| error.to_string())?
    };
    drop(asking);
    let report = audit.report(None);
    let wanted = listed.as_deref().unwrap_or(&args.id);
    let found = matching(&report, wanted);
    if found.is_empty() {
        return Err(match listed {
            Some(identity) => {
                format!(
                    "the tree has no finding `{identity}` any more: it, or its configuration, has changed since the report"
                )
            }
            None => format!("the tree has no finding `{wanted}`; `tokendrift audit` lists what it has"),
        });
    }
    let (color, width) = (streams.color(args.color, false), streams.width(false));
    let texts: Vec<String> = found.iter().map(|finding| report::explanation(&report, finding, color, width)).collect();
    Ok(texts.join("\n"))
}

/// By identity, else by place, else by a part of the identity.
fn matching<'a>(report: &Report<'a>, wanted: &str) -> Vec<&'a Finding> {
    let place = |finding: &Finding| {
        let (file, line) = report::place_of(report, &finding.at);
        format!("{file}:{line}")
    };
    let tries: [&dyn Fn(&Finding) -> bool; 3] =
        [&|finding| finding.identity == wanted, &|finding| place(finding) == wanted, &|finding| {
            wanted.contains('|') && finding.identity.contains(wanted)
        }];
    let by = |agrees: &dyn Fn(&Finding) -> bool| -> Vec<&'a Finding> {
        report.judgement.findings.iter().filter(|finding| agrees(finding)).collect()
    };
    tries.iter().map(|agrees| by(*agrees)).find(|found| !found.is_empty()).unwrap_or_default()
}

/// The identity that a JSON report lists under a number (from 1), or under itself.
fn listed(file: &Path, id: &str) -> Result<String, String> {
    let wrong = |why: String| format!("cannot take {} as a report: {why}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let listed: serde_json::Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if listed["schema"] != report::SCHEMA {
        return Err(wrong(format!("it is not of schema `{}`; audit again with --format json", report::SCHEMA)));
    }
    let findings = listed["findings"].as_array().ok_or_else(|| wrong("it has no `findings`".to_owned()))?;
    let identities: Vec<&str> = findings.iter().filter_map(|finding| finding["identity"].as_str()).collect();
    let by_number = id.parse::<usize>().ok().and_then(|number| identities.get(number.checked_sub(1)?));
    let found = by_number.or_else(|| identities.iter().find(|identity| identity.contains(id)));
    found.map(|identity| (*identity).to_owned()).ok_or_else(|| {
        let list: Vec<String> = identities.iter().enumerate().map(|(at, one)| format!("  {} {one}", at + 1)).collect();
        format!("{} lists no finding `{id}`; it has\n{}", file.display(), list.join("\n"))
    })
}

fn unknown(id: &str) -> String {
    let checks: Vec<&str> = contract::CHECKS.iter().map(|check| check.id).collect();
    let packs: Vec<&str> = rules::ids().collect();
    let all: Vec<&str> = checks.iter().chain(&packs).copied().collect();
    let meant = closest(id, &all).map_or_else(String::new, |id| format!("; did you mean `{id}`?"));
    format!(
        "no check and no rule pack is called `{id}`{meant}\nchecks: {}\nrule packs: {}\na finding is named by its place, as in \
         src/auth.ts:12, or by its identity",
        checks.join(", "),
        packs.join(", ")
    )
}
