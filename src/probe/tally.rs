//! What the server counted, added up.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Cohort;
use crate::probe::interval::{beside_hidden, effective_rows};
use crate::probe::problem::visible;
use crate::probe::session::{Row, count};
use crate::probe::shape::SHAPES;
use crate::probe::statements::Counting;
use crate::probe::table::Table;
use crate::probe::{CohortCounts, Counts, Method, Shapes, trend};

/// Cohorts of fewer rows are added up as one: a handful of rows can be a handful of people.
pub(crate) const FEWEST: u64 = 20;

/// The value under which small cohorts are added up.
pub(crate) const MERGED: &str = "(other)";

/// Rows of one group, and how many of them each measure counts.
#[derive(Clone, Debug, Default)]
struct Tally {
    rows: u64,
    measures: Vec<u64>,
}

/// The answer of one or more passes.
#[derive(Clone, Debug)]
pub(crate) struct Tallies {
    /// Labels, then the cluster where the rows are a sample.
    groups: BTreeMap<(Vec<Option<String>>, String), Tally>,
    has_shapes: bool,
    measures: usize,
    /// Whether rows that were updated meanwhile may be counted twice or not at all.
    pub(crate) is_by_place: bool,
    /// How many rows a sample should have more, by its ranges and the size of the table.
    pub(crate) hidden: u64,
}

impl Tallies {
    pub(crate) fn empty(has_shapes: bool) -> Self {
        Self {
            groups: BTreeMap::new(),
            has_shapes,
            measures: Counting::measures(has_shapes),
            is_by_place: false,
            hidden: 0,
        }
    }

    pub(crate) fn of(rows: &[Row], counting: &Counting, has_shapes: bool, is_sample: bool) -> Self {
        let labels = counting.groups.len();
        let first = labels + usize::from(is_sample);
        let measures = Counting::measures(has_shapes);
        let mut all = Self { groups: BTreeMap::new(), has_shapes, measures, is_by_place: false, hidden: 0 };
        for row in rows {
            let label = |at: usize| {
                let bytes = row.get(at)?.as_deref()?;
                Some(visible(&String::from_utf8_lossy(bytes)))
            };
            let cluster = if is_sample { label(labels).unwrap_or_default() } else { String::new() };
            let tally = Tally {
                rows: count(row, first),
                measures: (0..measures * counting.columns.len()).map(|at| count(row, first + 1 + at)).collect(),
            };
            all.put(((0..labels).map(label).collect(), cluster), &tally);
        }
        all
    }

    fn put(&mut self, group: (Vec<Option<String>>, String), tally: &Tally) {
        let known = self.groups.entry(group).or_default();
        known.rows += tally.rows;
        known.measures.resize(tally.measures.len().max(known.measures.len()), 0);
        for (known, added) in known.measures.iter_mut().zip(&tally.measures) {
            *known += added;
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (group, tally) in &other.groups {
            self.put(group.clone(), tally);
        }
    }

    pub(crate) fn rows(&self) -> u64 {
        self.groups.values().map(|tally| tally.rows).sum()
    }

    pub(crate) fn groups(&self) -> usize {
        self.groups.keys().map(|(labels, _)| labels).collect::<BTreeSet<_>>().len()
    }

    /// The rows of each range of a sample.
    pub(crate) fn clusters(&self) -> Vec<u64> {
        let mut clusters: BTreeMap<&str, u64> = BTreeMap::new();
        for ((_, cluster), tally) in &self.groups {
            *clusters.entry(cluster).or_default() += tally.rows;
        }
        clusters.into_values().collect()
    }

    /// How many values one label has.
    fn values(&self, expression: usize) -> usize {
        self.groups.keys().map(|(labels, _)| labels.get(expression)).collect::<BTreeSet<_>>().len()
    }
}

/// What the passes over a table counted.
pub(crate) enum Passes {
    /// One pass, by all expressions at once.
    Joint(Tallies),
    /// One for each expression: together they have too many groups.
    Each(Vec<Tallies>),
}

impl Passes {
    /// The tallies with every row.
    pub(crate) fn whole(&self) -> Option<&Tallies> {
        match self {
            Self::Joint(all) => Some(all),
            Self::Each(each) => each.first(),
        }
    }

    /// The tallies that an expression groups, and which of their labels is its value.
    fn by(&self, expression: usize) -> Option<(&Tallies, usize)> {
        match self {
            Self::Joint(all) => Some((all, expression)),
            Self::Each(each) => each.get(expression).map(|tallies| (tallies, 0)),
        }
    }

