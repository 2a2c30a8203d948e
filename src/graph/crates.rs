//! Rust's module paths -> files and items: `crate::a::b`, `self::a`, `super::a`, `other_crate::a`.

use crate::graph::{Graph, Resolved};
use crate::ir::{Export, Imported};
use crate::source::{FileId, Language};
use crate::summary::{Value, ValueKind};

/// Modules that are re-exported further than this are not followed.
const DEEPEST: u8 = 12;

impl Graph<'_> {
    pub(crate) fn is_rust(&self, file: FileId) -> bool {
        self.sources.get(file).language == Language::Rust
    }

    /// The file of a module path.
    pub(super) fn rust_module(&self, from: FileId, path: &str) -> Option<FileId> {
        let mut steps = path.split("::").peekable();
        let (folder, root, mut modules) = match *steps.peek()? {
            "crate" | "self" | "super" => self.place(from),
            name => {
                let root = self.sources.modules.crates.get(name)?;
                let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
                (folder.to_owned(), Some(self.sources.find(root)?), Vec::new())
            }
        };
        let mut is_first = true;
        for step in steps {
            match step {
                "self" => {}
                "super" => _ = modules.pop()?,
                // `crate`, or the name of a crate: its root.
                _ if is_first => modules.clear(),
                step => modules.push(step.to_owned()),
            }
            is_first = false;
        }
        if modules.is_empty() {
            return root;
        }
        let below = modules.join("/");
        let stem = if folder.is_empty() { below } else { format!("{folder}/{below}") };
        self.sources.find(&format!("{stem}.rs")).or_else(|| self.sources.find(&format!("{stem}/mod.rs")))
    }

    /// The folder of the crate that a file belongs to, its root file, and the file's module path in it.
    fn place(&self, file: FileId) -> (String, Option<FileId>, Vec<String>) {
        let path = self.sources.get(file).path.as_str();
        let own = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let at = |folder: &str, name: &str| {
            let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            self.sources.find(&path)
        };
        let is_main = path.rsplit('/').next() == Some("main.rs");
        let mut folder = own;
        loop {
            let (library, program) = (at(folder, "lib.rs"), at(folder, "main.rs"));
            let root = if is_main && folder == own { program.or(library) } else { library.or(program) };
            if let Some(root) = root {
                let inside = path.strip_prefix(folder).unwrap_or(path).trim_start_matches('/');
                let stem = inside.strip_suffix(".rs").unwrap_or(inside);
                let mut modules: Vec<String> = stem.split('/').map(str::to_owned).collect();
                if modules.last().is_some_and(|last| last == "mod")
                    || (modules.len() == 1 && ["lib", "main"].contains(&modules[0].as_str()))
                {
                    modules.pop();
                }
                return (folder.to_owned(), Some(root), modules);
            }
            if folder.is_empty() {
                // A crate of its own: an integration test, an example.
                return (own.to_owned(), Some(file), Vec::new());
            }
            folder = folder.rsplit_once('/').map_or("", |(up, _)| up);
        }
    }

    /// What a `use` brings in: a module that is a file, an item, a part of an item (a variant, a column of a table).
    pub(super) fn used(&self, from: FileId, module: &str, what: &Imported, depth: u8) -> Resolved {
        let Imported::Named(name) = what else {
            if let Some(file) = self.resolve_module(from, module) {
                return Resolved::Namespace(file);
            }
            return match module.rsplit_once("::") {
                Some((above, name)) => self.used(from, above, &Imported::Named(name.to_owned()), depth + 1),
                None => Resolved::External { module: module.to_owned(), name: String::new() },
            };
        };
        if let Some(file) = self.resolve_module(from, &format!("{module}::{name}")) {
            return Resolved::Namespace(file);
        }
        if let Some(file) = self.resolve_module(from, module) {
            let found = self.export(file, name, depth + 1);
            return match found {
                Resolved::Missing if file == from && module == "self" => self.globbed(from, name, depth + 1),
                found => found,
            };
        }
        let mut above = module;
        let mut inner: Vec<&str> = Vec::new();
        while let Some((rest, last)) = above.rsplit_once("::") {
            inner.insert(0, last);
            above = rest;
            let Some(file) = self.resolve_module(from, above) else { continue };
            let full = format!("{}::{name}", inner.join("::"));
            let found = self.export(file, &full, depth + 1);
            if !matches!(found, Resolved::Missing) {
                return found;
            }
            // Through modules that stand in the file to an item of it: `schema::users::dsl`.
            let taken = (1..=inner.len())
                .map(|taken| (taken, self.export(file, &inner[..taken].join("::"), depth + 1)))
                .find(|(_, found)| !matches!(found, Resolved::Missing));
            let (taken, value) = match taken {
                Some((taken, Resolved::Value(value))) => (taken, value),
                // `pub use other_crate::models`
                Some((taken, Resolved::Namespace(inside))) if depth < DEEPEST => {
                    let module =
                        ["self"].into_iter().chain(inner.iter().skip(taken).copied()).collect::<Vec<_>>().join("::");
                    return self.used(inside, &module, what, depth + 1);
                }
                // `extern crate diesel;` in the root.
                Some((taken, Resolved::External { module, name: first })) => {
                    let rest = inner.iter().skip(taken).copied().chain([name.as_str()]);
                    let name = Some(first.as_str()).filter(|first| !first.is_empty()).into_iter().chain(rest);
                    return Resolved::External { module, name: name.collect::<Vec<_>>().join(".") };
                }
                _ => return Resolved::Missing,
            };
            let span = value.span;
            let steps = inner.iter().skip(taken).copied().chain(std::iter::once(name.as_str()));
            let value = steps.fold(self.resolved(&value), |at, step| Value::field(&at, step, span));
            return match value.kind {
                ValueKind::Undefined => Resolved::Missing,
                _ => Resolved::Value(value),
            };
        }
        if ["crate", "self", "super"].contains(&above) || self.sources.modules.crates.contains_key(above) {
            return Resolved::Missing;
        }
        inner.push(name);
        self.through_globbed(from, above, &inner, depth)
            .unwrap_or_else(|| Resolved::External { module: above.to_owned(), name: inner.join(".") })
    }

    /// What a path stands for whose first step is no crate of the tree, where a `use x::*` of the file brings a module, a table or a
    /// type of that name: such a name goes before a crate's.
    fn through_globbed(&self, from: FileId, first: &str, rest: &[&str], depth: u8) -> Option<Resolved> {
        if depth >= DEEPEST || ["std", "core", "alloc"].contains(&first) {
            return None;
        }
        match self.globbed(from, first, depth + 1) {
            Resolved::Namespace(file) => {
                let (last, around) = rest.split_last()?;
                let module = ["self"].into_iter().chain(around.iter().copied()).collect::<Vec<_>>().join("::");
                Some(self.used(file, &module, &Imported::Named((*last).to_owned()), depth + 1))
            }
            Resolved::Value(value) => {
                let span = value.span;
                let value = rest.iter().fold(self.resolved(&value), |at, step| Value::field(&at, step, span));
                (!matches!(value.kind, ValueKind::Undefined)).then_some(Resolved::Value(value))
            }
            Resolved::External { .. } | Resolved::Missing => None,
        }
    }

    /// A name that only a `use x::*` of the file can explain; one that no module of the tree has is of the only library.
    fn globbed(&self, from: FileId, name: &str, depth: u8) -> Resolved {
        let Some(unit) = self.unit(from) else { return Resolved::Missing };
        let globs = unit.module.exports.iter().filter_map(|export| match export {
            Export::From { name, module, .. } if name == "*" => Some(module),
            Export::All { module } => Some(module),
            _ => None,
        });
        let mut outside: Vec<(String, String)> = Vec::new();
        for module in globs {
            let find = || self.used(from, module, &Imported::Named(name.to_owned()), depth + 1);
            match self.through_glob(from, module, name, find) {
                Resolved::Missing => {}
                Resolved::External { module, name } => outside.push((module, name)),
                found => return found,
            }
        }
        outside.sort();
        outside.dedup_by(|a, b| a.0 == b.0);
        match outside.pop() {
            Some((module, name)) if outside.is_empty() => Resolved::External { module, name },
            _ => Resolved::Missing,
        }
    }
}
