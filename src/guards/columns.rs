//! Whether letting in depends on a tracked column.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::{EdgeKind, Graph};
use crate::guards::callers::letting_in;
use crate::guards::chosen::denies;
use crate::guards::deciding;
use crate::guards::miss::Miss;
use crate::guards::shapes::Shapes;
use crate::guards::walk::Walk;
use crate::ir::FunctionId;
use crate::provenance::{ColumnTrace, ReadKind, ReadSite};
use crate::rules::Tells;
use crate::schema::{ColumnId, Schema};
use crate::source::{Scope, Span};
use crate::summary::{CallValue, Event, FunctionRef, Shared, Slot, Summary, ValueKind, throwing};

/// A read of a tracked column by which somebody is let in or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decision {
    pub column: ColumnId,
    /// The read.
    pub read: Span,
    /// The comparison.
    pub at: Span,
    pub function: String,
    pub place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// On the way of a guard: every request depends on it.
    Guard,
    /// In an endpoint that renews what it is handed: who it refuses has to sign in again.
    Renewal,
    /// In any other endpoint that compares what it is handed.
    Endpoint,
    /// In a client of another service, which is handed the column: without one nothing is called.
    Client,
}

impl Place {
    /// Whether somebody is let in by it, at every request or at the next renewal.
    pub fn lets_in(self) -> bool {
        matches!(self, Self::Guard | Self::Renewal)
    }

    pub fn is_endpoint(self) -> bool {
        matches!(self, Self::Renewal | Self::Endpoint)
    }
}

/// The decisions, sorted.
pub(super) fn decisions(
    graph: &Graph,
    schema: &Schema,
    traces: &[ColumnTrace],
    shapes: &Shapes,
    walked: &BTreeSet<FunctionRef>,
) -> Vec<Decision> {
    let mut found = BTreeSet::new();
    let walk = Walk::new(graph, schema);
    for trace in traces {
        for read in &trace.reads {
            let Some((function, summary)) =
                asker(graph, read.span).zip(innermost(graph, read.span).and_then(|inner| graph.summary(inner)))
            else {
                continue;
            };
            // Also in a guard that verifies nothing: a stored token needs no signature.
            let in_guard = walked.contains(&function) || shapes.of(graph, function).is_some();
            let given = is_given(graph, summary, read.span);
            let at = match read.kind {
                // A query by the column: who has no such row is not let in.
                ReadKind::Query | ReadKind::Guard if !is_field(summary, read.span) && !given => {
                    let column = &schema.columns[trace.column.0].column;
                    let text = graph.sources.text(read.span);
                    let scalar = || {
                        let asked = Asked { graph, walk: &walk, read: read.span, any: false, scalar: true };
                        selects_only(text, column).then(|| asked.compared(summary)).flatten()
                    };
                    if chooses(graph, summary, read.span, column) { Some(read.span) } else { scalar() }
                }
                _ => Asked { graph, walk: &walk, read: read.span, any: in_guard, scalar: given }.compared(summary),
            };
            let decision =
                |at, function, place| Decision { column: trace.column, read: read.span, at, function, place };
            let Some(at) = at else {
                let at = is_field(summary, read.span).then(|| {
                    let asked = Asked { graph, walk: &walk, read: read.span, any: true, scalar: false };
                    deciding::as_client(&walk, trace, function, read.span, asked.compared(summary)?)
                });
                found.extend(at.flatten().map(|at| decision(at, read.function.clone(), Place::Client)));
                continue;
            };
            // Where they differ, nobody is refused: the one is made the other, or written down.
            if walk.on_a_difference(function, at) == Miss::LetsIn && !walk.refuses_the_same(function, at) {
                continue;
            }
            // `if (!user.accessToken) console.warn(..)`: whether there is one or not, the request goes on.
            if at == read.span && is_field(summary, at) && !walk.parts_by(function, at) {
                continue;
            }
            let decision = |function, place| decision(at, function, place);
            let guards = if in_guard { BTreeSet::new() } else { letting_in(graph, schema, shapes, function, at) };
            if in_guard {
                found.insert(decision(read.function.clone(), Place::Guard));
            } else if guards.is_empty() {
                let asking = asking(graph, function, at);
                let place = |of| if deciding::is_for_renewal(graph, of) { Place::Renewal } else { Place::Endpoint };
                found.extend(asking.into_iter().map(|of| decision(graph.name(of), place(of))));
            }
            found.extend(guards.into_iter().map(|guard| decision(graph.name(guard), Place::Guard)));
        }
    }
    found.into_iter().collect()
}

