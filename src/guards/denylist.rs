//! Denylists that are asked by the token or its hash, rather than by `jti`.

use std::sync::Arc;

use crate::graph::Graph;
use crate::guards::claims::about;
use crate::guards::web::words;
use crate::rules::Asks;
use crate::schema::Schema;
use crate::sites;
use crate::summary::{CallValue, Shared, Slot, ValueKind};

const LISTS: [&str; 4] = ["blacklist", "denylist", "blocklist", "revoked"];

fn names_a_list(text: &str) -> bool {
    let text: String = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    LISTS.iter().any(|list| text.contains(list))
}

/// A denylist that is asked by the token, or by a hash of it.
pub(super) fn by_token(graph: &Graph, schema: &Schema, call: &CallValue) -> bool {
    let Some(method) = call.method() else { return false };
    let stores = graph.rules.consults_named(Some(method)).filter(|row| row.asks == Asks::Store);
    if about(graph, stores, call).is_empty() {
        return by_token_in_table(graph, schema, call);
    }
    let receiver = call.receiver().map_or("", |receiver| graph.sources.text(receiver.span));
    call.args.iter().any(|arg| {
        let parts: Vec<Shared> = match &graph.resolved(&arg.value).kind {
            ValueKind::Concat(parts) => parts.clone(),
            _ => vec![Arc::clone(&arg.value)],
        };
        let texts = |part: &Shared| matches!(&graph.resolved(part).kind, ValueKind::Text(text) if names_a_list(text));
        (parts.iter().any(texts) || names_a_list(receiver)) && parts.iter().any(|part| is_the_token(graph, part))
    })
}

fn by_token_in_table(graph: &Graph, schema: &Schema, call: &CallValue) -> bool {
    let Some(model) = sites::model_read(graph, schema, call) else { return false };
    let model = &schema.models[model.0];
    if !names_a_list(&model.table) && !names_a_list(&model.name) {
        return false;
    }
    call.args.iter().any(|arg| asked_by(&arg.value, 6))
}

/// `{ where: { token } }`.
fn asked_by(value: &Shared, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    let ValueKind::Object { entries, .. } = &value.kind else { return false };
    entries.iter().any(|slot| match slot {
        Slot::Named { key, value, .. } => {
            let words = words(key);
            let is = |word: &str| words.iter().any(|known| known == word);
            ((is("token") || is("hash")) && !is("jti") && !is("id")) || asked_by(value, fuel)
        }
        _ => false,
    })
}

/// Whether a value is a token as it was sent, or a hash of one, by what the code calls it.
fn is_the_token(graph: &Graph, value: &Shared) -> bool {
    let called = |value: &Shared| match &value.kind {
        ValueKind::Param(function, at) => {
            graph.function(*function).and_then(|f| f.params.get(*at as usize)).map(|param| param.name.clone())
        }
        ValueKind::Field(_, name) => Some(name.clone()),
        _ => None,
    };
    let is_token =
        |name: &str| words(name).iter().any(|word| word == "token" || word == "jwt" || word.ends_with("token"));
    if called(value).is_some_and(|name| is_token(&name)) {
        return true;
    }
    let ValueKind::Call(call) = &value.kind else { return false };
    let hashes = graph.library_path(call).is_some_and(|path| {
        graph.rules.pass().any(|row| row.form == Some(crate::rules::Form::Hashed) && row.call.matches(&path))
    });
    hashes && {
        let mut all = vec![Arc::clone(value)];
        let mut found = false;
        while let Some(next) = all.pop() {
            found |= called(&next).is_some_and(|name| is_token(&name));
            if all.len() > 200 {
                break;
            }
            next.kind.each(&mut |inner| all.push(Arc::clone(inner)));
        }
        found
    }
}
