//! SQL that a database holds or has seen run -> what it writes to a column. No text of it is ever shown.

use std::collections::BTreeSet;

use crate::frontend;
use crate::ir::{Conflict, ExprKind, SqlStatement, SqlValue, SqlValueKind};
use crate::provenance::{Meaning, Origin};
use crate::source::{FileId, Language, Macros, Scope, SourceFile};

/// Under which names, in small letters, a view shows a column of what it reads: its own where its query does not tell.
pub(crate) fn shown(view: &str, column: &str) -> BTreeSet<String> {
    let outputs = lowered(view).into_iter().flat_map(|statement| match statement {
        SqlStatement::Select { outputs, .. } => outputs,
        _ => Vec::new(),
    });
    let is_it = |name: &str| name.rsplit('.').next().is_some_and(|name| name.eq_ignore_ascii_case(column));
    let names = outputs.filter(|output| output.name != "*" && output.column.as_deref().is_some_and(is_it));
    let names: BTreeSet<String> = names.map(|output| output.name.to_lowercase()).collect();
    if names.is_empty() { BTreeSet::from([column.to_lowercase()]) } else { names }
}

fn lowered(sql: &str) -> Vec<SqlStatement> {
    let file = SourceFile::new(String::new(), sql.to_owned(), Language::Sql, Scope::Production);
    let module = frontend::lower(FileId(0), &file, &Macros::default());
    let texts = module.exprs.iter().filter_map(|expr| match &expr.kind {
        ExprKind::Sql(sql) => Some(sql.statements.clone()),
        _ => None,
    });
    texts.flatten().collect()
}

/// What the statements of a text write to `table.column`: `insert`, `update` or `upsert-update`, and with what.
///
/// An insert that leaves the column out writes `omitted`; an update that does not mention it writes nothing. `bound` is what a
/// placeholder stands for: a server that took the constants out of a text put placeholders for NULL too.
pub(crate) fn writes(sql: &str, table: &str, column: &str, bound: Origin) -> BTreeSet<(&'static str, String)> {
    let target = Target { table, column, bound };
    lowered(sql).iter().flat_map(|statement| target.written(statement)).collect()
}

/// The column that is looked for.
struct Target<'a> {
    table: &'a str,
    column: &'a str,
    bound: Origin,
}

type Chains = BTreeSet<Vec<Origin>>;

fn one(origin: Origin) -> Chains {
    Chains::from([vec![origin]])
}

fn label(chains: Chains) -> String {
    Meaning { chains }.semantics()
}