/// The functions that go on from what a query finds: the one that it stands in, or the callers of one that only answers with it.
pub(super) fn asking(graph: &Graph, function: FunctionRef, at: Span) -> BTreeSet<FunctionRef> {
    let answers = |of: FunctionRef, at: Span| {
        let returned = graph.summary(of).and_then(|summary| summary.returns.as_ref());
        returned.is_some_and(|value| {
            let span = value.span;
            matches!(value.kind, ValueKind::Call(_))
                && span.file == at.file
                && span.start <= at.start
                && at.end <= span.end
        })
    };
    let mut found = BTreeSet::new();
    let mut open = vec![(function, at, 0_u8)];
    let mut seen = BTreeSet::from([function]);
    while let Some((of, at, depth)) = open.pop() {
        let callers = graph.callers(of);
        let production = callers.iter().filter(|edge| graph.scope(edge.caller) == Scope::Production);
        let calls: Vec<(FunctionRef, Span)> = production
            .filter(|edge| matches!(edge.kind, EdgeKind::Call(_)))
            .map(|edge| (edge.caller, edge.span))
            .collect();
        if depth >= 3 || calls.is_empty() || !answers(of, at) {
            found.insert(of);
            continue;
        }
        open.extend(calls.into_iter().filter(|(of, _)| seen.insert(*of)).map(|(of, at)| (of, at, depth + 1)));
    }
    found
}

/// Whether a guard may call the function that a read stands in.
pub(super) fn may_decide(read: &ReadSite) -> bool {
    matches!(read.kind, ReadKind::Query | ReadKind::Guard)
}

pub(super) fn innermost(graph: &Graph, span: Span) -> Option<FunctionRef> {
    let module = graph.module(span.file)?;
    let around = module
        .functions
        .iter()
        .enumerate()
        .filter(|(at, f)| *at > 0 && f.span.start <= span.start && span.end <= f.span.end);
    let (at, _) = around.min_by_key(|(_, f)| f.span.end - f.span.start)?;
    Some(FunctionRef { file: span.file, id: FunctionId::of(at) })
}

/// The function that makes the query which a place is part of: a closure that says what is looked for runs for it.
pub(super) fn asker(graph: &Graph, span: Span) -> Option<FunctionRef> {
    let says = |what, call: &CallValue| call.method().is_some_and(|name| graph.rules.tells(what, &name.to_lowercase()));
    let mut at = innermost(graph, span)?;
    while let Some(call) = graph.handed_to(at)
        && (says(Tells::Condition, call) || says(Tells::Alternative, call))
    {
        let parent = graph.function(at)?.parent.filter(|parent| parent.at() > 0);
        at = FunctionRef { file: at.file, id: parent? };
    }
    Some(at)
}

/// Whether a query finds rows by what it is handed for the column: one that lists it, or asks whether it is there at all, lets in whoever
/// has any.
fn chooses(graph: &Graph, summary: &Summary, condition: Span, column: &str) -> bool {
    let text = graph.sources.text(condition);
    let is_statement = text.trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select"));
    if is_statement {
        return is_compared(text, column);
    }
    let is_handed = |value: &Shared| is_handed(graph, value, 12);
    // `where('token', '=', token)`: what it is compared with stands behind its name.
    let is_it = |value: &Shared| value.span == condition && matches!(value.kind, ValueKind::Text(_));
    let named = |call: &CallValue| call.args.iter().position(|arg| is_it(&arg.value));
    let by_name = summary.calls.iter().find_map(|event| Some((&event.call, named(&event.call)?)));
    if let Some((call, at)) = by_name {
        return !denies(graph, call) && call.args[at..].iter().any(|arg| is_handed(&arg.value));
    }
    let mut args = summary.calls.iter().flat_map(|event| &event.call.args);
    args.find_map(|arg| value_at(&arg.value, condition, 12)).is_none_or(is_handed)
}

/// Whether a statement gives the column and nothing else: `SELECT access_token FROM users WHERE id = $1`.
fn selects_only(statement: &str, column: &str) -> bool {
    let lower = statement.trim().to_lowercase();
    let list = lower.strip_prefix("select").and_then(|rest| rest.split_once(" from "));
    list.is_some_and(|(list, _)| {
        let name = list.trim().rsplit('.').next().unwrap_or_default();
        name.trim_matches(['"', '`', ' ']) == column.to_lowercase()
    })
}

