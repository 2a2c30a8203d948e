//! Which rows a query of a test asks for: those whose column has a value, or has none.

use crate::ir::{Call, Entry, ExprId, ExprKind, SqlPart, SqlText};
use crate::pins::code::Code;
use crate::pins::sql;
use crate::rules::TestSays;

/// How deep the arguments of a query are looked through.
const DEPTH: usize = 24;

/// What the conditions of a query come to.
#[derive(Default)]
struct Asked {
    with_value: Option<bool>,
    /// Another condition picks rows out: what is not found among these says nothing of the others.
    is_narrow: bool,
}

/// `Some(false)` where a call asks for the rows whose column has no value, all of them; `Some(true)` for those that have one.
pub(super) fn of_column(code: &Code<'_>, id: ExprId) -> Option<bool> {
    let mut asked = Asked::default();
    look(code, id, &mut asked, false, 0);
    asked.with_value.filter(|_| !asked.is_narrow)
}

fn look(code: &Code<'_>, id: ExprId, asked: &mut Asked, negated: bool, depth: usize) {
    if depth > DEPTH {
        return;
    }
    match code.kind(id) {
        ExprKind::Call(call) => called(code, call, asked, negated, depth),
        ExprKind::Field { base, .. } | ExprKind::Index { base, .. } => look(code, *base, asked, negated, depth + 1),
        ExprKind::Object(entries) => object(code, entries, asked, negated, depth),
        ExprKind::Array(items) => {
            for item in items {
                let (crate::ir::Item::One(value) | crate::ir::Item::Spread(value) | crate::ir::Item::Each(value)) =
                    item;
                look(code, *value, asked, negated, depth + 1);
            }
        }
        ExprKind::Closure(function) => {
            for value in code.returned(*function) {
                look(code, *value, asked, negated, depth + 1);
            }
        }
        ExprKind::Not(inner) => look(code, *inner, asked, !negated, depth + 1),
        ExprKind::Text(text) => told(sql::condition(text, code.names), asked, negated),
        ExprKind::Sql(text) => told(sql::rows(&written(text), code.names), asked, negated),
        _ => {}
    }
}

fn told(found: sql::Asked, asked: &mut Asked, negated: bool) {
    asked.with_value = asked.with_value.or(found.with_value.map(|with_value| with_value != negated));
    asked.is_narrow |= found.is_narrow;
}

fn called(code: &Code<'_>, call: &Call, asked: &mut Asked, negated: bool, depth: usize) {
    let name = match code.kind(call.callee) {
        ExprKind::Field { name, .. } => name.as_str(),
        ExprKind::Name(_) => code.chain(call.callee).first().map_or("", |(name, _)| *name),
        _ => "",
    };
    let says = |what| code.rules.says(what, name);
    let operands = || {
        let base = if let ExprKind::Field { base, .. } = code.kind(call.callee) { Some(*base) } else { None };
        base.into_iter().chain(call.args.iter().map(|arg| arg.value))
    };
    let names_column = || operands().any(|id| is_column(code, id));
    if (says(TestSays::IsNull) || says(TestSays::IsNotNull)) && names_column() {
        asked.with_value = asked.with_value.or(Some(says(TestSays::IsNotNull) != negated));
    } else if let [first, .., last] = call.args.as_slice()
        && let Some(key) = code.text(first.value)
    {
        // `.where('access_token', 'is', null)`
        let is_nothing = matches!(code.kind(last.value), ExprKind::Null | ExprKind::Undefined);
        let is_not = |id: ExprId| code.text(id).is_some_and(|text| ["is not", "!=", "<>"].contains(&text));
        if is_nothing && code.names.is_column(key) {
            let is_other = name.contains("Not") || call.args.iter().any(|arg| is_not(arg.value));
            asked.with_value = asked.with_value.or(Some(is_other != negated));
        } else if is_literal(code, last.value) && !code.names.is_column(key) && name.to_lowercase().contains("where") {
            asked.is_narrow = true;
        }
    } else if name == "eq" || name == "ne" {
        // `users::access_token.eq(None)`, `users::id.eq(1)`
        let is_nothing = operands().any(|id| matches!(code.kind(id), ExprKind::Null | ExprKind::Undefined));
        if is_nothing && names_column() {
            asked.with_value = asked.with_value.or(Some((name == "ne") != negated));
        } else if operands().any(|id| is_literal(code, id)) {
            asked.is_narrow = true;
        }
    }
    let flips = name == "not" || name == "Not";
    if let ExprKind::Field { base, .. } = code.kind(call.callee) {
        look(code, *base, asked, negated, depth + 1);
    }
    for arg in &call.args {
        look(code, arg.value, asked, negated != flips, depth + 1);
    }
}

