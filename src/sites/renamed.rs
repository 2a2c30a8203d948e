//! Names that queries give to columns: `select('u.access_token as token')`, `select('u.accessToken', 'token')`,
//! `select({ token: users.accessToken })`.

use crate::graph::Graph;
use crate::schema::{ModelId, Schema};
use crate::sites::models::{chain_calls, entity_of};
use crate::sites::orm;
use crate::summary::{CallValue, Shared, Slot, ValueKind};

/// A column, as the query names it or the model, under the name that its rows have it by.
#[derive(Clone, Debug)]
pub(super) struct Renamed {
    pub(super) name: String,
    pub(super) column: String,
}

/// Those of the chain that ends in a call.
pub(super) fn in_chain(graph: &Graph, call: &CallValue) -> Vec<Renamed> {
    let mut found = given(graph, call);
    for before in call.receiver().map_or_else(Vec::new, |receiver| chain_calls(graph, receiver)) {
        found.extend(given(graph, &before));
    }
    found
}

/// Those that a call gives by itself.
pub(super) fn given(graph: &Graph, call: &CallValue) -> Vec<Renamed> {
    let mut found = Vec::new();
    for row in call.method().into_iter().flat_map(|method| graph.rules.reads_named(Some(method))) {
        let Some(place) = &row.fetches else { continue };
        let alias = row.alias.as_ref().and_then(|path| match &graph.argument(call, path).first()?.kind {
            ValueKind::Text(name) => Some(name.clone()),
            _ => None,
        });
        for value in graph.argument(call, place) {
            note(&value, alias.as_deref(), &mut found);
        }
    }
    found
}

fn note(value: &Shared, alias: Option<&str>, found: &mut Vec<Renamed>) {
    match &value.kind {
        ValueKind::Text(text) => {
            let words: Vec<&str> = text.split_whitespace().collect();
            let (column, name) = match words.as_slice() {
                [column, by, name] if by.eq_ignore_ascii_case("as") => (*column, Some(*name)),
                [column] => (*column, alias),
                _ => return,
            };
            found.extend(name.map(|name| Renamed { name: plain(name), column: plain(column) }));
        }
        ValueKind::Array(members) => members.iter().for_each(|member| note(member.value(), None, found)),
        ValueKind::Object { entries, .. } => {
            for slot in entries {
                let Slot::Named { key, value, .. } = slot else { continue };
                let column = match &value.kind {
                    ValueKind::Text(column) => plain(column),
                    ValueKind::Field(_, column) => column.clone(),
                    _ => continue,
                };
                found.push(Renamed { name: key.clone(), column });
            }
        }
        _ => {}
    }
}

/// `access_token` of `"u"."access_token"`
fn plain(column: &str) -> String {
    column.rsplit('.').next().unwrap_or(column).trim_matches(['"', '`']).to_owned()
}

/// The columns that a call has fetched by name, with the model of the rows: those of declared tables tell theirs.
pub(super) fn fetched(graph: &Graph, schema: &Schema, call: &CallValue) -> Vec<(ModelId, Shared)> {
    let mut found = orm::named_by_read(graph, schema, call, |row| row.fetches.as_ref());
    let rows = call.method().into_iter().flat_map(|method| graph.rules.reads_named(Some(method)));
    for value in rows.filter_map(|row| row.fetches.as_ref()).flat_map(|place| graph.argument(call, place)) {
        let ValueKind::Object { entries, .. } = &value.kind else { continue };
        found.extend(entries.iter().filter_map(|slot| match slot {
            Slot::Named { value, .. } => match &value.kind {
                ValueKind::Field(table, _) => Some((entity_of(graph, schema, table)?, value.clone())),
                _ => None,
            },
            _ => None,
        }));
    }
    found
}
