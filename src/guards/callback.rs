//! Look-ups that hand what they find to a callback: `find(query, (error, user) => { if (!user) return done(null, false); .. })`.

use crate::guards::held::Held;
use crate::guards::lacking::Lacks;
use crate::guards::miss::{Miss, Way};
use crate::guards::subject::chain;
use crate::guards::uses::Use;
use crate::guards::walk::Walk;
use crate::ir::LocalId;
use crate::source::Span;
use crate::summary::{CallValue, FunctionRef, Shared, ValueKind};

impl Walk<'_, '_> {
    /// What becomes of what a look-up finds in the callback that it is handed to. `None`: it is handed to none that is written there and lets
    /// on by what the guard itself is handed, or what is handed to that then is not told.
    pub(super) fn told_by_callback(&self, function: FunctionRef, call: &CallValue, of_user: bool) -> Option<Use> {
        let (closure, at, one) = self.callback(function, call)?;
        let list = self.list_of(call);
        if list.is_none() && !one && !self.texts_in_chain(call).is_empty() {
            return None;
        }
        let module = self.graph.module(closure.file)?;
        let params = &module.function(closure.id).params;
        let (result, before) = (params.get(at)?.local, &params[..at]);
        let told = |held: Held| {
            let mut way = Way { seen: true, ..Way::default() };
            // In front of what was found stands the error, and there is none.
            way.variables.extend(before.iter().map(|param| (param.local, Held::No)));
            way.variables.insert(result, held);
            let lacks = Lacks { list: list.clone(), ..Lacks::default() };
            self.executed(closure, call.site.expr, Some(held), lacks, false, way).miss
        };
        let refuses_a_hit = || told(Held::Found) == Miss::Refuses;
        Some(match told(if list.is_some() { Held::Empty } else { Held::Absent }) {
            Miss::LetsIn => match (refuses_a_hit(), of_user) {
                (true, true) => Use::Missed,
                (true, false) => Use::Decided,
                (false, _) => Use::Ignored,
            },
            Miss::GoesOn if of_user || !refuses_a_hit() => Use::GoesOn,
            // A list is there whoever was found.
            Miss::HandsBack if list.is_some() => return None,
            _ => Use::Decided,
        })
    }

    /// The callback that a look-up hands what it finds to, and as which parameter, where that lets on by what the guard itself is handed.
    fn callback(&self, function: FunctionRef, call: &CallValue) -> Option<(FunctionRef, usize, bool)> {
        let (value, at, one) = self.called_back(function, call)?;
        let ValueKind::Function(closure) = value.kind else { return None };
        let calls = (closure.file == function.file).then(|| self.called_of_root(closure))?;
        (!calls.is_empty() && calls.iter().all(|(_, is_root_s)| *is_root_s)).then_some((closure, at, one))
    }

    /// What is called with what a look-up finds, and as which parameter; and whether that is one row, or nothing, of what SQL text says.
    fn called_back(&self, function: FunctionRef, call: &CallValue) -> Option<(Shared, usize, bool)> {
        let summary = self.graph.summary(function)?;
        let mut behind = summary.calls.iter().map(|event| &*event.call).filter(|further| {
            let links = chain(further);
            // A function alone is how a list is searched: `users.find((user, at) => ..)`.
            links.iter().any(|link| link.site == call.site) && (further.args.len() > 1 || links.len() > 1)
        });
        behind.find_map(|call| self.graph.result_callback(call))
    }

    /// A look-up of which nothing is used but by a callback: what that does with it was not told.
    pub(super) fn unjudged(&self, function: FunctionRef, call: &CallValue, told: Use) -> Option<Span> {
        (told == Use::None && self.called_back(function, call).is_some()).then_some(call.site.span)
    }

    /// Whether such a callback is all that lets on from there: `find(id, (error, user) => { req.user = user }); next()` does not wait.
    pub(super) fn waits_by_callback(&self, function: FunctionRef, call: &CallValue) -> bool {
        let goes_on = |(at, is_root_s): &(Span, bool)| *is_root_s && at.start >= call.site.span.end;
        self.callback(function, call).is_some() && !self.called_of_root(function).iter().any(goes_on)
    }

    /// Where a function calls what it, or one around it, is handed, and whether that is what the guard is handed.
    fn called_of_root(&self, function: FunctionRef) -> Vec<(Span, bool)> {
        let (Some(module), Some(summary)) = (self.graph.module(function.file), self.graph.summary(function)) else {
            return Vec::new();
        };
        let root = self.root.filter(|root| root.file == function.file);
        let is_root_s = |local: LocalId| {
            root.is_some_and(|root| module.function(root.id).params.iter().any(|param| param.local == local))
        };
        let called = summary.calls.iter().filter_map(|event| match event.call.callee.kind {
            ValueKind::Captured(_, local) => Some((event.call.site.span, is_root_s(local))),
            ValueKind::Param(of, _) => Some((event.call.site.span, Some(of) == root)),
            _ => None,
        });
        called.collect()
    }
}
