//! Which values hold what a token says, or the token itself.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::graph::Graph;
use crate::guards::same::Named;
use crate::ir::FunctionId;
use crate::rules::{Called, Verify};
use crate::source::Scope;
use crate::summary::{CallSite, CallValue, FunctionRef, Shared, Value, ValueKind};

/// The functions of production code that verify, with the calls.
pub(super) fn verifying(graph: &Graph) -> BTreeMap<FunctionRef, Vec<CallSite>> {
    let mut found: BTreeMap<FunctionRef, Vec<CallSite>> = BTreeMap::new();
    // Looked over, not followed: what lies in files that nothing else leads to is no part of a guard.
    let _limit = graph.limit(Rc::default());
    for (file, unit) in graph.units().filter(|(file, _)| graph.sources.get(*file).scope == Scope::Production) {
        for (at, summary) in unit.summary.functions.iter().enumerate() {
            let function = FunctionRef { file, id: FunctionId::of(at) };
            if graph.function(function).is_some_and(|f| f.is_test) {
                continue;
            }
            for event in &summary.calls {
                if verifies(graph, &event.call).is_some() {
                    found.entry(function).or_default().push(event.call.site);
                }
            }
        }
    }
    found
}

/// Of rows that may be about a call by its name, those that are. What a row says of a module is more than what one says of any
/// `.jwt.sign`.
pub(super) fn about<'r, R: Called + 'r>(
    graph: &Graph,
    named: impl Iterator<Item = &'r R> + Clone,
    call: &CallValue,
) -> Vec<&'r R> {
    let mut named = named.peekable();
    // Hardly any call has the name of one, and telling its path costs more.
    if named.peek().is_none() {
        return Vec::new();
    }
    graph.refuel();
    let fits = |path: &str| named.clone().any(|row| row.call().matches(path));
    let Some(path) = graph.fitting_path(call, fits) else { return Vec::new() };
    let mut rows: Vec<&R> = named.filter(|row| row.call().matches(&path)).collect();
    if rows.iter().any(|row| row.call().module().is_some()) {
        rows.retain(|row| row.call().module().is_some());
    }
    rows
}

/// The row that says that a call verifies.
pub(super) fn verifies<'r>(graph: &Graph<'r>, call: &CallValue) -> Option<&'r Verify> {
    about(graph, graph.rules.verifies_named(call.method()), call).into_iter().next()
}

/// Where claims and tokens come from in one guard.
#[derive(Clone, Debug, Default)]
pub(super) struct Seeds {
    pub sites: BTreeSet<CallSite>,
    /// A parameter, with the keys below which they stand.
    pub params: BTreeSet<(FunctionRef, u32, Vec<String>)>,
    pub values: Vec<Shared>,
    /// Keys of such parameters below which there are none.
    pub without: Vec<String>,
    /// Places that the token was read from, which a second read names in the same words: `req.cookies.token`.
    pub places: BTreeSet<String>,
    known: RefCell<FxHashMap<*const Value, (Shared, bool)>>,
}

const DEEPEST: u8 = 40;

impl Seeds {
    pub(super) fn forget(&self) {
        self.known.borrow_mut().clear();
    }

    /// For as long as it is so, what else holds claims.
    pub(super) fn hold_in(&mut self, named: &[Named], so: bool) {
        for named in named {
            match named {
                Named::Param(function, at) if so => self.params.insert((*function, *at, Vec::new())),
                Named::Param(function, at) => self.params.remove(&(*function, *at, Vec::new())),
                Named::Place(place) if so => self.places.insert(place.clone()),
                Named::Place(place) => self.places.remove(place),
            };
        }
        if !named.is_empty() {
            self.forget();
        }
    }

    /// Whether a value is a key of what a verification gave, or of a parameter that holds it.
    pub(super) fn is_claim(&self, graph: &Graph, value: &Shared) -> bool {
        let mut at = Arc::clone(value);
        for _ in 0..12 {
            let ValueKind::Field(base, _) = &at.kind else { return false };
            let base = graph.resolved(base);
            match &base.kind {
                ValueKind::Call(call) => return self.sites.contains(&call.site),
                // Below a parameter only its keys may carry them: `req.user.id`. What a look-up found is none: `(error, user) => ..`.
                ValueKind::Param(function, nth) => {
                    return match graph.handed_value(*function, *nth).as_ref().map(|given| &given.kind) {
                        Some(ValueKind::Call(call)) => self.sites.contains(&call.site),
                        _ => self.lie_in(graph, &at),
                    };
                }
                _ => at = base,
            }
        }
        false
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
        let found = self.is_named(value) || self.within(graph, value, fuel);
        self.known.borrow_mut().insert(Arc::as_ptr(value), (Arc::clone(value), found));
        found
    }

