//! Functions that a call of the tree makes: the handler of `makeLogin(deps)`, of `issuing(store)`. What such a function captures is
//! what that one call was given.

use std::sync::Arc;

use crate::graph::{Bindings, Graph, Target};
use crate::ir::FunctionId;
use crate::summary::{Argument, CallSite, CallValue, Event, FunctionRef, Shared, Slot, Summary, ValueKind};

/// Closures nested deeper than this are not looked into.
const DEEPEST_CLOSURE: usize = 20;

/// A call, in what a factory makes, of a function that the factory was given.
pub(super) struct Inside<'a> {
    /// What the factory makes, or a closure in it.
    pub caller: FunctionRef,
    pub event: &'a Event,
    /// With what the factory was given in the place of what is captured.
    pub call: CallValue,
    /// The function that the factory makes.
    pub made: FunctionRef,
}

impl<'a> Graph<'a> {
    /// A function, and the closures in it.
    pub(super) fn within(&self, function: FunctionRef) -> impl Iterator<Item = (FunctionRef, &'a Summary)> {
        let unit = self.unit(function.file);
        let functions = unit.map_or(&[][..], |unit| &unit.module.functions);
        let is_inside = move |at: usize| {
            let around = |id: &FunctionId| functions.get(id.at()).and_then(|function| function.parent);
            std::iter::successors(Some(FunctionId::of(at)), around).take(DEEPEST_CLOSURE).any(|id| id == function.id)
        };
        let summaries = unit.map_or(&[][..], |unit| &unit.summary.functions).iter().enumerate();
        summaries
            .filter(move |(at, _)| is_inside(*at))
            .map(move |(at, summary)| (FunctionRef { file: function.file, id: FunctionId::of(at) }, summary))
    }

    /// The functions that a call of a function of the tree makes, with the call as that function sees it.
    pub(super) fn made_by(&self, call: &CallValue) -> Option<(Vec<FunctionRef>, Bindings)> {
        let targets = self.targets(call);
        let [target] = &*targets else { return None };
        if !target.certain || target.bindings.is_some() {
            return None;
        }
        let factory = target.function;
        let returns = self.summary(factory)?.returns.as_ref()?;
        let is_own = |made: &FunctionRef| *made != factory && self.within(factory).any(|(own, _)| own == *made);
        let mut made = Vec::new();
        self.closures(returns, 4, &mut made);
        made.retain(is_own);
        (!made.is_empty()).then(|| (made, self.bind(call, factory)))
    }

    /// The closures that a value is, or that a wrapper which gives it is handed: `asyncHandler(async (req, res) => ..)`. What a library
    /// is handed it may run at once: `db.transaction(async (tx) => ..)`.
    fn closures(&self, value: &Shared, fuel: u8, found: &mut Vec<FunctionRef>) {
        let Some(fuel) = fuel.checked_sub(1) else { return };
        match &value.kind {
            ValueKind::Function(function) => found.push(*function),
            ValueKind::Call(call) => {
                let gives = |target: &Target| self.summary(target.function)?.returns.as_ref();
                let makes = |target: &Target| gives(target).is_some_and(|r| matches!(r.kind, ValueKind::Function(_)));
                let targets = self.targets(call);
                if !targets.is_empty() && targets.iter().all(makes) {
                    call.args.iter().for_each(|arg| self.closures(&arg.value, fuel, found));
                }
            }
            ValueKind::Cond { then, otherwise, .. } => {
                self.closures(then, fuel, found);
                self.closures(otherwise, fuel, found);
            }
            _ => {}
        }
    }

    /// The call at a place, where it makes functions: what they capture is what it was given.
    pub fn made_at(&self, site: CallSite) -> Option<Bindings> {
        let calls = &self.summary(site.function)?.calls;
        let event = calls.iter().find(|event| event.call.site == site)?;
        Some(self.made_by(&event.call)?.1)
    }

    /// The call that made a function, where a callee is what it made.
    pub fn maker_behind(&self, callee: &Shared, made: FunctionRef) -> Option<CallSite> {
        let mut at = Arc::clone(callee);
        for _ in 0..12 {
            if let ValueKind::Call(call) = &at.kind
                && self.made_by(call).is_some_and(|(all, _)| all.contains(&made))
            {
                return Some(call.site);
            }
            at = self.expand(&at).filter(|next| !Arc::ptr_eq(next, &at))?;
        }
        None
    }

    /// Where what a factory makes runs a function that the factory was given.
    pub(super) fn run_inside_made(&self, call: &CallValue, given: FunctionRef) -> Vec<Inside<'a>> {
        let mut found = Vec::new();
        let Some((all, bindings)) = self.made_by(call) else { return found };
        for made in all {
            for (caller, summary) in self.within(made) {
                for event in &summary.calls {
                    if event.call.is_new || !is_taken_from_outside(&event.call.callee) {
                        continue;
                    }
                    let callee = self.substitute(&event.call.callee, &bindings);
                    let reaches = CallValue { callee, args: Vec::new(), ..CallValue::clone(&event.call) };
                    if !self.targets(&reaches).iter().any(|target| target.function == given) {
                        continue;
                    }
                    let with =
                        |arg: &Argument| Argument { value: self.substitute(&arg.value, &bindings), ..arg.clone() };
                    let args = event.call.args.iter().map(with).collect();
                    found.push(Inside { caller, event, call: CallValue { args, ..reaches }, made });
                }
            }
        }
        found
    }

    /// Whether what a factory makes runs a function that the factory was given, and hands it something else than the request that it
    /// is handed itself: then not that function is the handler.
    pub(super) fn is_part(&self, call: &CallValue, given: FunctionRef) -> bool {
        let runs = self.run_inside_made(call, given);
        let hands_on =
            |inside: &Inside| inside.call.args.first().is_some_and(|first| is_param(&first.value, inside.made));
        !runs.is_empty() && !runs.iter().any(hands_on)
    }
}

/// `fn(..)`, `deps.save(..)` of a variable of a function around.
fn is_taken_from_outside(callee: &Shared) -> bool {
    match &callee.kind {
        ValueKind::Captured(..) => true,
        ValueKind::Field(base, _) => is_taken_from_outside(base),
        _ => false,
    }
}

/// Whether a value is what a function is handed first, whatever was assigned to it.
fn is_param(value: &Shared, of: FunctionRef) -> bool {
    match &value.kind {
        ValueKind::Param(function, 0) => *function == of,
        ValueKind::Object { base: Some(base), .. } => is_param(base, of),
        ValueKind::Object { base: None, entries } => {
            matches!(entries.first(), Some(Slot::Spread(first)) if is_param(first, of))
        }
        ValueKind::After { before, .. } => is_param(before, of),
        _ => false,
    }
}
