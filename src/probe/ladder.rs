//! The steps by which a table is counted, the cheap ones first, until one decides: statistics, a sample, exact counts in chunks.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::config::Column;
use crate::probe::dialect::Dialect;
use crate::probe::interval::{number, wilson};
use crate::probe::problem::{Trouble, visible};
use crate::probe::ranges::{Chunks, Clusters, Part};
use crate::probe::session::Session;
use crate::probe::shape::can_be_empty;
use crate::probe::statements::{Counting, MOST_GROUPS, MOST_VALUES, Measured};
use crate::probe::table::{Counted, Table, prepare, while_reading};
use crate::probe::tally::{Passes, Tallies, counts};
use crate::probe::users::has_users;
use crate::probe::{CohortCounts, Cost, Counts, Method, Options, Outcome, extras};

/// How long a chunk should take: short enough for a standby's replay to wait for it, which by default does so for 30 seconds, and long
/// enough for the server to start workers for each that share the reading.
const CHUNK: Duration = Duration::from_secs(2);
/// How long one may take before it is cut smaller.
const LONGEST_CHUNK: Duration = Duration::from_secs(10);
/// A range with more times the rows of an even table than this is a crowd.
const CROWDED: u64 = 4;
/// An interval that is no wider than this decides, wherever it lies.
const NARROW: f64 = 0.02;

/// Counts the columns of some tables, small ones first: a big one may leave nothing of the budget. Returns an outcome for each column, by
/// its index in the configuration.
pub(crate) async fn count_tables(
    session: &mut Session,
    wanted: &[Vec<(usize, &Column)>],
    tracked: &[&str],
    options: &Options,
) -> Vec<(usize, Outcome)> {
    let (mut tables, mut outcomes) = (Vec::new(), Vec::new());
    for wanted in wanted {
        let begun = Begun::now(session);
        let (table, missing) = prepare(session, wanted, tracked, true).await;
        outcomes.extend(missing);
        tables.extend(table.map(|table| (table, begun.cost(session))));
    }
    // Nobody knows how many rows a view has.
    tables.sort_by_key(|(table, _)| table.relation.rows.unwrap_or(u64::MAX));
    for (table, prepared) in &tables {
        outcomes.extend(table.outcomes(session, options, *prepared).await);
    }
    outcomes
}

/// How long a question may take that the configuration asks: half of what is left of the budget, where that is more than usual.
pub(crate) fn owed(session: &Session, usual: Duration) -> Duration {
    usual.max(session.deadline().left() / 2)
}

/// What a piece of work is measured from.
struct Begun(u64, Instant);

impl Begun {
    fn now(session: &Session) -> Self {
        Self(session.statements, Instant::now())
    }

    fn cost(&self, session: &Session) -> Cost {
        Cost { statements: session.statements - self.0, took: self.1.elapsed() }
    }
}

/// All rows in one statement.
async fn at_once(session: &mut Session, counting: &Counting, shapes: bool) -> Result<Tallies, Trouble> {
    match session.ask(&counting.pass(None, shapes)).await {
        // A value that no function of the server's takes hides its shape, not the counts.
        Err(Trouble::Data) if shapes => {
            let rows = session.ask(&counting.pass(None, false)).await?;
            Ok(Tallies::of(&rows, counting, false, false))
        }
        rows => Ok(Tallies::of(&rows?, counting, shapes, false)),
    }
}

