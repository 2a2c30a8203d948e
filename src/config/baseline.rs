//! A baseline file -> the identities that somebody accepted.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;

use crate::config::ConfigError;

/// The schema that a baseline file names.
pub const BASELINE_SCHEMA: &str = "tokendrift-baseline/1";

/// Findings that were there before and are to be left alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// See `contract::Finding::identity`.
    pub identities: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    findings: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "what the file holds for its readers")]
struct Entry {
    identity: String,
    check: String,
    column: String,
    file: String,
}

/// A finding takes a few hundred bytes: room for some hundred thousand of them.
const LONGEST: u64 = 64 * 1024 * 1024;

impl Baseline {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Where it is not there, or no baseline: then nothing must pass as accepted.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let read = || {
            let mut bytes = Vec::new();
            // What is longer (a device that never ends) is no baseline, and its cut end does not parse.
            std::fs::File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(|error: std::io::Error| {
            let why = match error.kind() {
                std::io::ErrorKind::NotFound => {
                    "there is no such file; make it with `tokendrift baseline write`".to_owned()
                }
                _ => error.to_string(),
            };
            ConfigError::Unreadable { what: "the baseline", file: path.to_owned(), why }
        })?;
        let invalid = |line: usize, message: String| ConfigError::Invalid {
            file: path.to_owned(),
            line: u32::try_from(line).unwrap_or(u32::MAX).max(1),
            message,
        };
        let file: File = serde_json::from_slice(&bytes).map_err(|error| {
            let said = error.to_string();
            let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
            invalid(error.line(), format!("this is no baseline: {said}; make it anew with `tokendrift baseline write`"))
        })?;
        if file.schema != BASELINE_SCHEMA {
            return Err(invalid(1, format!("this baseline is not of schema `{BASELINE_SCHEMA}`; make it anew")));
        }
        let mut identities = BTreeSet::new();
        for entry in file.findings {
            if let Some(twice) = identities.replace(entry.identity) {
                return Err(invalid(1, format!("`{twice}` stands in this baseline twice; keep one")));
            }
        }
        Ok(Self { identities })
    }
}
