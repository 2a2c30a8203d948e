//! Which contracts the tests of the tree hold: whether a test that runs fails the day a path breaks one.
//!
//! Input: the tracked columns with their declared contracts, and the test files, lowered here and not kept. Output: one answer a column.
//!
//! Invariants: comments, titles and layout say nothing, but for the mark that `tokendrift pin` writes; what is asserted has to come out
//! of the database, not of a response, a mock or an object that the test has made itself; a test that is skipped holds nothing; what the
//! words of a library mean stands in rows (`test` of the packs), and what neither is told nor asked holds nothing.
//!
//! Worked example: in `const user = await users.findOneBy({ id }); expect(user.accessToken).toBe(token)` the local `user` is a row, as
//! `findOneBy` reads one; its column equals something that is not null: the test holds `write-consistently`.

mod asked;
mod asserted;
mod code;
mod sql;
#[cfg(test)]
mod tests;

use crate::config::{Config, Contract};
use crate::graph::Units;
use crate::ir::Module;
use crate::pins::code::Code;
use crate::rules::Rules;
use crate::schema::{Schema, TrackedColumn};
use crate::source::{Language, Scope, SourceFile, SourceSet};

/// The words that `tokendrift pin` writes before the column and the contract.
const MARK: &str = "tokendrift-pin:";

/// One a tracked column: whether a test holds it to its declared contract; `false` where none is declared.
pub fn pinned(sources: &SourceSet, units: &Units, rules: &Rules, schema: &Schema, config: &Config) -> Vec<bool> {
    let holds = |column: &TrackedColumn| {
        let contract = config.columns.get(column.config).and_then(|config| config.contract);
        let Some(contract) = contract else { return false };
        let names = Names::of(column, schema);
        let tests = sources.iter().filter(|(_, file)| file.scope == Scope::Test && names.may_stand_in(file));
        tests.into_iter().any(|(id, file)| {
            let module = units.read(sources, id);
            holds(&module, file, rules, &names, contract)
        })
    };
    schema.columns.iter().map(holds).collect()
}

/// What a column and its table are called.
struct Names {
    /// `users.access_token`, as the mark names it.
    whole: String,
    /// In the database first, then in code.
    columns: Vec<String>,
    /// The table and its models.
    tables: Vec<String>,
}

impl Names {
    fn of(column: &TrackedColumn, schema: &Schema) -> Self {
        let bound = column.bindings.iter().filter_map(|(id, at)| Some((schema.models.get(id.0)?, *at)));
        let (mut columns, mut tables) = (vec![column.column.clone()], vec![column.table.clone()]);
        for (model, at) in bound {
            columns.extend(model.properties.get(at).map(|property| property.last_key().to_owned()));
            tables.extend([model.name.clone(), model.table.clone()]);
        }
        Self { whole: format!("{}.{}", column.table, column.column), columns, tables }
    }

    /// Whether a name is that of the column, also with its table before it (`u.access_token`) or as a name of a type (`AccessToken`).
    fn is_column(&self, name: &str) -> bool {
        let last = name.rsplit('.').next().unwrap_or(name).trim_matches(['"', '`', '\'', '[', ']']);
        self.columns.iter().any(|column| same(column, last))
    }

    fn is_table(&self, name: &str) -> bool {
        self.tables.iter().any(|table| table.eq_ignore_ascii_case(name))
    }

    /// A test about the column names it and its table.
    fn may_stand_in(&self, file: &SourceFile) -> bool {
        let has = |is: &dyn Fn(&str) -> bool| file.text.split(|c: char| !is_word(c)).any(is);
        file.text.contains(MARK) || has(&|word| self.is_table(word)) && has(&|word| self.is_column(word))
    }
}

/// Whether two names differ in case and underscores at most.
fn same(left: &str, right: &str) -> bool {
    let plain = |name: &str| -> String { name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect() };
    left == right || plain(left) == plain(right)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether the tests of a file hold the column to the contract.
fn holds(module: &Module, file: &SourceFile, rules: &Rules, names: &Names, contract: Contract) -> bool {
    if file.language == Language::Sql {
        let script = sql::Script::of(&file.text, rules);
        return !script.puts_off && is_marked(file, names, contract)
            || script.wants(names).any(|wants| wants == contract);
    }
    let code = Code::new(module, rules, names);
    // A function that nobody marks as a test never runs.
    if file.language == Language::Rust && !code.has_tests() {
        return false;
    }
    !code.puts_off() && is_marked(file, names, contract) || asserted::wants(&code).any(|wants| wants == contract)
}

fn is_marked(file: &SourceFile, names: &Names, contract: Contract) -> bool {
    file.text.split(MARK).skip(1).any(|after| {
        let mut words = after.split_whitespace();
        words.next() == Some(&names.whole) && words.next() == Some(contract.word())
    })
}

/// What a column that has a value, or has none, is held to.
fn contract(has_value: bool) -> Contract {
    if has_value { Contract::WriteConsistently } else { Contract::DropWrites }
}
