//! The symbolic execution of one function's statements.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ir::{Binding, Call};
use crate::ir::{ClassId, Decorator, Entry, Export, ExprId, ExprKind, FunctionId, Item, LocalId, Module, Place, Stmt};
use crate::source::Span;
use crate::summary::{
    Argument, CallSite, CallValue, ClassRef, Event, FunctionRef, Guard, Guards, Member, ModuleSummary, Shared, Slot,
    Summary, Value, ValueKind,
};

/// More expressions than this in one function make the rest opaque: generated code, not written code.
const BUDGET: u32 = 200_000;

/// Executes every function of a module.
pub fn summarize(module: &Module) -> ModuleSummary {
    let functions: Vec<Summary> =
        (0..module.functions.len()).map(|at| Execution::of(module, FunctionId::of(at)).run()).collect();
    let mut result = ModuleSummary { functions, ..ModuleSummary::default() };
    for (at, class) in module.classes.iter().enumerate() {
        let id = ClassId::of(at);
        let mut run = Execution::of(module, FunctionId(0));
        run.this = Some(id);
        for field in &class.fields {
            if let Some(init) = field.init {
                let value = run.eval(init);
                result.fields.insert((id, field.name.clone()), value);
            }
        }
        if let Some(call) = class.extends_call {
            let value = run.eval(call);
            result.extends_calls.insert(id, value);
        }
        let decorators = run.decorators(&class.decorators);
        result.class_decorators.push(decorators);
        // Closures in field initialisers see the module's variables as they stand at the end.
    }
    for export in &module.exports {
        if let Export::Value { name, value } = export {
            let value = Execution::of(module, FunctionId(0)).eval(*value);
            result.exported.insert(name.clone(), value);
        }
    }
    result
}

type Env = imbl::OrdMap<LocalId, Shared>;

struct Execution<'a> {
    module: &'a Module,
    function: FunctionRef,
    this: Option<ClassId>,
    env: Env,
    /// `this.name` as assigned so far.
    own: imbl::OrdMap<String, Shared>,
    guards: Guards,
    returns: Vec<(Guards, Shared)>,
    spent: u32,
    out: Summary,
}

impl<'a> Execution<'a> {
    fn of(module: &'a Module, id: FunctionId) -> Self {
        let function = FunctionRef { file: module.file, id };
        let mut this = None;
        let mut at = Some(id);
        let mut hops = 0;
        while let Some(current) = at {
            let function = module.function(current);
            this = function.class;
            at = if this.is_some() || hops > 200 { None } else { function.parent };
            hops += 1;
        }
        Self {
            module,
            function,
            this,
            env: Env::new(),
            own: imbl::OrdMap::new(),
            guards: None,
            returns: Vec::new(),
            spent: 0,
            out: Summary::default(),
        }
    }

    fn run(mut self) -> Summary {
        let function = self.module.function(self.function.id);
        for (at, param) in function.params.iter().enumerate() {
            let value = Value::new(ValueKind::Param(self.function, u32::try_from(at).unwrap_or(u32::MAX)), param.span);
            self.env.insert(param.local, value);
        }
        let ended = self.block(&function.body);
        for (at, param) in function.params.iter().enumerate() {
            if let Some(value) = self.env.get(&param.local)
                && matches!(value.kind, ValueKind::Object { .. } | ValueKind::After { .. })
            {
                self.out.exits.insert(u32::try_from(at).unwrap_or(u32::MAX), Arc::clone(value));
            }
        }
        for (local, value) in &self.env {
            if self.module.locals.get(local.at()).is_some_and(|l| l.function != self.function.id) {
                self.out.leaves.insert(*local, Arc::clone(value));
            }
        }
        self.out.returns = self.joined_returns(ended, function.span);
        self.out.decorators = self.decorators(&function.decorators);
        self.out.param_decorators = function.params.iter().map(|p| self.decorators(&p.decorators)).collect();
        self.out
    }

    /// `Cond(guards of the first, the first, Cond(.., the second, ..))`.
    fn joined_returns(&mut self, ended: bool, span: Span) -> Option<Shared> {
        let returns = std::mem::take(&mut self.returns);
        let mut result = if ended || returns.is_empty() { None } else { Some(Value::new(ValueKind::Undefined, span)) };
        for (guards, value) in returns.into_iter().rev() {
            result = Some(match (result, conjunction(&guards)) {
                (Some(otherwise), Some(cond)) => {
                    Value::new(ValueKind::Cond { cond, then: value.clone(), otherwise }, value.span)
                }
                _ => value,
            });
        }
        result
    }

