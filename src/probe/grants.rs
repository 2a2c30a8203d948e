//! A view that exposes only what is counted, and a role that may read nothing else.

use crate::config::{Column, Config};
use crate::probe::catalogue::{GRANTS, Relation, view_name};
use crate::probe::dialect::Dialect;
use crate::probe::problem::visible;
use crate::probe::session::Session;
use crate::probe::shape::{SHAPES, Shape, is_expired};
use crate::probe::statements::{EXPIRED, group, shape_column};
use crate::probe::table::prepare;
use crate::probe::users::state_of_user;
use crate::probe::{Deadline, Outcome, ProbeError, Target, by_table, tracked_names};

/// The role that the statements make.
const ROLE: &str = "tokendrift_probe";

/// SQL for whoever owns the tables, and the columns that it does not cover, with the reason. Nothing is run.
///
/// # Errors
/// When the server could not be asked for its catalogue.
pub(crate) async fn grants(target: &Target, config: &Config) -> Result<(String, Vec<String>), ProbeError> {
    let mut session = Session::open(&target.url, Deadline::after(target.budget)).await?;
    let dialect = session.dialect;
    if dialect == Dialect::Sqlite {
        session.close().await;
        let why = "SQLite has no roles: whoever can read the file can read all of it, so there is nothing to grant";
        return Ok((String::new(), vec![why.to_owned()]));
    }
    let tracked = tracked_names(config);
    let (mut sql, mut problems) = (vec![preamble(dialect)], Vec::new());
    for wanted in by_table(config) {
        let (table, failed) = prepare(&mut session, &wanted, &tracked, true).await;
        problems.extend(failed.into_iter().filter_map(|(_, outcome)| match outcome {
            Outcome::Failed(why) => Some(why),
            Outcome::Counted(_) => None,
        }));
        let Some(table) = table else { continue };
        let (mut fields, mut joined): (Vec<String>, String) = Default::default();
        for column in &table.counting.columns {
            let field = dialect.field(&table.relation.name, &column.name);
            let text = dialect.stored_text(&field, &column.kind);
            let mut put = |what: String, name: &str| fields.push(format!("{what} AS {}", dialect.quoted(name)));
            put(state(dialect, &field, &text, "ELSE 'value' END"), &column.name);
            put(shape(dialect, &field, &text), &shape_column(&column.name));
            if let Some((name, state, join)) = state_of_user(dialect, &table, column, &joined) {
                put(state, &name);
                joined = join;
            }
        }
        for (_, config, _) in &table.columns {
            fields.extend(cohort_fields(dialect, &table.relation, config, &tracked));
        }
        fields.sort();
        fields.dedup();
        let label = |field: &String| field.rsplit_once(" AS ").map(|(_, label)| label.to_owned());
        let twice = fields.iter().filter_map(label).collect::<Vec<_>>();
        if let Some(name) = twice.iter().enumerate().find_map(|(at, name)| twice[..at].contains(name).then_some(name)) {
            problems.push(format!(
                "table {}: several columns of its view would be called {name}: give each cohort a name of its own",
                visible(&table.relation.name)
            ));
            continue;
        }
        let schema = wanted.first().and_then(|(_, column)| column.schema.as_deref());
        let view = Relation { name: view_name(dialect, schema, &table.relation.name), ..table.relation.clone() };
        let (view, create) = match dialect {
            Dialect::Mysql { .. } => (view.from(dialect), "CREATE OR REPLACE SQL SECURITY DEFINER VIEW"),
            _ => (format!("{GRANTS}.{}", dialect.quoted(&view.name)), "CREATE VIEW"),
        };
        if create == "CREATE VIEW" {
            sql.push(format!("DROP VIEW IF EXISTS {view};\n"));
        }
        sql.push(format!(
            "{create} {view} AS SELECT\n  {}\nFROM {}{joined};\nGRANT SELECT ON {view} TO {};\n",
            fields.join(",\n  "),
            table.counting.from,
            role(dialect)
        ));
    }
    session.close().await;
    Ok((sql.concat(), problems))
}

fn role(dialect: Dialect) -> String {
    if matches!(dialect, Dialect::Mysql { .. }) { format!("'{ROLE}'@'%'") } else { ROLE.to_owned() }
}

fn preamble(dialect: Dialect) -> String {
    let role = role(dialect);
    match dialect {
        Dialect::Postgres { .. } => format!(
            "-- Run this as the owner of the tables; it can be run again. Then give the role a password: \\password {ROLE}\n\
             -- While the views are there the columns that they read keep their type and cannot be dropped. To take all of it away:\n\
             --   DROP SCHEMA {GRANTS} CASCADE; DROP ROLE {role};\n\
             DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;\n\
             CREATE SCHEMA IF NOT EXISTS {GRANTS};\nGRANT USAGE ON SCHEMA {GRANTS} TO {role};\n"
        ),
        Dialect::Mysql { .. } => format!(
            "-- Run this as the owner of the tables. Then give the user a password and unlock it:\n\
             --   ALTER USER {role} IDENTIFIED BY '...' ACCOUNT UNLOCK;\n\
             -- To take all of it away: DROP VIEW of each view below; DROP USER {role};\n\
             CREATE USER IF NOT EXISTS {role} ACCOUNT LOCK;\n"
        ),
        Dialect::Sqlite => String::new(),
    }
}

/// A word in place of the value; NULL and '' stay.
fn state(dialect: Dialect, field: &str, text: &str, otherwise: &str) -> String {
    let (is_empty, is_null_text) = (dialect.is_empty(text), dialect.is_null_text(text));
    format!("CASE WHEN {field} IS NULL THEN NULL WHEN {is_empty} THEN '' WHEN {is_null_text} THEN 'null' {otherwise}")
}

/// The name of its shape.
fn shape(dialect: Dialect, field: &str, text: &str) -> String {
    let mut arms = Vec::new();
    for shape in SHAPES {
        let fits = shape.test(dialect, text);
        if let Some(expired) = is_expired(dialect, text).filter(|_| shape == Shape::Jwt) {
            arms.push(format!("WHEN {fits} THEN CASE WHEN {expired} THEN '{EXPIRED}' ELSE 'jwt' END"));
        } else {
            arms.push(format!("WHEN {fits} THEN '{}'", shape.word()));
        }
    }
    state(dialect, field, text, &format!("{} ELSE 'other' END", arms.join(" ")))
}

fn cohort_fields(dialect: Dialect, relation: &Relation, column: &Column, tracked: &[&str]) -> Vec<String> {
    let fields = column.cohorts.iter().filter_map(|cohort| {
        let own = relation.column(cohort.by.trim());
        let by = own.map_or(cohort.by.as_str(), |column| &column.name);
        let expression = match own {
            Some(column) => dialect.readable(dialect.field(&relation.name, &column.name), &column.kind),
            None => group(dialect, &relation.name, by, tracked).ok()?,
        };
        let kind = own.map(|column| column.kind.as_str());
        let expression = if cohort.is_monthly { dialect.month(&expression, kind) } else { expression };
        Some(format!("{expression} AS {}", dialect.quoted(&cohort.name)))
    });
    fields.collect()
}
