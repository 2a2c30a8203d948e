//! Comments that put findings aside, and those among them that are no good.
//!
//! `// tokendrift-ignore-next-line CHECK[,CHECK] -- reason [until=YYYY-MM-DD]`, also after `#` and `--`, is about the next line that is no
//! such comment. Only a comment with a reason, whose day has not passed, puts anything aside.

use std::collections::BTreeSet;

use crate::contract::check::{CHECKS, Check, Run};
use crate::contract::day::Day;
use crate::contract::identity;
use crate::contract::{Anchor, Facts, Finding, Level, Precision, Standing};
use crate::source::Span;

pub(crate) const CHECK: Check = Check {
    id: "suppression",
    summary: "a comment that puts findings aside has no reason, names no check, has expired, or puts nothing aside",
    level: Level::Warning,
    precision: Precision::VeryHigh,
    security_severity: None,
    believed: "proven: it is what the comment says",
    docs: include_str!("../../docs/checks/suppression.md"),
    run: Run::Comments,
};

const MARK: &str = "tokendrift-ignore-next-line";

/// One such comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    pub at: Anchor,
    /// As written.
    pub checks: Vec<String>,
    pub reason: String,
    pub until: Option<Day>,
    /// How many findings it puts aside.
    pub used: usize,
    /// What is wrong with it.
    pub faults: Vec<String>,
}

/// What a comment says.
#[derive(Debug, PartialEq, Eq)]
struct Written {
    /// 1-based; also of the line that it is about.
    line: u32,
    about: u32,
    checks: Vec<String>,
    reason: String,
    until: Option<Result<Day, String>>,
}

/// Marks what comments put aside, and adds a finding for each comment that is no good.
pub(crate) fn apply(facts: &Facts<'_>, findings: &mut Vec<Finding>) -> Vec<Suppression> {
    let mut all = Vec::new();
    for file in facts.sources.mentions(&[MARK]).into_iter().flatten() {
        let source = facts.sources.get(file);
        let place = |line: u32| {
            let offset = |line: u32| {
                let before = source.text.split_inclusive('\n').take(line as usize - 1).map(str::len).sum::<usize>();
                u32::try_from(before).unwrap_or(u32::MAX)
            };
            let text = source.line_text(line);
            let indent = u32::try_from(text.len() - text.trim_start().len()).unwrap_or(0);
            let end = u32::try_from(text.trim_end().len()).unwrap_or(0);
            Anchor::Code(Span { file, start: offset(line) + indent, end: offset(line) + end })
        };
        let is_there = |at: &Anchor, line: u32| matches!(at, Anchor::Code(span) if span.file == file && source.line(span.start) == line);
        all.extend(written(&source.text).into_iter().map(|it| held(facts, findings, it, &place, &is_there)));
    }
    let place = |line| Anchor::Config { line };
    let is_there = |at: &Anchor, line: u32| *at == Anchor::Config { line };
    all.extend(written(&facts.config.text).into_iter().map(|it| held(facts, findings, it, &place, &is_there)));
    let within = |at: &Anchor| match at {
        Anchor::Code(span) => format!("{} ", identity::place(facts, *span, "")),
        Anchor::Config { .. } => String::new(),
    };
    for comment in &all {
        let checks = comment.checks.join(",");
        findings.extend(comment.faults.iter().map(|fault| Finding {
            check: CHECK.id,
            level: CHECK.level,
            column: String::new(),
            message: fault.clone(),
            at: comment.at.clone(),
            identity: format!(
                "{}||{}{checks}|{}",
                CHECK.id,
                within(&comment.at),
                fault.split(':').next().unwrap_or("")
            ),
            related: Vec::new(),
            flow: Vec::new(),
            ways: Vec::new(),
            fix: None,
            standing: Standing::Open,
        }));
    }
    all
}

