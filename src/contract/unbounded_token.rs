//! A token is signed without an end, or beyond the limit.

use crate::contract::check::{Check, Run};
use crate::contract::identity::place;
use crate::contract::{Anchor, Facts, Finding, Level, Precision};
use crate::guards::Problem;

pub(crate) const CHECK: Check = Check {
    id: "unbounded-token",
    summary: "a token is signed without an end, or lives longer than `max-token-life` allows",
    level: Level::Warning,
    precision: Precision::High,
    security_severity: Some("5.3"),
    believed: "proven: the signing call was resolved, and its options and the claims were followed",
    docs: include_str!("../../docs/checks/unbounded-token.md"),
    run: Run::Tree(run),
};

fn run(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    if facts.config.no_hygiene {
        return;
    }
    if let Some(limit) = facts.config.max_token_life {
        // What renews is handed the token that lives long.
        for guard in facts.guards.guards.iter().filter(|guard| !guard.renews) {
            let Some(exposure) = guard.exposure.as_ref().filter(|e| e.exact && e.at.is_some() && e.seconds > limit)
            else {
                continue;
            };
            let at = Anchor::Code(exposure.at.unwrap_or(guard.span));
            let message = format!(
                "the tokens that {} lets in live {}, longer than `max-token-life`",
                guard.name,
                exposure.words()
            );
            findings.push(CHECK.tree_finding(
                at,
                CHECK.level,
                &format!("{}|life", place(facts, guard.span, &guard.name)),
                message,
                Vec::new(),
            ));
        }
    }
    // Who verifies them may lie elsewhere.
    if let Some(limit) = facts.config.max_token_life {
        let of_guards = || facts.guards.guards.iter().filter_map(|guard| guard.exposure.as_ref()?.at);
        for life in facts.guards.lives.iter().filter(|life| life.seconds > limit) {
            let Some(at) = life.at.filter(|at| !of_guards().any(|known| known == *at)) else { continue };
            let message = format!("a token is signed here that lives {}, longer than `max-token-life`", life.words());
            let signature = format!("{}|signed", place(facts, at, ""));
            findings.push(CHECK.tree_finding(Anchor::Code(at), CHECK.level, &signature, message, Vec::new()));
        }
    }
    for hit in &facts.guards.hits {
        if hit.problem != Problem::Endless {
            continue;
        }
        let message = format!("{} signs a token without `exp`: it gets in until the key changes", hit.function);
        let signature = format!("{}|{}", place(facts, hit.span, &hit.function), hit.name);
        findings.push(CHECK.tree_finding(Anchor::Code(hit.span), CHECK.level, &signature, message, Vec::new()));
    }
}
