//! Where a promise that is rejected is handled at once: `find(id).catch(() => null)`.

use crate::guards::held::Held;
use crate::guards::miss::Run;
use crate::ir::{Entry, ExprId, ExprKind, FunctionId, Place, Stmt};
use crate::source::Span;

impl Run<'_, '_, '_> {
    /// Whether what is asked stands in `Promise.allSettled`, which is lowered to objects that stand where their values do: its failure
    /// ends nothing, and is told among what that gives.
    pub(super) fn is_settled(&self) -> bool {
        let asked = self.module.expr(self.asked).span;
        self.module.exprs.iter().any(|expr| match &expr.kind {
            ExprKind::Object(entries) if expr.span.start <= asked.start && asked.end <= expr.span.end => {
                matches!(entries.as_slice(), [Entry::Named { key_span, .. }] if *key_span == expr.span)
            }
            _ => false,
        })
    }

    /// Whether what is asked, which fails where nobody is found, has its failure handled where it stands: then the way goes on from there.
    pub(super) fn is_handled(&mut self) -> bool {
        let asked = self.module.expr(self.asked).span;
        let around = |span: Span| span.start <= asked.start && asked.end <= span.end;
        let mut conds = self.module.exprs.iter().filter(|expr| is_rejection(&expr.kind) && around(expr.span));
        // What is waited for inside fails before there is a promise.
        let text = &self.walk.graph.sources.get(asked.file).text;
        let waited = |span: Span| {
            let before = text.get(span.start as usize..asked.start as usize).unwrap_or_default();
            before.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "await")
        };
        let handled = conds.any(|expr| !waited(expr.span));
        self.rejected = handled;
        handled
    }

    /// Goes on in the handler that follows a statement in which a promise was rejected: how many statements that passes over, or `None`
    /// where the way ends.
    pub(super) fn handler(&mut self, failed: &Stmt, rest: &[Stmt]) -> Option<usize> {
        if !std::mem::take(&mut self.rejected) {
            return None;
        }
        let asked = self.module.expr(self.asked).span;
        let handles = |statement: &Stmt| match statement {
            Stmt::If { cond, then, .. } => {
                let cond = self.module.expr(*cond);
                let is_it = is_rejection(&cond.kind) && cond.span.start <= asked.start && asked.end <= cond.span.end;
                is_it.then(|| then.clone())
            }
            _ => None,
        };
        let Some((at, then)) = rest.iter().enumerate().find_map(|(at, statement)| Some((at, handles(statement)?)))
        else {
            self.fail();
            return None;
        };
        for statement in std::iter::once(failed).chain(&rest[..at]) {
            if let Stmt::Assign { target: Place::Local(local), .. } = statement {
                self.way.variables.insert(*local, Held::Absent);
            }
        }
        self.in_miss += 1;
        let goes_on = then.iter().all(|statement| self.handle(statement));
        self.in_miss -= 1;
        goes_on.then_some(at + 1)
    }

    /// Executes a statement that calls a handler; false where the way ends.
    fn handle(&mut self, statement: &Stmt) -> bool {
        let closure = |value: &ExprId| match &self.module.expr(*value).kind {
            ExprKind::Call(call) => match self.module.expr(call.callee).kind {
                ExprKind::Closure(closure) => Some(closure),
                _ => None,
            },
            _ => None,
        };
        match statement {
            Stmt::Expr(value) | Stmt::Assign { value, .. } if let Some(closure) = closure(value) => {
                let Some(given) = self.gives(closure) else { return false };
                if let Stmt::Assign { target: Place::Local(local), .. } = statement {
                    self.way.variables.insert(*local, given);
                }
                true
            }
            _ => !self.block(std::slice::from_ref(statement)),
        }
    }

    /// What a handler that is written in place gives back for nobody; `None` where it always throws.
    fn gives(&mut self, closure: FunctionId) -> Option<Held> {
        let outer = self.given.replace(Vec::new());
        self.thrown.push(None);
        self.within.push(closure);
        let ended = self.block(&self.module.function(closure).body);
        self.within.pop();
        let thrown = self.thrown.pop().flatten();
        let given = std::mem::replace(&mut self.given, outer).unwrap_or_default();
        let nothing = (!ended).then_some(Held::Absent);
        let all = given.into_iter().map(|held| if held == Held::No { Held::Absent } else { held }).chain(nothing);
        let told = all.reduce(|left, right| if left == right { left } else { Held::Touched });
        if told.is_none() && thrown.is_some() {
            return self.fail();
        }
        told
    }
}

fn is_rejection(kind: &ExprKind) -> bool {
    matches!(kind, ExprKind::Opaque { why: "whether a promise is rejected", .. })
}