/// Whether a statement compares the column: `WHERE access_token = $1`.
fn is_compared(statement: &str, column: &str) -> bool {
    let (lower, column) = (statement.to_lowercase(), column.to_lowercase());
    let Some((_, behind)) = lower.split_once("from") else { return false };
    behind.match_indices(&column).any(|(at, _)| {
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '.' || c == '"' || c == '`';
        let before = behind[..at].trim_end_matches(is_name).trim_end();
        let after = behind[at + column.len()..].trim_start_matches(['"', '`']).trim_start();
        before.ends_with('=') || ["=", "in ", "in(", "like ", "<>", "!="].iter().any(|sign| after.starts_with(sign))
    })
}

/// What stands at the key, or what itself lies, at a place.
fn value_at(value: &Shared, place: Span, fuel: u8) -> Option<&Shared> {
    let fuel = fuel.checked_sub(1)?;
    if value.span == place {
        return Some(value);
    }
    if let ValueKind::Object { entries, .. } = &value.kind {
        let at_key = entries.iter().find_map(|slot| match slot {
            Slot::Named { key_span, value, .. } if *key_span == place => Some(value),
            _ => None,
        });
        if at_key.is_some() {
            return at_key;
        }
    }
    let mut found = None;
    value.kind.each(&mut |inner| found = found.or_else(|| value_at(inner, place, fuel)));
    found
}

/// Whether something lies in a value that the code is handed or finds: neither a constant, nor a column of a table, nor what a library
/// makes of these (`Not(IsNull())`).
pub(super) fn is_handed(graph: &Graph, value: &Shared, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return true };
    match &value.kind {
        ValueKind::Text(text) => text.contains([':', '?', '$', '@']),
        ValueKind::Number(_)
        | ValueKind::Bool(_)
        | ValueKind::Null
        | ValueKind::Undefined
        | ValueKind::Import(..)
        | ValueKind::Global(_)
        | ValueKind::Class(_) => false,
        ValueKind::Field(base, _) => {
            let root = std::iter::successors(Some(base), |at| match &at.kind {
                ValueKind::Field(base, _) => Some(base),
                _ => None,
            });
            root.last().is_some_and(|root| match &root.kind {
                // A table that the file declares: `eq(users.token, token)`.
                ValueKind::Captured(function, local) => {
                    let declared = graph.module(function.file).and_then(|module| module.locals.get(local.at()));
                    declared.is_none_or(|local| local.function.at() > 0)
                }
                ValueKind::Call(_) => true,
                _ => is_handed(graph, root, fuel),
            })
        }
        // `req.get('authorization')`
        ValueKind::Call(call) => {
            let of = call.receiver().into_iter().chain(call.args.iter().map(|arg| &arg.value));
            of.into_iter().any(|value| is_handed(graph, value, fuel))
        }
        ValueKind::Object { .. } | ValueKind::Array(_) => {
            let mut found = false;
            value.kind.each(&mut |inner| found = found || is_handed(graph, inner, fuel));
            found
        }
        _ => true,
    }
}

/// Whether what stands there says whose value a call gives: `user.get('token')`.
fn is_given(graph: &Graph, summary: &Summary, span: Span) -> bool {
    let gives = |call: &CallValue| {
        let method = call.method();
        method.is_some() && graph.rules.reads_named(method).any(|row| row.gives.is_some())
    };
    let names = |call: &CallValue| call.args.iter().any(|arg| arg.value.span == span);
    summary.calls.iter().any(|event| names(&event.call) && gives(&event.call))
}

fn is_field(summary: &Summary, span: Span) -> bool {
    summary.reads.iter().any(|read| read.span == span)
}

/// A read of which is asked what compares it.
struct Asked<'w, 'g, 'a> {
    graph: &'g Graph<'a>,
    walk: &'w Walk<'g, 'a>,
    read: Span,
    /// In a guard, whatever is done with it counts.
    any: bool,
    /// What is read is all that a statement gives: the value of the query itself.
    scalar: bool,
}

