//! A view that exposes only what is counted, and a role that may read nothing else.

use crate::config::{Column, Config};
use crate::probe::catalogue::Relation;
use crate::probe::dialect::Dialect;
use crate::probe::problem::visible;
use crate::probe::session::Session;
use crate::probe::shape::{SHAPES, Shape, is_expired};
use crate::probe::statements::group;
use crate::probe::table::prepare;
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
    let tracked = tracked_names(config);
    let (mut sql, mut problems) = (vec![preamble(dialect)], Vec::new());
    for wanted in by_table(config) {
        let (table, failed) = prepare(&mut session, &wanted, &tracked, true).await;
        problems.extend(failed.into_iter().filter_map(|(_, outcome)| match outcome {
            Outcome::Failed(why) => Some(why),
            Outcome::Counted(_) => None,
        }));
        let Some(table) = table else { continue };
        let mut fields: Vec<String> = Vec::new();
        for column in &table.counting.columns {
            let field = dialect.field(&table.relation.name, &column.name);
            let text = dialect.stored_text(&field, &column.kind);
            fields.push(format!("{} AS {}", state(dialect, &field, &text), dialect.quoted(&column.name)));
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
        let view = match dialect {
            Dialect::Mysql { .. } => dialect.quoted(&format!("tokendrift_{}", table.relation.name)),
            _ => format!("tokendrift.{}", dialect.quoted(&table.relation.name)),
        };
        let security = if matches!(dialect, Dialect::Mysql { .. }) { "SQL SECURITY DEFINER " } else { "" };
        for (_, column, _) in table.columns.iter().filter(|(_, column, _)| column.users.is_some()) {
            sql.push(format!("-- Not in the view: whose tokens {} holds (`user`).\n", visible(&column.name())));
        }
        sql.push(format!(
            "CREATE {security}VIEW {view} AS SELECT\n  {}\nFROM {};\nGRANT SELECT ON {view} TO {};\n",
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
            "-- Run this as the owner of the tables. Then give the role a password: \\password {ROLE}\n\
             CREATE ROLE {role} LOGIN;\nCREATE SCHEMA tokendrift;\nGRANT USAGE ON SCHEMA tokendrift TO {role};\n"
        ),
        Dialect::Mysql { .. } => format!(
            "-- Run this as the owner of the tables. Then give the user a password and unlock it:\n\
             --   ALTER USER {role} IDENTIFIED BY '...' ACCOUNT UNLOCK;\n\
             CREATE USER {role} ACCOUNT LOCK;\n"
        ),
        Dialect::Sqlite => "-- SQLite has no roles: whoever can read the file can read all of it.\n".to_owned(),
    }
}

/// The name of the value's shape in place of the value; NULL and '' stay.
fn state(dialect: Dialect, field: &str, text: &str) -> String {
    let mut arms = vec![format!(
        "CASE WHEN {field} IS NULL THEN NULL WHEN {} THEN '' WHEN {} THEN 'null'",
        dialect.is_empty(text),
        dialect.is_null_text(text)
    )];
    for shape in SHAPES {
        let fits = shape.test(dialect, text);
        if let Some(expired) = is_expired(dialect, text).filter(|_| shape == Shape::Jwt) {
            arms.push(format!("WHEN {fits} THEN CASE WHEN {expired} THEN 'expired-jwt' ELSE 'jwt' END"));
        } else {
            arms.push(format!("WHEN {fits} THEN '{}'", shape.word()));
        }
    }
    format!("{} ELSE 'other' END", arms.join(" "))
}

fn cohort_fields(dialect: Dialect, relation: &Relation, column: &Column, tracked: &[&str]) -> Vec<String> {
    let fields = column.cohorts.iter().filter_map(|cohort| {
        let expression = group(dialect, &relation.name, &cohort.by, tracked).ok()?;
        let kind = relation.column(cohort.by.trim()).map(|column| column.kind.as_str());
        let expression = if cohort.is_monthly { dialect.month(&expression, kind) } else { expression };
        Some(format!("{expression} AS {}", dialect.quoted(&cohort.name)))
    });
    fields.collect()
}
