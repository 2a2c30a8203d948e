//! Writes on receivers whose type cannot be told: `repository.update(id, { accessToken })` where `repository` is `any`, is typed by
//! a module that is not in the tree, or is a `Repository<T>`. Where the model is named or an heir says what `T` is, the site is
//! inferred; where callers say it, the site has their paths; else the write is a gap.

use std::sync::Arc;

use crate::graph::Graph;
use crate::rules::{Target, Write};
use crate::schema::{ModelId, ModelSource, Schema};
use crate::sites::models::model_of_type;
use crate::sites::receivers::{Told, generic, is_named_after, told};
use crate::sites::told::{an_heir_tells, is_bound_to};
use crate::sites::{Candidate, nested, orm};
use crate::source::Span;
use crate::summary::{Event, FunctionRef, Member, Shared, Slot, ValueKind};

/// The writes that a call may be by its method's name, where no row could tell the model. `rows` are those that fit the method.
pub(super) fn find(
    graph: &Graph,
    schema: &Schema,
    rows: &[&Write],
    function: FunctionRef,
    event: &Event,
    found: &mut Vec<Candidate>,
) {
    let call = &event.call;
    let Some(receiver) = call.receiver() else { return };
    let from = found.len();
    for row in rows {
        let tracked = schema.columns.iter().flat_map(|column| &column.bindings);
        let about: Vec<(ModelId, usize)> =
            tracked.filter(|(model, _)| is_about(row, schema, *model)).copied().collect();
        if about.is_empty() {
            continue;
        }
        // What a file hides that does not mention the model is not the model.
        let Some(Some(told)) = graph.unlimited(|| told(graph, row, call, receiver)) else { continue };
        if let Told::Handed(value) = &told {
            with_relations(graph, schema, row, value, function, event, found);
        }
        let values = graph.argument(call, &row.row);
        for (model, property) in about {
            let known = &schema.models[model.0];
            let of_that_name = |name: &str| schema.models.iter().filter(|other| other.name == name).count();
            let (certain_name, told_by) = match &told {
                Told::Name(name) if known.name == *name && of_that_name(name) == 1 => (true, None),
                Told::Name(name) if of_that_name(name) > 0 => continue,
                // An entity that nothing declares; without a handle of the library around it, only one that is called like the model.
                Told::Name(name) if row.on != Target::Type && !is_named_after(name, known) => continue,
                Told::Name(_) | Told::Nothing => (false, None),
                Told::Handed(value) => (
                    an_heir_tells(graph, schema, value, model) || is_bound_to(graph, schema, value, model),
                    Some(value),
                ),
                Told::Elsewhere(path, args) => {
                    let of_model = args.iter().any(|arg| model_of_type(graph, schema, arg) == Some(model));
                    if !of_model && !path.starts_with('.') && !is_named_after(path, known) {
                        continue;
                    }
                    (of_model, None)
                }
            };
            let handed_in = matches!(told, Told::Nothing | Told::Handed(_));
            let is_row = generic(graph, row, receiver).is_some();
            for given in &values {
                let value = &orm::opened(graph, &known.properties, given, row);
                let could_have = is_row
                    || holds(value, known.properties[property].first_key(), 6)
                    || handed_in && is_handed_in(given);
                let is_told = certain_name && !matches!(told, Told::Elsewhere(..));
                if !could_have && !is_told {
                    continue;
                }
                let same = |other: &Candidate| {
                    (other.model, other.within) == (model, None) && (!certain_name || other.operation == row.operation)
                };
                if found[from..].iter().any(same) {
                    continue;
                }
                let unresolved = (!certain_name).then_some(receiver.span);
                let known = Handed { model, unresolved, told_by };
                found.push(candidate(row, known, function, event, Arc::clone(value)));
            }
        }
    }
}

/// What is known of the model that a write is of.
#[derive(Clone, Copy)]
struct Handed<'h> {
    model: ModelId,
    /// The receiver, where nothing tells that it stands for the model.
    unresolved: Option<Span>,
    told_by: Option<&'h Shared>,
}

fn candidate(row: &Write, known: Handed<'_>, function: FunctionRef, event: &Event, written: Shared) -> Candidate {
    Candidate {
        model: known.model,
        within: None,
        function,
        span: event.span(),
        operation: row.operation,
        row: written,
        by_column: false,
        undefined: row.undefined,
        wrapper: row.wrapper.clone(),
        sql_functions: row.sql_functions,
        whole: row.whole,
        guards: event.guards.clone(),
        certain: false,
        hooks: row.hooks,
        instance: row.on == Target::Instance && row.entity.is_empty(),
        unresolved: known.unresolved,
        told_by: known.told_by.cloned(),
        called: None,
        run_by: None,
    }
}

/// Rows of tracked models below the rows of another model, of which callers or heirs tell that it is this one.
fn with_relations(
    graph: &Graph,
    schema: &Schema,
    row: &Write,
    value: &Shared,
    function: FunctionRef,
    event: &Event,
    found: &mut Vec<Candidate>,
) {
    for model in nested::around_tracked(graph, schema).into_iter().filter(|model| is_about(row, schema, *model)) {
        let certain = an_heir_tells(graph, schema, value, model) || is_bound_to(graph, schema, value, model);
        let unresolved = (!certain).then_some(value.span);
        for given in graph.argument(&event.call, &row.row) {
            let known = Handed { model, unresolved, told_by: Some(value) };
            nested::find(graph, schema, &candidate(row, known, function, event, given), found);
        }
    }
}

