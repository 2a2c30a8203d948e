//! What an expression is where a look-up found nobody.

use crate::guards::held::{Held, either};
use crate::guards::miss::{Run, is_param};
use crate::guards::onward::{answers, attaches, runs_by_key, runs_the_rest};
use crate::guards::served::is_left;
use crate::ir::{Binding, Entry, ExprId, ExprKind, Item};
use crate::summary::{CallValue, FunctionRef, ValueKind};

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
                if held == Held::Absent && !self.goes_on(*base, name_span.start) && !self.is_of_count() {
                    return self.fail();
                }
                match held {
                    Held::Empty | Held::Pair => self.of_list(*base, name, held),
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
                        Held::Same if left == Held::Absent && self.is_none(id, *right) => Held::Absent,
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
                Held::Absent | Held::Zero => Held::Found,
                Held::Found => Held::Absent,
                Held::No => Held::Yes,
                held if held == Held::Yes || held.is_there() => Held::No,
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
                (there, Held::No) | (Held::No, there) if there.is_there() => {
                    if *equal {
                        Held::No
                    } else {
                        Held::Yes
                    }
                }
                (Held::Zero, _) if self.is_number(*right) => Held::found(*equal == self.is_zero(*right)),
                (_, Held::Zero) if self.is_number(*left) => Held::found(*equal == self.is_zero(*left)),
                (left, right) if [left, right].iter().any(|held| held.tells() || *held == Held::Code) => Held::Touched,
                _ => Held::Same,
            },
            // In JavaScript `undefined` is neither less nor more than anything: `user?.tokenVersion > claims.tv`.
            ExprKind::Opaque { why: "a comparison", operands } if !self.is_rust => self.in_order(operands)?,
            // The first of a list.
            ExprKind::Element(list) => self.one_of(*list, true)?,
            ExprKind::Index { base, index } => self.one_of(*base, self.is_zero(*index))?,
            _ => self.operands(id)?,
        })
    }

    /// Whether what stands in for nobody in Rust says no: none were counted, the default of a flag is `false`, that of an option `None`.
    fn is_none(&self, fallback: ExprId, stand_in: ExprId) -> bool {
        let is_default = match &self.module.expr(stand_in).kind {
            ExprKind::Text(text) => text.is_empty(),
            ExprKind::Number(text) if text == "0" => false,
            _ => return false,
        };
        let counts = |call| self.walk.is_counted(call) || is_default && self.walk.gives_value(call);
        self.is_rust && (self.calls_of(self.asked).any(counts) || is_default && self.is_first_taken(fallback))
    }

    /// Whether what was asked in Rust is how many there are, which stands in the one row that is there: `let (n,): (i64,)`, `row.count`.
    fn is_of_count(&self) -> bool {
        self.is_rust && self.calls_of(self.asked).any(|call| self.walk.is_counted(call))
    }

    /// Whether an expression is the first that takes something out of the result of what was asked, which is an option.
    fn is_first_taken(&self, id: ExprId) -> bool {
        let (asked, span) = (self.module.expr(self.asked).span, self.module.expr(id).span);
        let text = &self.walk.graph.sources.get(asked.file).text;
        let between = text.get(asked.end as usize..span.end as usize).unwrap_or_default();
        let takes = ["?", ".unwrap", ".expect(", ".ok()"];
        takes.iter().map(|takes| between.matches(takes).count()).sum::<usize>() == 1
            && self.calls_of(self.asked).next().is_some_and(|call| match self.walk.graph.targets(call).first() {
                Some(target) => self.signature(target.function).contains("Result<Option<"),
                None => !self.walk.fails(call),
            })
    }

    /// Whether what was looked for itself, not one of its keys, is compared with zero.
    fn is_number_of(&self, found: ExprId, constant: ExprId) -> bool {
        (!matches!(self.module.expr(found).kind, ExprKind::Field { .. }) || self.is_of_count())
            && self.is_zero(constant)
    }

    fn is_zero(&self, id: ExprId) -> bool {
        matches!(&self.module.expr(id).kind, ExprKind::Number(text) if text == "0")
    }

    fn is_number(&self, id: ExprId) -> bool {
        matches!(self.module.expr(id).kind, ExprKind::Number(_))
    }

    /// Which of two is more.
    fn in_order(&mut self, operands: &[ExprId]) -> Option<Held> {
        let module = self.module;
        let [left, right] = operands else { return Some(Held::Touched) };
        let (left, right) = (*left, *right);
        let (one, other) = (self.eval(left)?, self.eval(right)?);
        let text = &self.walk.graph.sources.get(self.function.file).text;
        let is_key = |run: &Self, id: ExprId| match module.expr(run.made(id)).kind {
            ExprKind::Field { .. } => true,
            ExprKind::Call(ref call) => is_left(module, text, module.expr(call.callee)),
            _ => false,
        };
        if one == Held::Absent && is_key(self, left) || other == Held::Absent && is_key(self, right) {
            return Some(Held::Absent);
        }
        let number = |held: Held, id: ExprId| match &module.expr(id).kind {
            ExprKind::Number(text) => text.parse::<f64>().ok(),
            _ => matches!(held, Held::Absent | Held::Zero).then_some(0.0),
        };
        let told = one.tells() || other.tells();
        let sign = text.get(module.expr(left).span.end as usize..module.expr(right).span.start as usize);
        Some(match (number(one, left), sign.map(str::trim), number(other, right)) {
            (Some(one), Some("<"), Some(other)) if told => Held::found(one < other),
            (Some(one), Some("<="), Some(other)) if told => Held::found(one <= other),
            (Some(one), Some(">"), Some(other)) if told => Held::found(one > other),
            (Some(one), Some(">="), Some(other)) if told => Held::found(one >= other),
            _ if told => Held::Touched,
            _ => Held::Same,
        })
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
            varies |= matches!(held, Held::Same | Held::Answer | Held::Code) && !constant;
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
                runs_by_key(self.walk.graph, self.function.file, name)
                    && matches!(module.expr(*base).kind, ExprKind::Name(Binding::Local(local)) if is_param(module, local))
            }
            _ => false,
        };
        if self.calls_of(id).any(|call| runs_the_rest(self.walk.graph, call)) {
            self.calls_with(&[], None, false);
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
            let denies = matches!(callee, ExprKind::Name(Binding::Local(local)) if self.denies_by(*local));
            self.calls_with(&given, first.filter(|_| !is_error), denies);
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
        if self.is_test()
            && let Some(held) = self.beside_test(id, tells)
        {
            return Some(held);
        }
        if tells || sees || self.in_miss > 0 || on == Held::Touched {
            return self.fail();
        }
        // `user.save().then(() => done(null, user))`
        self.lets_in |= closures.iter().any(|closure| self.lets_on(*closure));
        Some(if matches!(on, Held::Absent | Held::Empty | Held::Pair) { on } else { Held::Answer })
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

    /// A call of this function as it was summed up.
    pub(super) fn calls_of(&self, id: ExprId) -> impl Iterator<Item = &CallValue> {
        let file = self.function.file;
        let functions = std::iter::once(self.function.id).chain(self.within.iter().copied());
        let summaries = functions.filter_map(move |id| self.walk.graph.summary(FunctionRef { file, id }));
        let calls = summaries.flat_map(|summary| &summary.calls);
        calls.map(|event| &*event.call).filter(move |call| call.site.expr == id)
    }

    /// `next()`, `done(null, claims)`, `next({ ctx })`; with anything else first it is an error.
    fn calls_with(&mut self, given: &[Held], first: Option<&ExprKind>, denies: bool) {
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
        if self.way.seen && denies && self.denies(handed) {
            // Told.
        } else if !self.way.seen {
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
