//! What each issuing entry point does with its token, all its paths taken together.

use std::collections::{BTreeMap, BTreeSet};

use crate::contract::helper::contains;
use crate::provenance::{ColumnTrace, EntryPoint, Hop, Meaning, MissingWrite, Origin, Path, WriteSite};
use crate::rules::Operation;
use crate::source::{FileId, Scope, SourceSet, Span};

/// What a path, or all paths of an entry point, do to the column. Of several paths the later variant speaks for the entry point:
/// a sign-up that inserts without the column and then updates with the fresh token stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stance {
    /// Mints and never writes the column.
    Missing,
    Omits,
    Clears,
    Generates,
    /// Takes the stored token and a fresh one only where there is none.
    Fills,
    Keeps,
    Supplies,
    /// Fresh on some branches, something else on others.
    Partly,
    /// Could not be told: casts no vote.
    Unknown,
    Stores,
}

impl Stance {
    /// The label of reports: the semantics that paths of this stance share.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Omits => "omitted",
            Self::Clears => "null",
            Self::Generates => "generated",
            Self::Fills => "preserved-or-fresh",
            Self::Keeps => "preserved",
            Self::Supplies => "supplied",
            Self::Partly => "partly-fresh",
            Self::Unknown => "unknown",
            Self::Stores => "fresh",
        }
    }

    pub(crate) fn of(meaning: &Meaning) -> Self {
        let parts: Vec<Self> = meaning.chains.iter().map(|chain| of_chain(chain)).collect();
        let strongest = parts.iter().copied().max().unwrap_or(Self::Unknown);
        if parts.contains(&Self::Unknown) {
            return Self::Unknown;
        }
        let harmless = |part: &Self| matches!(part, Self::Stores | Self::Clears | Self::Omits);
        if strongest == Self::Stores && !parts.iter().all(harmless) { Self::Partly } else { strongest }
    }
}

/// A chain is tried from the left: its first origin that can be a value decides, what follows only fills in.
fn of_chain(chain: &[Origin]) -> Stance {
    let mut rest = chain.iter().copied().skip_while(|origin| *origin == Origin::Null);
    let Some(first) = rest.next() else {
        return if chain.is_empty() { Stance::Unknown } else { Stance::Clears };
    };
    let rest: Vec<Origin> = rest.collect();
    let then = |origin: Origin| rest.contains(&origin);
    match first {
        Origin::Fresh => Stance::Stores,
        Origin::Preserved | Origin::Supplied if then(Origin::Unknown) => Stance::Unknown,
        Origin::Preserved if then(Origin::Fresh) => Stance::Fills,
        Origin::Preserved => Stance::Keeps,
        Origin::Supplied if then(Origin::Fresh) => Stance::Partly,
        Origin::Supplied => Stance::Supplies,
        Origin::Generated => Stance::Generates,
        Origin::Omitted => Stance::Omits,
        Origin::Null | Origin::Unknown => Stance::Unknown,
    }
}

/// One way to one production write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write<'a> {
    pub(crate) site: &'a WriteSite,
    pub(crate) path: &'a Path,
}

