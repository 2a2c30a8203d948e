//! The test that pins a contract: a query for the rows that break it, in the form that the project's test runner takes.
//!
//! What `write-consistently` promises of the rows is told by what is written beside the token: where every write of a fresh token
//! sets `refresh_token` too, a row with the one and without the other comes from a path that lost the token. A logout that clears
//! both leaves no such row, and neither does a sign-up that sets none.

use std::collections::BTreeSet;

use crate::config::{Column, Contract};
use crate::contract::Facts;
use crate::draft::practice::is_production;
use crate::draft::template::fill;
use crate::probe::{can_be_empty, is_closed};
use crate::provenance::{ColumnTrace, Origin, WriteSite};
use crate::schema::{Model, ModelSource, TrackedColumn, words};
use crate::source::{Language, Scope, SourceFile};

/// What a pin is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    /// Any SQL client that stops at an error.
    Sql,
    PgTap,
    Jest,
    Vitest,
    /// `cargo test`, with sqlx.
    Sqlx,
}

/// Why there is nothing to pin, in words that say what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    #[error(
        "{0} has no contract, so there is nothing to pin: declare `write-consistently` or `drop-writes` in tokendrift.toml, or give --contract"
    )]
    NoContract(String),
    #[error(
        "which rows of {0} must hold a token is not told by the code: no column is written together with every fresh token. Say \
         it with --rows, as in --rows \"last_login_at IS NOT NULL\""
    )]
    NoRows(String),
    #[error(
        "{0} takes neither NULL nor an empty text: the database itself sees to it that every row has a token, and there is nothing to pin"
    )]
    AlwaysHeld(String),
    #[error(
        "--rows is empty, or holds what ends the condition (`;`, `--`, `/*`, an open quote or parenthesis): give one SQL condition"
    )]
    Rows,
    #[error("{0}: no {1} was found in the production code; `--as sql` needs none")]
    NoClient(String, &'static str),
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct PinRequest<'a> {
    /// Index into the tracked columns.
    pub column: usize,
    pub runner: Runner,
    /// Wins over the configuration's.
    pub contract: Option<Contract>,
    /// The SQL condition on the rows that must hold a token.
    pub rows: Option<&'a str>,
    /// Where the file is to stand, relative to the audited root.
    pub file: &'a str,
}

/// Where a pin stands unless told otherwise: with the ending that its runner looks for.
pub fn pin_file(column: &TrackedColumn, runner: Runner) -> String {
    let name = words(&format!("{} {}", column.table, column.column));
    match runner {
        Runner::Sql => format!("test/{}.pin.sql", name.join("-")),
        Runner::PgTap => format!("test/{}.pgtap.sql", name.join("-")),
        Runner::Jest | Runner::Vitest => format!("test/{}.pin.spec.ts", name.join("-")),
        Runner::Sqlx => format!("tests/{}_pin.rs", name.join("_")),
    }
}

