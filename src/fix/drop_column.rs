//! The column is taken out of a write, and with it what only carried its value there: parameters, arguments, variables.

use std::collections::{BTreeMap, BTreeSet};

use crate::fix::code::{Code, Syntax, contains};
use crate::fix::{Edit, Fix, Held};
use crate::ir::{Entry, Expr, ExprKind, Function};
use crate::source::Span;

/// How a path gets to the write.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) entry: Span,
    /// Behind the entry point.
    pub(crate) calls: Vec<Span>,
}

/// Takes the key at `key` out of the object that `write` is given; `ways` are all known paths there. Never safe: that nobody reads the column,
/// here or beside this tree, no audit can prove, and what is not stored is gone.
pub(crate) fn drop_column(code: Code<'_>, write: Span, key: Span, ways: &[Way]) -> Result<Fix, Held> {
    let held = |why: &str| Held::new(key, why);
    if !matches!(code.syntax(key.file), Some(Syntax::TypeScript | Syntax::JavaScript)) {
        return Err(held(
            "a struct has all of its fields and a statement is text: what else must change is for people",
        ));
    }
    let module = code.module(key.file).ok_or_else(|| held("the code here could not be read"))?;
    let entries = |expr: &Expr| match &expr.kind {
        ExprKind::Object(entries) if contains(write, expr.span) => {
            let at = entries
                .iter()
                .position(|entry| matches!(entry, Entry::Named { key_span, .. } if key_span.start == key.start))?;
            let Entry::Named { key, value, .. } = entries.get(at)? else { return None };
            let only = entries.len() == 1;
            (!only).then(|| (key.clone(), *value))
        }
        _ => None,
    };
    let (name, value) =
        module.exprs.iter().find_map(entries).ok_or_else(|| {
            held("the column is no key that stands among others in the object that this write is given")
        })?;
    let value = module.expr(value);
    let whole = Span { end: key.end.max(value.span.end), ..key };
    // A way whose calls are not known leaves the rest as it is.
    let calls = |way: &Way| code.calls_along(way.entry, &way.calls, write).unwrap_or_default();
    let ways: Vec<Vec<Span>> = ways.iter().map(calls).collect();
    let depths: Vec<Option<usize>> = ways.iter().map(|way| Some(way.len())).collect();
    let mut removal = Removal { code, ways, edits: Vec::new(), gone: Vec::new() };
    removal.entry(whole).ok_or_else(|| held("the text around the key could not be told"))?;
    removal.value(value, &depths);
    removal.unname_rows()?;
    Fix::new(format!("take `{name}` out of the write"), removal.edits, false)
}

struct Removal<'a> {
    code: Code<'a>,
    /// The calls of each way.
    ways: Vec<Vec<Span>>,
    edits: Vec<Edit>,
    /// What the edits take away.
    gone: Vec<Span>,
}

impl<'a> Removal<'a> {
    /// Takes one item out of a list, with its comma; with its line where it stands alone there.
    fn entry(&mut self, at: Span) -> Option<()> {
        let text = &self.code.sources.get(at.file).text;
        let after = text.get(at.end as usize..)?;
        let spaces = |text: &str| text.len() - text.trim_start_matches([' ', '\t']).len();
        let before = text.get(..at.start as usize)?;
        let (mut start, mut end) = (at.start as usize, at.end as usize);
        if let Some(rest) = after.trim_start().strip_prefix(',') {
            end = text.len() - rest.len();
            let line = before.trim_end_matches([' ', '\t']);
            if rest.trim_start_matches([' ', '\t']).starts_with('\n') && line.ends_with('\n') {
                start = line.len();
                end += spaces(rest) + 1;
            } else {
                end += spaces(rest);
            }
        } else {
            let last = before.trim_end();
            // The only item of a list leaves it empty.
            start = last.strip_suffix(',').map_or(start, str::len);
        }
        let span = Span { start: u32::try_from(start).ok()?, end: u32::try_from(end).ok()?, ..at };
        self.edits.push(Edit { at: span, text: String::new() });
        self.gone.push(at);
        Some(())
    }

    /// Follows a value that is gone to the parameter it came by; `depths` says how many calls of each way lead to its function, `None`
    /// where a way does not lead there.
    fn value(&mut self, value: &Expr, depths: &[Option<usize>]) {
        let names: BTreeSet<&str> = self.code.names(value.span).into_iter().collect();
        let Some(function) = self.code.function_at(value.span, true) else { return };
        for name in names {
            let Some(at) = function.params.iter().position(|param| param.name == name) else { continue };
            // Its declaration alone.
            if self.code.uses(name, function.span, &self.gone) == 1 {
                // A parameter that cannot go stays, and serves nothing.
                self.parameter(function, at, depths);
            }
        }
    }

    /// Takes a parameter away with the arguments of all calls; `None` where not all of them are known.
    fn parameter(&mut self, function: &'a Function, at: usize, depths: &[Option<usize>]) -> Option<()> {
        let param = function.params.get(at).filter(|param| param.decorators.is_empty())?;
        let mut calls: BTreeMap<Span, Vec<Option<usize>>> = BTreeMap::new();
        for (way, depth) in depths.iter().enumerate().filter_map(|(way, depth)| Some((way, (*depth)?))) {
            let above = depth.checked_sub(1)?;
            let call = *self.ways.get(way)?.get(above)?;
            let above_of = calls.entry(call).or_insert_with(|| vec![None; depths.len()]);
            *above_of.get_mut(way)? = Some(above);
        }
        if calls.is_empty() || self.code.mentions(function) != calls.len() {
            return None;
        }
        let mut arguments = Vec::new();
        for call in calls.keys() {
            let module = self.code.module(call.file)?;
            let known = self.code.call_at(*call)?;
            if known.args.iter().any(|arg| arg.spread) {
                return None;
            }
            let argument = module.expr(known.args.get(at)?.value);
            // Whatever else is worked out may do more than give a value.
            let is_plain = matches!(
                argument.kind,
                ExprKind::Name(_) | ExprKind::Field { .. } | ExprKind::Null | ExprKind::Undefined | ExprKind::Text(_)
            );
            if !is_plain {
                return None;
            }
            arguments.push(argument);
        }
        let declared = self.code.whole_parameter(param)?;
        self.entry(declared)?;
        for argument in &arguments {
            self.entry(argument.span)?;
        }
        for (argument, above) in arguments.into_iter().zip(calls.values()) {
            self.value(argument, above);
        }
        Some(())
    }

    /// Variables whose only use is gone: what they were given may still do something.
    fn unname_rows(&mut self) -> Result<(), Held> {
        for gone in self.gone.clone() {
            let Some(name) = self.code.names(gone).first().copied() else { continue };
            let Some(function) = self.code.function_at(gone, true) else { continue };
            let is_parameter = function.params.iter().any(|param| param.name == name);
            if !is_parameter && self.code.uses(name, function.span, &self.gone) == 1 {
                let edit = self.code.unname(name, function.span);
                let is_local = self.code.module(gone.file).is_some_and(|module| {
                    module.locals.iter().any(|local| local.name == name && contains(function.span, local.span))
                });
                if edit.is_none() && is_local {
                    let why = format!("`{name}` would be left without a use where it is declared");
                    return Err(Held::new(gone, why));
                }
                self.edits.extend(edit);
            }
        }
        Ok(())
    }
}
