use serde_json::{Value, json};

use crate::contract::{Anchor, Expected, Finding, Judgement, Level, PredictionOutcome, Standing, Verdict};
use crate::probe::Outcome;
use crate::provenance::{Confidence, EntryPoint, Origin};
use crate::report::example::{Example, example, path};
use crate::report::{Format, Report, render};
use crate::source::{Gap, Span};

fn schema() -> jsonschema::Validator {
    let text = include_str!("../../docs/report.schema.json");
    jsonschema::validator_for(&serde_json::from_str::<Value>(text).unwrap()).unwrap()
}

fn rendered(report: &Report, format: Format) -> String {
    let mut bytes = Vec::new();
    render(report, format, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn to_json(report: &Report) -> String {
    rendered(report, Format::Json)
}

fn table(report: &Report, color: bool, width: usize) -> String {
    rendered(report, Format::Table { color, width })
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
    walk("", &serde_json::from_str(include_str!("../../docs/probe.schema.json")).unwrap());
}

#[test]
fn no_line_is_wider_than_the_terminal_but_for_source_that_says_so() {
    for width in [60, 80, 100, 120, 200] {
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

/// Every format, as wide as a terminal where that matters.
const FORMATS: [Format; 6] = [
    Format::Table { color: false, width: 80 },
    Format::Json,
    Format::Sarif,
    Format::Github,
    Format::Gitlab,
    Format::Markdown,
];

fn many(number: usize) -> Example {
    let mut example = example();
    let drift = example.judgement.findings[0].clone();
    example.judgement.findings =
        (0..number).map(|at| Finding { identity: format!("{} #{at}", drift.identity), ..drift.clone() }).collect();
    example
}

/// Counts what it is handed and keeps nothing of it.
#[derive(Default)]
struct Counter {
    bytes: usize,
    largest: usize,
}

impl std::io::Write for Counter {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        self.bytes += piece.len();
        self.largest = self.largest.max(piece.len());
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn ten_thousand_findings_are_handed_on_piece_by_piece_in_time_that_grows_with_their_number() {
    let (some, more) = (many(1_000), many(10_000));
    let measured = |example: &Example, format| {
        let (mut counter, start) = (Counter::default(), std::time::Instant::now());
        render(&example.report(), format, &mut counter).unwrap();
        (counter, start.elapsed())
    };
    for format in FORMATS {
        // Ten times as many take ten times as long, with room for a machine that is busy meanwhile; benches/rendering.rs measures it.
        let in_time = (0..5).any(|_| {
            let (few, took_few) = measured(&some, format);
            let (all, took_all) = measured(&more, format);
            assert!(all.largest <= few.largest.max(16_000), "{format:?}: a piece of {} bytes", all.largest);
            assert!(format == Format::Markdown || all.bytes > 9 * few.bytes, "{format:?}: {} bytes", all.bytes);
            took_all < took_few * 30 + std::time::Duration::from_millis(200)
        });
        assert!(in_time, "{format:?}");
    }
}

#[test]
fn a_comment_stays_below_the_longest_that_a_forge_takes_and_counts_the_rest() {
    let text = rendered(&many(10_000).report(), Format::Markdown);
    assert!(text.chars().count() < 65_536, "{}", text.len());
    let shown = text.matches("- **warning**").count();
    assert!(text.contains(&format!("{} findings fit in this comment no more", 10_000 - shown)), "{shown}");
}

#[test]
fn more_results_than_code_scanning_takes_are_counted_and_the_gravest_kept() {
    let mut example = many(25_010);
    example.judgement.findings[25_009].level = Level::Error;
    let log: Value = serde_json::from_str(&rendered(&example.report(), Format::Sarif)).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 25_000);
    assert_eq!(results[24_999]["level"], "error");
    assert!(log["runs"][0]["invocations"][0].to_string().contains("10 more findings are left out"));
}

#[test]
fn what_was_put_aside_is_counted_for_people_and_marked_for_machines() {
    let mut example = example();
    example.judgement.findings[0].standing = Standing::Suppressed { reason: "known".into() };
    example.judgement.findings[1].standing = Standing::Baselined;
    let report = Report { has_baseline: true, ..example.report() };
    let text = rendered(&report, FORMATS[0]);
    assert!(text.contains("0 errors, 0 warnings, 1 note (1 in the baseline, 1 suppressed)"), "{text}");
    assert!(!text.contains("discarded-token"), "{text}");
    let log: Value = serde_json::from_str(&rendered(&report, Format::Sarif)).unwrap();
    let result = |at: usize| &log["runs"][0]["results"][at];
    assert_eq!(result(0)["suppressions"][0], json!({"kind": "inSource", "justification": "known"}));
    assert_eq!((&result(1)["baselineState"], &result(2)["baselineState"]), (&json!("unchanged"), &json!("new")));
    assert_eq!(rendered(&report, Format::Github).lines().filter(|line| line.starts_with("::")).count(), 1);
}

#[test]
fn no_literal_of_a_tracked_line_reaches_any_format() {
    for format in FORMATS {
        assert!(!rendered(&example().report(), format).contains("do-not-copy-this-literal"), "{format:?}");
    }
}
