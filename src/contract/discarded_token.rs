//! A path mints a token, and the write on that path puts the stored value back.

use crate::config::Contract;
use crate::contract::case::{Case, related_mints};
use crate::contract::check::{Check, Run};
use crate::contract::helper::{Helper, Token};
use crate::contract::identity::{place, signature_by};
use crate::contract::practice::{Stance, Write, group};
use crate::contract::wording::list;
use crate::contract::{Anchor, Finding, Level, Precision, Related};
use crate::fix::{Lost, pass_token};
use crate::provenance::Origin;

pub(crate) const CHECK: Check = Check {
    id: "discarded-token",
    summary: "a path mints a fresh token and writes the stored value back",
    level: Level::Warning,
    precision: Precision::High,
    security_severity: None,
    believed: "every step of the path is proven or inferred as marked",
    docs: include_str!("../../docs/checks/discarded-token.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    if case.contract() == Some(Contract::DropWrites) {
        return;
    }
    let writes: Vec<Write<'_>> = case.writes.iter().copied().filter(|write| discards(case, *write)).collect();
    for (function, write, entries) in group(writes.iter().copied(), |write| Helper::of(case, write).function) {
        let helper = Helper::of(case, write);
        let why = match helper.token {
            Token::NoParameter => " and has no parameter for the token",
            Token::NotHandedIn => " and is called without the token",
            Token::AtHand => "",
        };
        let message = format!(
            "{} {} a fresh token for {}, but `{function}` writes the stored value back{why}: the token is never stored",
            list(&entries),
            if entries.len() == 1 { "mints" } else { "mint" },
            case.name,
        );
        let end = place(&case.facts, write.site.span, &write.site.function);
        let through = format!("{}>{end}", place(&case.facts, helper.at, function));
        let way = if function == write.site.function { &end } else { &through };
        let signature = signature_by(&case.facts, &entries, way);
        let semantics = write.path.meaning.semantics();
        let related = related(write, &helper);
        let at = Anchor::Code(write.site.value);
        let same =
            |other: &&Write<'_>| other.site.value == write.site.value && Helper::of(case, **other).function == function;
        let first = lost(case, write);
        let paths: Vec<Lost<'_>> = writes.iter().filter(same).map(|write| lost(case, *write)).collect();
        let fix = pass_token(case.code(), &first, &paths);
        let finding = CHECK.finding(case, at, (&signature, &semantics), message, related);
        findings.push(finding.along(write).mended(fix));
    }
}

/// What handing the token down has to know of a path.
fn lost<'a>(case: &Case<'a>, write: Write<'a>) -> Lost<'a> {
    let helper = Helper::of(case, write);
    let calls = write.path.steps.iter().take_while(|step| step.span != helper.at);
    Lost {
        entry: write.path.entry.span,
        mints: write.path.mints.iter().map(|mint| (mint.span, mint.gives)).collect(),
        calls: calls.map(|step| step.span).collect(),
        at: if helper.at == write.site.value { write.site.span } else { helper.at },
        trail: write.path.trail.iter().map(|hop| hop.span).collect(),
        property: case.property(write.site.model),
    }
}

fn discards(case: &Case<'_>, write: Write<'_>) -> bool {
    let path = write.path;
    if !write.issues() || path.mints.is_empty() {
        return false;
    }
    // `user.token ?? mint()` stores what it mints; only a token off the way of the written value is lost.
    let lost = || path.mints.iter().any(|mint| !path.trail.iter().any(|hop| hop.span == mint.span));
    let takes_stored = match write.stance() {
        Stance::Keeps => true,
        Stance::Fills => lost(),
        _ => false,
    };
    // Saving a whole entity puts every column back, which is harmless where the entry point stores the token besides.
    let stores_besides =
        || case.practices.iter().any(|other| *other.entry == path.entry && other.stance == Stance::Stores);
    // Nor does it tell what the token is for, where no path stores a fresh one.
    let is_stored_fresh = || case.writes.iter().any(|other| other.path.meaning.origins().contains(&Origin::Fresh));
    // What the helper puts back, the entry point stores the token over; or it has stored it before, so that this is the stored one.
    let stores_too = || case.writes.iter().any(|other| other.stance() == Stance::Stores && write.goes_with(*other));
    takes_stored && !stores_too() && (write.names_column() || is_stored_fresh() && !stores_besides())
}

