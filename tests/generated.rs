//! What stands in `docs/generated/` is what the program says; `TOKENDRIFT_BLESS=1` writes it.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use tokendrift::config::{self, Key, Kind, TABLES, Table};
use tokendrift::contract::CHECKS;

use crate::command::repository;

fn is_generated(name: &str, text: &str) {
    let path = repository().join("docs/generated").join(name);
    if std::env::var_os("TOKENDRIFT_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        std::fs::write(&path, text).expect("the file can be written");
    }
    let on_disk = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        on_disk == text,
        "docs/generated/{name} is not what it would be: run the tests with TOKENDRIFT_BLESS=1 to write it"
    );
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Texts => "list of texts".to_owned(),
        Kind::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Kind::Duration => "length of time".to_owned(),
        Kind::Number => "number".to_owned(),
        Kind::Share => "number from 0 to 1".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Entries => "table of texts".to_owned(),
    }
}

#[test]
fn the_reference_of_the_configuration() {
    let mut text = "# tokendrift.toml\n\nFound from the audited path upward to the repository's root, or named by `--config` or the environment's\n\
                    `TOKENDRIFT_CONFIG`. An unknown key or word is an error. A flag wins over the environment, and that over the file. Lengths of\n\
                    time are a whole number with a unit: `500ms`, `30s`, `15m`, `2h`, `7d`. Editors find\n\
                    [the JSON Schema](tokendrift.schema.json) by the first line `#:schema \
                    https://raw.githubusercontent.com/tokendrift/tokendrift/main/docs/generated/tokendrift.schema.json`.\n"
        .to_owned();
    for table in TABLES {
        let _ = write!(
            text,
            "\n## `{}`\n\n{}\n\n| key | value | example | flag, environment | meaning |\n|---|---|---|---|---|\n",
            table.heading, table.text
        );
        for key in table.keys {
            let over: Vec<String> = [key.flag, key.variable]
                .iter()
                .filter(|name| !name.is_empty())
                .map(|name| format!("`{name}`"))
                .collect();
            let required = if key.required { " (required)" } else { "" };
            let _ = writeln!(
                text,
                "| `{}` | {}{required} | `{} = {}` | {} | {} |",
                key.name,
                kind(key.kind),
                key.name,
                key.example,
                over.join(", "),
                key.text
            );
        }
    }
    is_generated("configuration.md", &text);
}

#[test]
fn the_list_of_checks() {
    let mut text = "# Checks\n\n| check | level | precision | what it reports |\n|---|---|---|---|\n".to_owned();
    for check in CHECKS {
        let _ = writeln!(
            text,
            "| [{0}](../checks/{0}.md) | {1} | {2} | {3} |",
            check.id,
            check.level.word(),
            check.precision.word(),
            check.summary
        );
    }
    is_generated("checks.md", &text);
}

fn of_key(key: &Key) -> Value {
    let text = json!({"type": "string", "minLength": 1});
    let mut schema = match key.kind {
        Kind::Text => text,
        Kind::Texts => json!({"type": "array", "items": text}),
        Kind::Word(words) => json!({"type": "string", "enum": words}),
        Kind::Duration => json!({"type": "string", "pattern": "^ *[0-9]+ *(ms|s|m|h|d) *$"}),
        Kind::Number => json!({"type": "integer", "minimum": 0}),
        Kind::Share => json!({"type": "number", "minimum": 0, "maximum": 1}),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Entries => {
            json!({"type": "object", "additionalProperties": {"anyOf": [text, {"type": "array", "minItems": 1, "items": text}]}})
        }
    };
    schema["description"] = key.text.into();
    schema
}

fn of_table(table: &Table) -> Value {
    let properties: Map<String, Value> = table.keys.iter().map(|key| (key.name.to_owned(), of_key(key))).collect();
    let required: Vec<&str> = table.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut schema =
        json!({"type": "object", "description": table.text, "additionalProperties": false, "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if table.heading.starts_with("[[") { json!({"type": "array", "items": schema}) } else { schema }
}

fn schema() -> Value {
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "https://raw.githubusercontent.com/tokendrift/tokendrift/main/docs/generated/tokendrift.schema.json",
        "title": "tokendrift.toml",
        "description": "Which token columns tokendrift audits, and what was decided about them.",
        "type": "object",
        "additionalProperties": false,
        "properties": {}
    });
    for table in TABLES {
        let at = match table.path.split_once('.') {
            Some((outer, inner)) => &mut schema["properties"][outer]["items"]["properties"][inner],
            None => &mut schema["properties"][table.path],
        };
        *at = of_table(table);
    }
    schema
}

#[test]
fn the_schema_for_editors() {
    let text = serde_json::to_string_pretty(&schema()).expect("JSON") + "\n";
    is_generated("tokendrift.schema.json", &text);
}

/// The file with every key, as the examples write them.
fn example() -> String {
    let mut text = String::new();
    for table in TABLES {
        let _ = writeln!(text, "{}", table.heading);
        for key in table.keys {
            let example = if key.name == "contract" { "\"drop-writes\"" } else { key.example };
            let _ = writeln!(text, "{} = {example}", key.name);
        }
    }
    text
}

#[test]
fn the_example_of_every_key_is_taken_by_the_program_and_by_the_schema() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("tokendrift-rules")).expect("a folder");
    let path = folder.path().join("tokendrift.toml");
    std::fs::write(&path, example()).expect("written");
    let config = config::load(&path, folder.path()).unwrap_or_else(|error| panic!("{error}\n{}", example()));
    assert_eq!((config.columns.len(), config.databases.len(), config.max_unknown), (1, 1, Some(10)));
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    let typed: Value = serde_json::to_value(example().parse::<toml::Table>().expect("TOML")).expect("JSON");
    let errors: Vec<String> = validator.iter_errors(&typed).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?}");
    for broken in [
        "[audit]\nexclud = []",
        "[[column]]\ntable = \"users\"",
        "[[column]]\ntable = \"a\"\ncolumn = \"b\"\ncontract = \"keep\"",
    ] {
        let typed = serde_json::to_value(broken.parse::<toml::Table>().expect("TOML")).expect("JSON");
        assert!(!validator.is_valid(&typed), "{broken}");
    }
}

/// What the program names as known in its error about an unknown key is what the reference has.
#[test]
fn the_reference_has_every_key_that_the_program_knows() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("tokendrift.toml");
    for table in TABLES {
        let outer = table.path.split_once('.').map_or(String::new(), |(outer, _)| format!("[[{outer}]]\n"));
        std::fs::write(&path, format!("{outer}{}\nqqqqqqqq = 1\n", table.heading)).expect("written");
        let error = config::load(&path, folder.path()).map(|_| ()).expect_err("an unknown key").to_string();
        let (_, known) = error.rsplit_once("Known here: ").unwrap_or_else(|| panic!("{error}"));
        let mut known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        let inner = TABLES.iter().filter_map(|other| other.path.strip_prefix(table.path)?.strip_prefix('.'));
        let mut listed: Vec<&str> = table.keys.iter().map(|key| key.name).chain(inner).collect();
        known.sort_unstable();
        listed.sort_unstable();
        assert_eq!(known, listed, "{}", table.heading);
    }
}
