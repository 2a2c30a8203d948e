//! What was accepted: the baseline file, and the list of suppressions.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::config::BASELINE_SCHEMA;
use crate::contract::Finding;
use crate::report::Report;
use crate::report::stream::{Each, pretty};

#[derive(Serialize)]
struct File<Findings> {
    schema: &'static str,
    findings: Findings,
}

#[derive(Serialize)]
struct Entry<'a> {
    identity: &'a str,
    check: &'a str,
    column: &'a str,
    file: &'a str,
}

/// The findings that `keep` has, as a baseline file: by identity, without lines, so that moving code does not change it.
pub fn baseline(report: &Report, keep: &dyn Fn(&Finding) -> bool, out: &mut dyn Write) -> io::Result<()> {
    let findings = report.judgement.findings.iter().filter(|finding| keep(finding));
    let sorted: BTreeMap<&str, &Finding> = findings.map(|finding| (finding.identity.as_str(), finding)).collect();
    let findings = Each(|| {
        sorted.values().map(|finding| Entry {
            identity: &finding.identity,
            check: finding.check,
            column: &finding.column,
            file: report.anchor(&finding.at).0,
        })
    });
    pretty(&File { schema: BASELINE_SCHEMA, findings }, out)
}

/// All comments that put findings aside, one a line.
pub fn suppressions(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for comment in &report.judgement.suppressions {
        let (path, line) = report.anchor(&comment.at);
        let checks = comment.checks.join(",");
        let until = comment.until.map_or_else(String::new, |day| format!(" until={day}"));
        let state = match (comment.faults.is_empty(), comment.used) {
            (false, _) => comment.faults.join("; "),
            (true, 0) => "not judged in this run".to_owned(),
            (true, used) => format!("puts {} aside", crate::report::count(used, "finding", "findings")),
        };
        writeln!(out, "{path}:{line}: {checks} -- {}{until} ({state})", comment.reason)?;
    }
    let number = report.judgement.suppressions.len();
    writeln!(out, "{}", crate::report::count(number, "suppression", "suppressions"))
}
