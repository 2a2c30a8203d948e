//! Paths store the token in different forms, or paths or rows in another than the configured one.

use std::collections::BTreeMap;

use crate::config::StoredForm;
use crate::contract::case::Case;
use crate::contract::check::{Check, Run};
use crate::contract::identity::signature;
use crate::contract::practice::{Write, entry_points, group};
use crate::contract::wording::list;
use crate::contract::{Anchor, Finding, Level, Precision, Related};
use crate::probe::Shape;
use crate::provenance::Origin;
use crate::rules::Form;

pub(crate) const CHECK: Check = Check {
    id: "form-drift",
    summary: "the token is stored in different forms: plain, hashed or encrypted",
    level: Level::Warning,
    precision: Precision::High,
    security_severity: Some("5.9"),
    believed: "the paths are proven or inferred as marked; the form is what the functions that the value passes through make of it",
    docs: include_str!("../../docs/checks/form-drift.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    measured(case, findings);
    let mut by_form: BTreeMap<StoredForm, Vec<Write<'_>>> = BTreeMap::new();
    for write in &case.writes {
        if let Some(form) = form(*write) {
            by_form.entry(form).or_default().push(*write);
        }
    }
    let configured = case.config.and_then(|config| config.form);
    let Some(usual) = configured.or_else(|| usual(&by_form)) else { return };
    let example = by_form.get(&usual).and_then(|writes| writes.first());
    for (form, writes) in by_form.iter().filter(|(form, _)| **form != usual) {
        for ((), write, entries) in group(writes.iter().copied(), |_| ()) {
            let other = match (configured, example) {
                (Some(_), _) => format!("the configuration says {}", word(usual)),
                (None, Some(example)) => format!("`{}` stores it {}", example.site.function, word(usual)),
                (None, None) => continue,
            };
            let message = format!(
                "`{}` stores {} {}, reached from {}, while {other}",
                write.site.function,
                case.name,
                word(*form),
                list(&entries)
            );
            let mut related: Vec<Related> = example
                .map(|example| Related {
                    at: Anchor::Code(example.site.value),
                    message: format!("counter-example: stored {} here", word(usual)),
                })
                .into_iter()
                .collect();
            related.extend(
                write.path.trail.iter().map(|hop| Related { at: Anchor::Code(hop.span), message: hop.what.clone() }),
            );
            let signature = signature(&case.facts, &entries, (write.site.span, &write.site.function));
            let at = Anchor::Code(write.site.value);
            findings.push(CHECK.finding(case, at, (&signature, word(*form)), message, related).along(write));
        }
    }
}

/// Fewer rows of another form are a handful of exceptions.
const ENOUGH_ROWS: u64 = 5;

/// Rows that look otherwise than the configuration says. What looks like both forms counts for neither.
fn measured(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let Some(configured) = case.config.and_then(|config| config.form) else { return };
    let Some(at) = case.anchor() else { return };
    let shapes = case.counted().filter_map(|counted| Some((counted, counted.counts.shapes.as_ref()?)));
    for (counted, (shape, rows)) in
        shapes.flat_map(|(counted, shapes)| shapes.rows.iter().map(move |row| (counted, row)))
    {
        // Random hexadecimal digits are no less plain text than a hash is, and some ciphers give digits too.
        let looks = match (configured, shape) {
            (StoredForm::Hashed | StoredForm::Encrypted, Shape::Jwt) => "signed tokens in plain text",
            (StoredForm::Hashed | StoredForm::Encrypted, Shape::Uuid) => "UUIDs in plain text",
            (StoredForm::Plain | StoredForm::Encrypted, Shape::PasswordHash) => "password hashes",
            (StoredForm::Plain | StoredForm::Hashed, Shape::Encrypted) => "encrypted values",
            _ => continue,
        };
        if *rows >= ENOUGH_ROWS {
            let message = format!(
                "rows of {}{} hold what looks like {looks}, while the configuration says {}",
                case.name,
                counted.place(),
                word(configured)
            );
            findings.push(CHECK.finding(
                case,
                at.clone(),
                (&counted.signature("rows"), shape.word()),
                message,
                Vec::new(),
            ));
        }
    }
}

/// The form of a value that this path brings itself; what it merely puts back has the form that others gave it.
fn form(write: Write<'_>) -> Option<StoredForm> {
    let origins = write.path.meaning.origins();
    if !origins.contains(&Origin::Fresh) && !origins.contains(&Origin::Supplied) {
        return None;
    }
    // What nobody in the tree calls may be handed the token in any form.
    let is_untold = write.path.entry.route.is_empty() && !origins.contains(&Origin::Fresh);
    match write.path.form? {
        Form::Plain if is_untold => None,
        Form::Plain => Some(StoredForm::Plain),
        Form::Hashed => Some(StoredForm::Hashed),
        Form::Encrypted => Some(StoredForm::Encrypted),
        Form::Unknown => None,
    }
}

/// The form that most entry points store; at a tie the stronger one. `None` where there is nothing to compare.
fn usual(by_form: &BTreeMap<StoredForm, Vec<Write<'_>>>) -> Option<StoredForm> {
    let strength = |form: StoredForm| u8::from(form != StoredForm::Plain);
    by_form.iter().map(|(form, writes)| (entry_points(writes).len(), strength(*form), *form)).max().map(|best| best.2)
}

fn word(form: StoredForm) -> &'static str {
    match form {
        StoredForm::Plain => "in plain text",
        StoredForm::Hashed => "hashed",
        StoredForm::Encrypted => "encrypted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::bench::{NOWHERE, bench, path};
    use crate::probe::{Outcome, Shapes};

    const FORM: &str = "form-drift";

    fn encrypted(name: &str) -> crate::provenance::Path {
        path(name, "fresh").stored_as(Form::Encrypted)
    }

    #[test]
    fn the_odd_form_out_is_reported_and_at_a_tie_plain_text() {
        let odd = bench().update(10, vec![path("a", "fresh"), path("b", "fresh")]).insert(20, vec![encrypted("c")]);
        assert_eq!(odd.lines(FORM), [21]);
        let tie = bench().insert(10, vec![path("signup", "fresh")]).insert(20, vec![encrypted("link")]);
        assert_eq!(tie.lines(FORM), [11]);
        let finding = &tie.findings(FORM)[0];
        assert!(finding.message.contains("in plain text"), "{}", finding.message);
        assert!(finding.message.contains("`users.insert20` stores it encrypted"), "{}", finding.message);
    }

    #[test]
    fn unknown_forms_and_values_put_back_do_not_count() {
        let bench = bench().update(
            10,
            vec![
                encrypted("a"),
                path("b", "fresh").stored_as(Form::Unknown),
                path("c", "preserved").stored_as(Form::Plain),
                path("d", "null"),
            ],
        );
        assert_eq!(bench.lines(FORM), NOWHERE);
    }

    #[test]
    fn what_nobody_in_the_tree_hands_in_is_in_no_known_form() {
        let handed = |route: &str| {
            let mut handed = path("update", "supplied").stored_as(Form::Plain);
            handed.entry.route = route.into();
            bench().update(10, vec![handed]).insert(20, vec![encrypted("a"), encrypted("b")]).lines(FORM)
        };
        assert_eq!(handed(""), NOWHERE);
        assert_eq!(handed("PUT /users"), [11]);
    }

    #[test]
    fn rows_that_look_otherwise_than_configured_are_reported_at_the_column() {
        let with = |form, shape, rows| {
            let mut bench = bench().cohorts(&[("web", "/web", 100, 0)]);
            bench.column().form = form;
            if let Outcome::Counted(counts) = &mut bench.probes[0].outcome {
                counts.shapes = Some(Shapes { rows: vec![(shape, rows)], ..Shapes::default() });
            }
            bench.lines(FORM)
        };
        assert_eq!(with(Some(StoredForm::Hashed), Shape::Jwt, 5), [3]);
        assert_eq!(with(Some(StoredForm::Encrypted), Shape::Uuid, 50), [3]);
        assert_eq!(with(Some(StoredForm::Plain), Shape::PasswordHash, 50), [3]);
        assert_eq!(with(Some(StoredForm::Hashed), Shape::Jwt, 4), NOWHERE);
        assert_eq!(with(Some(StoredForm::Plain), Shape::HexHash, 50), NOWHERE);
        assert_eq!(with(Some(StoredForm::Hashed), Shape::Other, 50), NOWHERE);
        assert_eq!(with(None, Shape::Jwt, 50), NOWHERE);
    }

    #[test]
    fn the_configured_form_is_the_measure_even_against_all_paths() {
        let mut bench = bench().update(10, vec![path("a", "fresh"), path("b", "fresh")]);
        assert_eq!(bench.lines(FORM), NOWHERE);
        bench.column().form = Some(StoredForm::Hashed);
        assert_eq!(bench.lines(FORM), [11]);
        assert!(bench.findings(FORM)[0].message.contains("the configuration says hashed"));
    }
}
