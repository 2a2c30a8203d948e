//! What holds for the judgement as a whole.

use std::collections::BTreeSet;

use crate::contract::bench::{Bench, bench, path};
use crate::contract::{Anchor, Verdict};
use crate::source::FileId;

fn drifted() -> Bench {
    bench()
        .update(10, vec![path("mobile", "fresh"), path("web", "preserved"), path("tv", "preserved")])
        .update(20, vec![path("sso", "fresh|unknown")])
        .missing("job", 70)
}

#[test]
fn findings_are_sorted_by_place_and_their_identities_are_unique() {
    let mut bench = drifted();
    let twin = bench.trace.sites[0].clone();
    bench.trace.sites.push(twin);
    let last = bench.trace.sites.last_mut().unwrap();
    last.span.end += 1;
    last.value.end += 1;
    let findings = bench.judge().findings;
    let places: Vec<&Anchor> = findings.iter().map(|finding| &finding.at).collect();
    assert!(places.is_sorted());
    let identities: BTreeSet<&str> = findings.iter().map(|finding| finding.identity.as_str()).collect();
    assert_eq!(identities.len(), findings.len());
    assert!(identities.iter().any(|identity| identity.ends_with("#2")), "{identities:?}");
}

#[test]
fn the_order_of_paths_and_sites_changes_nothing() {
    let straight = drifted();
    let mut turned = drifted();
    turned.trace.sites.reverse();
    for site in &mut turned.trace.sites {
        site.paths.reverse();
    }
    assert_eq!(straight.judge().findings, turned.judge().findings);
}

#[test]
fn moving_code_down_changes_no_identity() {
    let mut moved = drifted();
    for site in &mut moved.trace.sites {
        for span in [&mut site.span, &mut site.value] {
            assert_eq!(span.file, FileId(0));
            *span = crate::source::Span { start: span.start + 800, end: span.end + 800, ..*span };
        }
    }
    let identities = |bench: &Bench| -> BTreeSet<String> {
        bench.judge().findings.into_iter().map(|finding| finding.identity).collect()
    };
    assert_eq!(identities(&drifted()), identities(&moved));
}

#[test]
fn a_column_without_a_trace_keeps_its_place_among_the_verdicts() {
    let mut bench = drifted();
    let second = bench.schema.columns[0].clone();
    bench.schema.columns.insert(0, second);
    bench.trace.column.0 = 1;
    let verdicts: Vec<Verdict> = bench.judge().verdicts;
    assert_eq!(verdicts.len(), 2);
    assert!(verdicts[0].majority.is_none() && verdicts[1].majority.is_some());
}

#[test]
fn the_worked_example_drifts_and_discards_at_one_write() {
    let bench =
        bench().update(10, vec![path("mobile", "fresh"), path("web", "preserved").through("Tokens.generate", 50)]);
    assert_eq!(bench.lines("path-drift"), [11]);
    assert_eq!(bench.lines("discarded-token"), [11]);
    let verdict = bench.judge().verdicts.remove(0);
    assert!(!verdict.agree);
    assert_eq!((verdict.majority, verdict.recommendation), (None, None));
    assert_eq!((verdict.to_write.len(), verdict.to_drop.len()), (1, 1));
}
