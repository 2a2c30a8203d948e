//! Whose token it is: the table of users by configuration, else by foreign keys and names, and who of them may still log in.

use crate::config::UserTable;
use crate::probe::catalogue::{Missing, Reference, Relation, relation};
use crate::probe::dialect::Dialect;
use crate::probe::problem::{closest, visible};
use crate::probe::ranges::Part;
use crate::probe::session::Session;
use crate::probe::statements::{Measured, group};
use crate::probe::table::{Table, while_reading};

/// The users as the configuration names them.
#[derive(Clone, Debug)]
pub(crate) struct Users {
    /// `None`: the rows with the tokens are the users.
    owner: Option<Owner>,
    /// Whether a user may not log in, over the columns of `from`.
    inactive: Option<String>,
    name: String,
}

#[derive(Clone, Debug)]
struct Owner {
    /// What stands behind `JOIN`.
    from: String,
    /// The column of the tokens' table that holds the user's key.
    by: String,
    key: String,
    /// Whether no two users have the same key.
    is_unique: bool,
}

/// The alias of the users' table.
const OWNER: &str = "owner";
/// Words for a user who may not log in.
const LOCKED_OUT: &str = "'inactive', 'deactivated', 'disabled', 'deleted', 'banned', 'blocked', 'suspended'";
/// A column of the sub-query, for a condition that the configuration gives.
const INACTIVE: &str = "tokendrift_inactive";

/// Characters that every server takes for a name.
const LONGEST_NAME: usize = 63;
/// The user's key, in a view.
const USER: &str = "tokendrift_user";

/// Finds the table and columns that the configuration names.
///
/// # Errors
/// What of them there is not, with the closest names.
pub(crate) async fn configured(
    session: &mut Session,
    own: &Relation,
    users: &UserTable,
    tracked: &[&str],
) -> Result<Users, String> {
    let dialect = session.dialect;
    let not_active = |table: &str, active: &str| {
        let active = group(dialect, table, active, tracked).map_err(|why| why.replace("`by`", "`active`"))?;
        Ok::<String, String>(format!("CASE WHEN {active} THEN 0 ELSE 1 END"))
    };
    let Some(table) = &users.table else {
        let active = users.active.as_deref().unwrap_or_default();
        let inactive = Some(format!("{} = 1", not_active(&own.name, active)?));
        return Ok(Users { owner: None, inactive, name: own.name.clone() });
    };
    let found = relation(session, users.schema.as_deref(), table).await.map_err(|missing| match missing {
        Missing::Table(why) => why,
        Missing::Trouble(trouble) => while_reading(session, table, trouble),
    })?;
    let column = |of: &Relation, name: &str| {
        let names: Vec<String> = of.columns.iter().map(|column| column.name.clone()).collect();
        of.column(name).map(|column| column.name.clone()).ok_or_else(|| {
            let hint = closest(name, &names, "column");
            format!("table `{}` has no column `{}`{hint}", visible(&of.name), visible(name))
        })
    };
    let reference = own.references.iter().find(|reference| reference.table_name.eq_ignore_ascii_case(&found.name));
    let by = match (&users.by, reference) {
        (Some(by), _) => column(own, by)?,
        (None, Some(reference)) => reference.column.clone(),
        (None, None) => {
            return Err(format!(
                "no foreign key leads from `{}` to `{}`: name the column that holds the user's key, as in by = \"user_id\"",
                visible(&own.name),
                visible(&found.name)
            ));
        }
    };
    let is_key = |key: &str| found.key.as_deref() == Some(key) && !found.is_shared_key;
    let key = match (&users.key, reference, &found.key) {
        (Some(key), _, _) => column(&found, key)?,
        (None, Some(reference), _) => reference.key.clone(),
        (None, None, Some(key)) => key.clone(),
        (None, None, None) => column(&found, "id")?,
    };
    let is_unique = is_key(&key) || reference.is_some_and(|reference| reference.key == key);
    let (from, inactive) = if let Some(active) = &users.active {
        let (key, name) = (dialect.field(&found.name, &key), dialect.quoted(INACTIVE));
        let sql =
            format!("(SELECT {key}, {} AS {name} FROM {})", not_active(&found.name, active)?, found.from(dialect));
        (sql, Some(format!("{} = 1", dialect.field(OWNER, INACTIVE))))
    } else {
        let columns = found.columns.iter().filter(|c| c.is_readable).map(|c| (c.name.clone(), c.kind.clone()));
        (found.from(dialect), inactive(dialect, OWNER, &columns.collect::<Vec<_>>()))
    };
    Ok(Users { owner: Some(Owner { from, by, key, is_unique }), inactive, name: found.name })
}

