//! The other names that functions go by: under which a file exports them, or an object holds them.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::graph::{Graph, Resolved};
use crate::ir::{Export, FunctionId, WHOLE};
use crate::source::FileId;
use crate::summary::{FunctionRef, Shared, Slot, ValueKind};

/// Objects in objects are looked into this far.
const DEEPEST: u8 = 3;

/// Function -> names that are not its own.
pub(super) type Aliases = FxHashMap<FunctionRef, BTreeSet<String>>;

impl Graph<'_> {
    /// What callers may call a function beside its own name: `store` of `export { updateToken as store }`, `{ store: updateToken }`.
    pub fn other_names(&self, of: FunctionRef) -> impl Iterator<Item = &str> {
        let aliases = self.aliases.get_or_init(|| self.find_aliases());
        aliases.get(&of).into_iter().flatten().map(String::as_str)
    }

    fn find_aliases(&self) -> Aliases {
        let mut found = Aliases::default();
        for (file, unit) in self.units().filter(|(file, _)| !self.is_rust(*file)) {
            for export in &unit.module.exports {
                if let Export::Named { name, .. } | Export::From { name, .. } = export
                    && name != "default"
                    && name != WHOLE
                    && let Resolved::Value(value) = self.resolve_export(file, name)
                {
                    self.note(file, name, &value, &mut found);
                }
            }
            let module = unit.summary.functions.first();
            let kept = module.into_iter().flat_map(|module| module.assigned.values().flatten());
            let given = unit.summary.functions.iter().filter_map(|function| function.returns.as_ref());
            for value in unit.summary.exported.values().chain(kept).chain(given) {
                self.held(file, value, DEEPEST, &mut found);
            }
        }
        found
    }

    /// The functions that an object holds, by its keys.
    fn held(&self, file: FileId, value: &Shared, fuel: u8, found: &mut Aliases) {
        let Some(fuel) = fuel.checked_sub(1) else { return };
        let ValueKind::Object { entries, .. } = &value.kind else { return };
        for entry in entries {
            if let Slot::Named { key, value, .. } = entry {
                self.note(file, key, value, found);
                self.held(file, value, fuel, found);
            }
        }
    }

    fn note(&self, file: FileId, name: &str, value: &Shared, found: &mut Aliases) {
        let own = |value: &Shared| match &value.kind {
            ValueKind::Function(function) => Some(*function),
            // `const verifySession = cache(async () => ..)`
            ValueKind::Call(_) => match self.wrapped(value)?.kind {
                ValueKind::Function(function) => Some(function),
                _ => None,
            },
            _ => None,
        };
        let function = match &value.kind {
            ValueKind::Import(from, id) => match self.resolve_import(*from, *id) {
                Resolved::Value(value) => own(&value),
                _ => None,
            },
            // `const store = updateToken` of the module itself.
            ValueKind::Captured(of, local) if of.file == file => {
                self.any_value_of(FunctionRef { file, id: FunctionId(0) }, *local).and_then(|value| own(&value))
            }
            _ => own(value),
        };
        if let Some(function) = function
            && self.called_as(function) != name
        {
            found.entry(function).or_default().insert(name.to_owned());
        }
    }
}