/// `{ accessToken: null, id: 1 }`
fn object(code: &Code<'_>, entries: &[Entry], asked: &mut Asked, negated: bool, depth: usize) {
    let named = entries.iter().filter_map(|entry| match entry {
        Entry::Named { key, value, .. } => Some((key.as_str(), *value)),
        _ => None,
    });
    let named: Vec<(&str, ExprId)> = named.collect();
    if let Some((_, value)) = named.iter().find(|(key, _)| code.names.is_column(key))
        && let Some(with_value) = wanted(code, *value)
    {
        asked.with_value = asked.with_value.or(Some(with_value != negated));
        let others = named.iter().filter(|(key, _)| !code.names.is_column(key));
        asked.is_narrow |= others.into_iter().any(|(_, value)| is_literal(code, *value));
        return;
    }
    for (_, value) in named {
        look(code, value, asked, negated, depth + 1);
    }
}

/// What a condition on the column wants: `null`, `IsNull()`, `{ not: null }`, `Not(IsNull())`.
fn wanted(code: &Code<'_>, value: ExprId) -> Option<bool> {
    let flips = |key: &str| ["not", "ne", "isNot", "$ne", "Not", "exists", "$exists"].contains(&key);
    match code.kind(value) {
        ExprKind::Null | ExprKind::Undefined => Some(false),
        ExprKind::Call(call) => {
            let name = code.chain(value).first().map_or("", |(name, _)| *name);
            if code.rules.says(TestSays::IsNull, name) {
                return Some(false);
            }
            if code.rules.says(TestSays::IsNotNull, name) {
                return Some(true);
            }
            let inner = call.args.first().and_then(|arg| wanted(code, arg.value))?;
            Some(inner != flips(name))
        }
        ExprKind::Object(entries) => entries.iter().find_map(|entry| match entry {
            // `{ $exists: false }`
            Entry::Named { key, value, .. } => match code.kind(*value) {
                ExprKind::Bool(there) if key.contains("exists") => Some(*there),
                _ => wanted(code, *value).map(|inner| inner != flips(key)),
            },
            // `{ [Op.ne]: null }`
            Entry::Computed { key, value } => {
                let name = code.chain(*key).first().map_or("", |(name, _)| *name);
                wanted(code, *value).map(|inner| inner != flips(name))
            }
            Entry::Spread(_) => None,
        }),
        _ => None,
    }
}

/// Whether an expression names the column: `users::access_token`, `users.accessToken`, `Column::AccessToken`, `'u.access_token'`.
fn is_column(code: &Code<'_>, id: ExprId) -> bool {
    let named = code.text(id).or_else(|| match code.kind(id) {
        ExprKind::Field { name, .. } => Some(name.as_str()),
        ExprKind::Name(_) => code.chain(id).first().map(|(name, _)| *name),
        _ => None,
    });
    named.is_some_and(|name| code.names.is_column(name))
}

/// A number or a text that stands in the test itself, also `-1`.
fn is_literal(code: &Code<'_>, id: ExprId) -> bool {
    match code.kind(id) {
        ExprKind::Number(_) | ExprKind::Text(_) => true,
        ExprKind::Opaque { operands, .. } => !operands.is_empty() && operands.iter().all(|id| is_literal(code, *id)),
        _ => false,
    }
}

/// The text of a statement; `$` stands for what is put in.
fn written(sql: &SqlText) -> String {
    let parts = sql.parts.iter().map(|part| match part {
        SqlPart::Written(text, _) | SqlPart::Put(text, _) => text.as_str(),
        SqlPart::Hole(_) => " $ ",
    });
    parts.collect()
}
