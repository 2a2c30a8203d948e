//! A value -> its origins: the chains of what it can be, each with form, reason and the hops back to its sources.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use crate::graph::Graph;
use crate::ir::Missing;
use crate::provenance::cell::is_handed_on;
use crate::provenance::chain::{
    Atom, Chain, NONE, UNDEFINED, dedup, drop_missing, fallback, join, keep_missing, one, rank, unknown,
};
use crate::provenance::known::{Key, Known, told_of};
use crate::provenance::models::Rows;
use crate::provenance::path::{Hop, Origin};
use crate::rules::{Absence, Form};
use crate::schema::{ColumnId, Schema};
use crate::source::Span;
use crate::summary::{FunctionRef, Member, Shared, Value, ValueKind};

/// What is known of the function at the top of a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Top<'t> {
    pub function: FunctionRef,
    /// Parameters that an issuer hands in.
    pub fresh: &'t [u32],
}

pub(super) struct Evaluator<'g, 'a> {
    pub graph: &'g Graph<'a>,
    pub schema: &'g Schema,
    pub column: ColumnId,
    pub top: Option<Top<'g>>,
    /// Conditions that hold (or fail) where the value is used.
    pub assumed: RefCell<Vec<(Shared, bool)>>,
    pub known: Rc<Known>,
    pub rows: Rc<Rows>,
}

const DEEPEST: u8 = 60;

/// The reason of what was not followed to its end.
const OUT_OF_STEPS: &str = "budget: too many steps to follow";

impl Evaluator<'_, '_> {
    pub(super) fn chains(&self, value: &Shared) -> Vec<Chain> {
        let chains = dedup(self.eval(value, DEEPEST));
        if chains.is_empty() { one(Origin::Null, value, UNDEFINED) } else { chains }
    }

    /// Whether anything at all can come out, under the conditions of the path.
    pub(super) fn is_possible(&self, value: &Shared) -> bool {
        !self.eval(value, DEEPEST).is_empty()
    }

    pub(super) fn place(&self, span: Span) -> String {
        let at = self.graph.sources.location(span);
        format!("{}:{}", at.path, at.line)
    }

    pub(super) fn eval(&self, value: &Shared, fuel: u8) -> Vec<Chain> {
        let Some(fuel) = fuel.checked_sub(1).or_else(|| self.known.cut()).filter(|_| self.graph.step()) else {
            return unknown(value, OUT_OF_STEPS);
        };
        let key = self.known_as(value);
        if let Some(chains) = key.and_then(|key| self.known.get(key, fuel)) {
            return chains;
        }
        let cuts = self.known.cuts();
        let (mut chains, is_whole) = self.graph.asked(|| self.eval_kind(value, fuel));
        if self.is_present(value) {
            drop_missing(&mut chains);
        } else if self.is_given(value) {
            chains.retain(|chain| !chain.last().is_some_and(Atom::is_undefined));
        } else if self.is_missing(value) {
            keep_missing(&mut chains);
        }
        if let Some(key) = key.filter(|_| is_whole) {
            let kept = match &value.kind {
                ValueKind::Field(base, _) => base,
                _ => value,
            };
            self.known.keep(key, (self.known.cuts() != cuts).then_some(fuel), kept, &chains);
        }
        chains
    }

    /// The key of a value that takes many steps; a field goes by what it is a field of.
    fn known_as(&self, value: &Shared) -> Option<Key> {
        let mut under = DefaultHasher::new();
        let at = match &value.kind {
            ValueKind::Field(base, name) => {
                name.hash(&mut under);
                base
            }
            ValueKind::Call(_) | ValueKind::Cond { .. } | ValueKind::Either(_) | ValueKind::Fallback { .. } => value,
            _ => return None,
        };
        let assumed = self.assumed.borrow();
        if !assumed.is_empty() {
            let about = self.known.about(value);
            for (cond, holds) in assumed.iter().filter(|(cond, _)| told_of(cond, 12) & about != 0) {
                (Arc::as_ptr(cond).addr(), holds).hash(&mut under);
            }
        }
        Some((Arc::as_ptr(at).addr(), under.finish()))
    }

