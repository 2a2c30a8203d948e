use serde_json::{Value, json};

use crate::contract::{Anchor, Expected, Judgement, PredictionOutcome, Verdict};
use crate::probe::Outcome;
use crate::provenance::{Confidence, EntryPoint, Origin};
use crate::report::example::{Example, example, path};
use crate::report::{json as to_json, table};
use crate::source::{Gap, Span};

fn schema() -> jsonschema::Validator {
    let text = include_str!("../../docs/report.schema.json");
    jsonschema::validator_for(&serde_json::from_str::<Value>(text).unwrap()).unwrap()
}

/// What the published schema has against a document.
fn faults(document: &Value) -> Vec<String> {
    schema().iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn document(example: &Example) -> Value {
    serde_json::from_str(&to_json(&example.report())).unwrap()
}

#[test]
fn the_worked_example_reads_well_at_80_columns() {
    insta::assert_snapshot!(table(&example().report(), false, 80));
}

#[test]
fn the_worked_example_reads_well_at_120_columns() {
    insta::assert_snapshot!(table(&example().report(), false, 120));
}

#[test]
fn the_worked_example_as_json() {
    let text = to_json(&example().report()).replace(env!("CARGO_PKG_VERSION"), "[version]");
    insta::assert_snapshot!(text);
}

#[test]
fn a_rerun_gives_the_same_bytes() {
    assert_eq!(to_json(&example().report()), to_json(&example().report()));
    assert_eq!(table(&example().report(), true, 100), table(&example().report(), true, 100));
}

#[test]
fn the_json_is_valid_against_the_published_schema_with_and_without_a_database() {
    let mut example = example();
    assert_eq!(faults(&document(&example)), Vec::<String>::new());
    example.probes[0].outcome = Outcome::Failed("the database has no table `users`".into());
    example.elapsed_ms = None;
    let failed = document(&example);
    assert_eq!(faults(&failed), Vec::<String>::new());
    assert_eq!(failed["columns"][0]["live_error"], "the database has no table `users`");
    example.probes.clear();
    example.judgement.verdicts[0].predictions.clear();
    let offline = document(&example);
    assert_eq!(faults(&offline), Vec::<String>::new());
    assert!(offline["columns"][0].get("live").is_none());
    assert!(offline["summary"].get("elapsed_ms").is_none());
}

#[test]
fn a_document_of_another_shape_is_not_valid() {
    let good = document(&example());
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut document = good.clone();
        change(&mut document);
        assert!(!faults(&document).is_empty());
    };
    broken(&|it| it["columns"][0]["write_sites"][0]["semantics"] = json!("stale"));
    broken(&|it| it["columns"][0]["write_sites"][0]["operation"] = json!("save"));
    broken(&|it| it["columns"][0]["write_sites"][0]["line"] = json!(0));
    broken(&|it| it["columns"][0]["verdict"]["changes"][0]["for"] = json!("later"));
    broken(&|it| it["findings"][0]["level"] = json!("fatal"));
    broken(&|it| it["summary"]["extra"] = json!(1));
    broken(&|it| {
        it.as_object_mut().unwrap().remove("gaps");
    });
}

#[test]
fn every_property_of_the_published_schema_is_described() {
    fn walk(at: &str, value: &Value) {
        if let Some(properties) = value.get("properties").and_then(Value::as_object) {
            for (name, property) in properties {
                let described = property.get("description").is_some() || property.get("$ref").is_some();
                assert!(described, "{at}/{name} has no description");
            }
        }
        if let Some(members) = value.as_object() {
            members.iter().for_each(|(name, member)| walk(&format!("{at}/{name}"), member));
        }
    }
    walk("", &serde_json::from_str(include_str!("../../docs/report.schema.json")).unwrap());
}

