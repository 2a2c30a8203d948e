//! What an edit has to know of the code around it: functions, calls, and whether a name is needed elsewhere.

use crate::fix::Edit;
use crate::graph::Units;
use crate::ir::{Binding, Call, Expr, ExprId, ExprKind, Function, FunctionKind, Module, Param};
use crate::source::{FileId, Language, SourceSet, Span};

/// The lowered code of a tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Code<'a> {
    pub(crate) sources: &'a SourceSet,
    pub(crate) units: &'a Units,
}

/// Whose syntax an edit is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    TypeScript,
    JavaScript,
    Rust,
}

impl<'a> Code<'a> {
    pub(super) fn module(self, file: FileId) -> Option<&'a Module> {
        self.units.get(file).map(|unit| &unit.module)
    }

    /// `None`: nothing is edited there.
    pub(super) fn syntax(self, file: FileId) -> Option<Syntax> {
        let file = self.sources.get(file);
        let is_javascript = [".js", ".jsx", ".mjs", ".cjs"].iter().any(|ending| file.path.ends_with(ending));
        match file.language {
            Language::TypeScript | Language::Tsx if is_javascript => Some(Syntax::JavaScript),
            Language::TypeScript | Language::Tsx => Some(Syntax::TypeScript),
            Language::Rust => Some(Syntax::Rust),
            _ => None,
        }
    }

    /// The innermost function around a place; with `named`, closures without a name do not count.
    pub(super) fn function_at(self, at: Span, named: bool) -> Option<&'a Function> {
        let has_name = |function: &&Function| match function.kind {
            FunctionKind::Free | FunctionKind::Method => true,
            FunctionKind::Closure => !named || !function.name.starts_with('<'),
            _ => false,
        };
        let around = self.module(at.file)?.functions.iter().filter(|function| contains(function.span, at));
        around.filter(has_name).min_by_key(|function| function.span.end - function.span.start)
    }

    /// The call whose text this is.
    pub(super) fn call_at(self, at: Span) -> Option<&'a Call> {
        let mut exprs = self.module(at.file)?.exprs.iter().filter(|expr| expr.span == at);
        exprs.find_map(|expr| if let ExprKind::Call(call) = &expr.kind { Some(call) } else { None })
    }

    /// The calls of a way to `end`, that of the entry point itself included; `None` where it is not the only one of its name there.
    pub(super) fn calls_along(self, entry: Span, calls: &[Span], end: Span) -> Option<Vec<Span>> {
        let first = calls.first().copied().unwrap_or(end);
        let (from, to) = (self.function_at(entry, false)?, self.function_at(first, false)?);
        if contains(from.span, first) {
            return Some(calls.to_vec());
        }
        let module = self.module(entry.file)?;
        let named = |callee: ExprId| match &module.expr(callee).kind {
            ExprKind::Field { name, .. } => *name == to.name,
            ExprKind::Name(Binding::Import(import)) => module.imports[import.at()].local == to.name,
            ExprKind::Name(Binding::Function(function)) => module.function(*function).name == to.name,
            // `const renew = async (id) => ..`
            ExprKind::Name(Binding::Local(local)) => module.locals[local.at()].name == to.name,
            _ => false,
        };
        let leads_on = |expr: &&Expr| {
            contains(from.span, expr.span) && matches!(&expr.kind, ExprKind::Call(call) if named(call.callee))
        };
        let mut found = module.exprs.iter().filter(leads_on).map(|expr| expr.span);
        let call = found.next()?;
        found.all(|other| other == call).then(|| std::iter::once(call).chain(calls.iter().copied()).collect())
    }

    /// How often the function's name stands anywhere but in its declaration: in its own file where it is private, else in all.
    pub(super) fn mentions(self, function: &Function) -> usize {
        let text = &self.sources.get(function.span.file).text;
        let before = text.get(function.span.start as usize..function.name_span.start as usize).unwrap_or("");
        let is_private = before.split_whitespace().any(|word| word == "private") || function.name.starts_with('#');
        let all: usize = if is_private {
            words(text, &function.name)
        } else {
            self.sources.iter().map(|(_, file)| words(&file.text, &function.name)).sum()
        };
        all.saturating_sub(1)
    }

    /// How often a name stands inside `around`, what stands in `without` not counted.
    pub(super) fn uses(self, name: &str, around: Span, without: &[Span]) -> usize {
        let all = words(self.sources.text(around), name);
        let gone =
            without.iter().filter(|span| contains(around, **span)).map(|span| words(self.sources.text(*span), name));
        all.saturating_sub(gone.sum())
    }

    /// Adds an argument behind the last one.
    pub(super) fn add_argument(self, at: Span, item: &str) -> Option<Edit> {
        let call = self.call_at(at)?;
        let text = self.sources.text(at);
        let inside = text.strip_suffix(')')?;
        let last = call.args.last().and_then(|arg| Some(self.module(at.file)?.expr(arg.value).span));
        let from = match last {
            Some(last) => last.end.checked_sub(at.start)? as usize,
            None => inside.rfind('(')? + 1,
        };
        let rest = inside.get(from..)?;
        if rest.contains("//") || rest.contains("/*") || last.is_none() && !rest.trim().is_empty() {
            return None;
        }
        let items = rest.trim_end().trim_end_matches(',').trim_end();
        let end = at.start + u32::try_from(from + items.len()).ok()?;
        let text = if last.is_some() { format!(", {item}") } else { item.to_owned() };
        Some(Edit { at: Span { start: end, end, ..at }, text })
    }

    /// Adds a parameter behind the last one.
    pub(super) fn add_parameter(self, function: &Function, item: &str) -> Option<Edit> {
        let text = self.sources.text(function.span);
        // The variable that holds a closure stands before it.
        let named = function.name_span.end.saturating_sub(function.span.start) as usize;
        if let [only] = function.params.as_slice()
            && let behind = self.sources.get(only.span.file).text.get(only.span.end as usize..)?
            && behind.trim_start().starts_with("=>")
        {
            // `id => ..`
            return Some(Edit { at: only.span, text: format!("({}, {item})", self.sources.text(only.span)) });
        }
        let (from, mark) = match function.params.last() {
            Some(last) => (self.whole_parameter(last)?.end.checked_sub(function.span.start)? as usize, ", "),
            None => (named + text.get(named..)?.find('(')? + 1, ""),
        };
        let rest = text.get(from..)?.trim_start();
        let rest = rest.strip_prefix(',').filter(|_| !mark.is_empty()).unwrap_or(rest);
        if !rest.trim_start().starts_with(')') {
            return None;
        }
        let end = function.span.start + u32::try_from(from).ok()?;
        Some(Edit { at: Span { start: end, end, ..function.span }, text: format!("{mark}{item}") })
    }

    /// A parameter with its type.
    pub(super) fn whole_parameter(self, param: &Param) -> Option<Span> {
        let text = self.sources.get(param.span.file).text.get(param.span.end as usize..)?;
        let mut depth = 0_usize;
        let mut before = ' ';
        for (at, c) in text.char_indices() {
            match c {
                ',' | ')' if depth == 0 => {
                    let end = param.span.end + u32::try_from(text.get(..at)?.trim_end().len()).ok()?;
                    return Some(Span { end, ..param.span });
                }
                '(' | '[' | '{' | '<' => depth += 1,
                // An arrow closes nothing.
                '>' if matches!(before, '=' | '-') => {}
                ')' | ']' | '}' | '>' => depth = depth.checked_sub(1)?,
                // What a comment says is not told apart.
                '/' if before == '/' => return None,
                _ => {}
            }
            before = c;
        }
        None
    }

    /// `const row = ` before a value that has to be worked out all the same: a call may throw.
    pub(super) fn unname(self, name: &str, around: Span) -> Option<Edit> {
        let text = self.sources.text(around);
        let declared = |(at, word): (usize, &str)| {
            if text.get(..at)?.ends_with(is_word) {
                return None;
            }
            let rest = text.get(at + word.len()..)?.strip_prefix(' ')?.trim_start_matches("mut ");
            let rest = match rest.strip_prefix(name) {
                Some(rest) => rest,
                None => self.behind_pattern(name, rest, around.start as usize + text.len() - rest.len(), around)?,
            };
            let after = rest.trim_start();
            let value = if let Some(typed) = after.strip_prefix(':') {
                let (ty, value) = typed.split_once('=')?;
                // What only this names would be left imported without a use.
                let file = &self.sources.get(around.file).text;
                let names = ty.split(|c: char| !is_word(c)).filter(|name| name.starts_with(char::is_uppercase));
                if names.into_iter().any(|name| words(file, name) < 3) {
                    return None;
                }
                value
            } else {
                after.strip_prefix('=')?
            };
            let value = value.trim_start();
            is_lone_call(value).then_some((at, text.len() - value.len()))
        };
        let mut starts = ["const", "let"].into_iter().flat_map(|word| text.match_indices(word));
        let (start, end) = starts.find_map(declared)?;
        let offset = |at: usize| Some(around.start + u32::try_from(at).ok()?);
        // Without semicolons a line that begins so would go on with the one before.
        let goes_on = text.get(end..).is_some_and(|value| value.starts_with(['(', '[', '{', '`']));
        let text =
            if goes_on && self.syntax(around.file)? != Syntax::Rust { "void ".to_owned() } else { String::new() };
        Some(Edit { at: Span { start: offset(start)?, end: offset(end)?, ..around }, text })
    }

    /// What follows a pattern (`[row]`, `{ rows: [row] }`) that names this variable alone and works nothing out.
    fn behind_pattern<'t>(self, name: &str, text: &'t str, at: usize, around: Span) -> Option<&'t str> {
        let mut depth = 0_usize;
        let end = text.char_indices().find_map(|(end, c)| {
            match c {
                '[' | '{' => depth += 1,
                ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            (depth == 0).then_some(end + c.len_utf8())
        })?;
        let (pattern, rest) = text.split_at(end);
        let locals = &self.module(around.file)?.locals;
        let mut inside = locals
            .iter()
            .filter(|local| (at..at + end).contains(&(local.span.start as usize)))
            .map(|local| &local.name);
        let is_alone = inside.next().is_some_and(|only| only == name) && inside.next().is_none();
        let is_plain = pattern.starts_with(['[', '{']) && !pattern.contains(['=', '(', '.']);
        (is_alone && is_plain).then_some(rest)
    }

    /// Whether anything but what stands in `without` reads a variable of the function.
    pub(super) fn is_read(self, name: &str, function: &Function, without: Span) -> bool {
        let exprs = self.module(function.span.file).map_or(&[][..], |module| &module.exprs);
        let names = |expr: &&Expr| matches!(expr.kind, ExprKind::Name(_)) && self.sources.text(expr.span) == name;
        exprs.iter().filter(names).any(|expr| contains(function.span, expr.span) && !contains(without, expr.span))
    }

    /// The words that names of `text` could be.
    pub(super) fn names(self, at: Span) -> Vec<&'a str> {
        let text = self.sources.text(at);
        text.split(|c: char| !is_word(c)).filter(|word| word.starts_with(|c: char| !c.is_ascii_digit())).collect()
    }
}

