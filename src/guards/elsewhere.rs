//! What is called like the status of a user and is none: of an error, an answer, a row of another table, what a request asks for.

use crate::graph::Graph;
use crate::guards::columns::is_handed;
use crate::guards::walk::Walk;
use crate::ir::SqlStatement;
use crate::rules::{Asks, Tells};
use crate::schema::ModelId;
use crate::sites;
use crate::source::Span;
use crate::summary::{CallValue, Shared, Summary, ValueKind};

impl Walk<'_, '_> {
    /// Whether a field is read of something that is no user: `err.status`, `(await fetch(url)).status`, `order.status`, `req.query.active`.
    pub(super) fn is_of_another(&self, read: &Shared) -> bool {
        let ValueKind::Field(base, _) = &read.kind else { return false };
        let mut at = self.graph.resolved(base);
        for _ in 0..12 {
            let next = match &at.kind {
                // What a `catch` is handed.
                ValueKind::Opaque("a thrown value", _) => return true,
                ValueKind::Field(base, name) => {
                    let is_said = self.graph.rules.bearer().any(|row| row.is_said(name));
                    if is_said && matches!(base.kind, ValueKind::Param(..)) {
                        return true;
                    }
                    base
                }
                ValueKind::Call(call) => {
                    if let Some(model) = sites::model_read(self.graph, self.schema, call) {
                        return !self.is_of_users(model);
                    }
                    if self.asks_elsewhere(call) {
                        return true;
                    }
                    match call.receiver() {
                        Some(receiver) => receiver,
                        None => return false,
                    }
                }
                ValueKind::Element(base)
                | ValueKind::Index(base, _)
                | ValueKind::After { before: base, .. }
                | ValueKind::Object { base: Some(base), .. } => base,
                _ => return false,
            };
            at = self.graph.resolved(next);
        }
        false
    }

    /// Whether a call asks another service: what it gives is an answer.
    pub(super) fn asks_elsewhere(&self, call: &CallValue) -> bool {
        let path = self.graph.library_path(call);
        path.is_some_and(|path| self.graph.rules.consults_matching(&path).any(|row| row.asks == Asks::Issuer))
    }

    /// Whether rows of a model say who may come in.
    fn is_of_users(&self, model: ModelId) -> bool {
        let model = &self.schema.models[model.0];
        self.is_users_table(&model.table) || self.graph.rules.bearer().any(|row| row.is_table(&model.name))
    }

    fn is_users_table(&self, table: &str) -> bool {
        self.schema.columns.iter().any(|column| column.table.eq_ignore_ascii_case(table))
            || self.graph.rules.bearer().any(|row| row.is_table(table) || row.is_session(table))
    }

    /// Whether what a query asks says nothing of the bearer: it is of another table, or counts whoever there is.
    pub(super) fn asks_of_another(&self, call: &CallValue) -> bool {
        let compared = || sites::compared(self.graph, self.schema, call).into_iter().next().map(|(model, _)| model);
        let Some(model) = sites::model_read(self.graph, self.schema, call).or_else(compared) else { return false };
        let is_whole = !call.receiver().is_some_and(|on| matches!(on.kind, ValueKind::Call(_)));
        let by_constants = || !call.args.iter().any(|arg| is_handed(self.graph, &arg.value, 12));
        !self.is_of_users(model) || is_whole && !call.args.is_empty() && by_constants()
    }

    /// The part of a query's text by which it asks, in lower case; `None` where it asks of other tables.
    pub(super) fn asked_in(&self, statement: &SqlStatement) -> Option<String> {
        let SqlStatement::Select { tables, span, .. } = statement else { return None };
        if !tables.is_empty() && !tables.iter().any(|table| self.may_be_of_users(table)) {
            return None;
        }
        let text = self.graph.sources.text(*span).to_lowercase();
        let behind = text.split_once("from").map_or(text.as_str(), |(_, behind)| behind);
        // What only sorts chooses nobody.
        let mut parts = behind.split("order by");
        let first = parts.next().unwrap_or_default().to_owned();
        Some(parts.filter_map(|part| part.split_once(')')).fold(first, |all, (_, rest)| all + rest))
    }

    /// A view of users may have any name.
    fn may_be_of_users(&self, table: &str) -> bool {
        let is_known = self.schema.models.iter().any(|model| model.table.eq_ignore_ascii_case(table));
        !is_known || self.is_users_table(table)
    }

    /// Where a function only writes down what it hands over, or sorts by it: `tracing::info!(user.is_active)`, `orderBy(desc(users.isActive))`.
    pub(super) fn passed_over(&self, summary: &Summary) -> Vec<Span> {
        let chooses = |call: &CallValue| {
            call.method().is_some_and(|name| self.graph.rules.tells(Tells::Choice, &name.to_lowercase()))
        };
        let calls = summary.calls.iter().map(|event| &event.call);
        let only = calls.filter(|call| chooses(call) || self.only_tells(call));
        only.flat_map(|call| call.args.iter().map(|arg| arg.value.span)).collect()
    }

    /// Whether a look-up runs what every query of its model asks by itself: `User.unscoped()` does not, nor does `findById` run
    /// `schema.pre('find', ..)`.
    pub(super) fn runs_always(&self, lookup: Span, hook: &CallValue) -> bool {
        let text = self.graph.sources.text(lookup);
        let calls = |name: &String| text.contains(&format!(".{name}("));
        let rows = || self.graph.rules.status();
        if rows().flat_map(|row| &row.skips).any(calls) {
            return false;
        }
        let Some(first) = hook.args.first() else { return true };
        let named: Vec<String> = match &self.graph.resolved(&first.value).kind {
            ValueKind::Text(name) => vec![name.clone()],
            ValueKind::Array(members) => {
                members.iter().filter_map(|member| text_of(self.graph, member.value())).collect()
            }
            _ => return true,
        };
        let mut known = rows().flat_map(|row| &row.hooked).filter(|hooked| named.contains(&hooked.hook)).peekable();
        known.peek().is_none() || known.flat_map(|hooked| &hooked.by).any(calls)
    }
}

fn text_of(graph: &Graph, value: &Shared) -> Option<String> {
    match &graph.resolved(value).kind {
        ValueKind::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// Whether a value depends on a field otherwise than by writing it out: no part of a text or an object.
pub(super) fn depends_on(value: &Shared, read: Span, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return true };
    if value.span == read && matches!(value.kind, ValueKind::Field(..)) {
        return true;
    }
    if matches!(value.kind, ValueKind::Concat(_) | ValueKind::Object { .. }) {
        return false;
    }
    let mut found = false;
    value.kind.each(&mut |inner| found = found || depends_on(inner, read, fuel));
    found
}
