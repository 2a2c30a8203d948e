//! What an expression is where a look-up found nobody.

use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::guards::held::{Held, either};
use crate::guards::miss::{Run, is_param};
use crate::guards::served::is_left;
use crate::ir::{Binding, Entry, ExprId, ExprKind, Item};
use crate::rules::{Attach, Guard};
use crate::summary::{CallValue, FunctionRef, Shared, ValueKind};

const DEEPEST: u32 = 150;

impl Run<'_, '_, '_> {
    /// What a condition is.
    pub(super) fn asked(&mut self, id: ExprId) -> Option<Held> {
        let held = self.eval(id)?;
        self.examined |= held.tells() || id == self.asked;
        Some(held)
    }

    /// What an expression is; `None` where it ends the way.
    pub(super) fn eval(&mut self, id: ExprId) -> Option<Held> {
        self.fuel = self.fuel.saturating_sub(1);
        if self.fuel == 0 || self.depth >= DEEPEST {
            self.fuel = 0;
            return None;
        }
        self.depth += 1;
        let held = self.held(id);
        self.depth -= 1;
        held
    }

    fn held(&mut self, id: ExprId) -> Option<Held> {
        let module = self.module;
        let expr = module.expr(id);
        Some(match &expr.kind {
            _ if id == self.asked => {
                self.operands(id)?;
                self.way.seen = true;
                self.looks += 1;
                match self.finds {
                    Some(held) => held,
                    None if self.is_settled() => Held::Touched,
                    None => return if self.is_handled() { None } else { self.fail() },
                }
            }
            ExprKind::Null | ExprKind::Undefined | ExprKind::Bool(false) => Held::No,
            ExprKind::Bool(true) => Held::Yes,
            ExprKind::Name(_) if self.is_first(id, None) => Held::No,
            ExprKind::Name(Binding::Local(local)) => {
                let held = self.way.variables.get(local).copied().unwrap_or(Held::Same);
                self.looks += u32::from(held.shows());
                held
            }
            // A constant of the program, `O.none`: perhaps what says that nobody was found.
            ExprKind::Name(_) if self.way.seen => Held::Answer,
            // What only a sign-in has is not there later.
            ExprKind::Field { base, name, .. } if self.is_first(*base, Some(name)) => Held::No,
            ExprKind::Field { base, name, name_span } => {
                if let Some(held) = self.kept(id) {
                    self.looks += u32::from(held.tells());
                    return Some(held);
                }
                let held = self.eval(*base)?;
                if held == Held::Absent && !self.goes_on(*base, name_span.start) {
                    return self.fail();
                }
                match held {
                    Held::Yes => Held::Same,
                    Held::Lacking if self.lacks.same.contains(name) => Held::Same,
                    Held::Lacking if self.lacks.below.contains(name) => Held::Lacking,
                    Held::Found | Held::Lacking => Held::Touched,
                    held => held,
                }
            }
            ExprKind::Call(_) => self.call(id)?,
            ExprKind::Object(entries) => self.object(entries)?,
            ExprKind::Cond { cond, then, otherwise } => {
                let held = self.asked(*cond)?;
                match held.truth() {
                    Some(true) => self.eval(*then)?,
                    Some(false) => self.eval(*otherwise)?,
                    None => {
                        let (then, otherwise) = (self.eval(*then)?, self.eval(*otherwise)?);
                        either(then, otherwise)
                    }
                }
            }
            ExprKind::Fallback { left, right, .. } => {
                let left = self.asked(*left)?;
                match left.truth() {
                    Some(false) => match self.eval(*right)? {
                        // `is_there.unwrap_or(false)`, `user ?? null`
                        Held::No if left == Held::Absent => Held::Absent,
                        // `exists.unwrap_or_default()`, `count.unwrap_or(0)`
                        Held::Same if left == Held::Absent && self.is_none_counted(*right) => Held::Absent,
                        right => right,
                    },
                    Some(true) => left,
                    None => either(left, self.eval(*right)?),
                }
            }
            ExprKind::And { left, right } => {
                let left = self.asked(*left)?;
                match left.truth() {
                    Some(true) => self.eval(*right)?,
                    Some(false) => left,
                    None => match self.eval(*right)? {
                        Held::No | Held::Yes => left,
                        // `user && user.isActive`: whatever the left is, it does not hold.
                        Held::Absent => Held::Absent,
                        right => either(left, right),
                    },
                }
            }
            ExprKind::Not(inner) => match self.asked(*inner)? {
                Held::Absent => Held::Found,
                Held::Found => Held::Absent,
                Held::Yes | Held::Lacking => Held::No,
                Held::No => Held::Yes,
                held => held,
            },
            ExprKind::Compare { left, right, equal } => match (self.asked(*left)?, self.asked(*right)?) {
                // `count === 0`: how many were found.
                (Held::Absent, _) if self.is_number_of(*left, *right) => Held::found(*equal),
                (_, Held::Absent) if self.is_number_of(*right, *left) => Held::found(*equal),
                // `user?.isActive === false`, `user?.status === 'banned'`: nobody is neither.
                (Held::Absent, _) if self.is_value(*right) => Held::found(!*equal),
                (_, Held::Absent) if self.is_value(*left) => Held::found(!*equal),
                (Held::Absent, Held::No) | (Held::No, Held::Absent) => Held::found(*equal),
                (Held::Lacking, Held::No) | (Held::No, Held::Lacking) => {
                    if *equal {
                        Held::No
                    } else {
                        Held::Yes
                    }
                }
                (left, right) if left.tells() || right.tells() => Held::Touched,
                _ => Held::Same,
            },
            // The first of a list.
            ExprKind::Element(list) | ExprKind::Index { base: list, .. } => self.eval(*list)?,
            _ => self.operands(id)?,
        })
    }

    /// Whether what stands in for what a query counted is none.
    fn is_none_counted(&self, id: ExprId) -> bool {
        let is_none = match &self.module.expr(id).kind {
            ExprKind::Text(text) => text.is_empty(),
            ExprKind::Number(text) => text == "0",
            _ => false,
        };
        is_none && self.is_rust && self.calls_of(self.asked).any(|call| self.walk.is_counted(call))
    }

    /// Whether what was looked for itself, not one of its keys, is compared with zero.
    fn is_number_of(&self, found: ExprId, constant: ExprId) -> bool {
        !matches!(self.module.expr(found).kind, ExprKind::Field { .. })
            && matches!(&self.module.expr(constant).kind, ExprKind::Number(text) if text == "0")
    }

    /// Whether an expression is a constant other than `null` and `undefined`, as one of an enumeration is: `Status.BANNED`.
    fn is_value(&self, id: ExprId) -> bool {
        match &self.module.expr(id).kind {
            _ if self.is_rust => false,
            ExprKind::Bool(_) | ExprKind::Text(_) | ExprKind::Number(_) => true,
            ExprKind::Field { base, .. } => {
                matches!(self.module.expr(*base).kind, ExprKind::Name(Binding::Class(_) | Binding::Import(_)))
            }
            _ => false,
        }
    }

    /// Whether reading a key of what is absent is no error: `user?.name`, or a chain that goes on: `find(id).lean()`.
    fn goes_on(&self, base: ExprId, until: u32) -> bool {
        let base = self.module.expr(base);
        let text = &self.walk.graph.sources.get(base.span.file).text;
        let between = text.get(base.span.end as usize..until as usize);
        matches!(base.kind, ExprKind::Call(_))
            || between.is_some_and(|text| text.contains("?."))
            || is_left(self.module, text, base)
    }

    /// Whether an expression is a parameter, or a key of one, that is there at a sign-in only.
    fn is_first(&self, id: ExprId, key: Option<&str>) -> bool {
        let ExprKind::Name(Binding::Local(local)) = self.module.expr(id).kind else { return false };
        let params = &self.module.function(self.function.id).params;
        let at = params.iter().position(|param| param.local == local).and_then(|at| u32::try_from(at).ok());
        self.walk.first.iter().any(|(function, index, keys)| {
            *function == self.function && Some(*index) == at && keys.iter().map(String::as_str).eq(key)
        })
    }

    /// Something is made of what an expression consists of.
    fn operands(&mut self, id: ExprId) -> Option<Held> {
        let mut made = Held::Same;
        for part in parts(&self.module.expr(id).kind) {
            if self.eval(part)?.tells() {
                made = Held::Touched;
            }
        }
        Some(made)
    }

    fn object(&mut self, entries: &[Entry]) -> Option<Held> {
        let (mut touched, mut varies) = (false, false);
        for entry in entries {
            let (spread, value) = match entry {
                Entry::Named { value, .. } | Entry::Computed { value, .. } => (false, *value),
                Entry::Spread(value) => (true, *value),
            };
            let held = self.eval(value)?;
            let constant = matches!(self.module.expr(value).kind, ExprKind::Text(_) | ExprKind::Number(_));
            touched |= held == Held::Touched || held == Held::Absent && !spread;
            // `{ ...token, error: 'gone' }`
            touched |= self.in_miss > 0 && !spread && (constant || matches!(held, Held::No | Held::Yes));
            varies |= matches!(held, Held::Same | Held::Answer) && !constant;
        }
        Some(if touched || !varies { Held::Touched } else { Held::Same })
    }

    fn call(&mut self, id: ExprId) -> Option<Held> {
        let module = self.module;
        let ExprKind::Call(call) = &module.expr(id).kind else { return None };
        let callee = &module.expr(call.callee).kind;
        let lets_on = match callee {
            ExprKind::Name(Binding::Local(local)) => is_param(module, *local),
            ExprKind::Field { base, name, .. } => {
                name == "next"
                    && matches!(module.expr(*base).kind, ExprKind::Name(Binding::Local(local)) if is_param(module, local))
            }
            _ => false,
        };
        if self.calls_of(id).any(|call| runs_the_rest(self.walk.graph, call)) {
            self.calls_with(&[], None);
            return Some(Held::Answer);
        }
        // A tuple struct.
        let makes = call.is_new || matches!(callee, ExprKind::Name(Binding::Class(_)));
        let on = if lets_on { Held::Same } else { self.eval(call.callee)? };
        let mut given = Vec::new();
        for arg in &call.args {
            // `next(createError(401))`: the error is made to be handed on.
            let makes = lets_on && self.in_miss > 0 && matches!(module.expr(arg.value).kind, ExprKind::Call(_));
            given.push(if makes { Held::Answer } else { self.eval(arg.value)? });
        }
        if lets_on {
            // What is handed to the `next` of Express is an error; that of tRPC is handed what goes on.
            let first = call.args.first().map(|arg| &module.expr(arg.value).kind);
            let is_error = matches!(callee, ExprKind::Name(_)) && given.len() == 1;
            self.calls_with(&given, first.filter(|_| !is_error));
            return Some(Held::Answer);
        }
        if !self.way.seen {
            self.acts(id);
            return Some(Held::Same);
        }
        let tells = given.iter().any(|held| held.tells());
        if self.calls_on && tells && self.is_attached(id) {
            self.way.marked = true;
            self.examined |= self.is_optional();
            return Some(Held::Same);
        }
        if self.calls_on && self.in_miss > 0 && self.answers(id) {
            self.way.answered = true;
            return Some(Held::Same);
        }
        if self.only_records(id, self.dropped == Some(id)) {
            return Some(Held::Same);
        }
        let closures = call.args.iter().filter_map(|arg| match module.expr(arg.value).kind {
            ExprKind::Closure(id) => Some(FunctionRef { file: self.function.file, id }),
            _ => None,
        });
        let closures: Vec<FunctionRef> = closures.collect();
        if makes {
            // `Outcome::Forward(Status::Unauthorized)`: nothing of the bearer is in it.
            let says_no = self.in_miss > 0 && !given.contains(&Held::Same);
            return Some(if tells || says_no { Held::Touched } else { Held::Same });
        }
        // What is handed that nobody was found, or called because of it, may refuse; so may a function that can see it.
        let sees = !closures.is_empty() && self.way.variables.values().any(|held| held.tells());
        let is_there = self.finds == Some(Held::Found) && !self.compares();
        if is_there && (tells || on.tells()) {
            return Some(Held::Touched);
        }
        if self.serves
            && let Some(held) = self.serves_call(id, &given, on, sees)
        {
            return Some(held);
        }
        // `if (user.accessToken !== token) Sentry.captureMessage(..)`: what a library is told, and nobody asks, refuses nobody.
        let is_test = self.compares() || matches!(module.expr(self.asked).kind, ExprKind::Field { .. });
        if is_test && self.dropped == Some(id) && !tells && self.is_of_library(id) {
            return Some(Held::Same);
        }
        if tells || sees || self.in_miss > 0 || on == Held::Touched {
            return self.fail();
        }
        // `user.save().then(() => done(null, user))`
        self.lets_in |= closures.iter().any(|closure| self.lets_on(*closure));
        Some(if on == Held::Absent { Held::Absent } else { Held::Answer })
    }

    /// Whether a closure lets the request on that the function around it is handed.
    fn lets_on(&self, closure: FunctionRef) -> bool {
        let calls = self.walk.graph.summary(closure).map_or(&[][..], |summary| summary.calls.as_slice());
        calls.iter().any(|event| {
            let first = event.call.args.first().map(|arg| &arg.value.kind);
            matches!(event.call.callee.kind, ValueKind::Captured(_, local) if is_param(self.module, local))
                && matches!(first, None | Some(ValueKind::Null | ValueKind::Undefined))
        })
    }

    /// Whether a call keeps what it is handed on the request.
    pub(super) fn is_attached(&self, id: ExprId) -> bool {
        self.calls_of(id).any(|call| attaches(self.walk.graph, call))
    }

    /// Whether a call answers the request by what the middleware was handed to do so.
    pub(super) fn answers(&self, id: ExprId) -> bool {
        self.calls_of(id).any(|call| answers(self.walk.graph, call))
    }

    /// Whether what is asked may be nobody where it is kept: in Rust `?` and `.unwrap()` leave an option once, of the result around it.
    fn is_optional(&self) -> bool {
        let expr = self.module.expr(self.asked);
        let rest = self.walk.chain_behind(expr.span);
        let results = match self.calls_of(self.asked).next() {
            Some(call) => match self.walk.graph.targets(call).first().map(|target| self.signature(target.function)) {
                Some(written) if !written.contains("Option<") => return false,
                Some(written) => usize::from(written.contains("Result<")),
                None => 1,
            },
            None => return false,
        };
        !rest.contains(".ok_or") && rest.matches('?').count() + rest.matches(".unwrap()").count() <= results
    }

    /// How a function is declared.
    fn signature(&self, function: FunctionRef) -> &str {
        let span = self.walk.graph.function(function).map(|declared| declared.span);
        let text = span.map_or("", |span| self.walk.graph.sources.text(span));
        text.split('{').next().unwrap_or_default()
    }

    /// Whether a call is of a library that the tree imports, and on nothing that a middleware is handed: `res.end()` answers.
    fn is_of_library(&self, id: ExprId) -> bool {
        self.calls_of(id).any(|call| {
            let mut at = &call.callee;
            while let ValueKind::Field(base, _) = &at.kind {
                at = base;
            }
            let is_handed = matches!(at.kind, ValueKind::Param(..) | ValueKind::This(_) | ValueKind::Call(_));
            !is_handed && self.walk.graph.library_path(call).is_some()
        })
    }

    /// A call of this function as it was summed up.
    pub(super) fn calls_of(&self, id: ExprId) -> impl Iterator<Item = &CallValue> {
        let file = self.function.file;
        let functions = std::iter::once(self.function.id).chain(self.within.iter().copied());
        let summaries = functions.filter_map(move |id| self.walk.graph.summary(FunctionRef { file, id }));
        let calls = summaries.flat_map(|summary| &summary.calls);
        calls.map(|event| &*event.call).filter(move |call| call.site.expr == id)
    }

    /// `next()`, `done(null, claims)`, `next({ ctx })`; with anything else first it is an error.
    fn calls_with(&mut self, given: &[Held], first: Option<&ExprKind>) {
        let handed = match (given, first) {
            ([], _) => Held::Same,
            ([held], Some(ExprKind::Object(_))) => *held,
            ([Held::No, rest @ ..], _) => rest.first().copied().unwrap_or(Held::Same),
            // The error is answered; who calls on after it lets in as well.
            _ => {
                self.way.answered |= self.way.seen && self.in_miss > 0;
                return;
            }
        };
        self.way.passed |= self.way.seen;
        if !self.way.seen {
            self.way.let_on = true;
        } else if self.way.answered
            || given.is_empty() && self.way.marked
            // `if (!user) return next()`: without what the others are given.
            || given.is_empty() && self.in_miss > 0 && !self.way.stood_in && !self.compares()
            || handed.tells() && matches!(first, Some(ExprKind::Object(_)))
        {
            self.goes_on = true;
            self.way.answered = false;
        } else if handed.tells() || self.way.marked {
            self.hands_back = true;
        } else if handed == Held::No {
            self.refused = true;
        } else {
            self.lets_in = true;
        }
    }
}

