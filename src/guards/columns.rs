//! Whether letting in depends on a tracked column.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::Graph;
use crate::guards::shapes::Shapes;
use crate::ir::FunctionId;
use crate::provenance::{ColumnTrace, ReadKind};
use crate::schema::{ColumnId, Schema};
use crate::source::Span;
use crate::summary::{CallValue, FunctionRef, Shared, Summary, ValueKind};

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
    /// In an endpoint that compares what it is handed: a refresh.
    Endpoint,
}

/// The decisions, sorted.
pub(super) fn decisions(
    graph: &Graph,
    traces: &[ColumnTrace],
    shapes: &Shapes,
    walked: &BTreeSet<FunctionRef>,
) -> Vec<Decision> {
    let mut found = BTreeSet::new();
    for trace in traces {
        for read in &trace.reads {
            let Some(function) = innermost(graph, read.span) else { continue };
            let Some(summary) = graph.summary(function) else { continue };
            // Also in a guard that verifies nothing: a stored token needs no signature.
            let in_guard = walked.contains(&function) || shapes.of(graph, function).is_some();
            let at = match read.kind {
                // A query by the column: who has no such row is not let in.
                ReadKind::Query | ReadKind::Guard if !is_field(summary, read.span) => Some(read.span),
                _ => Asked { graph, read: read.span, any: in_guard }.compared(summary),
            };
            let Some(at) = at else { continue };
            let place = if in_guard { Place::Guard } else { Place::Endpoint };
            found.insert(Decision {
                column: trace.column,
                read: read.span,
                at,
                function: read.function.clone(),
                place,
            });
        }
    }
    found.into_iter().collect()
}

/// A read of a tracked column that nothing keeps NULL from and that NULL would break.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Risk {
    pub column: ColumnId,
    pub read: Span,
    pub function: String,
    /// What becomes of it.
    pub what: &'static str,
}

/// The reads that a NULL would break, sorted.
pub(super) fn risks(graph: &Graph, schema: &Schema, traces: &[ColumnTrace]) -> Vec<Risk> {
    let mut found = BTreeSet::new();
    for trace in traces.iter().filter(|trace| schema.columns[trace.column.0].nullable != Some(false)) {
        for read in &trace.reads {
            let Some(summary) = innermost(graph, read.span).and_then(|function| graph.summary(function)) else {
                continue;
            };
            let Some(value) = summary.reads.iter().find(|value| value.span == read.span) else { continue };
            let ValueKind::Field(_, name) = &value.kind else { continue };
            if is_asked(summary, name) {
                continue;
            }
            if let Some(what) = breaks(graph, summary, read.span) {
                found.insert(Risk { column: trace.column, read: read.span, function: read.function.clone(), what });
            }
        }
    }
    found.into_iter().collect()
}

/// Whether some condition or default of the function looks at a field of that name.
fn is_asked(summary: &Summary, name: &str) -> bool {
    fn names(value: &Shared, name: &str, seen: &mut BTreeSet<usize>) -> bool {
        if seen.len() > 3_000 || !seen.insert(Arc::as_ptr(value).addr()) {
            return false;
        }
        let mut found = matches!(&value.kind, ValueKind::Field(_, own) if own == name);
        value.kind.each(&mut |inner| found = found || names(inner, name, seen));
        found
    }
    fn asks(value: &Shared, name: &str, seen: &mut BTreeSet<usize>) -> bool {
        if seen.len() > 3_000 || !seen.insert(Arc::as_ptr(value).addr()) {
            return false;
        }
        let mut found = match &value.kind {
            ValueKind::Cond { cond, .. } => names(cond, name, &mut BTreeSet::new()),
            ValueKind::Fallback { left, .. } | ValueKind::And(left, _) => names(left, name, &mut BTreeSet::new()),
            ValueKind::Not(inner) | ValueKind::Is(inner, _) => names(inner, name, &mut BTreeSet::new()),
            ValueKind::Compare { left, right, .. } => {
                names(left, name, &mut BTreeSet::new()) || names(right, name, &mut BTreeSet::new())
            }
            _ => false,
        };
        value.kind.each(&mut |inner| found = found || asks(inner, name, seen));
        found
    }
    let mut seen = BTreeSet::new();
    for event in &summary.calls {
        let mut at = event.guards.as_ref();
        while let Some(guard) = at {
            if names(&guard.cond, name, &mut BTreeSet::new()) {
                return true;
            }
            at = guard.outer.as_ref();
        }
        if event.call.args.iter().any(|arg| asks(&arg.value, name, &mut seen))
            || asks(&event.call.callee, name, &mut seen)
        {
            return true;
        }
    }
    summary.returns.as_ref().is_some_and(|returns| asks(returns, name, &mut seen))
}

