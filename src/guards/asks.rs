//! What a library call asks about what it is handed, and whether that is about the bearer.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::guards::walk::Walk;
use crate::ir::{SqlStatement, SqlText};
use crate::rules::{Asks, CallPattern, Operation, Read, Target, Tells};
use crate::schema::{self, ModelId};
use crate::sites;
use crate::summary::{CallSite, CallValue, FunctionRef, Shared, Value, ValueKind};

/// What is asked where the table is not told.
pub(super) const UNNAMED: &str = "a row of a table";

/// Whom a row is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sought {
    /// A user: who is not there may not come in.
    User,
    /// What was given to one, and is gone when it has ended.
    Session,
    /// What was revoked, or what the table does not tell.
    Other,
}

/// A question that a call puts to something that is kept.
pub(super) struct Question {
    pub asks: Asks,
    /// `a row of users`
    pub what: String,
    pub model: Option<ModelId>,
    /// Whether the answer says something of the bearer; a tenant, a counter, a log do not.
    pub of_bearer: bool,
    pub of: Sought,
}

impl Walk<'_, '_> {
    pub(super) fn asks(&self, call: &CallValue, hands: bool) -> Option<Question> {
        if let Some(model) = sites::model_read(self.graph, self.schema, call) {
            // What makes a row finds one whoever asks.
            return (!self.makes_row(call)).then(|| self.of_model(model));
        }
        let path = self.graph.library_path(call)?;
        if let Some(row) = self.graph.rules.consults_matching(&path).next() {
            if row.asks == Asks::Store && (!hands || self.is_written_out(call)) {
                return None;
            }
            let what = match row.asks {
                Asks::Row => UNNAMED,
                Asks::Session => "a session that is kept",
                Asks::Store => "a store of revoked or live tokens",
                Asks::Issuer => "another service",
            };
            let of_bearer = !self.is_aside(call);
            return Some(Question { asks: row.asks, what: what.to_owned(), model: None, of_bearer, of: Sought::Other });
        }
        if self.graph.rules.sqls_matching(&path).next().is_some()
            && let Some(tables) = self.selected_in_chain(call)
        {
            return self.of_tables(&tables);
        }
        let reads = |after: Option<&str>| after.is_none_or(|after| self.is_behind(call, after));
        let rows = self.graph.rules.reads_matching(&path);
        // What only compares a column is a part of the query around it.
        let is_other = self.is_of_another_library(&path);
        let is_meant = |row: &&Read| row.call.module().is_some() || !is_other;
        let rows: Vec<&Read> =
            rows.filter(|row| row.column.is_empty() && reads(row.after.as_deref())).filter(is_meant).collect();
        if rows.is_empty() || self.makes_row(call) {
            return None;
        }
        if let Some((model, _)) = sites::compared(self.graph, self.schema, call).into_iter().next() {
            return Some(self.of_model(model));
        }
        // The table is told where the chain begins: `db.select().from(tenants).where(..)`.
        if let Some(model) = self.begun_with(call) {
            return Some(self.of_model(model));
        }
        // `roles.find(..)` of the claims is no query; a chain that ends in this call, or one that is handed the claims, is.
        let is_chain = call.receiver().is_some_and(|at| matches!(at.kind, ValueKind::Call(_)));
        let is_told = |row: &&Read| {
            let fits = match row.on {
                Target::Chain => is_chain,
                _ => !row.types.is_empty() || hands || is_chain,
            };
            fits && may_be_of(row, &path) && !self.is_told_by_claims(call, row)
        };
        let what = UNNAMED.to_owned();
        let of_bearer = is_chain || !self.is_aside(call);
        rows.iter().any(is_told).then_some(Question {
            asks: Asks::Row,
            what,
            model: None,
            of_bearer,
            of: Sought::Other,
        })
    }

    /// Whether a later call of the chain that a call stands in asks the same: `query("SELECT ..").bind(id).fetch_one(pool)`,
    /// `knex('users').where({ id }).first()`.
    pub(super) fn asks_further_on(&self, function: FunctionRef, site: CallSite) -> bool {
        let calls = self.graph.summary(function).map_or(&[][..], |summary| summary.calls.as_slice());
        calls.iter().any(|event| {
            let on = event.call.receiver().map(Value::before_calls);
            // What only adds to it in a statement of its own asks nothing.
            matches!(on.map(|on| &on.kind), Some(ValueKind::Call(inner)) if inner.site == site)
                && self.adds_to(function, &event.call).is_none()
                && self.asks(&event.call, false).is_some_and(|question| question.asks == Asks::Row)
        })
    }

    /// Whether a read takes no more than the rows out of what a query gives, which are there whoever was found: `const { rows } = ..`.
    pub(super) fn takes_rows(&self, read: &Shared, site: CallSite) -> bool {
        let ValueKind::Field(base, name) = &read.kind else { return false };
        let ValueKind::Call(call) = &base.kind else { return false };
        // The number, out of the row that is there whoever was counted: `let n: (i64,) = ..; n.0`.
        if call.site == site && self.graph.is_rust(site.span.file) {
            return self.is_counted(call);
        }
        let Some(path) = self.graph.library_path(call).filter(|_| call.site == site) else { return false };
        self.graph.rules.sqls_matching(&path).any(|row| row.rows.as_ref() == Some(name))
    }

