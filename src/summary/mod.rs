//! One function at a time, executed symbolically: what it calls, returns and assigns, in terms of its parameters.
//!
//! Input: a lowered module. Output: a [`Summary`] a function.
//!
//! Invariants: a summary depends on its own function alone (never on other functions, files, rules), so files are summarised in
//! parallel and each once; a variable's value is the one it has at that point of the code; what branches is kept with its
//! condition, so that a constant argument can select the branch later.
//!
//! Worked example: `f(id, t) { const h = t ? hash(t) : null; save({ id, t: h }) }` has one call event,
//! `save({ id: Param 0, t: Cond(Param 1, Call hash(Param 1), Null) })`. A caller `f(1, null)` makes `t` into `Null`.

mod execute;
mod flow;
mod shared;
mod value;

pub use execute::summarize;
pub use flow::{Branch, Flow, Tried, throwing};
pub use shared::Sharing;
pub use value::{Argument, CallSite, CallValue, ClassRef, FunctionRef, Member, Shared, Slot, Value, ValueKind};

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ir::{ClassId, FunctionId, LocalId};
use crate::source::Span;

/// The summaries of one module.
#[derive(Clone, Debug, Default)]
pub struct ModuleSummary {
    /// Index: [`FunctionId`].
    pub functions: Vec<Summary>,
    /// Initial values of class fields and enum members.
    pub fields: BTreeMap<(ClassId, String), Shared>,
    /// Index: [`ClassId`].
    pub class_decorators: Vec<Vec<Arc<CallValue>>>,
    /// Of the fields that have any.
    pub field_decorators: BTreeMap<(ClassId, String), Vec<Arc<CallValue>>>,
    /// `class X extends f(Y)`: the call.
    pub extends_calls: BTreeMap<ClassId, Shared>,
    /// Expressions exported by value.
    pub exported: BTreeMap<String, Shared>,
    /// By variable: the functions in its scope that assign it.
    pub left: BTreeMap<LocalId, Vec<FunctionId>>,
}

/// What a function does.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// In order of execution.
    pub calls: Vec<Event>,
    /// The calls, branches and exits as they follow one another.
    pub flow: Vec<Flow>,
    /// All returns as one value, each under its condition; `None` where nothing is returned.
    pub returns: Option<Shared>,
    /// Parameters whose fields were assigned: their value at the end.
    pub exits: BTreeMap<u32, Shared>,
    /// What `this` is at the end, where its fields were assigned.
    pub this_exit: Option<Shared>,
    /// `this.name = value`.
    pub this_fields: Vec<(String, Shared)>,
    /// Every value that one of the function's own variables takes; closures that are declared earlier read them.
    pub assigned: BTreeMap<LocalId, Vec<Shared>>,
    /// Variables of functions around that this one assigns: their value at the end.
    pub leaves: BTreeMap<LocalId, Shared>,
    /// The variables as they stood where a closure was made.
    pub closures: BTreeMap<FunctionId, imbl::OrdMap<LocalId, Shared>>,
    /// Where the function was too large to follow on: what it does behind that is not known.
    pub cut: Option<Span>,
    /// Decorators as calls.
    pub decorators: Vec<Arc<CallValue>>,
    /// Decorators of parameters.
    pub param_decorators: Vec<Vec<Arc<CallValue>>>,
    /// Every `base.name` that is read.
    pub reads: Vec<Shared>,
    /// Every SQL text.
    pub sql: Vec<(Shared, Guards)>,
}

/// A call and the conditions under which it is reached.
#[derive(Clone, Debug)]
pub struct Event {
    pub call: Arc<CallValue>,
    pub guards: Guards,
}

/// Conditions, innermost first.
pub type Guards = Option<Arc<Guard>>;

#[derive(Clone, Debug)]
pub struct Guard {
    pub cond: Shared,
    pub holds: bool,
    /// Whether the other branch throws: nothing goes on there.
    pub throws: bool,
    pub outer: Guards,
}

/// The span of a call site, for callers that hold an event.
impl Event {
    pub fn span(&self) -> Span {
        self.call.site.span
    }
}

#[cfg(test)]
mod tests;
