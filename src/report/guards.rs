//! Guards as the JSON report has them, and the first line of triage: does letting in depend on the column?

use serde::Serialize;

use crate::guards::{Exposure, Guard, Place, Proof, Short, ShortBy};
use crate::report::Report;
use crate::rules::Asks;
use crate::schema::ColumnId;
use crate::source::Span;

#[derive(Serialize)]
pub(super) struct GuardOut<'a> {
    name: &'a str,
    kind: &'a str,
    file: &'a str,
    line: u32,
    routes: &'a [String],
    verdict: &'static str,
    verification: Option<PlaceOut<'a>>,
    proofs: Vec<ProofOut<'a>>,
    not_enough: Vec<ShortOut<'a>>,
    unclear: Vec<PlaceOut<'a>>,
    exposure: Option<ExposureOut<'a>>,
    foreign_keys: bool,
}

#[derive(Serialize)]
struct PlaceOut<'a> {
    file: &'a str,
    line: u32,
}

#[derive(Serialize)]
struct ProofOut<'a> {
    asks: &'static str,
    what: &'a str,
    file: &'a str,
    line: u32,
}

#[derive(Serialize)]
struct ShortOut<'a> {
    why: &'static str,
    what: &'a str,
    file: &'a str,
    line: u32,
}

#[derive(Serialize)]
struct ExposureOut<'a> {
    seconds: Option<u64>,
    exact: bool,
    stated: Option<PlaceOut<'a>>,
    open: Option<OpenOut<'a>>,
}

#[derive(Serialize)]
struct OpenOut<'a> {
    endless: bool,
    file: &'a str,
    line: u32,
}

#[derive(Serialize)]
pub(super) struct TriageOut<'a> {
    /// Whether a guard or a refresh endpoint decides by the column.
    stateful: bool,
    decisions: Vec<DecisionOut<'a>>,
}

#[derive(Serialize)]
struct DecisionOut<'a> {
    by: &'static str,
    function: &'a str,
    file: &'a str,
    line: u32,
}

pub(super) fn guards<'a>(report: &Report<'a>) -> Vec<GuardOut<'a>> {
    report.guards.guards.iter().map(|guard| out(report, guard)).collect()
}

fn out<'a>(report: &Report<'a>, guard: &'a Guard) -> GuardOut<'a> {
    let (file, line) = report.place(guard.span);
    let place = |span: Span| {
        let (file, line) = report.place(span);
        PlaceOut { file, line }
    };
    let proof = |proof: &'a Proof| {
        let (file, line) = report.place(proof.span);
        ProofOut { asks: asks_word(proof.asks), what: &proof.what, file, line }
    };
    let short = |short: &'a Short| {
        let (file, line) = report.place(short.span);
        let why = match short.why {
            ShortBy::FirstLogin => "sign-in-only",
            ShortBy::Unused => "unused-result",
            ShortBy::Missed => "missing-passes",
            ShortBy::Kept => "cached-for-good",
            ShortBy::Added => "only-added",
            ShortBy::Blanked => "left-empty",
            ShortBy::Another => "something-else",
            ShortBy::ForSome => "some-bearers",
            ShortBy::GoesOn => "goes-on",
            ShortBy::Pending => "not-awaited",
        };
        ShortOut { why, what: &short.what, file, line }
    };
    let exposure = |exposure: &Exposure| ExposureOut {
        seconds: (exposure.seconds > 0 || exposure.open.is_none()).then_some(exposure.seconds),
        exact: exposure.exact,
        stated: exposure.at.map(place),
        open: exposure.open.map(|open| {
            let PlaceOut { file, line } = place(open.at);
            OpenOut { endless: open.endless, file, line }
        }),
    };
    GuardOut {
        name: &guard.name,
        kind: &guard.what,
        file,
        line,
        routes: &guard.routes,
        verdict: guard.verdict.word(),
        verification: guard.verification.map(place),
        proofs: guard.proofs.iter().map(proof).collect(),
        not_enough: guard.short.iter().map(short).collect(),
        unclear: guard.unclear.iter().copied().map(place).collect(),
        exposure: guard.exposure.as_ref().map(exposure),
        foreign_keys: guard.foreign,
    }
}

fn asks_word(asks: Asks) -> &'static str {
    match asks {
        Asks::Row => "row",
        Asks::Session => "session",
        Asks::Store => "store",
        Asks::Issuer => "issuer",
    }
}

fn place_word(place: Place) -> &'static str {
    match place {
        Place::Guard => "guard",
        Place::Renewal => "renewal",
        Place::Endpoint => "endpoint",
        Place::Client => "client",
    }
}

pub(super) fn triage<'a>(report: &Report<'a>, column: ColumnId) -> TriageOut<'a> {
    let own = || report.guards.decisions.iter().filter(move |decision| decision.column == column);
    TriageOut {
        stateful: own().any(|decision| decision.place.lets_in()),
        decisions: own()
            .map(|decision| {
                let (file, line) = report.place(decision.at);
                DecisionOut { by: place_word(decision.place), function: &decision.function, file, line }
            })
            .collect(),
    }
}

/// The first line of triage, in words.
pub(super) fn triage_words(report: &Report, column: ColumnId) -> String {
    let own = || report.guards.decisions.iter().filter(move |decision| decision.column == column);
    let place = |span: Span| {
        let (file, line) = report.place(span);
        format!("{file}:{line}")
    };
    if let Some(decision) = own().find(|decision| decision.place == Place::Guard) {
        return format!(
            "stateful: {} lets in by it ({}); drift can lock users out",
            decision.function,
            place(decision.at)
        );
    }
    // Renewals stand before other endpoints, these before clients.
    match own().min_by_key(|decision| decision.place) {
        Some(decision) => {
            let (function, at) = (&decision.function, place(decision.at));
            match decision.place {
                Place::Renewal => format!("stateful: {function} renews by it ({at}); drift ends sign-ins early"),
                Place::Client => format!("no guard reads it; {function} calls another service by it ({at})"),
                Place::Guard | Place::Endpoint => format!("no guard reads it; {function} decides by it ({at})"),
            }
        }
        None => "no guard was found that reads it: drift breaks its readers, not the login".to_owned(),
    }
}
