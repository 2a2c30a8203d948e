//! What becomes of a row that was found by its token, where the code goes on from it to the next token.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::graph::{EdgeKind, Graph};
use crate::guards::claims::holds_call;
use crate::guards::columns::{Decision, asker, asking};
use crate::guards::some::holds;
use crate::ir::SqlStatement;
use crate::schema::{ColumnId, Schema};
use crate::sites;
use crate::source::Span;
use crate::summary::{CallSite, CallValue, FunctionRef, Shared, Slot, Value, ValueKind};

/// How the row that an endpoint found by the column ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rotation {
    pub column: ColumnId,
    /// The query or comparison.
    pub read: Span,
    /// Who goes on from it.
    pub function: String,
    pub ended: Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// Nothing that is called from there on changes or deletes a row of the table.
    Never,
    /// A statement does so, and nobody looks at whether it found the row still there.
    Apart(Span),
    /// It is locked until it is ended: `FOR UPDATE`.
    Locked,
}

/// Sorted.
pub(super) fn rotations(graph: &Graph, schema: &Schema, decisions: &[Decision]) -> Vec<Rotation> {
    let endpoints = decisions.iter().filter(|decision| decision.place.is_endpoint());
    let all = |decision: &Decision| {
        let Decision { column, read, at, function, .. } = decision.clone();
        let asking = asker(graph, read).map(|of| asking(graph, of, at)).unwrap_or_default();
        let own = asking.into_iter().filter(|of| graph.name(*of) == function);
        let ended: Vec<Ended> = own.filter_map(|of| Ends::find(graph, schema, (column, read), of).told()).collect();
        ended.into_iter().map(move |ended| Rotation { column, read, function: function.clone(), ended })
    };
    let found: BTreeSet<Rotation> = endpoints.flat_map(all).collect();
    found.into_iter().collect()
}

struct Ends<'g, 'a> {
    graph: &'g Graph<'a>,
    schema: &'g Schema,
    column: ColumnId,
    read: Span,
    seen: BTreeSet<FunctionRef>,
    apart: Option<Span>,
    /// A statement that takes the row for itself, or something that could not be followed.
    safe: bool,
    locked: bool,
}

impl<'g, 'a> Ends<'g, 'a> {
    fn find(graph: &'g Graph<'a>, schema: &'g Schema, (column, read): (ColumnId, Span), function: FunctionRef) -> Self {
        let mut ends =
            Self { graph, schema, column, read, seen: BTreeSet::new(), apart: None, safe: false, locked: false };
        ends.visit(function, 4);
        ends
    }

    fn told(&self) -> Option<Ended> {
        if self.locked {
            return Some(Ended::Locked);
        }
        if self.safe {
            return None;
        }
        Some(self.apart.map_or(Ended::Never, Ended::Apart))
    }

    fn visit(&mut self, function: FunctionRef, fuel: u8) {
        let Some(fuel) = fuel.checked_sub(1) else {
            self.safe = true;
            return;
        };
        if !self.seen.insert(function) || self.seen.len() > 60 {
            return;
        }
        let Some(declared) = self.graph.function(function) else { return };
        let text = self.graph.sources.text(declared.span).to_lowercase();
        self.locked |= self.graph.rules.ending().flat_map(|row| &row.locks).any(|word| text.contains(word));
        for call in self.graph.calls_inside(function) {
            let holder = FunctionRef { file: function.file, id: call.site.function.id };
            // `diesel::delete(tokens.filter(token.eq(handed)))` finds and ends in one.
            if self.ends_by_it(call) {
                self.safe |= self.decides(holder, call.site, 4) || sites::fails(self.graph, self.schema, call);
            }
            if self.ends_row(call) {
                if self.takes(holder, call) {
                    self.safe = true;
                } else {
                    self.apart.get_or_insert(call.site.span);
                }
                continue;
            }
            let targets = self.graph.targets(call);
            let name = call.method().unwrap_or_default().to_lowercase();
            if targets.is_empty() && self.ends_it(call) {
                if self.decides(holder, call.site, 4) {
                    self.safe = true;
                } else {
                    self.apart.get_or_insert(call.site.span);
                }
                continue;
            }
            if targets.is_empty() && !adds(call) {
                self.safe |= self.graph.rules.ending().any(|row| row.is_taking(&name));
            }
            for target in targets.iter() {
                self.visit(target.function, fuel);
            }
        }
    }

