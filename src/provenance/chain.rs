//! Chains of origins and their algebra: in turn, in the alternative, each once.

use std::collections::BTreeSet;

use crate::ir::Missing;
use crate::provenance::path::{Hop, Meaning, Origin};
use crate::rules::Form;
use crate::summary::{CallSite, Shared};

/// One source of a value.
#[derive(Clone, Debug)]
pub(super) struct Atom {
    pub origin: Origin,
    pub form: Option<Form>,
    /// Never NULL or `undefined`: made here.
    pub definite: bool,
    pub inferred: bool,
    pub reason: String,
    pub trail: Vec<Hop>,
    pub mint: Option<CallSite>,
}

/// Alternatives in order: the first that is there.
pub(super) type Chain = Vec<Atom>;

/// More alternatives than these are joined by their origin alone.
const WIDEST: usize = 24;

/// A value of one origin.
pub(super) fn one(origin: Origin, value: &Shared, reason: impl Into<String>) -> Vec<Chain> {
    let form = match origin {
        Origin::Null | Origin::Omitted | Origin::Generated => None,
        _ => Some(Form::Plain),
    };
    let reason = reason.into();
    let trail = vec![Hop::proven(value.span, reason.clone())];
    vec![vec![Atom { origin, form, definite: false, inferred: false, reason, trail, mint: None }]]
}

/// A value that cannot be told, and why.
pub(super) fn unknown(value: &Shared, why: impl Into<String>) -> Vec<Chain> {
    let mut chains = one(Origin::Unknown, value, why);
    chains[0][0].form = Some(Form::Unknown);
    chains[0][0].doubt();
    chains
}

/// What is not there at all, rather than there and NULL.
pub(super) const UNDEFINED: &str = "undefined";
pub(super) const NONE: &str = "`None`";

/// Hops that a value's trail keeps.
const MOST_HOPS: usize = 40;

impl Atom {
    /// The value comes here through one more step.
    pub(super) fn passes(&mut self, hop: Hop) {
        self.inferred |= !hop.certain;
        self.trail.insert(0, hop);
        self.trail.truncate(MOST_HOPS);
    }

    /// What it is believed to come from is not proven.
    pub(super) fn doubt(&mut self) {
        self.inferred = true;
        if let Some(source) = self.trail.first_mut() {
            source.certain = false;
        }
    }

    pub(super) fn is_undefined(&self) -> bool {
        self.origin == Origin::Null && (self.reason == UNDEFINED || self.reason == NONE)
    }
}

pub(super) fn rank(atom: &Atom) -> u8 {
    match (atom.origin, atom.form) {
        (_, Some(Form::Encrypted)) => 7,
        (_, Some(Form::Hashed)) => 6,
        (Origin::Fresh, _) => 5,
        (Origin::Preserved, _) => 4,
        (Origin::Unknown, _) => 3,
        (Origin::Supplied, _) if !atom.definite => 2,
        (Origin::Supplied, _) => 1,
        _ => 0,
    }
}

pub(super) fn fallback(left: Vec<Chain>, when: Missing, right: impl FnOnce() -> Vec<Chain>) -> Vec<Chain> {
    if left.is_empty() {
        return right();
    }
    let ends_missing = |chain: &Chain| chain.last().is_none_or(|last| !last.definite);
    if !left.iter().any(ends_missing) {
        return left;
    }
    let right = right();
    let mut all = Vec::new();
    for chain in left {
        let Some(last) = chain.last() else { continue };
        if last.definite {
            all.push(chain);
            continue;
        }
        let drops = last.origin == Origin::Null && (when != Missing::Undefined || last.is_undefined());
        // A default for `undefined` leaves a value that was handed over as it is.
        if when == Missing::Undefined && !drops {
            let handed = last.origin != Origin::Supplied && last.origin != Origin::Unknown;
            if handed {
                all.push(chain);
                continue;
            }
        }
        for then in &right {
            let mut joined: Chain = if drops { chain[..chain.len() - 1].to_vec() } else { chain.clone() };
            joined.extend(then.iter().cloned());
            all.push(joined);
        }
    }
    all
}

pub(super) fn join(mut left: Vec<Chain>, right: Vec<Chain>) -> Vec<Chain> {
    left.extend(right);
    if left.len() > WIDEST { dedup(left) } else { left }
}

/// One chain of each kind; the first stays.
pub(super) fn dedup(chains: Vec<Chain>) -> Vec<Chain> {
    let mut seen = BTreeSet::new();
    chains
        .into_iter()
        .map(|mut chain| {
            chain.dedup_by(|next, kept| next.origin == kept.origin && next.form == kept.form);
            chain
        })
        .filter(|chain| {
            let key: Vec<_> = chain.iter().map(|atom| (atom.origin, atom.form, atom.inferred, atom.mint)).collect();
            seen.insert(key)
        })
        .take(WIDEST * 4)
        .collect()
}

pub(super) fn meaning(chains: &[Chain]) -> Meaning {
    Meaning { chains: chains.iter().map(origins).collect() }
}

fn origins(chain: &Chain) -> Vec<Origin> {
    let mut all: Vec<Origin> = chain.iter().map(|atom| atom.origin).collect();
    all.dedup();
    all
}

/// A condition told that the value is there: what would be missing falls away.
pub(super) fn drop_missing(chains: &mut Vec<Chain>) {
    for chain in chains.iter_mut() {
        chain.retain(|atom| atom.origin != Origin::Null);
    }
    chains.retain(|chain| !chain.is_empty());
}

/// A condition told that the value is missing: what it can be then.
pub(super) fn keep_missing(chains: &mut Vec<Chain>) {
    for chain in chains.iter_mut() {
        chain.retain(|atom| atom.origin == Origin::Null);
    }
    chains.retain(|chain| !chain.is_empty());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ORIGINS: [Origin; 5] = [Origin::Fresh, Origin::Preserved, Origin::Null, Origin::Supplied, Origin::Unknown];

    fn atom() -> impl Strategy<Value = Atom> {
        (0..ORIGINS.len(), any::<bool>()).prop_map(|(at, definite)| Atom {
            origin: ORIGINS[at],
            form: None,
            definite: definite && ORIGINS[at] != Origin::Null,
            inferred: false,
            reason: String::new(),
            trail: Vec::new(),
            mint: None,
        })
    }

    fn chains() -> impl Strategy<Value = Vec<Chain>> {
        prop::collection::vec(prop::collection::vec(atom(), 1..3), 1..4)
    }

    fn or(left: &[Chain], right: &[Chain]) -> Vec<Chain> {
        fallback(left.to_vec(), Missing::Nullish, || right.to_vec())
    }

    fn shown(chains: &[Chain]) -> Meaning {
        meaning(&dedup(chains.to_vec()))
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_fallbacks_are_bracketed(a in chains(), b in chains(), c in chains()) {
            prop_assert_eq!(shown(&or(&or(&a, &b), &c)), shown(&or(&a, &or(&b, &c))));
        }

        #[test]
        fn the_order_of_alternatives_does_not_matter(a in chains(), b in chains()) {
            prop_assert_eq!(shown(&join(a.clone(), b.clone())), shown(&join(b, a)));
        }

        #[test]
        fn an_alternative_given_twice_counts_once(a in chains()) {
            prop_assert_eq!(shown(&join(a.clone(), a.clone())), shown(&a));
        }

        #[test]
        fn what_is_always_there_has_no_fallback(a in chains(), b in chains()) {
            let mut a = a;
            for chain in &mut a {
                chain.last_mut().unwrap().definite = true;
            }
            prop_assert_eq!(meaning(&or(&a, &b)), meaning(&a));
        }
    }
}