/// Whether a call runs what stands behind a middleware in Rust: `next.run(req)`, `next.call(req)`, `self.inner.call(req)` of a service.
pub(super) fn runs_the_rest(graph: &Graph, call: &CallValue) -> bool {
    let Some(receiver) = call.receiver() else { return false };
    matches!(receiver.kind, ValueKind::Param(..) | ValueKind::Captured(..))
        && matches!(graph.type_of(receiver), Type::External(path, _) if graph.rules.rest().any(|row| row.of.matches(&path)))
        || runs_inner(graph, call, receiver)
}

/// Whether the method that a service itself is run by is called on what it holds, or on a clone of that.
fn runs_inner(graph: &Graph, call: &CallValue, receiver: &Shared) -> bool {
    let is_service = |row: &Guard| !row.made_by.is_empty() && row.method.iter().any(|name| call.method() == Some(name));
    if !graph.is_rust(call.site.span.file) || !graph.rules.guard().any(is_service) {
        return false;
    }
    let is_self = |base: &Shared| match base.kind {
        ValueKind::This(_) => true,
        ValueKind::Param(function, 0) => graph.function(function).is_some_and(|function| function.takes_self),
        _ => false,
    };
    let mut at = graph.resolved(receiver);
    for _ in 0..6 {
        at = match &at.kind {
            ValueKind::Field(base, _) if is_self(base) => {
                return graph.targets(call).is_empty();
            }
            // `std::mem::replace(&mut self.inner, clone)`
            ValueKind::Call(inner) => match inner.receiver().or(inner.args.first().map(|arg| &arg.value)) {
                Some(next) => graph.resolved(next),
                None => return false,
            },
            ValueKind::After { before, .. } => Arc::clone(before),
            _ => return false,
        };
    }
    false
}

