//! SQL text that a program puts together: `text += ..`, `start + end`, `[..].join(' ')`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::ir::{ExprKind, SqlPart, SqlStatement, SqlText};
use crate::rules::Pass;
use crate::sites::ways::{Condition, Conditional, WIDEST, conditions, in_order, under};
use crate::source::Span;
use crate::summary::{Argument, CallValue, FunctionRef, Member, Shared, Slot, Value, ValueKind};

const DEEPEST: u8 = 24;
const DEEPEST_FRAGMENT: u8 = 6;

/// A part of one way, in order: of a substitution its value too.
#[derive(Clone)]
pub(super) enum Part {
    Written(SqlPart, Span),
    Put(String, Span),
    Hole(Shared),
    /// No text: what holds (or fails) where the text is put together in this way.
    If(Condition),
}

/// A text as SQL, and what holds where it is that.
pub(super) type Way = (Shared, Vec<Condition>);

impl Conditional for Part {
    fn condition(&self) -> Option<&Condition> {
        if let Self::If(condition) = self { Some(condition) } else { None }
    }
}

impl Conditional for Element {
    fn condition(&self) -> Option<&Condition> {
        if let Self::If(condition) = self { Some(condition) } else { None }
    }
}

/// The SQL that a text can be, one value a way to put it together; none where it is no SQL.
pub(super) fn read(graph: &Graph, text: &Shared) -> Vec<Shared> {
    read_ways(graph, text).into_iter().map(|(text, _)| text).collect()
}

/// The same, each with the conditions under which the text is that.
pub(super) fn read_ways(graph: &Graph, text: &Shared) -> Vec<Way> {
    let anyhow = |texts: Vec<Shared>| texts.into_iter().map(|text| (text, Vec::new())).collect();
    let text = if is_put_together(text) { Arc::clone(text) } else { graph.resolved(text) };
    match &text.kind {
        ValueKind::Sql(sql, holes) if !has_fragments(graph, sql, holes) => vec![(text, Vec::new())],
        ValueKind::Cond { cond, then, otherwise } => {
            let under = |value: &Shared, holds: bool| {
                let ways = read_ways(graph, value).into_iter();
                ways.map(move |(text, mut when)| {
                    when.push((Arc::clone(cond), holds));
                    (text, when)
                })
            };
            under(then, true).chain(under(otherwise, false)).collect()
        }
        ValueKind::Fallback { left, right, .. } => {
            [left, right].into_iter().flat_map(|way| read_ways(graph, way)).collect()
        }
        ValueKind::Either(values) if values.len() <= WIDEST => {
            values.iter().flat_map(|way| read_ways(graph, way)).collect()
        }
        // `include_str!("../queries/clear.sql")`
        ValueKind::Call(call) if graph.callee_path(call).is_some_and(|path| path.ends_with("include_str!")) => {
            anyhow(call.args.iter().flat_map(|arg| of_file(graph, &arg.value)).collect())
        }
        // A text that a struct holds, as its functions make it.
        ValueKind::Field(base, name) if graph.is_rust(text.span.file) => {
            made_with(graph, base, name).iter().flat_map(|text| read_ways(graph, text)).take(WIDEST).collect()
        }
        // `statements[kind]` with a kind that cannot be told.
        ValueKind::Index(table, _) => held(graph, table).iter().flat_map(|text| read_ways(graph, text)).collect(),
        _ if is_put_together(&text) || matches!(text.kind, ValueKind::Sql(..)) => {
            let ways = ways(graph, &text, DEEPEST);
            let read = |parts: Vec<Part>| {
                let when = conditions(&parts);
                Some((parsed(graph, text.span, parts)?, when))
            };
            in_step(ways.into_iter().filter_map(read).collect())
        }
        _ => Vec::new(),
    }
}

/// Those of several ways to put an insert together whose rows have a value for each column: `(id${c ? ', token' : ''}) VALUES ($1${c ?
/// ', $2' : ''})` is none with a column more or less.
fn in_step(texts: Vec<Way>) -> Vec<Way> {
    let is_even = |statement: &SqlStatement| match statement {
        SqlStatement::Insert { columns, rows, .. } => {
            columns.is_empty() || rows.iter().all(|row| row.len() == columns.len())
        }
        _ => true,
    };
    let is_one = |(text, _): &Way| matches!(&text.kind, ValueKind::Sql(sql, _) if sql.statements.iter().all(is_even));
    let (even, odd): (Vec<Way>, Vec<Way>) = texts.into_iter().partition(is_one);
    if even.is_empty() { odd } else { even }
}

