//! What is kept of values that were taken apart.

use std::cell::{Cell, RefCell};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::provenance::chain::Chain;
use crate::summary::{FunctionRef, Shared, ValueKind};

/// What values came to, by their address (kept alive), their key, and the conditions under which they were taken apart.
#[derive(Debug, Default)]
pub(super) struct Known {
    values: RefCell<FxHashMap<(Key, u8), Kept>>,
    /// What values are made of; see [`Known::about`].
    about: RefCell<FxHashMap<usize, (Shared, u128)>>,
    /// Counts what was not looked into because it lies too deep.
    cut: Cell<u32>,
}

#[derive(Debug)]
struct Kept {
    chains: Vec<Chain>,
    _value: Shared,
}

impl Known {
    /// What a value came to, as far as that can be told at this depth.
    pub(super) fn get(&self, key: Key, depth: u8) -> Option<Vec<Chain>> {
        let values = self.values.borrow();
        if let Some(kept) = values.get(&(key, ANY_DEPTH)) {
            return Some(kept.chains.clone());
        }
        let kept = values.get(&(key, depth))?;
        // What was cut short at this depth is so again.
        self.cut::<()>();
        Some(kept.chains.clone())
    }

    /// Keeps what a value came to, and the value itself, whose address is in the key. `depth`: the only one that it holds for.
    pub(super) fn keep(&self, key: Key, depth: Option<u8>, value: &Shared, chains: &[Chain]) {
        let mut values = self.values.borrow_mut();
        if values.len() < MOST_KNOWN {
            values
                .insert((key, depth.unwrap_or(ANY_DEPTH)), Kept { chains: chains.to_vec(), _value: Arc::clone(value) });
        }
    }

    /// How often something lay too deep so far.
    pub(super) fn cuts(&self) -> u32 {
        self.cut.get()
    }

    /// Notes that something lies too deep: an answer that it would have been a part of holds for that depth alone.
    pub(super) fn cut<T>(&self) -> Option<T> {
        self.cut.set(self.cut.get().wrapping_add(1));
        None
    }

    /// The variables and calls that a value is made of, each as a bit of its own (or one that few share): a condition on anything
    /// else tells nothing of it. All bits where more lies behind it than is written out.
    pub(super) fn about(&self, value: &Shared) -> u128 {
        let key = Arc::as_ptr(value).addr();
        if let Some((_, known)) = self.about.borrow().get(&key) {
            return *known;
        }
        let own = match &value.kind {
            ValueKind::Captured(..) | ValueKind::Leaves(..) | ValueKind::Function(_) => u128::MAX,
            kind => root(kind),
        };
        let mut all = own;
        if own != u128::MAX {
            value.kind.each(&mut |inner| all |= self.about(inner));
        }
        self.about.borrow_mut().insert(key, (Arc::clone(value), all));
        all
    }
}

/// The bit of a variable or a call; none of other values.
fn root(kind: &ValueKind) -> u128 {
    let mut hasher = DefaultHasher::new();
    match kind {
        ValueKind::Param(function, at) => (function, at).hash(&mut hasher),
        ValueKind::Call(call) => call.site.hash(&mut hasher),
        ValueKind::This(class) => class.hash(&mut hasher),
        ValueKind::Import(file, id) => (file, id).hash(&mut hasher),
        ValueKind::Global(name) => name.hash(&mut hasher),
        _ => return 0,
    }
    1 << (hasher.finish() % 128)
}

/// The bits of what a condition tells something of; all where that is not plain.
pub(super) fn told_of(cond: &Shared, fuel: u8) -> u128 {
    let Some(fuel) = fuel.checked_sub(1) else { return u128::MAX };
    match &cond.kind {
        ValueKind::Null | ValueKind::Undefined | ValueKind::Text(_) | ValueKind::Number(_) | ValueKind::Bool(_) => 0,
        ValueKind::Field(base, _) | ValueKind::Not(base) | ValueKind::Is(base, _) => told_of(base, fuel),
        ValueKind::And(left, right)
        | ValueKind::Fallback { left, right, .. }
        | ValueKind::Compare { left, right, .. } => told_of(left, fuel) | told_of(right, fuel),
        ValueKind::Param(..) | ValueKind::Call(_) | ValueKind::This(_) | ValueKind::Import(..) => root(&cond.kind),
        _ => u128::MAX,
    }
}

/// The function at the top, and those of its parameters that an issuer hands in.
pub(super) type OfTop = Option<(FunctionRef, Vec<u32>)>;

/// Address; name and conditions.
pub(super) type Key = (usize, u64);

/// Nothing lay too deep.
const ANY_DEPTH: u8 = u8::MAX;

/// More values than this are not kept.
const MOST_KNOWN: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::chain::one;
    use crate::provenance::path::Origin;
    use crate::source::{FileId, Span};
    use crate::summary::Value;

    #[test]
    fn what_was_cut_short_holds_for_its_depth_alone_and_counts_as_cut_again() {
        let known = Known::default();
        let value = Value::new(ValueKind::Null, Span { file: FileId(0), start: 0, end: 4 });
        let (key, chains) = ((1, 2), one(Origin::Null, &value, "a literal null"));
        known.keep(key, Some(3), &value, &chains);
        assert!(known.get(key, 4).is_none());
        let before = known.cuts();
        assert!(known.get(key, 3).is_some());
        assert_ne!(known.cuts(), before);
        known.keep(key, None, &value, &chains);
        let before = known.cuts();
        assert!(known.get(key, 4).is_some());
        assert_eq!(known.cuts(), before);
    }
}