/// Whether a call keeps what it is handed on the request: `request.extensions_mut().insert(user)`, `c.set('user', user)`.
pub(super) fn attaches(graph: &Graph, call: &CallValue) -> bool {
    let mut rows = graph.rules.attach().filter(|row| row.call.last() == call.method()).peekable();
    if rows.peek().is_none() {
        return false;
    }
    let on = call.receiver().and_then(|receiver| match &receiver.kind {
        ValueKind::Call(inner) => inner.method(),
        ValueKind::Field(_, name) => Some(name.as_str()),
        _ => None,
    });
    let fits = |row: &Attach| match on {
        Some(on) if !row.on.is_empty() => row.on.iter().any(|name| name == on),
        _ => row.on.is_empty() && starts_at_param(call),
    };
    rows.any(fits)
}

/// Whether a call answers the request: `res.json(..)`, `c.json(..)`.
pub(super) fn answers(graph: &Graph, call: &CallValue) -> bool {
    let answers = |path: String| graph.rules.harmless_matching(&path).any(|row| row.answers);
    starts_at_param(call) && graph.library_path(call).is_some_and(answers)
}

/// Whether a call is one of a parameter: `res.status(401).json(..)`.
fn starts_at_param(call: &CallValue) -> bool {
    let mut at = call.receiver();
    for _ in 0..6 {
        at = match at.map(|value| &value.kind) {
            Some(ValueKind::Param(..) | ValueKind::Captured(..)) => return true,
            Some(ValueKind::Call(inner)) => inner.receiver(),
            Some(ValueKind::Field(base, _) | ValueKind::After { before: base, .. }) => Some(base),
            Some(ValueKind::Object { base, .. }) => base.as_ref(),
            _ => return false,
        };
    }
    false
}

/// What an expression consists of, where nothing more is said of it.
fn parts(kind: &ExprKind) -> Vec<ExprId> {
    match kind {
        ExprKind::Rest { base, .. } | ExprKind::Subset(base, _) | ExprKind::Is { value: base, .. } => vec![*base],
        ExprKind::Array(items) => items
            .iter()
            .map(|item| match item {
                Item::One(value) | Item::Spread(value) | Item::Each(value) => *value,
            })
            .collect(),
        ExprKind::Call(call) => std::iter::once(call.callee).chain(call.args.iter().map(|arg| arg.value)).collect(),
        ExprKind::Concat(parts) | ExprKind::Opaque { operands: parts, .. } => parts.clone(),
        ExprKind::Sql(text) => text.holes.clone(),
        _ => Vec::new(),
    }
}