/// The mint, the calls into the helper, the helper, the row it reads.
fn related(write: Write<'_>, helper: &Helper<'_>) -> Vec<Related> {
    let code = |span, message| Related { at: Anchor::Code(span), message };
    let mut related = related_mints(write);
    let into = write.path.steps.iter().take_while(|step| step.span != helper.at);
    related.extend(into.map(|step| code(step.span, format!("`{}` calls on towards the write", step.function))));
    let function = helper.function;
    related.push(match (helper.token, helper.called_at) {
        (Token::NoParameter, Some(call)) => {
            code(call, format!("`{function}` has no parameter for the token: it is called without it"))
        }
        (Token::NotHandedIn, Some(call)) => code(call, format!("`{function}` is called without the token")),
        _ => code(helper.at, format!("`{function}` takes the stored value although a token was minted on this path")),
    });
    if write.path.steps.iter().any(|step| step.span == helper.at) {
        related.push(code(helper.at, format!("`{function}` passes the stored value on")));
    }
    if let Some(row) = write.path.trail.last() {
        related.push(code(row.span, format!("the stored value is read here: {}", row.what)));
    }
    related
}

#[cfg(test)]
mod tests {
    use crate::config::Contract;
    use crate::contract::bench::{Bench, NOWHERE, bench, bench_with, line, path};
    use crate::provenance::{OnPath, Path, Step};
    use crate::source::Span;

    const DISCARDED: &str = "discarded-token";

    fn texts() -> Vec<(u32, &'static str)> {
        vec![
            (40, "return this.tokens.generateRefreshToken(user.id);"),
            (55, "const user = await this.users.findOne(userId);"),
            (60, "updateToken(userId, user.accessToken, refreshToken)"),
        ]
    }

    fn web() -> Path {
        path("web", "preserved")
            .through("AuthV1Service.login", 40)
            .through("Tokens.generateRefreshToken", 60)
            .trail(60, "user.accessToken")
            .trail(55, "the row of users")
    }

    fn related(bench: &Bench) -> Vec<(u32, String)> {
        let finding = bench.findings(DISCARDED).remove(0);
        finding.related.iter().map(|related| (bench.line_of(&related.at), related.message.clone())).collect()
    }

