//! What a check reports.

use std::collections::BTreeSet;

use crate::contract::Level;
use crate::contract::practice::Write;
use crate::contract::wording::entry_point;
use crate::fix::{Fix, Held};
use crate::provenance::{EntryPoint, MissingWrite, Step};
use crate::source::Span;

/// How the related place starts that says why there are no edits.
const NO_FIX: &str = "no fix is offered: ";

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

/// A way through the code, and what it leaves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// `` `POST /login` stores the fresh token ``
    pub title: String,
    /// As in [`Finding::flow`].
    pub flow: Vec<Related>,
}

impl Way {
    /// The way to a write.
    pub(crate) fn to(title: String, write: Write<'_>) -> Self {
        Self { title, flow: flow_to(write) }
    }

    /// The way to a mint without a write.
    pub(crate) fn missing(title: String, missing: &MissingWrite) -> Self {
        Self { title, flow: flow_to_mint(missing) }
    }
}

/// What was decided about a finding before this run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Nothing: it counts.
    Open,
    /// The baseline has it.
    Baselined,
    /// A comment above its line puts it aside, for this reason.
    Suppressed { reason: String },
}

impl Standing {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Baselined => "baselined",
            Self::Suppressed { .. } => "suppressed",
        }
    }
}

/// One result of one check. The message holds no live number, so that it stays the same between runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub check: &'static str,
    pub level: Level,
    /// Empty where it is about the tree as a whole.
    pub column: String,
    pub message: String,
    pub at: Anchor,
    /// Check, column, path signature and semantics: never a line number.
    pub identity: String,
    /// The counter-example, the mint, the helper: in the order in which they explain the finding.
    pub related: Vec<Related>,
    /// The code path in the order in which it runs: entry point, calls, the place itself. Empty where no path is the point.
    pub flow: Vec<Related>,
    /// Ways through the code that it rests on besides its own path.
    pub ways: Vec<Way>,
    /// The edits that make it go away, where they are mechanical.
    pub fix: Option<Fix>,
    pub standing: Standing,
}

impl Finding {
    pub fn is_open(&self) -> bool {
        self.standing == Standing::Open
    }

    /// Takes out related places that are named before: branches of one value lead to the same place.
    pub(crate) fn name_each_place_once(&mut self) {
        let mut seen = BTreeSet::new();
        self.related.retain(|related| seen.insert(related.clone()));
    }

    /// Shows how the code gets to this write.
    pub(crate) fn along(mut self, write: Write<'_>) -> Self {
        self.flow = flow_to(write);
        self
    }

    /// Shows these ways besides.
    pub(crate) fn resting_on(self, ways: Vec<Way>) -> Self {
        Self { ways, ..self }
    }

    /// Carries the edits that make it go away, or says why there are none.
    pub(crate) fn mended(mut self, fix: Result<Fix, Held>) -> Self {
        match fix {
            Ok(fix) => self.fix = Some(fix),
            Err(Held { at, why }) => {
                self.related.push(Related { at: Anchor::Code(at), message: format!("{NO_FIX}{why}") });
            }
        }
        self
    }

    /// Why it carries no edits, where some were looked for, and the place that held them back.
    pub fn held(&self) -> Option<(&Anchor, &str)> {
        self.related.iter().find_map(|related| Some((&related.at, related.message.strip_prefix(NO_FIX)?)))
    }

    /// Shows how the code gets to a mint without a write.
    pub(crate) fn along_missing(mut self, missing: &MissingWrite) -> Self {
        self.flow = flow_to_mint(missing);
        self
    }
}

fn flow_to(write: Write<'_>) -> Vec<Related> {
    let end = (write.site.value, format!("`{}` writes here", write.site.function));
    flow(&write.path.entry, write.path.calls(), end)
}

fn flow_to_mint(missing: &MissingWrite) -> Vec<Related> {
    let end = (missing.span, format!("`{}` mints here, and nothing on this path writes", missing.function));
    flow(&missing.entry, missing.steps.iter(), end)
}

fn flow<'s>(entry: &EntryPoint, calls: impl Iterator<Item = &'s Step>, (end, message): (Span, String)) -> Vec<Related> {
    let place = |span, message| Related { at: Anchor::Code(span), message };
    let mut flow = vec![place(entry.span, format!("{} starts here", entry_point(entry)))];
    flow.extend(calls.map(|step| place(step.span, format!("`{}` calls on", step.function))));
    flow.push(place(end, message));
    flow
}
