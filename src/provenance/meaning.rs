//! A value -> its origins: the chains of what it can be, each with form, reason and the hops back to its sources.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::ir::Missing;
use crate::provenance::path::{Hop, Meaning, Origin};
use crate::rules::{Form, Mint};
use crate::schema::{ColumnId, ModelId, Schema};
use crate::sites;
use crate::source::Span;
use crate::summary::{CallSite, CallValue, FunctionRef, Member, Shared, Value, ValueKind};

/// One source of a value.
#[derive(Clone, Debug)]
pub(super) struct Atom {
    pub origin: Origin,
    pub form: Option<Form>,
    /// Never NULL or `undefined`: made here.
    pub definite: bool,
    pub inferred: bool,
    pub reason: String,
    pub trail: Vec<Hop>,
    pub mint: Option<CallSite>,
}

/// Alternatives in order: the first that is there.
pub(super) type Chain = Vec<Atom>;

/// What is known of the function at the top of a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Top<'t> {
    pub function: FunctionRef,
    /// Parameters that an issuer hands in.
    pub fresh: &'t [u32],
}

pub(super) struct Evaluator<'g, 'a> {
    pub graph: &'g Graph<'a>,
    pub schema: &'g Schema,
    pub column: ColumnId,
    pub top: Option<Top<'g>>,
}

const DEEPEST: u8 = 60;
/// More alternatives than these are joined by their origin alone.
const WIDEST: usize = 24;

impl Evaluator<'_, '_> {
    pub(super) fn chains(&self, value: &Shared) -> Vec<Chain> {
        dedup(self.eval(value, DEEPEST))
    }

    fn one(&self, origin: Origin, value: &Shared, reason: impl Into<String>) -> Vec<Chain> {
        let form = match origin {
            Origin::Null | Origin::Omitted | Origin::Generated => None,
            _ => Some(Form::Plain),
        };
        let reason = reason.into();
        let trail = vec![Hop { span: value.span, what: reason.clone() }];
        vec![vec![Atom { origin, form, definite: false, inferred: false, reason, trail, mint: None }]]
    }

    fn unknown(&self, value: &Shared, why: impl Into<String>) -> Vec<Chain> {
        let mut chains = self.one(Origin::Unknown, value, why);
        chains[0][0].form = Some(Form::Unknown);
        chains
    }

    fn place(&self, span: Span) -> String {
        let at = self.graph.sources.location(span);
        format!("{}:{}", at.path, at.line)
    }

