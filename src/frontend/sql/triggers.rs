//! Joins the triggers of a program's texts with the functions that they run.
//!
//! A migration creates the function in one text and the trigger in the next.

use crate::frontend::sql::ddl;
use crate::ir::{Assignment, ExprId, ExprKind, Module, Routines};
use crate::source::{Gap, Span};

/// Adds to the texts of a lowered file what its triggers write, and to its tables what they fill.
pub(crate) fn join(module: &mut Module, source: &str) {
    let mut routines = Routines::default();
    let mut assigned = Vec::new();
    for (at, expr) in module.exprs.iter_mut().enumerate() {
        let ExprKind::Sql(sql) = &mut expr.kind else { continue };
        let own = std::mem::take(&mut sql.routines);
        assigned.extend(own.assigned.iter().map(|one| (ExprId::of(at), one.clone())));
        routines.append(own);
    }
    fill(module, &routines);
    for (expr, assigned) in assigned {
        let Assignment { span, name, updates } = routines.assignment(assigned);
        if updates.is_empty() {
            let before = source.as_bytes().get(..span.start as usize).unwrap_or_default();
            let line = u32::try_from(memchr::memchr_iter(b'\n', before).count() + 1).unwrap_or(u32::MAX);
            module.gaps.push(Gap { path: String::new(), line, why: unjoined(&name) });
        }
        if let ExprKind::Sql(sql) = &mut module.exprs[expr.at()].kind {
            sql.statements.extend(updates);
        }
    }
}

/// The columns that triggers fill.
pub(crate) fn fill(module: &mut Module, routines: &Routines) {
    let span = Span { file: module.file, start: 0, end: 0 };
    let filled = routines.filled().into_iter();
    module.tables.extend(filled.map(|(table, column)| ddl::filled(&table, column, span)));
}

/// Why what is assigned to `NEW.column` is not known to be written.
pub(crate) fn unjoined(name: &str) -> String {
    format!("{name} is assigned for a trigger that this file does not create")
}