fn held(
    facts: &Facts<'_>,
    findings: &mut [Finding],
    written: Written,
    place: &dyn Fn(u32) -> Anchor,
    is_there: &dyn Fn(&Anchor, u32) -> bool,
) -> Suppression {
    let Written { line, about, checks, reason, until } = written;
    let mut faults = Vec::new();
    if checks.is_empty() {
        faults.push(
            "this suppression names no check: write it as `tokendrift-ignore-next-line CHECK -- reason`".to_owned(),
        );
    }
    if reason.is_empty() {
        faults.push(
            "this suppression gives no reason: add it behind ` -- `; until then it puts nothing aside".to_owned(),
        );
    }
    let until = match until {
        Some(Err(word)) => {
            faults.push(format!("this suppression's day is none: `until={word}` is not of the form until=2027-01-31"));
            None
        }
        Some(Ok(day)) => {
            if day < facts.today {
                faults.push(format!("this suppression has expired: it was to hold until {day}"));
            }
            Some(day)
        }
        None => None,
    };
    let holds = faults.is_empty();
    let mut used = 0;
    let known: Vec<&str> = CHECKS.iter().map(|check| check.id).collect();
    for id in &checks {
        if !known.contains(&id.as_str()) {
            let meant =
                crate::config::closest(id, &known).map_or_else(String::new, |id| format!("; did you mean `{id}`?"));
            faults.push(format!("this suppression names an unknown check: there is no `{id}`{meant}"));
        } else if holds {
            let mut here = 0;
            for finding in findings.iter_mut().filter(|finding| finding.check == *id && is_there(&finding.at, about)) {
                finding.standing = Standing::Suppressed { reason: reason.clone() };
                here += 1;
            }
            if here == 0 && is_judged(facts, id, &place(line)) {
                faults.push(format!(
                    "this suppression puts nothing aside: there is no `{id}` on the next line; remove it"
                ));
            }
            used += here;
        }
    }
    Suppression { at: place(line), checks, reason, until, used, faults }
}

/// Whether this run could find what `check` finds: not all columns may be audited, and not every run asks a database.
fn is_judged(facts: &Facts<'_>, check: &str, at: &Anchor) -> bool {
    let is_live = CHECKS.iter().any(|known| known.id == check && known.is_live(at));
    !facts.config.narrowed && (!is_live || !facts.probes.is_empty())
}

/// The comments of a text, in order.
fn written(text: &str) -> Vec<Written> {
    let lines: Vec<Option<&str>> = text.lines().map(comment).collect();
    let number = |at: usize| u32::try_from(at + 1).unwrap_or(u32::MAX);
    let mut all = Vec::new();
    for (at, said) in lines.iter().enumerate().filter_map(|(at, said)| Some((at, (*said)?))) {
        let next = at + lines[at..].iter().take_while(|line| line.is_some()).count();
        let (checks, reason) =
            match said.strip_prefix("-- ").map(|reason| ("", reason)).or_else(|| said.split_once(" -- ")) {
                Some((checks, reason)) => (checks, reason),
                None => (said.trim_end_matches("--"), ""),
            };
        let checks: BTreeSet<&str> = checks.split([',', ' ']).map(str::trim).filter(|id| !id.is_empty()).collect();
        let checks = checks.into_iter().map(str::to_owned).collect();
        let day = reason.split_whitespace().find_map(|word| {
            word.trim_start_matches('[').strip_prefix("until=").map(|day| (word, day.trim_end_matches([']', '.', ','])))
        });
        let reason = reason.split_whitespace().filter(|word| day.is_none_or(|(whole, _)| whole != *word));
        all.push(Written {
            line: number(at),
            about: number(next),
            checks,
            reason: reason.collect::<Vec<_>>().join(" "),
            until: day.map(|(_, day)| Day::parse(day).ok_or_else(|| day.to_owned())),
        });
    }
    all
}