/// The SQL of the file at a path.
pub(super) fn of_file(graph: &Graph, path: &Shared) -> Vec<Shared> {
    let ValueKind::Text(name) = &graph.resolved(path).kind else { return Vec::new() };
    let file = graph.file_beside(path.span.file, name);
    let unit = file.and_then(|file| graph.unit(file));
    let texts = unit.into_iter().flat_map(|unit| &unit.summary.functions).flat_map(|function| &function.sql);
    texts.map(|(text, _)| Arc::clone(text)).collect()
}

/// What the functions of a struct put into a field of the values that they make.
fn made_with(graph: &Graph, base: &Shared, field: &str) -> Vec<Shared> {
    let Type::Instance(class, _) = graph.type_of(base) else { return Vec::new() };
    let Some(declared) = graph.class(class) else { return Vec::new() };
    let made = declared.methods.iter().filter_map(|id| {
        graph.summary(FunctionRef { file: class.file, id: *id })?.returns.as_ref().map(|made| graph.resolved(made))
    });
    let held = made.filter_map(|made| match &made.kind {
        ValueKind::Object { entries, .. } => entries.iter().find_map(|entry| match entry {
            Slot::Named { key, value, .. } if key == field => Some(Arc::clone(value)),
            _ => None,
        }),
        _ => None,
    });
    held.collect()
}

/// The texts of a table.
fn held(graph: &Graph, table: &Shared) -> Vec<Shared> {
    let ValueKind::Object { base: None, entries } = &graph.resolved(table).kind else { return Vec::new() };
    let text = |entry: &Slot| match entry {
        Slot::Named { value, .. } => Some(Arc::clone(value)),
        Slot::Computed { .. } | Slot::Spread(_) => None,
    };
    let texts: Vec<Shared> = entries.iter().filter_map(text).collect();
    if texts.len() <= WIDEST { texts } else { Vec::new() }
}

/// Whether a value is text of several parts, by its own form.
pub(super) fn is_put_together(value: &Value) -> bool {
    match &value.kind {
        ValueKind::Concat(_) => true,
        // `text += more`, of which the front end does not know that it is text.
        ValueKind::Opaque("arithmetic", parts) => {
            parts.first().is_some_and(|first| is_text(first) || is_put_together(first))
        }
        ValueKind::Call(call) => is_join(call),
        ValueKind::After { call, before, .. } => is_appended(call) && (is_text(before) || is_put_together(before)),
        ValueKind::Cond { then, otherwise, .. } => is_put_together(then) || is_put_together(otherwise),
        ValueKind::Either(values) => values.iter().any(|value| is_put_together(value)),
        _ => false,
    }
}

/// The pieces of SQL that a text is put together of: they are no statements of their own.
pub(super) fn pieces(graph: &Graph, text: &Shared) -> Vec<Span> {
    fn collect(graph: &Graph, value: &Shared, fuel: u8, out: &mut Vec<Span>) {
        let Some(fuel) = fuel.checked_sub(1) else { return };
        let value = graph.resolved(value);
        match &value.kind {
            ValueKind::Sql(..) => out.push(value.span),
            ValueKind::Concat(_)
            | ValueKind::Cond { .. }
            | ValueKind::Either(_)
            | ValueKind::Array(_)
            | ValueKind::Object { .. }
            | ValueKind::Opaque(..) => {
                value.kind.each(&mut |inner| collect(graph, inner, fuel, out));
            }
            ValueKind::Call(call) if is_join(call) => {
                call.receiver().into_iter().for_each(|list| collect(graph, list, fuel, out));
            }
            _ => {}
        }
    }
    let mut out = Vec::new();
    collect(graph, text, DEEPEST, &mut out);
    out
}

/// The SQL that is written out in a value.
pub(super) fn inside(value: &Shared) -> Vec<Shared> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![value];
    while let Some(at) = open.pop() {
        if matches!(at.kind, ValueKind::Sql(..)) {
            found.push(Arc::clone(at));
        } else if seen.insert(Arc::as_ptr(at).addr()) {
            at.kind.each(&mut |inner| open.push(inner));
        }
    }
    found
}

