//! What the library makes of a value before it is stored: the entity's hooks, the column's transformer.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::graph::{Bindings, Graph, Type};
use crate::provenance::interceptors::{self, Intercepting};
use crate::provenance::meaning::{Evaluator, Top};
use crate::rules::{self, ArgBase, Form, Operation, Transform};
use crate::schema::{ModelId, Schema};
use crate::sites::{self, Candidate};
use crate::source::Span;
use crate::summary::{Argument, CallSite, CallValue, ClassRef, FunctionRef, Shared, Slot, Value, ValueKind};

/// What a hook leaves of the row that it is run on.
#[derive(Clone, Debug)]
pub(super) struct Hook {
    pub function: FunctionRef,
    /// The parameter that is the row; `None`: `this` is.
    pub param: Option<u32>,
    /// The keys of the parameter below which the row stands; empty: it is the row itself.
    pub under: Vec<String>,
    /// The keys below which it stands in `exit`.
    pub left: Vec<String>,
    /// Names that stand under other keys of the parameter.
    pub told: Vec<(String, String)>,
    /// The operations that it is for; `None`: this one.
    pub before: Option<Vec<Operation>>,
    /// Not of plain objects.
    pub instance: bool,
    /// The key of the row that says whether it is new.
    pub new: Option<String>,
    /// The parameter that says it.
    pub new_at: Option<u32>,
    pub exit: Shared,
}

/// The hooks that run on the row of a write.
pub(super) fn of_write(
    graph: &Graph,
    schema: &Schema,
    candidate: &Candidate,
    interceptors: &[Intercepting],
) -> Vec<Hook> {
    let mut found = if candidate.hooks { of_model(graph, schema, candidate.model) } else { Vec::new() };
    if let Some(called) = &candidate.called {
        found.extend(interceptors::of_call(graph, schema, candidate.model, called, interceptors));
    }
    found
}

/// The hooks of a model's class and of what it inherits, the base's first.
fn of_model(graph: &Graph, schema: &Schema, model: ModelId) -> Vec<Hook> {
    let handed = handed_over(graph, schema, model);
    let model = &schema.models[model.0];
    let Some(class) = model.class else { return handed };
    let mut found = subscribed(graph, &model.pack, class);
    found.extend(handed);
    if !graph.rules.hook().any(|row| row.pack == model.pack) {
        return found;
    }
    for class in graph.lineage(class).iter().rev() {
        for (decorators, function) in decorated(graph, *class) {
            for decorator in decorators {
                let Some(path) = graph.callee_path(decorator) else { continue };
                let rows = graph.rules.hook().filter(|row| {
                    row.pack == model.pack && row.decorator.as_ref().is_some_and(|decorator| decorator.matches(&path))
                });
                for row in rows {
                    found.extend(run_on(graph, row, function));
                }
            }
        }
    }
    // What a trait is implemented with may stand in a file of its own.
    let own = graph.rules.hook().filter(|row| row.pack == model.pack && row.method.is_some());
    for row in own {
        for class in graph.lineage(class).iter().rev().copied().chain(graph.heirs(class)) {
            let methods = graph.class(class).map_or(&[][..], |declared| declared.methods.as_slice());
            let functions = methods.iter().map(|id| FunctionRef { file: class.file, id: *id });
            let is_it = |function: &FunctionRef| {
                graph.function(*function).is_some_and(|declared| Some(&declared.name) == row.method.as_ref())
            };
            found.extend(functions.filter(is_it).filter_map(|function| run_on(graph, row, function)));
        }
    }
    found
}

/// A function as the hook that a row describes; `None` where it leaves the row as it is.
fn run_on(graph: &Graph, row: &rules::Hook, function: FunctionRef) -> Option<Hook> {
    let summary = graph.summary(function)?;
    let param = match row.row.base {
        ArgBase::Nth(at) => Some(at),
        _ => None,
    };
    let exit = match param {
        _ if row.returns => summary.returns.as_ref(),
        Some(at) => summary.exits.get(&at),
        None => summary.this_exit.as_ref(),
    };
    Some(Hook {
        function,
        param,
        under: Vec::new(),
        left: Vec::new(),
        told: Vec::new(),
        before: Some(row.before.clone()),
        instance: row.instance,
        new: row.new.clone(),
        new_at: row.new_at,
        exit: Arc::clone(exit?),
    })
}

