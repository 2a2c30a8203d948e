//! Placeholder: written on another branch.
use crate::ir::{Module, SqlText};
use crate::source::FileId;

pub(crate) fn lower(id: FileId, _text: &str) -> Module {
    Module::new(id)
}

pub(crate) fn parse(parts: &[(&str, u32)], _file: FileId) -> Option<SqlText> {
    let first = parts.first()?.0.trim_start();
    let is_sql = ["SELECT ", "INSERT ", "UPDATE ", "DELETE "].iter().any(|word| first.starts_with(word));
    is_sql.then(|| SqlText { statements: Vec::new(), holes: Vec::new(), gap: None })
}