    fn decorators(&mut self, decorators: &[Decorator]) -> Vec<Arc<CallValue>> {
        decorators
            .iter()
            .map(|decorator| {
                let mut callee = self.binding(&decorator.binding, decorator.span);
                for name in decorator.name.split('.').skip(1) {
                    callee = Value::new(ValueKind::Field(callee, name.to_owned()), decorator.span);
                }
                let args =
                    decorator.args.iter().map(|arg| Argument { value: self.eval(*arg), spread: false }).collect();
                let site = CallSite { function: self.function, expr: ExprId(u32::MAX), span: decorator.span };
                Arc::new(CallValue { site, callee, args, is_new: false, type_args: Vec::new() })
            })
            .collect()
    }

    /// Executes statements; true when the end is never reached.
    fn block(&mut self, statements: &[Stmt]) -> bool {
        statements.iter().any(|statement| self.statement(statement))
    }

    fn statement(&mut self, statement: &Stmt) -> bool {
        match statement {
            Stmt::Assign { target, value, span } => {
                let value = self.eval(*value);
                self.assign(target, value, *span);
                false
            }
            Stmt::Expr(expr) => {
                self.eval(*expr);
                false
            }
            Stmt::If { cond, then, otherwise } => self.branch(*cond, then, otherwise),
            Stmt::Loop { body } => {
                let before = self.env.clone();
                let guards = self.guards.clone();
                self.block(body);
                self.guards = guards;
                let after = std::mem::replace(&mut self.env, before);
                self.join(None, &after);
                false
            }
            Stmt::Return(value) => {
                if let Some(value) = value {
                    let value = self.eval(*value);
                    self.returns.push((self.guards.clone(), value));
                }
                true
            }
            Stmt::Throw(value) => {
                if let Some(value) = value {
                    self.eval(*value);
                }
                true
            }
            Stmt::Try { body, catch, finally } => {
                let before = self.env.clone();
                let guards = self.guards.clone();
                let body_ended = self.block(body);
                let after_body = std::mem::replace(&mut self.env, before);
                self.guards = guards.clone();
                self.join(None, &after_body);
                let catch_ended = self.block(catch);
                self.guards = guards;
                if catch_ended || (catch.is_empty() && !body_ended) {
                    self.env = after_body;
                } else if !body_ended {
                    self.join(None, &after_body);
                }
                let ended = body_ended && (catch_ended || catch.is_empty());
                self.block(finally) || ended
            }
        }
    }

    fn branch(&mut self, cond: ExprId, then: &[Stmt], otherwise: &[Stmt]) -> bool {
        let cond = self.eval(cond);
        let before = self.env.clone();
        let guards = self.guards.clone();
        let under = |holds| Some(Arc::new(Guard { cond: Arc::clone(&cond), holds, outer: guards.clone() }));
        self.guards = under(true);
        let then_ended = self.block(then);
        let after_then = std::mem::replace(&mut self.env, before);
        self.guards = under(false);
        let otherwise_ended = self.block(otherwise);
        match (then_ended, otherwise_ended) {
            // The rest of the block runs only where the branch that goes on was taken: its guards stay.
            (true, false) => self.guards = under(false),
            (false, true) => {
                self.env = after_then;
                self.guards = under(true);
            }
            (false, false) => {
                self.guards = guards;
                let after_otherwise = std::mem::replace(&mut self.env, after_then);
                self.join(Some(&cond), &after_otherwise);
            }
            (true, true) => {
                self.guards = guards;
                return true;
            }
        }
        false
    }

    /// Joins the environment of another way to here: `self.env` where the condition holds, `other` where not.
    fn join(&mut self, cond: Option<&Shared>, other: &Env) {
        let mine = self.env.clone();
        let locals: BTreeSet<LocalId> = mine.keys().chain(other.keys()).copied().collect();
        for local in locals {
            let (left, right) = (mine.get(&local), other.get(&local));
            if let (Some(left), Some(right)) = (left, right)
                && Arc::ptr_eq(left, right)
            {
                continue;
            }
            let span = left.or(right).map_or(self.module.locals[local.at()].span, |value| value.span);
            let absent = || self.unassigned(local, span);
            let left = left.cloned().unwrap_or_else(absent);
            let right = right.cloned().unwrap_or_else(absent);
            let kind = match cond {
                Some(cond) => ValueKind::Cond { cond: Arc::clone(cond), then: left, otherwise: right },
                None => ValueKind::Either(vec![left, right]),
            };
            self.env.insert(local, Value::new(kind, span));
        }
    }

