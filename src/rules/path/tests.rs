use proptest::prelude::*;

use super::*;

fn matches(pattern: &str, path: &str) -> bool {
    CallPattern::parse(pattern).unwrap().matches(path)
}

#[test]
fn a_pattern_without_wildcards_matches_itself_alone() {
    for path in [
        "argon2#hash",
        "@nestjs/jwt#JwtService.signAsync",
        "crypto#createHash().update().digest",
        "global#Math.random",
        "express#default()",
        "#lib/jwt#sign",
    ] {
        assert!(matches(path, path), "{path}");
        assert!(!matches(path, &format!("{path}.more")), "{path}");
        assert!(!matches(path, &format!("x{path}")), "{path}");
    }
    assert!(!matches("express#Router", "express#Router()"));
}

#[test]
fn a_path_of_many_steps_is_matched_to_its_end() {
    let many = |last: &str| format!("zod#z.{}{last}", "object().".repeat(30));
    assert!(matches(".parse", &many("parse")));
    assert!(matches("zod#**.parse", &many("parse")));
    assert!(!matches("zod#**.parse", &many("sparse")));
    assert!(!matches("zod#**.parse", &many("parse().then")));
}

#[test]
fn node_and_default_make_no_difference() {
    assert!(matches("crypto#randomBytes", "node:crypto#default.randomBytes"));
    assert!(matches("node:crypto#default.randomBytes", "crypto#randomBytes"));
    assert!(!matches("nanoid#default", "nanoid#nanoid"));
}

#[test]
fn one_star_stays_in_a_step_and_two_cross_them() {
    assert!(matches("jose#SignJWT*.**.sign", "jose#SignJWT().setIssuedAt().setExpirationTime().sign"));
    assert!(matches("jose#SignJWT*.**.sign", "jose#SignJWT.sign"));
    assert!(!matches("jose#SignJWT*.*.sign", "jose#SignJWT().a().b().sign"));
    assert!(matches("fp-ts/**#right", "fp-ts/lib/Either#right"));
    assert!(!matches("fp-ts/*#right", "fp-ts/lib/Either#right"));
    assert!(matches("@aws-sdk/client-*#*Client.send", "@aws-sdk/client-kms#KMSClient.send"));
}

#[test]
fn a_leading_dot_matches_the_tail_on_any_receiver() {
    for path in ["?.user.update", "?.update", "@prisma/client#PrismaClient.user.update", "global#db().update"] {
        assert!(matches(".update", path), "{path}");
    }
    assert!(matches(".createQueryBuilder().**.set", "?.createQueryBuilder().update().set"));
    assert!(!matches(".update", "?.update()"));
    assert!(!matches(".update", "?.updateMany"));
    assert!(!matches(".update().set", "?.set"));
}

#[test]
fn a_question_mark_matches_unknown_receivers_alone() {
    assert!(matches("?.update", "?.update"));
    assert!(!matches("?.update", "typeorm#Repository.update"));
    assert!(!matches("typeorm#Repository.update", "?.update"));
}

#[test]
fn the_last_name_is_known_unless_it_has_a_wildcard() {
    let last = |text: &str| CallPattern::parse(text).unwrap().last().map(str::to_owned);
    assert_eq!(last("a#B.c"), Some("c".into()));
    assert_eq!(last("express#Router()"), Some("Router".into()));
    assert_eq!(last("a#b*"), None);
    assert_eq!(last(".**"), None);
}

#[test]
fn what_is_no_path_is_refused_with_what_to_write() {
    for text in ["", "update", ".", "a#", "a#b..c", "a#b c", "a#b(x)", "?"] {
        assert!(CallPattern::parse(text).is_err(), "{text}");
    }
    for text in ["", "data", "0data", "0.", "-0", "1...", "x..", "0.a b"] {
        assert!(ArgPath::parse(text).is_err(), "{text}");
    }
    let error = CallPattern::parse("update").unwrap_err().to_string();
    assert!(error.contains("`.method`"), "{error}");
}

