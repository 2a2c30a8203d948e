//! A minted token is handed down to the write that takes the stored one.

use crate::fix::code::{Code, Syntax, contains, is_word};
use crate::fix::{Edit, Fix};
use crate::ir::{Expr, ExprKind, Function, Module, Place, Stmt};
use crate::source::Span;

/// A path on which the minted token is lost.
#[derive(Clone, Debug)]
pub(crate) struct Lost<'a> {
    pub(crate) entry: Span,
    pub(crate) mints: Vec<Span>,
    /// The calls behind the entry point to the function that puts the stored value where the token belongs.
    pub(crate) calls: Vec<Span>,
    /// Where that function puts it.
    pub(crate) at: Span,
    /// The hops from the written value back to the row.
    pub(crate) trail: Vec<Span>,
    /// What the code calls the column.
    pub(crate) property: &'a str,
}

/// Hands the minted token down on all of these paths, which lose it at one place.
pub(crate) fn pass_token(code: Code<'_>, paths: &[Lost<'_>]) -> Option<Fix> {
    let first = paths.first()?;
    let stored = stored(code, first)?;
    let helper = code.function_at(stored, true)?;
    let syntax = code.syntax(stored.file)?;
    let mut edits: Vec<Edit> = Vec::new();
    let mut changed: Vec<(&Function, String)> = Vec::new();
    let mut at_hand = None;
    let mut named: Option<String> = None;
    for path in paths {
        let calls = code.calls_along(path.entry, &path.calls, stored).unwrap_or_else(|| path.calls.clone());
        let (from, local) = held(code, path, &calls, stored)?;
        let calls = calls.get(from..)?;
        if calls.is_empty() {
            at_hand = Some(local);
            continue;
        }
        let name = named.get_or_insert_with(|| local.clone()).clone();
        let mut given = local;
        for (at, call) in calls.iter().enumerate() {
            let next = calls.get(at + 1).copied().unwrap_or(stored);
            let callee = code.function_at(next, true)?;
            let takes = callee.params.iter().filter(|param| param.name != "self").count();
            let known = code.call_at(*call)?;
            let whole = known.args.len() == takes && known.args.iter().all(|arg| !arg.spread);
            if !whole || callee.params.iter().any(|param| param.rest || param.optional) {
                return None;
            }
            let argument = if code.syntax(call.file)? == Syntax::Rust && at == 0 { format!("&{given}") } else { given };
            let edit = code.add_argument(*call, &argument)?;
            if !edits.contains(&edit) {
                edits.push(edit);
            }
            let parameter = free_name(code.module(next.file)?, callee, &name);
            if !changed.iter().any(|(known, _)| known.span == callee.span) {
                changed.push((callee, parameter.clone()));
            }
            given = parameter;
        }
    }
    if at_hand.is_some() && named.is_some() {
        return None;
    }
    let others: usize = changed.iter().map(|(function, _)| code.mentions(function)).sum();
    let is_safe = others <= edits.len();
    // Rust has no parameter that a caller may leave out.
    if !is_safe && syntax == Syntax::Rust {
        return None;
    }
    for (function, name) in &changed {
        let declared = match (code.syntax(function.span.file)?, is_safe) {
            (Syntax::Rust, _) => format!("{name}: &str"),
            (Syntax::TypeScript, true) => format!("{name}: string"),
            (Syntax::TypeScript, false) => format!("{name}?: string"),
            (Syntax::JavaScript, _) => name.clone(),
        };
        edits.push(code.add_parameter(function, &declared)?);
    }
    let parameter = changed.iter().find(|(function, _)| function.span == helper.span).map(|(_, name)| name.clone());
    let title = match (&at_hand, &named) {
        (Some(local), _) => format!("write `{local}` instead of the stored value"),
        (None, Some(local)) => format!("pass `{local}` to `{}` and write it", helper.name),
        (None, None) => return None,
    };
    let token = at_hand.clone().or(parameter)?;
    let (place, text) = match syntax {
        Syntax::Rust => {
            let is_optional = is_optional(code, first.property)?;
            in_rust(code, stored, &token, is_optional, at_hand.is_none())
        }
        _ if is_safe => (stored, token),
        _ => (stored, format!("{token} ?? {}", code.sources.text(stored))),
    };
    if is_safe {
        edits.extend(unused_row(code, helper, stored, place));
    }
    edits.push(Edit { at: place, text });
    Fix::new(title, edits, is_safe)
}