impl Asked<'_, '_, '_> {
    /// The comparison or check that the read goes into, where a condition or a result depends on it.
    fn compared(&self, summary: &Summary) -> Option<Span> {
        let mut conditions: Vec<&Shared> = Vec::new();
        for event in &summary.calls {
            let mut at = event.guards.as_ref();
            while let Some(guard) = at {
                conditions.push(&guard.cond);
                at = guard.outer.as_ref();
            }
        }
        // `if user.access_token != token { return Err(..) } Ok(user)`: no call lies behind it.
        conditions.extend(throwing(&summary.flow));
        conditions.extend(summary.returns.iter());
        let direct = conditions.iter().find_map(|cond| self.comparison(cond, 30));
        let told = direct.or_else(|| {
            // `const same = await compare(token, user.hash); if (!same) throw`: the call is what the condition holds.
            let call = summary.calls.iter().find(|event| self.compares(&event.call))?;
            conditions.iter().any(|cond| crate::guards::claims::holds_call(cond, call.call.site)).then(|| call.span())
        });
        told.or_else(|| {
            // `assert(user.accessToken === token)`, `requireSame(user.accessToken, token)`
            let handed = |event: &&Event| {
                let mut args = (0..).zip(&event.call.args).filter(|(_, arg)| self.comparison(&arg.value, 30).is_some());
                args.any(|(at, _)| self.walk.asserts(&event.call) || self.walk.may_throw_by(&event.call, at))
            };
            summary.calls.iter().find(handed).map(Event::span)
        })
    }

    /// A call that is handed the read and something else; outside of guards by its name too: `analytics(id, account.token)` uses the
    /// token and compares nothing.
    fn compares(&self, call: &CallValue) -> bool {
        let handed = || call.args.len() > 1 && call.args.iter().any(|arg| self.is_it(&arg.value));
        handed() && (self.any || self.is_comparison(call))
    }

    /// Whether a call is named like one that compares: `bcrypt.compare`, `argon2.verify`, `timingSafeEqual`, `ct_eq`.
    fn is_comparison(&self, call: &CallValue) -> bool {
        let target = || self.graph.targets(call).first().map(|target| self.graph.name(target.function));
        let path = || target().or_else(|| self.graph.callee_path(call)).unwrap_or_default();
        let name = call.method().map_or_else(path, str::to_owned).to_lowercase();
        let name = name.rsplit(['.', '#', ':']).next().unwrap_or_default();
        self.graph.rules.tells(Tells::Comparison, name)
    }

    fn is_it(&self, value: &Shared) -> bool {
        if !self.scalar {
            return is_at(value, self.read);
        }
        let mut at = value;
        while let ValueKind::Field(base, _) | ValueKind::Element(base) | ValueKind::Index(base, _) = &at.kind {
            at = base;
        }
        matches!(at.kind, ValueKind::Call(_))
            && at.span.file == self.read.file
            && at.span.start <= self.read.start
            && self.read.end <= at.span.end
    }

    fn comparison(&self, value: &Shared, fuel: u8) -> Option<Span> {
        let fuel = fuel.checked_sub(1)?;
        match &value.kind {
            ValueKind::Compare { left, right, .. } if self.is_it(left) || self.is_it(right) => {
                let other = if self.is_it(left) { right } else { left };
                let nothing = matches!(other.kind, ValueKind::Null | ValueKind::Undefined);
                (self.any || !nothing).then_some(value.span)
            }
            ValueKind::Cond { cond, then, otherwise } => self
                .comparison(cond, fuel)
                .or_else(|| self.comparison(then, fuel))
                .or_else(|| self.comparison(otherwise, fuel)),
            ValueKind::Not(inner) => self.comparison(inner, fuel),
            ValueKind::And(left, right) | ValueKind::Fallback { left, right, .. } => {
                self.comparison(left, fuel).or_else(|| self.comparison(right, fuel))
            }
            ValueKind::Call(call) if self.compares(call) => Some(value.span),
            _ if self.any && self.is_it(value) => Some(value.span),
            ValueKind::Object { .. } => None,
            kind => {
                let mut found = None;
                let mut inside: Vec<&Shared> = Vec::new();
                kind.each(&mut |inner| inside.push(inner));
                for inner in inside {
                    if !Arc::ptr_eq(inner, value) {
                        found = found.or_else(|| self.comparison(inner, fuel));
                    }
                }
                found
            }
        }
    }
}

pub(super) fn is_at(value: &Shared, read: Span) -> bool {
    matches!(value.kind, ValueKind::Field(..)) && value.span == read
}
