//! A cell of a row -> what writing that row does to the column: the seven origins, by operation.

use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::ir::{ClassKind, Missing};
use crate::provenance::cell::Cell;
use crate::provenance::chain::{Atom, Chain, fallback};
use crate::provenance::hooks::{self, Hook};
use crate::provenance::meaning::Evaluator;
use crate::provenance::path::{Hop, Origin, ROW_WRITTEN_BACK};
use crate::provenance::row::Lookup;
use crate::rules::{Form, Operation, Undefined};
use crate::schema::{ColumnId, ModelId, Property, Schema};
use crate::sites;
use crate::source::{Gap, Span};
use crate::summary::{Shared, Slot, Value, ValueKind};

/// Whether the declaration of what is handed in says that it may be missing: `token?: string`.
pub(super) fn is_optional(graph: &Graph, value: &Shared) -> bool {
    match &value.kind {
        ValueKind::Param(function, at) => {
            let param = graph.function(*function).and_then(|function| function.params.get(*at as usize));
            param.is_some_and(|param| param.optional)
        }
        ValueKind::Field(base, name) => {
            let Type::Instance(class, _) = graph.type_of(base) else { return false };
            let line = graph.lineage(class);
            let fields = line.iter().filter_map(|owner| graph.class(*owner)).flat_map(|class| &class.fields);
            fields.into_iter().find(|field| field.name == *name).is_some_and(|field| field.optional)
        }
        _ => false,
    }
}

/// Whether the struct that a row is of has no such field: writing all of it does not touch the column.
pub(super) fn leaves_out(graph: &Graph, row: &Shared, key: &str) -> bool {
    let Type::Instance(class, _) = graph.type_of(row) else { return false };
    // An `impl` for a type of another file is a class of its own there, without fields.
    let line = graph.lineage(class);
    let declared = || line.iter().filter_map(|owner| graph.class(*owner));
    let is_struct = declared().all(|class| class.kind == ClassKind::Class) && graph.is_rust(class.file);
    let mut fields = declared().flat_map(|class| &class.fields).peekable();
    is_struct && fields.peek().is_some() && fields.all(|field| field.name != key)
}

/// Whether a value is nothing but what a caller hands in.
fn is_handed_in(chain: &Chain) -> bool {
    matches!(chain.as_slice(), [only] if only.origin == Origin::Supplied && !only.definite)
}

/// What one way writes.
pub(super) enum Written {
    /// The column is not mentioned: no write.
    Nothing,
    Chains {
        chains: Vec<Chain>,
        value: Option<Span>,
    },
    /// It may be written, but that cannot be told, and most likely it is not.
    Perhaps(Gap),
}

#[expect(clippy::struct_excessive_bools, reason = "facts of a write that have nothing to do with each other")]
pub(super) struct Judge<'g, 'a> {
    pub graph: &'g Graph<'a>,
    pub schema: &'g Schema,
    pub column: ColumnId,
    pub model: ModelId,
    pub operation: Operation,
    pub undefined: Undefined,
    pub wrapper: Option<&'g str>,
    /// Whether a function that stands for a value gives SQL text.
    pub sql_functions: bool,
    /// Whether a row that was read is written back with all of its columns.
    pub whole: bool,
    /// What the library runs on the row before.
    pub hooks: &'g [Hook],
    /// Whether the row is an object that was read or made before.
    pub instance: bool,
    /// Whether the writing function takes the value as a parameter, or a key of one, that may be missing.
    pub handed_optional: bool,
    /// The form that the column's transformer gives to every value.
    pub form: Option<Form>,
    pub row: Shared,
    pub span: Span,
}