/// `user.accessToken`, where the helper puts it.
fn stored(code: Code<'_>, path: &Lost<'_>) -> Option<Span> {
    let is_read = |at: &Span| {
        let exprs = code.module(at.file).map_or(&[][..], |module| &module.exprs);
        exprs
            .iter()
            .any(|expr| expr.span == *at && matches!(&expr.kind, ExprKind::Field { name, .. } if name == path.property))
    };
    path.trail.iter().copied().filter(|hop| contains(path.at, *hop)).find(is_read)
}

/// The nearest function above the stored value with a variable that holds the minted token: how many calls of the path lead to it,
/// and the variable.
fn held(code: Code<'_>, path: &Lost<'_>, calls: &[Span], stored: Span) -> Option<(usize, String)> {
    let places = calls.iter().copied().chain([stored]).enumerate().collect::<Vec<_>>();
    places.into_iter().rev().find_map(|(at, place)| Some((at, minted_local(code, path, place)?)))
}

/// The variable that holds the token where `before` stands.
fn minted_local(code: Code<'_>, path: &Lost<'_>, before: Span) -> Option<String> {
    let module = code.module(before.file)?;
    let around = code.function_at(before, true)?;
    let makes = |expr: &Expr| {
        path.mints.iter().any(|mint| {
            expr.span == *mint
                || code.function_at(*mint, true).is_some_and(|maker| {
                    maker.span != around.span && returns(code, maker, *mint) && calls(module, expr, &maker.name)
                })
        })
    };
    let mut found = None;
    let functions = module.functions.iter().filter(|function| contains(around.span, function.span));
    for function in functions.filter(|function| contains(function.span, before)) {
        each(&function.body, &mut |stmt| {
            let Stmt::Assign { target: Place::Local(local), value, .. } = stmt else { return };
            let (local, value) = (&module.locals[local.at()], module.expr(*value));
            let is_before = value.span.end <= before.start && makes(value);
            if is_before && local.name.chars().all(is_word) && stays_in_block(code, value.span, before) {
                found = Some((local.name.clone(), value.span));
            }
        });
    }
    let (name, declared) = found?;
    if !is_plain(code, declared, &name, before) {
        return None;
    }
    // Moved into something else by then.
    let between = Span { start: declared.end, end: before.start, ..before };
    let is_free = code.syntax(before.file)? != Syntax::Rust || code.uses(&name, between, &[]) == 0;
    is_free.then_some(name)
}

