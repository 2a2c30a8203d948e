//! A cookie with a token lacks attributes that keep it from scripts, other sites and open connections.

use crate::contract::check::{Check, Run};
use crate::contract::identity::place;
use crate::contract::{Anchor, Facts, Finding, Level, Precision};
use crate::guards::Problem;

pub(crate) const CHECK: Check = Check {
    id: "insecure-cookie",
    summary: "a cookie with a token lacks attributes that keep it from scripts, other sites and open connections",
    level: Level::Warning,
    precision: Precision::High,
    security_severity: Some("4.3"),
    believed: "the attributes are proven, for they stand in the resolved call; that the cookie holds a token is inferred from its name",
    docs: include_str!("../../docs/checks/insecure-cookie.md"),
    run: Run::Tree(run),
};

fn run(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    for hit in facts.guards.hits.iter().filter(|_| !facts.config.no_hygiene) {
        let Problem::Cookie { lacks, path } = &hit.problem else { continue };
        let mut parts: Vec<String> = Vec::new();
        if !lacks.is_empty() {
            parts.push(format!("lacks {}", lacks.join(", ")));
        }
        parts.extend(path.as_ref().map(|path| format!("is sent below `{path}` only, so other calls do without it")));
        let message = format!("the cookie `{}` {}", hit.name, parts.join(" and "));
        let signature = format!("{}|{}|{}", place(facts, hit.span, &hit.function), hit.name, parts.join(","));
        findings.push(CHECK.tree_finding(Anchor::Code(hit.span), CHECK.level, &signature, message, Vec::new()));
    }
}
