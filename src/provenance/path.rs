//! The result of tracing: write sites, the paths to them, and what each path writes.

use std::collections::BTreeSet;

use crate::rules::{Form, Gives, Operation};
use crate::schema::{ColumnId, ModelId};
use crate::source::{Gap, Scope, Span};

/// What a written value can be; `shared` words with the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    Fresh,
    Preserved,
    Null,
    Supplied,
    Generated,
    Omitted,
    Unknown,
}

impl Origin {
    pub fn word(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Preserved => "preserved",
            Self::Null => "null",
            Self::Supplied => "supplied",
            Self::Generated => "generated",
            Self::Omitted => "omitted",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether every step to a result was resolved, or one was taken by a name or a heuristic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    Proven,
    Inferred,
}

impl Confidence {
    pub fn word(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Inferred => "inferred",
        }
    }
}

/// All that is known of one tracked column's writes.
#[derive(Clone, Debug)]
pub struct ColumnTrace {
    pub column: ColumnId,
    /// Sorted by file and position.
    pub sites: Vec<WriteSite>,
    pub missing: Vec<MissingWrite>,
    pub reads: Vec<ReadSite>,
    /// What on the way to the column could not be told.
    pub gaps: Vec<Gap>,
}

#[derive(Clone, Debug)]
pub struct WriteSite {
    /// The writing call or statement.
    pub span: Span,
    /// With what its chain goes on with, which may say of which rows, and what that is handed: `.set(..)` of
    /// `db.update(users).set(..).where(isHis)`.
    pub statement: Vec<Span>,
    /// Where the column's key or value stands; `span` where the column is absent.
    pub value: Span,
    pub model: ModelId,
    pub operation: Operation,
    pub scope: Scope,
    /// `UsersService.updateToken`
    pub function: String,
    /// Whether a library writes by itself; then it reads by itself too.
    pub by_library: bool,
    pub paths: Vec<Path>,
}

impl WriteSite {
    /// The union over the paths.
    pub fn origins(&self) -> BTreeSet<Origin> {
        self.paths.iter().flat_map(|path| path.meaning.origins()).collect()
    }

    /// The label of the union of the paths' chains; `unknown` for a site without paths.
    pub fn semantics(&self) -> String {
        let chains = self.paths.iter().flat_map(|path| path.meaning.chains.iter().cloned()).collect();
        let label = Meaning { chains }.semantics();
        if label.is_empty() { Origin::Unknown.word().to_owned() } else { label }
    }

    /// The weakest over the paths.
    pub fn confidence(&self) -> Confidence {
        self.paths.iter().map(|path| path.confidence).max().unwrap_or(Confidence::Proven)
    }

    /// The form all paths agree on, else unknown.
    pub fn form(&self) -> Form {
        let forms: BTreeSet<Form> = self.paths.iter().filter_map(|path| path.form).collect();
        match (forms.len(), forms.first()) {
            (0, _) => Form::Plain,
            (1, Some(form)) => *form,
            _ => Form::Unknown,
        }
    }
}

/// One way from an entry point to a write, and what it writes there.
#[derive(Clone, Debug)]
pub struct Path {
    pub entry: EntryPoint,
    /// The call in the entry point itself that leads on; `None` where it writes itself.
    pub entered: Option<Step>,
    /// The functions between the entry point and the function of the site, with the call that goes on.
    pub steps: Vec<Step>,
    /// Whether the path mints or receives a token of this column.
    pub issues: bool,
    /// Whether every run of it adds a row, as sign-ins add sessions: the table is none of users, and no row was looked for before.
    pub adds_row: bool,
    /// Of each of the ways that it stands for, the conditions under which alone it writes, though a token is issued where they fail.
    pub only_if: BTreeSet<BTreeSet<(Span, bool)>>,
    /// The conditions under which it writes, whichever of the ways is taken.
    pub under: BTreeSet<(Span, bool)>,
    /// The mints on the path, whether their value reaches the column or not.
    pub mints: Vec<Hop>,
    /// The functions of the path, that of the site first; told where a path that issues a token writes the stored value back.
    pub functions: Vec<OnPath>,
    pub meaning: Meaning,
    /// `None` where no value is written (null, omitted).
    pub form: Option<Form>,
    pub confidence: Confidence,
    /// For people: where the value comes from.
    pub reason: String,
    /// From the written value back to its sources, hop by hop.
    pub trail: Vec<Hop>,
}

/// How a hop starts that saves a row as it was read, the tracked column among its others.
pub(crate) const ROW_WRITTEN_BACK: &str = "the row was read and is written back";

impl Path {
    /// Every call on the way, that of the entry point first.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Step> {
        self.entered.iter().chain(&self.steps)
    }

    /// Whether the stored value reaches the column only because the whole row is saved as it was read.
    pub fn writes_row_back(&self) -> bool {
        self.trail.iter().any(|hop| hop.what.starts_with(ROW_WRITTEN_BACK))
    }
}

/// A set of chains: branches are members, `??` and the like append to a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Meaning {
    pub chains: BTreeSet<Vec<Origin>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryPoint {
    /// `AuthController.login`
    pub name: String,
    /// `POST /v1/auth/login`; empty where it has none.
    pub route: String,
    /// The declaration.
    pub span: Span,
}

/// A function on a path.
#[derive(Clone, Copy, Debug)]
pub struct OnPath {
    pub span: Span,
    /// Whether it mints a token of the path, itself or by a call that does not lead on to the write.
    pub mints: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    pub function: String,
    /// The call inside it that leads on.
    pub span: Span,
    /// Whether what it calls is known, and not one of several that it could be.
    pub certain: bool,
    /// Whether an argument of the call is a token that was minted on the path; told where the stored value is written.
    pub hands_token: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hop {
    pub span: Span,
    pub what: String,
    /// Resolved, rather than believed by a name or a heuristic, or not told at all.
    pub certain: bool,
    /// Of a mint, what its call gives in Rust.
    pub gives: Option<Gives>,
}

impl Hop {
    pub(crate) fn proven(span: Span, what: impl Into<String>) -> Self {
        Self { span, what: what.into(), certain: true, gives: None }
    }

    pub(crate) fn inferred(span: Span, what: impl Into<String>) -> Self {
        Self { span, what: what.into(), certain: false, gives: None }
    }
}

/// An issuing path that never writes the column, or not on every branch.
#[derive(Clone, Debug)]
pub struct MissingWrite {
    pub entry: EntryPoint,
    /// Whether it stores the token on other branches; `span` is where it hands it out without.
    pub partly: bool,
    /// The function that mints on this path.
    pub function: String,
    pub span: Span,
    pub reason: String,
    pub steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReadKind {
    Guard,
    Service,
    Query,
    Export,
}

impl ReadKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Guard => "guard",
            Self::Service => "service",
            Self::Query => "query",
            Self::Export => "export",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadSite {
    pub span: Span,
    pub function: String,
    pub kind: ReadKind,
}

impl Meaning {
    /// The origins of all chains.
    pub fn origins(&self) -> BTreeSet<Origin> {
        self.chains.iter().flatten().copied().collect()
    }

    /// The label: one origin's name, or several joined by `-or-`, in the order in which the chains name them.
    pub fn semantics(&self) -> String {
        let mut words: Vec<&str> = Vec::new();
        for origin in self.chains.iter().flatten() {
            if !words.contains(&origin.word()) {
                words.push(origin.word());
            }
        }
        words.join("-or-")
    }
}
