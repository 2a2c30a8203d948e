//! What a check reports.

use crate::source::Span;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    Note,
    Warning,
    Error,
}

impl Level {
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Where a finding or a related place is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anchor {
    Code(Span),
    /// A line of the configuration file (1-based).
    Config {
        line: u32,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Related {
    pub at: Anchor,
    pub message: String,
}

/// One result of one check. The message holds no live number, so that it stays the same between runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub check: &'static str,
    pub level: Level,
    pub column: String,
    pub message: String,
    pub at: Anchor,
    /// Check, column, path signature and semantics: never a line number.
    pub identity: String,
    /// The counter-example, the mint, the helper: in the order in which they explain the finding.
    pub related: Vec<Related>,
}
