//! `--format gitlab`: the code quality report, <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>.

use std::io::{self, Write};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::contract::{Finding, Level};
use crate::report::Report;
use crate::report::stream::{Each, pretty};

#[derive(Serialize)]
struct Issue<'a> {
    description: &'a str,
    check_name: &'a str,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

/// One issue an open finding: GitLab itself compares with the target branch.
pub(crate) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    pretty(&Each(|| report.open().map(|finding| issue(report, finding))), out)
}

fn issue<'a>(report: &Report, finding: &'a Finding) -> Issue<'a> {
    let (path, begin) = report.in_repository(&finding.at);
    Issue {
        description: &finding.message,
        check_name: finding.check,
        fingerprint: fingerprint(&finding.identity),
        severity: match finding.level {
            Level::Error => "critical",
            Level::Warning => "major",
            Level::Note => "info",
        },
        location: Location { path, lines: Lines { begin } },
    }
}

/// Identities are unique in a report, so these are too: the first half of the SHA-256, in hexadecimal digits.
fn fingerprint(identity: &str) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    Sha256::digest(identity.as_bytes()).iter().take(16).flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_same_on_every_machine_and_differs_between_identities() {
        assert_eq!(fingerprint("abc"), "ba7816bf8f01cfea414140de5dae2223");
        assert_ne!(fingerprint("a"), fingerprint("a#2"));
    }
}
