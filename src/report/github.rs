//! `--format github`: workflow commands that GitHub Actions turns into annotations.
//!
//! Escapes: <https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts>. GitHub renders ten a step and level, so the gravest
//! come first.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::contract::{Finding, Level};
use crate::report::Report;

/// One line a finding, then one line that counts.
pub(crate) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for level in [Level::Error, Level::Warning, Level::Note] {
        for finding in report.open().filter(|finding| finding.level == level) {
            annotation(report, finding, out)?;
        }
    }
    writeln!(out, "tokendrift: {}", report.counts())
}

fn annotation(report: &Report, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let command = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "notice",
    };
    let (path, line) = report.in_repository(&finding.at);
    let mut message = finding.message.clone();
    for related in &finding.related {
        let (path, line) = report.in_repository(&related.at);
        _ = write!(message, "\n{path}:{line}: {}", related.message);
    }
    let about = if finding.column.is_empty() { String::new() } else { format!(" ({})", finding.column) };
    let title = property(&format!("{}{about}", finding.check));
    writeln!(out, "::{command} file={},line={line},title={title}::{}", property(&path), data(&message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_command_or_a_property_is_escaped() {
        assert_eq!(data("100 %\r\na:b"), "100 %25%0D%0Aa:b");
        assert_eq!(property("a:b,c\n"), "a%3Ab%2Cc%0A");
    }
}
