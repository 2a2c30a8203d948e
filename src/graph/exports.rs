//! What a name means across files: imports, exports, re-exports, barrels.

use std::sync::Arc;

use crate::graph::kept::{held, is_variable};
use crate::graph::{Graph, Unit};
use crate::ir::{Binding, Export, ImportId, Imported, LocalId, WHOLE};
use crate::source::{FileId, Span};
use crate::summary::{ClassRef, FunctionRef, Shared, Slot, Value, ValueKind};

/// What an imported name stands for.
#[derive(Clone, Debug)]
pub enum Resolved {
    Value(Shared),
    /// All exports of a file.
    Namespace(FileId),
    /// A package outside the tree; `name` is empty for all of it, `default` for the default export.
    External {
        module: String,
        name: String,
    },
    /// A file of the tree without such an export, or not lowered yet.
    Missing,
}

impl Resolved {
    /// As a value; `None` for what lies outside the tree.
    pub(super) fn value(self) -> Option<Shared> {
        match self {
            Self::Value(value) => Some(value),
            Self::Namespace(file) => Some(Value::new(ValueKind::Module(file), Span { file, start: 0, end: 0 })),
            Self::External { .. } | Self::Missing => None,
        }
    }
}

/// Longer chains of re-exports are cycles.
const LONGEST_CHAIN: u8 = 24;