impl Target<'_> {
    fn written(&self, statement: &SqlStatement) -> Vec<(&'static str, String)> {
        match statement {
            SqlStatement::Insert { table, columns, rows, conflict, .. } if table.eq_ignore_ascii_case(self.table) => {
                let at = columns.iter().position(|(name, _)| self.is_column(name));
                let values: Vec<&SqlValue> =
                    at.map_or_else(Vec::new, |at| rows.iter().filter_map(|row| row.get(at)).collect());
                let inserted = match at {
                    None if columns.is_empty() => one(Origin::Unknown),
                    None => one(Origin::Omitted),
                    Some(_) if values.is_empty() => one(Origin::Unknown),
                    Some(_) => values.iter().flat_map(|value| self.chains(value, None)).collect(),
                };
                let update = match conflict {
                    Some(Conflict::Update(sets)) => self.set(sets, values.first().copied()),
                    _ => None,
                };
                let insert = ("insert", label(inserted));
                [insert].into_iter().chain(update.map(|label| ("upsert-update", label))).collect()
            }
            SqlStatement::Update { table, sets, .. } if table.eq_ignore_ascii_case(self.table) => {
                self.set(sets, None).map(|label| ("update", label)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn is_column(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case(self.column)
    }

    /// `inserted` is what `EXCLUDED.column` stands for.
    fn set(&self, sets: &[(String, SqlValue)], inserted: Option<&SqlValue>) -> Option<String> {
        let (_, value) = sets.iter().find(|(name, _)| self.is_column(name))?;
        Some(label(self.chains(value, inserted)))
    }

    fn chains(&self, value: &SqlValue, inserted: Option<&SqlValue>) -> Chains {
        let all =
            |values: &[SqlValue]| -> Chains { values.iter().flat_map(|value| self.chains(value, inserted)).collect() };
        match &value.kind {
            SqlValueKind::Null => one(Origin::Null),
            SqlValueKind::Text(text) if text.is_empty() => one(Origin::Null),
            SqlValueKind::Default => one(Origin::Generated),
            SqlValueKind::Column(name) => match name.rsplit_once('.') {
                // What the statement that fired the trigger brought.
                Some((row, _)) if row.eq_ignore_ascii_case("new") => one(Origin::Supplied),
                Some((row, name)) if row.eq_ignore_ascii_case("old") && self.is_column(name) => one(Origin::Preserved),
                None if self.is_column(name) => one(Origin::Preserved),
                _ => one(Origin::Supplied),
            },
            SqlValueKind::Excluded(_) => inserted.map_or_else(|| one(self.bound), |value| self.chains(value, None)),
            SqlValueKind::Placeholder(_) | SqlValueKind::Named(_) | SqlValueKind::Hole(_) => one(self.bound),
            SqlValueKind::OfRows(list, _) => self.chains(list, inserted),
            SqlValueKind::Text(_) | SqlValueKind::Literal(_) => one(Origin::Supplied),
            SqlValueKind::Coalesce(values) => {
                let chain = values.iter().flat_map(|value| self.chains(value, inserted).into_iter().flatten());
                Chains::from([chain.collect()])
            }
            SqlValueKind::Case(values) | SqlValueKind::Concat(values) => all(values),
            SqlValueKind::Call { name, args } => {
                let name = name.to_ascii_lowercase();
                if name.contains("random") || name.contains("uuid") {
                    one(Origin::Fresh)
                } else if args.is_empty() {
                    one(Origin::Unknown)
                } else {
                    all(args)
                }
            }
            SqlValueKind::Opaque(_) => one(Origin::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(sql: &str) -> Vec<String> {
        writes(sql, "users", "access_token", Origin::Supplied)
            .into_iter()
            .map(|(operation, label)| format!("{operation} {label}"))
            .collect()
    }

    #[test]
    fn bodies_of_triggers_and_routines_are_read_for_what_they_write() {
        let postgres = "CREATE TRIGGER clear BEFORE UPDATE ON public.users FOR EACH ROW EXECUTE FUNCTION clear_token();
            CREATE OR REPLACE FUNCTION public.clear_token() RETURNS trigger LANGUAGE plpgsql AS $function$
            BEGIN IF NEW.banned THEN NEW.access_token := NULL; END IF; RETURN NEW; END $function$";
        assert_eq!(told(postgres), ["update null"]);
        let kept = postgres.replace(":= NULL", ":= COALESCE(NEW.access_token, OLD.access_token)");
        assert_eq!(told(&kept), ["update supplied-or-preserved"]);
        let mysql = "CREATE TRIGGER `clear` BEFORE UPDATE ON `users` FOR EACH ROW SET NEW.access_token = NULL";
        assert_eq!(told(mysql), ["update null"]);
        let routine = "CREATE PROCEDURE `purge`() BEGIN UPDATE users SET access_token = '' WHERE id = 1; \
                       INSERT INTO users (access_token) VALUES (gen_random_uuid()); END";
        assert_eq!(told(routine), ["insert fresh", "update null"]);
        let sqlite = "CREATE TRIGGER t AFTER INSERT ON sessions BEGIN UPDATE users SET access_token = new.token; END";
        assert_eq!(told(sqlite), ["update supplied"]);
    }

    #[test]
    fn statements_without_their_constants_are_read_too() {
        assert_eq!(told("UPDATE users SET access_token = $1, seen = $2 WHERE id = $3"), ["update supplied"]);
        assert_eq!(told("INSERT INTO `users` ( `email` ) VALUES (?)"), ["insert omitted"]);
        assert_eq!(told("INSERT INTO users VALUES (...)"), ["insert unknown"]);
        let upsert = "INSERT INTO users (id, access_token) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET access_token = EXCLUDED.access_token";
        assert_eq!(told(upsert), ["insert supplied", "upsert-update supplied"]);
        assert_eq!(
            told("UPDATE users SET seen = $1; SELECT access_token FROM users; UPDATE other SET access_token = $1"),
            [""; 0]
        );
    }
}
