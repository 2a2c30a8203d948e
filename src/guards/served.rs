//! What becomes of a request to a handler where a look-up in it finds nobody: there is no `next()`, so letting in is to answer as ever.

use crate::graph::Target;
use crate::guards::endpoints::is_endpoint;
use crate::guards::held::Held;
use crate::guards::miss::{Run, is_param};
use crate::guards::walk::Walk;
use crate::ir::{Entry, Expr, ExprId, ExprKind, Module, Stmt};
use crate::sites;
use crate::summary::{CallValue, FunctionRef, Summary, ValueKind};

/// What lies behind on one way through a handler.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Service {
    /// What the request was answered with.
    said: Option<Said>,
    /// Whether something was handed what is absent that may refuse, or make something else of it.
    unsure: bool,
    /// Whether a row was written before the look-up.
    acted: bool,
    /// Whether a branch that ends was passed over because nobody was found, and whether it would have refused.
    passed_over: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// An error.
    No,
    /// What was looked for, and nothing else.
    Nothing,
    Something,
}

impl Service {
    pub(super) fn join(&mut self, other: Self) {
        self.said = if self.said == other.said { self.said } else { self.said.or(other.said).map(|_| Said::Something) };
        self.unsure |= other.unsure;
        self.acted |= other.acted;
        self.passed_over = match (self.passed_over, other.passed_over) {
            (Some(one), Some(another)) => Some(one && another),
            (one, another) => one.or(another),
        };
    }
}

impl Walk<'_, '_> {
    /// Whether a function is the handler that the walk starts from, and answers by itself.
    pub(super) fn serves(&self, function: FunctionRef, module: &Module, summary: &Summary) -> bool {
        let passes_on = || {
            summary.calls.iter().any(|event| {
                let is_next = match &event.call.callee.kind {
                    ValueKind::Param(..) => true,
                    ValueKind::Captured(_, local) => is_param(module, *local),
                    _ => false,
                };
                let first = event.call.args.first().map(|arg| &arg.value.kind);
                is_next && matches!(first, None | Some(ValueKind::Null | ValueKind::Undefined))
            })
        };
        self.handles(function)
            && !self.graph.is_rust(function.file)
            && is_endpoint(self.graph, function)
            && !passes_on()
    }

    /// Whether it started from a handler, and `function` is that handler.
    pub(super) fn handles(&self, function: FunctionRef) -> bool {
        self.answers && self.root == Some(function)
    }
}