/// The functions that are handed over by name in the file that declares the model: `Token.beforeCreate(f)`, `schema.pre('save', f)`.
fn handed_over(graph: &Graph, schema: &Schema, id: ModelId) -> Vec<Hook> {
    let model = &schema.models[id.0];
    let rows: Vec<_> = graph.rules.hook().filter(|row| row.pack == model.pack && row.named.is_some()).collect();
    let Some(unit) = graph.unit(model.span.file).filter(|_| !rows.is_empty()) else { return Vec::new() };
    let calls = || unit.summary.functions.iter().flat_map(|of| &of.calls).map(|event| &event.call);
    let declaring = calls().find(|call| call.site.span == model.span);
    let is_model = |value: &Shared| sites::model_behind(graph, schema, value) == Some(id);
    let is_text =
        |value: &Shared, name: &str| matches!(&graph.resolved(value).kind, ValueKind::Text(text) if text == name);
    let mut found = Vec::new();
    for row in rows {
        let Some(name) = row.named.as_deref() else { continue };
        let tables = declaring.into_iter().flat_map(|call| row.below.iter().flat_map(|at| graph.argument(call, at)));
        let mut given: Vec<Shared> = tables.map(|table| Value::field(&table, name, table.span)).collect();
        let on =
            declaring.zip(row.on.as_ref()).and_then(|(call, at)| made_at(graph, graph.argument(call, at).first()?));
        for call in calls() {
            let (Some(receiver), Some(first), Some(last)) = (call.receiver(), call.args.first(), call.args.last())
            else {
                continue;
            };
            let is_through = call.method() == row.through.as_deref() && is_text(&first.value, name);
            let is_method = row.on.is_none() && call.method() == Some(name);
            let is_on = || match &row.on {
                None => is_model(receiver),
                Some(_) => on.is_some() && made_at(graph, receiver) == on,
            };
            if (is_through || is_method) && is_on() {
                given.push(Arc::clone(&last.value));
            }
        }
        for value in given {
            if let ValueKind::Function(function) = graph.resolved(&value).kind {
                found.extend(run_on(graph, row, function));
            }
        }
    }
    found
}

/// Where what a value holds was made, whatever was assigned to it since: `new Schema(..)`.
fn made_at(graph: &Graph, value: &Shared) -> Option<CallSite> {
    let mut at = graph.resolved(value);
    for _ in 0..60 {
        at = match &at.kind {
            ValueKind::Call(call) => return Some(call.site),
            ValueKind::Object { base: Some(base), .. } | ValueKind::After { before: base, .. } => graph.resolved(base),
            _ => return None,
        };
    }
    None
}

/// The methods of subscribers to the rows of a class.
fn subscribed(graph: &Graph, pack: &str, class: ClassRef) -> Vec<Hook> {
    let mut found = Vec::new();
    for row in graph.rules.subscriber().filter(|row| row.pack == pack) {
        for (file, unit) in graph.units() {
            let about = |base: &crate::ir::TypeRef| match graph.resolve_type(file, base) {
                Type::External(path, args) if row.implements.matches(&path) => match args.first() {
                    Some(Type::Instance(of, _)) => graph.lineage(class).contains(of),
                    _ => true,
                },
                _ => false,
            };
            for subscriber in unit.module.classes.iter().filter(|class| class.implements.iter().any(about)) {
                for id in &subscriber.methods {
                    let function = FunctionRef { file, id: *id };
                    let is_named = graph.function(function).is_some_and(|method| method.name == row.method);
                    let exit = graph.summary(function).and_then(|summary| summary.exits.get(&0)).filter(|_| is_named);
                    found.extend(exit.map(|exit| Hook {
                        function,
                        param: Some(0),
                        under: vec![row.under.clone()],
                        left: vec![row.under.clone()],
                        told: Vec::new(),
                        before: Some(row.before.clone()),
                        instance: false,
                        new: None,
                        new_at: None,
                        exit: Arc::clone(exit),
                    }));
                }
            }
        }
    }
    found
}

