//! Which values hold what a token says, or the token itself.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use crate::graph::Graph;
use crate::ir::FunctionId;
use crate::rules::{CallPattern, Verify};
use crate::source::Scope;
use crate::summary::{CallSite, CallValue, FunctionRef, Shared, Value, ValueKind};

/// The functions of production code that verify, with the calls.
pub(super) fn verifying(graph: &Graph) -> BTreeMap<FunctionRef, Vec<CallSite>> {
    let mut found: BTreeMap<FunctionRef, Vec<CallSite>> = BTreeMap::new();
    // Looked over, not followed: what lies in files that nothing else leads to is no part of a guard.
    let _limit = graph.limit(Rc::default());
    let rows: Vec<&Verify> = graph.rules.verify().collect();
    for (file, unit) in graph.units().filter(|(file, _)| graph.sources.get(*file).scope == Scope::Production) {
        for (at, summary) in unit.summary.functions.iter().enumerate() {
            let function = FunctionRef { file, id: FunctionId::of(at) };
            if graph.function(function).is_some_and(|f| f.is_test) {
                continue;
            }
            for event in &summary.calls {
                if row_of(graph, &rows, &event.call).is_some() {
                    found.entry(function).or_default().push(event.call.site);
                }
            }
        }
    }
    found
}

/// The row that says that a call verifies.
pub(super) fn row_of<'r>(graph: &Graph, rows: &[&'r Verify], call: &CallValue) -> Option<&'r Verify> {
    rows_about(graph, rows, |row| &row.call, call).into_iter().next()
}

/// The rows that are about a call.
pub(super) fn rows_about<'r, R>(
    graph: &Graph,
    rows: &[&'r R],
    pattern: fn(&R) -> &CallPattern,
    call: &CallValue,
) -> Vec<&'r R> {
    let method = call.method();
    let may_be = |row: &&&R| pattern(row).last().is_none_or(|last| method.is_none_or(|method| method == last));
    let mut fits = rows.iter().filter(may_be).peekable();
    // Hardly any call has the name of one, and telling its path costs more.
    if fits.peek().is_none() {
        return Vec::new();
    }
    graph.refuel();
    let Some(path) = graph.library_path(call) else { return Vec::new() };
    fits.filter(|row| pattern(row).matches(&path)).copied().collect()
}

/// Where claims and tokens come from in one guard.
#[derive(Debug, Default)]
pub(super) struct Seeds {
    pub sites: BTreeSet<CallSite>,
    /// A parameter, with the keys below which they stand.
    pub params: BTreeSet<(FunctionRef, u32, Vec<String>)>,
    pub values: Vec<Shared>,
    /// Places that the token was read from, which a second read names in the same words: `req.cookies.token`.
    pub places: BTreeSet<String>,
    known: RefCell<HashMap<*const Value, (Shared, bool)>>,
}

const DEEPEST: u8 = 40;

impl Seeds {
    pub(super) fn forget(&self) {
        self.known.borrow_mut().clear();
    }

    /// Whether something of the claims or the token lies in a value.
    pub(super) fn lie_in(&self, graph: &Graph, value: &Shared) -> bool {
        self.carries(graph, value, DEEPEST)
    }

    fn carries(&self, graph: &Graph, value: &Shared, fuel: u8) -> bool {
        let Some(fuel) = fuel.checked_sub(1) else { return false };
        if let Some((_, known)) = self.known.borrow().get(&Arc::as_ptr(value)) {
            return *known;
        }
        self.known.borrow_mut().insert(Arc::as_ptr(value), (Arc::clone(value), false));
        let is_place = || !self.places.is_empty() && place(value).is_some_and(|place| self.places.contains(&place));
        let is_seed = || self.values.iter().any(|seed| Arc::ptr_eq(seed, value));
        let found = is_seed() || self.within(graph, value, fuel) || is_place();
        self.known.borrow_mut().insert(Arc::as_ptr(value), (Arc::clone(value), found));
        found
    }

    fn within(&self, graph: &Graph, value: &Shared, fuel: u8) -> bool {
        match &value.kind {
            ValueKind::Param(function, at) => self.params.iter().any(|(f, i, _)| f == function && i == at),
            ValueKind::Field(base, name) => {
                if let ValueKind::Param(function, at) = &base.kind {
                    let mut own = self.params.iter().filter(|(f, i, _)| f == function && i == at).peekable();
                    if own.peek().is_some() {
                        return own.any(|(_, _, keys)| keys.first().is_none_or(|key| key == name));
                    }
                }
                self.carries(graph, base, fuel) || self.behind(graph, value, fuel)
            }
            ValueKind::Call(call) => {
                self.sites.contains(&call.site)
                    || call.args.iter().any(|arg| self.carries(graph, &arg.value, fuel))
                    || call.receiver().is_some_and(|receiver| self.carries(graph, receiver, fuel))
                    || self.behind(graph, value, fuel)
            }
            ValueKind::Captured(..)
            | ValueKind::Leaves(..)
            | ValueKind::Import(..)
            | ValueKind::After { .. }
            | ValueKind::Element(_)
            | ValueKind::Index(..) => self.inside(graph, value, fuel) || self.behind(graph, value, fuel),
            _ => self.inside(graph, value, fuel),
        }
    }

    fn inside(&self, graph: &Graph, value: &Shared, fuel: u8) -> bool {
        let mut found = false;
        value.kind.each(&mut |inner| found = found || self.carries(graph, inner, fuel));
        found
    }

    fn behind(&self, graph: &Graph, value: &Shared, fuel: u8) -> bool {
        graph.expand(value).is_some_and(|inner| !Arc::ptr_eq(&inner, value) && self.carries(graph, &inner, fuel))
    }
}

/// What a read below a parameter is written as: fields, and calls with constants: `req.headers.authorization.slice(7)`.
pub(super) fn place(value: &Shared) -> Option<String> {
    fn written(value: &Shared, fuel: u8) -> Option<String> {
        let fuel = fuel.checked_sub(1)?;
        match &value.kind {
            ValueKind::Param(function, at) => Some(format!("{}:{}:{at}", function.file.0, function.id.0)),
            ValueKind::Field(base, name) => Some(format!("{}.{name}", written(base, fuel)?)),
            ValueKind::Index(base, index) => Some(format!("{}[{}]", written(base, fuel)?, constant(index)?)),
            ValueKind::Call(call) => {
                let args: Option<Vec<&str>> = call.args.iter().map(|arg| constant(&arg.value)).collect();
                Some(format!("{}({})", written(&call.callee, fuel)?, args?.join(",")))
            }
            _ => None,
        }
    }
    fn constant(value: &Shared) -> Option<&str> {
        match &value.kind {
            ValueKind::Text(text) | ValueKind::Number(text) => Some(text),
            _ => None,
        }
    }
    // A parameter alone is told by its number.
    (!matches!(value.kind, ValueKind::Param(..))).then(|| written(value, 12)).flatten()
}

/// Whether the result of a call lies in a value.
pub(super) fn holds_call(value: &Shared, site: CallSite) -> bool {
    fn visit(value: &Shared, site: CallSite, seen: &mut BTreeSet<usize>) -> bool {
        if seen.len() > 5_000 || !seen.insert(Arc::as_ptr(value).addr()) {
            return false;
        }
        if matches!(&value.kind, ValueKind::Call(call) if call.site == site) {
            return true;
        }
        let mut found = false;
        value.kind.each(&mut |inner| found = found || visit(inner, site, seen));
        found
    }
    visit(value, site, &mut BTreeSet::new())
}
