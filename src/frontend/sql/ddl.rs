//! What DDL says about tables.

use std::ops::Range;

use sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, ColumnDef, ColumnOption, CreateTable, DataType, Expr, Ident,
    ObjectType, RenameTableNameKind, Statement, TableConstraint,
};

use crate::frontend::sql::ast::Piece;
use crate::frontend::sql::lex::{Kind, Tokens, unquote};
use crate::frontend::sql::relation::{ident, last_name};
use crate::frontend::sql::text::Text;
use crate::ir::{ColumnDecl, Table, TableChange};
use crate::source::Span;

/// The tables that one statement creates, changes or drops.
pub(crate) fn tables(statement: &Statement, piece: &Piece<'_>) -> Vec<Table> {
    match statement {
        Statement::CreateTable(create) => vec![created(create, piece)],
        Statement::AlterTable(alter) => vec![altered(alter, piece)],
        Statement::Drop { object_type: ObjectType::Table, names, .. } => names
            .iter()
            .map(|name| Table { change: TableChange::Drop, ..table(last_name(name), piece.whole()) })
            .collect(),
        Statement::RenameTable(renames) => renames
            .iter()
            .map(|rename| Table {
                change: TableChange::Alter,
                renamed_to: Some(last_name(&rename.new_name)),
                ..table(last_name(&rename.old_name), piece.whole())
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn table(name: String, span: Span) -> Table {
    Table {
        name,
        model: None,
        span,
        change: TableChange::Create,
        columns: Vec::new(),
        dropped: Vec::new(),
        renamed: Vec::new(),
        renamed_to: None,
    }
}

/// What a trigger makes of a column where a row is inserted without it, which is what a default does.
pub(crate) fn filled(name: &str, column: String, span: Span) -> Table {
    let column = ColumnDecl {
        name: column.clone(),
        property: column,
        ty: String::new(),
        nullable: None,
        default: Some("(a trigger)".to_owned()),
        relation: None,
        list: false,
        span,
    };
    Table { change: TableChange::Alter, columns: vec![column], ..table(name.to_owned(), span) }
}

fn created(create: &CreateTable, piece: &Piece<'_>) -> Table {
    let mut found = table(last_name(&create.name), piece.whole());
    found.columns = create.columns.iter().map(|column| declared(column, piece)).collect();
    for constraint in &create.constraints {
        let TableConstraint::PrimaryKey(key) = constraint else { continue };
        for column in &key.columns {
            let Expr::Identifier(name) = &column.column.expr else { continue };
            for column in found.columns.iter_mut().filter(|column| column.name == name.value) {
                column.nullable = Some(false);
            }
        }
    }
    found
}

fn declared(column: &ColumnDef, piece: &Piece<'_>) -> ColumnDecl {
    let options = column.options.iter().map(|option| &option.option);
    with_options(&column.name, &column.data_type, options, piece)
}

fn with_options<'o>(
    name: &Ident,
    ty: &DataType,
    options: impl Iterator<Item = &'o ColumnOption>,
    piece: &Piece<'_>,
) -> ColumnDecl {
    let ty = ty.to_string();
    let is_serial = ty.to_ascii_uppercase().contains("SERIAL");
    let mut column = ColumnDecl { ty, nullable: Some(!is_serial), ..said(name, piece) };
    column.default = is_serial.then(|| column.ty.clone());
    for option in options {
        match option {
            ColumnOption::NotNull | ColumnOption::PrimaryKey(_) => column.nullable = Some(false),
            ColumnOption::Null => column.nullable = Some(true),
            ColumnOption::Default(value) => column.default = Some(value.to_string()),
            ColumnOption::Generated { .. }
            | ColumnOption::Identity(_)
            | ColumnOption::Materialized(_)
            | ColumnOption::Alias(_) => column.default = Some(option.to_string()),
            ColumnOption::DialectSpecific(tokens) => {
                let words: Vec<String> = tokens.iter().map(ToString::to_string).collect();
                let words = words.join(" ");
                if words.to_ascii_uppercase().replace('_', "").contains("AUTOINCREMENT") {
                    column.default = Some(words);
                }
            }
            _ => {}
        }
    }
    column
}

/// A column of which nothing is said but the name.
fn said(name: &Ident, piece: &Piece<'_>) -> ColumnDecl {
    let column = ident(name);
    ColumnDecl {
        property: column.clone(),
        name: column,
        ty: String::new(),
        nullable: None,
        default: None,
        relation: None,
        list: false,
        span: piece.span(name.span),
    }
}

fn altered(alter: &AlterTable, piece: &Piece<'_>) -> Table {
    let mut found = Table { change: TableChange::Alter, ..table(last_name(&alter.name), piece.whole()) };
    for operation in &alter.operations {
        match operation {
            AlterTableOperation::AddColumn { column_def, .. } => found.columns.push(declared(column_def, piece)),
            AlterTableOperation::DropColumn { column_names, .. } => {
                found.dropped.extend(column_names.iter().map(ident));
            }
            AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
                found.renamed.push((ident(old_column_name), ident(new_column_name)));
            }
            AlterTableOperation::RenameTable { table_name } => {
                let (RenameTableNameKind::As(name) | RenameTableNameKind::To(name)) = table_name;
                found.renamed_to = Some(last_name(name));
            }
            AlterTableOperation::ChangeColumn { old_name, new_name, data_type, options, .. } => {
                if ident(old_name) != ident(new_name) {
                    found.renamed.push((ident(old_name), ident(new_name)));
                }
                found.columns.push(with_options(new_name, data_type, options.iter(), piece));
            }
            AlterTableOperation::ModifyColumn { col_name, data_type, options, .. } => {
                found.columns.push(with_options(col_name, data_type, options.iter(), piece));
            }
            AlterTableOperation::AlterColumn { column_name, op } => {
                let mut column = said(column_name, piece);
                match op {
                    AlterColumnOperation::SetNotNull => column.nullable = Some(false),
                    AlterColumnOperation::DropNotNull => column.nullable = Some(true),
                    AlterColumnOperation::SetDefault { value } => column.default = Some(value.to_string()),
                    AlterColumnOperation::DropDefault => column.default = Some(String::new()),
                    AlterColumnOperation::SetDataType { data_type, .. } => column.ty = data_type.to_string(),
                    AlterColumnOperation::AddGenerated { .. } => column.default = Some(op.to_string()),
                }
                found.columns.push(column);
            }
            _ => {}
        }
    }
    found
}

/// Words that begin a constraint, not a column.
const CONSTRAINTS: &[&str] = &[
    "CONSTRAINT",
    "PRIMARY",
    "UNIQUE",
    "FOREIGN",
    "CHECK",
    "KEY",
    "INDEX",
    "EXCLUDE",
    "LIKE",
    "FULLTEXT",
    "SPATIAL",
    "PERIOD",
];

/// What a `CREATE TABLE` that the parser does not understand says of its columns.
pub(crate) fn light(text: &Text, range: Range<usize>) -> Option<Table> {
    let tokens = Tokens::of(&text.sql, range.clone());
    let kind = (1..5).find(|at| tokens.is(*at, "TABLE")).filter(|_| tokens.is(0, "CREATE"))?;
    let mut at = kind + 1;
    while tokens.is_any(at, &["IF", "NOT", "EXISTS"]) {
        at += 1;
    }
    let after = tokens.name(at)?;
    let mut found = table(unquote(tokens.text(after - 1)), text.span(range));
    if !tokens.punct(after, b'(') {
        return None;
    }
    let close = tokens.closing(after).min(tokens.list.len());
    for part in tokens.comma_separated(after + 1..close) {
        let is_name = matches!(tokens.kind(part.start), Some(Kind::Word | Kind::Quoted));
        if !is_name || tokens.is_any(part.start, CONSTRAINTS) {
            continue;
        }
        let name = unquote(tokens.text(part.start));
        let finds = |first: &str, second: &str| {
            part.clone().any(|at| tokens.is(at, first) && (second.is_empty() || tokens.is(at + 1, second)))
        };
        let default = part.clone().find(|at| tokens.is(*at, "DEFAULT")).filter(|at| at + 1 < part.end);
        let default = default.map(|at| text.sql.get(tokens.bytes(at + 1..at + 2)).unwrap_or("").to_owned());
        found.columns.push(ColumnDecl {
            property: name.clone(),
            name,
            ty: tokens.text(part.start + 1).to_owned(),
            nullable: Some(!finds("NOT", "NULL") && !finds("PRIMARY", "KEY")),
            default,
            relation: None,
            list: false,
            span: text.span(tokens.bytes(part.start..part.start + 1)),
        });
    }
    Some(found)
}