impl Judge<'_, '_> {
    pub(super) fn written(&self, lookup: &Lookup, evaluator: &Evaluator, row: &Shared) -> Written {
        if matches!(&row.kind, ValueKind::Array(members) if members.is_empty()) {
            return Written::Nothing;
        }
        let cell = lookup.of(row);
        let value = cell.key_span();
        let mut state = Alternatives::default();
        self.alternatives(lookup, evaluator, &cell, &mut state, 0);
        if self.whole && std::mem::take(&mut state.stored) {
            let reason = format!("{ROW_WRITTEN_BACK} at {}", self.shown());
            let mut kept = atom(Origin::Preserved, row.span, reason);
            kept.form = Some(Form::Plain);
            state.chains.push(vec![kept]);
        }
        let inserts = matches!(self.operation, Operation::Insert | Operation::UpsertCreate);
        if inserts {
            if state.absent {
                state.chains.extend(self.supplied_by_hooks(lookup, evaluator, row));
            }
            if state.stored {
                let copied = atom(Origin::Preserved, row.span, "copied with a row that was read".to_owned());
                state.chains.push(vec![copied]);
            }
            let overridden = self.overridden(lookup, evaluator, row).filter(|_| !state.unknown.is_empty());
            if let Some(chains) = overridden {
                state.chains.extend(chains);
                state.unknown.clear();
            }
            for (why, at) in state.unknown {
                state.chains.push(vec![atom(Origin::Unknown, at, why)]);
            }
            if state.chains.is_empty() {
                let why = "a list that was not seen to be filled".to_owned();
                state.chains.push(vec![atom(Origin::Unknown, row.span, why)]);
            }
        } else {
            self.supplied_to_update(lookup, evaluator, row, &mut state);
            if state.chains.is_empty() {
                return match state.unknown.into_iter().next() {
                    Some((why, at)) => Written::Perhaps(self.gap(&why, at)),
                    None => Written::Nothing,
                };
            }
            if state.absent || state.stored {
                let left = atom(Origin::Preserved, self.span, "left as it is where the key is absent".to_owned());
                state.chains.push(vec![left]);
            }
            for (why, at) in state.unknown {
                // A key computed at run time beside a plain one adds nothing that is known.
                if !why.starts_with("a key") {
                    state.chains.push(vec![atom(Origin::Unknown, at, why)]);
                }
            }
        }
        if let Some(form) = self.form {
            let plain = state.chains.iter_mut().flatten().filter(|atom| atom.form == Some(Form::Plain));
            plain.for_each(|atom| atom.form = Some(form));
        }
        Written::Chains { chains: state.chains, value }
    }

    /// What an INSERT stores in a column that it leaves out: what a hook puts there, else the default or NULL.
    fn supplied_by_hooks(&self, lookup: &Lookup, evaluator: &Evaluator, row: &Shared) -> Vec<Chain> {
        let nothing = Value::new(ValueKind::Undefined, row.span);
        let left = hooks::applied(self.graph, self.hooks, self.operation, row, lookup.key, &nothing);
        if matches!(left.kind, ValueKind::Undefined) {
            return vec![vec![self.absent(row)]];
        }
        let undefined = |chain: &Chain| matches!(chain.as_slice(), [only] if only.is_undefined());
        let chains = evaluator.chains(&left).into_iter();
        chains.map(|chain| if undefined(&chain) { vec![self.absent(row)] } else { chain }).collect()
    }

    /// What hooks put into a column that an UPDATE does not mention.
    fn supplied_to_update(&self, lookup: &Lookup, evaluator: &Evaluator, row: &Shared, state: &mut Alternatives) {
        if !state.absent || self.hooks.is_empty() {
            return;
        }
        let nothing = Value::new(ValueKind::Undefined, row.span);
        let left = hooks::applied(self.graph, self.hooks, self.operation, row, lookup.key, &nothing);
        let undefined = |chain: &Chain| matches!(chain.as_slice(), [only] if only.is_undefined());
        let (left_out, supplied): (Vec<Chain>, Vec<Chain>) = evaluator.chains(&left).into_iter().partition(undefined);
        state.absent = !left_out.is_empty();
        state.chains.extend(supplied);
    }