    /// Whether rows say of a call's own module what it does: `createHash(..).update(token)` is no query, whatever else has an `update`.
    fn is_of_another_library(&self, path: &str) -> bool {
        let rules = self.graph.rules;
        let is_told = |pattern: &CallPattern| pattern.module().is_some_and(|module| module != "global");
        rules.passes_matching(path).any(|row| is_told(&row.call))
            || rules.mints_matching(path).any(|row| is_told(&row.call))
            || rules.harmless_matching(path).any(|row| is_told(&row.call))
    }

    /// Whether a call looks into what the code itself holds: `new Set(['admin']).has(claims.role)`.
    fn is_written_out(&self, call: &CallValue) -> bool {
        let Some(receiver) = call.receiver().map(|receiver| self.graph.resolved(receiver)) else { return false };
        let ValueKind::Call(made) = &receiver.kind else { return false };
        let holds = |value: &Shared| match &self.graph.resolved(value).kind {
            ValueKind::Array(members) => {
                !members.is_empty() && members.iter().all(|member| is_constant(member.value()))
            }
            _ => false,
        };
        made.is_new && made.args.iter().any(|arg| holds(&arg.value))
    }

    /// The model that an earlier call of a chain reads.
    fn begun_with(&self, call: &CallValue) -> Option<ModelId> {
        let mut at = call;
        for _ in 0..20 {
            let Some(ValueKind::Call(inner)) = at.receiver().map(|receiver| &receiver.kind) else { return None };
            if let Some(model) = sites::model_read(self.graph, self.schema, inner) {
                return Some(model);
            }
            at = inner;
        }
        None
    }

    /// Whether the claims stand where a row of the rules has the table named: `from(claims.csrf)`.
    fn is_told_by_claims(&self, call: &CallValue, row: &Read) -> bool {
        let at_entity = || row.entity.iter().flat_map(|path| self.graph.argument(call, path));
        row.on == Target::Argument && at_entity().any(|value| self.seeds.lie_in(self.graph, &value))
    }

    fn of_model(&self, id: ModelId) -> Question {
        let model = &self.schema.models[id.0];
        let tracked = self.schema.columns.iter().any(|column| column.table.eq_ignore_ascii_case(&model.table));
        let properties = || model.properties.iter().map(|property| property.name.as_str());
        let of_bearer = tracked
            || self.graph.rules.bearer().any(|row| row.is_table(&model.name) || row.is_table(&model.table))
            || self.graph.rules.bearer().any(|row| row.has_column(properties()));
        let of = self.sought(&[&model.name, &model.table], of_bearer);
        Question { asks: Asks::Row, what: format!("a row of {}", model.table), model: Some(id), of_bearer, of }
    }

    /// Of whom the rows of a table are that goes by these names.
    fn sought(&self, names: &[&str], of_bearer: bool) -> Sought {
        let rules = self.graph.rules;
        if !names.iter().any(|name| rules.bearer().any(|row| row.is_session(name))) {
            return if of_bearer { Sought::User } else { Sought::Other };
        }
        let is_denylist = |name: &&str| rules.tells_name(Tells::Denylist, &schema::words(name));
        if names.iter().any(is_denylist) { Sought::Other } else { Sought::Session }
    }

    /// The table that says the most of those that a query reads.
    fn of_tables(&self, tables: &[String]) -> Option<Question> {
        let mut all = tables.iter().map(|table| {
            let known = self.schema.models.iter().position(|model| model.table.eq_ignore_ascii_case(table));
            known.map_or_else(
                || {
                    let of_bearer = self.graph.rules.bearer().any(|row| row.is_table(table));
                    let of = self.sought(&[table], of_bearer);
                    Question { asks: Asks::Row, what: format!("a row of {table}"), model: None, of_bearer, of }
                },
                |at| self.of_model(ModelId(at)),
            )
        });
        let first = all.next()?;
        if first.of_bearer {
            return Some(first);
        }
        Some(all.find(|question| question.of_bearer).unwrap_or(first))
    }

    /// Whether a call writes a row that was not there before, or may do so.
    fn makes_row(&self, call: &CallValue) -> bool {
        let Some(path) = self.graph.library_path(call) else { return false };
        let makes = |operation| !matches!(operation, Operation::Update);
        self.graph
            .rules
            .writes_matching(&path)
            .any(|row| makes(row.operation) && self.is_after(call, row.after.as_deref()))
    }

    fn is_after(&self, call: &CallValue, after: Option<&str>) -> bool {
        after.is_none_or(|after| self.is_behind(call, after))
    }

