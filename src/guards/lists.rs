//! Queries that give what they find as a list, or in a result: these are there whoever was found, so that `if (!users)` refuses nobody.

use crate::guards::held::Held;
use crate::guards::lacking::Lacks;
use crate::guards::miss::{Miss, Run};
use crate::guards::subject::chain;
use crate::guards::uses::Use;
use crate::guards::walk::{Entered, Walk};
use crate::ir::{ExprId, ExprKind};
use crate::rules::Many;
use crate::summary::{CallSite, CallValue, FunctionRef};

impl Walk<'_, '_> {
    /// What is known of the list that a query gives, if it gives one.
    pub(super) fn list_of(&self, call: &CallValue) -> Option<Many> {
        if self.graph.targets(call).iter().any(|target| target.certain) {
            return None;
        }
        let path = self.graph.callee_path(call)?;
        let is_one = |row: &Many| {
            row.one.as_ref().is_some_and(|path| self.is_true(call, path))
                || chain(call).iter().any(|call| row.unless.iter().any(|name| call.method() == Some(name)))
        };
        self.graph.rules.manies_matching(&path).next().filter(|row| !is_one(row)).cloned()
    }

    /// What becomes of a request where nobody is in such a list, wherever it is handed; `None`: it is refused, or this does not tell.
    pub(super) fn becomes_of_list(
        &self,
        function: FunctionRef,
        site: CallSite,
        row: Many,
        entered: &Entered,
    ) -> Option<Use> {
        if site.function != function || self.graph.is_rust(function.file) {
            return None;
        }
        let (mut held, mut site) = (if row.first { Held::Pair } else { Held::Empty }, site);
        let lacks = Lacks { list: Some(row), ..Lacks::default() };
        let mut at = entered;
        for _ in 0..8 {
            let outcome = self.where_it_lacks(site.function, site.expr, Some(held), lacks.clone());
            match (outcome.miss, outcome.handed) {
                (Miss::LetsIn, _) => return Some(Use::Ignored),
                (Miss::GoesOn, _) => return Some(Use::GoesOn),
                (Miss::HandsBack, Some(list @ (Held::Empty | Held::Pair))) => {
                    held = list;
                    (at, site) = at.through?;
                }
                // One of it, or none, is what the caller tests.
                (Miss::HandsBack, _) => return Some(at.user).filter(|user| *user != Use::Decided),
                (Miss::Refuses, _) => return None,
            }
        }
        None
    }
}

impl Run<'_, '_, '_> {
    /// A key of a list in which nobody is, or of the result that holds it, or what a method of that name gives.
    pub(super) fn of_list(&self, base: ExprId, name: &str, held: Held) -> Held {
        let Some(row) = &self.lacks.list else { return Held::Touched };
        let among = |names: &[String]| names.iter().any(|of| of == name);
        if held == Held::Empty && (name == "length" || among(&row.counted)) {
            Held::Zero
        } else if among(&row.below) || among(&row.then) {
            held
        } else if matches!(self.module.expr(base).kind, ExprKind::Call(_)) {
            // What else a query is told may make it give one.
            Held::Absent
        } else {
            Held::Touched
        }
    }

    /// An element of what an expression gives.
    pub(super) fn one_of(&mut self, list: ExprId, first: bool) -> Option<Held> {
        Some(match self.eval(list)? {
            Held::Empty => Held::Absent,
            Held::Pair if first => Held::Empty,
            Held::Pair => Held::Touched,
            held => held,
        })
    }
}
