//! A guard reads the user and lets in who was deactivated.

use crate::contract::check::{Check, Run};
use crate::contract::identity::place;
use crate::contract::{Anchor, Facts, Finding, Level, Precision, Related};

pub(crate) const CHECK: Check = Check {
    id: "unchecked-status",
    summary: "a guard looks the user up and never asks whether the user is still active",
    level: Level::Warning,
    precision: Precision::Medium,
    security_severity: Some("5.4"),
    believed: "proven: the look-up was resolved, and neither it nor anything behind it names the column that says who is active",
    docs: include_str!("../../docs/checks/unchecked-status.md"),
    run: Run::Tree(run),
};

fn run(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    for guard in &facts.guards.guards {
        let Some(gap) = &guard.status else { continue };
        let message = format!(
            "{} ({}) reads the user and never asks for {}: a deactivated user gets in as before",
            guard.name, guard.what, gap.column
        );
        let related = vec![
            Related { at: Anchor::Code(gap.read), message: "the user is read here".into() },
            Related {
                at: Anchor::Code(gap.declared),
                message: format!("{} says whether the user is active", gap.column),
            },
        ];
        let signature = format!("{}|{}", place(facts, guard.span, &guard.name), gap.column);
        findings.push(CHECK.tree_finding(Anchor::Code(guard.span), Level::Warning, &signature, message, related));
    }
}