/// What stands behind the mark, where the line is such a comment.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let inside = ["//", "#", "--"].iter().find_map(|style| line.strip_prefix(style))?;
    let said = inside.trim_start().strip_prefix(MARK)?;
    (said.is_empty() || said.starts_with(char::is_whitespace)).then(|| said.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::bench::{Bench, NOWHERE, bench_with, path};

    fn drifting(comment: &'static str) -> Bench {
        bench_with(&[(10, comment)]).update(10, vec![path("a", "fresh"), path("b", "preserved")])
    }

    fn standings(bench: &Bench, check: &str) -> Vec<Standing> {
        bench.findings(check).into_iter().map(|finding| finding.standing).collect()
    }

    fn faults(bench: &Bench) -> Vec<String> {
        bench.findings("suppression").into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_comment_with_a_reason_puts_aside_what_stands_below_it() {
        let bench = drifting("// tokendrift-ignore-next-line path-drift -- web goes until=2999-01-31");
        let aside = Standing::Suppressed { reason: "web goes".into() };
        assert_eq!(standings(&bench, "path-drift"), [aside]);
        assert_eq!(standings(&bench, "discarded-token"), [Standing::Open]);
        assert_eq!(faults(&bench), NO_FAULTS);
        let listed = bench.judge().suppressions;
        assert_eq!((listed.len(), listed[0].used), (1, 1));
        assert_eq!(listed[0].until.map(|day| day.to_string()).as_deref(), Some("2999-01-31"));
    }

    const NO_FAULTS: [&str; 0] = [];

    #[test]
    fn several_checks_and_several_styles_are_read() {
        for comment in [
            "  # tokendrift-ignore-next-line path-drift,discarded-token -- known",
            "--tokendrift-ignore-next-line path-drift, discarded-token -- known",
        ] {
            let bench = drifting(comment);
            assert!(!standings(&bench, "path-drift").contains(&Standing::Open), "{comment}");
            assert!(!standings(&bench, "discarded-token").contains(&Standing::Open), "{comment}");
            assert_eq!(faults(&bench), NO_FAULTS);
        }
    }

    #[test]
    fn one_comment_below_another_is_about_the_same_line() {
        let two = [
            (9, "// tokendrift-ignore-next-line discarded-token -- known"),
            (10, "// tokendrift-ignore-next-line path-drift -- known"),
        ];
        let bench = bench_with(&two).update(10, vec![path("a", "fresh"), path("b", "preserved")]);
        assert_eq!(faults(&bench), NO_FAULTS);
        assert!(!standings(&bench, "discarded-token").contains(&Standing::Open));
    }

    #[test]
    fn without_a_reason_past_its_day_or_misspelt_it_puts_nothing_aside_and_is_a_finding() {
        for (comment, word) in [
            ("// tokendrift-ignore-next-line path-drift", "gives no reason"),
            ("// tokendrift-ignore-next-line path-drift -- known until=2001-01-01", "has expired"),
            ("// tokendrift-ignore-next-line path-drift -- known until=2027-02-30", "day is none"),
            ("// tokendrift-ignore-next-line path-drfit -- known", "did you mean `path-drift`?"),
            ("// tokendrift-ignore-next-line -- known", "names no check"),
        ] {
            let bench = drifting(comment);
            assert_eq!(standings(&bench, "path-drift"), [Standing::Open], "{comment}");
            let faults = faults(&bench);
            assert!(faults.len() == 1 && faults[0].contains(word), "{comment}: {faults:?}");
            assert_eq!(bench.lines("suppression"), [10], "{comment}");
        }
    }

    #[test]
    fn one_that_puts_nothing_aside_is_a_finding_where_all_columns_and_the_database_were_asked() {
        let mut bench = drifting("// tokendrift-ignore-next-line form-drift -- known");
        assert!(faults(&bench)[0].contains("puts nothing aside"), "{:?}", faults(&bench));
        bench.config.narrowed = true;
        assert_eq!(bench.lines("suppression"), NOWHERE);
        let offline = drifting("// tokendrift-ignore-next-line live-incomplete -- known");
        assert_eq!(offline.lines("suppression"), NOWHERE);
        let mut offline = drifting("");
        offline.config.text = "# tokendrift-ignore-next-line null-ratio,form-drift -- known\n[[column]]\n".into();
        assert_eq!(offline.lines("suppression"), NOWHERE);
    }

    #[test]
    fn the_configuration_can_have_them_too() {
        let mut bench = drifting("");
        bench.config.text = "\n# tokendrift-ignore-next-line contract-undeclared -- being decided\n[[column]]\n".into();
        assert_eq!(standings(&bench, "contract-undeclared").len(), 1);
        assert!(!standings(&bench, "contract-undeclared").contains(&Standing::Open));
    }

    #[test]
    fn text_that_is_no_comment_is_none() {
        assert_eq!(comment("const a = '// tokendrift-ignore-next-line x -- y'"), None);
        assert_eq!(comment("// tokendrift-ignore-next-lines x -- y"), None);
        assert_eq!(comment("// see tokendrift-ignore-next-line"), None);
    }
}
