//! Rows about events: what sends one under a name, and what listens to it.

use serde::Deserialize;

use crate::rules::{ArgPath, CallPattern};

/// A call that runs whatever listens to a name: `emitter.emit('user.login', user)`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Emit {
    pub call: CallPattern,
    pub name: ArgPath,
    /// What listeners are called with: `1..`.
    pub args: ArgPath,
    /// Only listeners of the same bus hear it.
    pub bus: String,
}

/// What listens to a name: a decorated method, or what a call registers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Listen {
    /// The decorator, or the registering call.
    pub call: CallPattern,
    pub name: ArgPath,
    /// Where the listener stands in the registering call; absent: `call` is a decorator.
    #[serde(default)]
    pub handler: Option<ArgPath>,
    pub bus: String,
}
