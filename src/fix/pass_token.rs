//! A minted token is handed down to the write that takes the stored one.

use crate::fix::code::{Code, Syntax, contains, is_word};
use crate::fix::guarded::guard;
use crate::fix::{Edit, Fix, Held};
use crate::ir::{Expr, ExprKind, Function, Module, Place, Stmt};
use crate::rules::Gives;
use crate::source::Span;

/// A path on which the minted token is lost.
#[derive(Clone, Debug)]
pub(crate) struct Lost<'a> {
    pub(crate) entry: Span,
    /// With what each gives in Rust.
    pub(crate) mints: Vec<(Span, Option<Gives>)>,
    /// The calls behind the entry point to the function that puts the stored value where the token belongs.
    pub(crate) calls: Vec<Span>,
    /// Where that function puts it.
    pub(crate) at: Span,
    /// The hops from the written value back to the row.
    pub(crate) trail: Vec<Span>,
    /// What the code calls the column.
    pub(crate) property: &'a str,
}

/// Hands the minted token down on all of the paths, which lose it where `first` does.
pub(crate) fn pass_token(code: Code<'_>, first: &Lost<'_>, paths: &[Lost<'_>]) -> Result<Fix, Held> {
    let stored = stored(code, first).ok_or_else(|| {
        Held::new(
            first.at,
            format!("what is written back is no `row.{}` that the token could take the place of", first.property),
        )
    })?;
    for path in paths {
        if let Some(condition) = guard(code, path.property, path.calls.iter().copied().chain([stored])) {
            let why = format!(
                "this is only reached where `{}` says so: a row without a value would stay without one",
                code.sources.text(condition).split_whitespace().collect::<Vec<_>>().join(" ")
            );
            return Err(Held::new(condition, why));
        }
    }
    let around = |at: Span| {
        code.function_at(at, true).ok_or_else(|| Held::new(at, "this stands in no function that has a name"))
    };
    let helper = around(stored)?;
    let syntax = code.syntax(stored.file).ok_or_else(|| Held::new(stored, "code of this language is not edited"))?;
    let mut edits: Vec<Edit> = Vec::new();
    let mut changed: Vec<(&Function, String)> = Vec::new();
    let mut at_hand = None;
    let mut named: Option<String> = None;
    for path in paths {
        let calls = code.calls_along(path.entry, &path.calls, stored).unwrap_or_else(|| path.calls.clone());
        let (from, local) = held(code, path, &calls, stored)?;
        let calls = calls.get(from..).unwrap_or_default();
        if calls.is_empty() {
            at_hand = Some(local);
            continue;
        }
        let name = named.get_or_insert_with(|| local.clone()).clone();
        let mut given = local;
        for (at, call) in calls.iter().enumerate() {
            let next = calls.get(at + 1).copied().unwrap_or(stored);
            let callee = around(next)?;
            takes_all(code, *call, callee)?;
            let argument =
                if code.syntax(call.file) == Some(Syntax::Rust) && at == 0 { format!("&{given}") } else { given };
            let edit = code.add_argument(*call, &argument);
            let edit = edit.ok_or_else(|| Held::new(*call, "a comment stands among the arguments of this call"))?;
            if !edits.contains(&edit) {
                edits.push(edit);
            }
            let parameter = free_name(code, callee, &name);
            if !changed.iter().any(|(known, _)| known.span == callee.span) {
                changed.push((callee, parameter.clone()));
            }
            given = parameter;
        }
    }
    if at_hand.is_some() && named.is_some() {
        return Err(Held::new(stored, "one path has the token at hand here, and another would have to pass it"));
    }
    let others: usize = changed.iter().map(|(function, _)| code.mentions(function)).sum();
    let is_safe = others <= edits.len();
    if !is_safe && syntax == Syntax::Rust {
        let why = format!("`{}` has other callers, and Rust has no parameter that a caller may leave out", helper.name);
        return Err(Held::new(helper.name_span, why));
    }
    for (function, name) in &changed {
        let declared = match (code.syntax(function.span.file), is_safe) {
            (Some(Syntax::Rust), _) => format!("{name}: &str"),
            (Some(Syntax::TypeScript), true) => format!("{name}: string"),
            (Some(Syntax::TypeScript), false) => format!("{name}?: string"),
            (Some(Syntax::JavaScript) | None, _) => name.clone(),
        };
        let edit = code.add_parameter(function, &declared);
        edits.push(edit.ok_or_else(|| {
            Held::new(
                function.name_span,
                "a comment or something else than a name and a type stands among its parameters",
            )
        })?);
    }
    let parameter = changed.iter().find(|(function, _)| function.span == helper.span).map(|(_, name)| name.clone());
    let title = match (&at_hand, &named) {
        (None, Some(local)) => format!("pass `{local}` to `{}` and write it", helper.name),
        (local, _) => format!("write `{}` instead of the stored value", local.as_deref().unwrap_or_default()),
    };
    let token = at_hand.clone().or(parameter);
    let token = token.ok_or_else(|| Held::new(stored, "no path hands anything to the function that writes"))?;
    let (place, text) = match syntax {
        Syntax::Rust => {
            let is_optional = is_optional(code, first.property).ok_or_else(|| {
                Held::new(stored, format!("whether `{}` is an `Option` could not be told", first.property))
            })?;
            in_rust(code, stored, &token, is_optional, at_hand.is_none())
        }
        _ if is_safe => (stored, token),
        _ => (stored, format!("{token} ?? {}", code.sources.text(stored))),
    };
    if is_safe {
        edits.extend(unused_row(code, helper, stored, place)?);
    }
    edits.push(Edit { at: place, text });
    Fix::new(title, edits, is_safe)
}

/// Whether one more argument becomes one more parameter.
fn takes_all(code: Code<'_>, call: Span, callee: &Function) -> Result<(), Held> {
    let takes = callee.params.iter().filter(|param| param.name != "self").count();
    let known = code.call_at(call).ok_or_else(|| Held::new(call, "this is no plain call"))?;
    let name = &callee.name;
    if let Some(param) = callee.params.iter().find(|param| param.rest || param.optional) {
        let why =
            format!("`{name}` has a parameter that may be left out or takes the rest: one behind it would be another");
        return Err(Held::new(param.span, why));
    }
    if known.args.len() != takes || known.args.iter().any(|arg| arg.spread) {
        return Err(Held::new(
            call,
            format!("what this call hands over is not one argument for each parameter of `{name}`"),
        ));
    }
    Ok(())
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
fn held(code: Code<'_>, path: &Lost<'_>, calls: &[Span], stored: Span) -> Result<(usize, String), Held> {
    let places = calls.iter().copied().chain([stored]).enumerate().collect::<Vec<_>>();
    let mut why = None;
    for (at, place) in places.into_iter().rev() {
        match minted_local(code, path, place) {
            Ok(Some(local)) => return Ok((at, local)),
            Ok(None) => {}
            // The nearest says it.
            Err(held) => _ = why.get_or_insert(held),
        }
    }
    let at = path.mints.first().map_or(stored, |(mint, _)| *mint);
    Err(why.unwrap_or_else(|| Held::new(at, "no variable holds this token by itself before the helper is called")))
}

/// The variable that holds the token where `before` stands; `None` where there is none.
fn minted_local(code: Code<'_>, path: &Lost<'_>, before: Span) -> Result<Option<String>, Held> {
    let (Some(module), Some(around)) = (code.module(before.file), code.function_at(before, true)) else {
        return Ok(None);
    };
    let made = |expr: &Expr| {
        path.mints.iter().find_map(|(mint, gives)| {
            if expr.span == *mint {
                return Some(*gives);
            }
            let maker = code.function_at(*mint, true)?;
            let is_made_there =
                maker.span != around.span && returns(code, maker, *mint) && calls(module, expr, &maker.name);
            is_made_there.then(|| declared(code, maker))
        })
    };
    let mut found = None;
    let functions = module.functions.iter().filter(|function| contains(around.span, function.span));
    for function in functions.filter(|function| contains(function.span, before)) {
        each(&function.body, &mut |stmt| {
            let Stmt::Assign { target: Place::Local(local), value, .. } = stmt else { return };
            let (local, value) = (&module.locals[local.at()], module.expr(*value));
            let is_named = value.span.end <= before.start && local.name.chars().all(is_word);
            if is_named
                && stays_in_block(code, value.span, before)
                && let Some(gives) = made(value)
            {
                found = Some((local.name.clone(), value.span, gives));
            }
        });
    }
    let Some((name, value, gives)) = found else { return Ok(None) };
    if let Some(why) = unfit(code, value, gives, &name, before) {
        return Err(Held::new(value, why));
    }
    Ok(Some(name))
}

/// Why a variable is not the token itself where `before` stands, whatever the compiler thinks of it. It is where it was declared in a
/// statement that has ended, is neither a promise of it nor one that may be missing, and is not hidden by a parameter of the same name.
fn unfit(code: Code<'_>, value: Span, gives: Option<Gives>, name: &str, before: Span) -> Option<String> {
    let text = &code.sources.get(value.file).text;
    let ahead = text.get(..value.start as usize)?;
    let between = text.get(value.end as usize..before.start as usize)?;
    if !has_ended(between) {
        return Some(format!("`{name}` has no value yet where the helper is called"));
    }
    let is_hidden = code.module(before.file).is_some_and(|module| {
        let inner = module.functions.iter().filter(|f| contains(f.span, before) && !contains(f.span, value));
        inner.flat_map(|function| &function.params).any(|param| param.name == name)
    });
    if is_hidden {
        return Some(format!("a parameter of the same name hides `{name}` where the helper is called"));
    }
    let made = code.sources.text(value);
    if code.syntax(value.file) == Some(Syntax::Rust) {
        let rest = between.split(';').next().unwrap_or_default();
        let is_text = is_text(ahead, made, rest, gives);
        // Moved into something else by then.
        let since = Span { start: value.end, end: before.start, ..before };
        return match (is_text, code.uses(name, since, &[])) {
            (false, _) => Some(format!(
                "that `{name}` is a `String`, and not a `Result` or an `Option` of one, could not be told"
            )),
            (true, 1..) => Some(format!("`{name}` is used before the helper is called, and may be moved by that")),
            (true, 0) => None,
        };
    }
    let around = code.function_at(before, true).map_or("", |function| code.sources.text(function.span));
    let is_awaited =
        made.starts_with("await") || ahead.trim_end().ends_with("await") || around.contains("await Promise.all");
    if !is_awaited && (made.contains("Async(") || around.contains(&format!("await {name}"))) {
        return Some(format!("`{name}` is a promise of the token, which is awaited later"));
    }
    let may_lack = ["let", "const", "var"].iter().any(|word| {
        let declared = around.split_once(&format!("{word} {name}:")).map(|(_, after)| after);
        declared.and_then(|after| after.split_once(['=', ';', '\n'])).is_some_and(|(ty, _)| ty.contains('|'))
    });
    may_lack.then(|| format!("`{name}` is declared as more than a text: it may be missing"))
}

/// Whether a variable of Rust that is given `made`, with `ahead` before it and `rest` behind, is a `String`.
fn is_text(ahead: &str, made: &str, rest: &str, gives: Option<Gives>) -> bool {
    if ["Some(", "Ok("].iter().any(|wrapped| made.starts_with(wrapped) || ahead.ends_with(wrapped)) {
        return false;
    }
    let rest = rest.trim_end();
    let whole = format!("{made}{rest}");
    if whole.ends_with(".to_string()") || whole.ends_with(".to_owned()") || made.starts_with("format!(") {
        return true;
    }
    let takes_out = |text: &str| text.contains('?') || text.contains(".unwrap") || text.contains(".expect(");
    match gives {
        // A type that is written out settles it: `let token: String = ..`.
        _ if ahead.trim_end().ends_with(": String =") => true,
        Some(Gives::Text) => rest.is_empty(),
        Some(Gives::Result) => {
            takes_out(rest) || made.ends_with('?') || made.contains(").unwrap") || made.contains(").expect(")
        }
        None => false,
    }
}

/// What a function says that it gives.
fn declared(code: Code<'_>, function: &Function) -> Option<Gives> {
    let head = code.sources.text(function.span).split('{').next()?;
    let (_, given) = head.rsplit_once("->")?;
    let given = given.split(" where").next()?.trim();
    let inner = given.split_once('<').map(|(outer, inner)| (outer.rsplit("::").next().unwrap_or(outer), inner));
    match (given, inner) {
        ("String", _) => Some(Gives::Text),
        (_, Some((outer, inner))) if outer == "Option" || outer.ends_with("Result") => {
            inner.split([',', '>']).next().is_some_and(|first| first.trim() == "String").then_some(Gives::Result)
        }
        _ => None,
    }
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

pub(super) fn each(body: &[Stmt], visit: &mut impl FnMut(&Stmt)) {
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
fn free_name(code: Code<'_>, inside: &Function, wanted: &str) -> String {
    let Some(module) = code.module(inside.span.file) else { return wanted.to_owned() };
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

/// The variable that held the row and is used no more: its value is still worked out, for that may fail.
fn unused_row(code: Code<'_>, helper: &Function, stored: Span, place: Span) -> Result<Option<Edit>, Held> {
    let Some(row) = code.names(stored).first().copied() else { return Ok(None) };
    if row == "this" || row == "self" || code.is_read(row, helper, place) {
        return Ok(None);
    }
    let mut given = 0;
    let module = code.module(stored.file);
    each(&helper.body, &mut |stmt| {
        let Stmt::Assign { target: Place::Local(local), .. } = stmt else { return };
        given += usize::from(module.is_some_and(|module| module.locals[local.at()].name == row));
    });
    if helper.params.iter().any(|param| param.name == row) || given != 1 {
        return Err(Held::new(stored, format!("`{row}` would be left without a use")));
    }
    let edit = code.unname(row, helper.span);
    edit.map(Some).ok_or_else(|| Held::new(stored, format!("`{row}` would be left without a use where it is declared")))
}

#[cfg(test)]
mod tests {
    use super::{has_ended, is_text};
    use crate::rules::Gives;

    #[test]
    fn a_variable_has_its_value_once_its_statement_has_ended() {
        for ended in [";\n  return this.", ")\n  const x = ", ", other()]);\n  f(", ", other()])\n  f(", "\n    f("] {
            assert!(has_ended(ended), "{ended:?}");
        }
        for going_on in [", this.renew(", ",\n    this.renew(", "", ", b = f("] {
            assert!(!has_ended(going_on), "{going_on:?}");
        }
    }

    #[test]
    fn what_a_library_of_rust_gives_is_a_text_once_it_is_taken_out() {
        let encode = "encode(&Header::default(), &claims, &key)";
        let token =
            |ahead: &str, made: &str, rest: &str, gives| is_text(&format!("let token{ahead} "), made, rest, gives);
        assert!(token(" =", encode, "?", Some(Gives::Result)));
        assert!(token(" =", encode, ".unwrap_or_default()", Some(Gives::Result)));
        assert!(!token(" =", encode, "", Some(Gives::Result)), "a Result");
        assert!(!token(" =", encode, "?", None), "of a library that no row tells about");
        assert!(token(": String =", encode, "?", None));
        assert!(token(" =", "nanoid!()", "", Some(Gives::Text)));
        assert!(!token(" =", "Uuid::new_v4()", "", None));
        assert!(token(" =", "Uuid::new_v4().to_string()", "", None));
        assert!(!token(" =", "Some(mint())", "", Some(Gives::Text)));
    }
}