impl Run<'_, '_, '_> {
    /// A branch that is not taken because nobody was found.
    pub(super) fn passes_over(&mut self, statements: &[Stmt]) {
        if let Some(refuses) = self.refuses_in(statements) {
            let known = &mut self.way.service.passed_over;
            *known = Some(known.unwrap_or(true) && refuses);
        }
    }

    /// Whether all ends of statements are refusals; `None`: they have none.
    fn refuses_in(&self, statements: &[Stmt]) -> Option<bool> {
        let both = |one: Option<bool>, another: Option<bool>| match (one, another) {
            (Some(one), Some(another)) => Some(one && another),
            (one, another) => one.or(another),
        };
        let mut answered = None;
        let mut all = None;
        for statement in statements {
            let own = match statement {
                Stmt::Return(Some(value)) => Some(self.is_error(*value) || answered == Some(true)),
                Stmt::Return(None) => answered,
                Stmt::Throw(_) => Some(true),
                Stmt::Expr(value) => {
                    answered = self.answers(*value).then(|| self.is_error(*value)).or(answered);
                    None
                }
                Stmt::If { then, otherwise, .. } => both(self.refuses_in(then), self.refuses_in(otherwise)),
                Stmt::Loop { body } => self.refuses_in(body),
                // What fails inside is caught.
                Stmt::Try { body, catch, .. } => both(self.refuses_in(body), self.refuses_in(catch)),
                Stmt::Assign { .. } => None,
            };
            all = both(all, own);
        }
        both(all, answered)
    }

    /// Whether an answer bears the status of an error: `res.status(401).json(..)`, `new Response(null, { status: 403 })`.
    fn is_error(&self, id: ExprId) -> bool {
        let module = self.module;
        let ExprKind::Call(call) = &module.expr(id).kind else { return false };
        let is_status = |id: ExprId| match &module.expr(id).kind {
            ExprKind::Number(text) => text.parse().is_ok_and(|status: u16| (400..600).contains(&status)),
            _ => false,
        };
        let among = |entry: &Entry| match entry {
            Entry::Named { key, value, .. } => key.starts_with("status") && is_status(*value),
            _ => false,
        };
        let bears = |id: ExprId| match &module.expr(id).kind {
            ExprKind::Object(entries) => entries.iter().any(among),
            _ => is_status(id),
        };
        call.args.iter().any(|arg| bears(arg.value))
            || matches!(module.expr(call.callee).kind, ExprKind::Field { base, .. } if self.is_error(base))
    }

    /// A call behind the look-up in a handler, with what it is given: what it gives, where that is told.
    pub(super) fn serves_call(&mut self, id: ExprId, given: &[Held], on: Held, sees: bool) -> Option<Held> {
        if self.answers(id) {
            let said = self.said(id);
            self.way.service.said = Some(said);
            if self.in_miss > 0 {
                let with_rows = said == Said::Something && self.answers_with_rows(id);
                self.goes_on |= with_rows || self.compares() && said != Said::No;
                self.way.answered |= !with_rows && (!self.compares() || said == Said::No);
            }
            return Some(Held::Same);
        }
        let tells = given.iter().any(|held| held.tells());
        let is_library = self.calls_of(id).all(|call| self.walk.graph.targets(call).is_empty());
        if self.returned == Some(id) && is_library {
            return Some(if tells { Held::Touched } else { Held::Same });
        }
        if self.in_miss > 0 && !tells && self.calls_of(id).any(|call| self.reads(call)) {
            return Some(Held::Same);
        }
        if self.in_miss > 0 && !tells && self.calls_of(id).any(|call| self.walk.only_writes(call)) {
            self.way.service.unsure = true;
            return Some(Held::Same);
        }
        // A function of the tree that is handed nobody may refuse; one that is handed a key of nobody hardly does.
        let may_refuse = self.in_miss > 0 || !is_library && given.contains(&Held::Absent);
        if !may_refuse && (tells || sees || on == Held::Touched) {
            self.way.service.unsure = true;
            return Some(Held::Touched);
        }
        None
    }

    /// Whether an answer holds what it reads itself: `res.json(await posts.find({ author }))`.
    fn answers_with_rows(&self, id: ExprId) -> bool {
        let span = self.module.expr(id).span;
        let calls = self.walk.graph.summary(self.function).map_or(&[][..], |summary| summary.calls.as_slice());
        calls.iter().any(|event| {
            let at = event.call.site.span;
            span.start < at.start && at.end <= span.end && self.reads(&event.call)
        })
    }

    /// Whether a call reads rows, and is none that fails where there are none.
    fn reads(&self, call: &CallValue) -> bool {
        sites::model_read(self.walk.graph, self.walk.schema, call).is_some() && !self.walk.fails(call)
    }

    /// Whether a call writes, itself or by a function of the tree that does so whatever comes.
    fn writes(&self, call: &CallValue) -> bool {
        let graph = self.walk.graph;
        let always = |target: &Target| {
            let calls = graph.summary(target.function).map_or(&[][..], |summary| summary.calls.as_slice());
            calls.iter().any(|event| event.guards.is_none() && self.walk.only_writes(&event.call))
        };
        self.walk.only_writes(call) || graph.targets(call).iter().any(always)
    }

    /// Notes what a handler writes before it looks.
    pub(super) fn acts(&mut self, id: ExprId) {
        let writes = self.serves && !self.compares() && self.calls_of(id).any(|call| self.writes(call));
        self.way.service.acted |= writes;
    }

    /// The end of a way through a handler.
    pub(super) fn serves_end(&mut self, value: Option<ExprId>) {
        let said = match value {
            Some(value) => Some(self.said(value)),
            None => self.way.service.said,
        };
        let gives = said == Some(Said::Something) && value.is_some_and(|value| self.answers_with_rows(value));
        let Service { unsure, acted, passed_over, .. } = self.way.service;
        let refuses = if self.way.answered {
            true
        } else if self.in_miss > 0 {
            !gives && (!self.compares() || said == Some(Said::No))
        } else {
            match said {
                // On another way this tells nothing of.
                Some(Said::No) if passed_over != Some(false) => return,
                Some(Said::No) => true,
                Some(Said::Nothing) => !unsure && self.finds != Some(Held::Found),
                _ => false,
            }
        };
        if refuses {
            self.refused |= !acted;
            self.goes_on |= acted;
        } else if unsure || self.in_miss > 0 || passed_over == Some(false) {
            self.goes_on = true;
        } else {
            self.lets_in = true;
        }
    }

    fn said(&mut self, id: ExprId) -> Said {
        if let ExprKind::Cond { cond, then, otherwise } = self.module.expr(id).kind {
            let held = self.eval(cond);
            let Some(truth) = held.and_then(Held::truth) else { return Said::Something };
            // `user ? res.json(posts) : res.sendStatus(401)`
            return match self.said(if truth { then } else { otherwise }) {
                Said::No if held.is_some_and(Held::tells) => Said::Nothing,
                said => said,
            };
        }
        if self.is_error(id) {
            return Said::No;
        }
        match self.tells_only(id) {
            Some(true) => Said::Nothing,
            _ => Said::Something,
        }
    }

    /// Whether what is absent lies in an expression; `None` where something else does.
    fn tells_only(&mut self, id: ExprId) -> Option<bool> {
        let module = self.module;
        match &module.expr(id).kind {
            ExprKind::Text(_) | ExprKind::Number(_) | ExprKind::Bool(_) | ExprKind::Null | ExprKind::Undefined => {
                Some(false)
            }
            ExprKind::Object(entries) => {
                let mut told = false;
                for entry in entries {
                    let (Entry::Named { value, .. } | Entry::Computed { value, .. } | Entry::Spread(value)) = entry;
                    told |= self.tells_only(*value)?;
                }
                Some(told)
            }
            ExprKind::Call(call) if self.returned == Some(id) || self.answers(id) => {
                if self.calls_of(id).any(|call| call.site.expr == self.asked) {
                    return Some(true);
                }
                let mut told = false;
                for arg in &call.args {
                    told |= self.tells_only(arg.value)?;
                }
                Some(told)
            }
            ExprKind::Cond { cond, then, otherwise } => {
                let held = self.eval(*cond)?;
                let taken = if held.truth()? { *then } else { *otherwise };
                self.tells_only(taken).map(|told| told || held.tells())
            }
            _ => self.eval(id)?.tells().then_some(true),
        }
    }
}

/// Whether a chain of keys is left where something is absent: `user?.email.trim()`.
pub(super) fn is_left(module: &Module, text: &str, base: &Expr) -> bool {
    let mut at = base;
    while let ExprKind::Field { base, name_span, .. } = &at.kind {
        let inner = module.expr(*base);
        if text.get(inner.span.end as usize..name_span.start as usize).is_some_and(|part| part.contains("?.")) {
            return true;
        }
        at = inner;
    }
    false
}