    fn eval(&self, value: &Shared, fuel: u8) -> Vec<Chain> {
        let Some(fuel) = fuel.checked_sub(1).filter(|_| self.graph.step()) else {
            return self.unknown(value, "budget: too many steps to follow");
        };
        match &value.kind {
            ValueKind::Null => self.one(Origin::Null, value, "a literal null"),
            ValueKind::Undefined => self.one(Origin::Null, value, "undefined"),
            ValueKind::Text(text) if text.is_empty() => self.one(Origin::Null, value, "an empty string"),
            ValueKind::Text(_) | ValueKind::Number(_) | ValueKind::Bool(_) => {
                let mut chains = self.one(Origin::Supplied, value, "a constant");
                chains[0][0].definite = true;
                chains
            }
            ValueKind::Param(function, at) => self.param(value, *function, *at),
            ValueKind::Field(base, name) => self.field(value, base, name, fuel),
            ValueKind::Call(call) => self.call(value, call, fuel),
            ValueKind::Cond { cond, then, otherwise } => match self.holds(cond, fuel) {
                Some(true) => self.eval(then, fuel),
                Some(false) => self.eval(otherwise, fuel),
                None => join(self.eval(then, fuel), self.eval(otherwise, fuel)),
            },
            ValueKind::Fallback { left, right, when } => {
                let left = self.eval(left, fuel);
                fallback(left, *when, || self.eval(right, fuel))
            }
            ValueKind::And(left, right) => match self.holds(left, fuel) {
                Some(false) => self.eval(left, fuel),
                _ => self.eval(right, fuel),
            },
            ValueKind::Either(values) => values.iter().fold(Vec::new(), |all, value| join(all, self.eval(value, fuel))),
            ValueKind::Concat(parts) => self.concat(value, parts, fuel),
            ValueKind::Stored { column, .. } => self.stored_column(value, column),
            ValueKind::Object { base, entries } if base.as_ref().is_none_or(is_new) => {
                let parts: Vec<Shared> = entries
                    .iter()
                    .map(|entry| match entry {
                        crate::summary::Slot::Named { value, .. }
                        | crate::summary::Slot::Computed { value, .. }
                        | crate::summary::Slot::Spread(value) => Arc::clone(value),
                    })
                    .collect();
                self.concat(value, &parts, fuel)
            }
            ValueKind::Array(members) => {
                let parts: Vec<Shared> = members
                    .iter()
                    .map(|member| {
                        let (Member::One(inner) | Member::Each(inner) | Member::Spread(inner)) = member;
                        Arc::clone(inner)
                    })
                    .collect();
                self.concat(value, &parts, fuel)
            }
            // A random element of a list is as random as the index.
            ValueKind::Index(_, index)
                if let ValueKind::Call(call) = &self.graph.resolved(index).kind
                    && let Some(mint) = self.mint(call) =>
            {
                self.minted(value, call, mint)
            }
            ValueKind::Element(base) | ValueKind::Index(base, _) => match self.graph.expand(value) {
                Some(inner) if !Arc::ptr_eq(&inner, value) => self.eval(&inner, fuel),
                _ => self.part_of(value, base, fuel),
            },
            ValueKind::Global(name) if name == "undefined" => self.one(Origin::Null, value, "undefined"),
            ValueKind::Global(name) => self.one(Origin::Supplied, value, format!("the global {name}")),
            ValueKind::Opaque(why, operands) => match operands.as_slice() {
                // Arithmetic and the like on one value: still that value.
                [only] if *why != "nested too deeply" => {
                    let mut chains = self.eval(only, fuel);
                    chains.iter_mut().flatten().for_each(|atom| atom.inferred = true);
                    chains
                }
                _ => self.unknown(value, *why),
            },
            ValueKind::Captured(..)
            | ValueKind::Leaves(..)
            | ValueKind::Import(..)
            | ValueKind::After { .. }
            | ValueKind::Rest(..) => match self.graph.expand(value) {
                Some(inner) if !Arc::ptr_eq(&inner, value) => self.eval(&inner, fuel),
                _ => self.outside(value),
            },
            _ => self.unknown(value, "a value that is not followed"),
        }
    }

    fn outside(&self, value: &Shared) -> Vec<Chain> {
        match self.graph.path(value) {
            Some(path) if !path.starts_with('?') => {
                self.one(Origin::Supplied, value, format!("{path}, from outside the tree"))
            }
            _ => self.unknown(value, "a variable whose value could not be found"),
        }
    }

    fn param(&self, value: &Shared, function: FunctionRef, at: u32) -> Vec<Chain> {
        let name = self
            .graph
            .function(function)
            .and_then(|f| f.params.get(at as usize))
            .map_or_else(String::new, |param| param.name.clone());
        let owner = self.graph.name(function);
        if let Some(top) = self.top.filter(|top| top.function == function) {
            if top.fresh.contains(&at) {
                let reason = format!("`{name}` of {owner}, received from the issuer");
                return self.one(Origin::Fresh, value, reason);
            }
            return self.one(Origin::Supplied, value, format!("`{name}`, handed in by the caller of {owner}"));
        }
        if self.graph.entries(function).iter().any(|entry| entry.fresh.contains(&at)) {
            return self.one(Origin::Fresh, value, format!("`{name}` of {owner}, received from the issuer"));
        }
        let is_entry = !self.graph.entries(function).is_empty();
        if is_entry {
            return self.one(Origin::Supplied, value, format!("`{name}`, handed in by the caller of {owner}"));
        }
        self.unknown(value, format!("`{name}` of a callback, handed in by code that is not followed"))
    }

    /// `base.name`: a column of a row, a key of a mint's result, a key of what an entry point is given.
    fn field(&self, value: &Shared, base: &Shared, name: &str, fuel: u8) -> Vec<Chain> {
        // What was assigned on the way here, or on one of several ways, is not what was read.
        if matches!(base.kind, ValueKind::After { .. } | ValueKind::Cond { .. } | ValueKind::Either(_))
            && let Some(inner) = self.graph.expand(value)
            && !matches!(inner.kind, ValueKind::Field(..))
        {
            return self.eval(&inner, fuel);
        }
        if let Some(model) = self.row_model(base) {
            return self.column_of(value, model, name);
        }
        if let Some(found) = self.minted_key(value, base, name) {
            return found;
        }
        if let Some(inner) = self.graph.expand(value)
            && !Arc::ptr_eq(&inner, value)
        {
            return self.eval(&inner, fuel);
        }
        self.part_of(value, base, fuel)
    }

