//! The columns that look as if they held a token, told by the words of their names and by what is declared of them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::schema::{Model, Property, words};
use crate::source::{Scope, SourceSet, Span};

/// A column that may be worth tracking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub table: String,
    pub column: String,
    pub model: String,
    pub property: String,
    /// The property's declaration.
    pub at: Span,
    /// Whether a row may have none; `None` where no declaration says.
    pub nullable: Option<bool>,
    /// Other columns of the model, in its order.
    pub beside: Vec<String>,
}

impl Candidate {
    /// `users.access_token`
    pub fn name(&self) -> String {
        format!("{}.{}", self.table, self.column)
    }
}

/// A name with one of these words is a token's, unless one of [`ABOUT`] makes it a fact about a token.
const TOKEN: &[&str] = &["token", "jwt"];

/// Names that say it in other words, all of a name taken together.
const SYNONYMS: &[&str] = &[
    "hashedrt",
    "rthash",
    "refreshhash",
    "hashedrefresh",
    "apikey",
    "apikeyhash",
    "hashedapikey",
    "hashedkey",
    "apisecret",
    "clientsecret",
    "webhooksecret",
    "sessionkey",
];

/// What is said of a token and is none: when it ends, of which kind it is, how many there are.
const ABOUT: &[&str] = &[
    "alg",
    "algorithm",
    "at",
    "by",
    "charged",
    "claims",
    "cost",
    "count",
    "created",
    "date",
    "enabled",
    "endpoint",
    "expire",
    "expired",
    "expires",
    "expiration",
    "expiry",
    "for",
    "id",
    "input",
    "interval",
    "kind",
    "last",
    "lifetime",
    "limit",
    "max",
    "method",
    "name",
    "num",
    "output",
    "price",
    "required",
    "scope",
    "since",
    "status",
    "time",
    "ttl",
    "type",
    "until",
    "updated",
    "uri",
    "url",
    "usage",
    "used",
    "valid",
    "version",
];

/// Words of declared types that hold no token: dates, numbers, truths, and what has parts.
const OTHER_TYPES: &[&str] = &[
    "Date",
    "DateTime",
    "Timestamp",
    "timestamp",
    "timestamptz",
    "datetime",
    "Int",
    "int",
    "integer",
    "bigint",
    "BigInt",
    "Float",
    "Decimal",
    "number",
    "Number",
    "Boolean",
    "boolean",
    "bool",
    "i32",
    "i64",
    "NaiveDateTime",
    "Json",
    "json",
    "jsonb",
    // Computed by the program, and in no row.
    "VIRTUAL",
];

/// The token-like columns of `models`, the nullable ones first, then by name.
pub fn candidates(sources: &SourceSet, models: &[Model]) -> Vec<Candidate> {
    let mut found: BTreeMap<String, Candidate> = BTreeMap::new();
    for model in models {
        let scope = sources.get(model.span.file).scope;
        if matches!(scope, Scope::Test | Scope::Script) {
            continue;
        }
        for property in model.properties.iter().filter(|property| is_token(property)) {
            let beside =
                model.properties.iter().filter(|other| other.relation.is_none() && other.column != property.column);
            let candidate = Candidate {
                table: model.table.clone(),
                column: property.column.clone(),
                model: model.name.clone(),
                property: property.name.clone(),
                at: property.span,
                nullable: property.nullable,
                beside: beside.map(|other| other.column.clone()).collect(),
            };
            match found.entry(candidate.name().to_lowercase()) {
                Entry::Vacant(free) => _ = free.insert(candidate),
                // Where the models of one table differ, one that lets NULL in is right.
                Entry::Occupied(mut known) => {
                    let known = known.get_mut();
                    known.nullable = match (known.nullable, candidate.nullable) {
                        (Some(true), _) | (_, Some(true)) => Some(true),
                        (known, other) => known.or(other),
                    };
                }
            }
        }
    }
    let mut found: Vec<Candidate> = found.into_values().collect();
    found.sort_by_key(|candidate| {
        (candidate.nullable == Some(false), candidate.table.clone(), candidate.column.clone())
    });
    found
}

fn is_token(property: &Property) -> bool {
    if property.relation.is_some() || !(is_name(&property.column) || is_name(&property.name)) {
        return false;
    }
    let mut types = property.ty.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    !types.any(|word| OTHER_TYPES.contains(&word))
}

fn is_name(name: &str) -> bool {
    let words = words(name);
    // An `id_token` is a token, a `token_id` is none.
    let about = |(at, word): (usize, &String)| ABOUT.contains(&word.as_str()) && !(at == 0 && word == "id");
    if words.iter().any(|word| TOKEN.contains(&word.as_str())) {
        return !words.iter().enumerate().any(about);
    }
    SYNONYMS.contains(&words.concat().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tokens_are_told_from_names_of_facts_about_them() {
        for name in
            ["access_token", "refreshToken", "hashedRefreshToken", "token", "id_token", "hashedRt", "tokenHash", "jwt"]
        {
            assert!(is_name(name), "{name}");
        }
        for name in
            ["tokenExpiresAt", "token_type", "maxTokens", "prompt_tokens", "tokenId", "tokenVersion", "password"]
        {
            assert!(!is_name(name), "{name}");
        }
    }
}