impl Write<'_> {
    pub(crate) fn stance(self) -> Stance {
        Stance::of(&self.path.meaning)
    }

    /// The anchor of findings about it, made unambiguous by the site.
    pub(crate) fn place(self) -> (Span, Span) {
        (self.site.value, self.site.span)
    }

    /// Whether the write names the column; the save of a whole entity does not.
    pub(crate) fn names_column(self) -> bool {
        self.site.value != self.site.span && !self.path.writes_row_back()
    }

    /// Whether the whole row is saved as it was made elsewhere, the column with the rest of it: what it holds there says nothing of
    /// what the path is for.
    fn saves_row(self) -> bool {
        let upserts = matches!(self.site.operation, Operation::UpsertCreate | Operation::UpsertUpdate);
        let origins = self.path.meaning.origins();
        let says = [Origin::Fresh, Origin::Omitted, Origin::Generated];
        upserts && !contains(self.site.span, self.site.value) && !says.iter().any(|origin| origins.contains(origin))
    }

    /// Whether one run does not do both: the halves of an upsert, the branches of a condition that issue the same token.
    fn excludes(self, other: Self) -> bool {
        let halves = [Operation::UpsertCreate, Operation::UpsertUpdate];
        let is_half = |write: Self| halves.contains(&write.site.operation);
        let is_one_call = self.site.span == other.site.span && self.path.steps == other.path.steps;
        let opposite = |way: &BTreeSet<(Span, bool)>, other: &BTreeSet<(Span, bool)>| {
            way.iter().any(|(condition, holds)| other.contains(&(*condition, !holds)))
        };
        let ways = &self.path.only_if;
        is_half(self) && is_half(other) && is_one_call && self.site.operation != other.site.operation
            || self.is_other_choice(other)
            || ways.iter().all(|way| other.path.only_if.iter().all(|other| opposite(way, other)))
    }

    /// Whether one call leads to both by different functions: those of the services that a client is served by.
    pub(crate) fn is_other_choice(self, other: Self) -> bool {
        let (mut own, mut others) = (self.path.calls().peekable(), other.path.calls().peekable());
        let mut is_shared = false;
        while let (Some(step), Some(of_other)) = (own.peek(), others.peek()) {
            if step.span != of_other.span {
                break;
            }
            is_shared = true;
            own.next();
            others.next();
        }
        let function = own.next().map_or(&self.site.function, |step| &step.function);
        is_shared && *function != *others.next().map_or(&other.site.function, |step| &step.function)
    }

    /// Whether both may happen in one run, as far as the calls and the conditions tell that they stand under.
    pub(crate) fn goes_with(self, other: Self) -> bool {
        let is_refuted = |(condition, holds): &(Span, bool)| other.path.under.contains(&(*condition, !holds));
        self.path.entry == other.path.entry && !self.is_other_choice(other) && !self.path.under.iter().any(is_refuted)
    }

    /// Whether this path issues the token. One that saves the whole row does so only where it makes the token itself: what a helper
    /// makes further down may be for anything.
    pub(crate) fn issues(self) -> bool {
        let on_path = |mint: &Hop| {
            let calls = self.path.steps.iter().map(|step| step.span.file);
            calls.chain([self.path.entry.span.file]).any(|file| file == mint.span.file)
        };
        let saves_row = self.saves_row() || self.path.writes_row_back();
        self.path.issues && (!saves_row || self.path.mints.iter().any(on_path))
    }
}

/// An issuing entry point.
#[derive(Clone, Debug)]
pub(crate) struct Practice<'a> {
    pub(crate) entry: &'a EntryPoint,
    pub(crate) stance: Stance,
    /// Its issuing paths whose own stance is the entry point's.
    pub(crate) writes: Vec<Write<'a>>,
    /// Where it mints without writing, on some branch at least.
    pub(crate) missing: Option<&'a MissingWrite>,
}

pub(crate) fn is_production(sources: &SourceSet, file: FileId) -> bool {
    sources.get(file).scope == Scope::Production
}

/// Every path from production code to a production site, sorted.
pub(crate) fn production_writes<'a>(sources: &'a SourceSet, trace: &'a ColumnTrace) -> Vec<Write<'a>> {
    let sites = trace.sites.iter().filter(|site| site.scope == Scope::Production);
    let mut writes: Vec<Write<'a>> = sites
        .flat_map(|site| site.paths.iter().map(move |path| Write { site, path }))
        .filter(|write| is_production(sources, write.path.entry.span.file))
        .collect();
    writes.sort_by(|a, b| {
        let key = |write: &Write<'a>| (write.place(), &write.path.entry, &write.path.steps, &write.path.meaning);
        key(a).cmp(&key(b))
    });
    writes
}

/// The entry points of some writes, sorted, each once.
pub(crate) fn entry_points<'a>(writes: &[Write<'a>]) -> Vec<&'a EntryPoint> {
    let entries: BTreeSet<&EntryPoint> = writes.iter().map(|write| &write.path.entry).collect();
    entries.into_iter().collect()
}