/// The methods of a class, and its fields that hold functions, with their decorators.
fn decorated<'g>(graph: &Graph<'g>, class: ClassRef) -> Vec<(&'g [Arc<CallValue>], FunctionRef)> {
    let (Some(declared), Some(unit)) = (graph.class(class), graph.unit(class.file)) else { return Vec::new() };
    let methods = declared.methods.iter().filter_map(|id| {
        let decorators = unit.summary.functions.get(id.at())?.decorators.as_slice();
        Some((decorators, FunctionRef { file: class.file, id: *id }))
    });
    let fields = unit.summary.field_decorators.iter().filter(|((owner, _), _)| *owner == class.id);
    let fields = fields.filter_map(|(key, decorators)| match unit.summary.fields.get(key)?.kind {
        ValueKind::Function(function) => Some((decorators.as_slice(), function)),
        _ => None,
    });
    methods.chain(fields).filter(|(decorators, _)| !decorators.is_empty()).collect()
}

/// What stands under `key` after the hooks have run on a row that holds `value` there; the value itself where none assigns it.
pub(super) fn applied(
    graph: &Graph,
    hooks: &[Hook],
    operation: Operation,
    row: &Shared,
    key: &str,
    value: &Shared,
) -> Shared {
    let mut at = Arc::clone(value);
    let plain = matches!(row.kind, ValueKind::Object { base: None, .. });
    let is_for = |hook: &&Hook| hook.before.as_ref().is_none_or(|before| before.contains(&operation));
    for hook in hooks.iter().filter(is_for).filter(|hook| !(plain && hook.instance)) {
        let span = value.span;
        let held = Slot::Named { key: key.to_owned(), key_span: span, value: Arc::clone(&at) };
        let inserts = matches!(operation, Operation::Insert | Operation::UpsertCreate);
        let is_new = Value::new(ValueKind::Bool(inserts), span);
        let new = hook.new.clone().map(|key| Slot::Named { key, key_span: span, value: is_new });
        let entries = new.into_iter().chain([held]).collect();
        let row = Value::new(ValueKind::Object { base: Some(Arc::clone(row)), entries }, span);
        let count = graph.function(hook.function).map_or(0, |function| function.params.len());
        let library =
            || Value::new(ValueKind::Opaque("a parameter that the called library hands in", Vec::new()), span);
        let mut params: Vec<Shared> = (0..count).map(|_| library()).collect();
        let mut this = None;
        if let Some(slot) = hook.new_at.and_then(|at| params.get_mut(at as usize)) {
            *slot = Value::new(ValueKind::Bool(inserts), span);
        }
        match hook.param {
            Some(nth) => {
                if let Some(slot) = params.get_mut(nth as usize) {
                    let row = hook.under.iter().rev().fold(row, |inner, key| under(key, inner, library()));
                    let name = |(key, name): &(String, String)| {
                        let value = Value::new(ValueKind::Text(name.clone()), span);
                        Slot::Named { key: key.clone(), key_span: span, value }
                    };
                    let told: Vec<Slot> = hook.told.iter().map(name).collect();
                    *slot = if told.is_empty() {
                        row
                    } else {
                        Value::new(ValueKind::Object { base: Some(row), entries: told }, span)
                    };
                }
            }
            None => this = Some(row),
        }
        let exit = graph.substitute(&hook.exit, &Bindings { function: hook.function, params, this });
        let exit = hook.left.iter().fold(exit, |exit, key| left_under(graph, &exit, key, 8));
        at = left_under(graph, &exit, key, 8);
    }
    at
}

/// What stands under a key of something whose fields were assigned, on some of several ways perhaps.
fn left_under(graph: &Graph, base: &Shared, key: &str, fuel: u8) -> Shared {
    let span = base.span;
    let at = Value::field(base, key, span);
    let Some(fuel) = fuel.checked_sub(1) else { return at };
    let again = |way: &Shared| left_under(graph, way, key, fuel);
    match &base.kind {
        ValueKind::Cond { cond, then, otherwise } => {
            let (then, otherwise) = (again(then), again(otherwise));
            Value::new(ValueKind::Cond { cond: Arc::clone(cond), then, otherwise }, span)
        }
        ValueKind::Either(ways) => Value::new(ValueKind::Either(ways.iter().map(again).collect()), span),
        // Other keys that were assigned, of what a call has changed.
        ValueKind::Object { base: Some(below), entries } if entries.iter().all(|entry| is_other(entry, key)) => {
            again(below)
        }
        ValueKind::After { .. } => match graph.expand(base) {
            Some(inner) if !Arc::ptr_eq(&inner, base) => again(&inner),
            _ => at,
        },
        _ => at,
    }
}