    /// How many values an expression has.
    pub(crate) fn values(&self, expression: usize) -> usize {
        self.by(expression).map_or(0, |(tallies, at)| tallies.values(at))
    }
}

/// Adds up the groups for each column: all of them, and by each of its cohorts.
pub(crate) fn counts(table: &Table<'_>, passes: &Passes, method: Method) -> Vec<Counts> {
    let Some(tallies) = passes.whole() else { return Vec::new() };
    let columns = table.columns.iter().enumerate();
    columns
        .map(|(column, (_, _, cohorts))| {
            let at = |measure: usize| column * tallies.measures + measure;
            let part = Part { tallies, nulls: at(0), empty: at(1) };
            let whole = part.sum(method, |_| true);
            let sum = |measure: usize| -> u64 {
                tallies.groups.values().filter_map(|tally| tally.measures.get(at(measure))).sum()
            };
            let mut counts = Counts {
                rows: whole.rows,
                table_rows: match method {
                    Method::Exact => whole.rows,
                    _ => table.relation.rows.unwrap_or(whole.rows),
                },
                nulls: whole.nulls,
                empty: whole.empty,
                null_text: sum(2),
                method,
                effective: whole.effective,
                shapes: tallies.has_shapes.then(|| shapes(method, &whole, &sum)),
                ..Counts::default()
            };
            if tallies.is_by_place {
                let why = "the table was counted by row addresses: rows that were updated meanwhile count twice or not at all";
                counts.skipped.push(why.to_owned());
            }
            for (expression, cohort) in cohorts {
                let Some((tallies, label)) = passes.by(*expression) else { continue };
                let parts = Part { tallies, ..part }.cohort(label, cohort, method);
                if cohort.is_monthly {
                    counts.trends.extend(trend::of(&cohort.name, &parts));
                }
                counts.cohorts.extend(parts);
            }
            counts
        })
        .collect()
}

fn shapes(method: Method, whole: &CohortCounts, sum: &dyn Fn(usize) -> u64) -> Shapes {
    let counted: Vec<(crate::probe::Shape, u64)> =
        SHAPES.iter().enumerate().map(|(nth, shape)| (*shape, sum(3 + nth))).collect();
    let values = whole.rows.saturating_sub(whole.nulls).saturating_sub(whole.empty);
    let known: u64 = counted.iter().map(|(_, rows)| rows).sum();
    let expired = sum(3 + SHAPES.len());
    let mut rows = counted;
    rows.push((crate::probe::Shape::Other, values.saturating_sub(known)));
    rows.retain(|(_, rows)| *rows > 0);
    Shapes { method, rows, expired }
}

/// One column in all groups.
#[derive(Clone, Copy)]
struct Part<'a> {
    tallies: &'a Tallies,
    nulls: usize,
    empty: usize,
}

impl Part<'_> {
    fn sum(&self, method: Method, belongs: impl Fn(&[Option<String>]) -> bool) -> CohortCounts {
        let mut part = CohortCounts::default();
        let mut clusters: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for ((_, cluster), tally) in self.tallies.groups.iter().filter(|((labels, _), _)| belongs(labels)) {
            let measure = |at: usize| tally.measures.get(at).copied().unwrap_or(0);
            part.rows += tally.rows;
            part.nulls += measure(self.nulls);
            part.empty += measure(self.empty);
            let drawn = clusters.entry(cluster).or_default();
            drawn.0 += tally.rows;
            drawn.1 += measure(self.nulls) + measure(self.empty);
        }
        let clusters: Vec<(u64, u64)> = clusters.into_values().collect();
        let effective = || beside_hidden(effective_rows(&clusters), part.rows, self.tallies.hidden);
        part.effective = (method == Method::Sample).then(effective);
        part
    }

    /// By value. Small ones are one, but for those that the configuration itself names.
    fn cohort(&self, expression: usize, cohort: &Cohort, method: Method) -> Vec<CohortCounts> {
        let mut rows: BTreeMap<&Option<String>, u64> = BTreeMap::new();
        for ((labels, _), tally) in &self.tallies.groups {
            if let Some(label) = labels.get(expression) {
                *rows.entry(label).or_default() += tally.rows;
            }
        }
        let is_named = |label: &Option<String>| match label {
            Some(label) => cohort.path.iter().any(|(value, _)| value == label),
            None => true,
        };
        let small: BTreeSet<&Option<String>> =
            rows.iter().filter(|(label, rows)| **rows < FEWEST && !is_named(label)).map(|(label, _)| *label).collect();
        let mut parts: Vec<CohortCounts> = Vec::new();
        for label in rows.keys().filter(|label| !small.contains(*label)) {
            let part = self.sum(method, |labels| labels.get(expression) == Some(label));
            parts.push(CohortCounts { name: cohort.name.clone(), value: (*label).clone(), ..part });
        }
        if !small.is_empty() {
            let part = self.sum(method, |labels| labels.get(expression).is_some_and(|label| small.contains(label)));
            parts.push(CohortCounts { name: cohort.name.clone(), value: Some(MERGED.to_owned()), ..part });
        }
        parts
    }
}
