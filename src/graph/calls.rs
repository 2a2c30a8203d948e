//! Which functions a call reaches.

use std::rc::Rc;
use std::sync::Arc;

use crate::graph::expand::{Bindings, bound_by};
use crate::graph::{Graph, Resolved, Type};
use crate::ir::{FunctionId, FunctionKind, TypeRef};
use crate::rules::{Adapter, ArgBase, ArgPath};
use crate::source::{FileId, Span};
use crate::summary::{CallSite, CallValue, ClassRef, Event, FunctionRef, Guards, Shared, Slot, Value, ValueKind};

/// A function that a call reaches.
#[derive(Clone, Debug)]
pub struct Target {
    pub function: FunctionRef,
    /// The only candidate, found by scope or type.
    pub certain: bool,
    /// `None`: the arguments in their order.
    pub bindings: Option<Bindings>,
}

/// A call seen from the called function.
#[derive(Clone, Debug)]
pub struct Edge {
    pub caller: FunctionRef,
    pub span: Span,
    pub guards: Guards,
    pub certain: bool,
    /// Whether the call (of a callback) leaves the tree.
    pub to_library: bool,
    /// The call that made the caller, where only what that one makes runs the function.
    pub made: Option<(FunctionRef, CallSite)>,
    pub kind: EdgeKind,
}

#[derive(Clone, Debug)]
pub enum EdgeKind {
    /// A written call.
    Call(Arc<CallValue>),
    /// Handed to a call that runs it; the parameters as far as a rule row tells.
    Callback(Bindings),
    /// Run by the framework before the caller: a guard's strategy.
    Framework,
}

/// Of a larger table of functions that a computed key chooses from, only the first are followed.
const LARGEST_TABLE: usize = 32;