/// Whether a text is the start of a statement that writes, and may be no more than that.
pub(super) fn may_start_a_write(kind: &ExprKind) -> bool {
    let ExprKind::Text(text) = kind else { return false };
    let word = text.split_whitespace().next().unwrap_or_default();
    ["UPDATE", "update", "INSERT", "insert", "MERGE", "merge", "REPLACE", "replace"].contains(&word)
}

/// `list.join(between)`, of JavaScript and of Rust.
fn is_join(call: &CallValue) -> bool {
    call.method() == Some("join") && call.args.len() <= 1
}

/// `text.push_str(more)`, of Rust.
fn is_appended(call: &CallValue) -> bool {
    call.method() == Some("push_str") && call.args.len() == 1
}

fn is_text(value: &Value) -> bool {
    match &value.kind {
        ValueKind::Text(_) | ValueKind::Sql(..) => true,
        // `String::from("..")`
        ValueKind::Call(call) => matches!(call.args.as_slice(), [only] if is_text(&only.value)),
        _ => false,
    }
}

/// What parts without a substitution say.
fn as_text(parts: &[Part]) -> Option<String> {
    let text = |part: &Part| match part {
        Part::Written(SqlPart::Written(text, _) | SqlPart::Put(text, _), _) | Part::Put(text, _) => Some(text.clone()),
        Part::If(_) => Some(String::new()),
        Part::Written(SqlPart::Hole(_), _) | Part::Hole(_) => None,
    };
    parts.iter().map(text).collect()
}

fn has_fragments(graph: &Graph, sql: &SqlText, holes: &[Shared]) -> bool {
    holes.iter().enumerate().any(|(at, hole)| is_part(graph, sql, at, hole))
}

/// Whether the nth substitution is a part of the statement, no value, that can be told.
fn is_part(graph: &Graph, sql: &SqlText, at: usize, hole: &Shared) -> bool {
    is_list(graph, hole) || (sql.fragments.contains(&at) && is_told(graph, hole, DEEPEST_FRAGMENT))
}

/// Whether a substitution is a list that is joined: parts of the statement, no value.
fn is_list(graph: &Graph, hole: &Shared) -> bool {
    matches!(&graph.resolved(hole).kind, ValueKind::Call(call) if is_join(call))
}

/// Whether some of what a fragment of SQL can be is known.
fn is_told(graph: &Graph, fragment: &Shared, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    let value = graph.resolved(fragment);
    match &value.kind {
        ValueKind::Text(_) | ValueKind::Sql(..) | ValueKind::Concat(_) => true,
        ValueKind::Cond { then: left, otherwise: right, .. } | ValueKind::Fallback { left, right, .. } => {
            is_told(graph, left, fuel) || is_told(graph, right, fuel)
        }
        ValueKind::And(_, right) => is_told(graph, right, fuel),
        ValueKind::Either(values) => values.iter().any(|value| is_told(graph, value, fuel)),
        ValueKind::Call(call) => is_join_of(graph, call) || tagged(graph, call).is_some(),
        ValueKind::Field(_, name) => is_nothing(graph, &value, name),
        _ => false,
    }
}

/// `Prisma.join(list, between)`, `` sql.join(list, sql`, `) ``
fn is_join_of(graph: &Graph, call: &CallValue) -> bool {
    joined_list(call).is_some_and(|list| matches!(graph.resolved(list).kind, ValueKind::Array(_)))
}

/// The list that a call `join` of a library is handed.
pub(super) fn joined_list(call: &CallValue) -> Option<&Shared> {
    let list = call.args.first().filter(|_| call.method() == Some("join"))?;
    (!is_text(&list.value)).then_some(&list.value)
}

/// The text of a fragment: `` sql`token = ${token}` ``, and what a call makes of a text as it is: `Prisma.raw(text)`.
fn tagged(graph: &Graph, call: &CallValue) -> Option<Shared> {
    let [text] = call.args.as_slice() else { return None };
    if matches!(text.value.kind, ValueKind::Sql(..)) {
        return Some(Arc::clone(&text.value));
    }
    let is_the_text =
        |row: &&Pass| row.from.len() == 1 && row.form.is_none() && row.key.is_none() && row.into.is_none();
    let mut rows = graph.rules.passes_named(call.method()).filter(is_the_text).peekable();
    rows.peek()?;
    let path = graph.library_path(call)?;
    rows.any(|row| row.call.matches(&path)).then(|| Arc::clone(&text.value))
}

