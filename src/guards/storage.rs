//! What is assigned to the storage of a browser, or to its cookies, rather than kept by a call: `localStorage.token = token`.

use crate::graph::Graph;
use crate::guards::web::{Problem, is_token};
use crate::ir::{Binding, ExprId, ExprKind, Module, Place, Stmt};
use crate::rules::Keeps;
use crate::source::{FileId, Span};

/// The assignments in the statements of a function: where, the name that it is kept under, and what is wrong with it.
pub(super) fn assigned(graph: &Graph, file: FileId, statements: &[Stmt]) -> Vec<(Span, String, Problem)> {
    let Some(module) = graph.module(file) else { return Vec::new() };
    let mut found = Vec::new();
    visit(graph, module, statements, &mut found);
    found
}

fn visit(graph: &Graph, module: &Module, statements: &[Stmt], found: &mut Vec<(Span, String, Problem)>) {
    for statement in statements {
        match statement {
            Stmt::Assign { target: Place::Field { base, name, .. }, value, span } => {
                found.extend(kept(graph, module, *base, name, *value).map(|(name, problem)| (*span, name, problem)));
            }
            Stmt::If { then, otherwise, .. } => {
                visit(graph, module, then, found);
                visit(graph, module, otherwise, found);
            }
            Stmt::Loop { body } => visit(graph, module, body, found),
            Stmt::Try { body, catch, finally } => {
                for part in [body, catch, finally] {
                    visit(graph, module, part, found);
                }
            }
            Stmt::Assign { .. } | Stmt::Expr(_) | Stmt::Return(_) | Stmt::Throw(_) => {}
        }
    }
}

fn kept(graph: &Graph, module: &Module, base: ExprId, name: &str, value: ExprId) -> Option<(String, Problem)> {
    let object = global(module, base)?;
    let value = module.expr(value);
    let clears = match &value.kind {
        ExprKind::Text(text) => text.is_empty(),
        ExprKind::Null | ExprKind::Undefined => true,
        _ => false,
    };
    // A property of a storage is an item of it, as `setItem` makes one.
    let item = format!("global#{object}.setItem");
    let keeps = |path: &str, keeps: Keeps| graph.rules.webs_matching(path).any(|row| row.keeps == keeps);
    if !clears && is_token(graph.rules, name) && keeps(&item, Keeps::Storage) {
        return Some((name.to_owned(), Problem::Storage));
    }
    if !keeps(&format!("global#{object}.{name}"), Keeps::ScriptCookie) {
        return None;
    }
    // `token=${token}; path=/`
    let text = graph.sources.text(value.span).trim_start_matches(['`', '\'', '"']);
    let (name, rest) = text.split_once('=')?;
    let is_set =
        !rest.starts_with([';', '\'', '"', '`']) && !rest.to_lowercase().replace(' ', "").contains("max-age=0");
    let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-' || c == '.');
    (is_set && is_name && is_token(graph.rules, name)).then(|| (name.to_owned(), Problem::ScriptCookie))
}

/// `localStorage`, `window.localStorage`.
fn global(module: &Module, expr: ExprId) -> Option<String> {
    match &module.expr(expr).kind {
        ExprKind::Name(Binding::Global(name)) => Some(name.clone()),
        ExprKind::Field { base, name, .. } => Some(format!("{}.{name}", global(module, *base)?)),
        _ => None,
    }
}