    fn eval_kind(&self, value: &Shared, fuel: u8) -> Vec<Chain> {
        match &value.kind {
            ValueKind::Null => one(Origin::Null, value, "a literal null"),
            ValueKind::Undefined if self.graph.is_rust(value.span.file) => one(Origin::Null, value, NONE),
            ValueKind::Undefined => one(Origin::Null, value, UNDEFINED),
            ValueKind::Text(text) if text.is_empty() => one(Origin::Null, value, "an empty string"),
            ValueKind::Text(_) | ValueKind::Number(_) | ValueKind::Bool(_) => {
                let mut chains = one(Origin::Supplied, value, "a constant");
                chains[0][0].definite = true;
                chains
            }
            ValueKind::Param(function, at) => self.param(value, *function, *at, fuel),
            ValueKind::Field(base, name) => match self.absence(value, name) {
                Some(absence) => absence,
                None => self.field(value, base, name, fuel),
            },
            ValueKind::Call(call) => self.call(value, call, fuel),
            ValueKind::Cond { cond, then, otherwise } => match self.is_held(cond).or_else(|| self.holds(cond, fuel)) {
                Some(true) => self.eval(then, fuel),
                Some(false) => self.eval(otherwise, fuel),
                None => {
                    let (left, right) = (
                        self.assuming(cond, true, || self.eval(then, fuel)),
                        self.assuming(cond, false, || self.eval(otherwise, fuel)),
                    );
                    match self.is_issued(cond, then, fuel).or_else(|| self.is_issued(cond, otherwise, fuel)) {
                        Some(true) => fallback(left, Missing::Nullish, || right),
                        Some(false) => fallback(right, Missing::Nullish, || left),
                        None => join(left, right),
                    }
                }
            },
            ValueKind::Fallback { left, right, when } => {
                let left = self.eval(left, fuel);
                fallback(left, *when, || self.eval(right, fuel))
            }
            ValueKind::And(left, right) => match self.holds(left, fuel) {
                Some(false) => self.eval(left, fuel),
                _ => self.assuming(left, true, || self.eval(right, fuel)),
            },
            ValueKind::Either(values) => values.iter().fold(Vec::new(), |all, value| join(all, self.eval(value, fuel))),
            ValueKind::Concat(parts) => self.concat(value, parts, fuel),
            ValueKind::Stored { column, .. } => self.stored_column(value, column),
            // `console.log(token.length)` leaves the token as it is.
            ValueKind::Object { base: Some(base), entries } if entries.iter().all(|slot| is_handed_on(base, slot)) => {
                self.eval(base, fuel)
            }
            ValueKind::Object { base, entries } if base.as_ref().is_none_or(is_new) => {
                let parts: Vec<Shared> = entries
                    .iter()
                    .map(|entry| match entry {
                        crate::summary::Slot::Named { value, .. }
                        | crate::summary::Slot::Computed { value, .. }
                        | crate::summary::Slot::Spread(value) => Arc::clone(value),
                    })
                    .collect();
                self.concat(value, &parts, fuel)
            }
            ValueKind::Array(members) => {
                let parts: Vec<Shared> = members
                    .iter()
                    .map(|member| {
                        let (Member::One(inner) | Member::Each(inner) | Member::Spread(inner)) = member;
                        Arc::clone(inner)
                    })
                    .collect();
                self.concat(value, &parts, fuel)
            }
            ValueKind::Index(base, index) => {
                // `alphabet[random]` is as random as its index.
                let key = self.eval(index, fuel);
                if key.iter().flatten().any(|atom| atom.origin == Origin::Fresh) {
                    return key;
                }
                match self.graph.expand(value) {
                    Some(inner) if !Arc::ptr_eq(&inner, value) => self.eval(&inner, fuel),
                    _ => self.part_of(value, base, fuel),
                }
            }
            ValueKind::Element(base) => match self.graph.expand(value) {
                Some(inner) if !Arc::ptr_eq(&inner, value) => self.eval(&inner, fuel),
                _ => self.part_of(value, base, fuel),
            },
            ValueKind::Global(name) if name == "undefined" => one(Origin::Null, value, UNDEFINED),
            ValueKind::Global(name) => one(Origin::Supplied, value, format!("the global {name}")),
            ValueKind::Opaque(why, operands) => match operands.as_slice() {
                // Arithmetic and the like on one value: still that value.
                [only] if *why != "nested too deeply" => {
                    let mut chains = self.eval(only, fuel);
                    chains.iter_mut().flatten().for_each(|atom| atom.passes(Hop::inferred(value.span, *why)));
                    chains
                }
                // A number computed from random ones is random; a ciphertext in two parts is one.
                several if *why != "nested too deeply" => {
                    let made = |atom: &Atom| {
                        atom.origin == Origin::Fresh || matches!(atom.form, Some(Form::Encrypted | Form::Hashed))
                    };
                    let decides = several
                        .iter()
                        .map(|operand| self.eval(operand, fuel))
                        .find(|chains| chains.iter().flatten().any(made));
                    match decides {
                        Some(mut chains) => {
                            chains.iter_mut().flatten().for_each(|atom| atom.passes(Hop::inferred(value.span, *why)));
                            chains
                        }
                        None => unknown(value, *why),
                    }
                }
                _ => unknown(value, *why),
            },
            ValueKind::Captured(..)
            | ValueKind::Leaves(..)
            | ValueKind::Import(..)
            | ValueKind::After { .. }
            | ValueKind::Rest(..) => match self.graph.expand(value) {
                Some(inner) if !Arc::ptr_eq(&inner, value) => self.eval(&inner, fuel),
                _ => self.outside(value),
            },
            _ => unknown(value, "a value that is not followed"),
        }
    }

