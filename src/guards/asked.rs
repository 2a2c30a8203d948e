//! Whether the code asks whether a column that it reads is there, before NULL would break what becomes of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::Graph;
use crate::guards::claims::about;
use crate::guards::risks::{Reader, contains, innermost_in};
use crate::ir::{Binding, Expr, ExprId, ExprKind, FunctionId, Module, Stmt};
use crate::source::Span;
use crate::summary::{CallValue, FunctionRef, Shared, ValueKind};

impl Reader<'_, '_> {
    /// Whether some condition or default looks at it before: in the function, in those around it, in a filter of the list it runs
    /// over, in a function of the tree that a condition asks, by a call that demands it.
    pub(super) fn is_asked(&self) -> bool {
        let conditions = self.conditions();
        let within = |span: Span| conditions.iter().any(|condition| contains(*condition, span));
        if self.mentions().any(|expr| within(expr.span) && !self.is_demanded(expr.span)) {
            return true;
        }
        let calls = || {
            let functions = self.around.iter().map(|id| FunctionRef { file: self.read.file, id: *id });
            functions.filter_map(|function| self.graph.summary(function)).flat_map(|summary| &summary.calls)
        };
        // `assert(user.accessToken)`
        let demanded = calls().any(|event| {
            let rows = self.graph.rules.demands_named(event.call.method()).filter(|row| row.asks);
            event.call.args.iter().any(|arg| names(&arg.value, &self.name))
                && !about(self.graph, rows, &event.call).is_empty()
        });
        // `if (!hasToken(user)) return`
        let asked = || {
            let inside = calls().filter(|event| within(event.span()));
            inside
                .map(|event| self.graph.targets(&event.call))
                .any(|targets| targets.iter().any(|target| self.reads_it(target.function)))
        };
        demanded || asked() || calls().any(|event| self.is_refused_by(&event.call)) || self.is_filtered()
    }

    fn reads_it(&self, function: FunctionRef) -> bool {
        let reads = |value: &Shared| matches!(&value.kind, ValueKind::Field(_, name) if *name == self.name);
        self.graph.summary(function).is_some_and(|summary| summary.reads.iter().any(reads))
    }

    /// Whether functions of the tree throw where what a call hands them is not there: `requireToken(user)`.
    fn is_refused_by(&self, call: &CallValue) -> bool {
        let at = call.args.iter().position(|arg| names(&arg.value, &self.name));
        let targets = self.graph.targets(call);
        !targets.is_empty()
            && targets.iter().all(|target| {
                throws(self.graph, target.function)
                    && match at {
                        Some(at) => asks_for(self.graph, target.function, at),
                        None => self.reads_it(target.function),
                    }
            })
    }

    /// `users.filter((user) => user.accessToken).map(..)`
    fn is_filtered(&self) -> bool {
        let functions = self.module.functions.iter().enumerate();
        let siblings = functions.filter(|(_, other)| other.parent.is_some_and(|parent| self.around.contains(&parent)));
        let text = &self.graph.sources.get(self.read.file).text;
        let mut filters = siblings.filter(|(_, other)| {
            let before = text.get(..other.span.start as usize).unwrap_or_default().trim_end();
            [".filter(", ".find(", ".findLast("].iter().any(|call| before.ends_with(call))
        });
        filters.any(|(at, _)| self.reads_it(FunctionRef { file: self.read.file, id: FunctionId::of(at) }))
    }

    /// The spans of what branches in the function and in those around it, but behind a read that breaks at once.
    fn conditions(&self) -> Vec<Span> {
        let mut found = Vec::new();
        for id in &self.around {
            in_statements(self.module, &self.module.function(*id).body, &mut found);
        }
        // `if (!user.accessToken) logger.warn(..)` asks, and goes on whatever the answer.
        let (asked, only_told): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|(_, ways)| self.is_led(ways) || !self.only_tell(ways));
        let only_told: Vec<Span> = only_told.into_iter().map(|(span, _)| span).collect();
        let mut found: Vec<Span> = asked.into_iter().map(|(span, _)| span).collect();
        let span = |id: &ExprId| self.module.expr(*id).span;
        let outermost = self.around.last().map(|id| self.module.function(*id).span);
        let mut inner = Vec::new();
        for expr in self.module.exprs.iter().filter(|expr| outermost.is_some_and(|all| contains(all, expr.span))) {
            match &expr.kind {
                ExprKind::Cond { cond: asked, .. }
                | ExprKind::Fallback { left: asked, .. }
                | ExprKind::And { left: asked, .. }
                | ExprKind::Not(asked)
                | ExprKind::Is { value: asked, .. } => inner.push(span(asked)),
                ExprKind::Compare { left, right, .. } => inner.extend([span(left), span(right)]),
                _ => {}
            }
        }
        found.extend(inner.into_iter().filter(|span| !only_told.iter().any(|told| contains(*told, *span))));
        let is_at_once = self.is_taken(self.read);
        found.retain(|span| {
            let is_behind =
                span.start > self.read.end && innermost_in(self.module, *span) == self.around.first().copied();
            !(is_at_once && is_behind)
        });
        found
    }

    /// Whether the read lies in one of the ways.
    fn is_led(&self, ways: &[&[Stmt]]) -> bool {
        ways.iter().any(|way| spans(self.module, way).iter().any(|span| contains(*span, self.read)))
    }

    /// Whether the ways do nothing but write down what they are handed.
    fn only_tell(&self, ways: &[&[Stmt]]) -> bool {
        let tells = |span: Span| {
            let functions = self.around.iter().map(|id| FunctionRef { file: self.read.file, id: *id });
            let mut calls =
                functions.filter_map(|function| self.graph.summary(function)).flat_map(|summary| &summary.calls);
            calls.any(|event| event.span() == span && self.tells(&event.call))
        };
        let mut told = ways.iter().flat_map(|way| way.iter()).peekable();
        told.peek().is_some()
            && told.all(|statement| matches!(statement, Stmt::Expr(id) if tells(self.module.expr(*id).span)))
    }

    /// Whether a call only writes down what it is handed.
    pub(super) fn tells(&self, call: &CallValue) -> bool {
        let Some(path) = self.graph.library_path(call) else { return false };
        self.graph.rules.harmless_matching(&path).any(|row| row.tells)
    }
}