/// Whether an entry of an object stands under another key.
fn is_other(entry: &Slot, key: &str) -> bool {
    matches!(entry, Slot::Named { key: other, .. } if other != key)
}

/// `{ ...around, key: value }`.
fn under(key: &str, value: Shared, around: Shared) -> Shared {
    let span = value.span;
    let entries = vec![Slot::Named { key: key.to_owned(), key_span: span, value }];
    Value::new(ValueKind::Object { base: Some(around), entries }, span)
}

/// The form that the transformer or the setter of a property gives to what is written through the library.
pub(super) fn form_of(evaluator: &Evaluator, model: ModelId, property: &str) -> Option<Form> {
    let (graph, schema) = (evaluator.graph, evaluator.schema);
    let model = &schema.models[model.0];
    let rows: Vec<&Transform> = graph.rules.transform().filter(|row| row.pack == model.pack).collect();
    let class = model.class.filter(|_| !rows.is_empty())?;
    let class = *graph.lineage(class).iter().find(|class| {
        graph.class(**class).is_some_and(|declared| declared.fields.iter().any(|field| field.name == property))
    })?;
    let decorators = graph.unit(class.file)?.summary.field_decorators.get(&(class.id, property.to_owned()));
    let decorators = decorators.map_or(&[][..], Vec::as_slice);
    rows.iter().find_map(|row| {
        if let Some(pattern) = &row.decorator {
            return decorators
                .iter()
                .filter(|decorator| graph.callee_path(decorator).is_some_and(|path| pattern.matches(&path)))
                .flat_map(|decorator| row.function.iter().flat_map(|path| graph.argument(decorator, path)))
                .find_map(|function| form_given(evaluator, row, &function));
        }
        let setters = graph.method(class, property).map(|function| {
            let span = graph.function(function).map_or(Span { file: class.file, start: 0, end: 0 }, |f| f.name_span);
            Value::new(ValueKind::Function(function), span)
        });
        let made = decorators.iter().filter_map(|decorator| {
            let target = graph.targets(decorator).first()?.function;
            let returns = graph.summary(target)?.returns.as_ref()?;
            Some(Value::field(&graph.resolved(returns), "set", returns.span))
        });
        setters.into_iter().chain(made).find_map(|function| form_given(evaluator, row, &function))
    })
}

/// The form of what a function returns, or hands to the call that stores it.
fn form_given(evaluator: &Evaluator, row: &Transform, function: &Shared) -> Option<Form> {
    let graph = evaluator.graph;
    let place = FunctionRef { file: function.span.file, id: crate::ir::FunctionId(0) };
    let site = CallSite { function: place, expr: crate::ir::ExprId(u32::MAX), span: function.span };
    let given = Value::new(ValueKind::Text("x".to_owned()), function.span);
    let call = CallValue {
        site,
        callee: Arc::clone(function),
        args: vec![Argument { value: given, spread: false }],
        is_new: false,
        type_args: Vec::new(),
    };
    let Some(target) = graph.targets(&call).first().cloned() else {
        let result = Value::new(ValueKind::Call(Arc::new(call)), function.span);
        return changed(evaluator, &result);
    };
    let top = Some(Top { function: target.function, fresh: &[] });
    let column = evaluator.column;
    let evaluator = Evaluator {
        graph,
        schema: evaluator.schema,
        column,
        top,
        assumed: RefCell::default(),
        known: Rc::default(),
        rows: Rc::default(),
    };
    let summary = graph.summary(target.function)?;
    match &row.stores {
        None => changed(&evaluator, summary.returns.as_ref()?),
        Some(stores) => summary
            .calls
            .iter()
            .map(|event| &event.call)
            .filter(|call| graph.callee_path(call).is_some_and(|path| stores.matches(&path)))
            .filter_map(|call| call.args.get(1))
            .find_map(|stored| changed(&evaluator, &stored.value)),
    }
}

/// Hashed or encrypted, where a value can be.
fn changed(evaluator: &Evaluator, value: &Shared) -> Option<Form> {
    let chains = evaluator.chains(value);
    let forms = || chains.iter().flatten().filter_map(|atom| atom.form);
    forms().find(|form| matches!(form, Form::Encrypted | Form::Hashed))
}