/// Names of columns that say whether a user may still log in, and what they hold for one that may not.
fn inactive(dialect: Dialect, alias: &str, columns: &[(String, String)]) -> Option<String> {
    let tests: Vec<String> = columns
        .iter()
        .filter_map(|(name, kind)| {
            let field = dialect.field(alias, name);
            let plain = name.to_lowercase().replace('_', "");
            let kind = kind.to_lowercase();
            let is_flag = kind.starts_with("bool") || kind.starts_with("tinyint") || kind.starts_with("int");
            let (yes, no) = match dialect {
                Dialect::Postgres { .. } if kind.starts_with("bool") => (field.clone(), format!("NOT {field}")),
                _ => (format!("{field} <> 0"), format!("{field} = 0")),
            };
            match plain.as_str() {
                "isactive" | "active" | "enabled" | "isenabled" if is_flag => Some(no),
                "isdeleted" | "deleted" | "isdisabled" | "disabled" | "isbanned" | "banned" | "isblocked"
                | "blocked"
                    if is_flag =>
                {
                    Some(yes)
                }
                "deletedat" | "disabledat" | "deactivatedat" | "bannedat" | "blockedat" => {
                    Some(format!("{field} IS NOT NULL"))
                }
                // What a number stands for cannot be told.
                "status" | "state" | "userstatus" | "accountstatus" if !is_flag => {
                    Some(format!("lower({}) IN ({LOCKED_OUT})", dialect.as_text(&field)))
                }
                _ => None,
            }
        })
        .collect();
    (!tests.is_empty()).then(|| tests.join(" OR "))
}

/// Whether a table's name says that it holds users.
fn holds_users(table: &str) -> bool {
    table.to_lowercase().trim_end_matches('s').ends_with("user")
}

/// The reference to the user whose row it is, which among several the column's name tells: `user_id` rather than `invited_by`.
fn owner(relation: &Relation) -> Option<&Reference> {
    let plain = |name: &str| name.to_lowercase().replace('_', "");
    let of = |holds: &dyn Fn(&str) -> bool| -> Vec<&Reference> {
        let leads = |reference: &&Reference| reference.table_name != relation.name && holds(&reference.table_name);
        relation.references.iter().filter(leads).collect()
    };
    let is_account = |table: &str| table.to_lowercase().trim_end_matches('s').ends_with("account");
    let leading = Some(of(&holds_users)).filter(|found| !found.is_empty()).unwrap_or_else(|| of(&is_account));
    let is_own = |reference: &&&Reference| {
        let column = plain(&reference.column);
        let column = column.trim_end_matches("id").trim_end_matches("uu");
        column.ends_with("user")
            || column.ends_with("owner")
            || column == plain(&reference.table_name).trim_end_matches('s')
    };
    let mut own = leading.iter().filter(is_own);
    match (own.next(), own.next(), leading.as_slice()) {
        (Some(only), None, _) => Some(only),
        // `created_by` names whoever did something to the row.
        (None, None, [only]) if !plain(&only.column).trim_end_matches("id").ends_with("by") => Some(only),
        _ => None,
    }
}

/// The users by foreign keys and names. A table that refers to no users is one of users if it has a column that says so itself.
fn likely(dialect: Dialect, relation: &Relation) -> Option<Users> {
    if let Some(users) = owner(relation).filter(|_| !holds_users(&relation.name)) {
        // What a foreign key leads to is unique.
        let owner =
            Owner { from: users.table.clone(), by: users.column.clone(), key: users.key.clone(), is_unique: true };
        let inactive = inactive(dialect, OWNER, &users.columns);
        return Some(Users { owner: Some(owner), inactive, name: users.table_name.clone() });
    }
    let columns = relation.columns.iter().filter(|c| c.is_readable).map(|c| (c.name.clone(), c.kind.clone()));
    let inactive = inactive(dialect, &relation.name, &columns.collect::<Vec<_>>())?;
    Some(Users { owner: None, inactive: Some(inactive), name: relation.name.clone() })
}

