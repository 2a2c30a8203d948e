//! `tokendrift.toml` as typed, before anything is checked beyond its shape.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct File {
    #[serde(default)]
    pub(crate) audit: Audit,
    #[serde(default)]
    pub(crate) column: Vec<Spanned<Column>>,
    #[serde(default)]
    pub(crate) database: Vec<Spanned<Database>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Audit {
    #[serde(default)]
    pub(crate) exclude: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) rules: Vec<Spanned<String>>,
    /// Any value, so that `15` instead of `"15m"` gets an error that says so.
    pub(crate) max_token_life: Option<Spanned<toml::Value>>,
    pub(crate) fail_on: Option<Spanned<String>>,
    pub(crate) max_unknown: Option<Spanned<toml::Value>>,
    pub(crate) baseline: Option<Spanned<String>>,
    pub(crate) identity_provider: Option<Spanned<String>>,
    pub(crate) hygiene: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_field_names, reason = "the keys of the file")]
pub(crate) struct Column {
    pub(crate) table: Option<Spanned<String>>,
    pub(crate) column: Option<Spanned<String>>,
    pub(crate) contract: Option<Spanned<String>>,
    pub(crate) stage: Option<Spanned<String>>,
    pub(crate) decision: Option<Spanned<String>>,
    pub(crate) form: Option<Spanned<String>>,
    pub(crate) max_null_ratio: Option<Spanned<toml::Value>>,
    pub(crate) user: Option<Spanned<User>>,
    #[serde(default)]
    pub(crate) cohort: Vec<Spanned<Cohort>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct User {
    pub(crate) table: Option<Spanned<String>>,
    pub(crate) by: Option<Spanned<String>>,
    pub(crate) key: Option<Spanned<String>>,
    pub(crate) active: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Cohort {
    pub(crate) name: Option<Spanned<String>>,
    pub(crate) by: Option<Spanned<String>>,
    pub(crate) every: Option<Spanned<String>>,
    /// Cohort value -> a string or a list of strings.
    #[serde(default)]
    pub(crate) path: BTreeMap<String, Spanned<toml::Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Database {
    pub(crate) name: Option<Spanned<String>>,
    pub(crate) url_env: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) require_replica: bool,
    pub(crate) budget: Option<Spanned<toml::Value>>,
}