/// What becomes of a read that NULL would break.
fn breaks(graph: &Graph, summary: &Summary, read: Span) -> Option<&'static str> {
    fn in_text(value: &Shared, read: Span, fuel: u8) -> bool {
        let Some(fuel) = fuel.checked_sub(1) else { return false };
        match &value.kind {
            ValueKind::Concat(parts) => parts.iter().any(|part| is_at(part, read)),
            ValueKind::Call(_) => false,
            kind => {
                let mut found = false;
                kind.each(&mut |inner| found = found || in_text(inner, read, fuel));
                found
            }
        }
    }
    for event in &summary.calls {
        if event.call.receiver().is_some_and(|receiver| is_at(receiver, read)) {
            return Some("calls a method of it");
        }
        if event.call.args.iter().any(|arg| in_text(&arg.value, read, 12)) {
            return Some("puts it into a text");
        }
    }
    if summary.returns.as_ref().is_some_and(|returned| in_text(returned, read, 12)) {
        return Some("puts it into a text");
    }
    // `token.length`, and methods that are followed as the value that they give: `token.slice(-4)`.
    let file = graph.sources.get(read.file);
    let behind = file.text.get(read.end as usize..).unwrap_or_default().trim_start();
    let is_script = !graph.is_rust(read.file);
    (is_script && behind.starts_with('.')).then_some("takes a part of it")
}

fn innermost(graph: &Graph, span: Span) -> Option<FunctionRef> {
    let module = graph.module(span.file)?;
    let around = module
        .functions
        .iter()
        .enumerate()
        .filter(|(at, f)| *at > 0 && f.span.start <= span.start && span.end <= f.span.end);
    let (at, _) = around.min_by_key(|(_, f)| f.span.end - f.span.start)?;
    Some(FunctionRef { file: span.file, id: FunctionId::of(at) })
}

fn is_field(summary: &Summary, span: Span) -> bool {
    summary.reads.iter().any(|read| read.span == span)
}

/// A read of which is asked what compares it.
struct Asked<'g, 'a> {
    graph: &'g Graph<'a>,
    read: Span,
    /// In a guard, whatever is done with it counts.
    any: bool,
}

impl Asked<'_, '_> {
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
        conditions.extend(summary.returns.iter());
        let direct = conditions.iter().find_map(|cond| self.comparison(cond, 30));
        direct.or_else(|| {
            // `const same = await compare(token, user.hash); if (!same) throw`: the call is what the condition holds.
            let call = summary.calls.iter().find(|event| self.compares(&event.call))?;
            conditions.iter().any(|cond| crate::guards::claims::holds_call(cond, call.call.site)).then(|| call.span())
        })
    }

    /// A call that is handed the read and something else; outside of guards by its name too: `analytics(id, account.token)` uses the
    /// token and compares nothing.
    fn compares(&self, call: &CallValue) -> bool {
        let handed = || call.args.len() > 1 && call.args.iter().any(|arg| is_at(&arg.value, self.read));
        handed() && (self.any || self.is_comparison(call))
    }

    /// Whether a call is named like one that compares: `bcrypt.compare`, `argon2.verify`, `timingSafeEqual`, `ct_eq`.
    fn is_comparison(&self, call: &CallValue) -> bool {
        let target = || self.graph.targets(call).first().map(|target| self.graph.name(target.function));
        let path = || target().or_else(|| self.graph.callee_path(call)).unwrap_or_default();
        let name = call.method().map_or_else(path, str::to_owned).to_lowercase();
        let name = name.rsplit(['.', '#', ':']).next().unwrap_or_default();
        let words = ["compar", "verif", "equal", "match", "valid", "check", "same"];
        words.iter().any(|word| name.contains(word)) || name.ends_with("eq")
    }

    fn comparison(&self, value: &Shared, fuel: u8) -> Option<Span> {
        let fuel = fuel.checked_sub(1)?;
        match &value.kind {
            ValueKind::Compare { left, right, .. } if is_at(left, self.read) || is_at(right, self.read) => {
                let other = if is_at(left, self.read) { right } else { left };
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
            _ if self.any && is_at(value, self.read) => Some(value.span),
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

fn is_at(value: &Shared, read: Span) -> bool {
    matches!(value.kind, ValueKind::Field(..)) && value.span == read
}
