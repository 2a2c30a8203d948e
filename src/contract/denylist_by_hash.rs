//! A list of revoked tokens is asked by the token or its hash instead of its id.

use crate::contract::check::{Check, Run};
use crate::contract::identity::place;
use crate::contract::{Anchor, Facts, Finding, Level, Precision};
use crate::guards::Problem;

pub(crate) const CHECK: Check = Check {
    id: "denylist-by-hash",
    summary: "a list of revoked tokens is asked by the token or its hash instead of its id",
    level: Level::Note,
    precision: Precision::Medium,
    security_severity: None,
    believed: "inferred: the call was resolved to a store by a rule row, that the store is a denylist is told by its name",
    docs: include_str!("../../docs/checks/denylist-by-hash.md"),
    run: Run::Tree(run),
};

fn run(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    for hit in facts.guards.hits.iter().filter(|_| !facts.config.no_hygiene) {
        if hit.problem != Problem::ByToken {
            continue;
        }
        let message = format!(
            "{} asks a list of revoked tokens by the token itself or its hash: key it by `jti`, which the issuer knows without the token",
            hit.function
        );
        let signature = format!("{}|{}", place(facts, hit.span, &hit.function), hit.name);
        findings.push(CHECK.tree_finding(Anchor::Code(hit.span), CHECK.level, &signature, message, Vec::new()));
    }
}
