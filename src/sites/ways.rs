//! Ways to put a text or a list together, each with the conditions under which it is put together so.

use std::sync::Arc;

use crate::graph::Graph;
use crate::summary::Shared;

/// More ways than these are not told apart.
pub(super) const WIDEST: usize = 16;

/// A condition, and whether it holds.
pub(super) type Condition = (Shared, bool);

/// A part, of a text or of a list, that may be no more than a condition.
pub(super) trait Conditional: Clone {
    fn condition(&self) -> Option<&Condition>;
}

/// The conditions among the parts.
pub(super) fn conditions<T: Conditional>(way: &[T]) -> Vec<Condition> {
    way.iter().filter_map(T::condition).cloned().collect()
}

/// Whether no condition would have to hold and fail at once. What is written alike is the same.
pub(super) fn go_together(graph: &Graph, some: &[Condition], others: &[Condition]) -> bool {
    let is_same = |one: &Shared, other: &Shared| {
        Arc::ptr_eq(one, other) || graph.sources.text(one.span) == graph.sources.text(other.span)
    };
    let contradicts =
        |(one, holds): &Condition, (other, otherwise): &Condition| holds != otherwise && is_same(one, other);
    !some.iter().any(|one| others.iter().any(|other| contradicts(one, other)))
}

/// Each of the ways where a condition holds.
pub(super) fn under<T: Conditional>(ways: Vec<Vec<T>>, condition: &T) -> Vec<Vec<T>> {
    ways.into_iter().map(|way| std::iter::once(condition.clone()).chain(way).collect()).collect()
}

/// Every way of the first followed by every way of the next that goes with it; of too many only so many that each stands in one.
pub(super) fn in_order<T: Conditional>(graph: &Graph, all: impl Iterator<Item = Vec<Vec<T>>>) -> Vec<Vec<T>> {
    let mut found: Vec<Vec<T>> = vec![Vec::new()];
    for ways in all {
        let goes_on = |before: &&Vec<T>, way: &&Vec<T>| go_together(graph, &conditions(before), &conditions(way));
        let one = |before: &Vec<T>, way: &Vec<T>| before.iter().chain(way).cloned().collect::<Vec<T>>();
        let pairs = found.iter().flat_map(|before| ways.iter().map(move |way| (before, way)));
        let next: Vec<Vec<T>> =
            pairs.filter(|(before, way)| goes_on(before, way)).map(|(before, way)| one(before, way)).collect();
        found = if next.is_empty() || next.len() > WIDEST {
            // Each stands in one of them.
            let most = found.len().max(ways.len()).min(WIDEST);
            let (befores, afters) = (found.iter().cycle(), ways.iter().cycle());
            befores.zip(afters).take(most).map(|(before, way)| one(before, way)).collect()
        } else {
            next
        };
    }
    found
}
