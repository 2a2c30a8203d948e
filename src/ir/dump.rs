//! A text dump of a module, for tests and for people who read a front end's work.

use super::Module;

/// The module as indented text.
pub fn dump(module: &Module) -> String {
    format!("{module:#?}")
}