#[test]
fn argument_paths_have_a_base_and_keys() {
    let path = |base, keys: &[&str]| ArgPath { base, keys: keys.iter().map(|key| (*key).to_owned()).collect() };
    let cases = [
        ("0.data", path(ArgBase::Nth(0), &["data"])),
        ("last", path(ArgBase::FromEnd(1), &[])),
        ("-2", path(ArgBase::FromEnd(2), &[])),
        ("receiver", path(ArgBase::Receiver, &[])),
        ("0.*", path(ArgBase::Nth(0), &["*"])),
        ("1..", path(ArgBase::From(1), &[])),
        ("*", path(ArgBase::Any, &[])),
        ("1...values.*", path(ArgBase::From(1), &["values", "*"])),
    ];
    for (text, expected) in cases {
        assert_eq!(ArgPath::parse(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_handed_over_is_an_argument_or_a_type_or_not_known() {
    let handed = |text: &str| Handed::try_from(text.to_owned());
    assert_eq!(handed("?"), Ok(Handed::Unknown));
    assert_eq!(handed("result"), Ok(Handed::Result));
    assert_eq!(handed("typeorm#Repository<$0>"), Ok(Handed::Type("typeorm#Repository<$0>".into())));
    assert!(matches!(handed("receiver"), Ok(Handed::Argument(_))));
    assert!(handed("typeorm#Repository<$0").is_err());
    assert!(handed(&"a#b<".repeat(100_000)).is_err());
}

/// What the matcher means, without its shortcuts.
fn fits(pattern: &[&str], steps: &[&str]) -> bool {
    match (pattern.split_first(), steps.split_first()) {
        (None, None) => true,
        (Some((&"**", more)), _) => fits(more, steps) || steps.split_first().is_some_and(|(_, s)| fits(pattern, s)),
        (Some((want, more)), Some((step, behind))) => fits_text(want, step) && fits(more, behind),
        _ => false,
    }
}

fn fits_text(pattern: &str, text: &str) -> bool {
    match (pattern.chars().next(), text.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => {
            fits_text(&pattern[1..], text) || text.chars().next().is_some_and(|_| fits_text(pattern, &text[1..]))
        }
        (Some(a), Some(b)) if a == b => fits_text(&pattern[1..], &text[1..]),
        _ => false,
    }
}

proptest! {
    #[test]
    fn steps_match_as_their_definition_says(
        pattern in prop::collection::vec("(\\*\\*|[ab*]{1,3})", 1..5),
        steps in prop::collection::vec("[ab]{1,3}", 1..6),
    ) {
        // `***` in one step is neither one nor the other; it means `*`.
        let pattern: Vec<&str> = pattern.iter().map(|p| if p == "***" { "*" } else { p.as_str() }).collect();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let text = format!("m#{}", pattern.join("."));
        let path = format!("m#{}", steps.join("."));
        prop_assert_eq!(matches(&text, &path), fits(&pattern, &steps), "{} {}", text, path);
        let any: Vec<&str> = std::iter::once("**").chain(pattern.iter().copied()).collect();
        let text = format!(".{}", pattern.join("."));
        prop_assert_eq!(matches(&text, &path), fits(&any, &steps), "{} {}", text, path);
    }

    #[test]
    fn no_text_panics(text in "(\\PC{0,20}|[?.#*a-c()@/é0-2]{0,12})", path in "(\\PC{0,20}|[?.#a-c()@/é]{0,12})") {
        if let Ok(pattern) = CallPattern::parse(&text) {
            pattern.matches(&path);
            prop_assert!(text.contains('*') || text.starts_with('.') || pattern.matches(&text), "{}", text);
        }
        if let Ok(path) = ArgPath::parse(&text) {
            prop_assert_eq!(ArgPath::parse(&path.to_string()), Ok(path));
        }
    }
}