/// The test's text.
pub fn pin(facts: &Facts<'_>, asked: &PinRequest<'_>) -> Result<String, PinError> {
    let Some(tracked) = facts.schema.columns.get(asked.column) else {
        return Err(PinError::NoContract(String::new()));
    };
    let name = format!("{}.{}", tracked.table, tracked.column);
    let configured = facts.config.columns.get(tracked.config).and_then(|column: &Column| column.contract);
    let contract = asked.contract.or(configured).ok_or_else(|| PinError::NoContract(name.clone()))?;
    let (condition, promise) = match contract {
        Contract::DropWrites => {
            let promise = format!("no row has a value in {name}: nobody writes it any more");
            let column = quoted(&tracked.column);
            let text = if has_empty(facts, tracked) { format!(" AND {column} <> ''") } else { String::new() };
            (format!("{column} IS NOT NULL{text}"), promise)
        }
        Contract::WriteConsistently => {
            let beside = || beside(facts, tracked).map(|column| format!("{} IS NOT NULL", quoted(&column)));
            if asked.rows.is_some_and(|rows| !is_condition(rows)) {
                return Err(PinError::Rows);
            }
            let rows = asked.rows.map(str::to_owned).or_else(beside).ok_or_else(|| PinError::NoRows(name.clone()))?;
            let promise = format!("every row with {rows} has a token in {name}");
            let column = quoted(&tracked.column);
            // An empty text is no token either, and all that a column that takes no NULL can lack.
            let lacks = match (tracked.nullable, has_empty(facts, tracked)) {
                (Some(false), false) => return Err(PinError::AlwaysHeld(name)),
                (Some(false), true) => format!("{column} = ''"),
                (_, false) => format!("{column} IS NULL"),
                (_, true) => format!("({column} IS NULL OR {column} = '')"),
            };
            (format!("({rows}) AND {lacks}"), promise)
        }
    };
    let select = format!("SELECT count(*) AS broken_rows FROM {} WHERE {condition}", quoted(&tracked.table));
    let identifier = words(&format!("{} {} pin", tracked.table, tracked.column)).join("_");
    let shared =
        [("column", name.as_str()), ("contract", contract.word()), ("file", asked.file), ("name", identifier.as_str())];
    let with = |template: &str, promise: &str, select: &str, more: &[(&str, &str)]| {
        fill(template, &[&shared[..], &[("promise", promise), ("select", select)], more].concat())
    };
    let script = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'").replace('`', "\\`").replace("${", "\\${");
    Ok(match asked.runner {
        Runner::Sql => with(include_str!("templates/pin/plain.sql"), &promise, &select, &[]),
        Runner::PgTap => {
            let quote = quote(&select);
            let more = [("quote", quote.as_str())];
            with(include_str!("templates/pin/pgtap.sql"), &promise.replace('\'', "''"), &select, &more)
        }
        Runner::Sqlx => {
            let fence = "#".repeat(1 + select.match_indices("\"#").count());
            let literal = format!("r{fence}\"{select}\"{fence}");
            let more = [("connection", connection(facts)), ("literal", literal.as_str())];
            with(include_str!("templates/pin/sqlx.template"), &promise, &select, &more)
        }
        Runner::Jest | Runner::Vitest => {
            let runner = if asked.runner == Runner::Jest { "@jest/globals" } else { "vitest" };
            let client = client(facts, tracked, asked.file)
                .ok_or(PinError::NoClient(name.clone(), "TypeORM DataSource or Prisma client"))?;
            let more = [
                ("runner", runner),
                ("symbol", client.symbol.as_str()),
                ("import", client.import.as_str()),
                ("module", client.module.as_str()),
            ];
            with(client.template, &script(&promise), &script(&select), &more)
        }
    })
}

/// PostgreSQL's `$$`, with a word between where the text has that.
fn quote(text: &str) -> String {
    let words = std::iter::once(String::new()).chain((0..).map(|n| format!("pin{n}")));
    words.map(|word| format!("${word}$")).find(|quote| !text.contains(quote)).unwrap_or_default()
}

/// A column of the table that every write of a fresh token sets too; of several the one most like a token's, else the first.
fn beside(facts: &Facts<'_>, tracked: &TrackedColumn) -> Option<String> {
    let trace = facts
        .traces
        .iter()
        .find(|trace| facts.schema.columns.get(trace.column.0).is_some_and(|column| std::ptr::eq(column, tracked)))?;
    let sites: Vec<&WriteSite> = storing(facts, trace).collect();
    let mut common: Option<BTreeSet<(bool, usize, String)>> = None;
    for site in sites {
        let model = facts.schema.models.get(site.model.0)?;
        let text = facts.sources.text(site.span);
        let here: BTreeSet<(bool, usize, String)> = nullable(model)
            .filter(|(_, property, column)| *column != tracked.column && mentions(text, property))
            .map(|(at, property, column)| (!property.to_lowercase().contains("token"), at, column.to_owned()))
            .collect();
        common = Some(common.map_or_else(|| here.clone(), |known| known.intersection(&here).cloned().collect()));
    }
    common?.into_iter().next().map(|(_, _, column)| column)
}

/// Whether `''` can stand in the column, by what any of its models declares.
fn has_empty(facts: &Facts<'_>, tracked: &TrackedColumn) -> bool {
    tracked.bindings.iter().all(|(model, at)| {
        let property = facts.schema.models.get(model.0).and_then(|model| model.properties.get(*at));
        property.is_none_or(|property| can_be_empty(&property.ty))
    })
}

/// Whether a text is one condition, which neither ends the statement around it nor hides its end.
fn is_condition(rows: &str) -> bool {
    let strays = [";", "--", "/*"];
    !rows.trim().is_empty() && !strays.iter().any(|stray| rows.contains(stray)) && is_closed(rows)
}

/// Only a column that can be NULL tells rows apart.
fn nullable(model: &Model) -> impl Iterator<Item = (usize, &str, &str)> {
    let properties = model.properties.iter().enumerate();
    properties
        .filter(|(_, property)| property.relation.is_none() && property.nullable == Some(true))
        .map(|(at, property)| (at, property.name.as_str(), property.column.as_str()))
}

/// The production sites that store a fresh token.
fn storing<'a>(facts: &'a Facts<'_>, trace: &'a ColumnTrace) -> impl Iterator<Item = &'a WriteSite> {
    let production = |site: &&WriteSite| is_production(facts.sources, site.span);
    trace.sites.iter().filter(production).filter(|site| site.origins().contains(&Origin::Fresh))
}

