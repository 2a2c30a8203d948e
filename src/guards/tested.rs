//! What becomes of a request where a test finds this or that: `if (user.accessToken !== token) return res.sendStatus(401)`.

use crate::guards::held::Held;
use crate::guards::miss::{Miss, Run, is_param};
use crate::guards::onward::answers;
use crate::guards::some::holds;
use crate::guards::uses::parts_ways;
use crate::guards::walk::Walk;
use crate::ir::{Expr, ExprId, ExprKind, Place, Stmt};
use crate::source::Span;
use crate::summary::{CallValue, FunctionRef, Shared, ValueKind};

impl Walk<'_, '_> {
    /// What a function does where a comparison in it finds a difference.
    pub(super) fn on_a_difference(&self, function: FunctionRef, at: Span) -> Miss {
        let Some(module) = self.graph.module(function.file) else { return Miss::Refuses };
        let compares = |expr: &Expr| match expr.kind {
            ExprKind::Compare { equal, .. } if expr.span == at => Some(if equal { Held::Absent } else { Held::Found }),
            _ => None,
        };
        let mut found =
            module.exprs.iter().enumerate().filter_map(|(id, expr)| Some((ExprId::of(id), compares(expr)?)));
        match (found.next(), found.next()) {
            (Some((id, held)), None) => self.where_it_tests(function, id, held),
            _ => Miss::Refuses,
        }
    }

    /// Whether a function refuses where a comparison in it finds the same: `if (user.accessToken === null) return refuse()`.
    pub(super) fn refuses_the_same(&self, function: FunctionRef, at: Span) -> bool {
        let Some(module) = self.graph.module(function.file) else { return false };
        let is_it = |expr: &Expr| match expr.kind {
            ExprKind::Compare { equal, right, left } if expr.span == at => {
                let is_nothing = |id| matches!(module.expr(id).kind, ExprKind::Null | ExprKind::Undefined);
                (is_nothing(left) || is_nothing(right)).then_some(if equal { Held::Found } else { Held::Absent })
            }
            _ => None,
        };
        let mut found = module.exprs.iter().enumerate().filter_map(|(id, expr)| Some((ExprId::of(id), is_it(expr)?)));
        found.next().is_some_and(|(id, held)| self.where_it_tests(function, id, held) == Miss::Refuses)
    }

    /// Whether a function refuses, or hands on a refusal, where a field that it reads holds something, or where it holds nothing.
    pub(super) fn parts_by(&self, function: FunctionRef, read: Span) -> bool {
        let Some(module) = self.graph.module(function.file) else { return true };
        let is_it = |expr: &&Expr| expr.span == read && matches!(expr.kind, ExprKind::Field { .. });
        let Some(at) = module.exprs.iter().position(|expr| is_it(&expr)) else { return true };
        let lets_in = |held| self.where_it_tests(function, ExprId::of(at), held) == Miss::LetsIn;
        !(lets_in(Held::Absent) && lets_in(Held::Found))
    }

    /// Whether a request goes otherwise where an expression holds something than where it holds nothing.
    pub(super) fn parts_ways_at(&self, function: FunctionRef, at: ExprId) -> bool {
        let lets_in = |held| self.where_it_is(function, at, Some(held)) == Miss::LetsIn;
        !(lets_in(Held::Absent) && lets_in(Held::Found))
    }

    /// Whether a call asserts what it is handed, or runs a function of the tree that may throw: who calls it goes on only if it does not.
    pub(super) fn may_throw(&self, call: &CallValue, fuel: u8) -> bool {
        let Some(fuel) = fuel.checked_sub(1) else { return true };
        let targets = self.graph.targets(call);
        if targets.is_empty() {
            return self.asserts(call);
        }
        targets.iter().any(|target| {
            let Some(declared) = self.graph.function(target.function) else { return true };
            let calls = self.graph.summary(target.function).map_or(&[][..], |summary| summary.calls.as_slice());
            throws(&declared.body) || calls.iter().any(|event| self.may_throw(&event.call, fuel))
        })
    }

    /// Whether a call runs a function of the tree that may throw and parts ways by an argument.
    pub(super) fn may_throw_by(&self, call: &CallValue, at: u32) -> bool {
        self.graph.targets(call).iter().any(|target| {
            let is_it =
                |value: &Shared| matches!(value.kind, ValueKind::Param(of, nth) if of == target.function && nth == at);
            let flow = self.graph.summary(target.function).map_or(&[][..], |summary| summary.flow.as_slice());
            parts_ways(flow, &|cond| holds(cond, &is_it, 12))
        }) && self.may_throw(call, 4)
    }

    pub(super) fn asserts(&self, call: &CallValue) -> bool {
        let mut rows = self.graph.rules.demand().filter(|row| row.asks && !row.answers).peekable();
        rows.peek().is_some()
            && self.graph.library_path(call).is_some_and(|path| rows.any(|row| row.call.matches(&path)))
    }
}