    /// What the hooks put into the column whatever the row holds there.
    fn overridden(&self, lookup: &Lookup, evaluator: &Evaluator, row: &Shared) -> Option<Vec<Chain>> {
        let anything = Value::new(ValueKind::Opaque("what the row holds", Vec::new()), row.span);
        let left = hooks::applied(self.graph, self.hooks, self.operation, row, lookup.key, &anything);
        let chains = evaluator.chains(&left);
        let is_told = chains.iter().flatten().all(|atom| atom.origin != Origin::Unknown);
        is_told.then_some(chains)
    }

    fn shown(&self) -> String {
        let at = self.graph.sources.location(self.span);
        format!("{}:{}", at.path, at.line)
    }

    fn gap(&self, why: &str, at: Span) -> Gap {
        let place = self.graph.sources.location(at);
        let column = &self.schema.columns[self.column.0];
        Gap { path: place.path, line: place.line, why: format!("may write {}.{}: {why}", column.table, column.column) }
    }

    fn property(&self) -> Option<&Property> {
        let column = &self.schema.columns[self.column.0];
        let bound = column.bindings.iter().find(|(model, _)| *model == self.model);
        bound.map(|(model, at)| &self.schema.models[model.0].properties[*at])
    }

    /// A column that an INSERT leaves out.
    fn absent(&self, row: &Shared) -> Atom {
        let column = &self.schema.columns[self.column.0];
        let property = self.property();
        let default = property.and_then(|p| p.default.clone()).or_else(|| column.default.clone());
        let nullable = property.and_then(|p| p.nullable).or(column.nullable);
        let is_null = |default: &str| default.eq_ignore_ascii_case("null");
        match (default, nullable) {
            (Some(default), _) if !default.is_empty() && !is_null(&default) => {
                let reason = format!("the column is not in the row; its default {default} makes a value");
                atom(Origin::Generated, row.span, reason)
            }
            (_, Some(false)) => atom(
                Origin::Unknown,
                row.span,
                "the column is not in the row, cannot be NULL and has no default: something else must supply it"
                    .to_owned(),
            ),
            _ => atom(Origin::Omitted, row.span, "the column is not in the row: it starts as NULL".to_owned()),
        }
    }

    /// A column that an UPDATE is given `undefined` for.
    fn left_as_it_is(value: &Shared) -> Atom {
        atom(Origin::Preserved, value.span, "undefined leaves the column as it is".to_owned())
    }