    /// A part of something: of what an entry point is given, of a row, of a result that cannot be told.
    fn part_of(&self, value: &Shared, base: &Shared, fuel: u8) -> Vec<Chain> {
        match &base.kind {
            ValueKind::Param(..) => {
                let mut chains = self.eval(base, fuel);
                chains.iter_mut().flatten().for_each(|atom| atom.definite = false);
                chains
            }
            ValueKind::This(class) => {
                let name = self.graph.class(*class).map_or("", |class| class.name.as_str());
                self.unknown(value, format!("a field of {name} that nothing in the tree assigns"))
            }
            ValueKind::Field(..)
            | ValueKind::Element(_)
            | ValueKind::Index(..)
            | ValueKind::Global(_)
            | ValueKind::Import(..)
            | ValueKind::Rest(..)
            | ValueKind::Subset(_) => self.eval(base, fuel),
            ValueKind::Call(call) => self.call(base, call, fuel),
            ValueKind::Opaque(why, _) => self.unknown(value, *why),
            _ => match self.graph.expand(base) {
                Some(inner) if !Arc::ptr_eq(&inner, base) => {
                    let inner = match &value.kind {
                        ValueKind::Field(_, name) => Value::field(&inner, name, value.span),
                        _ => Value::element(&inner, value.span),
                    };
                    self.eval(&inner, fuel)
                }
                _ => self.eval(base, fuel),
            },
        }
    }

    /// The model whose row a value is: read by a call, or typed as an entity.
    pub(super) fn row_model(&self, value: &Shared) -> Option<ModelId> {
        self.row_model_at(value, 24)
    }

    fn row_model_at(&self, value: &Shared, fuel: u8) -> Option<ModelId> {
        let fuel = fuel.checked_sub(1)?;
        match &value.kind {
            ValueKind::Call(call) => {
                if let Some(model) = sites::model_read(self.graph, self.schema, call) {
                    return Some(model);
                }
                let typed = || self.model_of_type(&self.graph.type_of(value));
                match self.graph.expand(value) {
                    Some(inner) => self.row_model_at(&inner, fuel).or_else(typed),
                    None => typed(),
                }
            }
            ValueKind::Element(base) | ValueKind::Index(base, _) => self.row_model_at(base, fuel),
            ValueKind::Cond { then, otherwise, .. } => {
                self.row_model_at(then, fuel).or_else(|| self.row_model_at(otherwise, fuel))
            }
            ValueKind::Fallback { left, right, .. } => {
                self.row_model_at(left, fuel).or_else(|| self.row_model_at(right, fuel))
            }
            ValueKind::Either(values) => values.iter().find_map(|value| self.row_model_at(value, fuel)),
            ValueKind::Object { base: Some(base), .. } => self.row_model_at(base, fuel),
            ValueKind::Object { base: None, .. } | ValueKind::Array(_) => None,
            _ => {
                let behind = self.graph.expand(value).filter(|inner| !Arc::ptr_eq(inner, value));
                behind
                    .and_then(|inner| self.row_model_at(&inner, fuel))
                    .or_else(|| self.model_of_type(&self.graph.type_of(value)))
            }
        }
    }

    fn model_of_type(&self, ty: &Type) -> Option<ModelId> {
        match ty {
            Type::Instance(class, _) => sites::model_of_class(self.graph, self.schema, *class),
            // The generated type of a Prisma model: `import { User } from '@prisma/client'`.
            Type::External(path, _) => {
                let (module, name) = path.split_once('#')?;
                let generated = module.contains("prisma");
                let at = self
                    .schema
                    .models
                    .iter()
                    .position(|model| model.source == crate::schema::ModelSource::Prisma && model.name == name)?;
                generated.then_some(ModelId(at))
            }
            _ => None,
        }
    }

    fn column_of(&self, value: &Shared, model: ModelId, name: &str) -> Vec<Chain> {
        let tracked = &self.schema.columns[self.column.0];
        let same = tracked
            .bindings
            .iter()
            .any(|(id, property)| *id == model && self.schema.models[id.0].properties[*property].name == name);
        let table = &self.schema.models[model.0].table;
        if same {
            return self.one(
                Origin::Preserved,
                value,
                format!("`{}`, read from {table} at {}", self.graph.sources.text(value.span), self.place(value.span)),
            );
        }
        self.one(Origin::Supplied, value, format!("the value of another column, {table}.{name}"))
    }

