//! Whether a column's paths agree, and which way to go where they do not.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Contract;
use crate::contract::Verdict;
use crate::contract::case::Case;
use crate::contract::changes::{to_drop, to_write};
use crate::contract::practice::{Practice, Stance};
use crate::contract::prediction::predictions;
use crate::provenance::EntryPoint;
use crate::source::Span;

/// Fewer issuing entry points than these recommend nothing.
const ENOUGH: usize = 3;

/// Issuing entry points by what they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Votes {
    pub(crate) storing: usize,
    pub(crate) others: usize,
    /// Of the others those that leave no fresh token on any branch.
    pub(crate) leaving: usize,
    /// Those that could not be told.
    pub(crate) unknown: usize,
}

impl Votes {
    pub(crate) fn count(practices: &[Practice<'_>]) -> Self {
        let stances = || handlers(practices).into_iter().map(|(_, stance)| stance);
        let storing = stances().filter(|stance| *stance == Stance::Stores).count();
        let unknown = stances().filter(|stance| *stance == Stance::Unknown).count();
        let leaves =
            |stance: &Stance| matches!(stance, Stance::Missing | Stance::Omits | Stance::Clears | Stance::Keeps);
        let leaving = stances().filter(leaves).count();
        Self { storing, unknown, leaving, others: stances().count().saturating_sub(storing).saturating_sub(unknown) }
    }

    pub(crate) fn agree(self) -> bool {
        self.storing == 0 || self.others == 0
    }

    /// The direction of the majority: one that what could not be told cannot overturn.
    pub(crate) fn recommendation(self) -> Option<Contract> {
        if self.storing.saturating_add(self.others) < ENOUGH {
            None
        } else if self.storing > self.others.saturating_add(self.unknown) {
            Some(Contract::WriteConsistently)
        } else if self.leaving.saturating_mul(2) > self.storing.saturating_add(self.others).saturating_add(self.unknown)
        {
            Some(Contract::DropWrites)
        } else {
            None
        }
    }
}

pub(crate) fn verdict(case: &Case<'_>) -> Verdict {
    let votes = Votes::count(&case.practices);
    let misses = case.practices.iter().any(|practice| practice.missing.is_some());
    let recommended = votes.recommendation();
    let is_to_go = case.contract().is_none() && recommended == Some(Contract::DropWrites);
    // Reads stop first, and a row that takes no NULL cannot be inserted without it.
    let kept_by = match () {
        () if !is_to_go => None,
        () if case.reads().next().is_some() => Some("it is read"),
        () if case.column.nullable == Some(false) => Some("it is not nullable"),
        () => None,
    };
    Verdict {
        agree: votes.agree() && !misses,
        majority: majority(&case.practices, votes),
        recommendation: case.contract().or(recommended.filter(|_| kept_by.is_none())),
        kept_by,
        to_write: to_write(case),
        to_drop: to_drop(case),
        predictions: predictions(case),
    }
}

/// The handlers and what they do: a handler that several routes lead to (`@Get(['a', 'b'])`) is one.
fn handlers<'a>(practices: &[Practice<'a>]) -> BTreeSet<((Span, &'a str), Stance)> {
    let name = |entry: &'a EntryPoint| if entry.name == entry.route { "" } else { entry.name.as_str() };
    practices.iter().map(|practice| ((practice.entry.span, name(practice.entry)), practice.stance)).collect()
}

/// The label that most issuing entry points share, of the side that outvotes the other: what is recommended by them goes their way.
fn majority(practices: &[Practice<'_>], votes: Votes) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let wins = |stance: Stance| match stance {
        Stance::Unknown => false,
        Stance::Stores => votes.storing > votes.others,
        _ => votes.others > votes.storing,
    };
    for (_, stance) in handlers(practices).into_iter().filter(|(_, stance)| wins(*stance)) {
        *counts.entry(stance.label()).or_default() += 1;
    }
    let most = counts.values().copied().max()?;
    let mut winners = counts.iter().filter(|(_, count)| **count == most);
    match (winners.next(), winners.next()) {
        (Some((label, _)), None) => Some((*label).to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::bench::{bench, path};

    fn judged(bench: &crate::contract::bench::Bench) -> Verdict {
        bench.judge().verdicts.remove(0)
    }

    #[test]
    fn three_of_four_recommend_the_way_of_the_three() {
        let writes = bench()
            .update(10, vec![path("a", "fresh"), path("b", "fresh"), path("c", "fresh"), path("d", "preserved")]);
        let verdict = judged(&writes);
        assert!(!verdict.agree);
        assert_eq!(verdict.majority.as_deref(), Some("fresh"));
        assert_eq!(verdict.recommendation, Some(Contract::WriteConsistently));
        let drops = bench().update(10, vec![path("a", "fresh"), path("b", "preserved"), path("d", "preserved")]);
        assert_eq!(judged(&drops.missing("c", 30)).recommendation, Some(Contract::DropWrites));
    }

    #[test]
    fn a_handler_that_several_routes_lead_to_is_one() {
        let at = |route: &str| {
            let mut path = path("login", "fresh");
            path.entry.route = route.into();
            path
        };
        let writes = bench().update(10, vec![at("GET /a"), at("GET /b"), at("GET /c"), path("d", "preserved")]);
        assert_eq!(judged(&writes).majority, None);
        assert_eq!(judged(&writes).recommendation, None);
    }

    #[test]
    fn a_tie_and_a_small_number_recommend_nothing() {
        let tie = bench()
            .update(10, vec![path("a", "fresh"), path("b", "fresh"), path("c", "preserved"), path("d", "preserved")]);
        let verdict = judged(&tie);
        assert_eq!((verdict.majority, verdict.recommendation), (None, None));
        let two = bench().update(10, vec![path("a", "fresh"), path("b", "fresh")]);
        let verdict = judged(&two);
        assert!(verdict.agree);
        assert_eq!((verdict.majority.as_deref(), verdict.recommendation), (Some("fresh"), None));
    }

    #[test]
    fn the_majority_is_of_the_side_that_the_recommendation_follows() {
        let split = vec![path("a", "fresh"), path("b", "fresh"), path("c", "preserved"), path("d", "null")];
        let verdict = judged(&bench().update(10, split).missing("e", 30));
        assert_eq!((verdict.majority, verdict.recommendation), (None, Some(Contract::DropWrites)));
    }

    #[test]
    fn paths_of_which_one_misses_its_write_do_not_agree() {
        let partly = bench().update(10, vec![path("a", "supplied")]);
        assert!(judged(&partly).agree);
        assert!(!judged(&partly.missing("b", 30)).agree);
    }

    #[test]
    fn unknown_paths_that_could_overturn_a_majority_take_its_recommendation() {
        let three = || vec![path("a", "fresh"), path("b", "fresh"), path("c", "preserved")];
        assert!(judged(&bench().update(10, three())).recommendation.is_some());
        let mut four = three();
        four.push(path("d", "unknown"));
        assert_eq!(judged(&bench().update(10, four)).recommendation, None);
    }

    #[test]
    fn a_contract_wins_over_the_majority() {
        let bench = bench()
            .contract(Contract::DropWrites)
            .update(10, vec![path("a", "fresh"), path("b", "fresh"), path("c", "fresh")]);
        assert_eq!(judged(&bench).recommendation, Some(Contract::DropWrites));
    }

    #[test]
    fn a_column_that_no_path_issues_agrees_with_itself() {
        let verdict = judged(&bench().update(10, vec![path("logout", "null").revokes()]));
        assert!(verdict.agree);
        assert_eq!(verdict.majority, None);
    }
}
