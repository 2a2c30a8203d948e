//! Places in code as the identity of a finding names them: by function, never by line, local name or order of files.
//!
//! A method is known by its class as long as one class of the tree has that name, wherever its file moves; a bare function (`POST`,
//! `login`) is known by its file too, since other files have one of the same name, or will have.

use std::collections::BTreeSet;

use crate::contract::Facts;
use crate::graph::Units;
use crate::ir::{Function, FunctionKind};
use crate::provenance::EntryPoint;
use crate::source::Span;

/// How many entry points an identity names.
const SIGNED: usize = 20;

/// The names that more than one class of the tree has.
pub fn repeated_classes(units: &Units) -> BTreeSet<String> {
    let (mut once, mut more) = (BTreeSet::new(), BTreeSet::new());
    for class in units.iter().flat_map(|(_, unit)| &unit.module.classes) {
        if !once.insert(&class.name) {
            more.insert(class.name.clone());
        }
    }
    more
}

/// `UsersService.updateToken`, `src/login.ts:login`: the function around `span` that is not a local of another, with its file where
/// its name is not enough, seen from the repository's root; `shown` stands for what has no name.
pub(crate) fn place(facts: &Facts<'_>, span: Span, shown: &str) -> String {
    let around = Around::new(facts, span).map(Around::outermost);
    let class = around.as_ref().and_then(Around::class).filter(|class| !facts.repeated_classes.contains(*class));
    let name = around.as_ref().and_then(Around::name);
    let name = name.as_deref().unwrap_or(shown);
    if class.is_some() { name.to_owned() } else { format!("{}:{name}", file(facts, span)) }
}

/// The functions that identify a group of paths: `A.login,src/b.ts:login>UsersService.updateToken`.
/// `end` is where the paths lead, with the name of the function there.
pub(crate) fn signature(facts: &Facts<'_>, entries: &[&EntryPoint], (end, function): (Span, &str)) -> String {
    signature_by(facts, entries, &place(facts, end, function))
}

/// The same with the way already in words: `AuthWebService.refresh>UsersService.updateToken`.
pub(crate) fn signature_by(facts: &Facts<'_>, entries: &[&EntryPoint], way: &str) -> String {
    let mut names: Vec<String> = entries.iter().map(|entry| entry_point(facts, entry)).collect();
    names.sort_unstable();
    names.dedup();
    let more = names.len().saturating_sub(SIGNED);
    names.truncate(SIGNED);
    let more = if more == 0 { String::new() } else { format!("+{more}") };
    format!("{}{more}>{way}", names.join(","))
}

/// A closure has no name that lasts: its route tells it from others in the same function.
fn entry_point(facts: &Facts<'_>, entry: &EntryPoint) -> String {
    let name = if entry.name.is_empty() { &entry.route } else { &entry.name };
    let around = Around::new(facts, entry.span);
    let place = place(facts, entry.span, name);
    if around.is_some_and(|around| around.is_named()) || entry.route.is_empty() || name == &entry.route {
        return place;
    }
    format!("{place} {}", entry.route)
}

fn file(facts: &Facts<'_>, span: Span) -> String {
    format!("{}{}", facts.below_repository, facts.sources.get(span.file).path)
}

/// A function with all functions and classes of its file.
#[derive(Clone, Copy)]
struct Around<'a> {
    module: &'a crate::ir::Module,
    function: &'a Function,
}

impl<'a> Around<'a> {
    /// The function that is named at `span`, else the innermost around it.
    fn new(facts: &Facts<'a>, span: Span) -> Option<Self> {
        let module = &facts.units.get(span.file)?.module;
        let named = module.functions.iter().find(|function| function.name_span == span);
        let contains = |function: &&Function| function.span.start <= span.start && span.end <= function.span.end;
        let innermost = || module.functions.iter().filter(contains).min_by_key(|f| f.span.end - f.span.start);
        Some(Self { module, function: named.or_else(innermost)? })
    }

    fn parent(&self) -> Option<Self> {
        let function = self.module.function(self.function.parent?);
        (function.kind != FunctionKind::Module).then_some(Self { function, ..*self })
    }

    /// Whether it is declared under a name of its own that is no local one.
    fn is_named(&self) -> bool {
        self.parent().is_none() && self.name().is_some()
    }

    fn class(&self) -> Option<&'a str> {
        let class = self.module.class(self.function.class?);
        Some(class.name.as_str()).filter(|name| !name.is_empty())
    }

    fn name(&self) -> Option<String> {
        let Function { name, kind, .. } = self.function;
        if *kind == FunctionKind::Module || name == "<closure>" {
            return None;
        }
        Some(self.class().map_or_else(|| name.clone(), |class| format!("{class}.{name}")))
    }

    fn outermost(self) -> Self {
        self.parent().map_or(self, Self::outermost)
    }
}