    /// Whether a value is one of those that are named by themselves or by the place they are read from.
    fn is_named(&self, value: &Shared) -> bool {
        self.values.iter().any(|seed| Arc::ptr_eq(seed, value) || is_same_choice(seed, value))
            || !self.places.is_empty() && place(value).is_some_and(|place| self.places.contains(&place))
    }

    fn is_below_named(&self, value: &Shared) -> bool {
        self.is_named(value) || matches!(&value.kind, ValueKind::Field(base, _) if self.is_below_named(base))
    }

    fn within(&self, graph: &Graph, value: &Shared, fuel: u8) -> bool {
        match &value.kind {
            ValueKind::Param(function, at) => self.params.iter().any(|(f, i, _)| f == function && i == at),
            ValueKind::Field(base, name) => {
                if let Some((function, at, names)) = below_param(base, name) {
                    let mut own = self.params.iter().filter(|(f, i, _)| *f == function && *i == at).peekable();
                    if own.peek().is_some() {
                        // What lies around them has them too: `req.headers`.
                        let is_within = |keys: &[String]| match keys {
                            [] => names.first().is_none_or(|first| !self.without.iter().any(|key| key == first)),
                            keys => keys.iter().zip(&names).all(|(key, name)| key == name),
                        };
                        return own.any(|(_, _, keys)| is_within(keys)) || self.is_below_named(base);
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

/// Whether two values are one expression that chooses, each time as another caller hands in what it chooses from: `bearer || queried`.
fn is_same_choice(one: &Shared, other: &Shared) -> bool {
    let chooses = |value: &Shared| {
        matches!(
            value.kind,
            ValueKind::Fallback { .. } | ValueKind::Cond { .. } | ValueKind::Either(_) | ValueKind::Element(_)
        )
    };
    one.span == other.span && chooses(one) && chooses(other)
}

/// The parameter that a field lies below, and the keys on the way.
fn below_param<'v>(base: &'v Shared, name: &'v str) -> Option<(FunctionRef, u32, Vec<&'v str>)> {
    let (mut at, mut names) = (base, vec![name]);
    loop {
        match &at.kind {
            ValueKind::Param(function, index) => {
                names.reverse();
                return Some((*function, *index, names));
            }
            ValueKind::Field(base, name) => {
                names.push(name);
                at = base;
            }
            _ => return None,
        }
    }
}

/// What a read below a parameter is written as: fields, and calls with constants: `req.headers.authorization.slice(7)`, and with what is
/// itself such a read: `tokensOf(req).access`.
pub(super) fn place(value: &Shared) -> Option<String> {
    fn written(value: &Shared, fuel: u8) -> Option<String> {
        let fuel = fuel.checked_sub(1)?;
        let value = Value::before_calls(value);
        match &value.kind {
            ValueKind::Param(function, at) => Some(format!("{}:{}:{at}", function.file.0, function.id.0)),
            ValueKind::Field(base, name) => Some(format!("{}.{name}", written(base, fuel)?)),
            ValueKind::Index(base, index) => Some(format!("{}[{}]", written(base, fuel)?, constant(index)?)),
            ValueKind::Call(call) => {
                let reads: Vec<Option<String>> = call.args.iter().map(|arg| written(&arg.value, fuel)).collect();
                let callee = match &call.callee.kind {
                    // What is handed no read may give another each time: `randomBytes(16)`.
                    ValueKind::Function(_) | ValueKind::Captured(..) | ValueKind::Import(..)
                        if reads.iter().all(Option::is_none) =>
                    {
                        return None;
                    }
                    ValueKind::Function(function) => format!("{}:{}", function.file.0, function.id.0),
                    ValueKind::Captured(function, local) => {
                        format!("{}:{}::{}", function.file.0, function.id.0, local.0)
                    }
                    ValueKind::Import(file, id) => format!("{}::{}", file.0, id.0),
                    _ => written(&call.callee, fuel)?,
                };
                let given = call.args.iter().zip(reads);
                let given = given.map(|(arg, read)| read.or_else(|| constant(&arg.value).map(str::to_owned)));
                Some(format!("{callee}({})", given.collect::<Option<Vec<String>>>()?.join(",")))
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
        // Where it is told of may be that of who called a wrapper.
        if matches!(&value.kind, ValueKind::Call(call) if (call.site.function, call.site.expr) == (site.function, site.expr))
        {
            return true;
        }
        let mut found = false;
        value.kind.each(&mut |inner| found = found || visit(inner, site, seen));
        found
    }
    visit(value, site, &mut BTreeSet::new())
}
