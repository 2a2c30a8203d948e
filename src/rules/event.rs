//! Rows about what is kept or sent under a name: events and their listeners, and what a request's context holds.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::rules::{ArgPath, CallPattern};

/// A call that runs whatever listens to a name: `emitter.emit('user.login', user)`. An instance of a class goes by the class:
/// `bus.execute(new StoreToken(id, token))`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Emit {
    pub call: CallPattern,
    /// Where the name stands; absent: it is that of the queue which the call is made on,
    #[serde(default)]
    pub name: Option<ArgPath>,
    /// ... the first argument of `new Queue('tokens')`, or of the decorator that hands the queue in: `@InjectQueue('tokens')`.
    #[serde(default)]
    pub queue: Option<CallPattern>,
    /// What listeners are called with: `1..`; absent: one object with
    #[serde(default)]
    pub args: Option<ArgPath>,
    /// ... these fields: a job with its `name` and `data`.
    #[serde(default)]
    pub job: BTreeMap<String, ArgPath>,
    /// Only listeners of the same bus hear it.
    pub bus: String,
    /// Whether the call gives what the listener returns.
    #[serde(default)]
    pub returns: bool,
}

/// What listens to a name: a decorated method, a method of a decorated class, or what a call registers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Listen {
    /// The decorator, or the registering call.
    pub call: CallPattern,
    pub name: ArgPath,
    /// Where the listener stands in the registering call; absent: `call` is a decorator.
    #[serde(default)]
    pub handler: Option<ArgPath>,
    /// The method that listens, where `call` is a decorator of its class.
    #[serde(default)]
    pub method: Option<String>,
    pub bus: String,
}

/// A call on the context that is handed on to a handler, which keeps something in it under a name: `c.set('user', user)`,
/// `opts.next({ ctx: { user } })`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Keep {
    /// The context is not typed: the method's name tells it where the tree mentions the module.
    pub call: CallPattern,
    /// Where the name stands; absent: `value` is an object of such names.
    #[serde(default)]
    pub name: Option<ArgPath>,
    pub value: ArgPath,
    /// The field of what a handler is handed first in which it reads the names: `ctx` of `{ ctx }`, `var` of `c.var.user`,
    #[serde(default)]
    pub field: Option<String>,
    /// ... or the method that it reads them by: `get`.
    #[serde(default)]
    pub by: Option<String>,
}