    /// A value of a library that stands for none.
    fn absence(&self, value: &Shared, name: &str) -> Option<Vec<Chain>> {
        let mut rows = self.graph.rules.nothing().filter(|row| row.path.last() == Some(name)).peekable();
        rows.peek()?;
        let path = self.graph.path(value)?;
        let row = rows.find(|row| row.path.matches(&path))?;
        Some(match row.is {
            Absence::Undefined => one(Origin::Null, value, UNDEFINED),
            Absence::Null => one(Origin::Null, value, "a literal null"),
        })
    }

    fn outside(&self, value: &Shared) -> Vec<Chain> {
        match self.graph.path(value) {
            Some(path) if !path.starts_with('?') => {
                one(Origin::Supplied, value, format!("{path}, from outside the tree"))
            }
            _ => unknown(value, "a variable whose value could not be found"),
        }
    }

    fn param(&self, value: &Shared, function: FunctionRef, at: u32, fuel: u8) -> Vec<Chain> {
        let name = self
            .graph
            .function(function)
            .and_then(|f| f.params.get(at as usize))
            // A parameter that is taken apart has no name of its own.
            .filter(|param| !param.name.starts_with('%'))
            .map_or_else(|| "input".to_owned(), |param| param.name.clone());
        let owner = self.graph.name(function);
        if let Some(top) = self.top.filter(|top| top.function == function) {
            if top.fresh.contains(&at) {
                let reason = format!("`{name}` of {owner}, received from the issuer");
                return one(Origin::Fresh, value, reason);
            }
            return one(Origin::Supplied, value, format!("`{name}`, handed in by the caller of {owner}"));
        }
        if self.graph.entries(function).iter().any(|entry| entry.fresh.contains(&at)) {
            return one(Origin::Fresh, value, format!("`{name}` of {owner}, received from the issuer"));
        }
        let is_entry = !self.graph.entries(function).is_empty();
        if is_entry {
            return one(Origin::Supplied, value, format!("`{name}`, handed in by the caller of {owner}"));
        }
        // What is kept from another call: `setToken(t) { this.token = t }`.
        let handed = self.graph.handed_by_callers(function, at);
        if !handed.is_empty() {
            return handed.iter().fold(Vec::new(), |all, value| join(all, self.eval(value, fuel / 2)));
        }
        unknown(value, format!("`{name}` of a callback, handed in by code that is not followed"))
    }

    /// `base.name`: a column of a row, a key of a mint's result, a key of what an entry point is given.
    fn field(&self, value: &Shared, base: &Shared, name: &str, fuel: u8) -> Vec<Chain> {
        // What was assigned on the way here, or on one of several ways, is not what was read.
        if matches!(base.kind, ValueKind::After { .. } | ValueKind::Cond { .. } | ValueKind::Either(_))
            && let Some(inner) = self.graph.expand(value)
            && !matches!(inner.kind, ValueKind::Field(..))
        {
            return self.eval(&inner, fuel);
        }
        // `user.tokens.access`, where the class of `tokens` is embedded.
        if let ValueKind::Field(row, outer) = &base.kind
            && let below = format!("{outer}.{name}")
            && self.is_tracked_as(&below)
            && let Some(row) = self.row_of(row)
        {
            return self.column_of(value, &row, &below);
        }
        if let Some(row) = self.row_of(base) {
            if let Some(inner) = self.added_to_row(value, base, name) {
                return self.eval(&inner, fuel);
            }
            return self.column_of(value, &row, name);
        }
        if let Some(found) = self.handed_key(value) {
            return found;
        }
        if let Some(inner) = self.told_apart(base) {
            return self.eval(&Value::field(&inner, name, value.span), fuel);
        }
        if let Some(found) = self.minted_key(value, base, name) {
            return found;
        }
        if let Some(inner) = self.graph.expand(value)
            && !Arc::ptr_eq(&inner, value)
        {
            return self.eval(&inner, fuel);
        }
        let chains = self.part_of(value, base, fuel);
        let is_unknown = chains.iter().flatten().all(|atom| atom.origin == Origin::Unknown);
        match self.answered(value, base, name).filter(|_| is_unknown) {
            Some(answered) => answered,
            None => chains,
        }
    }

