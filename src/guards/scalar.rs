//! Queries that give one column and nothing else: `SELECT is_active FROM users WHERE id = $1`.

use crate::guards::subject::chain;
use crate::guards::walk::Walk;
use crate::ir::{Expr, ExprId, ExprKind, SqlStatement};
use crate::rules::Tells;
use crate::source::Span;
use crate::summary::{CallValue, Flow, FunctionRef, Shared, Summary, ValueKind};

const DEEPEST: u8 = 20;

impl Walk<'_, '_> {
    /// The columns of such queries whose value makes a difference to a request, not only whether there is one.
    pub(super) fn asked_by_value(&self, function: FunctionRef, summary: &Summary) -> Vec<String> {
        let mut found = Vec::new();
        self.compared_on_ways(&summary.flow, &mut found);
        let returned = summary.returns.iter().chain(summary.exits.values());
        let is_returned = |value: &Shared| matches!(value.kind, ValueKind::Call(_));
        let (handed_back, made): (Vec<&Shared>, Vec<&Shared>) = returned.partition(|value| is_returned(value));
        for value in made {
            self.compared_value(value, &mut found, DEEPEST);
        }
        found.retain(|(at, _)| self.decides_at(function, *at));
        let names = found.into_iter().map(|(_, name)| name);
        // Who calls compares it.
        names.chain(handed_back.into_iter().filter_map(|value| self.given_by(value))).collect()
    }

    fn compared_on_ways(&self, flow: &[Flow], found: &mut Vec<(Span, String)>) {
        for step in flow {
            match step {
                Flow::Branch(branch) => {
                    self.compared_value(&branch.cond, found, DEEPEST);
                    self.compared_on_ways(&branch.then, found);
                    self.compared_on_ways(&branch.otherwise, found);
                }
                Flow::Try(tried) => {
                    self.compared_on_ways(&tried.body, found);
                    self.compared_on_ways(&tried.catch, found);
                }
                Flow::Call(_) | Flow::Return(_) | Flow::Throw => {}
            }
        }
    }

    /// Where a condition goes by the value that such a query gives.
    fn compared_value(&self, cond: &Shared, found: &mut Vec<(Span, String)>, fuel: u8) {
        let Some(fuel) = fuel.checked_sub(1) else { return };
        let mut note = |name: Option<String>| found.extend(name.map(|name| (cond.span, name)));
        match &cond.kind {
            ValueKind::Compare { left, right, .. } => {
                for (side, other) in [(left, right), (right, left)] {
                    let is_nothing = matches!(other.kind, ValueKind::Null | ValueKind::Undefined);
                    note(self.given_by(side).filter(|_| !is_nothing));
                }
            }
            // `active.unwrap_or(false)`
            ValueKind::Fallback { left, right, .. }
                if matches!(right.kind, ValueKind::Bool(_) | ValueKind::Text(_) | ValueKind::Number(_)) =>
            {
                note(self.given_by(left));
            }
            // There is one, or the query has failed.
            ValueKind::Call(call) if self.graph.is_rust(cond.span.file) && self.fails(call) => {
                note(self.given_by(cond));
            }
            // `!active` is of the value, `active.is_none()` of whether there is one.
            ValueKind::Not(inner) => {
                if self.graph.is_rust(cond.span.file) && self.is_negated(cond.span) {
                    note(self.given_by(inner));
                }
                self.compared_value(inner, found, fuel);
            }
            ValueKind::And(left, right) | ValueKind::Fallback { left, right, .. } => {
                self.compared_value(left, found, fuel);
                self.compared_value(right, found, fuel);
            }
            ValueKind::Cond { cond, then, otherwise } => {
                for part in [cond, then, otherwise] {
                    self.compared_value(part, found, fuel);
                }
            }
            ValueKind::Either(values) => {
                for part in values {
                    self.compared_value(part, found, fuel);
                }
            }
            _ => {}
        }
    }

    /// The one column that a query gives.
    fn given_by(&self, value: &Shared) -> Option<String> {
        let ValueKind::Call(call) = &value.kind else { return None };
        let texts = self.texts_in_chain(call);
        let mut statements = texts.iter().flat_map(|text| &text.statements);
        match statements.find(|statement| matches!(statement, SqlStatement::Select { .. })) {
            Some(statement) => self.selected_at(statement, 0).filter(|_| self.selected_at(statement, 1).is_none()),
            None => self.chosen_by(call),
        }
    }

    /// The column in a place of the list of a statement: `is_active` of `SELECT id, is_active FROM users`.
    pub(super) fn selected_at(&self, statement: &SqlStatement, place: usize) -> Option<String> {
        let SqlStatement::Select { span, .. } = statement else { return None };
        let written = self.graph.sources.text(*span).to_lowercase();
        let (list, _) = written.split_once("select")?.1.split_once("from")?;
        // What a function makes of columns may hold a comma.
        let item = (!list.contains('(')).then(|| list.split(',').nth(place)).flatten()?;
        let name = item.trim().rsplit(['.', ' ']).next()?;
        Some(name.trim_matches(['"', '`', '!', '?']).to_owned())
    }

    /// `users::table.find(id).select(users::is_active)`
    fn chosen_by(&self, call: &CallValue) -> Option<String> {
        let chooses = |call: &&CallValue| {
            call.method().is_some_and(|name| self.graph.rules.tells(Tells::Choice, &name.to_lowercase()))
        };
        let chosen = chain(call).into_iter().find(chooses)?;
        let [only] = chosen.args.as_slice() else { return None };
        let written = self.graph.sources.text(only.value.span);
        written.rsplit([':', '.']).next().map(str::to_owned)
    }

    /// Whether `!` stands in front of what is no question of an option.
    fn is_negated(&self, at: Span) -> bool {
        let written = self.graph.sources.text(at);
        written.starts_with('!') && !written.ends_with(')')
    }

    /// Whether a request goes otherwise where what stands at a place holds than where it does not.
    fn decides_at(&self, function: FunctionRef, at: Span) -> bool {
        let Some(module) = self.graph.module(function.file) else { return true };
        let tests = |expr: &Expr| {
            let is_test = matches!(
                expr.kind,
                ExprKind::Compare { .. } | ExprKind::Fallback { .. } | ExprKind::Call(_) | ExprKind::Not(_)
            );
            is_test && expr.span == at
        };
        let Some(at) = module.exprs.iter().position(tests) else { return true };
        self.parts_ways_at(function, ExprId::of(at))
    }
}
