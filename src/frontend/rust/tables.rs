//! `table! { users (id) { id -> Integer, token -> Nullable<Text>, } }`: a table, and a module `users` of its columns.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::frontend::rust::Lowering;
use crate::frontend::rust::paths::plain;
use crate::ir::{Binding, ColumnDecl, Entry, Export, ExprId, ExprKind, Place, Stmt, Table, TableChange};
use crate::source::Span;

impl Lowering<'_> {
    /// Declares the table; nothing where the tokens are something else.
    pub(super) fn hoist_table(&mut self, tokens: TokenStream) {
        let Some(table) = self.read_table(tokens) else { return };
        let (name, span) = (table.columns.0, table.span);
        let local = self.declare(&name, span);
        self.bind_type(&name, Binding::Local(local));
        let exported = {
            let mut parts = self.at.clone();
            parts.push(name.clone());
            parts.join("::")
        };
        self.module.exports.push(Export::Named { name: exported, binding: Binding::Local(local) });
        let text = |this: &mut Self, text: &str, span| this.add(ExprKind::Text(text.to_owned()), span);
        let mut entries = Vec::new();
        for column in &table.columns.1 {
            let value = text(self, &column.name, column.span);
            entries.push(Entry::Named { key: column.property.clone(), key_span: column.span, value });
        }
        let itself = text(self, &table.name, span);
        let named = |key: &str, value: ExprId| Entry::Named { key: key.to_owned(), key_span: span, value };
        let mut below = entries.clone();
        below.push(named(&name, itself));
        let below = self.add(ExprKind::Object(below), span);
        entries.extend([named("table", itself), named("dsl", below), named("columns", below)]);
        let object = self.add(ExprKind::Object(entries), span);
        self.out.push(Stmt::Assign { target: Place::Local(local), value: object, span });
        self.module.tables.push(Table {
            name: table.name,
            model: None,
            span,
            change: TableChange::Create,
            columns: table.columns.1,
            dropped: Vec::new(),
            renamed: Vec::new(),
            renamed_to: None,
        });
    }

    fn read_table(&self, tokens: TokenStream) -> Option<ReadTable> {
        let mut name: Option<(String, Span)> = None;
        let mut renamed: Option<String> = None;
        let mut is_use = false;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if ident == "use" => is_use = true,
                TokenTree::Punct(punct) if punct.as_char() == ';' => is_use = false,
                _ if is_use => {}
                TokenTree::Ident(ident) => name = Some((plain(&ident), self.at_span(ident.span()))),
                TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                    renamed = sql_name(group.stream()).or(renamed);
                }
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    let (rust, span) = name?;
                    let columns = self.read_columns(group.stream());
                    return (!columns.is_empty()).then(|| ReadTable {
                        name: renamed.unwrap_or_else(|| rust.clone()),
                        span,
                        columns: (rust, columns),
                    });
                }
                _ => {}
            }
        }
        None
    }

    fn read_columns(&self, tokens: TokenStream) -> Vec<ColumnDecl> {
        let mut columns = Vec::new();
        let (mut name, mut renamed, mut ty): (Option<(String, Span)>, Option<String>, Option<String>) =
            (None, None, None);
        let mut finish = |name: &mut Option<(String, Span)>, renamed: &mut Option<String>, ty: &mut Option<String>| {
            if let (Some((property, span)), Some(ty)) = (name.take(), ty.take()) {
                columns.push(ColumnDecl {
                    name: renamed.take().unwrap_or_else(|| property.clone()),
                    property,
                    nullable: Some(ty.starts_with("Nullable")),
                    ty,
                    default: None,
                    relation: None,
                    list: false,
                    span,
                });
            }
        };
        let mut angles = 0_u32;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ',' && angles == 0 => {
                    finish(&mut name, &mut renamed, &mut ty);
                }
                TokenTree::Punct(punct) if ty.is_some() => {
                    match punct.as_char() {
                        '<' => angles += 1,
                        '>' => angles = angles.saturating_sub(1),
                        _ => {}
                    }
                    if let Some(ty) = &mut ty {
                        ty.push(punct.as_char());
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == '>' => ty = Some(String::new()),
                TokenTree::Ident(ident) => match &mut ty {
                    Some(ty) => ty.push_str(&ident.to_string()),
                    None => name = Some((plain(&ident), self.at_span(ident.span()))),
                },
                TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                    renamed = sql_name(group.stream()).or(renamed);
                }
                _ => {}
            }
        }
        finish(&mut name, &mut renamed, &mut ty);
        columns
    }
}

struct ReadTable {
    name: String,
    span: Span,
    /// The module's name and the columns.
    columns: (String, Vec<ColumnDecl>),
}

/// `sql_name = "x"` in an attribute.
fn sql_name(tokens: TokenStream) -> Option<String> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    match tokens.as_slice() {
        [TokenTree::Ident(key), TokenTree::Punct(_), TokenTree::Literal(value)] if key == "sql_name" => {
            Some(value.to_string().trim_matches('"').to_owned())
        }
        _ => None,
    }
}