    fn unassigned(&self, local: LocalId, span: Span) -> Shared {
        let own = self.module.locals[local.at()].function == self.function.id;
        Value::new(if own { ValueKind::Undefined } else { ValueKind::Captured(self.function, local) }, span)
    }

    fn assign(&mut self, target: &Place, value: Shared, span: Span) {
        match target {
            Place::Local(local) => self.set_local(*local, value),
            Place::Field { base, name, name_span } => {
                let slot = Slot::Named { key: name.clone(), key_span: *name_span, value };
                self.assign_slot(*base, slot, span, 0);
            }
            Place::Index { base, index } => {
                let key = self.eval(*index);
                self.assign_slot(*base, Slot::Computed { key, value }, span, 0);
            }
        }
    }

    fn set_local(&mut self, local: LocalId, value: Shared) {
        if self.module.locals[local.at()].function == self.function.id {
            self.out.assigned.entry(local).or_default().push(Arc::clone(&value));
        }
        self.env.insert(local, value);
    }

    /// `base.slot = ..`: the variable at the root of `base` becomes a changed object.
    fn assign_slot(&mut self, base: ExprId, slot: Slot, span: Span, depth: u8) {
        if depth > 20 {
            return;
        }
        match &self.module.expr(base).kind {
            ExprKind::Name(Binding::Local(local)) => {
                let before = self.local(*local, span);
                let value = with_slot(&before, slot, span);
                self.set_local(*local, value);
            }
            ExprKind::This => {
                if let Slot::Named { key, value, .. } = slot {
                    self.own.insert(key.clone(), Arc::clone(&value));
                    self.out.this_fields.push((key, value));
                }
            }
            ExprKind::Field { base: outer, name, name_span } => {
                let before = self.eval(base);
                let value = with_slot(&before, slot, span);
                let slot = Slot::Named { key: name.clone(), key_span: *name_span, value };
                self.assign_slot(*outer, slot, span, depth + 1);
            }
            _ => {}
        }
    }

    fn local(&self, local: LocalId, span: Span) -> Shared {
        self.env.get(&local).cloned().unwrap_or_else(|| {
            // An own variable that is read before any assignment here was assigned elsewhere: in a loop, by a closure.
            self.unassigned(local, span)
        })
    }

    fn binding(&mut self, binding: &Binding, span: Span) -> Shared {
        let file = self.module.file;
        let kind = match binding {
            Binding::Local(local) => return self.local(*local, span),
            Binding::Function(id) => ValueKind::Function(FunctionRef { file, id: *id }),
            Binding::Class(id) => ValueKind::Class(ClassRef { file, id: *id }),
            Binding::Import(id) => ValueKind::Import(file, *id),
            Binding::Global(name) => ValueKind::Global(name.clone()),
        };
        Value::new(kind, span)
    }

