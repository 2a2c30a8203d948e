//! Rows about calls through which values flow.

use serde::Deserialize;

use crate::rules::{ArgPath, CallPattern, Form};

/// A call through which a value flows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pass {
    pub call: CallPattern,
    /// Argument paths that flow into the result; empty: nothing does, it is made of constants.
    pub from: Vec<ArgPath>,
    /// What it makes where nothing flows in, in words for reasons: `the time`, `the password of the request`.
    #[serde(default)]
    pub makes: Option<String>,
    /// The result's form; absent: that of what flows in.
    #[serde(default)]
    pub form: Option<Form>,
    /// Key under which the value stands in the result: fp-ts `E.right(x)` is `{ right: x }`.
    #[serde(default)]
    pub key: Option<String>,
    /// The result has the keys of all of `from`, a later one wins: `Object.assign`. Else it is one of them.
    #[serde(default)]
    pub merge: bool,
    /// Arguments that name the keys which the result has; where there are none, it has all: `sql(row, 'email', 'token')`.
    #[serde(default)]
    pub only: Option<ArgPath>,
    /// Arguments that name the keys which the result lacks: `omit(row, ['token'])`.
    #[serde(default)]
    pub except: Option<ArgPath>,
    /// Where a schema stands that says which keys come through: the receiver of `schema.parse(body)`.
    #[serde(default)]
    pub shape: Option<ArgPath>,
    /// Whether the result is a new instance of its class, with the initial values of the properties that nothing flows into.
    #[serde(default)]
    pub constructs: bool,
    /// What becomes the result in place: argument 0 of `Object.assign`.
    #[serde(default)]
    pub into: Option<ArgPath>,
    /// With `into`, and where the call has no other argument: what it leaves there in place of what was: `Option::replace(x)`.
    #[serde(default)]
    pub leaves: Option<ArgPath>,
    /// With `into`: nothing is left of what was there: `String::clear()`.
    #[serde(default)]
    pub empties: bool,
    /// With `into`: where a key can stand whose value is argument 1: `set('key', value)` beside `set({ key: value })`.
    #[serde(default)]
    pub name: Option<ArgPath>,
    /// ... or, where it is not argument 1, this: `Reflect.set(object, 'key', value)`.
    #[serde(default)]
    pub value: Option<ArgPath>,
}

/// A call that leaves the objects it is handed as they are: `console.log(user)`. So do all calls that other rows describe.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Leave {
    pub call: CallPattern,
}

/// A call that makes a schema, which says what keys an object has: `z.object({ token: z.string() })`, `schema.omit({ id: true })`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SchemaShape {
    pub call: CallPattern,
    /// An object with a schema for each key,
    #[serde(default)]
    pub keys: Option<ArgPath>,
    /// ... and the schemas whose keys it has besides.
    #[serde(default)]
    pub of: Vec<ArgPath>,
    /// An object that names the only keys which stay,
    #[serde(default)]
    pub keeps: Option<ArgPath>,
    /// ... or those which go.
    #[serde(default)]
    pub drops: Option<ArgPath>,
    /// Whether each of the keys may be missing then; of the schema of one key, whether that may be.
    #[serde(default)]
    pub optional: bool,
}

/// Calls of builders that give another and stay as they are: what nobody does anything with was said for nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Copies {
    pub call: CallPattern,
}