    #[test]
    fn the_mint_the_call_the_helper_and_the_row_explain_the_write() {
        let bench = bench_with(&texts()).update(10, vec![path("mobile", "fresh"), web()]);
        assert_eq!(bench.lines(DISCARDED), [11]);
        let finding = &bench.findings(DISCARDED)[0];
        assert!(finding.message.contains("`POST /web` (web) mints a fresh token for users.access_token"));
        assert!(
            finding.message.contains("`Tokens.generateRefreshToken` writes the stored value back and has no param")
        );
        assert_eq!(
            finding.identity,
            "discarded-token|users.access_token|src/app.ts:web POST /web>src/app.ts:Tokens.generateRefreshToken>src/app.ts:users.update10|preserved"
        );
        let related = related(&bench);
        let lines: Vec<u32> = related.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [100, 40, 40, 60, 55, 60]);
        assert!(related[5].1.starts_with("no fix is offered: "), "{}", related[5].1);
        assert!(related[2].1.contains("has no parameter for the token"), "{}", related[2].1);
    }

    #[test]
    fn an_entry_point_that_stores_the_token_in_the_same_run_discards_none() {
        let lines = |stored: Path| {
            let web = web().under(&[(45, true)]);
            bench_with(&texts())
                .update(10, vec![path("mobile", "fresh"), web])
                .update(20, vec![stored])
                .lines(DISCARDED)
        };
        assert_eq!(lines(path("web", "fresh")), NOWHERE);
        assert_eq!(lines(path("web", "fresh").under(&[(45, true)])), NOWHERE);
        assert_eq!(lines(path("web", "fresh").under(&[(45, false)])), [11]);
        assert_eq!(lines(path("other", "fresh")), [11]);
    }

    #[test]
    fn of_the_services_that_one_call_chooses_from_another_stores_nothing() {
        let lines = |function: &str| {
            let stored = path("web", "fresh").through("AuthV1Service.login", 40).through(function, 61);
            bench_with(&texts())
                .update(10, vec![path("mobile", "fresh"), web()])
                .update(20, vec![stored])
                .lines(DISCARDED)
        };
        assert_eq!(lines("Tokens.generateRefreshToken"), NOWHERE);
        assert_eq!(lines("MobileTokens.generateRefreshToken"), [11]);
    }

    #[test]
    fn a_helper_that_is_handed_the_token_is_not_said_to_lack_the_parameter() {
        let mut texts = texts();
        texts[0].1 = "return this.tokens.generate(user.id, accessToken);";
        let bench = bench_with(&texts).update(10, vec![web()]);
        let finding = &bench.findings(DISCARDED)[0];
        assert!(!finding.message.contains("parameter"), "{}", finding.message);
    }

    #[test]
    fn a_helper_that_the_entry_point_hands_the_token_to_is_not_said_to_lack_the_parameter() {
        let message = |hands_token| {
            let mut web = path("web", "preserved").through("Tokens.generate", 60).trail(60, "user.accessToken");
            web.entered = Some(Step { function: "web".into(), span: line(0, 40), certain: true, hands_token });
            let bench = bench_with(&[(40, "this.tokens.generate(id, made);"), (60, "set(id, user.accessToken)")]);
            bench.update(10, vec![web]).findings(DISCARDED)[0].message.clone()
        };
        assert!(!message(true).contains("parameter"), "{}", message(true));
        assert!(message(false).contains("has no parameter"), "{}", message(false));
    }

    #[test]
    fn the_function_that_takes_the_stored_value_out_of_the_row_is_the_helper() {
        let message = |texts: &[(u32, &'static str)], mints| {
            let mut web = path("web", "preserved").through("Auth.web", 60).trail(60, "user").trail(12, "accessToken");
            let span = |from, to| Span { end: line(0, to).end, ..line(0, from) };
            web.functions = vec![OnPath { span: span(11, 14), mints }, OnPath { span: span(58, 62), mints: true }];
            web.trail.insert(0, crate::provenance::Hop::proven(line(0, 13), "written"));
            let mut all = vec![(60, "return this.touch(user);"), (12, "accessToken")];
            all.extend(texts);
            bench_with(&all).update(13, vec![web]).findings(DISCARDED)[0].message.clone()
        };
        let helper = |texts: &[(u32, &'static str)], mints| {
            message(texts, mints).split_once("but `").expect("a helper").1.to_owned()
        };
        let without = [(11, "touch(user: User) {")];
        let writes = "users.update13` writes the stored value back";
        assert_eq!(
            helper(&without, false),
            format!("{writes} and has no parameter for the token: the token is never stored")
        );
        let with = [(11, "touch(user: User, token = user.accessToken) {")];
        assert_eq!(
            helper(&with, false),
            format!("{writes} and is called without the token: the token is never stored")
        );
        assert_eq!(helper(&with, true), format!("{writes}: the token is never stored"));
    }

    #[test]
    fn all_entry_points_of_one_helper_are_one_finding() {
        let mut other = web();
        other.entry = crate::contract::bench::entry("web2", "POST /web2");
        let bench = bench_with(&texts()).update(10, vec![web(), other]);
        let findings = bench.findings(DISCARDED);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("`POST /web` (web) and `POST /web2` (web2) mint a fresh"));
    }

    #[test]
    fn a_path_that_stores_the_token_or_mints_none_discards_nothing() {
        let bench = bench()
            .update(10, vec![path("a", "fresh"), path("b", "fresh>preserved"), path("c", "null")])
            .update(20, vec![path("touch", "preserved").revokes()]);
        assert_eq!(bench.lines(DISCARDED), NOWHERE);
    }

    #[test]
    fn a_fallback_to_the_minted_token_stores_it_unless_another_was_minted() {
        let fallback = || path("login", "preserved>fresh");
        let stored = bench().update(10, vec![fallback().trail(100, "a signed JWT")]);
        assert_eq!(stored.lines(DISCARDED), NOWHERE);
        let lost = bench().update(10, vec![fallback().trail(101, "random bytes")]);
        assert_eq!(lost.lines(DISCARDED), [11]);
    }

    #[test]
    fn saving_the_whole_entity_beside_a_write_of_the_token_discards_nothing() {
        let both = bench().update(10, vec![path("a", "fresh")]).update(20, vec![path("a", "preserved")]);
        assert_eq!(both.of_whole_entity().lines(DISCARDED), NOWHERE);
        let other = bench().update(10, vec![path("b", "fresh")]).update(20, vec![path("a", "preserved")]);
        assert_eq!(other.of_whole_entity().lines(DISCARDED), [20]);
        // Nothing tells that what is minted is a token of this column.
        let only = bench().update(20, vec![path("a", "preserved")]).of_whole_entity();
        assert_eq!(only.lines(DISCARDED), NOWHERE);
    }

    #[test]
    fn where_writes_are_to_be_dropped_no_token_needs_storing() {
        let bench = bench_with(&texts()).contract(Contract::DropWrites).update(10, vec![web()]);
        assert_eq!(bench.lines(DISCARDED), NOWHERE);
    }
}
