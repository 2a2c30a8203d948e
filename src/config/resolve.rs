//! What was typed -> what it means, every value checked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::{Spanned, Value};

use crate::config::error::{Origin, unknown};
use crate::config::{
    Cohort, Column, Config, ConfigError, Contract, Database, Level, Stage, StoredForm, UserTable, columns, exclude, raw,
};

/// For all statements of one database together, where the configuration says nothing.
const DEFAULT_BUDGET_MS: u64 = 30_000;

/// Where a configuration stands.
pub(crate) struct Place<'a> {
    pub(crate) origin: Origin<'a>,
    /// The configuration's folder: paths in it are relative to this.
    pub(crate) folder: &'a Path,
    /// The audited root relative to that folder, where it lies below; globs are relative to the folder.
    pub(crate) root_below: &'a str,
}

impl Place<'_> {
    pub(crate) fn resolve(&self, file: &raw::File) -> Result<Config, ConfigError> {
        let mut config = Config { databases: self.databases(&file.database)?, ..Config::default() };
        for glob in &file.audit.exclude {
            if let Err(error) = globset::Glob::new(glob.get_ref()) {
                return Err(self.error(glob, format!("`{}` is no glob: {}", glob.get_ref(), error.kind())));
            }
            config.exclude.extend(exclude::below(glob.get_ref(), self.root_below));
        }
        for folder in &file.audit.rules {
            let path = self.folder.join(folder.get_ref());
            if !path.is_dir() {
                let message = format!(
                    "there is no folder `{}` with rule packs; the path is relative to the configuration's folder",
                    folder.get_ref()
                );
                return Err(self.error(folder, message));
            }
            config.rules.push(path);
        }
        if let Some(life) = &file.audit.max_token_life {
            let ms = self.duration_ms("max-token-life", life)?;
            if ms % 1000 != 0 {
                return Err(self.error(life, "max-token-life counts whole seconds: write it like \"15m\" or \"900s\""));
            }
            config.max_token_life = Some(ms / 1000);
        }
        if let Some(level) = &file.audit.fail_on {
            let known = Level::ALL.map(Level::word);
            config.fail_on = Some(
                Level::of(level.get_ref())
                    .ok_or_else(|| self.error(level, unknown("level", level.get_ref(), &known)))?,
            );
        }
        if let Some(number) = &file.audit.max_unknown {
            let limit = number.get_ref().as_integer().and_then(|limit| usize::try_from(limit).ok());
            let message = "max-unknown is a whole number, 0 or more, without quotes, as in max-unknown = 5";
            config.max_unknown = Some(limit.ok_or_else(|| self.error(number, message))?);
        }
        if let Some(baseline) = &file.audit.baseline {
            if baseline.get_ref().trim().is_empty() {
                return Err(self.error(baseline, "`baseline` is empty: write baseline = \"tokendrift-baseline.json\""));
            }
            config.baseline = Some(self.folder.join(baseline.get_ref()));
        }
        if let Some(provider) = &file.audit.identity_provider {
            if provider.get_ref().trim().is_empty() {
                return Err(self.error(provider, "`identity-provider` is empty: name it, or leave the key out"));
            }
            config.identity_provider = Some(provider.get_ref().clone());
        }
        config.no_hygiene = file.audit.hygiene == Some(false);
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        for column in &file.column {
            let resolved = self.column(column)?;
            let line = self.origin.line(column.span().start);
            if let Some(first) = seen.insert(resolved.name(), line) {
                let message = format!(
                    "`{}` stands here a second time; the first [[column]] is on line {first}. Keep one: tables of one name in two \
                     schemas need a configuration each",
                    resolved.name()
                );
                return Err(self.error(column, message));
            }
            config.columns.push(resolved);
        }
        Ok(config)
    }

    fn error<T>(&self, at: &Spanned<T>, message: impl AsRef<str>) -> ConfigError {
        self.origin.error(at.span().start, message)
    }

    /// A key that must be there and not be empty.
    fn required<'v, T>(
        &self,
        table: &str,
        whole: &Spanned<T>,
        key: &str,
        value: Option<&'v Spanned<String>>,
        example: &str,
    ) -> Result<&'v str, ConfigError> {
        match value {
            Some(value) if !value.get_ref().trim().is_empty() => Ok(value.get_ref().trim()),
            Some(value) => Err(self.error(value, format!("`{key}` is empty: write {key} = \"{example}\""))),
            None => Err(self.error(whole, format!("this {table} has no `{key}`: write {key} = \"{example}\""))),
        }
    }

    fn column(&self, whole: &Spanned<raw::Column>) -> Result<Column, ConfigError> {
        let typed = whole.get_ref();
        let table = self.required("[[column]]", whole, "table", typed.table.as_ref(), "users")?;
        let column = self.required("[[column]]", whole, "column", typed.column.as_ref(), "access_token")?;
        // The schema is for the database alone: nothing else in a report carries one.
        let mut parts = columns::split(table);
        let table = parts.pop().filter(|name| !name.trim().is_empty()).ok_or_else(|| {
            self.origin.error(whole.span().start, format!("`{table}` is no table's name: write table = \"users\""))
        })?;
        let contract = typed.contract.as_ref().map(|word| self.contract(word)).transpose()?;
        let form = typed.form.as_ref().map(|word| self.form(word)).transpose()?;
        let decision = match &typed.decision {
            Some(path) if path.get_ref().trim().is_empty() => {
                return Err(
                    self.error(path, "`decision` is empty: name the decision record's file, or leave the key out")
                );
            }
            other => other.as_ref(),
        };
        let stage = typed.stage.as_ref().map(|word| self.stage(word, contract)).transpose()?;
        let record = decision.map(|path| self.folder.join(path.get_ref()));
        let decision_names = record.as_ref().and_then(|record| std::fs::read(record).ok()).map(|text| {
            let text = String::from_utf8_lossy(&text);
            names_word(&text, &table) && names_word(&text, column)
        });
        let mut cohorts = Vec::new();
        let mut names = BTreeSet::new();
        for cohort in &typed.cohort {
            let resolved = self.cohort(cohort)?;
            if !names.insert(resolved.name.clone()) {
                return Err(
                    self.error(cohort, format!("a second cohort `{}` of the same column; rename it", resolved.name))
                );
            }
            cohorts.push(resolved);
        }
        Ok(Column {
            schema: parts.pop().filter(|name| !name.trim().is_empty()),
            table,
            column: column.to_owned(),
            contract,
            decision: decision.map(|path| path.get_ref().clone()),
            decision_exists: record.map(|record| record.is_file()),
            decision_names,
            stage,
            form,
            max_null_ratio: typed.max_null_ratio.as_ref().map(|ratio| self.ratio(ratio)).transpose()?,
            users: typed.user.as_ref().map(|user| self.user(user)).transpose()?,
            cohorts,
            line: Some(self.origin.line(whole.span().start)),
            contract_line: typed.contract.as_ref().map(|word| self.origin.line(word.span().start)),
            decision_line: decision.map(|path| self.origin.line(path.span().start)),
        })
    }

    fn contract(&self, word: &Spanned<String>) -> Result<Contract, ConfigError> {
        let all = [Contract::WriteConsistently, Contract::DropWrites];
        let known = all.map(Contract::word);
        all.into_iter()
            .find(|contract| contract.word() == word.get_ref())
            .ok_or_else(|| self.error(word, unknown("contract", word.get_ref(), &known)))
    }

    fn stage(&self, word: &Spanned<String>, contract: Option<Contract>) -> Result<Stage, ConfigError> {
        let known = Stage::ALL.map(Stage::word);
        let stage = Stage::ALL
            .into_iter()
            .find(|stage| stage.word() == word.get_ref())
            .ok_or_else(|| self.error(word, unknown("stage", word.get_ref(), &known)))?;
        if contract == Some(Contract::DropWrites) {
            Ok(stage)
        } else {
            Err(self.error(word, "only `contract = \"drop-writes\"` has stages: declare it, or leave `stage` out"))
        }
    }

    fn form(&self, word: &Spanned<String>) -> Result<StoredForm, ConfigError> {
        let all = [StoredForm::Plain, StoredForm::Hashed, StoredForm::Encrypted];
        let known = all.map(StoredForm::word);
        all.into_iter()
            .find(|form| form.word() == word.get_ref())
            .ok_or_else(|| self.error(word, unknown("form", word.get_ref(), &known)))
    }

    fn ratio(&self, value: &Spanned<Value>) -> Result<f64, ConfigError> {
        let ratio = match value.get_ref() {
            Value::Float(ratio) => Some(*ratio),
            Value::Integer(0) => Some(0.0),
            Value::Integer(1) => Some(1.0),
            _ => None,
        };
        let message = "max-null-ratio is a number from 0 to 1, without quotes, as in max-null-ratio = 0.05";
        ratio.filter(|ratio| (0.0..=1.0).contains(ratio)).ok_or_else(|| self.error(value, message))
    }

    fn user(&self, whole: &Spanned<raw::User>) -> Result<UserTable, ConfigError> {
        let typed = whole.get_ref();
        let text = |key: &str, value: &Option<Spanned<String>>| match value {
            Some(value) if value.get_ref().trim().is_empty() => {
                Err(self.error(value, format!("`{key}` is empty: write what it names, or leave the key out")))
            }
            other => Ok(other.as_ref().map(|value| value.get_ref().trim().to_owned())),
        };
        let (table, by, key) = (text("table", &typed.table)?, text("by", &typed.by)?, text("key", &typed.key)?);
        let active = text("active", &typed.active)?;
        let mut parts = table.as_deref().map(columns::split).unwrap_or_default();
        let table = parts.pop().filter(|name| !name.trim().is_empty());
        if table.is_none() && (active.is_none() || by.is_some() || key.is_some()) {
            let message = "this [column.user] names no table: write table = \"users\"; without one the rows with the tokens are \
                           the users, and `active` alone says which of them may log in";
            return Err(self.error(whole, message));
        }
        Ok(UserTable { schema: parts.pop().filter(|name| !name.trim().is_empty()), table, by, key, active })
    }

    fn cohort(&self, whole: &Spanned<raw::Cohort>) -> Result<Cohort, ConfigError> {
        let typed = whole.get_ref();
        let name = self.required("[[column.cohort]]", whole, "name", typed.name.as_ref(), "client")?;
        let by = self.required("[[column.cohort]]", whole, "by", typed.by.as_ref(), "signup_client")?;
        let mut values: Vec<(&String, &Spanned<Value>)> = typed.path.iter().collect();
        values.sort_by_key(|(_, value)| value.span().start);
        let mut path = Vec::new();
        for (value, names) in values {
            path.push((value.clone(), self.one_or_many(value, names)?));
        }
        let is_monthly = match &typed.every {
            None => false,
            Some(every) if every.get_ref() == "month" => true,
            Some(every) => return Err(self.error(every, unknown("value of `every`", every.get_ref(), &["month"]))),
        };
        let line = self.origin.line(whole.span().start);
        Ok(Cohort { name: name.to_owned(), by: by.to_owned(), is_monthly, path, line })
    }

    fn one_or_many(&self, key: &str, value: &Spanned<Value>) -> Result<Vec<String>, ConfigError> {
        let strings = match value.get_ref() {
            Value::String(one) => Some(vec![one.clone()]),
            Value::Array(many) => many.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
            Value::Table(_) => {
                let message = format!(
                    "path.{key} goes one level too deep: put a cohort value with a dot in it in quotes, as in path.\"{key}.x\" = \"web\""
                );
                return Err(self.error(value, message));
            }
            _ => None,
        };
        match strings {
            Some(strings) if !strings.is_empty() && strings.iter().all(|one| !one.trim().is_empty()) => Ok(strings),
            _ => Err(self.error(
                value,
                format!(
                    "path.{key} names no entry point: write a part of a route or of a function's name, or a list of \
                     them, as in path.{key} = [\"web\", \"Admin\"]"
                ),
            )),
        }
    }

    fn databases(&self, typed: &[Spanned<raw::Database>]) -> Result<Vec<Database>, ConfigError> {
        let mut names = BTreeSet::new();
        let mut databases = Vec::new();
        for whole in typed {
            let database = whole.get_ref();
            let name = self.required("[[database]]", whole, "name", database.name.as_ref(), "replica")?;
            let url_env = self.required("[[database]]", whole, "url-env", database.url_env.as_ref(), "REPLICA_URL")?;
            if !names.insert(name.to_owned()) {
                return Err(self.error(whole, format!("a second [[database]] named `{name}`; rename it")));
            }
            if !is_variable(url_env) {
                // What stands there may be the URL itself, so it is not repeated.
                let message = "url-env is the name of an environment variable (letters, digits and `_`), not a URL: a \
                               URL holds a password and never goes into the file. Write url-env = \"REPLICA_URL\" and \
                               set that variable";
                return Err(database
                    .url_env
                    .as_ref()
                    .map_or_else(|| self.error(whole, message), |at| self.error(at, message)));
            }
            databases.push(Database {
                name: name.to_owned(),
                url_env: url_env.to_owned(),
                require_replica: database.require_replica,
                budget_ms: match &database.budget {
                    Some(budget) => self.duration_ms("budget", budget)?,
                    None => DEFAULT_BUDGET_MS,
                },
                line: self.origin.line(whole.span().start),
            });
        }
        Ok(databases)
    }

    fn duration_ms(&self, key: &str, value: &Spanned<Value>) -> Result<u64, ConfigError> {
        value.get_ref().as_str().and_then(duration_ms).ok_or_else(|| {
            self.error(
                value,
                format!("{key} is a length of time above zero: a whole number with a unit, as in \"500ms\", \"30s\", \"15m\", \"2h\", \"7d\""),
            )
        })
    }
}

/// Whether `word` stands in `text` as a word of its own, in any case.
fn names_word(text: &str, word: &str) -> bool {
    let (text, word) = (text.to_lowercase(), word.to_lowercase());
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(&word)
        .any(|(at, found)| !text[..at].ends_with(is_part) && !text[at + found.len()..].starts_with(is_part))
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn duration_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit_ms: u64 = match unit.trim_start() {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_ms).filter(|ms| *ms > 0)
}
