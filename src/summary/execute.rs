//! The symbolic execution of one function's statements.

mod changes;
mod expressions;
mod outside;
mod returns;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ir::{ClassId, Decorator, Export, ExprId, FunctionId, LocalId, Module, Place, Stmt};
use crate::source::Span;
use crate::summary::execute::returns::Returned;
use crate::summary::{
    Argument, Branch, CallSite, CallValue, ClassRef, Flow, FunctionRef, Guard, Guards, Member, ModuleSummary, Shared,
    Slot, Summary, Tried, Value, ValueKind,
};

/// More expressions than this in one function make the rest opaque: generated code, not written code.
const BUDGET: u32 = 200_000;

/// Executes every function of a module.
pub fn summarize(module: &Module) -> ModuleSummary {
    let mut body = Execution::of(module, FunctionId(0));
    let mut functions = vec![body.run()];
    functions.extend((1..module.functions.len()).map(|at| Execution::of(module, FunctionId::of(at)).run()));
    let mut result = ModuleSummary { functions, ..ModuleSummary::default() };
    for (at, function) in result.functions.iter().enumerate() {
        for local in function.leaves.keys() {
            result.left.entry(*local).or_default().push(FunctionId::of(at));
        }
    }
    // What stands outside of functions sees the module's variables as they are at the end.
    let outside = || Execution { env: body.env.clone(), ..Execution::of(module, FunctionId(0)) };
    for (at, class) in module.classes.iter().enumerate() {
        let id = ClassId::of(at);
        let mut run = outside();
        run.this = Some(id);
        for field in &class.fields {
            if let Some(init) = field.init {
                let value = run.eval(init);
                result.fields.insert((id, field.name.clone()), value);
            }
            if !field.decorators.is_empty() {
                let decorators = run.decorators(&field.decorators);
                result.field_decorators.insert((id, field.name.clone()), decorators);
            }
        }
        if let Some(call) = class.extends_call {
            let value = run.eval(call);
            result.extends_calls.insert(id, value);
        }
        let decorators = run.decorators(&class.decorators);
        result.class_decorators.push(decorators);
    }
    for export in &module.exports {
        if let Export::Value { name, value } = export {
            let value = outside().eval(*value);
            result.exported.insert(name.clone(), value);
        }
    }
    result
}

type Env = imbl::OrdMap<LocalId, Shared>;

/// What the variables and the fields of `this` hold at a point of the code.
struct Held {
    env: Env,
    own: Option<Shared>,
}