    /// Whether a call changes, deletes or saves the row that the query found: `row.revoked = true; repository.save(row)`, `row.destroy()`.
    fn ends_it(&self, call: &CallValue) -> bool {
        let is_row = |part: &Shared| {
            let (span, read) = (part.span, self.read);
            let is_query = span.file == read.file && span.start <= read.start && read.end <= span.end;
            matches!(&part.kind, ValueKind::Call(call) if is_query || self.hands_back(call, 4))
        };
        let saves = call.method().is_some_and(|name| name == "save") || self.changes(call);
        let of_row = |value: &Shared| match &value.kind {
            // A new row that takes something of it.
            ValueKind::Object { base: None, .. } => false,
            _ => holds(value, &is_row, 6),
        };
        let given = call.args.first().map(|arg| &arg.value);
        saves && (call.receiver().is_some_and(of_row) || call.method() == Some("save") && given.is_some_and(of_row))
    }

    /// Whether functions of the tree give the row that the query found: `const row = await valid(token)`.
    fn hands_back(&self, call: &CallValue, fuel: u8) -> bool {
        let Some(fuel) = fuel.checked_sub(1) else { return false };
        let asks = asker(self.graph, self.read);
        self.graph.targets(call).iter().any(|target| {
            let returned = self.graph.summary(target.function).and_then(|summary| summary.returns.as_ref());
            Some(target.function) == asks
                || returned
                    .is_some_and(|value| matches!(&value.kind, ValueKind::Call(inner) if self.hands_back(inner, fuel)))
        })
    }

    /// Whether a call is named for changing or deleting rows.
    fn changes(&self, call: &CallValue) -> bool {
        let path = || self.graph.callee_path(call).unwrap_or_default();
        let name = call.method().map_or_else(path, str::to_owned).to_lowercase();
        let name = name.rsplit(['#', '.', ':']).next().unwrap_or_default();
        self.graph.rules.ending().any(|row| row.is_change(name))
    }

    /// Whether the query itself changes or deletes what it finds.
    fn ends_by_it(&self, call: &CallValue) -> bool {
        let (span, read) = (call.site.span, self.read);
        let is_around = span.file == read.file && span.start <= read.start && read.end <= span.end;
        let inner = |value: &Shared| match &value.kind {
            ValueKind::Call(inner) => Some(Arc::clone(inner)),
            _ => None,
        };
        let chain = std::iter::successors(call.receiver().and_then(inner), |call| call.receiver().and_then(inner));
        is_around && (self.changes(call) || chain.into_iter().any(|call| self.changes(&call)))
    }

