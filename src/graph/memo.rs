//! Answers that are kept, and how far the question under which they were found could see.

use std::borrow::Borrow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::source::FileId;
use crate::summary::{Shared, Value};

/// Answers by what was asked.
///
/// While an answer is being worked out its place holds the default, which ends recursion through cycles.
#[derive(Debug)]
pub(super) struct Memo<T, K = Address>(RefCell<FxHashMap<K, Known<T>>>);

#[derive(Debug)]
struct Known<T> {
    answer: T,
    /// The limit that it was found under, where that mattered.
    under: Option<u32>,
}

/// A value as a key. Values are shared, so their address stands for them; the value that is held keeps the address taken.
#[derive(Debug)]
pub(super) struct Address {
    at: *const Value,
    _held: Shared,
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Address {}

impl Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.at.hash(state);
    }
}

impl Borrow<*const Value> for Address {
    fn borrow(&self) -> &*const Value {
        &self.at
    }
}

impl<T, K> Default for Memo<T, K> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T: Clone> Memo<T> {
    pub(super) fn get(&self, value: &Shared, cut: T, horizon: &Horizon, work: impl FnOnce() -> T) -> T {
        let at = Arc::as_ptr(value);
        self.of(&at, || Address { at, _held: Arc::clone(value) }, cut, horizon, work)
    }
}

impl<T: Clone, K: Eq + Hash> Memo<T, K> {
    /// An answer that a used-up budget cut short is not kept. One that a limit kept a file out of holds as long as that limit does, so
    /// that the same question without it asks for the file, and a long chain of calls is not worked out anew from each of its links.
    pub(super) fn of<Q: Eq + Hash>(
        &self,
        key: &Q,
        own: impl FnOnce() -> K,
        cut: T,
        horizon: &Horizon,
        work: impl FnOnce() -> T,
    ) -> T
    where
        K: Borrow<Q>,
    {
        let now = horizon.limit.get();
        let known = self.0.borrow().get(key).map(|known| (known.answer.clone(), known.under));
        match known {
            Some((answer, None)) => return answer,
            Some((answer, Some(limit))) if limit == now => {
                horizon.hide();
                return answer;
            }
            _ => {}
        }
        let before = (horizon.hidden.get(), horizon.starved.get());
        self.0.borrow_mut().insert(own(), Known { answer: cut, under: None });
        let found = work();
        if horizon.starved.get() == before.1 {
            let under = (horizon.hidden.get() != before.0).then_some(now);
            if let Some(known) = self.0.borrow_mut().get_mut(key) {
                *known = Known { answer: found.clone(), under };
            }
        } else {
            // A question with more steps left gets further.
            self.0.borrow_mut().remove(key);
        }
        found
    }
}

/// How far the question under way sees.
#[derive(Debug, Default)]
pub(super) struct Horizon {
    /// Counts the files that a limit kept from being asked for.
    pub(super) hidden: Cell<u32>,
    /// The number of the limit that holds; 0: none.
    pub(super) limit: Cell<u32>,
    /// The same files are the same limit, however often it is set.
    limits: RefCell<FxHashMap<Rc<BTreeSet<FileId>>, u32>>,
    /// Counts the steps that were not taken because the budget of the question was used up.
    pub(super) starved: Cell<u32>,
}

impl Horizon {
    pub(super) fn hide(&self) {
        self.hidden.set(self.hidden.get().wrapping_add(1));
    }

    pub(super) fn starve(&self) {
        self.starved.set(self.starved.get().wrapping_add(1));
    }

    /// Sees these files, or all; the number of the limit before.
    pub(super) fn moved(&self, to: Option<&Rc<BTreeSet<FileId>>>) -> u32 {
        let number = to.map_or(0, |files| {
            let mut known = self.limits.borrow_mut();
            let next = u32::try_from(known.len()).unwrap_or(u32::MAX).saturating_add(1);
            *known.entry(Rc::clone(files)).or_insert(next)
        });
        self.limit.replace(number)
    }
}

/// See [`crate::graph::Graph::limit`].
#[derive(Debug)]
pub struct Limit<'g> {
    pub(super) horizon: &'g Horizon,
    pub(super) limits: &'g RefCell<Option<Rc<BTreeSet<FileId>>>>,
    pub(super) before: (u32, Option<Rc<BTreeSet<FileId>>>),
}

impl Drop for Limit<'_> {
    fn drop(&mut self) {
        self.horizon.limit.set(self.before.0);
        self.limits.replace(self.before.1.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_are_the_same_limit() {
        let horizon = Horizon::default();
        let files = |all: &[u32]| Rc::new(all.iter().copied().map(FileId).collect::<BTreeSet<_>>());
        let memo: Memo<u32, u32> = Memo::default();
        let asked = |under: Option<&Rc<BTreeSet<FileId>>>, answer: u32| {
            horizon.moved(under);
            let work = || {
                horizon.hide();
                answer
            };
            memo.of(&7, || 7, 0, &horizon, work)
        };
        assert_eq!(asked(Some(&files(&[])), 1), 1);
        assert_eq!(asked(Some(&files(&[])), 2), 1);
        assert_eq!(asked(Some(&files(&[3])), 3), 3);
        assert_eq!(asked(None, 4), 4);
    }
}