/// Writes that one finding speaks of: one place, and one `key` besides.
pub(crate) fn group<'a, Key: Ord>(
    writes: impl IntoIterator<Item = Write<'a>>,
    key: impl Fn(Write<'a>) -> Key,
) -> Vec<(Key, Write<'a>, Vec<&'a EntryPoint>)> {
    let mut groups: BTreeMap<(Span, Key), Vec<Write<'a>>> = BTreeMap::new();
    for write in writes {
        // Statements that share a value (one an SQL dialect, the two halves of an upsert) are one deviation.
        groups.entry((write.site.value, key(write))).or_default().push(write);
    }
    let one = |((_, key), writes): (_, Vec<Write<'a>>)| Some((key, *writes.first()?, entry_points(&writes)));
    groups.into_iter().filter_map(one).collect()
}

/// The issuing entry points of production code, sorted.
pub(crate) fn practices<'a>(sources: &'a SourceSet, trace: &'a ColumnTrace, writes: &[Write<'a>]) -> Vec<Practice<'a>> {
    let mut by_entry: BTreeMap<&EntryPoint, (Vec<Write<'a>>, Option<&'a MissingWrite>)> = BTreeMap::new();
    for write in writes.iter().filter(|write| write.issues()) {
        by_entry.entry(&write.path.entry).or_default().0.push(*write);
    }
    for missing in trace.missing.iter().filter(|missing| is_production(sources, missing.entry.span.file)) {
        by_entry.entry(&missing.entry).or_default().1.get_or_insert(missing);
    }
    let practice = |(entry, (writes, missing)): (&'a EntryPoint, (Vec<Write<'a>>, Option<&'a MissingWrite>))| {
        let stance = writes.iter().map(|write| write.stance()).max().unwrap_or(Stance::Missing);
        // What it does on the branches that write is no other deviation.
        if let Some(missing) = missing.filter(|missing| missing.partly && stance == Stance::Stores) {
            return Practice { entry, stance: Stance::Partly, missing: Some(missing), writes: Vec::new() };
        }
        let left_out = if stance == Stance::Stores { left_out(&writes) } else { Vec::new() };
        let (stance, writes) = if left_out.is_empty() {
            (stance, writes.into_iter().filter(|write| write.stance() == stance).collect())
        } else {
            (Stance::Partly, left_out)
        };
        Practice { entry, stance, missing: missing.filter(|_| writes.is_empty()), writes }
    };
    by_entry.into_iter().map(practice).collect()
}

/// Of the writes of an entry point that stores, those on whose way none of the others runs: the half of an upsert without the token, the
/// insert of an `if` whose `else` stores.
fn left_out<'a>(writes: &[Write<'a>]) -> Vec<Write<'a>> {
    let (storing, others): (Vec<Write<'a>>, Vec<Write<'a>>) =
        writes.iter().partition(|write| write.stance() == Stance::Stores);
    let deviates = |write: &Write<'a>| !matches!(write.stance(), Stance::Clears | Stance::Unknown);
    let is_left_out = |write: &Write<'a>| storing.iter().all(|other| write.excludes(*other));
    others.into_iter().filter(|write| deviates(write) && is_left_out(write)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::bench::meaning;

    #[test]
    fn the_first_origin_that_can_be_a_value_decides_a_chain() {
        let stance = |text: &str| Stance::of(&meaning(text));
        assert_eq!(stance("fresh"), Stance::Stores);
        assert_eq!(stance("fresh>preserved"), Stance::Stores);
        assert_eq!(stance("null>fresh"), Stance::Stores);
        assert_eq!(stance("preserved>fresh"), Stance::Fills);
        assert_eq!(stance("preserved>null"), Stance::Keeps);
        assert_eq!(stance("supplied>fresh"), Stance::Partly);
        assert_eq!(stance("null"), Stance::Clears);
        assert_eq!(stance(""), Stance::Unknown);
    }

    #[test]
    fn branches_make_fresh_partial_unless_the_other_branch_is_empty() {
        let stance = |text: &str| Stance::of(&meaning(text));
        assert_eq!(stance("fresh|null"), Stance::Stores);
        assert_eq!(stance("fresh|preserved"), Stance::Partly);
        assert_eq!(stance("fresh|unknown"), Stance::Unknown);
        assert_eq!(stance("preserved|null"), Stance::Keeps);
        assert_eq!(stance("preserved|preserved>fresh"), Stance::Keeps);
    }
}
