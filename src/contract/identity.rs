//! Places in code as the identity of a finding names them: by function, never by line, local name or order of files.
//!
//! A method is known by its class and the package that this stands in, whatever file of it; a bare function (`POST`, `login`) is known by
//! its file, since other files have one of the same name, or will have. Nothing depends on what else the tree holds.

use sha2::{Digest as _, Sha256};

use crate::contract::Facts;
use crate::ir::{Function, FunctionKind};
use crate::provenance::EntryPoint;
use crate::source::Span;

/// How many entry points an identity names.
const SIGNED: usize = 20;

/// `UsersService.updateToken`, `packages/api:UsersService.updateToken`, `src/login.ts:login`: the function around `span` that is not a
/// local of another; `shown` stands for what has no name. Paths are seen from the repository's root.
pub(crate) fn place(facts: &Facts<'_>, span: Span, shown: &str) -> String {
    let around = Around::new(facts, span).map(Around::outermost);
    let name = around.as_ref().and_then(Around::name);
    let name = name.as_deref().unwrap_or(shown);
    let file = format!("{}{}", facts.below_repository, facts.sources.get(span.file).path);
    match (around.and_then(|around| around.class()), package(&file)) {
        (Some(_), "") => name.to_owned(),
        (Some(_), package) => format!("{package}:{name}"),
        (None, _) => format!("{file}:{name}"),
    }
}

/// What comes before a path's first `src`: the folder of a package of a monorepo, or nothing.
fn package(file: &str) -> &str {
    if file.starts_with("src/") {
        return "";
    }
    file.find("/src/").and_then(|at| file.get(..at)).unwrap_or_default()
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
    // Names beyond those that fit count all the same.
    let rest = names.split_off(SIGNED.min(names.len()));
    let more = if rest.is_empty() { String::new() } else { format!("+{}~{}", rest.len(), digest(&rest.join(","))) };
    format!("{}{more}>{way}", names.join(","))
}

fn digest(text: &str) -> String {
    let bytes = Sha256::digest(text.as_bytes());
    bytes.iter().take(4).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The method of a class is enough; of a bare function there may be several in one file, which their routes tell apart.
fn entry_point(facts: &Facts<'_>, entry: &EntryPoint) -> String {
    let name = if entry.name.is_empty() { &entry.route } else { &entry.name };
    let place = place(facts, entry.span, name);
    let is_method = Around::new(facts, entry.span).is_some_and(|around| around.is_method());
    if is_method || entry.route.is_empty() || name == &entry.route {
        return place;
    }
    format!("{place} {}", entry.route)
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

    /// Whether it is a method of a class, and no function inside of one.
    fn is_method(&self) -> bool {
        self.parent().is_none() && self.class().is_some() && self.name().is_some()
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