impl Table<'_> {
    /// What is found out of each column, by its index in the configuration; `prepared` is what finding the table cost.
    async fn outcomes(&self, session: &mut Session, options: &Options, prepared: Cost) -> Vec<(usize, Outcome)> {
        let begun = Begun::now(session);
        let counted = match self.count(session, options).await {
            Ok(mut counted) => {
                extras::add(session, self, &mut counted).await;
                Ok(counted)
            }
            Err(why) => Err(why),
        };
        let counting = begun.cost(session);
        let cost = Cost { statements: prepared.statements + counting.statements, took: prepared.took + counting.took };
        let columns = self.columns.iter().enumerate();
        let outcome = |at: usize| match &counted {
            Ok(counted) => {
                let mut counts = counted.get(at).cloned().unwrap_or_default();
                counts.skipped.extend(self.relation.note.clone());
                Outcome::Counted(Counts { cost, ..counts })
            }
            Err(why) => Outcome::Failed(why.clone()),
        };
        columns.map(|(at, (config, _, _))| (*config, outcome(at))).collect()
    }

    /// The ladder. Counts of each column, in their order.
    async fn count(&self, session: &mut Session, options: &Options) -> Result<Vec<Counts>, String> {
        let told = |session: &Session, trouble| while_reading(session, &self.relation.name, trouble);
        let method = options.method;
        if method == Some(Method::Statistics) || (method.is_none() && !self.is_small()) {
            let statistics = self.statistics();
            if let Some(mut counts) = statistics.filter(|of| method.is_some() || self.is_decided_by_statistics(of)) {
                for counts in &mut counts {
                    counts.skipped.extend(self.relation.stale.map(str::to_owned));
                }
                return Ok(counts);
            }
            if method.is_some() {
                let why = "the database has no statistics of its columns";
                return Err(format!("table `{}`: {why}", visible(&self.relation.name)));
            }
        }
        let mut sampled = None;
        let mut clusters = None;
        if method == Some(Method::Sample) || !self.is_small() {
            clusters = Clusters::of(session, &self.relation).await.map_err(|trouble| told(session, trouble))?;
        }
        // How many rows a table of SQLite has nobody knows without counting them, nor so what a sample of them leaves out.
        let is_drawn = method == Some(Method::Sample) || (method.is_none() && session.dialect != Dialect::Sqlite);
        if let (Some(drawn), true) = (&clusters, is_drawn) {
            match session.ask(&drawn.sql(&self.counting)).await {
                // Keys with wide gaps between them: the ranges missed all rows.
                Ok(rows) if rows.is_empty() => clusters = None,
                Ok(rows) => {
                    let mut tallies = Tallies::of(&rows, &self.counting, false, true);
                    tallies.hidden =
                        if self.is_crowded(drawn, &tallies) { u64::MAX } else { self.hidden(drawn, tallies.rows()) };
                    let drawn_rows = tallies.rows();
                    let mut counts = counts(self, &Passes::Joint(tallies), Method::Sample);
                    if let (Dialect::Sqlite, Some(rows)) = (session.dialect, drawn.estimate(drawn_rows)) {
                        for counts in &mut counts {
                            counts.table_rows = rows.max(counts.rows);
                        }
                    }
                    self.look_at_values(session, Some(drawn), &mut counts).await;
                    if method.is_some() || self.is_decided(&counts) {
                        return Ok(counts);
                    }
                    sampled = Some(counts);
                }
                // A sample that fails leaves the exact count to be tried.
                Err(Trouble::OutOfTime | Trouble::Conflict | Trouble::Data | Trouble::Denied) if method.is_none() => {}
                Err(trouble) => return Err(told(session, trouble)),
            }
        }
        if clusters.is_none() && method == Some(Method::Sample) && !self.is_small() {
            let why = "it has no integer key without wide gaps, nor anything else to draw a sample by";
            return Err(format!("table `{}`: {why}", visible(&self.relation.name)));
        }
        // Shapes cost a multiple of the counts: a big table has them told of some rows, and of all only where nothing tells which and
        // where they are owed.
        let shapes = self.looks_at_all(clusters.as_ref());
        match self.exact(session, options, shapes).await {
            Ok(passes) => {
                self.refuse_many(&passes)?;
                let mut exact = counts(self, &passes, Method::Exact);
                match (sampled, clusters) {
                    _ if shapes => {}
                    (Some(sampled), _) => {
                        exact.iter_mut().zip(sampled).for_each(|(exact, sampled)| exact.shapes = sampled.shapes);
                    }
                    (None, Some(clusters)) => self.look_at_values(session, Some(&clusters), &mut exact).await,
                    (None, None) if self.counting.is_view => self.look_at_values(session, None, &mut exact).await,
                    (None, None) => {
                        let why = "what values look like: the table has nothing to draw a sample by";
                        for counts in &mut exact {
                            counts.skipped.push(why.to_owned());
                        }
                    }
                }
                Ok(exact)
            }
            Err(trouble) => {
                let why = told(session, trouble);
                let Some(mut counts) = sampled else { return Err(why) };
                for counts in &mut counts {
                    counts.incomplete = Some(format!("only a sample was counted, and it does not decide: {why}"));
                }
                Ok(counts)
            }
        }
    }

    /// How many rows less a sample has than it should have; where many are missing, by a table that is a fifth larger than the server takes it for.
    fn hidden(&self, drawn: &Clusters, rows: u64) -> u64 {
        let expected = drawn.expected(self.relation.rows.unwrap_or(0)).unwrap_or(0);
        let hidden = expected.saturating_sub(rows);
        if hidden > expected / 10 { hidden + expected / 5 } else { hidden }
    }

    /// Whether many of the rows stand crowded in a few ranges: between the ranges there may be any number of such places.
    fn is_crowded(&self, drawn: &Clusters, tallies: &Tallies) -> bool {
        let Some(expected) = drawn.expected(self.relation.rows.unwrap_or(0)) else { return false };
        let most = expected.div_ceil(drawn.ranges()) * CROWDED;
        let over: u64 = tallies.clusters().into_iter().map(|rows| rows.saturating_sub(most)).sum();
        over * 10 > tallies.rows()
    }

    /// Tells what values look like, from a tenth of the sample; where there is none, from all rows in as long as a chunk may take.
    async fn look_at_values(&self, session: &mut Session, clusters: Option<&Clusters>, all: &mut [Counts]) {
        let tenth = clusters.map(Clusters::tenth);
        let part = tenth.as_ref().map_or_else(|| Part::whole(&self.counting), |tenth| tenth.part(&self.counting));
        let method = if tenth.is_some() { Method::Sample } else { Method::Exact };
        let (counting, sql) = self.counting.shapes(&part);
        let limit = if self.asks_form() { owed(session, LONGEST_CHUNK) } else { LONGEST_CHUNK };
        match session.ask_within(&sql, limit).await {
            Ok(rows) => {
                let passes = Passes::Joint(Tallies::of(&rows, &counting, true, false));
                let seen = counts(self, &passes, method);
                // The group of no row at all is one too.
                let rows = passes.whole().map_or(0, Tallies::rows);
                let is_empty = rows == 0 || tenth.is_some_and(|tenth| self.hidden(&tenth, rows) > rows);
                for (counts, seen) in all.iter_mut().zip(seen) {
                    if is_empty && counts.rows > 0 {
                        self.shapes_missing(
                            counts,
                            "keys with wide gaps between them, and the sample has too few rows",
                        );
                    } else {
                        counts.shapes = seen.shapes;
                    }
                }
            }
            Err(trouble) => all.iter_mut().for_each(|counts| self.shapes_missing(counts, &trouble.to_string())),
        }
    }

    /// What a declared form is held against is owed.
    fn shapes_missing(&self, counts: &mut Counts, why: &str) {
        let why = format!("what values look like: {why}");
        if self.asks_form() { counts.incomplete = Some(why) } else { counts.skipped.push(why) }
    }

    /// All rows, in chunks where the table is big and there is something to cut it by.
    async fn exact(&self, session: &mut Session, options: &Options, shapes: bool) -> Result<Passes, Trouble> {
        let all = self.pass(session, options, &self.counting, shapes).await?;
        if all.groups() <= MOST_GROUPS || self.counting.groups.len() < 2 {
            return Ok(Passes::Joint(all));
        }
        let mut each = Vec::new();
        for group in &self.counting.groups {
            let counting = Counting { groups: vec![group.clone()], ..self.counting.clone() };
            each.push(self.pass(session, options, &counting, shapes).await?);
        }
        Ok(Passes::Each(each))
    }

    /// One pass over all rows; ends early where they fall into too many groups.
    async fn pass(
        &self,
        session: &mut Session,
        options: &Options,
        counting: &Counting,
        shapes: bool,
    ) -> Result<Tallies, Trouble> {
        let chunks = if self.is_small() { None } else { Chunks::of(session, &self.relation).await? };
        let Some(mut chunks) = chunks else { return at_once(session, counting, shapes).await };
        let total = self.relation.rows.unwrap_or(0);
        let mut all = Tallies::empty(shapes);
        all.is_by_place = chunks.is_by_place();
        loop {
            chunks.seek(session, counting).await?;
            let Some(filter) = chunks.filter(counting) else { break };
            let began = Instant::now();
            match session.ask_within(&counting.pass(Some(&filter), shapes), LONGEST_CHUNK).await {
                Ok(rows) => {
                    all.add(&Tallies::of(&rows, counting, shapes, false));
                    let done = all.rows();
                    options.progress.tell(&self.relation.name, done, total.max(done));
                    if all.groups() > MOST_GROUPS {
                        break;
                    }
                    chunks.next(began.elapsed().as_secs_f64() / CHUNK.as_secs_f64());
                }
                Err(Trouble::OutOfTime | Trouble::Conflict)
                    if !session.deadline().left().is_zero() && chunks.shrink() => {}
                // Row addresses want the right to the whole table, and its columns may be all that was granted.
                Err(Trouble::Denied) if chunks.is_by_place() && all.rows() == 0 => {
                    return at_once(session, counting, shapes).await;
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(all)
    }

    /// What `ANALYZE` knew; `None` where it does not know all columns.
    fn statistics(&self) -> Option<Vec<Counts>> {
        let rows = self.relation.rows?;
        let known = self.counting.columns.iter().map(|column| {
            let (share, sampled) = self.relation.column(&column.name)?.null_share?;
            Some(Counts {
                rows,
                table_rows: rows,
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the rows")]
                nulls: (share * number(rows)).round() as u64,
                method: Method::Statistics,
                effective: Some(number(sampled)),
                ..Counts::default()
            })
        });
        known.collect()
    }

    /// Statistics know no cohort, no shape and no user, and decide only where neither is asked for.
    fn is_decided_by_statistics(&self, counts: &[Counts]) -> bool {
        let asks_more = |column: &Column| !column.cohorts.is_empty() || column.form.is_some();
        // '' is no token either, and statistics do not count it: only most rows being NULL settles anything, or a type without it.
        let is_known = |(measured, ((_, column, _), counts)): (&Measured, (&Counted<'_>, &Counts))| {
            let mark = column.max_null_ratio.unwrap_or(0.5).max(0.5);
            !can_be_empty(&measured.kind) || counts.interval().is_some_and(|[low, _]| low > mark)
        };
        self.relation.stale.is_none()
            && !self.columns.iter().any(|(_, column, _)| asks_more(column))
            && !self.counting.columns.iter().any(|column| has_users(self.counting.dialect, self, column))
            && self.counting.columns.iter().zip(self.columns.iter().zip(counts)).all(is_known)
            && self.is_decided(counts)
    }

    /// Whether the share of rows without a token, of the whole and of each cohort with a prediction, is surely above or below one half, or
    /// is known closely; where there is a limit, whether each share is surely above or below it.
    fn is_decided(&self, counts: &[Counts]) -> bool {
        self.columns.iter().zip(counts).all(|((_, column, _), counts)| {
            let beside = |[low, high]: [f64; 2], mark: f64| high < mark || low > mark;
            let decides = |interval: [f64; 2]| match column.max_null_ratio {
                Some(limit) => beside(interval, 0.5) && beside(interval, limit),
                None => beside(interval, 0.5) || interval[1] - interval[0] <= NARROW,
            };
            let asked: BTreeSet<(&str, &str)> = column
                .cohorts
                .iter()
                .flat_map(|cohort| cohort.path.iter().map(|(value, _)| (cohort.name.as_str(), value.as_str())))
                .collect();
            let is_asked = |name: &str, value: Option<&str>| value.is_some_and(|value| asked.contains(&(name, value)));
            // A cohort that the sample has no row of is looked for in all rows.
            let found = || counts.cohorts.iter().filter(|part| is_asked(&part.name, part.value.as_deref()));
            let bare = |rows: u64, bare: u64, effective: Option<f64>| {
                wilson(number(bare) / number(rows.max(1)), effective.unwrap_or(0.0))
            };
            let of = |part: &CohortCounts| bare(part.rows, part.nulls + part.empty, part.effective);
            let is_clear = |part: &CohortCounts| column.max_null_ratio.is_none_or(|limit| beside(of(part), limit));
            found().count() == asked.len()
                && found().all(|part| decides(of(part)))
                && counts.cohorts.iter().all(is_clear)
                && counts.rows > 0
                && match counts.method {
                    Method::Statistics => counts.interval().is_some_and(decides),
                    Method::Sample | Method::Exact => {
                        decides(bare(counts.rows, counts.nulls + counts.empty, counts.effective))
                    }
                }
        })
    }

    /// Names the cohort with the most values.
    fn refuse_many(&self, passes: &Passes) -> Result<(), String> {
        let cohorts = self.columns.iter().flat_map(|(_, _, cohorts)| cohorts);
        let widest = cohorts.max_by_key(|(expression, _)| passes.values(*expression));
        match widest {
            Some((expression, cohort)) if passes.values(*expression) > MOST_VALUES => Err(format!(
                "the cohort `{}` splits the table into more than {MOST_VALUES} groups; group by something coarser",
                visible(&cohort.name)
            )),
            _ => Ok(()),
        }
    }
}
