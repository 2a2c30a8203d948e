//! The symbolic value of one expression, and what evaluating it does: calls, reads, closures.

use std::sync::Arc;

use crate::ir::{Binding, Call, ClassId, Entry, ExprId, ExprKind, FunctionId, Item, LocalId};
use crate::source::Span;
use crate::summary::execute::outside::{assigned_outside, root};
use crate::summary::execute::{BUDGET, Execution, assigned_fields, assigns};
use crate::summary::{
    Argument, CallSite, CallValue, ClassRef, Event, Flow, FunctionRef, Guard, Member, Shared, Slot, Value, ValueKind,
};

impl Execution<'_> {
    pub(super) fn local(&self, local: LocalId, span: Span) -> Shared {
        self.env.get(&local).cloned().unwrap_or_else(|| {
            // An own variable that is read before any assignment here was assigned elsewhere: in a loop, by a closure.
            self.unassigned(local, span)
        })
    }

    pub(super) fn binding(&mut self, binding: &Binding, span: Span) -> Shared {
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

    pub(super) fn eval(&mut self, id: ExprId) -> Shared {
        let expr = self.module.expr(id);
        let span = expr.span;
        self.spent += 1;
        if self.spent > BUDGET {
            self.out.cut.get_or_insert(span);
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
            ExprKind::Subset(base, kept) => ValueKind::Subset(self.eval(*base), *kept),
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
                let left = self.eval(*left);
                // What is not there is neither null nor undefined nor, most often, empty.
                let (right, flow) = self.apart(|run| run.eval(*right));
                self.branches(&left, Vec::new(), flow);
                ValueKind::Fallback { left, right, when: *when }
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
            ExprKind::Is { value, shape } => ValueKind::Is(self.eval(*value), *shape),
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
    pub(super) fn under(&mut self, cond: &Shared, holds: bool, id: ExprId) -> Shared {
        let outer = self.guards.clone();
        self.guards = Some(Arc::new(Guard { cond: Arc::clone(cond), holds, throws: false, outer: outer.clone() }));
        let (value, flow) = self.apart(|run| run.eval(id));
        let (then, otherwise) = if holds { (flow, Vec::new()) } else { (Vec::new(), flow) };
        self.branches(cond, then, otherwise);
        self.guards = outer;
        value
    }

    fn field(&mut self, base: ExprId, name: &str, span: Span) -> Shared {
        if matches!(self.module.expr(base).kind, ExprKind::This)
            && let Some(own) = self.own.as_ref().filter(|own| assigns(own, name))
        {
            return Value::field(own, name, span);
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
            self.set_local(local, Value::new(ValueKind::Leaves(reference, local, before), span));
        }
    }

    fn call(&mut self, id: ExprId, call: &Call, span: Span) -> Shared {
        let callee_expr = self.module.expr(call.callee);
        let callee = match &callee_expr.kind {
            // Not `self.field`: a method is no read of a column, and its receiver must stay visible.
            ExprKind::Field { base, name, .. } => {
                let base = self.whole(*base);
                Value::method(&base, name, callee_expr.span)
            }
            _ => self.eval(call.callee),
        };
        let args: Vec<Argument> =
            call.args.iter().map(|arg| Argument { value: self.whole(arg.value), spread: arg.spread }).collect();
        let (callee, args) = self.as_written(call, callee, args);
        let site = CallSite { function: self.function, expr: id, span };
        let made = Arc::new(CallValue { site, callee, args, is_new: call.is_new, type_args: call.type_args.clone() });
        self.flow.push(Flow::Call(u32::try_from(self.out.calls.len()).unwrap_or(u32::MAX)));
        self.out.calls.push(Event { call: Arc::clone(&made), guards: self.guards.clone() });
        for (at, arg) in call.args.iter().enumerate() {
            self.touch(arg.value, Some(u32::try_from(at).unwrap_or(u32::MAX)), &made, span);
        }
        if let ExprKind::Field { base, .. } = &callee_expr.kind {
            self.call_on(*base, &made, span);
        }
        Value::new(ValueKind::Call(made), span)
    }

    /// `prisma.user.update.call(prisma.user, row)` and `.apply(prisma.user, [row])` are `prisma.user.update(row)`.
    fn as_written(&self, call: &Call, callee: Shared, mut args: Vec<Argument>) -> (Shared, Vec<Argument>) {
        let ValueKind::Field(method, by) = &callee.kind else { return (callee, args) };
        let ValueKind::Field(receiver, _) = &method.kind else { return (callee, args) };
        let is_applied = by == "apply";
        let handed_back = match (by.as_str(), call.args.first()) {
            ("call" | "apply", Some(first)) if !first.spread => {
                is_same(receiver, &args[0].value, 6) || matches!(self.module.expr(first.value).kind, ExprKind::This)
            }
            _ => false,
        };
        if !handed_back || is_applied && args.len() != 2 {
            return (callee, args);
        }
        args.remove(0);
        if is_applied {
            args = match &args[0].value.kind {
                ValueKind::Array(members) if members.iter().all(|member| matches!(member, Member::One(_))) => {
                    members.iter().map(|member| Argument { value: Arc::clone(member.value()), spread: false }).collect()
                }
                _ => vec![Argument { value: Arc::clone(&args[0].value), spread: true }],
            };
        }
        (Arc::clone(method), args)
    }

    /// An expression that is handed over or called on: `this` with what was assigned to it so far.
    pub(super) fn whole(&mut self, id: ExprId) -> Shared {
        let is_this = matches!(self.module.expr(id).kind, ExprKind::This);
        self.own.clone().filter(|_| is_this).unwrap_or_else(|| self.eval(id))
    }

    /// The method may assign fields of what it is called on.
    fn call_on(&mut self, receiver: ExprId, call: &Arc<CallValue>, span: Span) {
        // `user.tokens.push(token)`: the user has another list.
        if let ExprKind::Field { base, ref name, name_span } = self.module.expr(receiver).kind
            && (call.method().is_some_and(|name| GROW.contains(&name)) && self.is_of_row(base)
                || self.module.lends && self.module.lent.contains(&receiver))
        {
            let before = self.eval(receiver);
            let kind = ValueKind::After { call: Arc::clone(call), arg: None, before };
            let slot = Slot::Named { key: name.clone(), key_span: name_span, value: Value::new(kind, span) };
            self.assign_slot(base, slot, span, 0);
            return;
        }
        match self.module.expr(receiver).kind {
            // What is called `set` changes what it is called on; other methods count once a field was assigned.
            ExprKind::This if self.own.is_some() || call.method().is_some_and(|name| name.starts_with("set")) => {
                let kind = |before| ValueKind::After { call: Arc::clone(call), arg: None, before };
                let Some(before) = self.own.take().or_else(|| self.this_value(span)) else { return };
                let after = Value::new(kind(Arc::clone(&before)), span);
                self.reread(&before, &after, span);
                self.own = Some(after);
            }
            // `wrap(user).assign(..)`
            ExprKind::Call(ref wrapped) if !wrapped.is_new => {
                if let [only] = wrapped.args.as_slice()
                    && let ExprKind::Name(Binding::Local(local)) = self.module.expr(only.value).kind
                {
                    self.touch(only.value, None, call, span);
                    if let Some(after) = self.env.get(&local).cloned() {
                        self.set_local(local, after);
                    }
                }
            }
            _ => self.touch(receiver, None, call, span),
        }
    }

    /// Whether a call runs a closure that assigns a field of what it is given first.
    fn runs_assignment(&self, call: &CallValue) -> bool {
        let ValueKind::Function(closure) = call.callee.kind else { return false };
        let function = self.module.function(closure.id);
        let param = function.params.first().map(|param| param.local);
        assigned_fields(&function.body).any(|base| root(self.module, base) == param && param.is_some())
    }

    /// `user.setName(name).setToken(token);`: where each method hands back what it is called on, the last runs on the variable too.
    pub(super) fn chained(&mut self, id: ExprId, value: &Shared) {
        let (ExprKind::Call(call), ValueKind::Call(made)) = (&self.module.expr(id).kind, &value.kind) else { return };
        let ExprKind::Field { base, .. } = self.module.expr(call.callee).kind else { return };
        let is_chain = matches!(&self.module.expr(base).kind, ExprKind::Call(inner) if !inner.is_new);
        if let Some(root) = self.chain_root(call).filter(|_| is_chain && !self.module.lends) {
            self.touch(root, None, made, value.span);
        }
    }

    /// The variable that a chain of method calls starts from.
    fn chain_root(&self, call: &Call) -> Option<ExprId> {
        let mut callee = call.callee;
        for _ in 0..LONGEST_CHAIN {
            let ExprKind::Field { base, .. } = self.module.expr(callee).kind else { return None };
            match &self.module.expr(base).kind {
                ExprKind::Name(Binding::Local(_)) => return Some(base),
                ExprKind::Call(inner) if !inner.is_new => callee = inner.callee,
                _ => return None,
            }
        }
        None
    }

    /// Whether an expression is an object that may be a row, or a part of one: a variable, or the `this` that only callers tell.
    fn is_of_row(&self, id: ExprId) -> bool {
        let mut at = id;
        for _ in 0..DEEPEST_ROW {
            at = match &self.module.expr(at).kind {
                ExprKind::Field { base, .. } => *base,
                ExprKind::Name(Binding::Local(local)) => {
                    return !self.module.lends && self.env.get(local).is_some_and(may_be_row);
                }
                ExprKind::This => return self.this == Some(ClassId::UNTOLD),
                _ => return false,
            };
        }
        false
    }

    /// The callee may assign fields of a variable that it is given, or that it is called on.
    fn touch(&mut self, arg: ExprId, slot: Option<u32>, call: &Arc<CallValue>, span: Span) {
        if slot.is_some() && matches!(self.module.expr(arg).kind, ExprKind::This) {
            let kind = |before| ValueKind::After { call: Arc::clone(call), arg: slot, before };
            let before = self.own.take().or_else(|| self.this_value(span));
            self.own = before.map(|before| Value::new(kind(before), span));
            return;
        }
        let (local, of_list) = match &self.module.expr(arg).kind {
            ExprKind::Name(Binding::Local(local)) => (*local, false),
            ExprKind::Element(list) => match &self.module.expr(*list).kind {
                ExprKind::Name(Binding::Local(local)) => (*local, true),
                // `user.tokens.forEach((token) => { token.value = null; })`
                ExprKind::Field { .. } if !self.module.lends && self.runs_assignment(call) => {
                    let before = self.eval(arg);
                    let kind = ValueKind::After { call: Arc::clone(call), arg: slot, before: Arc::clone(&before) };
                    let after = Value::new(kind, span);
                    return self.change(&before, &after, span);
                }
                _ => return,
            },
            ExprKind::Field { .. } if slot.is_some() => return self.touch_member(arg, slot, call, span),
            ExprKind::Index { .. } if slot.is_some() && !self.module.lends => {
                return self.touch_member(arg, slot, call, span);
            }
            _ => return,
        };
        let is_given =
            || matches!(call.callee.kind, ValueKind::Param(..) | ValueKind::Element(_) | ValueKind::Captured(..));
        let held = match self.env.get(&local).cloned() {
            Some(held) => held,
            // A closure hands a variable of the function around to a function that it was given.
            None if !of_list && slot.is_some() && is_given() => self.local(local, span),
            None => return,
        };
        let before = if of_list { Value::element(&held, span) } else { Arc::clone(&held) };
        let can_change = matches!(
            before.kind,
            ValueKind::Object { .. }
                | ValueKind::Call(_)
                | ValueKind::After { .. }
                | ValueKind::Param(..)
                | ValueKind::Element(_)
                | ValueKind::Captured(..)
        ) || (self.module.lends
            && matches!(
                before.kind,
                ValueKind::Cond { .. }
                    | ValueKind::Either(_)
                    | ValueKind::Field(..)
                    | ValueKind::Fallback { .. }
                    | ValueKind::And(..)
                    | ValueKind::Array(_)
                    | ValueKind::Text(_)
            ))
            // A list that the callee is to fill.
            || slot.is_some() && matches!(&before.kind, ValueKind::Array(members) if members.is_empty());
        if !can_change {
            return;
        }
        let is_element = !self.module.lends && matches!(before.kind, ValueKind::Element(_) | ValueKind::Index(..));
        let kind = ValueKind::After { call: Arc::clone(call), arg: slot, before: Arc::clone(&before) };
        let mut after = Value::new(kind, span);
        if of_list {
            after = Value::new(ValueKind::Array(vec![Member::Each(after)]), span);
        } else if is_element {
            // So does the list that it was taken from.
            self.change(&before, &after, span);
        }
        self.env.insert(local, after);
    }

    /// The callee may assign fields of a member or an element of a variable that it is given: `fill(dto.session)`, `fill(rows[0])`.
    fn touch_member(&mut self, arg: ExprId, slot: Option<u32>, call: &Arc<CallValue>, span: Span) {
        let (ExprKind::Field { base, .. } | ExprKind::Index { base, .. }) = self.module.expr(arg).kind else { return };
        let is_own = || match (&self.module.expr(base).kind, &self.module.expr(arg).kind) {
            (ExprKind::This, ExprKind::Field { name, .. }) => self.own.as_ref().is_some_and(|own| assigns(own, name)),
            _ => false,
        };
        if !self.module.lent.contains(&arg) || !self.is_part_of_variable(base) && !is_own() {
            return;
        }
        let seen = self.out.reads.len();
        let before = self.eval(arg);
        self.out.reads.truncate(seen);
        if !may_be_row(&before) {
            return;
        }
        let kind = ValueKind::After { call: Arc::clone(call), arg: slot, before: Arc::clone(&before) };
        let after = Value::new(kind, span);
        self.change(&before, &after, span);
        if let ExprKind::Field { base, ref name, name_span } = self.module.expr(arg).kind {
            let slot = Slot::Named { key: name.clone(), key_span: name_span, value: after };
            self.hold(base, slot, span);
        }
    }

    /// Whether an expression is a variable that can hold an object, or a member of one.
    fn is_part_of_variable(&self, id: ExprId) -> bool {
        let mut at = id;
        for _ in 0..DEEPEST_ROW {
            at = match &self.module.expr(at).kind {
                ExprKind::Field { base, .. } => *base,
                ExprKind::Name(Binding::Local(local)) => return self.env.get(local).is_some_and(may_be_row),
                _ => return false,
            };
        }
        false
    }
}

/// Methods of lists that put something in.
const GROW: [&str; 3] = ["push", "unshift", "splice"];

/// `user.auth.tokens` is a part of a row; what lies deeper is not looked at.
const DEEPEST_ROW: usize = 4;

/// Longer chains of calls build something else than a row.
const LONGEST_CHAIN: usize = 12;

fn may_be_row(held: &Shared) -> bool {
    matches!(
        held.kind,
        ValueKind::Object { .. }
            | ValueKind::Call(_)
            | ValueKind::After { .. }
            | ValueKind::Param(..)
            | ValueKind::Element(_)
            | ValueKind::Index(..)
            | ValueKind::Field(..)
            | ValueKind::Captured(..)
    )
}

/// Whether two values are the same variable or field.
fn is_same(left: &Shared, right: &Shared, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    Arc::ptr_eq(left, right)
        || match (&left.kind, &right.kind) {
            (ValueKind::Field(a, x), ValueKind::Field(b, y)) => x == y && is_same(a, b, fuel),
            (ValueKind::Import(a, x), ValueKind::Import(b, y)) => (a, x) == (b, y),
            (ValueKind::Captured(a, x), ValueKind::Captured(b, y)) => (a, x) == (b, y),
            (ValueKind::Param(a, x), ValueKind::Param(b, y)) => (a, x) == (b, y),
            (ValueKind::This(a), ValueKind::This(b)) => a == b,
            _ => false,
        }
}