#[test]
fn no_line_is_wider_than_the_terminal_but_for_source_that_says_so() {
    for width in [80, 100, 120, 200] {
        for line in table(&example().report(), false, width).lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn no_literal_of_a_tracked_line_and_no_colour_reaches_a_plain_report() {
    let text = table(&example().report(), false, 200);
    assert!(text.contains("user.accessToken, refreshToken, '***')"), "{text}");
    assert!(!text.contains("do-not-copy-this-literal"));
    assert!(!text.contains('\u{1b}'));
    assert!(table(&example().report(), true, 80).contains('\u{1b}'));
}

#[test]
fn many_paths_that_agree_are_one_row_that_says_how_many_more() {
    let mut example = example();
    let span = example.span("auth.controller.ts", "loginMobile(@");
    let site = &mut example.traces[0].sites[1];
    for number in 0..300 {
        let entry = EntryPoint { name: format!("Job{number:03}.run"), route: String::new(), span };
        site.paths.push(path(entry, Vec::new(), Origin::Fresh, "a signed JWT"));
    }
    let text = table(&example.report(), false, 80);
    assert!(text.contains("Job003.run") && !text.contains("Job004.run"), "{text}");
    assert!(text.contains("and 296 more"), "{text}");
    assert_eq!(document(&example)["columns"][0]["write_sites"][1]["paths"].as_array().unwrap().len(), 302);
}

#[test]
fn an_unknown_is_told_with_its_reason_and_a_heuristic_is_marked() {
    let mut example = example();
    let path = &mut example.traces[0].sites[1].paths[1];
    path.meaning.chains = [vec![Origin::Unknown]].into();
    path.confidence = Confidence::Inferred;
    path.reason = "the caller spreads an object of unknown keys".into();
    let text = table(&example.report(), false, 120);
    assert!(text.contains("src/users/users.service.ts:4: the caller spreads an object of unknown keys"), "{text}");
    assert!(text.contains("(inferred)"), "{text}");
    assert_eq!(document(&example)["columns"][0]["write_sites"][1]["semantics"], "fresh-or-unknown");
}

#[test]
fn a_contradicted_prediction_and_a_failed_probe_cannot_be_missed() {
    let mut example = example();
    let prediction = &mut example.judgement.verdicts[0].predictions[0];
    (prediction.expected, prediction.outcome) = (Expected::Filled, PredictionOutcome::Contradicted);
    let text = table(&example.report(), false, 120);
    assert!(text.contains("web must hold a token: 0 of 40 rows do (CONTRADICTED)"), "{text}");
    example.probes[0].outcome = Outcome::Failed("out of time".into());
    assert!(table(&example.report(), false, 120).contains("not counted: out of time"));
}

#[test]
fn gaps_beyond_ten_are_counted_and_names_cannot_steer_the_terminal() {
    let mut example = example();
    example.gaps =
        (1..=13).map(|line| Gap { path: "src/\u{1b}[2Jx.ts".into(), line, why: "no\nparse".into() }).collect();
    let text = table(&example.report(), false, 80);
    assert!(text.contains("13 places could not be followed or read:"), "{text}");
    assert!(text.contains("and 3 more: --format json lists all"), "{text}");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn a_finding_anywhere_in_a_file_has_an_excerpt() {
    let mut example = example();
    let whole = example.span("user.entity.ts", "import");
    let last = u32::try_from(example.sources.get(whole.file).text.len()).unwrap();
    for (start, end) in [(0, 0), (0, last), (last, last), (last - 1, last), (7, 400)] {
        example.judgement.findings[0].at = Anchor::Code(Span { start, end, ..whole });
        let text = table(&example.report(), false, 80);
        assert!(text.contains("--> src/users/user.entity.ts:"), "{text}");
    }
}

#[test]
fn a_column_nobody_writes_has_a_report_too() {
    let mut example = example();
    example.traces[0].sites.clear();
    example.traces[0].missing.clear();
    example.traces[0].reads.clear();
    example.judgement =
        Judgement { verdicts: vec![Verdict { agree: true, ..Verdict::default() }], ..Judgement::default() };
    insta::assert_snapshot!(table(&example.report(), false, 80));
}