/// Whether a value is a library's that stands for none: `Prisma.empty`.
fn is_nothing(graph: &Graph, value: &Shared, name: &str) -> bool {
    let mut rows = graph.rules.nothing().filter(|row| row.path.last() == Some(name)).peekable();
    rows.peek().is_some() && graph.path(value).is_some_and(|path| rows.any(|row| row.path.matches(&path)))
}

fn ways(graph: &Graph, value: &Shared, fuel: u8) -> Vec<Vec<Part>> {
    let hole = |value: &Shared| vec![vec![Part::Hole(Arc::clone(value))]];
    let Some(fuel) = fuel.checked_sub(1).filter(|_| graph.step()) else { return hole(value) };
    if let ValueKind::After { call, before, .. } = &value.kind
        && is_appended(call)
    {
        return in_order(graph, [before, &call.args[0].value].into_iter().map(|part| ways(graph, part, fuel)));
    }
    let resolved = graph.resolved(value);
    let several = |values: &[&Shared]| {
        let all: Vec<Vec<Part>> = values.iter().flat_map(|way| ways(graph, way, fuel)).collect();
        if all.len() > WIDEST || all.is_empty() { hole(value) } else { all }
    };
    match &resolved.kind {
        ValueKind::Text(text) | ValueKind::Number(text) => vec![vec![Part::Put(text.clone(), resolved.span)]],
        ValueKind::Sql(sql, holes) => {
            let parts = written(sql, holes, resolved.span).into_iter();
            let mut nth = 0..;
            in_order(
                graph,
                parts.map(|part| match &part {
                    Part::Hole(hole) if nth.next().is_some_and(|at| is_part(graph, sql, at, hole)) => {
                        ways(graph, hole, fuel)
                    }
                    _ => vec![vec![part]],
                }),
            )
        }
        ValueKind::Concat(parts) | ValueKind::Opaque("arithmetic", parts) => {
            in_order(graph, parts.iter().map(|part| ways(graph, part, fuel)))
        }
        ValueKind::Cond { cond, then, otherwise } => {
            let branch =
                |value: &Shared, holds: bool| under(ways(graph, value, fuel), &Part::If((Arc::clone(cond), holds)));
            let all = [branch(then, true), branch(otherwise, false)].concat();
            if all.len() > WIDEST { hole(value) } else { all }
        }
        ValueKind::Fallback { left, right, .. } => several(&[left, right]),
        ValueKind::Either(values) => several(&values.iter().collect::<Vec<_>>()),
        // `${isNew && ', token = $2'}`
        ValueKind::And(cond, right) => {
            let when = |holds: bool| Part::If((Arc::clone(cond), holds));
            let all = [under(ways(graph, right, fuel), &when(true)), vec![vec![when(false)]]].concat();
            if all.len() > WIDEST { hole(value) } else { all }
        }
        ValueKind::Call(call) if is_join_of(graph, call) => {
            joined(graph, &call.args[0].value, call.args.get(1), fuel).unwrap_or_else(|| hole(value))
        }
        ValueKind::Call(call) if is_join(call) => {
            let list = call.receiver().and_then(|list| joined(graph, list, call.args.first(), fuel));
            list.unwrap_or_else(|| hole(value))
        }
        ValueKind::Call(call) if let Some(inside) = tagged(graph, call) => ways(graph, &inside, fuel),
        ValueKind::Field(_, name) if is_nothing(graph, &resolved, name) => {
            vec![vec![Part::Put(String::new(), resolved.span)]]
        }
        // `String::from("..")`
        ValueKind::Call(call) if is_text(&resolved) => ways(graph, &call.args[0].value, fuel),
        _ => hole(value),
    }
}

/// The elements of a list, with what stands between two of them.
fn joined(graph: &Graph, list: &Shared, between: Option<&Argument>, fuel: u8) -> Option<Vec<Vec<Part>>> {
    let between = match between {
        Some(arg) => match ways(graph, &arg.value, fuel).as_slice() {
            [only] => as_text(only)?,
            _ => return None,
        },
        None => ",".to_owned(),
    };
    let lists = elements(graph, list, fuel);
    let found = lists.into_iter().flat_map(|list| {
        let mut parts = Vec::new();
        let mut is_first = true;
        for element in &list {
            if let Element::If(condition) = element {
                parts.push(vec![vec![Part::If(condition.clone())]]);
                continue;
            }
            if !std::mem::take(&mut is_first) {
                parts.push(vec![vec![Part::Put(between.clone(), element.value().span)]]);
            }
            parts.push(match element {
                Element::One(value) | Element::Each(value) => ways(graph, value, fuel),
                other => vec![vec![Part::Hole(Arc::clone(other.value()))]],
            });
        }
        in_order(graph, parts.into_iter())
    });
    Some(found.take(WIDEST).collect())
}

