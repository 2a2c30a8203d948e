//! Denylists that are asked by the token or its hash, rather than by `jti`.

use std::sync::Arc;

use crate::graph::Graph;
use crate::guards::callers::as_called;
use crate::guards::claims::about;
use crate::guards::life;
use crate::ir::SqlStatement;
use crate::rules::{Asks, Form, Rules, Tells};
use crate::schema::{Model, Schema, words};
use crate::sites;
use crate::source::Span;
use crate::summary::{CallValue, FunctionRef, Shared, Slot, Value, ValueKind};

fn names_a_list(rules: &Rules, text: &str) -> bool {
    let text: String = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    rules.tells(Tells::Denylist, &text)
}

/// Whether the fixed part of a key does: also `bl:`, `deny:`.
pub(super) fn prefixes_a_list(rules: &Rules, text: &str) -> bool {
    names_a_list(rules, text) || rules.tells_name(Tells::DenylistKey, &words(text))
}

/// The denylists that a program keeps in tables: hardly any program has one, and to look for them in every call costs a lot.
pub(super) struct Lists<'s> {
    schema: &'s Schema,
    in_models: bool,
    in_statements: bool,
}

impl<'s> Lists<'s> {
    pub(super) fn find(graph: &Graph, schema: &'s Schema) -> Self {
        let rules = graph.rules;
        let is_list = |model: &Model| names_a_list(rules, &model.table) || names_a_list(rules, &model.name);
        let mut texts = graph.units().flat_map(|(_, unit)| &unit.summary.functions).flat_map(|summary| &summary.sql);
        let in_statements = texts.any(|(text, _)| asks_by_token(rules, text));
        Self { schema, in_models: schema.models.iter().any(is_list), in_statements }
    }
}

/// Where a denylist is asked by the token, or by a hash of it: the call's own place, or those of the callers that hand it the key.
pub(super) fn by_token(
    graph: &Graph,
    lists: &Lists,
    function: FunctionRef,
    call: &CallValue,
) -> Vec<(FunctionRef, Span)> {
    let stores = graph.rules.consults_named(call.method()).filter(|row| row.asks == Asks::Store);
    if call.method().is_none() || about(graph, stores, call).is_empty() {
        let asks = lists.in_models && by_token_in_table(graph, lists.schema, call)
            || lists.in_statements && by_token_in_statement(graph, call)
            || by_token_in_query(graph, call);
        return if asks { vec![(function, call.site.span)] } else { Vec::new() };
    }
    let mut found = Vec::new();
    in_store(graph, function, call, 3, &mut found);
    found
}

fn in_store(graph: &Graph, function: FunctionRef, call: &CallValue, fuel: u8, found: &mut Vec<(FunctionRef, Span)>) {
    if is_by_token(graph, call) {
        found.push((function, call.site.span));
        return;
    }
    let handed = call.args.iter().find_map(|arg| life::param_within(&arg.value, 8));
    let (Some(of), Some(fuel)) = (handed, fuel.checked_sub(1)) else { return };
    for (caller, bound) in as_called(graph, of, call) {
        in_store(graph, caller, &bound, fuel, found);
    }
}

fn is_by_token(graph: &Graph, call: &CallValue) -> bool {
    let receiver = call.receiver().map_or("", |receiver| graph.sources.text(receiver.span));
    let mut is_list = names_a_list(graph.rules, receiver);
    let mut parts: Vec<Shared> = Vec::new();
    call.args.iter().for_each(|arg| parts_of(graph, &arg.value, &mut parts, 6));
    // `hget('revoked', token)`, no `hget(`refresh:${token}`, 'revoked')`.
    parts.iter().any(|part| {
        is_list |= matches!(&part.kind, ValueKind::Text(text) if prefixes_a_list(graph.rules, text));
        is_list && is_the_token(graph, part)
    })
}

/// What a key is put together from, through helpers: `key(token)` where that answers with a prefix and what it was handed.
/// What a key begins with.
pub(super) fn first_part(graph: &Graph, key: &Shared) -> Option<Shared> {
    let mut parts = Vec::new();
    parts_of(graph, key, &mut parts, 6);
    parts.into_iter().next()
}

fn parts_of(graph: &Graph, value: &Shared, parts: &mut Vec<Shared>, fuel: u8) {
    let Some(fuel) = fuel.checked_sub(1) else { return };
    let value = expanded(graph, value);
    match &value.kind {
        // `PREFIX + token`, where neither says that it is text.
        ValueKind::Concat(inner) | ValueKind::Opaque("arithmetic", inner) => {
            for part in inner {
                parts_of(graph, part, parts, fuel);
            }
        }
        _ => parts.push(value),
    }
}

/// What a call of the tree comes to.
fn expanded(graph: &Graph, value: &Shared) -> Shared {
    let mut at = graph.resolved(value);
    for _ in 0..4 {
        match graph.expand(&at).filter(|_| matches!(at.kind, ValueKind::Call(_))) {
            Some(inner) if !Arc::ptr_eq(&inner, &at) => at = inner,
            _ => break,
        }
    }
    at
}

/// `SELECT 1 FROM revoked_tokens WHERE token_hash = $1`
fn by_token_in_statement(graph: &Graph, call: &CallValue) -> bool {
    call.args.iter().any(|arg| asks_by_token(graph.rules, &graph.resolved(&arg.value)))
}

