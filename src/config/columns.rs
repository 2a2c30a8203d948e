//! `users.access_token` -> table and column.

use crate::config::{Column, ConfigError};

/// A column named on the command line: `TABLE.COLUMN`, or with the schema before. Each part may be
/// quoted as in SQL (`"Account"."refreshToken"`).
pub fn column_from_flag(name: &str) -> Result<Column, ConfigError> {
    let parts = split(name);
    let wrong = || {
        ConfigError::ColumnName(format!(
            "`{name}` names no column: write TABLE.COLUMN with the names of the database, as in users.access_token"
        ))
    };
    if parts.len() > 4 || parts.iter().any(|part| part.trim().is_empty()) {
        return Err(wrong());
    }
    match parts.as_slice() {
        [before @ .., table, column] => Ok(Column {
            schema: before.last().cloned(),
            table: table.clone(),
            column: column.clone(),
            ..Column::default()
        }),
        _ => Err(wrong()),
    }
}

/// The parts between dots that do not stand in quotes, unquoted.
pub(crate) fn split(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    for c in name.trim().chars() {
        match (quote, c) {
            (None, '"' | '`') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '.') => parts.push(String::new()),
            _ => {
                if let Some(last) = parts.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_parts_are_table_and_column() {
        for (flag, name) in [
            ("users.access_token", "users.access_token"),
            ("public.users.access_token", "users.access_token"),
            ("\"Account\".\"providerRefreshToken\"", "Account.providerRefreshToken"),
            ("`odd.table`.token", "odd.table.token"),
        ] {
            assert_eq!(column_from_flag(flag).map(|c| c.name()).unwrap(), name);
        }
    }

    #[test]
    fn what_names_no_column_gets_an_error_that_shows_the_form() {
        for flag in ["", "access_token", ".", "users.", ".token", "users. ", "a.b.c.d.e"] {
            let error = column_from_flag(flag).unwrap_err().to_string();
            assert!(error.contains("TABLE.COLUMN"), "{error}");
        }
    }
}