/// Whether a variable is the token itself where `before` stands, whatever the compiler thinks of it: declared in a statement that has ended,
/// neither a promise of it nor one that may be missing, and not hidden by a parameter of the same name.
fn is_plain(code: Code<'_>, value: Span, name: &str, before: Span) -> bool {
    let Some(file) = code.sources.get(value.file).text.get(..before.start as usize) else { return false };
    let Some(ahead) = file.get(..value.start as usize) else { return false };
    let Some(between) = file.get(value.end as usize..) else { return false };
    if !has_ended(between) {
        return false;
    }
    let is_hidden = code.module(before.file).is_some_and(|module| {
        let inner = module.functions.iter().filter(|f| contains(f.span, before) && !contains(f.span, value));
        inner.flat_map(|function| &function.params).any(|param| param.name == name)
    });
    if is_hidden {
        return false;
    }
    let made = code.sources.text(value);
    if code.syntax(value.file) == Some(Syntax::Rust) {
        let rest = between.split(';').next().unwrap_or_default();
        let is_wrapped = ["Some(", "Ok("].iter().any(|wrapped| made.starts_with(wrapped) || ahead.ends_with(wrapped));
        let is_taken_out = ["?", "unwrap", "expect("].iter().any(|word| made.contains(word) || rest.contains(word));
        return !is_wrapped && !rest.starts_with(".ok()") && (is_taken_out || !may_fail(code, value));
    }
    let around = code.function_at(before, true).map_or("", |function| code.sources.text(function.span));
    let is_awaited =
        made.starts_with("await") || ahead.trim_end().ends_with("await") || around.contains("await Promise.all");
    let is_promise = made.contains("Async(") || around.contains(&format!("await {name}"));
    let may_lack = ["let", "const", "var"].iter().any(|word| {
        let declared = around.split_once(&format!("{word} {name}:")).map(|(_, after)| after);
        declared.and_then(|after| after.split_once(['=', ';', '\n'])).is_some_and(|(ty, _)| ty.contains('|'))
    });
    (is_awaited || !is_promise) && !may_lack
}

/// Whether a function of the file that a value calls gives a `Result` or an `Option`.
fn may_fail(code: Code<'_>, value: Span) -> bool {
    let called = code.sources.text(value).split('(').next().unwrap_or_default();
    let name = called.rsplit([':', '.']).next().unwrap_or_default().trim();
    let text = &code.sources.get(value.file).text;
    let head = format!("fn {name}(");
    let declared = text.match_indices(&head).filter_map(|(at, _)| text.get(at..)?.split('{').next());
    !name.is_empty()
        && declared
            .filter_map(|signature| signature.rsplit_once("->"))
            .any(|(_, given)| given.contains("Result") || given.trim_start().starts_with("Option"))
}

/// Whether the statement that goes on with `text` ends in it. A next member of the same list comes before the variable has its value.
fn has_ended(text: &str) -> bool {
    let mut depth = 0_i64;
    let mut is_listed = false;
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => is_listed = true,
            ';' => return true,
            '\n' if depth <= 0 && (!is_listed || depth < 0) => return true,
            _ => {}
        }
    }
    false
}

/// Whether a function gives back what is made there.
fn returns(code: Code<'_>, function: &Function, made: Span) -> bool {
    let Some(module) = code.module(function.span.file) else { return false };
    let mut gives = false;
    each(&function.body, &mut |stmt| {
        gives |= matches!(stmt, Stmt::Return(Some(value)) if module.expr(*value).span == made);
    });
    gives
}

/// Whether an expression is a call of something of this name.
fn calls(module: &Module, expr: &Expr, name: &str) -> bool {
    let ExprKind::Call(call) = &expr.kind else { return false };
    match &module.expr(call.callee).kind {
        ExprKind::Field { name: called, .. } => called == name,
        ExprKind::Name(crate::ir::Binding::Function(function)) => module.function(*function).name == name,
        _ => false,
    }
}

fn each(body: &[Stmt], visit: &mut impl FnMut(&Stmt)) {
    for stmt in body {
        visit(stmt);
        match stmt {
            Stmt::If { then, otherwise, .. } => {
                each(then, visit);
                each(otherwise, visit);
            }
            Stmt::Loop { body } => each(body, visit),
            Stmt::Try { body, catch, finally } => {
                each(body, visit);
                each(catch, visit);
                each(finally, visit);
            }
            Stmt::Assign { .. } | Stmt::Expr(_) | Stmt::Return(_) | Stmt::Throw(_) => {}
        }
    }
}

/// Whether reading on from one place to the other never leaves its block.
fn stays_in_block(code: Code<'_>, from: Span, to: Span) -> bool {
    let mut depth = 0_i64;
    let between = Span { start: from.end, end: to.start, ..to };
    code.sources.text(between).bytes().all(|byte| {
        depth += i64::from(byte == b'{') - i64::from(byte == b'}');
        depth >= 0
    })
}

