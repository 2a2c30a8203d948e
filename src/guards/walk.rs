//! From a guard downward: what is asked about the bearer, and what could not be followed.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::{Bindings, Graph};
use crate::guards::claims::{Seeds, holds_call, row_of};
use crate::guards::shapes::Shape;
use crate::guards::{Proof, Short, ShortBy};
use crate::ir::SqlStatement;
use crate::rules::{Asks, Consult, Harmless, Read, SqlCall, Verify};
use crate::schema::{ModelId, Schema};
use crate::sites;
use crate::source::Span;
use crate::summary::{CallSite, CallValue, FunctionRef, Guards as Conditions, Shared, Value, ValueKind};

/// Where a walk starts.
#[derive(Clone, Debug, Default)]
pub(super) struct Root {
    pub what: String,
    /// Parameters that hold verified claims, with the keys below which they stand.
    pub claims: Vec<(u32, Vec<String>)>,
    /// Parameters that are there at a sign-in only.
    pub first: Vec<(u32, Vec<String>)>,
    pub verifications: Vec<CallSite>,
    pub key: Option<Shared>,
    pub shape: Option<Shape>,
}

impl Root {
    pub(super) fn of(shape: &Shape) -> Self {
        Self { what: shape.what.clone(), key: shape.key.clone(), shape: Some(shape.clone()), ..Self::default() }
    }
}

pub(super) struct Walk<'g, 'a> {
    graph: &'g Graph<'a>,
    schema: &'g Schema,
    rows: Rows<'g>,
    seeds: Seeds,
    first: Vec<(FunctionRef, u32, Vec<String>)>,
    pub functions: BTreeSet<FunctionRef>,
    pub proofs: Vec<Proof>,
    pub short: Vec<Short>,
    pub unclear: Vec<Span>,
    /// The first verification on the way.
    pub verified: Option<Span>,
    pub keys: Vec<Shared>,
    pub foreign: bool,
    /// Whether a limit ended the walk somewhere: what lies behind was not seen.
    pub cut: bool,
    /// Whether claims are still being collected.
    collecting: bool,
    /// So many proofs are enough.
    most_proofs: usize,
    visits: u32,
}

struct Rows<'g> {
    verify: Vec<&'g Verify>,
    consult: Vec<&'g Consult>,
    harmless: Vec<&'g Harmless>,
    read: Vec<&'g Read>,
    sql: Vec<&'g SqlCall>,
}

/// Where a function was entered.
struct Entered<'v> {
    bindings: Option<&'v Bindings>,
    /// What holds (or fails) on the way.
    conditions: &'v [(Shared, bool)],
    /// Whether something depends on what the function returns.
    result_used: bool,
    depth: u8,
}

const MOST_VISITS: u32 = 600;
const DEEPEST: u8 = 12;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    None,
    Returned,
    Decided,
}

impl<'g, 'a> Walk<'g, 'a> {
    pub(super) fn new(graph: &'g Graph<'a>, schema: &'g Schema) -> Self {
        let rows = Rows {
            verify: graph.rules.verify().collect(),
            consult: graph.rules.consult().collect(),
            harmless: graph.rules.harmless().collect(),
            read: graph.rules.read().collect(),
            sql: graph.rules.sql().collect(),
        };
        Self {
            graph,
            schema,
            rows,
            seeds: Seeds::default(),
            first: Vec::new(),
            functions: BTreeSet::new(),
            proofs: Vec::new(),
            short: Vec::new(),
            unclear: Vec::new(),
            verified: None,
            keys: Vec::new(),
            foreign: false,
            cut: false,
            collecting: true,
            most_proofs: usize::MAX,
            visits: 0,
        }
    }

    /// Stops at the first proof: what else is asked, and what cannot be followed, is then not told.
    pub(super) fn first_proof(mut self, function: FunctionRef, root: &Root) -> Option<Proof> {
        self.most_proofs = 1;
        self.run(function, root);
        self.proofs.into_iter().next()
    }

    /// Walks from `function`: once to find what carries claims, once to see what is asked with them.
    pub(super) fn run(&mut self, function: FunctionRef, root: &Root) {
        self.seeds.params.extend(root.claims.iter().map(|(at, keys)| (function, *at, keys.clone())));
        self.first.extend(root.first.iter().map(|(at, keys)| (function, *at, keys.clone())));
        for collecting in [true, false] {
            self.collecting = collecting;
            self.visits = 0;
            self.seeds.forget();
            self.visit(function, &Entered { bindings: None, conditions: &[], result_used: true, depth: 0 });
        }
        self.unclear.sort_unstable();
        self.unclear.dedup();
        self.short.sort();
        self.short.dedup();
        let proven: BTreeSet<Span> = self.proofs.iter().map(|proof| proof.span).collect();
        self.short.retain(|short| !proven.contains(&short.span));
    }