/// Whether a row writes models of that kind. Only the pack that declares a model knows its writes, and Prisma's its own.
fn is_about(row: &Write, schema: &Schema, model: ModelId) -> bool {
    let model = &schema.models[model.0];
    match row.on {
        Target::Model => model.source == ModelSource::Prisma,
        Target::Relation | Target::Assigned => false,
        _ => model.source != ModelSource::Prisma && !model.pack.is_empty() && row.pack == model.pack,
    }
}

/// A row that only callers can tell.
fn is_handed_in(row: &Shared) -> bool {
    match &row.kind {
        ValueKind::Param(..) => true,
        ValueKind::Object { base, entries } => {
            // `{ $set: row }`
            let spread = |entry: &Slot| match entry {
                Slot::Spread(inner) => matches!(inner.kind, ValueKind::Param(..)),
                Slot::Named { key, value, .. } => key.starts_with('$') && matches!(value.kind, ValueKind::Param(..)),
                Slot::Computed { .. } => false,
            };
            base.is_none() && entries.iter().any(spread)
        }
        // `new this.model(row)`
        ValueKind::Call(made) if made.is_new => made.args.first().is_some_and(|arg| is_handed_in(&arg.value)),
        _ => false,
    }
}

/// Whether a row that is written out names the property.
fn holds(row: &Shared, property: &str, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    match &row.kind {
        ValueKind::Object { base, entries } => {
            let named = entries.iter().any(|entry| match entry {
                Slot::Named { key, .. } => key == property,
                Slot::Spread(inner) => holds(inner, property, fuel),
                Slot::Computed { .. } => false,
            });
            named || base.as_ref().is_some_and(|base| holds(base, property, fuel))
        }
        ValueKind::Array(members) => members.iter().any(|member| {
            let (Member::One(inner) | Member::Each(inner) | Member::Spread(inner)) = member;
            holds(inner, property, fuel)
        }),
        ValueKind::Cond { then, otherwise, .. } => holds(then, property, fuel) || holds(otherwise, property, fuel),
        ValueKind::Fallback { left, right, .. } => holds(left, property, fuel) || holds(right, property, fuel),
        ValueKind::And(_, right) => holds(right, property, fuel),
        ValueKind::Either(values) => values.iter().any(|value| holds(value, property, fuel)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::graph::bench::Tree;
    use crate::sites::find;

    #[test]
    fn a_write_on_an_untyped_receiver_is_kept_as_unresolved() {
        let tree = Tree::one(
            "export function run(anything: any, id: number) {
               anything.update({ where: { id }, data: { token: 't' } });
               anything.update({ where: { id }, data: { email: 't' } });
               anything.log({ data: { token: 't' } });
             }",
        );
        let graph = tree.graph();
        let found = find(&graph, &tree.schema);
        assert_eq!(found.len(), 1);
        assert!(found[0].unresolved.is_some());
    }

    /// The writes of `users.token` in a file beside the entity: line of the file, and whether it is left open.
    fn written(text: &str) -> Vec<bool> {
        let entity = "import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
             @Entity('users') export class User {
               @PrimaryGeneratedColumn() id: number;
               @Column({ nullable: true }) token: string; }";
        let tree = Tree::of(&[("src/user.ts", entity), ("src/app.ts", text)]);
        let graph = tree.graph();
        find(&graph, &tree.schema).iter().map(|candidate| candidate.unresolved.is_some()).collect()
    }

    #[test]
    fn a_type_of_a_missing_file_leaves_a_write_open() {
        let of = |import: &str, ty: &str| {
            written(&format!(
                "{import} import {{ User }} from './user'; import {{ Repository, EntityManager }} from 'typeorm';
                 export class S {{ constructor(private readonly r: {ty}) {{}}
                   a(id: number) {{ return this.r.update(id, {{ token: null }}); }} }}"
            ))
        };
        assert_eq!(of("import { Store } from './missing';", "Store"), [true]);
        assert_eq!(of("import { Users } from '@other/x';", "Users"), [true]);
        assert_eq!(of("import { Store } from '@other/x';", "Store"), Vec::<bool>::new());
        assert_eq!(of("import { Store } from '@other/x';", "Store<User>"), [false]);
        assert_eq!(of("import { Account } from '@other/x';", "Repository<Account>"), [true]);
    }

    #[test]
    fn what_a_map_of_handles_gives_is_a_handle() {
        let found = written(
            "import { User } from './user'; import { Repository } from 'typeorm';
             export class S { private readonly all = new Map<string, Repository<User>>();
               a(id: number) { return this.all.get('users')!.update(id, { token: null }); } }",
        );
        assert_eq!(found, [false]);
    }

    #[test]
    fn an_entity_that_is_handed_in_leaves_a_write_open() {
        let found = written(
            "import { EntityManager } from 'typeorm';
             export class S { constructor(private readonly em: EntityManager) {}
               a(entity: any, id: number) { return this.em.update(entity, id, { token: null }); } }",
        );
        assert_eq!(found, [true]);
    }
}