/// Whether it can be told whose tokens a column holds.
pub(crate) fn has_users(dialect: Dialect, table: &Table<'_>, column: &Measured) -> bool {
    column.users.is_some() || likely(dialect, &table.relation).is_some()
}

/// How the column of the view of `--grants` begins that says whether the user of a token is there and may log in; the users' table follows.
fn user_column(column: &str) -> String {
    format!("{column} user of ")
}

/// Name and content of that column, `active`, `inactive` or `gone`, and what the view joins for it. A server leaves out a join to a unique key that a question does not
/// need; `joined` is what the view joins already, and no second table takes its name.
pub(crate) fn state_of_user(
    dialect: Dialect,
    table: &Table<'_>,
    column: &Measured,
    joined: &str,
) -> Option<(String, String, String)> {
    let users = column.users.clone().or_else(|| likely(dialect, &table.relation))?;
    let inactive = users.inactive.unwrap_or_else(|| "1 = 0".to_owned());
    let name: String = user_column(&column.name).chars().chain(users.name.chars()).take(LONGEST_NAME).collect();
    let state = format!("WHEN {inactive} THEN 'inactive' ELSE 'active' END");
    let Some(owner) = users.owner else { return Some((name, format!("CASE {state}"), joined.to_owned())) };
    let (own, key) = (dialect.field(&table.counting.table, &owner.by), dialect.field(OWNER, &owner.key));
    let owners = format!("{} {}", owner.from, dialect.quoted(OWNER));
    // Names of its own: a cohort's expression may name a column that both tables have.
    let (user, is_inactive) = (dialect.quoted(USER), dialect.quoted(INACTIVE));
    let join = format!(
        " LEFT JOIN (SELECT {key} AS {user}, CASE WHEN {inactive} THEN 1 ELSE 0 END AS {is_inactive} FROM {owners}) users ON {user} = {own}"
    );
    Some(if owner.is_unique && (joined.is_empty() || joined == join) {
        (
            name,
            format!("CASE WHEN {user} IS NULL THEN 'gone' WHEN {is_inactive} = 1 THEN 'inactive' ELSE 'active' END"),
            join,
        )
    } else {
        let state = format!("coalesce((SELECT CASE {state} FROM {owners} WHERE {key} = {own} LIMIT 1), 'gone')");
        (name, state, joined.to_owned())
    })
}

/// Counts the tokens, those whose user is gone, and those whose user is inactive; the table of users with it.
pub(crate) fn orphans_sql(
    dialect: Dialect,
    table: &Table<'_>,
    column: &Measured,
    part: &Part,
) -> Option<(String, String)> {
    let counting = &table.counting;
    if counting.is_view {
        let prefix = user_column(&column.name);
        let (user, users) = table
            .relation
            .columns
            .iter()
            .find_map(|column| Some((column, column.name.strip_prefix(prefix.as_str())?.to_owned())))?;
        let (user, state) = (dialect.field(&counting.table, &user.name), dialect.field(&counting.table, &column.name));
        let is = |word: &str| format!("count(CASE WHEN {user} = '{word}' THEN 1 END)");
        let sql =
            format!("SELECT count(*), {}, {} FROM {} WHERE {state} <> ''", is("gone"), is("inactive"), counting.from);
        return Some((users, sql));
    }
    let users = column.users.clone().or_else(|| likely(dialect, &table.relation))?;
    let text = dialect.stored_text(&dialect.field(&counting.table, &column.name), &column.kind);
    let inactive = users.inactive.unwrap_or_else(|| "1 = 0".to_owned());
    let holds = format!("WHERE {text} <> ''{}", part.and());
    let sql = match users.owner {
        None => format!("SELECT count(*), 0, count(CASE WHEN {inactive} THEN 1 END) FROM {} {holds}", part.from),
        Some(owner) => {
            let (own, key) = (dialect.field(&counting.table, &owner.by), dialect.field(OWNER, &owner.key));
            format!(
                "SELECT count(*), count(CASE WHEN {key} IS NULL THEN 1 END), count(CASE WHEN {inactive} THEN 1 END) FROM {} \
                 LEFT JOIN {} {} ON {key} = {own} {holds}",
                part.from,
                owner.from,
                dialect.quoted(OWNER)
            )
        }
    };
    Some((users.name, sql))
}
