//! What a file takes from others and gives to them.

use crate::ir::{Binding, ExprId};
use crate::source::Span;

#[derive(Clone, Debug)]
pub struct Import {
    pub local: String,
    /// The specifier as written.
    pub module: String,
    pub what: Imported,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Imported {
    Named(String),
    Default,
    /// `import * as x`, `require('x')`, `await import('x')`.
    Namespace,
}

/// The name of what a module exports as a whole: what `require` of it gives.
pub const WHOLE: &str = "export=";

#[derive(Clone, Debug)]
pub enum Export {
    /// `name` is `default` for a default export, and [`WHOLE`] for `export =` and `module.exports = x`;
    /// `exports.x = y` and `module.exports = { x }` are named.
    Named { name: String, binding: Binding },
    /// A default export that is an expression without a name.
    Value { name: String, value: ExprId },
    /// `export { from as name } from 'module'`.
    From { name: String, from: Imported, module: String },
    /// `export * from 'module'`.
    All { module: String },
}
