//! Rows about events: what sends one under a name, and what listens to it.

use serde::Deserialize;

use crate::rules::{ArgPath, CallPattern};

/// A call that runs whatever listens to a name: `emitter.emit('user.login', user)`. An instance of a class goes by the class:
/// `bus.execute(new StoreToken(id, token))`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Emit {
    pub call: CallPattern,
    pub name: ArgPath,
    /// What listeners are called with: `1..`.
    pub args: ArgPath,
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
