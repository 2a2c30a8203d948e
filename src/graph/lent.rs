//! What a library runs functions on that it is handed: to `this` of `schema.methods.sign = function () {}` Mongoose gives a document, to
//! that of `schema.statics.issue` the model.

use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::graph::Graph;
use crate::ir::{ExprId, ExprKind, FunctionId};
use crate::rules::{ArgPath, Declaration, Lend, LentTo};
use crate::source::Span;
use crate::summary::{CallSite, CallValue, ClassRef, FunctionRef, Shared, Slot, Value, ValueKind};

/// By function the model for which it runs, and the method of the model that gives a row, where it runs on one.
pub(super) type Lent = FxHashMap<FunctionRef, (Shared, Option<String>)>;

/// The calls that make what holds functions, with the model that they are for.
type Holders = FxHashMap<Span, Shared>;

/// Objects of functions in objects are looked through so deep.
const DEEPEST: u8 = 6;

impl Graph<'_> {
    /// The row or the model that `this` is in a function which a library was handed.
    pub(super) fn lent(&self, this: &Shared) -> Option<Shared> {
        let (model, row_by) = self.lent_at(this.span)?;
        let lent = match (row_by, &model.kind) {
            (None, _) => model,
            (Some(_), ValueKind::Class(class)) => Value::new(ValueKind::This(*class), this.span),
            (Some(by), _) => self.row_of_model(&model, &by, this.span),
        };
        (!Arc::ptr_eq(&lent, this)).then_some(lent)
    }

    /// The model of the row that `this` is in such a function.
    pub(super) fn lending(&self, this: &Shared) -> Option<Shared> {
        self.lent_at(this.span).filter(|(_, row_by)| row_by.is_some()).map(|(model, _)| model)
    }

    /// The functions by which a library gives rows a property of that name: `schema.virtual('isUsable').get(function () {})`.
    pub(crate) fn giving(&self, name: &str) -> Vec<FunctionRef> {
        let mut found = Vec::new();
        for row in self.rules.lend() {
            let (Some(property), Some(pattern), Some(at)) = (&row.property, &row.call, &row.function) else { continue };
            for declared in self.calls_named(property.last()).iter().filter_map(|at| self.call_at(*at)) {
                let is_it =
                    |value: &Shared| matches!(&self.resolved(value).kind, ValueKind::Text(text) if text == name);
                let Some(unit) = self.unit(declared.site.span.file) else { continue };
                if !declared.args.first().is_some_and(|first| is_it(&first.value)) {
                    continue;
                }
                let calls = unit.summary.functions.iter().flat_map(|summary| &summary.calls).map(|event| &event.call);
                let on = |call: &CallValue| match call.receiver().map(|on| &on.kind) {
                    Some(ValueKind::Call(inner)) => inner.site == declared.site,
                    _ => false,
                };
                let calls = calls.filter(|call| call.method() == pattern.last() && on(call));
                found.extend(calls.flat_map(|call| self.argument(call, at)).filter_map(|given| match given.kind {
                    ValueKind::Function(function) => Some(function),
                    _ => None,
                }));
            }
        }
        found
    }

    fn lent_at(&self, place: Span) -> Option<(Shared, Option<String>)> {
        self.rules.lend().next().filter(|_| !self.is_linking)?;
        let known = self.lent.borrow().clone();
        let lent = known.unwrap_or_else(|| {
            // What this asks finds nothing lent.
            *self.lent.borrow_mut() = Some(Rc::default());
            // It is kept for every question, whatever may be seen and spent for the one under way.
            let (_all, fuel) = (self.without_limit(), self.fuel.get());
            let found = Rc::new(self.find_lent());
            self.fuel.set(fuel);
            *self.lent.borrow_mut() = Some(Rc::clone(&found));
            found
        });
        if lent.is_empty() {
            return None;
        }
        lent.get(&self.bound_in(place)?).cloned()
    }

    /// The innermost function around a place that has a `this` of its own.
    fn bound_in(&self, place: Span) -> Option<FunctionRef> {
        let module = self.module(place.file)?;
        let around = module.functions.iter().enumerate().filter(|(_, function)| {
            function.binds_this && function.span.start <= place.start && place.end <= function.span.end
        });
        let (at, _) = around.min_by_key(|(_, function)| function.span.end - function.span.start)?;
        Some(FunctionRef { file: place.file, id: FunctionId::of(at) })
    }

    /// A row as a query of the model gives it.
    fn row_of_model(&self, model: &Shared, by: &str, span: Span) -> Shared {
        let exprs = self.module(span.file).map_or(&[][..], |module| module.exprs.as_slice());
        let at = exprs.iter().position(|expr| expr.span == span && matches!(expr.kind, ExprKind::This));
        let function = FunctionRef { file: span.file, id: FunctionId(0) };
        let site = CallSite { function, expr: ExprId::of(at.unwrap_or_default()), span };
        let callee = Value::new(ValueKind::Field(Arc::clone(model), by.to_owned()), span);
        let call = CallValue { site, callee, args: Vec::new(), is_new: false, type_args: Vec::new() };
        Value::new(ValueKind::Call(Arc::new(call)), span)
    }

    fn find_lent(&self) -> Lent {
        let mut found = Lent::default();
        let mut packs: Vec<&str> = self.rules.lend().map(|row| row.pack.as_str()).collect();
        packs.dedup();
        for pack in packs {
            let rows: Vec<&Lend> = self.rules.lend().filter(|row| row.pack == pack).collect();
            let mut holders = Holders::default();
            for declaration in self.rules.model().filter(|row| row.pack == pack) {
                self.declared_holders(declaration, &rows, &mut holders, &mut found);
            }
            for (pattern, model) in rows.iter().filter_map(|row| Some((row.of.as_ref()?, row.model.as_ref()?))) {
                let calls = self.calls_named(pattern.last()).iter().filter_map(|at| self.call_at(*at));
                for call in calls.filter(|call| self.callee_path(call).is_some_and(|path| pattern.matches(&path))) {
                    self.refuel();
                    let model = self.argument(call, model).into_iter().next();
                    holders.extend(model.map(|model| (call.site.span, self.resolved(&model))));
                }
            }
            if !holders.is_empty() {
                self.lent_through(&holders, &rows, &mut found);
            }
        }
        found
    }

    /// What holds functions for the models that calls declare, and the functions that these calls are handed.
    fn declared_holders(&self, declaration: &Declaration, rows: &[&Lend], holders: &mut Holders, found: &mut Lent) {
        let declaring = self.calls_named(declaration.call.last()).iter().filter_map(|at| self.call_at(*at));
        for call in declaring {
            self.refuel();
            if !self.callee_path(call).is_some_and(|path| declaration.call.matches(&path)) {
                continue;
            }
            let model = Value::new(ValueKind::Call(Arc::clone(call)), call.site.span);
            if declaration.columns.keys.is_empty() {
                self.lent_by_call(call, &model, rows, found);
                holders.insert(call.site.span, model);
                continue;
            }
            // The columns stand in what makes the schema, which stands in turn among the arguments.
            let schema = ArgPath { keys: Vec::new(), ..declaration.columns.clone() };
            for schema in self.argument(call, &schema) {
                let schema = self.resolved(&schema);
                self.lent_in(&schema, &model, rows, found);
                let Some(made) = self.roots(&schema).pop() else { continue };
                self.lent_by_call(&made, &model, rows, found);
                holders.entry(made.site.span).or_insert_with(|| Arc::clone(&model));
            }
        }
    }

    /// The functions that are assigned to what holds them, or handed to it by further calls.
    fn lent_through(&self, holders: &Holders, rows: &[&Lend], found: &mut Lent) {
        let holder = |value: &Shared| self.roots(value).iter().find_map(|call| holders.get(&call.site.span).cloned());
        for (_, unit) in &self.linked {
            let assigned = unit.summary.functions.iter().flat_map(|summary| summary.assigned.values());
            for value in assigned.filter_map(|values| values.last()) {
                self.refuel();
                if let (ValueKind::Object { base: Some(_), .. }, Some(model)) = (&value.kind, holder(value)) {
                    self.lent_in(value, &model, rows, found);
                }
            }
        }
        for row in rows {
            let (Some(pattern), Some(function)) = (&row.call, &row.function) else { continue };
            let calls = self.calls_named(pattern.last()).iter().filter_map(|at| self.call_at(*at));
            for call in calls {
                self.refuel();
                let is_it = self.callee_path(call).is_some_and(|path| pattern.matches(&path));
                if let Some(model) = call.receiver().filter(|_| is_it).and_then(holder) {
                    for given in self.argument(call, function) {
                        self.lend(&given, &model, row, found, DEEPEST);
                    }
                }
            }
        }
    }

    /// Functions among the arguments of the call that makes what holds them: `new Schema({ .. }, { methods: { .. } })`.
    fn lent_by_call(&self, made: &CallValue, model: &Shared, rows: &[&Lend], found: &mut Lent) {
        for (row, at) in rows.iter().filter_map(|row| Some((row, row.at.as_ref()?))) {
            for given in self.argument(made, at) {
                self.lend(&given, model, row, found, DEEPEST);
            }
        }
    }

    /// Functions that were assigned below a key of what holds them: `schema.methods.sign = ..`.
    fn lent_in(&self, value: &Shared, model: &Shared, rows: &[&Lend], found: &mut Lent) {
        let mut at = value;
        for _ in 0..200 {
            at = match &at.kind {
                ValueKind::Object { base: Some(base), entries } => {
                    for slot in entries {
                        let Slot::Named { key, value, .. } = slot else { continue };
                        let is_below = |row: &&&Lend| match row.key.as_deref() {
                            Some("*") => matches!(value.kind, ValueKind::Function(_)),
                            below => below == Some(key),
                        };
                        for row in rows.iter().filter(is_below) {
                            self.lend(value, model, row, found, DEEPEST);
                        }
                    }
                    base
                }
                ValueKind::After { before, .. } => before,
                // A variable that another file imports, as it was at any time.
                ValueKind::Either(values) => {
                    return values.iter().for_each(|value| self.lent_in(value, model, rows, found));
                }
                _ => return,
            };
        }
    }

    /// The calls that a value with what was assigned to it begins with, the last first.
    fn roots(&self, value: &Shared) -> Vec<Arc<CallValue>> {
        let mut found = Vec::new();
        let mut at = self.resolved(value);
        for _ in 0..200 {
            let next = match &at.kind {
                ValueKind::Object { base: Some(base), .. } | ValueKind::After { before: base, .. } => base,
                ValueKind::Either(values) if let Some(first) = values.first() => first,
                ValueKind::Call(call) => {
                    found.push(Arc::clone(call));
                    match call.receiver().filter(|_| !call.is_new) {
                        Some(receiver) => receiver,
                        None => break,
                    }
                }
                _ => break,
            };
            at = self.resolved(next);
        }
        found
    }

    /// Notes the functions that are, or lie in, what is handed over; of a class its methods.
    fn lend(&self, given: &Shared, model: &Shared, row: &Lend, found: &mut Lent, fuel: u8) {
        let Some(fuel) = fuel.checked_sub(1) else { return };
        let mut note = |function, to_row: bool| {
            let row_by = to_row.then(|| row.row_by.clone());
            found.entry(function).or_insert_with(|| (Arc::clone(model), row_by));
        };
        let given = self.resolved(given);
        match &given.kind {
            ValueKind::Function(function) => note(*function, row.to != LentTo::Model),
            ValueKind::Class(class) if row.to == LentTo::Class => {
                for (function, is_static) in self.own_methods(*class) {
                    note(function, !is_static);
                }
            }
            ValueKind::Object { base, entries } => {
                if let Some(base) = base {
                    self.lend(base, model, row, found, fuel);
                }
                for slot in entries {
                    let (Slot::Named { value, .. } | Slot::Computed { value, .. } | Slot::Spread(value)) = slot;
                    self.lend(value, model, row, found, fuel);
                }
            }
            _ => {}
        }
    }

    /// The methods of a class, and whether each is static.
    fn own_methods(&self, class: ClassRef) -> Vec<(FunctionRef, bool)> {
        let methods = self.class(class).map_or(&[][..], |declared| declared.methods.as_slice());
        let refs = methods.iter().map(|id| FunctionRef { file: class.file, id: *id });
        refs.filter_map(|function| Some((function, self.function(function)?.is_static))).collect()
    }
}