    fn visit(&mut self, function: FunctionRef, entered: &Entered) {
        self.visits += 1;
        if self.visits > MOST_VISITS || entered.depth > DEEPEST {
            self.cut = true;
            return;
        }
        let Some(summary) = self.graph.summary(function) else { return };
        self.functions.insert(function);
        for event in &summary.calls {
            if self.proofs.len() >= self.most_proofs {
                return;
            }
            self.graph.refuel();
            let written = Value::new(ValueKind::Call(Arc::clone(&event.call)), event.span());
            let substituted = match entered.bindings {
                Some(bindings) => self.graph.substitute(&written, bindings),
                None => written,
            };
            let ValueKind::Call(call) = &substituted.kind else { continue };
            let mut conditions = entered.conditions.to_vec();
            conditions.extend(self.conditions(&event.guards, entered.bindings));
            self.call(function, &event.call, call, &conditions, entered);
        }
    }

    fn conditions(&self, guards: &Conditions, bindings: Option<&Bindings>) -> Vec<(Shared, bool)> {
        let mut all = Vec::new();
        let mut at = guards.as_ref();
        while let Some(guard) = at {
            let cond = match bindings {
                Some(bindings) => self.graph.substitute(&guard.cond, bindings),
                None => Arc::clone(&guard.cond),
            };
            all.push((cond, guard.holds));
            at = guard.outer.as_ref();
        }
        all
    }

    fn call(
        &mut self,
        function: FunctionRef,
        written: &CallValue,
        call: &Arc<CallValue>,
        conditions: &[(Shared, bool)],
        entered: &Entered,
    ) {
        let used = || match self.used(function, written.site) {
            Use::Decided => true,
            Use::Returned => entered.result_used,
            Use::None => false,
        };
        if let Some(row) = row_of(self.graph, &self.rows.verify, call) {
            self.verification(row, call);
            if let (Some(asks), false) = (row.asks, self.collecting)
                && row.when.as_ref().is_none_or(|path| self.is_true(call, path))
            {
                self.proofs.push(Proof { asks, span: call.site.span, what: "what verifies it".into(), model: None });
            }
            self.closures(function, call, conditions, entered, true);
            return;
        }
        let targets = self.graph.targets(call);
        if !targets.is_empty() {
            let result_used = used();
            for target in targets.iter().take(4) {
                let bindings = target.bindings.clone().unwrap_or_else(|| self.graph.bind(call, target.function));
                let depth = entered.depth + 1;
                self.visit(target.function, &Entered { bindings: Some(&bindings), conditions, result_used, depth });
            }
            return;
        }
        let hands = call.args.iter().any(|arg| self.seeds.lie_in(self.graph, &arg.value));
        let through = hands || call.receiver().is_some_and(|receiver| self.seeds.lie_in(self.graph, receiver));
        if !self.collecting
            && through
            && let Some((asks, what, model)) = self.asks(call, hands)
        {
            let is_used = throws(call) || self.is_rust(function) || used();
            self.lookup(asks, call.site.span, what, model, conditions, is_used);
            self.closures(function, call, conditions, entered, through);
            return;
        }
        self.closures(function, call, conditions, entered, through);
        if !self.collecting && hands && !self.is_harmless(call) {
            self.unclear.push(call.site.span);
        }
    }

    fn lookup(
        &mut self,
        asks: Asks,
        span: Span,
        what: String,
        model: Option<ModelId>,
        conditions: &[(Shared, bool)],
        is_used: bool,
    ) {
        let at_first = conditions.iter().any(|(cond, holds)| self.only_at_first(cond, *holds, 12));
        let why = if at_first {
            ShortBy::FirstLogin
        } else if is_used {
            self.proofs.push(Proof { asks, span, what, model });
            return;
        } else {
            ShortBy::Unused
        };
        self.short.push(Short { span, what, why });
    }

    fn is_rust(&self, function: FunctionRef) -> bool {
        self.graph.is_rust(function.file)
    }

