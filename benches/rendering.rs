//! What 10,000 findings cost in each format: the time, and the most memory that a renderer holds at once.
//!
//! A renderer that kept its output would hold ten times as much for 10,000 findings as for 1,000.

use std::path::Path;

use divan::{AllocProfiler, Bencher};
use tokendrift::config::{Config, column_from_flag};
use tokendrift::contract::{Day, Finding, Judgement};
use tokendrift::probe::Options;
use tokendrift::report::{Format, Report, render};
use tokendrift::{Audit, Request};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const FINDINGS: [usize; 2] = [1_000, 10_000];

fn main() {
    divan::main();
}

/// The worked example's audit.
fn audit() -> Audit {
    let column = column_from_flag("users.access_token").expect("a column");
    let request = Request {
        root: Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/nest-auth/drifted"),
        inputs: Vec::new(),
        config: Config { columns: vec![column], ..Config::default() },
        jobs: None,
        databases: Vec::new(),
        probe: Options::default(),
        baseline: None,
        suppressions: true,
        today: Day::default(),
    };
    tokendrift::audit(request).expect("the example can be audited")
}

/// Its findings over and over, each with an identity of its own.
fn judgement(audit: &Audit, findings: usize) -> Judgement {
    let again = audit.judgement.findings.iter().cycle().take(findings).enumerate();
    let findings =
        again.map(|(at, finding)| Finding { identity: format!("{}#{at}", finding.identity), ..finding.clone() });
    Judgement { findings: findings.collect(), ..audit.judgement.clone() }
}

fn rendered(bencher: Bencher, findings: usize, format: Format) {
    let audit = audit();
    let judgement = judgement(&audit, findings);
    let report = Report { judgement: &judgement, ..audit.report(None) };
    bencher.bench_local(|| render(&report, format, &mut std::io::sink()).expect("nothing can fail"));
}

#[divan::bench(args = FINDINGS)]
fn table(bencher: Bencher, findings: usize) {
    rendered(bencher, findings, Format::Table { color: false, width: 80 });
}

#[divan::bench(args = FINDINGS)]
fn json(bencher: Bencher, findings: usize) {
    rendered(bencher, findings, Format::Json);
}

#[divan::bench(args = FINDINGS)]
fn sarif(bencher: Bencher, findings: usize) {
    rendered(bencher, findings, Format::Sarif);
}

#[divan::bench(args = FINDINGS)]
fn github(bencher: Bencher, findings: usize) {
    rendered(bencher, findings, Format::Github);
}

#[divan::bench(args = FINDINGS)]
fn gitlab(bencher: Bencher, findings: usize) {
    rendered(bencher, findings, Format::Gitlab);
}

#[divan::bench(args = FINDINGS)]
fn markdown(bencher: Bencher, findings: usize) {
    rendered(bencher, findings, Format::Markdown);
}
