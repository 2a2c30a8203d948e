//! How each database writes what the statements need.

/// The language of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Postgres {
        /// `server_version_num`
        version: u32,
    },
    Mysql {
        mariadb: bool,
    },
    Sqlite,
}

impl Dialect {
    /// Its name in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres { .. } => "PostgreSQL",
            Self::Mysql { mariadb: true } => "MariaDB",
            Self::Mysql { mariadb: false } => "MySQL",
            Self::Sqlite => "SQLite",
        }
    }

    /// An identifier, the quote doubled inside.
    pub(crate) fn quoted(self, name: &str) -> String {
        let quote = if matches!(self, Self::Mysql { .. }) { '`' } else { '"' };
        format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}")))
    }

    /// A text that came from a configuration or a catalogue, as a literal.
    pub(crate) fn literal(self, text: &str) -> String {
        match self {
            // In hexadecimal digits no server's rules for backslashes matter.
            Self::Mysql { .. } => {
                format!("CONVERT(X'{}' USING utf8mb4)", hexadecimal(text.as_bytes()))
            }
            // `standard_conforming_strings` is set on.
            Self::Postgres { .. } | Self::Sqlite => format!("'{}'", text.replace('\'', "''")),
        }
    }

    /// `"users"."access_token"`: qualified, since SQLite takes a quoted name that it does not know for a string.
    pub(crate) fn field(self, table: &str, column: &str) -> String {
        format!("{}.{}", self.quoted(table), self.quoted(column))
    }

    /// Any expression as text.
    pub(crate) fn as_text(self, expression: &str) -> String {
        let kind = if matches!(self, Self::Mysql { .. }) { "CHAR" } else { "TEXT" };
        format!("CAST({expression} AS {kind})")
    }

    /// A column that rows are grouped by, where its values are no text: MySQL's bits as a number, its bytes in hexadecimal
    /// digits where they are no text.
    pub(crate) fn readable(self, field: String, kind: &str) -> String {
        match (self, kind.to_ascii_lowercase().as_str()) {
            (Self::Mysql { .. }, "bit") => format!("({field} + 0)"),
            (Self::Mysql { .. }, kind) if kind.ends_with("binary") || kind.ends_with("blob") => {
                let text = format!("CONVERT({field} USING utf8mb4)");
                format!("IF(CAST({text} AS BINARY) = {field}, {text}, HEX({field}))")
            }
            _ => field,
        }
    }

    /// What rows are grouped by, as text of which every character counts: collations take `Web` and `web` for the same.
    pub(crate) fn label(self, expression: &str) -> String {
        match self {
            Self::Postgres { .. } => format!("({} COLLATE \"C\")", self.as_text(expression)),
            Self::Mysql { .. } => format!("CAST(CONVERT({expression} USING utf8mb4) AS BINARY)"),
            Self::Sqlite => format!("({} COLLATE BINARY)", self.as_text(expression)),
        }
    }

    /// A column of any type as the text that was stored.
    pub(crate) fn stored_text(self, field: &str, kind: &str) -> String {
        let field = field.to_owned();
        let kind = kind.to_ascii_lowercase();
        match self {
            // Bytes as characters, those that are none as octal digits: no value is an error.
            Self::Postgres { .. } if kind == "bytea" => format!("encode({field}, 'escape')"),
            Self::Postgres { .. } if kind == "json" || kind == "jsonb" => {
                // JSON's null is a value that has no text.
                format!("CASE WHEN {field} IS NOT NULL THEN coalesce({field} #>> '{{}}', 'null') END")
            }
            Self::Mysql { mariadb: false } if kind == "json" => format!("JSON_UNQUOTE({field})"),
            Self::Postgres { .. } if kind.ends_with("[]") => self.as_text(&field),
            // Under a collation of its own a text may equal another, or match no pattern at all.
            Self::Postgres { .. } if is_text(&kind) => format!("({field} COLLATE \"C\")"),
            Self::Mysql { .. } if is_text(&kind) => field,
            Self::Sqlite => format!("({} COLLATE BINARY)", self.as_text(&field)),
            Self::Postgres { .. } => format!("({} COLLATE \"C\")", self.as_text(&field)),
            Self::Mysql { .. } => self.as_text(&field),
        }
    }

    /// Whether a text has no character. MySQL takes one of blanks for `''`, and letters of another size for the same.
    pub(crate) fn is_empty(self, text: &str) -> String {
        if matches!(self, Self::Mysql { .. }) { format!("LENGTH({text}) = 0") } else { format!("{text} = ''") }
    }

    /// Whether a text is `null`.
    pub(crate) fn is_null_text(self, text: &str) -> String {
        let same = format!("{text} = 'null'");
        if matches!(self, Self::Mysql { .. }) {
            format!("{same} AND CAST(CONVERT({text} USING utf8mb4) AS BINARY) = 'null'")
        } else {
            same
        }
    }

    /// The month of a date, as `2024-05`; of a number, that of as many seconds or milliseconds since 1970. `kind` is the column's type.
    pub(crate) fn month(self, expression: &str, kind: Option<&str>) -> String {
        const NUMBERS: [&str; 9] =
            ["int", "bigint", "integer", "numeric", "decimal", "double", "double precision", "float", "real"];
        let is_number = kind.is_some_and(|kind| NUMBERS.contains(&kind.to_lowercase().as_str()));
        // Seconds have not so many digits before the year 5138.
        let seconds = format!("{expression} / CASE WHEN {expression} > 99999999999 THEN 1000 ELSE 1 END");
        match self {
            Self::Postgres { .. } if is_number => format!("to_char(to_timestamp({seconds}), 'YYYY-MM')"),
            Self::Mysql { .. } if is_number => format!("DATE_FORMAT(FROM_UNIXTIME({seconds}), '%Y-%m')"),
            Self::Postgres { .. } => format!("to_char({expression}, 'YYYY-MM')"),
            Self::Mysql { .. } => format!("DATE_FORMAT({expression}, '%Y-%m')"),
            // Whatever type a column has, its values can be numbers.
            Self::Sqlite => format!(
                "CASE WHEN typeof({expression}) IN ('integer', 'real') THEN strftime('%Y-%m', {seconds}, 'unixepoch') \
                 ELSE strftime('%Y-%m', {expression}) END"
            ),
        }
    }

    /// Whether a text matches an extended regular expression, with regard to case. SQLite knows none.
    pub(crate) fn matches(self, text: &str, pattern: &str) -> Option<String> {
        match self {
            Self::Postgres { .. } => Some(format!("{text} ~ '{pattern}'")),
            Self::Mysql { mariadb: true } => Some(format!("{text} REGEXP BINARY '{pattern}'")),
            Self::Mysql { mariadb: false } => Some(format!("REGEXP_LIKE({text}, '{pattern}', 'c')")),
            Self::Sqlite => None,
        }
    }
}

/// Two digits a byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

fn is_text(kind: &str) -> bool {
    ["text", "character varying", "varchar", "tinytext", "mediumtext", "longtext"].contains(&kind)
}