    fn alternatives(&self, lookup: &Lookup, evaluator: &Evaluator, cell: &Cell, out: &mut Alternatives, depth: u8) {
        if depth > 40 {
            out.unknown.push(("the row is built in too many steps to follow".to_owned(), self.span));
            return;
        }
        match cell {
            Cell::Absent => out.absent = true,
            Cell::Stored => out.stored = true,
            Cell::Unknown { why, at } => out.unknown.push((why.clone(), *at)),
            Cell::Value { value, .. } => {
                let value = self.unwrapped(value);
                let value = &hooks::applied(self.graph, self.hooks, self.operation, &self.row, lookup.key, &value);
                let chains = evaluator.chains(value);
                let may_be_missing = self.undefined == Undefined::Skip
                    && matches!(self.operation, Operation::Insert | Operation::Update)
                    && (self.handed_optional || is_optional(self.graph, value))
                    && chains.iter().any(is_handed_in)
                    && !evaluator.is_given(value);
                if may_be_missing && self.operation == Operation::Insert {
                    out.absent = true;
                } else if may_be_missing {
                    out.chains.push(vec![Self::left_as_it_is(value)]);
                }
                for chain in chains {
                    let leaves = self.undefined == Undefined::Skip
                        || self.undefined == Undefined::Default && self.absent(value).origin == Origin::Generated;
                    if leaves && chain.last().is_some_and(Atom::is_undefined) {
                        if chain.len() == 1 {
                            out.absent = true;
                        } else {
                            let mut chain = chain;
                            chain.pop();
                            let inserts = matches!(self.operation, Operation::Insert | Operation::UpsertCreate);
                            chain.push(if inserts { self.absent(value) } else { Self::left_as_it_is(value) });
                            out.chains.push(chain);
                        }
                    } else {
                        out.chains.push(chain);
                    }
                }
            }
            Cell::Either(cells) => {
                for cell in cells {
                    // A way that the constants of this path rule out writes nothing at all.
                    if let Cell::Value { value, .. } = cell
                        && matches!(value.kind, ValueKind::Cond { .. })
                        && !evaluator.is_possible(value)
                    {
                        continue;
                    }
                    self.alternatives(lookup, evaluator, cell, out, depth + 1);
                }
            }
            Cell::Given { .. } => self.given(lookup, evaluator, (cell, &Cell::Absent), out, depth + 1),
            Cell::Over(over, under) if matches!(**over, Cell::Given { .. }) => {
                self.given(lookup, evaluator, (over, under), out, depth + 1);
            }
            Cell::Over(over, under) => {
                let mut first = Alternatives::default();
                self.alternatives(lookup, evaluator, over, &mut first, depth + 1);
                let falls_through = first.absent || first.chains.is_empty();
                let hidden = first.unknown;
                out.chains.append(&mut first.chains);
                out.stored |= first.stored;
                if falls_through || !hidden.is_empty() {
                    let had = out.chains.len();
                    self.alternatives(lookup, evaluator, under, out, depth + 1);
                    // A plain key below hides most of what an unknown spread could hold.
                    if out.chains.len() == had {
                        out.unknown.extend(hidden);
                    }
                }
            }
            Cell::Open(value) if self.is_partial(value) => {
                let name = self.graph.sources.text(value.span);
                let reason = format!("`{name}`, handed in from outside, may hold it");
                let mut handed = atom(Origin::Supplied, value.span, reason);
                handed.doubt();
                out.chains.push(vec![handed]);
                out.absent = true;
            }
            Cell::Open(value) if self.is_row_of_nobody(value) => {
                let name = self.graph.sources.text(value.span);
                let mut handed =
                    atom(Origin::Supplied, value.span, format!("`{name}`, handed in by a caller that was not found"));
                handed.form = Some(Form::Plain);
                handed.doubt();
                out.chains.push(vec![handed]);
            }
            Cell::Open(value) => {
                if let ValueKind::After { call, arg, .. } = &value.kind
                    && let Some(name) = self.graph.may_change(call, *arg)
                {
                    out.unknown.push((format!("{name} is handed the object and is not followed"), call.site.span));
                    return;
                }
                if let Some(cell) = self.open(lookup, value) {
                    return self.alternatives(lookup, evaluator, &cell, out, depth + 1);
                }
                out.unknown.push((
                    format!("{} may hold any key", self.graph.shown(value.span, "what is written here")),
                    value.span,
                ));
            }
        }
    }

    /// A value where it is there, else what lies below: in turn, where the condition that tells asks for the fresh token itself.
    fn given(
        &self,
        lookup: &Lookup,
        evaluator: &Evaluator,
        (given, below): (&Cell, &Cell),
        out: &mut Alternatives,
        depth: u8,
    ) {
        let Cell::Given { value, key, asked } = given else { return };
        let (mut first, mut left) = (Alternatives::default(), Alternatives::default());
        let cell = Cell::Value { value: Arc::clone(value), key: *key };
        evaluator.assuming(asked, true, || self.alternatives(lookup, evaluator, &cell, &mut first, depth));
        self.alternatives(lookup, evaluator, below, &mut left, depth);
        out.unknown.append(&mut first.unknown);
        out.unknown.append(&mut left.unknown);
        let is_issued = evaluator.chains(asked).iter().flatten().any(|atom| atom.origin == Origin::Fresh);
        let inserts = matches!(self.operation, Operation::Insert | Operation::UpsertCreate);
        if !is_issued || inserts {
            out.chains.append(&mut first.chains);
            out.chains.append(&mut left.chains);
            out.absent |= first.absent || left.absent;
            out.stored |= first.stored || left.stored;
            return;
        }
        if first.absent || left.absent || left.stored {
            left.chains.push(vec![Self::left_as_it_is(value)]);
        }
        out.chains.extend(fallback(first.chains, Missing::Nullish, || left.chains));
    }

