//! Whether a guard that reads the user asks if the user is active.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::Graph;
use crate::guards::claims::Seeds;
use crate::guards::held::Held;
use crate::guards::miss::Miss;
use crate::guards::walk::Walk;
use crate::guards::{Guard, StatusGap};
use crate::ir::{ExprId, ExprKind, SqlStatement};
use crate::rules::{Asks, Status};
use crate::schema::{Property, Schema};
use crate::source::Span;
use crate::summary::{CallValue, FunctionRef, Shared, Slot, Summary, ValueKind};

/// The properties that a guard asks by, in lower case without `_`.
pub(super) struct Asked(BTreeSet<String>);

/// What the functions on the way of one guard ask by, with those of guards that verify nothing: they run beside any other.
/// `seeds`: where the claims come from, of which nothing is asked that is kept.
pub(super) fn asked(
    graph: &Graph,
    schema: &Schema,
    seeds: &Seeds,
    functions: impl Iterator<Item = FunctionRef>,
) -> Asked {
    let mut names = BTreeSet::new();
    let rows: Vec<&Status> = graph.rules.status().collect();
    let functions: BTreeSet<FunctionRef> = functions.collect();
    let walk = Walk::new(graph, schema);
    for function in functions {
        let Some(summary) = graph.summary(function) else { continue };
        let decides = |read: &Shared| !seeds.is_claim(graph, read) && decides(&walk, function, read.span);
        note(graph, summary, &rows, &decides, &mut names);
        let by_place = summary.reads.iter().filter_map(|read| Some((read, selected(&walk, read)?)));
        let by_place = by_place.filter(|(read, name)| rows.iter().any(|row| row.fits(name)) && decides(read));
        names.extend(by_place.map(|(_, name)| plain(&name)));
    }
    Asked(names)
}

/// The column that a field of a tuple is read from: `user.1` of `SELECT id, is_active FROM users`.
fn selected(walk: &Walk, read: &Shared) -> Option<String> {
    let ValueKind::Field(base, place) = &read.kind else { return None };
    let place: usize = place.parse().ok()?;
    let mut at = base;
    let call = loop {
        match &at.kind {
            ValueKind::Call(call) => break call,
            ValueKind::Element(inner) | ValueKind::After { before: inner, .. } => at = inner,
            _ => return None,
        }
    };
    let texts = walk.texts_in_chain(call);
    let written = texts.iter().flat_map(|text| &text.statements).find_map(|statement| match statement {
        SqlStatement::Select { span, .. } => Some(walk.graph.sources.text(*span).to_lowercase()),
        _ => None,
    })?;
    let list = written.split_once("select ")?.1.split_once(" from ")?.0;
    // What a function makes of columns may hold a comma.
    let item = (!list.contains('(')).then(|| list.split(',').nth(place)).flatten()?;
    item.rsplit(['.', ' ']).find(|word| !word.is_empty()).map(|word| word.trim().to_owned())
}

/// Whether it makes a difference to a request what a read finds: `if (!user.isActive) log(..)` lets in whoever it is.
fn decides(walk: &Walk, function: FunctionRef, read: Span) -> bool {
    let Some(module) = walk.graph.module(function.file) else { return true };
    let mut exprs = module.exprs.iter().enumerate();
    let is_it = |kind: &ExprKind| matches!(kind, ExprKind::Field { .. });
    let Some((at, _)) = exprs.find(|(_, expr)| expr.span == read && is_it(&expr.kind)) else { return true };
    let lets_in = |held| walk.where_it_is(function, ExprId::of(at), Some(held)) == Miss::LetsIn;
    !(lets_in(Held::Absent) && lets_in(Held::Found))
}