pub(super) fn contains(outer: Span, inner: Span) -> bool {
    outer.file == inner.file && outer.start <= inner.start && inner.end <= outer.end
}

/// Whether a declaration gives its value by calls alone and ends behind them: no second variable follows, and no operator, whose other side would
/// be worked out or not by what the first was.
fn is_lone_call(value: &str) -> bool {
    let value = value.strip_prefix("await ").unwrap_or(value);
    let (mut depth, mut before, mut is_apart) = (0_usize, ' ', false);
    let mut rest = value.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' | '\'' | '"' | '`' if depth == 0 => return false,
            ')' | ']' | '}' => depth -= 1,
            '\'' | '"' | '`' => {
                let mut last = ' ';
                while let Some((_, inside)) = rest.next_if(|(_, inside)| *inside != c || last == '\\') {
                    last = if last == '\\' { ' ' } else { inside };
                }
                rest.next();
            }
            _ if depth > 0 => {}
            ';' => return matches!(before, ')' | ']' | '}' | '?' | '!') || is_word(before),
            // A line that goes on with a call goes on.
            '\n' if value[at..].trim_start().starts_with('.') || value[at..].trim_start().starts_with("?.") => {
                is_apart = false;
            }
            '\n' if value[at..]
                .trim_start()
                .starts_with(['?', ',', '(', '[', '`', '+', '-', '*', '/', '|', '&', '<', '>', '=', ':']) =>
            {
                return false;
            }
            '\n' => return true,
            c if c.is_whitespace() => is_apart = true,
            '.' | '!' => is_apart = false,
            '?' if matches!(rest.peek(), Some((_, '.' | ';' | '\n'))) => is_apart = false,
            c if is_word(c) && !is_apart => {}
            ':' | '<' | '>' if before == ':' || rest.peek().is_some_and(|(_, next)| *next == ':') => {}
            _ => return false,
        }
        if !c.is_whitespace() {
            before = c;
        }
    }
    false
}

