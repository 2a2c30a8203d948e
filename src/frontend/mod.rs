//! Lowers one file to the language-neutral program.
//!
//! Input: a [`SourceFile`] and its id. Output: an [`ir::Module`](Module).
//!
//! Invariants: lowering knows no rule and no configuration, and of other files the macros alone; it never fails and never panics; what could not be read is a
//! [`Gap`](crate::source::Gap) of the module; files can be lowered in any order and in parallel.
//!
//! Worked example: `export const find = (id) => db.user.get(id)` becomes the module body `find = (closure #1)`, function
//! 1 named `find` with one parameter and `return (call global:db.user.get id)`, and the export `find`.

mod prisma;
mod rust;
mod sql;
mod typescript;

use crate::ir::{Module, SqlPart, SqlText};
use crate::source::{FileId, Language, Macros, SourceFile, SourceSet};

/// Lowers a file by the front end of its language. `macros` are those of the tree.
pub fn lower(id: FileId, file: &SourceFile, macros: &Macros) -> Module {
    let mut module = match file.language {
        Language::TypeScript | Language::Tsx => typescript::lower(id, file),
        Language::Rust => rust::lower(id, file, macros),
        Language::Sql => sql::lower(id, &file.text),
        Language::Prisma => prisma::lower(id, &file.text),
    };
    if matches!(file.language, Language::TypeScript | Language::Tsx | Language::Rust) {
        sql::join_triggers(&mut module, &file.text);
    }
    // The front ends for texts do not know what their text is called.
    for gap in &mut module.gaps {
        gap.path.clone_from(&file.path);
    }
    module
}

/// The macros that the tree's Rust files define.
pub fn macros(sources: &SourceSet) -> Macros {
    let mut macros = Macros::default();
    for id in sources.mentions(&["macro_rules"]).into_iter().flatten() {
        let file = sources.get(id);
        if file.language == Language::Rust {
            for (name, arms) in rust::macro_definitions(&file.text) {
                macros.define(name, id, arms);
            }
        }
    }
    macros
}

/// The SQL that a program puts together of parts that stand in several places; `None` where it is prose. Of the text's
/// substitutions the caller fills in [`SqlText::holes`].
pub fn joined_sql(parts: &[SqlPart], file: FileId) -> Option<SqlText> {
    sql::joined(parts, file)
}