    /// Notes what a verification is handed and where its key comes from.
    fn verification(&mut self, row: &Verify, call: &Arc<CallValue>) {
        self.verified.get_or_insert(call.site.span);
        if !self.collecting {
            return;
        }
        self.seeds.sites.insert(call.site);
        if let Some(token) = row.token.as_ref().and_then(|path| self.graph.argument(call, path).into_iter().next()) {
            match &token.kind {
                ValueKind::Call(inner) => {
                    self.seeds.sites.insert(inner.site);
                }
                ValueKind::Param(function, at) => {
                    self.seeds.params.insert((*function, *at, Vec::new()));
                }
                _ => {}
            }
            self.seeds.values.push(token);
        }
        let keys = row.key.iter().filter_map(|path| self.graph.argument(call, path).into_iter().next());
        let key = keys.into_iter().find(|key| !matches!(key.kind, ValueKind::Undefined));
        if let Some(key) = key {
            self.foreign |= crate::guards::life::is_foreign(self.graph, &key);
            self.keys.push(key);
        }
    }

    /// Closures that are handed to a call run too; of a call with claims they may be handed these.
    fn closures(
        &mut self,
        function: FunctionRef,
        call: &CallValue,
        conditions: &[(Shared, bool)],
        entered: &Entered,
        with_claims: bool,
    ) {
        for arg in &call.args {
            let ValueKind::Function(closure) = &arg.value.kind else { continue };
            if closure.file != function.file || self.graph.entries(*closure).iter().any(|e| !e.route.is_empty()) {
                continue;
            }
            if with_claims && self.collecting {
                let params = self.graph.function(*closure).map_or(0, |f| f.params.len());
                let params = (0..params).filter_map(|at| u32::try_from(at).ok());
                self.seeds.params.extend(params.map(|at| (*closure, at, Vec::new())));
            }
            let (bindings, depth) = (entered.bindings, entered.depth + 1);
            self.visit(*closure, &Entered { bindings, conditions, result_used: true, depth });
        }
    }

    /// What a library call asks about what it is handed.
    fn asks(&self, call: &CallValue, hands: bool) -> Option<(Asks, String, Option<ModelId>)> {
        if let Some(model) = sites::model_read(self.graph, self.schema, call) {
            let table = &self.schema.models[model.0].table;
            return Some((Asks::Row, format!("a row of {table}"), Some(model)));
        }
        let path = self.graph.library_path(call)?;
        if let Some(row) = self.rows.consult.iter().find(|row| row.call.matches(&path)) {
            let what = match row.asks {
                Asks::Row => "a row of a table",
                Asks::Session => "a session that is kept",
                Asks::Store => "a store of revoked or live tokens",
                Asks::Issuer => "another service",
            };
            return Some((row.asks, what.to_owned(), None));
        }
        if self.rows.sql.iter().any(|row| row.call.matches(&path))
            && let Some(table) = self.selected_in_chain(call)
        {
            let model = self.schema.models.iter().position(|model| model.table.eq_ignore_ascii_case(&table));
            return Some((Asks::Row, format!("a row of {table}"), model.map(ModelId)));
        }
        let row = self.rows.read.iter().find(|row| row.call.matches(&path))?;
        // `roles.find(..)` of the claims is no query; a chain that ends in this call, or one that is handed the claims, is.
        let is_chain = call.receiver().is_some_and(|at| matches!(at.kind, ValueKind::Call(_)));
        let is_told = !row.types.is_empty() || hands || is_chain;
        is_told.then_some((Asks::Row, "a row of a table".to_owned(), None))
    }

    /// The table of a query's text, which may stand where a chain begins: `query("SELECT ..").bind(id).fetch_one(pool)`.
    fn selected_in_chain(&self, call: &CallValue) -> Option<String> {
        let mut at = call;
        for _ in 0..20 {
            if let Some(table) = self.selected(at) {
                return Some(table);
            }
            let ValueKind::Call(inner) = &at.receiver()?.kind else { return None };
            at = inner;
        }
        None
    }

    fn selected(&self, call: &CallValue) -> Option<String> {
        call.args.iter().find_map(|arg| match &self.graph.resolved(&arg.value).kind {
            ValueKind::Sql(text, _) => text.statements.iter().find_map(|statement| match statement {
                SqlStatement::Select { tables, .. } => tables.first().cloned(),
                _ => None,
            }),
            _ => None,
        })
    }