    fn eval(&mut self, id: ExprId) -> Shared {
        let expr = self.module.expr(id);
        let span = expr.span;
        self.spent += 1;
        if self.spent > BUDGET {
            return Value::new(ValueKind::Opaque("function too large to follow", Vec::new()), span);
        }
        let kind = match &expr.kind {
            ExprKind::Text(text) => ValueKind::Text(text.clone()),
            ExprKind::Number(text) => ValueKind::Number(text.clone()),
            ExprKind::Bool(value) => ValueKind::Bool(*value),
            ExprKind::Null => ValueKind::Null,
            ExprKind::Undefined => ValueKind::Undefined,
            ExprKind::This | ExprKind::Super => match self.this {
                Some(id) if matches!(expr.kind, ExprKind::Super) => {
                    ValueKind::Super(ClassRef { file: self.module.file, id })
                }
                Some(id) => ValueKind::This(ClassRef { file: self.module.file, id }),
                None => ValueKind::Opaque("`this` outside a class", Vec::new()),
            },
            ExprKind::Name(binding) => return self.binding(binding, span),
            ExprKind::Field { base, name, .. } => return self.field(*base, name, span),
            ExprKind::Index { base, index } => {
                let (base, index) = (self.eval(*base), self.eval(*index));
                return Value::index(&base, &index, span);
            }
            ExprKind::Element(base) => return Value::element(&self.eval(*base), span),
            ExprKind::Rest { base, except } => ValueKind::Rest(self.eval(*base), except.clone().into()),
            ExprKind::Subset(base) => ValueKind::Subset(self.eval(*base)),
            ExprKind::Object(entries) => {
                let entries = entries.iter().map(|entry| self.slot(entry)).collect();
                ValueKind::Object { base: None, entries }
            }
            ExprKind::Array(items) => ValueKind::Array(
                items
                    .iter()
                    .map(|item| match item {
                        Item::One(value) => Member::One(self.eval(*value)),
                        Item::Spread(value) => Member::Spread(self.eval(*value)),
                        Item::Each(value) => Member::Each(self.eval(*value)),
                    })
                    .collect(),
            ),
            ExprKind::Call(call) => return self.call(id, call, span),
            ExprKind::Cond { cond, then, otherwise } => {
                let cond = self.eval(*cond);
                let then = self.under(&cond, true, *then);
                let otherwise = self.under(&cond, false, *otherwise);
                ValueKind::Cond { cond, then, otherwise }
            }
            ExprKind::Fallback { left, right, when } => {
                ValueKind::Fallback { left: self.eval(*left), right: self.eval(*right), when: *when }
            }
            ExprKind::And { left, right } => {
                let left = self.eval(*left);
                let right = self.under(&left, true, *right);
                ValueKind::And(left, right)
            }
            ExprKind::Not(inner) => ValueKind::Not(self.eval(*inner)),
            ExprKind::Compare { left, right, equal } => {
                ValueKind::Compare { left: self.eval(*left), right: self.eval(*right), equal: *equal }
            }
            ExprKind::Concat(parts) => ValueKind::Concat(self.all(parts)),
            ExprKind::Closure(id) => {
                self.closure(*id);
                ValueKind::Function(FunctionRef { file: self.module.file, id: *id })
            }
            ExprKind::Sql(text) => {
                let holes = self.all(&text.holes);
                let value = Value::new(ValueKind::Sql(Arc::new((**text).clone()), holes), span);
                self.out.sql.push((Arc::clone(&value), self.guards.clone()));
                return value;
            }
            ExprKind::Opaque { why, operands } => ValueKind::Opaque(why, self.all(operands)),
        };
        Value::new(kind, span)
    }

    fn all(&mut self, ids: &[ExprId]) -> Vec<Shared> {
        ids.iter().map(|id| self.eval(*id)).collect()
    }

    /// An expression that is evaluated only where a condition holds (or fails).
    fn under(&mut self, cond: &Shared, holds: bool, id: ExprId) -> Shared {
        let outer = self.guards.clone();
        self.guards = Some(Arc::new(Guard { cond: Arc::clone(cond), holds, outer: outer.clone() }));
        let value = self.eval(id);
        self.guards = outer;
        value
    }

    fn field(&mut self, base: ExprId, name: &str, span: Span) -> Shared {
        if matches!(self.module.expr(base).kind, ExprKind::This)
            && let Some(value) = self.own.get(name)
        {
            return Arc::clone(value);
        }
        let base = self.eval(base);
        let unknown = Value::new(ValueKind::Field(Arc::clone(&base), name.to_owned()), span);
        self.out.reads.push(unknown);
        Value::field(&base, name, span)
    }

    fn slot(&mut self, entry: &Entry) -> Slot {
        match entry {
            Entry::Named { key, key_span, value } => {
                Slot::Named { key: key.clone(), key_span: *key_span, value: self.eval(*value) }
            }
            Entry::Computed { key, value } => {
                let key_value = self.eval(*key);
                let value = self.eval(*value);
                match &key_value.kind {
                    ValueKind::Text(key) => Slot::Named { key: key.clone(), key_span: key_value.span, value },
                    _ => Slot::Computed { key: key_value, value },
                }
            }
            Entry::Spread(value) => Slot::Spread(self.eval(*value)),
        }
    }

    /// Keeps the variables as the closure finds them, and lets its own assignments reach here.
    fn closure(&mut self, id: FunctionId) {
        self.out.closures.insert(id, self.env.clone());
        let reference = FunctionRef { file: self.module.file, id };
        for local in assigned_outside(self.module, id) {
            let span = self.module.locals[local.at()].span;
            let before = self.local(local, span);
            let left = Value::new(ValueKind::Leaves(reference, local), span);
            let either = Value::new(ValueKind::Either(vec![before, left]), span);
            self.set_local(local, either);
        }
    }