    /// Whether a call changes or deletes rows of the table.
    fn ends_row(&self, call: &CallValue) -> bool {
        let tracked = &self.schema.columns[self.column.0];
        let in_statement = |statement: &SqlStatement| match statement {
            SqlStatement::Update { table, .. } | SqlStatement::Delete { table, .. } => {
                table.eq_ignore_ascii_case(&tracked.table)
            }
            _ => false,
        };
        let by_text = |value: &Shared| match &value.kind {
            ValueKind::Sql(text, _) => text.statements.iter().any(in_statement),
            _ => false,
        };
        if call.args.iter().any(|arg| by_text(&arg.value) || by_text(&self.graph.resolved(&arg.value))) {
            return true;
        }
        // `diesel::update(refresh_tokens.find(id))`
        let of_table = |value: &Shared| {
            let mut at = value;
            while let ValueKind::Call(inner) = &at.kind {
                let Some(receiver) = inner.receiver() else { return false };
                at = receiver;
            }
            // As it is written: the names of a schema come in by a glob.
            self.graph.sources.text(at.span).split(':').any(|step| step.trim() == tracked.table)
        };
        self.changes(call) && {
            if call.method().is_none() && call.args.first().is_some_and(|arg| of_table(&arg.value)) {
                return true;
            }
            let is_own = |model| tracked.bindings.iter().any(|(own, _)| *own == model);
            let compared =
                || sites::compared(self.graph, self.schema, call).into_iter().any(|(model, _)| is_own(model));
            self.graph.refuel();
            // `RefreshToken.deleteOne({ _id: row.id })`, `db.delete(refreshTokens)`
            let named = || {
                let mut named = call.receiver().into_iter().chain(call.args.first().map(|arg| &arg.value));
                named.any(|value| sites::model_behind(self.graph, self.schema, value).is_some_and(is_own))
            };
            sites::model_read(self.graph, self.schema, call).is_some_and(is_own) || compared() || named()
        }
    }

    /// Whether a statement takes the row for itself: it fails where the row is gone, or what it found decides.
    fn takes(&self, function: FunctionRef, call: &CallValue) -> bool {
        let fails = || sites::fails(self.graph, self.schema, call);
        if fails() && (!call.method().is_some_and(|name| name.contains("pdate")) || asks_what_it_sets(call)) {
            return true;
        }
        self.decides(function, call.site, 4)
    }

    /// Whether something depends on what a call gives, here or, where it is only answered with, in the callers on the way.
    fn decides(&self, function: FunctionRef, site: CallSite, fuel: u8) -> bool {
        let (Some(summary), Some(fuel)) = (self.graph.summary(function), fuel.checked_sub(1)) else { return true };
        let holds = |value: &Shared| holds_call(value, site);
        let decided = summary.calls.iter().any(|event| {
            let conditions = std::iter::successors(event.guards.as_ref(), |guard| guard.outer.as_ref());
            conditions.map(|guard| &guard.cond).any(holds)
        });
        if decided || !summary.returns.as_ref().is_some_and(holds) {
            return decided;
        }
        let callers = self.graph.callers(function);
        let mut on_the_way = callers.iter().filter(|edge| self.seen.contains(&edge.caller)).peekable();
        on_the_way.peek().is_none()
            || on_the_way.any(|edge| match &edge.kind {
                EdgeKind::Call(call) => self.decides(edge.caller, call.site, fuel),
                EdgeKind::Callback(_) | EdgeKind::Framework => true,
            })
    }
}

/// Whether a call saves what was only just made: `repository.save(repository.create({ token }))`.
fn adds(call: &CallValue) -> bool {
    let is_new = |value: &Shared| match &value.kind {
        ValueKind::Object { base: None, .. } => true,
        ValueKind::Call(made) => made.is_new || made.method() == Some("create"),
        _ => false,
    };
    let of = call.args.first().map(|arg| &arg.value).or(call.receiver());
    call.method() == Some("save") && of.is_some_and(|value| is_new(Value::before_calls(value)))
}

/// `update({ where: { id, revoked: false }, data: { revoked: true } })`
fn asks_what_it_sets(call: &CallValue) -> bool {
    fn count<'v>(value: &'v Shared, keys: &mut BTreeMap<&'v str, u32>, fuel: u8) {
        let (Some(fuel), ValueKind::Object { entries, .. }) = (fuel.checked_sub(1), &value.kind) else { return };
        for slot in entries {
            if let Slot::Named { key, value, .. } = slot {
                *keys.entry(key).or_default() += 1;
                count(value, keys, fuel);
            }
        }
    }
    let mut keys = BTreeMap::new();
    call.args.iter().for_each(|arg| count(&arg.value, &mut keys, 6));
    keys.values().any(|times| *times > 1)
}