impl Asked {
    pub(super) fn and(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

fn note(
    graph: &Graph,
    summary: &Summary,
    rows: &[&Status],
    decides: &dyn Fn(&Shared) -> bool,
    names: &mut BTreeSet<String>,
) {
    let is_status = |name: &str| rows.iter().any(|row| row.fits(name));
    let mut add = |name: &str| {
        if is_status(name) {
            names.insert(plain(name));
        }
    };
    let handed_on = handed_on(summary);
    for read in summary.reads.iter().filter(|read| !handed_on.contains(&read.span)) {
        if let ValueKind::Field(_, name) = &read.kind
            && is_status(name)
            && decides(read)
        {
            add(name);
        }
    }
    for event in &summary.calls {
        let call = &event.call;
        // `user.isActive()`; `res.status(401)` answers.
        if let Some(method) = call.method().filter(|_| call.args.is_empty()) {
            add(method);
        }
        // `row.get::<bool, _>("is_active")`
        if let ([name], true) = (call.args.as_slice(), call.method().is_some())
            && let ValueKind::Text(name) = &name.value.kind
        {
            add(name);
        }
        if is_query(graph, call) {
            call.args.iter().for_each(|arg| keys(graph, &arg.value, &mut add, 8));
        }
    }
    for (text, _) in &summary.sql {
        let ValueKind::Sql(text, _) = &text.kind else { continue };
        for statement in &text.statements {
            let SqlStatement::Select { columns, span, .. } = statement else { continue };
            // What is only selected is compared by code or by nobody.
            let text = graph.sources.text(*span).to_lowercase();
            let conditions = text.split_once("from").map_or(text.as_str(), |(_, behind)| behind);
            columns.iter().filter(|name| conditions.contains(&name.to_lowercase())).for_each(|name| add(name));
        }
    }
}

/// The reads that only become a field of an object: `{ id: user.id, isActive: user.isActive }` asks nothing.
fn handed_on(summary: &Summary) -> BTreeSet<Span> {
    fn visit(value: &Shared, found: &mut BTreeSet<Span>, seen: &mut BTreeSet<usize>) {
        if seen.len() > 3_000 || !seen.insert(Arc::as_ptr(value).addr()) {
            return;
        }
        if let ValueKind::Object { entries, .. } = &value.kind {
            found.extend(entries.iter().filter_map(|slot| match slot {
                Slot::Named { value, .. } if matches!(value.kind, ValueKind::Field(..)) => Some(value.span),
                _ => None,
            }));
        }
        value.kind.each(&mut |inner| visit(inner, found, seen));
    }
    let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let args = summary.calls.iter().flat_map(|event| &event.call.args).map(|arg| &arg.value);
    for value in summary.returns.iter().chain(summary.exits.values()).chain(args) {
        visit(value, &mut found, &mut seen);
    }
    found
}

/// Whether a call's arguments may be conditions: it reads rows, or lies in the tree.
fn is_query(graph: &Graph, call: &CallValue) -> bool {
    let named = |name: &str| graph.rules.reads_named(Some(name)).any(|row| row.call.last() == Some(name));
    call.method().is_some_and(named) || !graph.targets(call).is_empty()
}

/// The keys of conditions: `{ where: { id, isActive: true } }`. What a query only selects is no question.
fn keys(graph: &Graph, value: &Shared, add: &mut dyn FnMut(&str), fuel: u8) {
    let Some(fuel) = fuel.checked_sub(1) else { return };
    match &value.kind {
        ValueKind::Object { entries, .. } => {
            for slot in entries {
                let (key, value) = match slot {
                    Slot::Named { key, value, .. } => (key, value),
                    // `{ id, ...ACTIVE }`
                    Slot::Spread(inner) => {
                        keys(graph, &graph.resolved(inner), add, fuel);
                        continue;
                    }
                    Slot::Computed { .. } => continue,
                };
                if key == "select" || key == "data" {
                    continue;
                }
                add(key);
                keys(graph, value, add, fuel);
            }
        }
        ValueKind::Field(_, name) => add(name),
        ValueKind::Function(_) => {}
        kind => kind.each(&mut |inner| keys(graph, inner, add, fuel)),
    }
}

/// What the schema knows and no guard asks.
pub(super) fn gap(graph: &Graph, schema: &Schema, guard: &Guard, asked: &Asked) -> Option<StatusGap> {
    // Every other proof may well know: a session ends with its user.
    if guard.proofs.iter().any(|proof| proof.asks != Asks::Row) {
        return None;
    }
    let rows: Vec<&Status> = graph.rules.status().collect();
    let mut found = None;
    for (proof, model) in guard.proofs.iter().filter_map(|proof| Some((proof, &schema.models[proof.model?.0]))) {
        // A session that is deleted is gone; whether its user is active stands with the user.
        let of_session = |name| graph.rules.bearer().any(|row| row.is_session(name));
        if of_session(&model.name) || of_session(&model.table) {
            continue;
        }
        let class = model.class.and_then(|class| graph.class(class));
        let automatic = |property: &&Property| {
            let field = class.and_then(|class| class.fields.iter().find(|field| field.name == property.name));
            let decorators = field.map_or(&[][..], |field| field.decorators.as_slice());
            let named =
                |name: &str| rows.iter().flat_map(|row| &row.automatic).any(|pattern| pattern.last() == Some(name));
            decorators.iter().any(|decorator| decorator.name.rsplit('.').next().is_some_and(named))
        };
        let says = |property: &&Property| rows.iter().any(|row| row.fits(&property.name));
        let fitting: Vec<&Property> = model.properties.iter().filter(says).filter(|of| !automatic(of)).collect();
        let handled = |property: &&Property| {
            asked.0.contains(&plain(&property.name)) || asked.0.contains(&plain(&property.column))
        };
        if fitting.iter().any(handled) {
            return None;
        }
        if let (Some(first), None) = (fitting.first(), &found) {
            let column = format!("{}.{}", model.table, first.column);
            found = Some(StatusGap { read: proof.span, column, declared: first.span });
        }
    }
    found
}
