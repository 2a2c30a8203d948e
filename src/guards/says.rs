//! Functions that say that somebody is not there: `const isGone = async (id) => !(await find(id))`, `if (!user) return 'not found'`.

use crate::guards::held::Held;
use crate::guards::lacking::Lacks;
use crate::guards::miss::{Miss, Run};
use crate::guards::uses::Use;
use crate::guards::walk::{Entered, Walk};
use crate::ir::{Binding, ExprId, ExprKind, Item};
use crate::summary::{CallSite, FunctionRef};

impl Walk<'_, '_> {
    /// What becomes of a request where the function of a look-up answers with `true` or a reason because nobody was found, by what its callers do then.
    /// `None`: it says something else, or the same of who is found.
    pub(super) fn becomes_of_answer(&self, function: FunctionRef, site: CallSite, entered: &Entered) -> Option<Use> {
        entered.through.filter(|_| site.function == function)?;
        let says = |held: Held| {
            let outcome = self.where_it_lacks(site.function, site.expr, Some(held), Lacks::default());
            matches!(outcome.miss, Miss::LetsIn | Miss::HandsBack).then_some(outcome.gave?)
        };
        let mut said = says(Held::Absent).filter(|said| matches!(said, Held::Yes | Held::Found | Held::Code))?;
        if said != Held::Code && says(Held::Found).and_then(Held::truth) == Some(true) {
            return None;
        }
        let mut at = entered;
        for _ in 0..8 {
            let Some((outer, call)) = at.through else {
                // What a guard answers with.
                let denies = self.denying.iter().any(|of| Some(*of) == self.root);
                let lets_in = said.truth().map(|holds| holds != denies);
                return Some(if lets_in == Some(false) { Use::Decided } else { Use::Missed });
            };
            let outcome = self.where_it_lacks(call.function, call.expr, Some(said), Lacks::default());
            match outcome.miss {
                Miss::LetsIn if outer.through.is_none() => return Some(Use::Missed),
                Miss::GoesOn => return Some(Use::GoesOn),
                Miss::Refuses => return Some(Use::Decided),
                Miss::LetsIn | Miss::HandsBack => (at, said) = (outer, outcome.gave?),
            }
        }
        None
    }
}

impl Run<'_, '_, '_> {
    /// A text, a number or an error that is given because nobody was found.
    pub(super) fn chosen(&mut self, written: ExprId) -> Option<Held> {
        let module = self.module;
        match module.expr(written).kind {
            ExprKind::Cond { cond, then, otherwise } => {
                let looks = self.looks;
                let truth = self.eval(cond)?.truth()?;
                self.in_miss += u32::from(self.looks > looks);
                let chosen = self.chosen(if truth { then } else { otherwise });
                self.in_miss -= u32::from(self.looks > looks);
                chosen
            }
            ExprKind::Text(_) | ExprKind::Number(_) | ExprKind::Concat(_) => self.is_in_miss().then_some(Held::Code),
            ExprKind::Call(ref call) if call.is_new => self.is_in_miss().then_some(Held::Code),
            ExprKind::Name(_) | ExprKind::Field { .. } if self.is_constant(written) => {
                self.is_in_miss().then_some(Held::Code)
            }
            // `user?.roles ?? []`
            ExprKind::Fallback { left, right, .. } => {
                let looks = self.looks;
                let is_there = self.eval(left)?.truth()?;
                self.in_miss += u32::from(self.looks > looks);
                let chosen = (!is_there).then(|| self.chosen(right)).flatten();
                self.in_miss -= u32::from(self.looks > looks);
                chosen
            }
            ExprKind::Array(ref items) if items.is_empty() => self.is_in_miss().then_some(Held::Code),
            // `return [user ? null : 'gone', user]`
            ExprKind::Array(ref items) => items
                .iter()
                .any(|item| match item {
                    Item::One(value) => self.chosen(*value).is_some() || self.eval(*value).is_some_and(Held::shows),
                    _ => false,
                })
                .then_some(Held::Code),
            _ => None,
        }
    }

    /// `Status.GONE`
    fn is_constant(&self, written: ExprId) -> bool {
        match &self.module.expr(written).kind {
            ExprKind::Name(binding) => !matches!(binding, Binding::Local(local) if self.is_own(*local)),
            ExprKind::Field { base, .. } => self.is_constant(*base),
            _ => false,
        }
    }

    fn is_in_miss(&self) -> bool {
        self.in_miss > 0 || self.way.left
    }
}