    /// Whether a call only writes: it asks nobody.
    pub(super) fn only_writes(&self, call: &CallValue) -> bool {
        let Some(path) = self.graph.library_path(call) else { return false };
        let by_row = || {
            let mut rows = self.graph.rules.writes_matching(&path);
            rows.any(|row| self.is_after(call, row.after.as_deref()))
        };
        let by_text = || {
            // The condition of an `UPDATE` stands behind it as a query.
            let texts = self.texts_in_chain(call);
            let mut statements = texts.iter().flat_map(|text| &text.statements);
            statements.any(|statement| !matches!(statement, SqlStatement::Select { .. }))
        };
        by_text() || by_row()
    }

    /// Whether a handler of Rust writes before it looks; of TypeScript the run through it tells.
    pub(super) fn acts_before(&self, function: FunctionRef, asked: &CallValue) -> bool {
        let is_handler = self.handles(function) && self.graph.is_rust(function.file);
        let summary = self.graph.summary(function).filter(|_| is_handler);
        let calls = summary.map_or(&[][..], |summary| summary.calls.as_slice());
        let before = calls.iter().map(|event| &event.call).filter(|call| call.site.span.end <= asked.site.span.start);
        before.into_iter().any(|call| self.only_writes(call))
    }

    /// Whether a chain of calls has one of that name: `from` of `db.select().from(users).execute()`.
    pub(super) fn is_behind(&self, call: &CallValue, name: &str) -> bool {
        let mut at = call;
        for _ in 0..20 {
            let Some(ValueKind::Call(inner)) = at.receiver().map(|receiver| &receiver.kind) else { return false };
            let path = || self.graph.callee_path(inner).unwrap_or_default();
            let is_it = match inner.method() {
                Some(method) => method == name,
                None => path().rsplit(['#', '.']).next() == Some(name),
            };
            if is_it {
                return true;
            }
            at = inner;
        }
        false
    }

    /// The tables of a query's text, which may stand where a chain begins: `query("SELECT ..").bind(id).fetch_one(pool)`.
    fn selected_in_chain(&self, call: &CallValue) -> Option<Vec<String>> {
        let texts = self.texts_in_chain(call);
        texts.iter().flat_map(|text| &text.statements).find_map(|statement| match statement {
            SqlStatement::Select { tables, .. } if !tables.is_empty() => Some(tables.clone()),
            _ => None,
        })
    }

    pub(super) fn texts_in_chain(&self, call: &CallValue) -> Vec<Arc<SqlText>> {
        let mut at = call;
        for _ in 0..20 {
            let own: Vec<_> = self
                .given(at)
                .iter()
                .filter_map(|given| match &self.graph.resolved(given).kind {
                    ValueKind::Sql(text, _) => Some(Arc::clone(text)),
                    _ => None,
                })
                .collect();
            if !own.is_empty() {
                return own;
            }
            let Some(ValueKind::Call(inner)) = at.receiver().map(|receiver| &receiver.kind) else { break };
            at = inner;
        }
        Vec::new()
    }

    /// Whether the constant words of a call's arguments, or the name of what it is called on, say that it is about something else:
    /// `redis.get(`rate:${id}`)`, `rateLimits.get(id)`, `axios.post('https://analytics/track', ..)`.
    fn is_aside(&self, call: &CallValue) -> bool {
        let mut words = BTreeSet::new();
        for arg in &call.args {
            constant_words(&self.graph.resolved(&arg.value), &mut words, 4);
        }
        if let Some(receiver) = call.receiver() {
            words.extend(schema::words(self.graph.sources.text(receiver.span)));
        }
        self.graph.rules.bearer().any(|row| row.is_aside(&words))
    }

    /// Whether a call fails by itself where it finds nothing.
    pub(super) fn fails(&self, call: &CallValue) -> bool {
        let by_name = call.method().is_some_and(|name| name.ends_with("OrThrow") || name.ends_with("OrFail"));
        by_name || {
            let Some(path) = self.graph.library_path(call) else { return false };
            self.graph.rules.sqls_matching(&path).any(|row| row.fails) || sites::fails(self.graph, self.schema, call)
        }
    }
}

/// Whether a method that any object may have is one of what a row's pack is about: `yaml.load` is not Diesel's. What a program keeps in
/// `globalThis` may be anything.
fn may_be_of(row: &Read, path: &str) -> bool {
    let named = path.split_once('#').filter(|_| row.types.is_empty() && row.call.module().is_none());
    named.is_none_or(|(module, _)| is_kept_global(path) || module.replace('_', "-").contains(row.pack.as_str()))
}

/// Whether a path is that of something that a program itself put into the global object.
pub(super) fn is_kept_global(path: &str) -> bool {
    path.strip_prefix("global#globalThis.").is_some_and(|rest| rest.contains('.'))
}

fn is_constant(value: &Shared) -> bool {
    matches!(value.kind, ValueKind::Text(_) | ValueKind::Number(_))
}

/// The words of the constants in a key or an address; an object's values are what is sent, not where.
fn constant_words(value: &Shared, words: &mut BTreeSet<String>, fuel: u8) {
    let Some(fuel) = fuel.checked_sub(1) else { return };
    match &value.kind {
        ValueKind::Text(text) => words.extend(schema::words(text)),
        ValueKind::Concat(parts) => parts.iter().for_each(|part| constant_words(part, words, fuel)),
        _ => {}
    }
}