impl Graph<'_> {
    /// The functions of the tree that a call reaches; empty for library calls and for what cannot be told.
    pub fn targets(&self, call: &CallValue) -> Rc<[Target]> {
        let none = || Rc::clone(&self.no_targets);
        let shared = |found: Vec<Target>| if found.is_empty() { none() } else { Rc::from(found) };
        if call.is_new {
            return shared(self.callable(&call.callee, true, 12));
        }
        let callable = || shared(self.callable(&call.callee, false, 12));
        let found = self.reached.get(&call.callee, none(), &self.horizon, callable);
        if found.is_empty() { shared(self.as_declared(call)) } else { found }
    }

    fn callable(&self, callee: &Shared, is_new: bool, fuel: u8) -> Vec<Target> {
        let Some(fuel) = fuel.checked_sub(1) else { return Vec::new() };
        let one = |function| vec![Target { function, certain: true, bindings: None }];
        match &callee.kind {
            ValueKind::Function(function) => one(*function),
            ValueKind::Class(class) if is_new => self.method(*class, "constructor").map_or_else(Vec::new, one),
            ValueKind::Super(class) => self
                .lineage(*class)
                .iter()
                .copied()
                .skip(1)
                .find_map(|base| self.method(base, "constructor"))
                .map_or_else(Vec::new, one),
            ValueKind::Import(file, id) => match self.resolve_import(*file, *id) {
                Resolved::Value(value) => self.callable(&value, is_new, fuel),
                _ => Vec::new(),
            },
            ValueKind::Field(base, name) => self.methods(base, name, callee, fuel),
            ValueKind::Captured(..)
            | ValueKind::Leaves(..)
            | ValueKind::Call(_)
            | ValueKind::Index(..)
            | ValueKind::Element(_) => match self.wrapped(callee).or_else(|| self.behind(callee)) {
                Some(inner) if !Arc::ptr_eq(&inner, callee) => self.callable(&inner, is_new, fuel),
                _ => match (&callee.kind, bound_by(callee)) {
                    (_, Some((bound, _))) => self.callable(bound, is_new, fuel),
                    (ValueKind::Index(table, key), _) => {
                        let named = self.methods_named(table, key, callee, fuel);
                        if named.is_empty() { self.members(table, is_new, fuel) } else { named }
                    }
                    _ => Vec::new(),
                },
            },
            ValueKind::Either(values) => {
                let mut all: Vec<Target> = Vec::new();
                for value in values {
                    for mut target in self.callable(value, is_new, fuel) {
                        if all.iter().all(|known| known.function != target.function) {
                            target.certain &= values.len() == 1;
                            all.push(target);
                        }
                    }
                }
                all
            }
            ValueKind::Cond { then, otherwise, .. } => {
                let mut all = self.callable(then, is_new, fuel);
                all.extend(self.callable(otherwise, is_new, fuel));
                all
            }
            ValueKind::Fallback { left, .. } => self.callable(left, is_new, fuel),
            // `steps.map((step) => step(token))`
            ValueKind::Param(function, at) => match self.applied_to(*function, *at) {
                Some(given) => self.callable(&given, is_new, fuel),
                None => Vec::new(),
            },
            // `bind`, `promisify` and the like wrap the only function they are given.
            _ => Vec::new(),
        }
    }

    /// What is called, one step behind its name: also what a map of functions holds.
    fn behind(&self, callee: &Shared) -> Option<Shared> {
        let held = || match &callee.kind {
            ValueKind::Call(call) => self.looked_up(call),
            _ => None,
        };
        self.expand(callee).or_else(held)
    }

    /// The function that a library call gives back in its place: `db.transaction(store)`.
    pub(super) fn wrapped(&self, callee: &Shared) -> Option<Shared> {
        let ValueKind::Call(call) = &callee.kind else { return None };
        let mut rows = self.rules.passes_named(call.method()).filter(|row| row.key.is_none() && !row.merge).peekable();
        rows.peek()?;
        if !call.args.iter().any(|arg| may_be_function(&arg.value)) {
            return None;
        }
        let path = self.callee_path(call)?;
        let row = rows.find(|row| row.call.matches(&path))?;
        let given = row.from.iter().flat_map(|from| self.argument(call, from)).map(|value| self.resolved(&value));
        given.into_iter().find(|value| matches!(value.kind, ValueKind::Function(_)))
    }

    /// `this[kind](..)`, where the type of `kind` lists names.
    fn methods_named(&self, base: &Shared, key: &Shared, callee: &Shared, fuel: u8) -> Vec<Target> {
        let names = match self.type_of(key) {
            Type::Literal(name) => vec![name],
            Type::Union(members) => members
                .into_iter()
                .filter_map(|member| match member {
                    Type::Literal(name) => Some(name),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        };
        let mut all: Vec<Target> = Vec::new();
        for name in names.iter().take(LARGEST_TABLE) {
            all.extend(self.methods(base, name, callee, fuel));
        }
        all
    }

    /// `table[kind](..)` with a kind that cannot be told: any function that the table holds.
    fn members(&self, table: &Shared, is_new: bool, fuel: u8) -> Vec<Target> {
        let ValueKind::Object { base: None, entries } = &table.kind else { return Vec::new() };
        let mut all: Vec<Target> = Vec::new();
        for entry in entries.iter().take(LARGEST_TABLE) {
            let (Slot::Named { value, .. } | Slot::Computed { value, .. }) = entry else { continue };
            let found = self.callable(value, is_new, fuel).into_iter();
            let new: Vec<Target> =
                found.filter(|target| all.iter().all(|known| known.function != target.function)).collect();
            all.extend(new);
        }
        if all.len() > 1 {
            for target in &mut all {
                target.certain = false;
            }
        }
        all
    }

    fn methods(&self, base: &Shared, name: &str, callee: &Shared, fuel: u8) -> Vec<Target> {
        if let Some(inner) = self.namespace(base) {
            return match self.resolve_export(inner, name) {
                Resolved::Value(value) => self.callable(&value, false, fuel),
                _ => Vec::new(),
            };
        }
        // `super.x()` is the base's, whatever heirs make of it.
        if let ValueKind::Super(class) = &base.kind {
            let found = self.lineage(*class).iter().skip(1).find_map(|owner| self.method(*owner, name));
            return found.map_or_else(Vec::new, |function| vec![Target { function, certain: true, bindings: None }]);
        }
        if let Some(inner) = fuel.checked_sub(1)
            && let Some(found) = self.methods_of_choice(base, &|choice| {
                self.methods(choice, name, &Value::field(choice, name, callee.span), inner)
            })
        {
            return found;
        }
        let of_class = matches!(self.type_of(base), Type::Object(_)) && !self.is_rust(callee.span.file);
        let classes: Vec<ClassRef> = match self.type_of(base) {
            // What a function gives that declares no type: `ReturnType<typeof create>`.
            Type::Made(function) => {
                let made = self.summary(function).and_then(|summary| summary.returns.as_ref());
                return made
                    .map_or_else(Vec::new, |made| self.callable(&Value::field(made, name, callee.span), false, fuel));
            }
            Type::Instance(class, _) | Type::Object(class) => vec![class],
            Type::Union(members) => members
                .iter()
                .filter_map(|member| match member {
                    Type::Instance(class, _) => Some(*class),
                    _ => None,
                })
                .collect(),
            Type::External(_, args) if self.is_rust(base.span.file) => args
                .into_iter()
                .filter_map(|arg| match arg {
                    Type::Instance(class, _) if !self.implementations(class, name).is_empty() => Some(class),
                    _ => None,
                })
                .collect(),
            Type::External(path, _) => {
                let added = self.added_method(&path, base, name, callee.span);
                return added
                    .map_or_else(|| self.given_by_name(&path, name), |function| self.callable(&function, false, fuel));
            }
            Type::Array(_) | Type::Literal(_) | Type::Unknown => Vec::new(),
        };
        if classes.is_empty() && matches!(self.type_of(base), Type::External(..)) {
            return Vec::new();
        }
        if let Some(class) = self.handed_class(base)
            && let Some(own) = self.own_body(class, name)
        {
            return vec![Target { function: own, certain: true, bindings: None }];
        }
        if !classes.is_empty() {
            let mut found: Vec<FunctionRef> = Vec::new();
            for class in &classes {
                for function in self.implementations(*class, name) {
                    // On the class itself stand its static methods alone.
                    let hides = of_class && self.is_of_instances(function);
                    if !hides && !found.contains(&function) {
                        found.push(function);
                    }
                }
            }
            if found.is_empty() && !self.is_rust(callee.span.file) {
                found = self.written_out(&classes, name);
            }
            let certain = found.len() == 1;
            return found.into_iter().map(|function| Target { function, certain, bindings: None }).collect();
        }
        // An object of functions, or of modules.
        let is_held = |inner: &Shared| match &inner.kind {
            // `const store = create(db)`: what the function of the tree gives.
            ValueKind::Field(base, _) => match &base.kind {
                ValueKind::Call(made) if !self.is_rust(callee.span.file) => {
                    !made.is_new && !self.targets(made).is_empty()
                }
                _ => self.namespace(base).is_some(),
            },
            _ => true,
        };
        if let Some(inner) = self.expand(callee).filter(is_held) {
            let found = self.callable(&inner, false, fuel);
            if !found.is_empty() {
                return found;
            }
        }
        let handed = self.handed_or_default(base, name, callee.span, fuel);
        if handed.is_empty() { self.by_name_alone(base, name) } else { handed }
    }

    /// What a field holds that the constructor takes out of its options, or else from the file: `constructor({ store = database } = {})`.
    fn handed_or_default(&self, base: &Shared, name: &str, span: Span, fuel: u8) -> Vec<Target> {
        let (ValueKind::Field(..), Some(fuel)) = (&base.kind, fuel.checked_sub(1)) else { return Vec::new() };
        let ValueKind::Fallback { left, right, .. } = &self.resolved(base).kind else { return Vec::new() };
        let mut all: Vec<Target> = Vec::new();
        for part in [left, right] {
            let found = self.methods(part, name, &Value::field(part, name, span), fuel).into_iter();
            let new: Vec<Target> =
                found.filter(|target| all.iter().all(|known| known.function != target.function)).collect();
            all.extend(new);
        }
        // Whoever makes the object may hand in another.
        for target in &mut all {
            target.certain = false;
        }
        all
    }

    /// Whether a library made it, as a mint row says: its methods are the library's.
    pub(super) fn is_minted(&self, value: &Shared) -> bool {
        let resolved = self.resolved(value);
        let ValueKind::Call(call) = &resolved.kind else { return false };
        let name = call.method();
        let mut rows =
            self.rules.mint().filter(|row| name.is_none_or(|name| row.call.last().is_none_or(|last| last == name)));
        let Some(first) = rows.next() else { return false };
        let path = if self.targets(call).is_empty() { self.callee_path(call) } else { None };
        path.is_some_and(|path| std::iter::once(first).chain(rows).any(|row| row.call.matches(&path)))
    }

    /// Whether a library made it of the database that it was handed: its methods are the library's, whatever the tree calls its own.
    pub(super) fn is_adapter(&self, value: &Shared) -> bool {
        let resolved = self.resolved(value);
        let ValueKind::Call(call) = &resolved.kind else { return false };
        let is_named = |row: &&Adapter| match (&call.callee.kind, row.call.last()) {
            (ValueKind::Field(_, name), Some(last)) => name == last,
            _ => true,
        };
        let mut rows = self.rules.adapter().filter(is_named).peekable();
        rows.peek().is_some() && self.library_path(call).is_some_and(|path| rows.any(|row| row.call.matches(&path)))
    }

    /// The method that objects of just this class run.
    fn own_body(&self, class: ClassRef, name: &str) -> Option<FunctionRef> {
        let found = self.lineage(class).iter().find_map(|owner| self.method(*owner, name))?;
        self.function(found).is_some_and(|function| function.kind != FunctionKind::Signature).then_some(found)
    }

    /// The method of a class or of what it inherits from; for one without a body, and for one that heirs override, all
    /// implementations.
    fn implementations(&self, class: ClassRef, name: &str) -> Vec<FunctionRef> {
        let mut found: Vec<FunctionRef> = Vec::new();
        for owner in self.lineage(class).iter().copied() {
            if let Some(function) = self.method(owner, name) {
                if self.function(function).is_some_and(|f| f.kind != FunctionKind::Signature) {
                    found.push(function);
                }
                break;
            }
        }
        // Who implements a port may inherit the method from a base that knows nothing of it.
        let is_port = found.is_empty();
        let body = |owner: ClassRef| {
            let function = self.method(owner, name)?;
            self.function(function).is_some_and(|f| f.kind != FunctionKind::Signature).then_some(function)
        };
        let inherited = |heir| self.lineage(heir).iter().copied().skip(1).find_map(body);
        for heir in self.heirs(class) {
            if let Some(function) = body(heir).or_else(|| if is_port { inherited(heir) } else { None })
                && !found.contains(&function)
            {
                found.push(function);
            }
        }
        found
    }

    /// The functions of that name in objects that are written out where one of the types is asked for: what a function gives that
    /// declares it, or a variable of it.
    fn written_out(&self, classes: &[ClassRef], name: &str) -> Vec<FunctionRef> {
        let is_asked_for = |file: FileId, ty: &TypeRef| match self.resolve_type(file, ty) {
            Type::Instance(class, _) => classes.contains(&class),
            _ => false,
        };
        let holds = |value: &Shared, function: FunctionRef| match &value.kind {
            ValueKind::Object { entries, .. } => entries.iter().any(|entry| {
                matches!(entry, Slot::Named { key, value, .. }
                    if key == name && matches!(value.kind, ValueKind::Function(held) if held == function))
            }),
            _ => false,
        };
        let is_it = |function: &FunctionRef| {
            let (Some(declared), Some(module)) = (self.function(*function), self.module(function.file)) else {
                return false;
            };
            let around = FunctionRef { file: function.file, id: declared.parent.unwrap_or(FunctionId(0)) };
            let Some(summary) = self.summary(around).filter(|_| declared.class.is_none()) else { return false };
            let given = self.function(around).and_then(|around| around.returns.as_ref());
            let is_given = || summary.returns.as_ref().is_some_and(|value| holds(value, *function));
            given.is_some_and(|ty| is_asked_for(function.file, ty)) && is_given()
                || summary.assigned.iter().any(|(local, values)| {
                    values.iter().any(|value| holds(value, *function))
                        && module.locals[local.at()].ty.as_ref().is_some_and(|ty| is_asked_for(function.file, ty))
                })
        };
        self.functions_named(name).iter().copied().filter(is_it).collect()
    }

    /// A method that a class declares itself, or a field that holds a function.
    pub fn method(&self, class: ClassRef, name: &str) -> Option<FunctionRef> {
        let declared = self.class(class)?;
        let mut signature = None;
        for id in &declared.methods {
            let function = FunctionRef { file: class.file, id: *id };
            let Some(known) = self.function(function) else { continue };
            if known.name == name && known.kind == FunctionKind::Signature {
                signature = Some(function);
            } else if known.name == name && known.kind != FunctionKind::Getter {
                return Some(function);
            }
        }
        let init = self.unit(class.file)?.summary.fields.get(&(class.id, name.to_owned()));
        match init.map(|value| &value.kind) {
            Some(ValueKind::Function(function)) => Some(*function),
            _ => signature,
        }
    }

    /// The values at an argument path of a call.
    pub fn argument(&self, call: &CallValue, path: &ArgPath) -> Vec<Shared> {
        let bases: Vec<Shared> = match path.base {
            ArgBase::Nth(at) => call.args.get(at as usize).map(|arg| Arc::clone(&arg.value)).into_iter().collect(),
            ArgBase::FromEnd(back) => {
                let at = call.args.len().checked_sub(back as usize);
                at.and_then(|at| call.args.get(at)).map(|arg| Arc::clone(&arg.value)).into_iter().collect()
            }
            ArgBase::From(first) => call.args.iter().skip(first as usize).map(|arg| Arc::clone(&arg.value)).collect(),
            ArgBase::Receiver => call.receiver().cloned().into_iter().collect(),
            ArgBase::Any => call.args.iter().map(|arg| Arc::clone(&arg.value)).collect(),
        };
        bases
            .into_iter()
            .map(|base| {
                path.keys.iter().fold(base, |at, key| {
                    let at = if matches!(at.kind, ValueKind::Object { .. }) { at } else { self.resolved(&at) };
                    match &at.kind {
                        _ if key == "*" => Value::element(&at, at.span),
                        // A tuple: `Cookie::build((name, value))`.
                        ValueKind::Array(_) if key.bytes().all(|byte| byte.is_ascii_digit()) => {
                            Value::index(&at, &Value::new(ValueKind::Number(key.clone()), at.span), at.span)
                        }
                        _ => Value::field(&at, key, at.span),
                    }
                })
            })
            .collect()
    }

    /// The whole chain that a call of a function stands in, `db.update(t).set(..).where(..).returning()`, and what the calls behind it are
    /// handed, which may be put together elsewhere.
    pub fn chain_around(&self, function: FunctionRef, call: Span) -> Vec<Span> {
        let calls = self.summary(function).map_or(&[][..], |summary| summary.calls.as_slice());
        let goes_on = |event: &&Event, at: Span| match event.call.receiver().map(|receiver| &receiver.kind) {
            Some(ValueKind::Call(inner)) => inner.site.span == at && event.span() != at,
            _ => false,
        };
        let next = |at: Span| calls.iter().find(|event| goes_on(event, at));
        let behind = std::iter::successors(next(call), |event| next(event.span())).take(60);
        let parts = behind.flat_map(|event| event.call.args.iter().map(|arg| arg.value.span).chain([event.span()]));
        std::iter::once(call).chain(parts).collect()
    }

    /// The calls in a function and in the closures in it.
    pub fn calls_inside(&self, function: FunctionRef) -> Vec<&Arc<CallValue>> {
        self.within(function).flat_map(|(_, summary)| &summary.calls).map(|event| &event.call).collect()
    }
}

fn may_be_function(value: &Shared) -> bool {
    matches!(
        value.kind,
        ValueKind::Function(_) | ValueKind::Captured(..) | ValueKind::Import(..) | ValueKind::Field(..)
    )
}
