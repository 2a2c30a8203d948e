//! What a row holds under one key: a value, none, or what cannot be told, under what conditions.

use std::mem::discriminant;
use std::sync::Arc;

use crate::graph::Graph;
use crate::provenance::conditions::asked_for;
use crate::source::Span;
use crate::summary::{Shared, Slot, Value, ValueKind};

/// What a row holds under a key.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Value {
        value: Shared,
        key: Span,
    },
    Absent,
    /// The row was read from the table and the key was not assigned since.
    Stored,
    /// A part of the row that only callers can tell.
    Open(Shared),
    /// May be written, by a key or a value that cannot be told.
    Unknown {
        why: String,
        at: Span,
    },
    Either(Vec<Cell>),
    /// A value that is there just where the condition before it finds another one: `...(x && { key: f(x) })`.
    Given {
        value: Shared,
        key: Span,
        asked: Shared,
    },
    /// Where the first is absent, the second.
    Over(Box<Cell>, Box<Cell>),
}

impl Cell {
    /// Where this is absent, `under`.
    pub(super) fn over(self, under: Self) -> Self {
        match (self, under) {
            (Self::Absent, under) => under,
            (over, Self::Absent) => over,
            (over, _) if over.is_definite() => over,
            (over, under) => Self::Over(Box::new(over), Box::new(under)),
        }
    }

    /// One or the other by a condition. What is there just where the condition finds it is told apart.
    pub(super) fn by(graph: &Graph, cond: &Shared, then: Self, otherwise: Self) -> Self {
        let asked = |cell: &Self, holds| match cell {
            Self::Value { value, .. } => {
                asked_for(graph, cond, value).filter(|(_, there)| *there == holds).map(|(asked, _)| asked)
            }
            _ => None,
        };
        let is_left = |cell: &Self| matches!(cell, Self::Absent | Self::Stored);
        let found = match (is_left(&then), is_left(&otherwise)) {
            (false, true) => asked(&then, true),
            (true, false) => asked(&otherwise, false),
            _ => None,
        };
        match (found, then, otherwise) {
            (Some(asked), Self::Value { value, key }, left) | (Some(asked), left, Self::Value { value, key }) => {
                Self::Given { value, key, asked }.over(left)
            }
            (_, then, otherwise) => Self::Either(vec![then.under(cond, true), otherwise.under(cond, false)]).flat(),
        }
    }

    /// The same where a condition holds (or fails): the value keeps the condition.
    fn under(self, cond: &Shared, holds: bool) -> Self {
        match self {
            Self::Value { value, key } => {
                let never = Value::new(ValueKind::Either(Vec::new()), value.span);
                let span = value.span;
                let (then, otherwise) = if holds { (value, never) } else { (never, value) };
                let kind = ValueKind::Cond { cond: Arc::clone(cond), then, otherwise };
                Self::Value { value: Value::new(kind, span), key }
            }
            Self::Either(cells) => Self::Either(cells.into_iter().map(|cell| cell.under(cond, holds)).collect()),
            other => other,
        }
    }

    pub(super) fn is_definite(&self) -> bool {
        match self {
            Self::Value { .. } | Self::Stored => true,
            Self::Either(cells) => cells.iter().all(Self::is_definite),
            Self::Over(_, under) => under.is_definite(),
            Self::Given { .. } | Self::Absent | Self::Open(_) | Self::Unknown { .. } => false,
        }
    }

    pub(super) fn flat(self) -> Self {
        let Self::Either(cells) = self else { return self };
        let mut all: Vec<Self> = Vec::new();
        let mut absent = false;
        for cell in cells {
            match cell {
                Self::Either(inner) => {
                    for cell in inner {
                        if matches!(cell, Self::Absent) { absent = true } else { all.push(cell) }
                    }
                }
                Self::Absent => absent = true,
                cell => all.push(cell),
            }
        }
        if absent {
            all.push(Self::Absent);
        }
        if all.len() == 1 { all.swap_remove(0) } else { Self::Either(all) }
    }

    /// The parts that only callers can tell.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::Open(_) => true,
            Self::Value { value, .. } | Self::Given { value, .. } => value.is_open(),
            Self::Either(cells) => cells.iter().any(Self::is_open),
            Self::Over(over, under) => over.is_open() || under.is_open(),
            Self::Absent | Self::Stored | Self::Unknown { .. } => false,
        }
    }

    /// The one value that stands under the key.
    pub(super) fn value(&self) -> Option<&Shared> {
        match self {
            Self::Value { value, .. } => Some(value),
            _ => None,
        }
    }

    /// Where the column's key or value stands, if anywhere.
    pub(super) fn key_span(&self) -> Option<Span> {
        match self {
            Self::Value { key, .. } | Self::Given { key, .. } => Some(*key),
            Self::Either(cells) => cells.iter().find_map(Self::key_span),
            Self::Over(over, under) => over.key_span().or_else(|| under.key_span()),
            Self::Absent | Self::Stored | Self::Open(_) | Self::Unknown { .. } => None,
        }
    }
}

/// Whether a key of an object holds what it held before: it was only handed to a function.
pub(super) fn is_handed_on(base: &Shared, slot: &Slot) -> bool {
    let Slot::Named { key, value, .. } = slot else { return false };
    let mut at = value;
    while let ValueKind::After { before, arg: Some(_), .. } = &at.kind {
        at = before;
    }
    let is_base = |of: &Shared| {
        Arc::ptr_eq(base, of) || base.span == of.span && discriminant(&base.kind) == discriminant(&of.kind)
    };
    !Arc::ptr_eq(at, value) && matches!(&at.kind, ValueKind::Field(of, name) if name == key && is_base(of))
}