    fn call(&mut self, id: ExprId, call: &Call, span: Span) -> Shared {
        let callee_expr = self.module.expr(call.callee);
        let callee = match &callee_expr.kind {
            // Not `self.field`: a method is no read of a column, and its receiver must stay visible.
            ExprKind::Field { base, name, .. } => {
                let base = self.eval(*base);
                Value::method(base, name, callee_expr.span)
            }
            _ => self.eval(call.callee),
        };
        let args: Vec<Argument> =
            call.args.iter().map(|arg| Argument { value: self.eval(arg.value), spread: arg.spread }).collect();
        let site = CallSite { function: self.function, expr: id, span };
        let made = Arc::new(CallValue { site, callee, args, is_new: call.is_new, type_args: call.type_args.clone() });
        self.out.calls.push(Event { call: Arc::clone(&made), guards: self.guards.clone() });
        for (at, arg) in call.args.iter().enumerate() {
            self.touch(arg.value, Some(u32::try_from(at).unwrap_or(u32::MAX)), &made, span);
        }
        if self.module.lends
            && let ExprKind::Field { base, .. } = &callee_expr.kind
        {
            self.touch(*base, None, &made, span);
        }
        Value::new(ValueKind::Call(made), span)
    }

    /// The callee may assign fields of a variable that it is given.
    fn touch(&mut self, arg: ExprId, slot: Option<u32>, call: &Arc<CallValue>, span: Span) {
        let ExprKind::Name(Binding::Local(local)) = self.module.expr(arg).kind else { return };
        let Some(before) = self.env.get(&local) else { return };
        let can_change = matches!(
            before.kind,
            ValueKind::Object { .. } | ValueKind::Call(_) | ValueKind::After { .. } | ValueKind::Param(..)
        ) || (self.module.lends
            && matches!(
                before.kind,
                ValueKind::Cond { .. }
                    | ValueKind::Either(_)
                    | ValueKind::Element(_)
                    | ValueKind::Field(..)
                    | ValueKind::Fallback { .. }
                    | ValueKind::And(..)
                    | ValueKind::Array(_)
                    | ValueKind::Text(_)
            ));
        let in_tree = self.module.lends
            || matches!(call.callee.kind, ValueKind::Function(_) | ValueKind::Import(..) | ValueKind::Captured(..))
                || call.receiver().is_some_and(|receiver| rooted_in_this(receiver));
        if can_change && in_tree {
            let kind = ValueKind::After { call: Arc::clone(call), arg: slot, before: Arc::clone(before) };
            self.env.insert(local, Value::new(kind, span));
        }
    }
}

fn rooted_in_this(value: &Shared) -> bool {
    match &value.kind {
        ValueKind::This(_) => true,
        ValueKind::Field(base, _) => rooted_in_this(base),
        _ => false,
    }
}

fn with_slot(before: &Shared, slot: Slot, span: Span) -> Shared {
    let kind = match &before.kind {
        ValueKind::Object { base, entries } => {
            let mut entries = entries.clone();
            entries.push(slot);
            ValueKind::Object { base: base.clone(), entries }
        }
        _ => ValueKind::Object { base: Some(Arc::clone(before)), entries: vec![slot] },
    };
    Value::new(kind, span)
}

fn conjunction(guards: &Guards) -> Option<Shared> {
    let mut result: Option<Shared> = None;
    let mut at = guards.as_ref();
    while let Some(guard) = at {
        let span = guard.cond.span;
        let one = if guard.holds {
            Arc::clone(&guard.cond)
        } else {
            Value::new(ValueKind::Not(Arc::clone(&guard.cond)), span)
        };
        result = Some(match result {
            Some(inner) => Value::new(ValueKind::And(one, inner), span),
            None => one,
        });
        at = guard.outer.as_ref();
    }
    result
}

/// Variables of functions around that a closure assigns by name.
fn assigned_outside(module: &Module, id: FunctionId) -> Vec<LocalId> {
    fn visit(module: &Module, id: FunctionId, statements: &[Stmt], out: &mut BTreeMap<LocalId, ()>) {
        for statement in statements {
            match statement {
                Stmt::Assign { target: Place::Local(local), .. } => {
                    if module.locals.get(local.at()).is_some_and(|l| l.function != id) {
                        out.insert(*local, ());
                    }
                }
                Stmt::If { then, otherwise, .. } => {
                    visit(module, id, then, out);
                    visit(module, id, otherwise, out);
                }
                Stmt::Loop { body } => visit(module, id, body, out),
                Stmt::Try { body, catch, finally } => {
                    visit(module, id, body, out);
                    visit(module, id, catch, out);
                    visit(module, id, finally, out);
                }
                Stmt::Assign { .. } | Stmt::Expr(_) | Stmt::Return(_) | Stmt::Throw(_) => {}
            }
        }
    }
    let mut out = BTreeMap::new();
    visit(module, id, &module.function(id).body, &mut out);
    out.into_keys().collect()
}