/// Whether statements throw outside of a `try` that catches it.
fn throws(statements: &[Stmt]) -> bool {
    statements.iter().any(|statement| match statement {
        Stmt::Throw(_) => true,
        Stmt::If { then, otherwise, .. } => throws(then) || throws(otherwise),
        Stmt::Loop { body } => throws(body),
        Stmt::Try { body, catch, finally } => catch.is_empty() && throws(body) || throws(catch) || throws(finally),
        Stmt::Assign { .. } | Stmt::Expr(_) | Stmt::Return(_) => false,
    })
}

impl Run<'_, '_, '_> {
    /// Whether what is asked is a test, not a look-up that finds somebody or nobody.
    pub(super) fn compares(&self) -> bool {
        self.only_tests
            || matches!(self.module.expr(self.asked).kind, ExprKind::Compare { .. })
            || matches!(self.finds, Some(Held::Yes | Held::No))
    }

    pub(super) fn is_test(&self) -> bool {
        self.compares() || matches!(self.module.expr(self.asked).kind, ExprKind::Field { .. })
    }

    /// A call beside a test: one that cannot throw refuses nobody by itself, whatever it is handed: `Sentry.captureMessage(..)`,
    /// `req.github = new Octokit({ auth: user.accessToken })`. `None`: it may refuse, or is no such call.
    pub(super) fn beside_test(&mut self, id: ExprId, tells: bool) -> Option<Held> {
        if self.is_rust || !self.is_test() || self.serves {
            return None;
        }
        let is_dropped = self.dropped == Some(id);
        let may_refuse = self.calls_of(id).any(|call| {
            // `ctx.throw(401)`, `reply.unauthorized()`: what a middleware is handed may do anything.
            let is_handed = self.starts_at_own_param(call) && self.walk.graph.targets(call).is_empty();
            is_handed && self.in_miss > 0 || self.walk.may_throw(call, 4)
        });
        if may_refuse || self.calls_of(id).next().is_none() {
            return None;
        }
        let says_no = |call: &CallValue| {
            let targets = self.walk.graph.targets(call);
            let inside = targets.iter().flat_map(|target| self.walk.graph.calls_inside(target.function));
            inside.into_iter().any(|inner| answers(self.walk.graph, inner))
        };
        // `deny(res)`
        if self.in_miss > 0 && self.calls_on && self.calls_of(id).any(says_no) {
            self.way.answered = true;
        }
        Some(match (is_dropped, tells) {
            (true, _) => Held::Same,
            (false, true) => Held::Touched,
            (false, false) => Held::Answer,
        })
    }

    fn starts_at_own_param(&self, call: &CallValue) -> bool {
        let mut at = &call.callee;
        for _ in 0..12 {
            at = match &at.kind {
                ValueKind::Param(..) => return true,
                ValueKind::Captured(_, local) => return is_param(self.module, *local),
                ValueKind::Call(inner) => &inner.callee,
                // What a call under a condition may have left of it: `if (!user) ctx.throw(401)`.
                ValueKind::Cond { then, .. } => then,
                ValueKind::Either(values) if !values.is_empty() => &values[0],
                ValueKind::Field(base, _)
                | ValueKind::After { before: base, .. }
                | ValueKind::Object { base: Some(base), .. } => base,
                _ => return false,
            };
        }
        true
    }

    /// Whether what a test keeps on the request is a constant, or made of what was tested: `req.github = new Octokit(user.accessToken)`.
    pub(super) fn is_of_test(&self, value: ExprId) -> bool {
        if !self.compares() {
            return false;
        }
        let exprs = &self.module.exprs;
        let asked = self.module.expr(self.asked);
        let tested = match asked.kind {
            ExprKind::Compare { left, right, .. } => vec![left, right],
            _ => vec![self.asked],
        };
        let text = |id: ExprId| self.walk.graph.sources.text(self.module.expr(id).span);
        let span = self.module.expr(value).span;
        let within = |inner: &Expr| span.start <= inner.span.start && inner.span.end <= span.end;
        let is_field = |expr: &Expr| matches!(expr.kind, ExprKind::Field { .. });
        let tested: Vec<&str> = tested.into_iter().filter(|id| is_field(self.module.expr(*id))).map(text).collect();
        let is_constant = matches!(
            self.module.expr(value).kind,
            ExprKind::Text(_) | ExprKind::Number(_) | ExprKind::Bool(_) | ExprKind::Null | ExprKind::Undefined
        );
        let mut inside = exprs.iter().filter(|expr| is_field(expr) && within(expr));
        is_constant || inside.any(|expr| tested.contains(&self.walk.graph.sources.text(expr.span)))
    }

    /// What a variable is given because nobody was found: `code = 401`, `error = same ? null : new Error('stale')`.
    pub(super) fn as_code(&self, target: &Place, value: ExprId, looked: bool, held: Held) -> Held {
        let is_chosen = match self.module.expr(value).kind {
            ExprKind::Text(_) | ExprKind::Number(_) => self.in_miss > 0,
            ExprKind::Cond { .. } => looked && self.compares() && matches!(held, Held::Same | Held::Answer),
            _ => false,
        };
        if is_chosen && matches!(target, Place::Local(_)) { Held::Code } else { held }
    }
}
