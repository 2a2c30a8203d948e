//! The model that a statement writes, where its table's name is put in at run time: `UPDATE ${TABLE} SET ..`.

use crate::graph::{Graph, Type};
use crate::schema::{ModelId, Schema};
use crate::sites::models::{entity_of, model_of_type};
use crate::sites::{is_tracked, sql};
use crate::source::{FileId, Span};
use crate::summary::{Shared, ValueKind};

/// A tracked model that a statement may write.
pub(super) struct Target {
    pub model: ModelId,
    pub certain: bool,
    /// What names the table, where that could not be told.
    pub unresolved: Option<Span>,
    /// What names it, where callers hand that over.
    pub told_by: Option<Shared>,
}

/// How deep a value that names a table is looked into.
const DEEPEST: u8 = 8;

/// The tracked models that `table`, as a statement in `file` names it, can be; `${n}` in it is the nth of `holes`.
pub(super) fn named(graph: &Graph, schema: &Schema, table: &str, holes: &[Shared], file: FileId) -> Vec<Target> {
    let certain = |model: ModelId, certain: bool| Target { model, certain, unresolved: None, told_by: None };
    let put_in: Vec<&Shared> = holes_of(table).into_iter().filter_map(|at| holes.get(at)).collect();
    let Some(first) = put_in.first() else {
        return sql::model_of_table(graph, schema, table, file).map(|model| certain(model, true)).into_iter().collect();
    };
    let mut texts = vec![table.to_owned()];
    for at in holes_of(table) {
        let Some(known) = holes.get(at).and_then(|hole| constants(graph, hole, DEEPEST)) else {
            texts.clear();
            break;
        };
        let mark = format!("${{{at}}}");
        texts = texts.iter().flat_map(|text| known.iter().map(|put| text.replace(&mark, put))).take(16).collect();
    }
    if !texts.is_empty() {
        let models = texts.iter().filter_map(|text| sql::model_of_table(graph, schema, last_name(text), file));
        let mut models: Vec<ModelId> = models.collect();
        models.dedup();
        return models.into_iter().map(|model| certain(model, true)).collect();
    }
    if let [only] = put_in.as_slice()
        && let Some(model) = behind(graph, schema, only, DEEPEST)
    {
        return if is_tracked(schema, model) { vec![certain(model, false)] } else { Vec::new() };
    }
    let is_alone = sql::substitution(table).is_some();
    let told_by = (is_alone && first.is_open()).then(|| (*first).clone());
    let fixed: Vec<String> = fixed_parts(table);
    (0..schema.models.len())
        .map(ModelId)
        .filter(|model| is_tracked(schema, *model))
        .filter(|model| {
            let name = schema.models[model.0].table.to_lowercase();
            fixed.iter().all(|part| name.contains(part.as_str()) || part.contains(name.as_str()))
        })
        .map(|model| Target { model, certain: false, unresolved: Some(first.span), told_by: told_by.clone() })
        .collect()
}

/// The numbers of the substitutions in a name.
pub(super) fn holes_of(name: &str) -> Vec<usize> {
    let parts = name.split("${").skip(1);
    parts.filter_map(|part| part.split_once('}')?.0.parse().ok()).collect()
}

/// What of a name is written out.
fn fixed_parts(name: &str) -> Vec<String> {
    let mut parts = name.split("${");
    let start = parts.next().unwrap_or_default();
    let after = parts.filter_map(|part| Some(part.split_once('}')?.1));
    let all = std::iter::once(start).chain(after).map(|part| part.trim_matches('_').to_lowercase());
    all.filter(|part| !part.is_empty()).collect()
}

/// `public."users"` is `users`.
fn last_name(text: &str) -> &str {
    let name = text.trim().rsplit('.').next().unwrap_or(text);
    name.trim_matches(['"', '`', '[', ']', '\''])
}

/// The texts that a value can be, where it is a constant or a call (`sql.identifier('users')`) whose last argument is one.
fn constants(graph: &Graph, value: &Shared, fuel: u8) -> Option<Vec<String>> {
    let fuel = fuel.checked_sub(1)?;
    let value = graph.resolved(value);
    let both = |left: &Shared, right: &Shared| {
        let mut all = constants(graph, left, fuel)?;
        all.extend(constants(graph, right, fuel)?);
        Some(all)
    };
    match &value.kind {
        ValueKind::Text(text) => Some(vec![text.clone()]),
        ValueKind::Cond { then, otherwise, .. } => both(then, otherwise),
        ValueKind::Fallback { left, right, .. } => both(left, right),
        ValueKind::Either(values) => {
            let all: Option<Vec<Vec<String>>> = values.iter().map(|value| constants(graph, value, fuel)).collect();
            all.map(|all| all.concat()).filter(|all| !all.is_empty())
        }
        ValueKind::Array(members) => constants(graph, members.last()?.value(), fuel),
        ValueKind::Call(call) if !call.is_new => constants(graph, &call.args.last()?.value, fuel),
        _ => None,
    }
}

/// The model that a value is taken from: `repo.metadata.tableName`, `manager.getRepository(User).metadata.tablePath`, `users`.
fn behind(graph: &Graph, schema: &Schema, value: &Shared, fuel: u8) -> Option<ModelId> {
    let fuel = fuel.checked_sub(1)?;
    if let Some(model) = entity_of(graph, schema, value) {
        return Some(model);
    }
    if let ty @ Type::External(..) = graph.type_of(value)
        && let Some(model) = model_of_type(graph, schema, &ty)
    {
        return Some(model);
    }
    match &value.kind {
        ValueKind::Field(base, _) => behind(graph, schema, base, fuel),
        ValueKind::Call(call) => {
            let named = call.args.iter().find_map(|arg| entity_of(graph, schema, &arg.value));
            named.or_else(|| behind(graph, schema, call.receiver()?, fuel))
        }
        _ => None,
    }
}
