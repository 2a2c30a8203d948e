//! `--format markdown`: a comment on a pull request.
//!
//! It starts with a mark by which a script finds the comment to replace. A forge refuses a comment of more than 65,536 characters, so
//! findings that no longer fit are counted.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::contract::{Finding, Level};
use crate::probe::Outcome;
use crate::report::{Report, column_name, count, figures};

/// Characters, with room for the last line.
const LONGEST: usize = 60_000;
/// Related places of one finding.
const RELATED: usize = 20;

pub(crate) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut used = 0;
    let mut put = |text: &str, out: &mut dyn Write| {
        used += text.chars().count();
        (used <= LONGEST).then(|| out.write_all(text.as_bytes()))
    };
    let columns = report.columns().map(|view| column_name(view.tracked)).map(|name| code(&name)).collect::<Vec<_>>();
    let columns = if columns.len() > 5 { count(columns.len(), "column", "columns") } else { columns.join(", ") };
    let head = format!("<!-- tokendrift -->\n### tokendrift: {}\n\nAudited: {columns}.\n", report.counts());
    put(&head, out).transpose()?;
    put(&live(report), out).transpose()?;
    let mut left_out = 0;
    for level in [Level::Error, Level::Warning, Level::Note] {
        for finding in report.open().filter(|finding| finding.level == level) {
            match put(&item(report, finding), out) {
                Some(written) => written?,
                None => left_out += 1,
            }
        }
    }
    if left_out > 0 {
        writeln!(out, "\n{} in this comment no more; `--format json` lists all.", fits(left_out))?;
    }
    if !report.gaps.is_empty() {
        let places = count(report.gaps.len(), "place", "places");
        writeln!(out, "\n{places} could not be followed or read; `--format json` lists all.")?;
    }
    Ok(())
}

/// What moved since earlier counts, where a record of them was given: live numbers go into a comment only then.
fn live(report: &Report) -> String {
    let columns = report.columns().filter_map(|view| match view.probe().map(|probe| &probe.outcome) {
        Some(Outcome::Counted(counts)) => Some((view.tracked, figures::changes(counts))),
        _ => None,
    });
    let items: Vec<String> = columns
        .flat_map(|(tracked, changes)| {
            let name = code(&column_name(tracked));
            changes.into_iter().map(move |change| format!("- {name} {}\n", prose(&change)))
        })
        .collect();
    if items.is_empty() {
        String::new()
    } else {
        format!("\nIn the database, against earlier counts:\n\n{}", items.concat())
    }
}

fn fits(number: usize) -> String {
    format!("{} {}", count(number, "finding", "findings"), if number == 1 { "fits" } else { "fit" })
}

fn item(report: &Report, finding: &Finding) -> String {
    let (path, line) = report.in_repository(&finding.at);
    let place = code(&format!("{path}:{line}"));
    let mut text =
        format!("\n- **{}** {} {place}\n  {}\n", finding.level.word(), code(finding.check), prose(&finding.message));
    if finding.related.is_empty() {
        return text;
    }
    text.push_str("  <details><summary>related places</summary>\n\n");
    for related in finding.related.iter().take(RELATED) {
        let (path, line) = report.in_repository(&related.at);
        _ = writeln!(text, "  - {}: {}", code(&format!("{path}:{line}")), prose(&related.message));
    }
    if let Some(more) = finding.related.len().checked_sub(RELATED).filter(|more| *more > 0) {
        _ = writeln!(text, "  - and {more} more");
    }
    text.push_str("  </details>\n");
    text
}

/// A code span, whatever the text.
fn code(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// A message: what stands in backticks stays code, the rest is plain text that formats, mentions and embeds nothing.
fn prose(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let pairs = message.matches('`').count() / 2 * 2;
    for (at, part) in message.replace(['\n', '\r'], " ").split('`').enumerate() {
        if at > 0 {
            out.push_str(if at <= pairs { "`" } else { "\\`" });
        }
        if at % 2 == 1 && at < pairs {
            out.push_str(part);
            continue;
        }
        for c in part.chars() {
            match c {
                '<' => out.push_str("&lt;"),
                '@' => out.push_str("&#64;"),
                '\\' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '!' => out.extend(['\\', c]),
                c => out.push(c),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_stays_code_and_nothing_else_formats_or_mentions() {
        assert_eq!(prose("`a_b` of users.access_token"), "`a_b` of users.access\\_token");
        assert_eq!(prose("ask @team <img> [x](y) *now*"), "ask &#64;team &lt;img> \\[x\\](y) \\*now\\*");
        assert_eq!(prose("one ` alone_"), "one \\` alone\\_");
        assert_eq!(code("a`b"), "`` a`b ``");
    }
}