    fn stored_column(&self, value: &Shared, column: &str) -> Vec<Chain> {
        let tracked = &self.schema.columns[self.column.0];
        if tracked.column.eq_ignore_ascii_case(column) {
            return self.one(Origin::Preserved, value, format!("the column's own value at {}", self.place(value.span)));
        }
        self.one(Origin::Supplied, value, format!("the value of another column, {column}"))
    }

    /// A key, at any depth, of a result that a mint row describes.
    fn minted_key(&self, value: &Shared, base: &Shared, name: &str) -> Option<Vec<Chain>> {
        let mut keys = vec![name.to_owned()];
        let mut at = Arc::clone(base);
        for _ in 0..12 {
            match &at.kind {
                ValueKind::Call(call) if self.graph.targets(call).is_empty() => {
                    let mint = self.mint(call)?;
                    keys.reverse();
                    let path = keys.join(".");
                    let below = |key: &String| {
                        path.strip_prefix(key.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                    };
                    let fits = mint.keys.is_empty() || mint.keys.iter().any(below);
                    return fits.then(|| self.minted(value, call, mint));
                }
                ValueKind::Field(inner, key) => {
                    if let Some(next) = self.graph.expand(&at).filter(|next| !Arc::ptr_eq(next, &at)) {
                        at = next;
                    } else {
                        keys.push(key.clone());
                        at = Arc::clone(inner);
                    }
                }
                ValueKind::Captured(..)
                | ValueKind::Leaves(..)
                | ValueKind::Import(..)
                | ValueKind::After { .. }
                | ValueKind::Call(_) => match self.graph.expand(&at) {
                    Some(next) if !Arc::ptr_eq(&next, &at) => at = next,
                    _ => return None,
                },
                _ => return None,
            }
        }
        None
    }

    pub(super) fn mint(&self, call: &CallValue) -> Option<&Mint> {
        mint_of(self.graph, call)
    }

    fn minted(&self, value: &Shared, call: &CallValue, mint: &Mint) -> Vec<Chain> {
        let mut chains = self.one(Origin::Fresh, value, format!("{} at {}", mint.what, self.place(call.site.span)));
        let atom = &mut chains[0][0];
        atom.form = Some(mint.form);
        atom.definite = mint.keys.is_empty();
        atom.mint = Some(call.site);
        atom.trail = vec![Hop { span: call.site.span, what: mint.what.clone() }];
        chains
    }

    fn call(&self, value: &Shared, call: &Arc<CallValue>, fuel: u8) -> Vec<Chain> {
        let targets = self.graph.targets(call);
        if !targets.is_empty() {
            let certain = targets.iter().all(|target| target.certain);
            if let Some(inner) = self.graph.expand(value) {
                let mut chains = self.eval(&inner, fuel);
                let name = self.graph.name(targets[0].function);
                for atom in chains.iter_mut().flatten() {
                    atom.inferred |= !certain;
                    atom.trail.insert(0, Hop { span: call.site.span, what: format!("result of {name}()") });
                    atom.trail.truncate(40);
                }
                return chains;
            }
            let name = self.graph.name(targets[0].function);
            return self.unknown(value, format!("{name}() returns nothing that can be followed"));
        }
        if let Some(mint) = self.mint(call) {
            return self.minted(value, call, mint);
        }
        if let Some(model) = sites::model_read(self.graph, self.schema, call) {
            let table = &self.schema.models[model.0].table;
            return self.one(Origin::Supplied, value, format!("a row of {table}"));
        }
        let path = self.graph.callee_path(call);
        if let Some(chains) = self.passed(value, call, path.as_deref(), fuel) {
            return chains;
        }
        self.by_name(value, call, path.as_deref(), fuel)
    }

    fn passed(&self, value: &Shared, call: &CallValue, path: Option<&str>, fuel: u8) -> Option<Vec<Chain>> {
        let path = path?;
        let row = self.graph.rules.pass().find(|row| row.call.matches(path))?;
        let parts: Vec<Shared> = row.from.iter().flat_map(|path| self.graph.argument(call, path)).collect();
        if parts.is_empty() && !row.from.is_empty() {
            return None;
        }
        let mut chains = match parts.as_slice() {
            [only] => self.eval(only, fuel),
            several => self.concat(value, several, fuel),
        };
        if let Some(form) = row.form {
            for atom in chains.iter_mut().flatten().filter(|atom| atom.form.is_some()) {
                atom.form = Some(form);
                atom.definite = true;
                atom.trail.insert(0, Hop { span: call.site.span, what: format!("through {}", row.call.text()) });
            }
        }
        Some(chains)
    }

    /// A call that no rule names: by what its name says, and then only as inferred.
    fn by_name(&self, value: &Shared, call: &CallValue, path: Option<&str>, fuel: u8) -> Vec<Chain> {
        let name = match (&call.callee.kind, path) {
            (ValueKind::Field(_, name), _) => name.clone(),
            (_, Some(path)) => path.rsplit(['.', '#']).next().unwrap_or("").to_owned(),
            _ => String::new(),
        };
        let folded = name.to_lowercase();
        let makes = ["generate", "create", "mint", "issue", "sign", "make", "random", "new", "rotate", "exchange"];
        let thing = ["token", "jwt", "secret", "uuid", "key", "code", "nonce", "random"];
        if makes.iter().any(|verb| folded.starts_with(verb)) && thing.iter().any(|noun| folded.contains(noun)) {
            let mut chains = self.one(Origin::Fresh, value, format!("{name}(), whose name says that it makes one"));
            let atom = &mut chains[0][0];
            (atom.inferred, atom.definite, atom.mint) = (true, true, Some(call.site));
            return chains;
        }
        let form = match () {
            () if folded.starts_with("encrypt") || folded.starts_with("seal") => Some(Form::Encrypted),
            () if folded.starts_with("hash") || folded.starts_with("digest") => Some(Form::Hashed),
            () => None,
        };
        if let (Some(form), Some(first)) = (form, call.args.first()) {
            let mut chains = self.eval(&first.value, fuel);
            for atom in chains.iter_mut().flatten() {
                atom.inferred = true;
                if atom.form.is_some() {
                    atom.form = Some(form);
                }
            }
            return chains;
        }
        if call.is_new && call.args.len() == 1 {
            return self.eval(&call.args[0].value, fuel);
        }
        let shown = if name.is_empty() { "a call".to_owned() } else { format!("{name}()") };
        self.unknown(value, format!("the result of {shown} at {}, which no rule describes", self.place(call.site.span)))
    }

    /// What is glued together: the secret part decides.
    fn concat(&self, value: &Shared, parts: &[Shared], fuel: u8) -> Vec<Chain> {
        let mut best: Option<(u8, Vec<Chain>)> = None;
        for part in parts {
            let chains = self.eval(part, fuel);
            let rank = chains.iter().flatten().map(rank).max().unwrap_or(0);
            if best.as_ref().is_none_or(|(known, _)| rank > *known) {
                best = Some((rank, chains));
            }
        }
        match best {
            Some((_, mut chains)) => {
                // A text around an absent value is not absent.
                for chain in &mut chains {
                    if let Some(last) = chain.last_mut() {
                        last.definite = true;
                    }
                }
                chains
            }
            None => self.one(Origin::Null, value, "nothing"),
        }
    }

    /// Whether a condition holds, where constants decide it.
    pub(super) fn holds(&self, cond: &Shared, fuel: u8) -> Option<bool> {
        let fuel = fuel.checked_sub(1)?;
        match &cond.kind {
            ValueKind::Bool(value) => Some(*value),
            ValueKind::Null | ValueKind::Undefined => Some(false),
            ValueKind::Text(text) => Some(!text.is_empty()),
            ValueKind::Number(text) => Some(text != "0"),
            ValueKind::Not(inner) => self.holds(inner, fuel).map(|value| !value),
            ValueKind::And(left, right) => match (self.holds(left, fuel), self.holds(right, fuel)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            ValueKind::Fallback { left, right, when: Missing::Falsy } => {
                match (self.holds(left, fuel), self.holds(right, fuel)) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                }
            }
            ValueKind::Compare { left, right, equal } => {
                let same = self.same(left, right)?;
                Some(same == *equal)
            }
            ValueKind::Object { .. } | ValueKind::Array(_) | ValueKind::Function(_) => Some(true),
            _ => {
                let resolved = self.graph.resolved(cond);
                if !Arc::ptr_eq(&resolved, cond) {
                    let simple = matches!(
                        resolved.kind,
                        ValueKind::Bool(_)
                            | ValueKind::Null
                            | ValueKind::Undefined
                            | ValueKind::Text(_)
                            | ValueKind::Number(_)
                    );
                    if simple {
                        return self.holds(&resolved, fuel);
                    }
                }
                // What was minted or received on this path is there.
                let chains = self.eval(cond, fuel.min(12));
                let all = |origin| chains.iter().all(|chain| chain.len() == 1 && chain[0].origin == origin);
                if chains.is_empty() {
                    None
                } else if all(Origin::Fresh) {
                    Some(true)
                } else if all(Origin::Null) {
                    Some(false)
                } else {
                    None
                }
            }
        }
    }

    fn same(&self, left: &Shared, right: &Shared) -> Option<bool> {
        let (left, right) = (self.graph.resolved(left), self.graph.resolved(right));
        let nullish = |value: &Shared| matches!(value.kind, ValueKind::Null | ValueKind::Undefined);
        let constant = |value: &Shared| match &value.kind {
            ValueKind::Text(text) | ValueKind::Number(text) => Some(text.clone()),
            ValueKind::Bool(value) => Some(value.to_string()),
            _ => None,
        };
        match (constant(&left), constant(&right)) {
            (Some(left), Some(right)) => Some(left == right),
            (Some(_), None) if nullish(&right) => Some(false),
            (None, Some(_)) if nullish(&left) => Some(false),
            _ if nullish(&left) && nullish(&right) => Some(true),
            _ => None,
        }
    }
}

/// A new object of a class, before its fields are assigned.
fn is_new(value: &Shared) -> bool {
    matches!(&value.kind, ValueKind::Call(call) if call.is_new && call.args.is_empty())
}

/// The mint row that describes a library call.
pub(super) fn mint_of<'a>(graph: &Graph<'a>, call: &CallValue) -> Option<&'a Mint> {
    let name = match &call.callee.kind {
        ValueKind::Field(_, name) => Some(name.as_str()),
        _ => None,
    };
    let mut path = None;
    graph.rules.mint().find(|row| {
        if row.call.last().is_some_and(|last| name.is_some_and(|name| name != last)) {
            return false;
        }
        let path =
            path.get_or_insert_with(|| if graph.targets(call).is_empty() { graph.callee_path(call) } else { None });
        path.as_ref().is_some_and(|path| row.call.matches(path))
    })
}

