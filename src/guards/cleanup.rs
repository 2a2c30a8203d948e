//! What is done where nobody was found and refuses nobody: a log line, a row that is written or deleted.

use crate::guards::miss::Run;
use crate::guards::walk::Walk;
use crate::ir::{ExprId, Stmt};
use crate::rules::Asks;
use crate::summary::{CallValue, FunctionRef};

impl Run<'_, '_, '_> {
    /// Whether a call only writes down what it is handed, as a log does, or a row that is not looked at (`dropped`).
    pub(super) fn only_records(&self, id: ExprId, dropped: bool) -> bool {
        let walk = self.walk;
        let writes = |call: &CallValue| walk.only_writes(call) && (self.compares() || dropped && !walk.fails(call));
        let records = |call: &CallValue| {
            walk.only_tells(call) || walk.is_told_to_tellers(call) || writes(call) || dropped && walk.clears(call, 4)
        };
        self.calls_of(id).any(records)
    }

    /// Whether a call only writes: what it does refuses nobody who does not come to it.
    pub(super) fn only_changes(&self, id: ExprId) -> bool {
        self.calls_of(id).any(|call| self.walk.only_writes(call) || self.walk.clears(call, 4))
    }
}

impl Walk<'_, '_> {
    /// Whether a call takes away what is kept, and does not fail where there is nothing; or is one of a function that does nothing else
    /// but write.
    fn clears(&self, call: &CallValue, fuel: u8) -> bool {
        let Some(fuel) = fuel.checked_sub(1) else { return false };
        let targets = self.graph.targets(call);
        if !targets.is_empty() {
            return targets.iter().all(|target| self.only_clears(target.function, fuel));
        }
        self.deletes(call) || self.takes_out(call)
    }

    /// Whether a function does no more than to write down, to write and to delete rows.
    fn only_clears(&self, function: FunctionRef, fuel: u8) -> bool {
        let (Some(summary), Some(module)) = (self.graph.summary(function), self.graph.module(function.file)) else {
            return false;
        };
        // In Rust what fails by itself vanishes at lowering.
        !self.graph.is_rust(function.file)
            && !summary.calls.is_empty()
            && !throws(&module.function(function.id).body)
            && summary.calls.iter().all(|event| {
                let call = &event.call;
                self.only_tells(call) || self.only_writes(call) && !self.fails(call) || self.clears(call, fuel)
            })
    }

    /// Whether a call deletes or changes rows of a table.
    fn deletes(&self, call: &CallValue) -> bool {
        let Some(method) = call.method() else { return false };
        let method = method.to_lowercase();
        self.graph.rules.ending().any(|row| row.is_change(&method))
            && !self.fails(call)
            && self.asks(call, true).is_some_and(|question| question.asks == Asks::Row)
    }

    /// Whether a call takes an entry out of a cache.
    fn takes_out(&self, call: &CallValue) -> bool {
        let Some(method) = call.method() else { return false };
        let mut rows = self.graph.rules.lasting().filter(|row| row.ends.iter().any(|end| end == method)).peekable();
        if rows.peek().is_none() {
            return false;
        }
        let Some(path) = self.graph.library_path(call) else { return false };
        let Some(of) = path.strip_suffix(method) else { return false };
        rows.any(|row| row.read.last().is_some_and(|read| row.read.matches(&format!("{of}{read}"))))
    }
}

/// Whether statements throw, under whatever condition.
pub(super) fn throws(statements: &[Stmt]) -> bool {
    statements.iter().any(|statement| match statement {
        Stmt::Throw(_) => true,
        Stmt::If { then, otherwise, .. } => throws(then) || throws(otherwise),
        Stmt::Loop { body } => throws(body),
        Stmt::Try { body, catch, finally } => throws(body) || throws(catch) || throws(finally),
        Stmt::Assign { .. } | Stmt::Expr(_) | Stmt::Return(_) => false,
    })
}