impl Graph<'_> {
    pub fn resolve_import(&self, file: FileId, id: ImportId) -> Resolved {
        self.imports.of(&(file, id), || (file, id), Resolved::Missing, &self.horizon, || self.import(file, id, 0))
    }

    /// The file of the tree that a value is imported from.
    pub fn imported_from(&self, value: &Shared) -> Option<FileId> {
        let ValueKind::Import(file, id) = value.kind else { return None };
        self.resolve_module(file, &self.module(file)?.imports.get(id.at())?.module)
    }

    /// The name by which a value is exported there.
    pub fn imported_name(&self, value: &Shared) -> Option<&str> {
        let ValueKind::Import(file, id) = value.kind else { return None };
        match &self.module(file)?.imports.get(id.at())?.what {
            Imported::Named(name) => Some(name),
            Imported::Default | Imported::Namespace => None,
        }
    }

    /// The file that a value is all exports of.
    pub(super) fn namespace(&self, value: &Shared) -> Option<FileId> {
        match &value.kind {
            ValueKind::Module(file) => Some(*file),
            ValueKind::Import(file, id) => match self.resolve_import(*file, *id) {
                Resolved::Namespace(inner) => Some(inner),
                _ => None,
            },
            // A CommonJS file's own: `exports.persist(..)`, `module.exports.persist(..)`.
            ValueKind::Global(name) if name == "exports" => Some(value.span.file),
            ValueKind::Field(base, name) if name == "exports" => {
                matches!(&base.kind, ValueKind::Global(name) if name == "module").then_some(value.span.file)
            }
            _ => None,
        }
    }

    fn import(&self, file: FileId, id: ImportId, depth: u8) -> Resolved {
        let Some(import) = self.module(file).and_then(|module| module.imports.get(id.at())) else {
            return Resolved::Missing;
        };
        self.imported(file, &import.module, &import.what, depth)
    }

    fn imported(&self, from: FileId, module: &str, what: &Imported, depth: u8) -> Resolved {
        if depth > LONGEST_CHAIN {
            return Resolved::Missing;
        }
        if self.is_rust(from) {
            return self.used(from, module, what, depth);
        }
        let Some(file) = self.resolve_module(from, module) else {
            let name = match what {
                Imported::Named(name) => name.clone(),
                Imported::Default => "default".to_owned(),
                Imported::Namespace => String::new(),
            };
            return Resolved::External { module: module.to_owned(), name };
        };
        match what {
            Imported::Namespace => self.whole(file, depth + 1).unwrap_or(Resolved::Namespace(file)),
            Imported::Default => self.export(file, "default", depth + 1),
            Imported::Named(name) => self.export(file, name, depth + 1),
        }
    }

    /// What `file` exports as `name`.
    pub fn resolve_export(&self, file: FileId, name: &str) -> Resolved {
        self.export(file, name, 0)
    }

    pub(super) fn export(&self, file: FileId, name: &str, depth: u8) -> Resolved {
        if depth > LONGEST_CHAIN {
            return Resolved::Missing;
        }
        let Some(unit) = self.wanted(file) else { return Resolved::Missing };
        let start = Span { file, start: 0, end: 0 };
        let mut reexported = Vec::new();
        for export in &unit.module.exports {
            match export {
                Export::Named { name: exported, binding } if exported == name => {
                    return self.bound(file, binding, depth + 1);
                }
                Export::Value { name: exported, .. } if exported == name => {
                    if let Some(value) = unit.summary.exported.get(name) {
                        return Resolved::Value(Arc::clone(value));
                    }
                }
                Export::From { name: exported, from, module } if exported == name => {
                    return self.imported(file, module, from, depth + 1);
                }
                Export::All { module } => reexported.push(module),
                _ => {}
            }
        }
        for module in reexported {
            if self.is_rust(file) {
                // In a module without a file a name grows by its path: once, or two of them would feed each other.
                if name.contains("::") && self.resolve_module(file, module).is_none() {
                    continue;
                }
                let find = || self.used(file, module, &Imported::Named(name.to_owned()), depth + 1);
                match self.through_glob(file, module, name, find) {
                    Resolved::Missing | Resolved::External { .. } => continue,
                    found => return found,
                }
            }
            if let Some(inner) = self.resolve_module(file, module) {
                let found = self.through_glob(file, module, name, || self.export(inner, name, depth + 1));
                if !matches!(found, Resolved::Missing) {
                    return found;
                }
            }
        }
        // What a CommonJS module exports as a whole is its default, and its keys are its names.
        match (name, self.whole(file, depth + 1)) {
            (WHOLE, _) => Resolved::Missing,
            ("default", Some(whole)) => whole,
            ("default", None) => {
                let named = self.named_exports(unit, depth);
                if named.is_empty() {
                    return Resolved::Missing;
                }
                Resolved::Value(Value::new(ValueKind::Object { base: None, entries: named }, start))
            }
            (_, Some(Resolved::Value(whole))) => Resolved::Value(Value::field(&whole, name, whole.span)),
            _ => Resolved::Missing,
        }
    }

    /// What `require` of a file gives that exports a value as a whole: that value, with the exports that are named besides.
    fn whole(&self, file: FileId, depth: u8) -> Option<Resolved> {
        let unit = self.wanted(file)?;
        let is_whole = |export: &Export| matches!(export, Export::Named { name, .. } | Export::Value { name, .. } if name == WHOLE);
        if !unit.module.exports.iter().any(is_whole) {
            return None;
        }
        match self.export(file, WHOLE, depth) {
            Resolved::Missing => None,
            Resolved::Value(value) => {
                let entries = self.named_exports(unit, depth);
                if entries.is_empty() {
                    return Some(Resolved::Value(value));
                }
                let span = value.span;
                Some(Resolved::Value(Value::new(ValueKind::Object { base: Some(value), entries }, span)))
            }
            other => Some(other),
        }
    }

    /// The exports of a file that have a name, as the entries of an object.
    fn named_exports(&self, unit: &Unit, depth: u8) -> Vec<Slot> {
        let file = unit.module.file;
        let key_span = Span { file, start: 0, end: 0 };
        let named = unit.module.exports.iter().filter_map(|export| match export {
            Export::Named { name, .. } | Export::Value { name, .. } if name != WHOLE && name != "default" => Some(name),
            _ => None,
        });
        named
            .filter_map(|name| {
                let value = self.export(file, name, depth + 1).value()?;
                Some(Slot::Named { key: name.clone(), key_span, value })
            })
            .collect()
    }

    fn bound(&self, file: FileId, binding: &Binding, depth: u8) -> Resolved {
        let start = Span { file, start: 0, end: 0 };
        let kind = match binding {
            Binding::Function(id) => ValueKind::Function(FunctionRef { file, id: *id }),
            Binding::Class(id) => ValueKind::Class(ClassRef { file, id: *id }),
            Binding::Import(id) => return self.import(file, *id, depth),
            Binding::Global(name) => ValueKind::Global(name.clone()),
            Binding::Local(local) => {
                return self.module_variable(file, *local).map_or(Resolved::Missing, Resolved::Value);
            }
        };
        Resolved::Value(Value::new(kind, start))
    }

    /// The values of a variable of the module itself.
    pub fn module_variable(&self, file: FileId, local: LocalId) -> Option<Shared> {
        self.any_value_of(FunctionRef { file, id: crate::ir::FunctionId(0) }, local)
    }

    /// Every value that a function's own variable takes, as one value.
    pub fn any_value_of(&self, function: FunctionRef, local: LocalId) -> Option<Shared> {
        if let Some(at) = self.function(function)?.params.iter().position(|param| param.local == local) {
            let span = self.function(function)?.params[at].span;
            let values = self.summary(function)?.assigned.get(&local);
            if values.is_none_or(Vec::is_empty) {
                return Some(Value::new(ValueKind::Param(function, u32::try_from(at).unwrap_or(u32::MAX)), span));
            }
        }
        let assigned = self.summary(function)?.assigned.get(&local).into_iter().flatten();
        let mut values: Vec<Shared> =
            assigned.filter(|value| !matches!(value.kind, ValueKind::Leaves(..))).cloned().collect();
        values.extend(self.left_in(function.file, local, &[]));
        let span = values.first()?.span;
        Some(held(values, span, &|value| is_variable(value, local)))
    }
}
