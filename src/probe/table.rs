//! One table that is ready to be counted: what the catalogue says of it, its columns, and what its cohorts group by.

use crate::config::{Cohort, Column};
use crate::probe::Outcome;
use crate::probe::catalogue::{Missing, Order, Relation, Values, relation, unreadable};
use crate::probe::problem::{self, Trouble, closest, visible};
use crate::probe::ranges::Clusters;
use crate::probe::session::Session;
use crate::probe::statements::{Counting, Measured, group, is_name, shape_column};
use crate::probe::users::configured;

/// Tables of at most so many rows are counted in one statement.
pub(crate) const AT_ONCE: u64 = 100_000;
/// A table that is ready to be counted.
pub(crate) struct Table<'a> {
    pub(crate) relation: Relation,
    pub(crate) counting: Counting,
    pub(crate) columns: Vec<Counted<'a>>,
}

/// A counted column with its index in the configuration, and its cohorts with the rank of their expression.
pub(crate) type Counted<'a> = (usize, &'a Column, Vec<(usize, &'a Cohort)>);

/// Finds the table, its columns and what the cohorts group by; the columns that cannot be counted come with their reason.
pub(crate) async fn prepare<'a>(
    session: &mut Session,
    wanted: &[(usize, &'a Column)],
    tracked: &[&str],
    is_run: bool,
) -> (Option<Table<'a>>, Vec<(usize, Outcome)>) {
    let mut outcomes = Vec::new();
    let Some((_, first)) = wanted.first() else { return (None, outcomes) };
    let relation = match relation(session, first.schema.as_deref(), &first.table).await {
        Ok(relation) => relation,
        Err(missing) => {
            let why = match missing {
                Missing::Table(why) => why,
                Missing::Trouble(trouble) => while_reading(session, &first.table, trouble),
            };
            return (None, wanted.iter().map(|(config, _)| (*config, Outcome::Failed(why.clone()))).collect());
        }
    };
    // Where a table is cut its values are read: never those of a tracked column.
    let is_tracked = |name: &str| tracked.iter().any(|column| column.eq_ignore_ascii_case(name));
    let is_readable = |name: &str| relation.column(name).is_none_or(|column| column.is_readable) && !is_tracked(name);
    let (key, order) = (relation.key.clone(), relation.order.clone());
    let relation = Relation {
        key: key.filter(|key| is_readable(key)),
        order: order.filter(|order| is_readable(&order.column) && !is_bearers(&relation.name, order)),
        ..relation
    };
    let present: Vec<String> = relation.columns.iter().map(|column| column.name.clone()).collect();
    let mut counting = Counting {
        dialect: session.dialect,
        from: relation.from(session.dialect),
        table: relation.name.clone(),
        columns: Vec::new(),
        groups: Vec::new(),
        is_view: relation.is_grant,
    };
    let mut columns = Vec::new();
    // A column that is missing, or whose cohorts cannot be counted, must not cost the others their counts.
    for (config, column) in wanted {
        match measured(session, &relation, &present, &mut counting, column, tracked, is_run).await {
            Ok((measured, cohorts)) => {
                counting.columns.push(measured);
                columns.push((*config, *column, cohorts));
            }
            Err(why) => outcomes.push((*config, Outcome::Failed(why))),
        }
    }
    let table = (!columns.is_empty()).then_some(Table { relation, counting, columns });
    (table, outcomes)
}

/// Whether a key can be what the bearer of a session shows: its values would stand in statements, and those in the server's logs.
fn is_bearers(table: &str, order: &Order) -> bool {
    const WORDS: [&str; 8] = ["token", "session", "secret", "sid", "key", "code", "hash", "password"];
    let says = |name: &str| WORDS.iter().any(|word| name.to_lowercase().contains(word));
    !matches!(order.values, Values::Numbers) && (says(table) || says(&order.column))
}

async fn measured<'a>(
    session: &mut Session,
    relation: &Relation,
    present: &[String],
    counting: &mut Counting,
    column: &'a Column,
    tracked: &[&str],
    is_run: bool,
) -> Result<(Measured, Vec<(usize, &'a Cohort)>), String> {
    let Some(found) = relation.column(&column.column) else {
        let hint = closest(&column.column, present, "column");
        let hidden = unreadable(session.dialect);
        let (table, name) = (visible(&relation.name), visible(&column.column));
        return Err(format!("table `{table}` has no column `{name}`{hidden}{hint}"));
    };
    if !found.is_readable {
        return Err(format!(
            "no permission to read column `{}` of table `{}`; `tokendrift probe --grants` prints a view without values that \
             needs none",
            visible(&column.column),
            visible(&relation.name)
        ));
    }
    if relation.is_grant && relation.column(&shape_column(&found.name)).is_none() {
        return Err(format!(
            "the view `{}` was made by another version; make it anew by `tokendrift probe --grants`",
            visible(&relation.name)
        ));
    }
    let mut cohorts = Vec::new();
    let mut refused = None;
    for cohort in &column.cohorts {
        match expression(session, relation, present, counting, cohort, tracked, is_run).await {
            Ok(expression) => {
                let at = counting.groups.iter().position(|known| *known == expression).unwrap_or_else(|| {
                    counting.groups.push(expression);
                    counting.groups.len() - 1
                });
                cohorts.push((at, cohort));
            }
            Err(why) => refused = refused.or(Some(format!("cohort `{}`: {why}", visible(&cohort.name)))),
        }
    }
    if let Some(why) = refused {
        return Err(why);
    }
    let users = match &column.users {
        Some(users) if !relation.is_grant => {
            let users = configured(session, relation, users, tracked).await;
            Some(users.map_err(|why| format!("`user` of the configuration: {why}"))?)
        }
        _ => None,
    };
    Ok((Measured { name: found.name.clone(), kind: found.kind.clone(), users }, cohorts))
}

/// What a cohort groups by, once the database has understood it.
async fn expression(
    session: &mut Session,
    relation: &Relation,
    present: &[String],
    counting: &Counting,
    cohort: &Cohort,
    tracked: &[&str],
    is_run: bool,
) -> Result<String, String> {
    let (dialect, table) = (session.dialect, &relation.name);
    let by = cohort.by.trim();
    // The view has each cohort ready as a column of the cohort's name.
    let by = if relation.is_grant { cohort.name.trim() } else { by };
    let mut expression = if relation.is_grant { dialect.field(table, by) } else { group(dialect, table, by, tracked)? };
    let mut kind = None;
    if is_name(by) {
        let Some(column) = relation.column(by) else {
            let hint = closest(by, present, "column");
            return Err(format!("table `{}` has no column `{}`{hint}", visible(table), visible(by)));
        };
        expression = dialect.readable(dialect.field(table, &column.name), &column.kind);
        kind = Some(column.kind.as_str());
    }
    if cohort.is_monthly && !relation.is_grant {
        expression = dialect.month(&expression, kind);
    }
    if !is_run {
        return Ok(expression);
    }
    match session.ask(&counting.trial(&expression)).await {
        Ok(_) => Ok(expression),
        Err(Trouble::Refused | Trouble::Data) => Err(format!(
            "`by = \"{}\"` is no expression that {} understands over table `{}`, whose columns are {}",
            visible(by),
            dialect.name(),
            visible(table),
            present.iter().map(|name| visible(name)).collect::<Vec<_>>().join(", ")
        )),
        Err(trouble) => Err(trouble.to_string()),
    }
}

pub(crate) fn while_reading(session: &Session, table: &str, trouble: Trouble) -> String {
    let table = visible(table);
    match trouble {
        Trouble::OutOfTime => {
            let budget = problem::duration(session.deadline().budget);
            format!("table `{table}`: not counted within {budget}; {trouble}")
        }
        _ => format!("table `{table}`: {trouble}"),
    }
}

impl Table<'_> {
    pub(crate) fn is_small(&self) -> bool {
        self.relation.rows.is_none_or(|rows| rows <= AT_ONCE)
    }

    /// Whether a pass over all rows tells what the values look like: of a big table some rows do, unless nothing tells which and it is asked for.
    pub(crate) fn looks_at_all(&self, clusters: Option<&Clusters>) -> bool {
        self.is_small() || clusters.is_none() && self.asks_form() && !self.counting.is_view
    }

    /// Whether the form of some column's values is declared.
    pub(crate) fn asks_form(&self) -> bool {
        self.columns.iter().any(|(_, column, _)| column.form.is_some())
    }
}
