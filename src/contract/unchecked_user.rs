//! A guard lets in by the signature alone.

use crate::contract::check::{Check, Run};
use crate::contract::identity::place;
use crate::contract::{Anchor, Facts, Finding, Level, Precision, Related, Way};
use crate::guards::{Exposure, Guard, Open, ShortBy, Verdict};

pub(crate) const CHECK: Check = Check {
    id: "unchecked-user",
    summary: "a guard accepts a verified token without a look at the user, a session or a list of what was revoked",
    level: Level::Warning,
    precision: Precision::Medium,
    security_severity: Some("5.4"),
    believed: "proven: every call that is handed the claims or the token was followed to its end, or belongs to a library that asks nobody; one that could not be followed would have made this no finding",
    docs: include_str!("../../docs/checks/unchecked-user.md"),
    run: Run::Tree(run),
};

fn run(facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    for guard in facts.guards.guards.iter().filter(|guard| guard.verdict == Verdict::Unchecked) {
        // Whoever declared its identity provider trusts it with the life of its users.
        if guard.foreign && facts.config.identity_provider.is_some() {
            continue;
        }
        findings.push(finding(facts, guard));
    }
}

fn finding(facts: &Facts<'_>, guard: &Guard) -> Finding {
    let limit = facts.config.max_token_life;
    let within = |seconds: u64| limit.is_some_and(|limit| seconds <= limit);
    let is_short = |exposure: &Exposure| exposure.open.is_none() && within(exposure.seconds);
    let short_lived = guard.exposure.as_ref().is_some_and(is_short);
    let open = guard.exposure.as_ref().and_then(|exposure| exposure.open);
    let exposure = match &guard.exposure {
        _ if guard.expired.is_some() => "until the key changes: tokens that have ended get in too".to_owned(),
        Some(Exposure { open: Some(Open { endless: true, .. }), .. }) => {
            "until the key changes: tokens without `exp` are signed too".to_owned()
        }
        Some(exposure) if exposure.open.is_some() => {
            format!("for {} at the least: how long others of the tokens live the code does not tell", exposure.words())
        }
        Some(exposure) if exposure.exact => format!("for up to {}", exposure.words()),
        Some(exposure) => format!("for up to {} (the longest life that this tree signs)", exposure.words()),
        None => "for as long as the token lives, which the code does not tell".to_owned(),
    };
    let bound = if short_lived { ", within `max-token-life`" } else { "" };
    let name = if guard.name == guard.what { guard.name.clone() } else { format!("{} ({})", guard.name, guard.what) };
    // Who is found may be refused for being inactive.
    let is_refused = guard.short.iter().any(|short| short.why == ShortBy::Missed);
    let gone = if is_refused { "deleted" } else { "deleted or deactivated" };
    let mut message = format!(
        "{name} accepts a verified token and asks nobody whether its user still exists: a {gone} user gets in {exposure}{bound}"
    );
    match guard.short.first().map(|short| short.why) {
        Some(ShortBy::FirstLogin) => message.push_str("; it looks the user up at the sign-in only"),
        Some(ShortBy::Unused) => message.push_str("; nothing depends on what its look-up finds"),
        Some(ShortBy::Missed) => {
            message.push_str("; what its look-up finds may be refused, and nothing is where it finds nobody");
        }
        Some(ShortBy::Kept) => message.push_str("; what it looks up may be answered by a cache without an end"),
        Some(ShortBy::Added) => message.push_str("; what its look-up finds is only added to what lets in anyway"),
        Some(ShortBy::Blanked) => message.push_str("; where its look-up finds nobody a name is left empty"),
        Some(ShortBy::Another) => message.push_str("; what it looks up is about something else"),
        Some(ShortBy::ForSome) => message.push_str("; it looks the user up for some bearers or requests only"),
        Some(ShortBy::Pending) => message.push_str("; nobody waits for what it looks up"),
        Some(ShortBy::GoesOn) => message.push_str("; where its look-up finds nobody the request goes on"),
        None => {}
    }
    // Endpoints that verify by the same function may ask themselves.
    let other = |verdict| {
        let others = facts.guards.guards.iter().filter(|other| other.span == guard.span && other.verdict == verdict);
        others.map(|other| other.routes.len()).sum::<usize>()
    };
    let (asking, here) = (other(Verdict::Checked), guard.routes.len());
    if asking > 0 {
        let of = asking + here + other(Verdict::Unclear);
        let among = format!("; so on {here} of the {of} routes that reach it: {asking} ask by themselves");
        message.push_str(&among);
    }
    if guard.foreign {
        message.push_str("; the keys are the issuer's: name it as `identity-provider` if it is trusted with this");
    }
    let mut related: Vec<Related> = Vec::new();
    related.extend(
        guard.verification.map(|span| Related { at: Anchor::Code(span), message: "the token is verified here".into() }),
    );
    related.extend(guard.short.iter().map(|short| Related {
        at: Anchor::Code(short.span),
        message: match short.why {
            ShortBy::FirstLogin => format!("reads {}, at the sign-in only", short.what),
            ShortBy::Unused => format!("reads {}, and nothing depends on it", short.what),
            ShortBy::Missed => format!("reads {}, and refuses nobody where there is none", short.what),
            ShortBy::Kept => format!("asks {}, where a cache without an end may answer", short.what),
            ShortBy::Added => format!("reads {}, and adds it to what lets in anyway", short.what),
            ShortBy::Blanked => format!("reads {}, and leaves a name empty where there is none", short.what),
            ShortBy::Another => format!("asks {}, which does not tell whether the user may come in", short.what),
            ShortBy::ForSome => format!("reads {} for certain bearers or requests only", short.what),
            ShortBy::Pending => format!("reads {}, and does not wait for it", short.what),
            ShortBy::GoesOn => format!("reads {}, and goes on where nobody is found", short.what),
        },
    }));
    let life = guard.exposure.as_ref().and_then(|exposure| exposure.at);
    related.extend(life.map(|span| Related { at: Anchor::Code(span), message: "the life of the tokens".into() }));
    related.extend(open.filter(|open| life != Some(open.at)).map(|open| {
        let message = if guard.expired.is_some() {
            "tokens that have ended get in here"
        } else if open.endless {
            "a token without an end"
        } else {
            "a token whose life is not told"
        };
        Related { at: Anchor::Code(open.at), message: message.into() }
    }));
    let level = if short_lived || guard.foreign { Level::Note } else { Level::Warning };
    let signature = place(facts, guard.span, &guard.name);
    CHECK.tree_finding(Anchor::Code(guard.span), level, &signature, message, related).resting_on(vec![way(guard)])
}

/// How a request with a token gets in.
fn way(guard: &Guard) -> Way {
    let lets_in = match guard.routes.as_slice() {
        [] => "lets the request in".to_owned(),
        [route] => format!("lets `{route}` in"),
        [route, rest @ ..] => format!("lets `{route}` and {} more in", rest.len()),
    };
    let place = |span, message| Related { at: Anchor::Code(span), message };
    let mut flow = Vec::new();
    flow.extend(
        guard.verification.map(|span| place(span, "the request's token gets to what verifies it (proven)".to_owned())),
    );
    let handed = if guard.verification.is_some() {
        "has the claims"
    } else {
        "is handed the claims by the library that verifies"
    };
    flow.push(place(guard.span, format!("`{}` {handed}, asks nobody about them and {lets_in} (proven)", guard.name)));
    Way { title: "A request with a token that was signed before its user went gets in".to_owned(), flow }
}
