//! A token is kept where every script of the page reads it.

use crate::contract::check::{Check, Run};
use crate::contract::identity::place;
use crate::contract::{Anchor, Facts, Finding, Level, Precision};
use crate::guards::Problem;

pub(crate) const CHECK: Check = Check {
    id: "token-in-storage",
    summary: "a token is kept where every script of the page reads it",
    level: Level::Warning,
    precision: Precision::High,
    security_severity: Some("4.3"),
    believed: "the call is proven, for it was resolved; that what it keeps is a token is inferred from its name",
    docs: include_str!("../../docs/checks/token-in-storage.md"),
    run: Run::Tree(run),
};

fn run(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    for hit in facts.guards.hits.iter().filter(|_| !facts.config.no_hygiene) {
        let kept_in = match hit.problem {
            Problem::Storage => "the browser's storage",
            Problem::ScriptCookie => "a cookie that a script sets",
            _ => continue,
        };
        let message =
            format!("{} keeps `{}` in {kept_in}: one injected script reads it and keeps it", hit.function, hit.name);
        let signature = format!("{}|{}|{kept_in}", place(facts, hit.span, &hit.function), hit.name);
        findings.push(CHECK.tree_finding(Anchor::Code(hit.span), CHECK.level, &signature, message, Vec::new()));
    }
}