/// Whether a function of the tree looks at its parameter.
fn asks_for(graph: &Graph, function: FunctionRef, at: usize) -> bool {
    let (Some(module), Some(declared)) = (graph.module(function.file), graph.function(function)) else { return false };
    let Some(param) = declared.params.get(at) else { return false };
    let conditions = looked_at(module, &declared.body);
    let is_it = |expr: &&Expr| matches!(&expr.kind, ExprKind::Name(Binding::Local(local)) if *local == param.local);
    module.exprs.iter().filter(is_it).any(|expr| conditions.iter().any(|condition| contains(*condition, expr.span)))
}

fn throws(graph: &Graph, function: FunctionRef) -> bool {
    fn visit(statements: &[Stmt]) -> bool {
        statements.iter().any(|statement| match statement {
            Stmt::Throw(_) => true,
            Stmt::If { then, otherwise, .. } => visit(then) || visit(otherwise),
            _ => false,
        })
    }
    graph.function(function).is_some_and(|declared| visit(&declared.body))
}

/// The spans of the conditions of statements, and of what stands in the place of one.
pub(super) fn looked_at(module: &Module, statements: &[Stmt]) -> Vec<Span> {
    let mut found = Vec::new();
    in_statements(module, statements, &mut found);
    let mut found: Vec<Span> = found.into_iter().map(|(span, _)| span).collect();
    let asks = |expr: &Expr| match &expr.kind {
        ExprKind::Cond { cond: asked, .. }
        | ExprKind::Fallback { left: asked, .. }
        | ExprKind::And { left: asked, .. }
        | ExprKind::Not(asked) => Some(module.expr(*asked).span),
        _ => None,
    };
    found.extend(module.exprs.iter().filter_map(asks));
    found
}

/// The spans of the conditions of statements, each with the ways that it chooses between.
fn in_statements<'m>(module: &'m Module, statements: &'m [Stmt], found: &mut Vec<(Span, Vec<&'m [Stmt]>)>) {
    for statement in statements {
        match statement {
            Stmt::If { cond, then, otherwise } => {
                found.push((module.expr(*cond).span, vec![then, otherwise]));
                in_statements(module, then, found);
                in_statements(module, otherwise, found);
            }
            Stmt::Loop { body } => in_statements(module, body, found),
            Stmt::Try { body, catch, finally } => {
                for part in [body, catch, finally] {
                    in_statements(module, part, found);
                }
            }
            Stmt::Assign { .. } | Stmt::Expr(_) | Stmt::Return(_) | Stmt::Throw(_) => {}
        }
    }
}

/// The spans of the expressions of statements.
pub(super) fn spans(module: &Module, statements: &[Stmt]) -> Vec<Span> {
    let mut found = Vec::new();
    for statement in statements {
        match statement {
            Stmt::Assign { value, span, .. } => found.extend([module.expr(*value).span, *span]),
            Stmt::Expr(value) | Stmt::Return(Some(value)) | Stmt::Throw(Some(value)) => {
                found.push(module.expr(*value).span);
            }
            Stmt::If { cond, then, otherwise } => {
                found.push(module.expr(*cond).span);
                found.extend(spans(module, then));
                found.extend(spans(module, otherwise));
            }
            Stmt::Loop { body } => found.extend(spans(module, body)),
            Stmt::Try { body, catch, finally } => {
                found.extend([body, catch, finally].into_iter().flat_map(|part| spans(module, part)));
            }
            Stmt::Return(None) | Stmt::Throw(None) => {}
        }
    }
    found
}

/// Whether a field of that name lies in a value.
fn names(value: &Shared, name: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut all = vec![value];
    while let Some(next) = all.pop() {
        if seen.len() > 3_000 || !seen.insert(Arc::as_ptr(next).addr()) {
            continue;
        }
        if matches!(&next.kind, ValueKind::Field(_, own) if own == name) {
            return true;
        }
        next.kind.each(&mut |inner| all.push(inner));
    }
    false
}