fn mentions(text: &str, word: &str) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|part| part == word)
}

/// As it stands where every database reads it alike, else in the quotes of the standard.
fn quoted(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !["user", "order", "group", "table", "session"].contains(&name);
    if plain && !name.is_empty() { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// The sqlx connection that the tree uses.
fn connection(facts: &Facts<'_>) -> &'static str {
    let rust = |name: &str| {
        let files = facts.sources.iter().filter(|(_, file)| file.language == Language::Rust);
        files.filter(|(_, file)| file.text.contains(name)).count()
    };
    let counted = [("SqliteConnection", rust("Sqlite")), ("MySqlConnection", rust("MySql"))];
    let most = counted.into_iter().max_by_key(|(_, count)| *count).filter(|(_, count)| *count > rust("Pg"));
    most.map_or("PgConnection", |(name, _)| name)
}

/// How a test gets at the database.
struct Client {
    template: &'static str,
    symbol: String,
    /// The clause between `import` and `from`.
    import: String,
    module: String,
}

fn client(facts: &Facts<'_>, tracked: &TrackedColumn, file: &str) -> Option<Client> {
    let models = tracked.bindings.iter().filter_map(|(model, _)| facts.schema.models.get(model.0));
    let sources: BTreeSet<ModelSource> = models.map(|model| model.source).collect();
    if sources.contains(&ModelSource::Prisma) { Some(prisma(facts, file)) } else { typeorm(facts, file) }
}

fn production<'a>(facts: &Facts<'a>) -> impl Iterator<Item = &'a SourceFile> {
    let script = |file: &&SourceFile| matches!(file.language, Language::TypeScript | Language::Tsx);
    let files = facts.sources.iter().map(|(_, file)| file);
    files.filter(|file| file.scope != Scope::Test).filter(script)
}

fn typeorm(facts: &Facts<'_>, file: &str) -> Option<Client> {
    let found = production(facts).find_map(|source| {
        let before = source.text.find("new DataSource(").map(|at| source.text.split_at(at).0)?;
        let symbol = exported(before)?;
        Some((symbol, specifier(file, &source.path)))
    });
    if let Some((symbol, module)) = found {
        let import = import(&symbol, "dataSource");
        let symbol = if symbol == "default" { "dataSource".to_owned() } else { symbol };
        return Some(Client { template: include_str!("templates/pin/typeorm.ts"), symbol, import, module });
    }
    production(facts).find_map(|source| {
        let after = source.text.split_once("TypeOrmModule.forRoot")?.1;
        let symbol = identifier(after.split_once("export class ")?.1);
        let template = include_str!("templates/pin/nest-typeorm.ts");
        Some(Client { template, import: format!("{{ {symbol} }}"), module: specifier(file, &source.path), symbol })
    })
}

fn prisma(facts: &Facts<'_>, file: &str) -> Client {
    let template = include_str!("templates/pin/prisma.ts");
    let shared = production(facts).find_map(|source| {
        let before = source.text.find("new PrismaClient(").map(|at| source.text.split_at(at).0)?;
        Some((exported(before)?, specifier(file, &source.path)))
    });
    if let Some((symbol, module)) = shared {
        let import = import(&symbol, "client");
        let symbol = if symbol == "default" { "client".to_owned() } else { symbol };
        // The template's own variable is `prisma`.
        let (import, symbol) = if symbol == "prisma" {
            ("{ prisma as client }".to_owned(), "client".to_owned())
        } else {
            (import, symbol)
        };
        return Client { template, symbol, import, module };
    }
    let service = production(facts).find_map(|source| {
        let (before, _) = source.text.split_once("extends PrismaClient")?;
        let name = identifier(before.rsplit_once("export class ")?.1);
        Some((name, specifier(file, &source.path)))
    });
    let (name, module) = service.unwrap_or_else(|| ("PrismaClient".to_owned(), "@prisma/client".to_owned()));
    Client { template, import: format!("{{ {name} }}"), symbol: format!("new {name}()"), module }
}

/// The name under which the declaration that `before` ends in is exported.
fn exported(before: &str) -> Option<String> {
    let line = before.rsplit(['\n', ';']).next()?.trim_start();
    let declared = line.strip_prefix("export ")?.trim_start();
    if declared.starts_with("default") {
        return Some("default".to_owned());
    }
    let name = ["const ", "let ", "var "].iter().find_map(|word| declared.strip_prefix(word))?;
    Some(identifier(name.trim_start())).filter(|name| !name.is_empty())
}

fn import(symbol: &str, default: &str) -> String {
    if symbol == "default" { default.to_owned() } else { format!("{{ {symbol} }}") }
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '$').collect()
}