struct Execution<'a> {
    module: &'a Module,
    function: FunctionRef,
    this: Option<ClassId>,
    env: Env,
    /// `this` with the fields assigned so far; `None`: none was.
    own: Option<Shared>,
    guards: Guards,
    /// What the block under way did so far.
    flow: Vec<Flow>,
    returns: Vec<Returned>,
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
        if this.is_none() && id != FunctionId(0) && !module.lends {
            this = Some(ClassId::UNTOLD);
        }
        Self {
            module,
            function,
            this,
            env: Env::new(),
            own: None,
            guards: None,
            flow: Vec::new(),
            returns: Vec::new(),
            spent: 0,
            out: Summary::default(),
        }
    }

    /// Executes the function; its variables stay as they are at the end.
    fn run(&mut self) -> Summary {
        let function = self.module.function(self.function.id);
        for (at, param) in function.params.iter().enumerate() {
            let value = Value::new(ValueKind::Param(self.function, u32::try_from(at).unwrap_or(u32::MAX)), param.span);
            self.env.insert(param.local, value);
        }
        let ended = self.block(&function.body);
        for (at, param) in function.params.iter().enumerate() {
            if let Some(value) = self.env.get(&param.local)
                && (is_changed(value) || self.module.lends && is_grown(value))
            {
                self.out.exits.insert(u32::try_from(at).unwrap_or(u32::MAX), Arc::clone(value));
            }
        }
        for (local, value) in &self.env {
            if self.module.locals.get(local.at()).is_some_and(|l| l.function != self.function.id) {
                self.out.leaves.insert(*local, Arc::clone(value));
            }
        }
        self.out.flow = std::mem::take(&mut self.flow);
        self.out.this_exit = self.own.take();
        self.out.returns = self.joined_returns(ended, function.span);
        self.out.decorators = self.decorators(&function.decorators);
        self.out.param_decorators = function.params.iter().map(|p| self.decorators(&p.decorators)).collect();
        std::mem::take(&mut self.out)
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

    /// Does some work; its steps stand apart.
    fn apart<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> (T, Vec<Flow>) {
        let before = std::mem::take(&mut self.flow);
        let result = work(self);
        (result, std::mem::replace(&mut self.flow, before))
    }

    fn statement(&mut self, statement: &Stmt) -> bool {
        match statement {
            Stmt::Assign { target, value, span } => {
                let value = self.eval(*value);
                self.assign(target, value, *span);
                false
            }
            Stmt::Expr(expr) => {
                let value = self.eval(*expr);
                self.chained(*expr, &value);
                false
            }
            Stmt::If { cond, then, otherwise } => self.branch(*cond, then, otherwise),
            Stmt::Loop { body } => {
                let before = self.held();
                let guards = self.guards.clone();
                let first = self.returns.len();
                self.block(body);
                self.passed_over(first);
                self.guards = guards;
                let after = self.replace(before);
                self.build_up(&after);
                self.run_through(&after);
                self.join(None, &after);
                false
            }
            Stmt::Return(value) => {
                // `return this`: with what was assigned to it.
                let value = value.map(|value| self.whole(value));
                self.flow.push(Flow::Return(value.clone()));
                if let Some(value) = value {
                    self.returns.push(Returned { guards: self.guards.clone(), value, caught: None, sometimes: false });
                }
                true
            }
            Stmt::Throw(value) => {
                if let Some(value) = value {
                    self.eval(*value);
                }
                self.flow.push(Flow::Throw);
                true
            }
            Stmt::Try { body, catch, finally } => {
                let before = self.held();
                let guards = self.guards.clone();
                let first = self.returns.len();
                let (body_ended, tried) = self.apart(|run| run.block(body));
                let behind = self.returns.len();
                let after_body = self.replace(before);
                self.guards = guards.clone();
                self.join(None, &after_body);
                let (catch_ended, caught) = self.apart(|run| run.block(catch));
                self.passed_over(behind);
                self.flow.push(Flow::Try(Box::new(Tried { body: tried, catch: caught })));
                self.guards = guards;
                let goes_on = !catch.is_empty() && (!catch_ended || self.returns.len() > behind);
                for within in self.returns[first..behind].iter_mut().filter(|_| goes_on) {
                    within.caught.get_or_insert(behind);
                }
                if catch_ended || (catch.is_empty() && !body_ended) {
                    self.replace(after_body);
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
        let before = self.held();
        let guards = self.guards.clone();
        let under = |holds, throws| {
            let cond = Arc::clone(&cond);
            Some(Arc::new(Guard { cond, holds, throws, outer: guards.clone() }))
        };
        self.guards = under(true, false);
        let returned = self.returns.len();
        let (then_ended, then_flow) = self.apart(|run| run.block(then));
        let then_throws = self.returns.len() == returned;
        let after_then = self.replace(before);
        self.guards = under(false, false);
        let returned = self.returns.len();
        let (otherwise_ended, otherwise_flow) = self.apart(|run| run.block(otherwise));
        self.branches(&cond, then_flow, otherwise_flow);
        let otherwise_throws = self.returns.len() == returned;
        match (then_ended, otherwise_ended) {
            // The rest of the block runs only where the branch that goes on was taken: its guards stay.
            (true, false) => self.guards = under(false, then_throws),
            (false, true) => {
                self.replace(after_then);
                self.guards = under(true, otherwise_throws);
            }
            (false, false) => {
                self.guards = guards;
                let after_otherwise = self.replace(after_then);
                self.join(Some(&cond), &after_otherwise);
            }
            (true, true) => {
                self.guards = guards;
                return true;
            }
        }
        false
    }

    fn branches(&mut self, cond: &Shared, then: Vec<Flow>, otherwise: Vec<Flow>) {
        if !then.is_empty() || !otherwise.is_empty() {
            self.flow.push(Flow::Branch(Box::new(Branch { cond: Arc::clone(cond), then, otherwise })));
        }
    }

    /// A text (or list) that is empty before a loop and longer after each round is what the rounds make it: nobody builds up a
    /// token in a loop that may not run.
    fn build_up(&mut self, after: &Held) {
        for (local, longer) in &after.env {
            if self.env.get(local).is_some_and(|before| is_empty(before) && grows(longer, before, 8)) {
                self.env.insert(*local, Arc::clone(longer));
            }
        }
    }

    /// A list whose every element a loop changed: where the loop does not run, it has none.
    fn run_through(&mut self, after: &Held) {
        let changed: Vec<(LocalId, Shared)> = after
            .env
            .iter()
            .filter_map(|(local, left)| {
                let list = self.env.get(local)?;
                left.changed_from().is_some_and(|of| Arc::ptr_eq(of, list)).then(|| (*local, Arc::clone(left)))
            })
            .collect();
        self.env.extend(changed);
    }

    fn held(&self) -> Held {
        Held { env: self.env.clone(), own: self.own.clone() }
    }

    fn replace(&mut self, held: Held) -> Held {
        Held { env: std::mem::replace(&mut self.env, held.env), own: std::mem::replace(&mut self.own, held.own) }
    }

    /// Joins what another way to here holds: `self` where the condition holds, `other` where not.
    fn join(&mut self, cond: Option<&Shared>, other: &Held) {
        if let Some(span) = self.own.as_ref().or(other.own.as_ref()).map(|own| own.span)
            && !self.own.as_ref().zip(other.own.as_ref()).is_some_and(|(left, right)| Arc::ptr_eq(left, right))
            && let Some(this) = self.this_value(span)
        {
            let left = self.own.clone().unwrap_or_else(|| Arc::clone(&this));
            let right = other.own.clone().unwrap_or(this);
            self.own = Some(alternatives(cond, left, right, span));
        }
        let other = &other.env;
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
            self.env.insert(local, alternatives(cond, left, right, span));
        }
    }

    /// `this`, where there is one.
    fn this_value(&self, span: Span) -> Option<Shared> {
        let this = ClassRef { file: self.module.file, id: self.this? };
        Some(Value::new(ValueKind::This(this), span))
    }

    fn unassigned(&self, local: LocalId, span: Span) -> Shared {
        let own = self.module.locals[local.at()].function == self.function.id;
        Value::new(if own { ValueKind::Undefined } else { ValueKind::Captured(self.function, local) }, span)
    }
}

/// Whether fields of a variable were assigned, on some way at least.
fn is_changed(value: &Value) -> bool {
    match &value.kind {
        ValueKind::Object { base: Some(_), .. } | ValueKind::After { .. } => true,
        ValueKind::Cond { then, otherwise, .. } => is_changed(then) || is_changed(otherwise),
        ValueKind::Either(values) => values.iter().any(|value| is_changed(value)),
        // A list that was handed in, with more in it.
        ValueKind::Array(members) => members.iter().any(|member| match member {
            Member::Spread(list) => matches!(list.kind, ValueKind::Param(..)) || is_changed(list),
            Member::One(_) | Member::Each(_) => false,
        }),
        _ => false,
    }
}

/// Whether a value is a parameter with more text behind it: `buffer.push_str(&token)`.
fn is_grown(value: &Value) -> bool {
    match &value.kind {
        ValueKind::Concat(parts) => {
            parts.first().is_some_and(|first| matches!(first.kind, ValueKind::Param(..)) || is_grown(first))
        }
        ValueKind::Cond { then, otherwise, .. } => is_grown(then) || is_grown(otherwise),
        _ => false,
    }
}

fn is_empty(value: &Value) -> bool {
    match &value.kind {
        ValueKind::Text(text) => text.is_empty(),
        ValueKind::Array(members) => members.is_empty(),
        _ => false,
    }
}

/// Whether `longer` is `before` with something behind it (or in front of it).
fn grows(longer: &Shared, before: &Shared, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    let starts = |part: &Shared| Arc::ptr_eq(part, before) || grows(part, before, fuel);
    match &longer.kind {
        // `+=` of what is not known to be text is arithmetic.
        ValueKind::Concat(parts) | ValueKind::Opaque(_, parts) => parts.iter().any(starts),
        ValueKind::After { before, .. } => starts(before),
        ValueKind::Array(members) => members.iter().any(|member| starts(member.value())),
        // `if (at % 4 === 0) text += '-'` within the round.
        ValueKind::Cond { then, otherwise, .. } => grows(then, before, fuel) || grows(otherwise, before, fuel),
        _ => false,
    }
}

/// One of two ways to here.
fn alternatives(cond: Option<&Shared>, left: Shared, right: Shared, span: Span) -> Shared {
    let kind = match cond {
        Some(cond) => ValueKind::Cond { cond: Arc::clone(cond), then: left, otherwise: right },
        None => ValueKind::Either(vec![left, right]),
    };
    Value::new(kind, span)
}

/// Whether a key of an object was assigned on some way to here.
fn assigns(value: &Shared, name: &str) -> bool {
    match &value.kind {
        ValueKind::Object { base, entries } => {
            entries.iter().any(|slot| matches!(slot, Slot::Named { key, .. } if key == name))
                || base.as_ref().is_some_and(|base| assigns(base, name))
        }
        ValueKind::Cond { then, otherwise, .. } => assigns(then, name) || assigns(otherwise, name),
        ValueKind::Either(values) => values.iter().any(|value| assigns(value, name)),
        ValueKind::After { before, .. } => assigns(before, name),
        _ => false,
    }
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

/// The objects whose fields statements assign, not counting closures.
fn assigned_fields<'m>(statements: &'m [Stmt]) -> Box<dyn Iterator<Item = ExprId> + 'm> {
    Box::new(statements.iter().flat_map(move |statement| -> Box<dyn Iterator<Item = ExprId> + 'm> {
        let of = move |part: &'m [Stmt]| assigned_fields(part);
        match statement {
            Stmt::Assign { target: Place::Field { base, .. }, .. } => Box::new(std::iter::once(*base)),
            Stmt::If { then, otherwise, .. } => Box::new(of(then).chain(of(otherwise))),
            Stmt::Loop { body } => of(body),
            Stmt::Try { body, catch, finally } => Box::new(of(body).chain(of(catch)).chain(of(finally))),
            _ => Box::new(std::iter::empty()),
        }
    }))
}