/// A name that no variable of the function has.
fn free_name(module: &Module, inside: &Function, wanted: &str) -> String {
    let taken = |name: &str| module.locals.iter().any(|local| local.name == name && contains(inside.span, local.span));
    if !taken(wanted) {
        return wanted.to_owned();
    }
    let snake = wanted.contains('_') || !wanted.contains(char::is_uppercase) && module.lends;
    if snake {
        return format!("fresh_{wanted}");
    }
    let mut name = String::from("fresh");
    name.extend(wanted.chars().take(1).flat_map(char::to_uppercase).chain(wanted.chars().skip(1)));
    name
}

/// Whether the field of this name is an `Option`; `None` where fields of several structs disagree.
fn is_optional(code: Code<'_>, property: &str) -> Option<bool> {
    let fields = code.units.iter().flat_map(|(_, unit)| &unit.module.classes).flat_map(|class| &class.fields);
    let mut kinds = fields
        .filter(|field| field.name == property && code.syntax(field.span.file) == Some(Syntax::Rust))
        .map(|field| {
            let text = code.sources.get(field.span.file).text.get(field.span.start as usize..).unwrap_or("");
            text.split([',', ';', '}']).next().is_some_and(|declared| declared.contains("Option<"))
        });
    let first = kinds.next()?;
    kinds.all(|kind| kind == first).then_some(first)
}

/// The text that gives way in Rust, and what takes its place: as owned, and as optional, as the stored value was.
fn in_rust(code: Code<'_>, stored: Span, token: &str, nullable: bool, is_borrowed: bool) -> (Span, String) {
    let file = code.sources.get(stored.file);
    let after = file.text.get(stored.end as usize..).unwrap_or("");
    let calls = [".clone()", ".as_deref()", ".as_ref()", ".as_str()", ".to_owned()", ".to_string()"];
    let call = calls.into_iter().find(|call| after.starts_with(call)).unwrap_or("");
    let before = file.text.get(..stored.start as usize).unwrap_or("");
    let mark = u32::from(before.ends_with('&') && call.is_empty());
    let borrows = mark == 1 || matches!(call, ".as_deref()" | ".as_ref()" | ".as_str()");
    let end = stored.end + u32::try_from(call.len()).unwrap_or(0);
    let place = Span { start: stored.start - mark, end, ..stored };
    let value = match (borrows, is_borrowed) {
        (true, true) => token.to_owned(),
        (true, false) => format!("&{token}"),
        (false, true) => format!("{token}.to_owned()"),
        (false, false) => format!("{token}.clone()"),
    };
    // `&Some(..)`: a reference to the whole option.
    let value = match (nullable, mark == 1) {
        (true, true) if is_borrowed => format!("&Some({token}.to_owned())"),
        (true, true) => format!("&Some({token}.clone())"),
        (true, false) => format!("Some({value})"),
        (false, _) => value,
    };
    (place, value)
}

/// The variable that held the row and is used no more.
fn unused_row(code: Code<'_>, helper: &Function, stored: Span, place: Span) -> Option<Edit> {
    let row = code.names(stored).first().copied()?;
    (code.uses(row, helper.span, &[place]) == 1).then(|| code.unname(row, helper.span)).flatten()
}

#[cfg(test)]
mod tests {
    use super::has_ended;

    #[test]
    fn a_variable_has_its_value_once_its_statement_has_ended() {
        for ended in [";\n  return this.", ")\n  const x = ", ", other()]);\n  f(", ", other()])\n  f(", "\n    f("] {
            assert!(has_ended(ended), "{ended:?}");
        }
        for going_on in [", this.renew(", ",\n    this.renew(", "", ", b = f("] {
            assert!(!has_ended(going_on), "{going_on:?}");
        }
    }
}