/// How the file `from` names the module `to`; both relative to the root.
fn specifier(from: &str, to: &str) -> String {
    let folder: Vec<&str> = from.rsplit_once('/').map_or(Vec::new(), |(folder, _)| folder.split('/').collect());
    let stem = to.rsplit_once('.').map_or(to, |(stem, _)| stem);
    let parts: Vec<&str> = stem.split('/').collect();
    let shared = folder.iter().zip(&parts).take_while(|(a, b)| a == b).count();
    let up = folder.len() - shared;
    let start = if up == 0 { "./".to_owned() } else { "../".repeat(up) };
    format!("{start}{}", parts.get(shared..).unwrap_or_default().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_named_as_seen_from_the_test() {
        assert_eq!(specifier("test/a.spec.ts", "src/app.module.ts"), "../src/app.module");
        assert_eq!(specifier("src/a.spec.ts", "src/db/client.ts"), "./db/client");
        assert_eq!(specifier("a.spec.ts", "src/db.ts"), "./src/db");
    }

    #[test]
    fn names_that_databases_read_differently_are_quoted() {
        assert_eq!([quoted("users"), quoted("accessToken"), quoted("user")], ["users", "\"accessToken\"", "\"user\""]);
    }

    #[test]
    fn the_exported_name_is_that_of_the_declaration() {
        assert_eq!(exported("x;\nexport const db = ").as_deref(), Some("db"));
        assert_eq!(exported("export default ").as_deref(), Some("default"));
        assert_eq!(exported("const db = "), None);
    }
}
