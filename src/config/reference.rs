//! Every key of `tokendrift.toml`, for the reference and the JSON Schema in `docs/generated/`.

/// A table of the file.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// As it is written: `[audit]`, `[[column]]`.
    pub heading: &'static str,
    /// Its keys from the root on: `column`, `column.cohort`.
    pub path: &'static str,
    pub text: &'static str,
    pub keys: &'static [Key],
}

/// A key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    pub required: bool,
    /// As it is written.
    pub example: &'static str,
    /// The variable of the environment and the flag that win over it; empty where there is none.
    pub variable: &'static str,
    pub flag: &'static str,
    pub text: &'static str,
}

/// What a value can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Texts,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number with a unit: `500ms`, `30s`, `15m`, `2h`, `7d`.
    Duration,
    /// 0 or more.
    Number,
    /// From 0 to 1.
    Share,
    Flag,
    /// Any key -> a text or a list of texts.
    Entries,
}

const KEY: Key = Key { name: "", kind: Kind::Text, required: false, example: "", variable: "", flag: "", text: "" };

/// All tables, in the order in which people write them.
pub static TABLES: &[Table] = &[
    Table {
        heading: "[audit]",
        path: "audit",
        text: "What is read, and when a run fails.",
        keys: &[
            Key {
                name: "exclude",
                kind: Kind::Texts,
                example: "[\"legacy/**\"]",
                text: "Globs of files and folders to leave out, relative to the configuration's folder, as in a `.gitignore`.",
                ..KEY
            },
            Key {
                name: "rules",
                kind: Kind::Texts,
                example: "[\"./tokendrift-rules\"]",
                text: "Folders of further rule packs, relative to the configuration's folder.",
                ..KEY
            },
            Key {
                name: "hygiene",
                kind: Kind::Flag,
                example: "false",
                text: "`false` leaves out the checks on how tokens are kept and sent: storage, cookies, denylists, lives.",
                ..KEY
            },
            Key {
                name: "identity-provider",
                example: "\"https://login.example.com\"",
                text: "Who vouches for a token's user on every request; guards that leave the question to it are satisfied.",
                ..KEY
            },
            Key {
                name: "max-token-life",
                kind: Kind::Duration,
                example: "\"15m\"",
                text: "The longest life that a token may have, in whole seconds.",
                ..KEY
            },
            Key {
                name: "fail-on",
                kind: Kind::Word(&["error", "warning", "note"]),
                example: "\"error\"",
                variable: "TOKENDRIFT_FAIL_ON",
                flag: "--fail-on",
                text: "The least level of a finding that makes the exit code 1; `warning` without it.",
                ..KEY
            },
            Key {
                name: "max-unknown",
                kind: Kind::Number,
                example: "10",
                variable: "TOKENDRIFT_MAX_UNKNOWN",
                flag: "--max-unknown",
                text: "With more code paths than this whose value could not be told, the run counts as incomplete.",
                ..KEY
            },
            Key {
                name: "baseline",
                example: "\"tokendrift-baseline.json\"",
                variable: "TOKENDRIFT_BASELINE",
                flag: "--baseline",
                text: "The file of findings that do not count, relative to the configuration's folder; see `tokendrift baseline`.",
                ..KEY
            },
        ],
    },
    Table {
        heading: "[[column]]",
        path: "column",
        text: "A tracked column; one table a column.",
        keys: &[
            Key {
                name: "table",
                required: true,
                example: "\"users\"",
                text: "The table, as the database calls it.",
                ..KEY
            },
            Key {
                name: "column",
                required: true,
                example: "\"access_token\"",
                flag: "--column",
                text: "The column, as the database calls it.",
                ..KEY
            },
            Key {
                name: "contract",
                kind: Kind::Word(&["write-consistently", "drop-writes"]),
                example: "\"write-consistently\"",
                text: "What is to become of it: every issuing path stores the fresh token, or nobody writes it. Without it `contract-undeclared` is \
                       reported.",
                ..KEY
            },
            Key {
                name: "stage",
                kind: Kind::Word(&["reads-stopped", "writes-stopped", "column-ignored", "column-dropped"]),
                example: "\"reads-stopped\"",
                text: "How far `drop-writes` is to have come; each stage includes those before it. Without it `writes-stopped`.",
                ..KEY
            },
            Key {
                name: "decision",
                example: "\"docs/adr/0007-access-token.md\"",
                text: "The decision record, relative to the configuration's folder; it has to exist and to name table and column.",
                ..KEY
            },
            Key {
                name: "form",
                kind: Kind::Word(&["plain", "hashed", "encrypted"]),
                example: "\"hashed\"",
                text: "The form that the token is stored in; another one is reported as `form-drift`.",
                ..KEY
            },
            Key {
                name: "max-null-ratio",
                kind: Kind::Share,
                example: "0.05",
                text: "The share of rows that may hold NULL or `''`, whole and in each cohort; more is reported as `null-ratio`.",
                ..KEY
            },
        ],
    },
    Table {
        heading: "[column.user]",
        path: "column.user",
        text: "Whose tokens the column holds, for the live part, where foreign keys and the names of columns do not tell.",
        keys: &[
            Key {
                name: "table",
                example: "\"members\"",
                text: "The table of users; without it the rows with the tokens are the users.",
                ..KEY
            },
            Key {
                name: "by",
                example: "\"member_id\"",
                text: "The column beside the token that holds the user's key; without it that of a foreign key to the table.",
                ..KEY
            },
            Key { name: "key", example: "\"id\"", text: "The column of the users that it leads to.", ..KEY },
            Key {
                name: "active",
                example: "\"status = 'active'\"",
                text: "A column or SQL condition that holds for users who may log in.",
                ..KEY
            },
        ],
    },
    Table {
        heading: "[[column.cohort]]",
        path: "column.cohort",
        text: "A split of the column's rows, for the live part.",
        keys: &[
            Key { name: "name", required: true, example: "\"client\"", text: "What reports call the split.", ..KEY },
            Key {
                name: "by",
                required: true,
                example: "\"signup_client\"",
                text: "A column or SQL expression of the table that splits its rows.",
                ..KEY
            },
            Key {
                name: "every",
                example: "\"month\"",
                text: "`month`: `by` is a date, and its month splits the rows: does the share of NULLs fall with recent logins?",
                ..KEY
            },
            Key {
                name: "path",
                kind: Kind::Entries,
                example: "{ web = \"web\", mobile = [\"mobile\", \"app\"] }",
                text: "A value of the split -> the entry points it stands for: parts of their routes or names.",
                ..KEY
            },
        ],
    },
    Table {
        heading: "[[database]]",
        path: "database",
        text: "A database to hold against the code. Its URL never stands in the file.",
        keys: &[
            Key { name: "name", required: true, example: "\"replica\"", text: "What messages call it.", ..KEY },
            Key {
                name: "url-env",
                required: true,
                example: "\"REPLICA_URL\"",
                variable: "TOKENDRIFT_DATABASE_URL",
                flag: "--database-url",
                text: "The variable of the environment that holds its URL.",
                ..KEY
            },
            Key { name: "require-replica", kind: Kind::Flag, example: "true", text: "Refuse to ask a primary.", ..KEY },
            Key {
                name: "budget",
                kind: Kind::Duration,
                example: "\"30s\"",
                text: "The time for all statements together; 30 seconds without it.",
                ..KEY
            },
        ],
    },
];