/// A part of a list.
#[derive(Clone)]
pub(super) enum Element {
    One(Shared),
    /// Any number of this.
    Each(Shared),
    /// A list of which nothing more is known.
    Rest(Shared),
    /// No element: what holds (or fails) where the list is filled in this way.
    If(Condition),
}

impl Element {
    fn value(&self) -> &Shared {
        let (Self::One(value) | Self::Each(value) | Self::Rest(value) | Self::If((value, _))) = self;
        value
    }
}

/// What a list can hold, one row a way to fill it.
pub(super) fn elements(graph: &Graph, list: &Shared, fuel: u8) -> Vec<Vec<Element>> {
    let untold = || vec![vec![Element::Rest(Arc::clone(list))]];
    let Some(fuel) = fuel.checked_sub(1).filter(|_| graph.step()) else { return untold() };
    let resolved = graph.resolved(list);
    let several = |values: &[&Shared]| -> Vec<Vec<Element>> {
        values.iter().flat_map(|way| elements(graph, way, fuel)).take(WIDEST).collect()
    };
    match &resolved.kind {
        ValueKind::Array(members) => in_order(
            graph,
            members.iter().map(|member| match member {
                Member::One(value) => vec![vec![Element::One(Arc::clone(value))]],
                Member::Each(value) => vec![vec![Element::Each(Arc::clone(value))]],
                Member::Spread(inner) => elements(graph, inner, fuel),
            }),
        ),
        ValueKind::Cond { cond, then, otherwise } => {
            let branch = |value: &Shared, holds: bool| {
                under(elements(graph, value, fuel), &Element::If((Arc::clone(cond), holds)))
            };
            [branch(then, true), branch(otherwise, false)].concat().into_iter().take(WIDEST).collect()
        }
        ValueKind::Fallback { left, right, .. } => several(&[left, right]),
        ValueKind::Either(values) => several(&values.iter().collect::<Vec<_>>()),
        _ => untold(),
    }
}

/// What a list can hold, without the conditions.
pub(super) fn filled(graph: &Graph, list: &Shared, fuel: u8) -> Vec<Vec<Element>> {
    let is_element = |element: &Element| !matches!(element, Element::If(_));
    elements(graph, list, fuel).into_iter().map(|way| way.into_iter().filter(is_element).collect()).collect()
}

/// The parts of a text that was read already.
pub(super) fn written(sql: &SqlText, holes: &[Shared], span: Span) -> Vec<Part> {
    let mut holes = holes.iter();
    let part = |part: &SqlPart| match part {
        SqlPart::Put(text, span) => Some(Part::Put(text.clone(), *span)),
        SqlPart::Hole(_) => holes.next().map(|hole| Part::Hole(Arc::clone(hole))),
        SqlPart::Written(..) => Some(Part::Written(part.clone(), span)),
    };
    sql.parts.iter().filter_map(part).collect()
}

/// The SQL of the parts, which stands at `place`.
pub(super) fn parsed(graph: &Graph, place: Span, parts: Vec<Part>) -> Option<Shared> {
    let file = place.file;
    // What stands in another file has its place where it is put in.
    let here = |span: Span| if span.file == file { span } else { place };
    let mut holes = Vec::new();
    let parts: Vec<SqlPart> = parts
        .into_iter()
        .filter_map(|part| match part {
            Part::Written(SqlPart::Written(written, _), span) if span.file != file => {
                Some(SqlPart::Put(written, place))
            }
            Part::Written(part, _) => Some(part),
            Part::Put(put, span) => Some(SqlPart::Put(put, here(span))),
            Part::Hole(value) => {
                let span = here(value.span);
                holes.push(value);
                Some(SqlPart::Hole(span))
            }
            Part::If(_) => None,
        })
        .collect();
    let sql = graph.read_sql(&parts, file)?;
    Some(Value::new(ValueKind::Sql(Arc::new(sql), holes), place))
}