fn asks_by_token(rules: &Rules, text: &Value) -> bool {
    let asks = |statement: &SqlStatement| match statement {
        SqlStatement::Select { tables, columns, .. } => {
            let all: Vec<String> = columns.iter().flat_map(|column| words(column)).collect();
            let names = |word: &String| rules.tells(Tells::ByName, word);
            tables.iter().any(|table| names_a_list(rules, table))
                && all.iter().any(|word| rules.tells(Tells::ByToken, word))
                && !all.iter().any(names)
        }
        _ => false,
    };
    matches!(&text.kind, ValueKind::Sql(text, _) if text.statements.iter().any(asks))
}

fn by_token_in_table(graph: &Graph, schema: &Schema, call: &CallValue) -> bool {
    let Some(model) = sites::model_read(graph, schema, call) else { return false };
    let model = &schema.models[model.0];
    if !names_a_list(graph.rules, &model.table) && !names_a_list(graph.rules, &model.name) {
        return false;
    }
    call.args.iter().any(|arg| asked_by(graph.rules, &arg.value, 6))
}

/// `db('token_blacklist').where('token', token)`, `db.select().from(revokedTokens).where(eq(revokedTokens.token, token))`,
/// `revoked_tokens::table.filter(revoked_tokens::token.eq(token))`.
fn by_token_in_query(graph: &Graph, call: &CallValue) -> bool {
    let asks = call.method().is_some_and(|name| graph.rules.tells(Tells::Condition, &name.to_lowercase()));
    let Some(receiver) = call.receiver().filter(|_| asks) else { return false };
    is_of_list(graph, receiver)
        && call.args.first().is_some_and(|asked| match &asked.value.kind {
            ValueKind::Text(column) => graph.rules.tells_name(Tells::ByToken, &words(column)),
            ValueKind::Call(compared) => {
                let operands = compared.receiver().into_iter().chain(compared.args.first().map(|arg| &arg.value));
                let column = |value: &Shared| match &value.kind {
                    ValueKind::Field(_, column) => Some(column.clone()),
                    _ => graph.path(value).and_then(|path| Some(path.rsplit(['.', ':', '#']).next()?.to_owned())),
                };
                operands.filter_map(column).any(|name| graph.rules.tells_name(Tells::ByToken, &words(&name)))
            }
            _ => asked_by(graph.rules, &asked.value, 6),
        })
}

/// Whether a query is one of a list, by the table that it begins with or is handed: no `sessions` that are not `revoked`.
fn is_of_list(graph: &Graph, query: &Shared) -> bool {
    let mut at = Arc::clone(query);
    for _ in 0..12 {
        let ValueKind::Call(call) = &at.kind else { return names_a_list(graph.rules, graph.sources.text(at.span)) };
        let asks = call.method().is_some_and(|name| graph.rules.tells(Tells::Condition, &name.to_lowercase()));
        // `.set({ revoked: true })` names no table.
        let is_name = |value: &Shared| !matches!(value.kind, ValueKind::Object { .. } | ValueKind::Function(_));
        let table = call.args.first().filter(|arg| !asks && is_name(&arg.value));
        if table.is_some_and(|table| names_a_list(graph.rules, graph.sources.text(table.value.span))) {
            return true;
        }
        let Some(receiver) = call.receiver().cloned() else { return false };
        at = receiver;
    }
    false
}

/// `{ where: { token } }`.
fn asked_by(rules: &Rules, value: &Shared, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    let ValueKind::Object { entries, .. } = &value.kind else { return false };
    entries.iter().any(|slot| match slot {
        Slot::Named { key, value, .. } => rules.tells_name(Tells::ByToken, &words(key)) || asked_by(rules, value, fuel),
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
    let is_token = |name: &str| graph.rules.tells_name(Tells::Sent, &words(name));
    // `request.headers.authorization.split(' ')[1]`
    if called(value).is_some_and(|name| is_token(&name)) || holds_header(value) {
        return true;
    }
    let ValueKind::Call(call) = &value.kind else { return false };
    let Some(path) = graph.library_path(call) else { return false };
    let hashes = graph.rules.passes_matching(&path).any(|row| row.form == Some(Form::Hashed));
    // `hex::encode(Sha256::digest(token))`
    let mut written = graph.rules.passes_matching(&path).filter(|row| row.form.is_none()).flat_map(|row| &row.from);
    if !hashes && written.any(|from| graph.argument(call, from).iter().any(|inner| is_the_token(graph, inner))) {
        return true;
    }
    hashes && {
        let mut all = vec![Arc::clone(value)];
        let mut found = false;
        while let Some(next) = all.pop() {
            found |= called(&next).is_some_and(|name| is_token(&name)) || holds_header(&next);
            if all.len() > 200 {
                break;
            }
            next.kind.each(&mut |inner| all.push(Arc::clone(inner)));
        }
        found
    }
}

/// Whether a value is taken from the header that carries the token, and nothing of what it says.
fn holds_header(value: &Shared) -> bool {
    let mut all = vec![Arc::clone(value)];
    for _ in 0..60 {
        let Some(next) = all.pop() else { return false };
        match &next.kind {
            ValueKind::Field(_, name) if name.eq_ignore_ascii_case("authorization") => return true,
            ValueKind::Field(base, _) | ValueKind::Index(base, _) | ValueKind::Element(base) => {
                all.push(Arc::clone(base));
            }
            ValueKind::Call(call) => {
                let is_header = |arg: &crate::summary::Argument| matches!(&arg.value.kind, ValueKind::Text(text) if text.eq_ignore_ascii_case("authorization"));
                if call.args.iter().any(is_header) {
                    return true;
                }
                all.extend(call.receiver().cloned());
            }
            _ => {}
        }
    }
    false
}
