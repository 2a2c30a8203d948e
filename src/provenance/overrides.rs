//! Methods that heirs override: which of them runs is told further up, by the class of the object that the way comes from.

use crate::graph::{Edge, EdgeKind, Graph, Type};
use crate::ir::{ClassId, FunctionKind};
use crate::summary::{CallValue, ClassRef, FunctionRef, Shared, ValueKind};

/// The overridden methods that a way ran on the `this` of the function it has come to: the object is of a class that has these.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Overrides(Vec<FunctionRef>);

impl Overrides {
    /// As the caller sees it; `None` where the object that it calls on runs other methods.
    pub(super) fn along(&self, graph: &Graph, edge: &Edge, called: FunctionRef) -> Option<Self> {
        let is_inside = || {
            let parent = graph.function(called).filter(|declared| declared.name == "<closure>")?.parent?;
            Some((FunctionRef { file: called.file, id: parent }) == edge.caller)
        };
        let EdgeKind::Call(call) = &edge.kind else {
            let is_callback = matches!(edge.kind, EdgeKind::Callback(_));
            return Some(if is_callback && is_inside() == Some(true) { self.clone() } else { Self::default() });
        };
        let Some(receiver) = call.receiver() else {
            return Some(if is_inside() == Some(true) { self.clone() } else { Self::default() });
        };
        match root(receiver) {
            ValueKind::This(_) => {
                let mut all = self.clone();
                let is_method = graph.function(called).is_some_and(|declared| declared.class.is_some());
                if !edge.certain && is_method && !all.0.contains(&called) {
                    all.0.push(called);
                }
                Some(all)
            }
            ValueKind::Super(_) => Some(self.clone()),
            _ => self.fits(graph, receiver).then(Self::default),
        }
    }

    /// Whether an object can have all of the methods.
    fn fits(&self, graph: &Graph, object: &Shared) -> bool {
        if self.0.is_empty() {
            return true;
        }
        if let Some(choices) = graph.choices(object) {
            return choices.iter().any(|choice| self.fits(graph, choice));
        }
        let Type::Instance(class, _) = graph.type_of(object) else { return true };
        let has_all = |class: ClassRef| self.0.iter().all(|method| runs(graph, class, *method));
        // `new MobileAuth()` is no heir's.
        let is_made = graph.handed_class(object).is_some()
            || matches!(&graph.resolved(object).kind, ValueKind::Call(call) if call.is_new);
        has_all(class) || (!is_made && graph.heirs(class).into_iter().any(has_all))
    }
}

/// What the `this` of a method is known to be an object of, seen from above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    class: ClassRef,
    /// Made here, by `new`: of no heir.
    is_made: bool,
}

/// The functions that a call runs, each with what its `this` is where heirs have other methods; the caller's own `this` is `own`.
pub(super) fn run_by(graph: &Graph, call: &CallValue, own: Option<Owner>) -> Vec<(FunctionRef, Option<Owner>)> {
    let called: Vec<FunctionRef> = graph.targets(call).iter().map(|target| target.function).collect();
    let is_inherited = |method: &FunctionRef| {
        let class = graph.function(*method).and_then(|declared| declared.class);
        class.is_some_and(|id| !graph.heirs(ClassRef { file: method.file, id }).is_empty())
    };
    let owner = match called.as_slice() {
        [] => return Vec::new(),
        [only] if !is_inherited(only) => None,
        _ => Owner::called_on(graph, call, own),
    };
    let is_super = call.receiver().is_some_and(|receiver| matches!(root(receiver), ValueKind::Super(_)));
    let can_run = |method: &FunctionRef| is_super || owner.is_none_or(|owner| owner.can_run(graph, *method));
    called.into_iter().filter(can_run).map(|method| (method, owner.filter(|_| is_inherited(&method)))).collect()
}

impl Owner {
    fn called_on(graph: &Graph, call: &CallValue, own: Option<Self>) -> Option<Self> {
        let receiver = call.receiver()?;
        match root(receiver) {
            ValueKind::This(class) | ValueKind::Super(class) if class.id != ClassId::UNTOLD => {
                own.or(Some(Self { class: *class, is_made: false }))
            }
            ValueKind::This(_) | ValueKind::Super(_) => own,
            _ if graph.choices(receiver).is_some() => None,
            _ => {
                let object = graph.resolved(receiver);
                let is_made = matches!(&object.kind, ValueKind::Call(made) if made.is_new);
                let Type::Instance(class, _) = graph.type_of(if is_made { &object } else { receiver }) else {
                    return None;
                };
                Some(Self { class, is_made: is_made || graph.handed_class(receiver).is_some() })
            }
        }
    }

    fn can_run(self, graph: &Graph, method: FunctionRef) -> bool {
        let is_method = graph.function(method).is_some_and(|declared| declared.class.is_some());
        !is_method
            || runs(graph, self.class, method)
            || !self.is_made && graph.heirs(self.class).into_iter().any(|heir| runs(graph, heir, method))
    }
}

/// Whether an object of a class runs this method, of all of its name.
fn runs(graph: &Graph, class: ClassRef, method: FunctionRef) -> bool {
    let Some(declared) = graph.function(method) else { return true };
    let body = |owner: &ClassRef| {
        let found = graph.method(*owner, &declared.name)?;
        graph.function(found).is_some_and(|found| found.kind != FunctionKind::Signature).then_some(found)
    };
    graph.lineage(class).iter().find_map(body).is_none_or(|found| found == method)
}

/// What fields were assigned to, or changed by calls.
fn root(value: &Shared) -> &ValueKind {
    let mut at = value;
    while let ValueKind::Object { base: Some(base), .. } | ValueKind::After { before: base, .. } = &at.kind {
        at = base;
    }
    &at.kind
}