fn rank(atom: &Atom) -> u8 {
    match (atom.origin, atom.form) {
        (_, Some(Form::Encrypted)) => 7,
        (_, Some(Form::Hashed)) => 6,
        (Origin::Fresh, _) => 5,
        (Origin::Preserved, _) => 4,
        (Origin::Unknown, _) => 3,
        (Origin::Supplied, _) if !atom.definite => 2,
        (Origin::Supplied, _) => 1,
        _ => 0,
    }
}

fn fallback(left: Vec<Chain>, when: Missing, right: impl FnOnce() -> Vec<Chain>) -> Vec<Chain> {
    let ends_missing = |chain: &Chain| chain.last().is_none_or(|last| !last.definite);
    if !left.iter().any(ends_missing) {
        return left;
    }
    let right = right();
    let mut all = Vec::new();
    for chain in left {
        let Some(last) = chain.last() else { continue };
        if last.definite {
            all.push(chain);
            continue;
        }
        let drops = last.origin == Origin::Null && (when != Missing::Undefined || last.reason == "undefined");
        // A default for `undefined` leaves a value that was handed over as it is.
        if when == Missing::Undefined && !drops {
            let handed = last.origin != Origin::Supplied && last.origin != Origin::Unknown;
            if handed {
                all.push(chain);
                continue;
            }
        }
        for then in &right {
            let mut joined: Chain = if drops { chain[..chain.len() - 1].to_vec() } else { chain.clone() };
            joined.extend(then.iter().cloned());
            all.push(joined);
        }
    }
    all
}

fn join(mut left: Vec<Chain>, right: Vec<Chain>) -> Vec<Chain> {
    left.extend(right);
    if left.len() > WIDEST { dedup(left) } else { left }
}

/// One chain of each kind; the first stays.
fn dedup(chains: Vec<Chain>) -> Vec<Chain> {
    let mut seen = BTreeSet::new();
    chains
        .into_iter()
        .map(|mut chain| {
            chain.dedup_by(|next, kept| next.origin == kept.origin && next.form == kept.form);
            chain
        })
        .filter(|chain| {
            let key: Vec<_> = chain.iter().map(|atom| (atom.origin, atom.form, atom.inferred, atom.mint)).collect();
            seen.insert(key)
        })
        .take(WIDEST * 4)
        .collect()
}

pub(super) fn meaning(chains: &[Chain]) -> Meaning {
    Meaning { chains: chains.iter().map(|chain| origins(chain)).collect() }
}

fn origins(chain: &Chain) -> Vec<Origin> {
    let mut all: Vec<Origin> = chain.iter().map(|atom| atom.origin).collect();
    all.dedup();
    all
}