/// How often a word stands in a text.
fn words(text: &str, wanted: &str) -> usize {
    let ends = |at: usize| {
        let before = text[..at].chars().next_back();
        let after = text[at + wanted.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    };
    if wanted.is_empty() { 0 } else { text.match_indices(wanted).filter(|(at, _)| ends(*at)).count() }
}

pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_call_that_stands_alone_can_lose_its_name() {
        for value in [
            "await this.users.findById(id);",
            "await db.query('SELECT 1;')\n  return x",
            "await users\n  .find(id)\n  .first();",
            "(await f(id)).rows;",
            "find(&conn, id).await?;",
            "users::find(id)?;",
            "(await f(id))[0]!;",
        ] {
            assert!(is_lone_call(value), "{value}");
        }
        for value in [
            "(await f(id)) ?? fail();",
            "await f(id) || fail();",
            "await f(id),\n  token = mint();",
            "await f(id)\n  , token = mint();",
            "(await f(id)) as User;",
            "await f(id)\n  ?? fail();",
            "a ? b() : c();",
            "f(id) + g();",
        ] {
            assert!(!is_lone_call(value), "{value}");
        }
    }

    #[test]
    fn a_word_is_counted_where_it_stands_alone() {
        assert_eq!(words("token tokens $token token.token", "token"), 3);
        assert_eq!(words("token", ""), 0);
    }
}