    /// `{ set: value }` is `value`, and `() => 'NULL'` what the SQL says, where a row says so.
    fn unwrapped(&self, value: &Shared) -> Shared {
        if let ValueKind::Function(function) = value.kind
            && self.sql_functions
            && let Some(text) = self.graph.summary(function).and_then(|summary| summary.returns.as_ref())
            && let Some(value) =
                sites::sql_expression(self.graph, &self.schema.models[self.model.0].table, text, function)
        {
            return value;
        }
        // `Set(x)` of a field that is no `Option`: the compiler lets no `None` in.
        if let ValueKind::Fallback { left, right, when: Missing::Undefined } = &value.kind
            && matches!(right.kind, ValueKind::Null)
            && self.graph.is_rust(value.span.file)
            && self.property().is_some_and(|property| property.nullable == Some(false))
        {
            return Arc::clone(left);
        }
        let (Some(wrapper), ValueKind::Object { entries, .. }) = (self.wrapper, &value.kind) else {
            return Arc::clone(value);
        };
        let is_wrapped = entries.iter().any(|entry| matches!(entry, Slot::Named { key, .. } if key == wrapper));
        if is_wrapped { Value::field(value, wrapper, value.span) } else { Arc::clone(value) }
    }

    /// Whether a value is a whole row that nothing in the tree hands in: only who does knows where it comes from. What is inserted was
    /// never read.
    fn is_row_of_nobody(&self, value: &Shared) -> bool {
        let ValueKind::Param(function, _) = &value.kind else { return false };
        let is_row = match self.graph.type_of(value) {
            Type::Instance(class, _) => sites::model_of_class(self.graph, self.schema, class).is_some(),
            _ => false,
        };
        let inserts = matches!(self.operation, Operation::Insert | Operation::UpsertCreate);
        is_row && (inserts || !self.instance && self.graph.entries(*function).is_empty())
    }

    /// Whether an object that comes from outside is declared to hold some of a row's keys: what of them it holds was not read from
    /// the row, and which it holds only who hands it in knows.
    fn is_partial(&self, value: &Shared) -> bool {
        let ValueKind::Param(function, at) = &value.kind else { return false };
        let param = self.graph.function(*function).and_then(|declared| declared.params.get(*at as usize));
        let is_row = || match self.graph.type_of(value) {
            Type::Instance(class, _) => sites::model_of_class(self.graph, self.schema, class).is_some(),
            _ => false,
        };
        param.and_then(|param| param.ty.as_ref()).is_some_and(|ty| PARTIAL.contains(&ty.name.as_str())) && is_row()
    }

    /// An object that comes from outside: by its declared type.
    fn open(&self, lookup: &Lookup, value: &Shared) -> Option<Cell> {
        if let Type::Instance(class, _) = self.graph.type_of(value) {
            if self.instance && sites::model_of_class(self.graph, self.schema, class).is_some() {
                return Some(Cell::Stored);
            }
            return lookup.shaped(value).filter(|cell| !matches!(cell, Cell::Open(_)));
        }
        None
    }
}

/// TypeScript's and TypeORM's names for some keys of a type.
const PARTIAL: [&str; 2] = ["Partial", "DeepPartial"];

#[derive(Default)]
struct Alternatives {
    chains: Vec<Chain>,
    absent: bool,
    stored: bool,
    unknown: Vec<(String, Span)>,
}

fn atom(origin: Origin, span: Span, reason: String) -> Atom {
    let form = (origin == Origin::Unknown).then_some(Form::Unknown);
    let trail = vec![Hop { span, what: reason.clone(), certain: origin != Origin::Unknown, gives: None }];
    Atom { origin, form, definite: false, inferred: origin == Origin::Unknown, reason, trail, mint: None }
}