    fn is_true(&self, call: &CallValue, path: &crate::rules::ArgPath) -> bool {
        let values = self.graph.argument(call, path);
        values.iter().any(|value| matches!(self.graph.resolved(value).kind, ValueKind::Bool(true)))
    }

    fn is_harmless(&self, call: &CallValue) -> bool {
        // What a library hands in to be called: `next()`, `done(null, payload)`.
        if matches!(call.callee.kind, ValueKind::Param(..) | ValueKind::Super(_)) || calls_on_by_name(&call.callee) {
            return true;
        }
        // A method of the claims themselves: `payload.roles.includes(payload.role)`.
        if call.receiver().is_some_and(|receiver| self.seeds.lie_in(self.graph, receiver)) {
            return true;
        }
        let Some(path) = self.graph.library_path(call) else { return call.is_new };
        self.rows.harmless.iter().any(|row| row.call.matches(&path))
            || self.graph.rules.pass().any(|row| row.call.matches(&path))
            || self.graph.rules.mint().any(|row| row.call.matches(&path))
    }

    /// What becomes of the result of a call in the function it stands in.
    fn used(&self, function: FunctionRef, site: CallSite) -> Use {
        let Some(summary) = self.graph.summary(function) else { return Use::Decided };
        let holds = |value: &Shared| holds_call(value, site);
        for event in &summary.calls {
            let mut at = event.guards.as_ref();
            while let Some(guard) = at {
                if holds(&guard.cond) {
                    return Use::Decided;
                }
                at = guard.outer.as_ref();
            }
            let own = event.call.site == site;
            if !own && (event.call.args.iter().any(|arg| holds(&arg.value)) || holds(&event.call.callee)) {
                return Use::Decided;
            }
        }
        let rest = summary.exits.values().chain(&summary.this_exit).chain(summary.leaves.values());
        let captured = summary.closures.values().flat_map(imbl::OrdMap::values);
        if rest.chain(captured).any(holds) || summary.reads.iter().any(holds) {
            return Use::Decided;
        }
        if summary.returns.as_ref().is_some_and(holds) { Use::Returned } else { Use::None }
    }

    /// Whether `cond` being true (or false) means a sign-in: a parameter is there that only a sign-in has.
    fn only_at_first(&self, cond: &Shared, holds: bool, fuel: u8) -> bool {
        let Some(fuel) = fuel.checked_sub(1) else { return false };
        match &cond.kind {
            ValueKind::Not(inner) => self.only_at_first(inner, !holds, fuel),
            ValueKind::And(left, right) if holds => {
                self.only_at_first(left, true, fuel) || self.only_at_first(right, true, fuel)
            }
            ValueKind::Fallback { left, right, .. } => {
                let (left, right) = (self.only_at_first(left, holds, fuel), self.only_at_first(right, holds, fuel));
                if holds { left && right } else { left || right }
            }
            ValueKind::Compare { left, right, equal } => {
                let absent = |side: &Shared| matches!(side.kind, ValueKind::Null | ValueKind::Undefined);
                let (first, other) = match (self.is_first(left), self.is_first(right)) {
                    (true, _) => (true, right),
                    (_, true) => (true, left),
                    _ => return false,
                };
                // `trigger === 'signIn'`, `user !== undefined`.
                first && (*equal == holds) != absent(other)
            }
            _ => holds && self.is_first(cond),
        }
    }

    fn is_first(&self, value: &Shared) -> bool {
        let mut keys: Vec<&str> = Vec::new();
        let mut at = value;
        loop {
            match &at.kind {
                ValueKind::Field(base, name) => {
                    keys.insert(0, name);
                    at = base;
                }
                ValueKind::Param(function, index) => {
                    return self.first.iter().any(|(f, i, wanted)| {
                        f == function
                            && i == index
                            && wanted.iter().zip(&keys).all(|(a, b)| a == b)
                            && keys.len() >= wanted.len()
                    });
                }
                _ => return false,
            }
        }
    }
}

/// Whether the call itself refuses what it does not find.
fn throws(call: &CallValue) -> bool {
    call.method().is_some_and(|name| name.ends_with("OrThrow") || name.ends_with("OrFail"))
}

/// `({ ctx, next }) => next({ ctx: { userId: claims.sub } })`
fn calls_on_by_name(callee: &Shared) -> bool {
    let ValueKind::Field(base, name) = &callee.kind else { return false };
    name == "next" && matches!(base.kind, ValueKind::Param(..))
}
