//! What the declared type of a value says of one of its keys.

use crate::graph::{Graph, Type};
use crate::ir::ClassKind;
use crate::summary::Shared;

/// What a declared type says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Required,
    Optional,
    /// All keys are written out, and this is none of them.
    Absent,
}

/// `None`: the type is not known, or leaves its keys open.
pub(super) fn declared(graph: &Graph, value: &Shared, key: &str) -> Option<Key> {
    let Type::Instance(class, _) = graph.type_of(value) else { return None };
    let line = graph.lineage(class);
    for owner in line.iter() {
        let class = graph.class(*owner)?;
        if class.open || class.kind == ClassKind::Alias {
            return None;
        }
        if let Some(field) = class.fields.iter().find(|field| field.name == key) {
            return Some(if field.optional { Key::Optional } else { Key::Required });
        }
    }
    let extends_outside = line.iter().any(|owner| {
        graph.class(*owner).is_some_and(|class| {
            class.extends_call.is_some()
                || class.extends.iter().any(|base| !matches!(graph.resolve_type(owner.file, base), Type::Instance(..)))
        })
    });
    (!extends_outside).then_some(Key::Absent)
}