    /// A field that a function of the tree adds to the row that it returns: `return { ...user, token: sign(..) }`.
    fn added_to_row(&self, value: &Shared, base: &Shared, name: &str) -> Option<Shared> {
        let ValueKind::Call(call) = &base.kind else { return None };
        if call.is_new || self.graph.targets(call).is_empty() {
            return None;
        }
        let mut open = vec![Arc::clone(base)];
        for _ in 0..60 {
            let at = open.pop()?;
            match &at.kind {
                ValueKind::Object { entries, .. }
                    if entries
                        .iter()
                        .any(|slot| matches!(slot, crate::summary::Slot::Named { key, .. } if key == name)) =>
                {
                    return self.graph.expand(value).filter(|inner| !Arc::ptr_eq(inner, value));
                }
                ValueKind::Either(values) => open.extend(values.iter().cloned()),
                ValueKind::Cond { then, otherwise, .. } => open.extend([Arc::clone(then), Arc::clone(otherwise)]),
                ValueKind::Call(_) | ValueKind::Captured(..) | ValueKind::Import(..) => {
                    open.extend(self.graph.expand(&at).filter(|inner| !Arc::ptr_eq(inner, &at)));
                }
                _ => {}
            }
        }
        None
    }

    /// A part of something: of what an entry point is given, of a row, of a result that cannot be told.
    fn part_of(&self, value: &Shared, base: &Shared, fuel: u8) -> Vec<Chain> {
        match &base.kind {
            ValueKind::Param(..) => {
                let mut chains = self.eval(base, fuel);
                chains.iter_mut().flatten().for_each(|atom| atom.definite = false);
                chains
            }
            ValueKind::This(class) => {
                let of = self.graph.class(*class).map_or("`this`", |class| class.name.as_str());
                unknown(value, format!("a field of {of} that nothing in the tree assigns"))
            }
            ValueKind::Field(..)
            | ValueKind::Element(_)
            | ValueKind::Index(..)
            | ValueKind::Global(_)
            | ValueKind::Import(..)
            | ValueKind::Rest(..)
            | ValueKind::Subset(..) => self.eval(base, fuel),
            ValueKind::Call(call) => self.call(base, call, fuel),
            ValueKind::Opaque(why, _) => unknown(value, *why),
            _ => match self.graph.expand(base) {
                Some(inner) if !Arc::ptr_eq(&inner, base) => {
                    let inner = match &value.kind {
                        ValueKind::Field(_, name) => Value::field(&inner, name, value.span),
                        _ => Value::element(&inner, value.span),
                    };
                    self.eval(&inner, fuel)
                }
                _ => self.eval(base, fuel),
            },
        }
    }

    fn is_tracked_as(&self, name: &str) -> bool {
        let mut bound = self.schema.columns[self.column.0].bindings.iter();
        bound.any(|(id, property)| self.schema.models[id.0].properties[*property].name == name)
    }

    fn stored_column(&self, value: &Shared, column: &str) -> Vec<Chain> {
        let tracked = &self.schema.columns[self.column.0];
        if tracked.column.eq_ignore_ascii_case(column) {
            return one(Origin::Preserved, value, format!("the column's own value at {}", self.place(value.span)));
        }
        one(Origin::Supplied, value, format!("the value of another column, {column}"))
    }

    /// What is glued together: the secret part decides.
    pub(super) fn concat(&self, value: &Shared, parts: &[Shared], fuel: u8) -> Vec<Chain> {
        let mut best: Option<(u8, Vec<Chain>)> = None;
        for part in parts {
            let chains = self.eval(part, fuel);
            let rank = chains.iter().flatten().map(rank).max().unwrap_or(0);
            if best.as_ref().is_none_or(|(known, _)| rank > *known) {
                best = Some((rank, chains));
            }
        }
        match best {
            Some((_, mut chains)) => {
                // A text around an absent value is not absent.
                for chain in &mut chains {
                    if let Some(last) = chain.last_mut() {
                        last.definite = true;
                    }
                }
                chains
            }
            None => one(Origin::Null, value, "nothing"),
        }
    }
}

/// A new object of a class, before its fields are assigned.
fn is_new(value: &Shared) -> bool {
    matches!(&value.kind, ValueKind::Call(call) if call.is_new && call.args.is_empty())
}
