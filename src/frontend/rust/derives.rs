//! What derives write beside a type: names of tables and columns as an enum's variants, the types of an entity.
//!
//! `#[derive(Iden)] enum Users { Table, AccessToken }` makes `Users::Table` the text `users` and `Users::AccessToken` the text
//! `access_token`. `#[derive(DeriveEntityModel)] struct Model { .. }` writes `Entity`, `ActiveModel` and an enum `Column`; the expanded
//! format of the same spells all of them out but `ActiveModel`. Like
//! `table!`, they are read here because nothing but the macro declares the names that they write.

use syn::{Attribute, Expr, Fields, ImplItem, Item, Meta, Token};

use crate::frontend::rust::Lowering;
use crate::frontend::rust::paths::plain;
use crate::ir::{Binding, ClassId, ClassKind, Decorator, Entry, ExprKind, FieldDecl};

/// Derives that make an enum's variants names of the database.
const NAMES: [&str; 4] = ["Iden", "IdenStatic", "DeriveIden", "DeriveColumn"];
const ENTITY: &str = "DeriveEntityModel";

fn derives(attrs: &[Attribute], wanted: &[&str]) -> bool {
    attrs.iter().filter(|attr| attr.path().is_ident("derive")).any(|attr| {
        let list = attr.parse_args_with(syn::punctuated::Punctuated::<syn::Path, Token![,]>::parse_terminated);
        list.is_ok_and(|paths| {
            let mut names = paths.iter().filter_map(|path| path.segments.last());
            names.any(|last| wanted.iter().any(|name| last.ident == name))
        })
    })
}

/// `key = "text"` in any attribute: alone (`#[iden = "x"]`) or among arguments (`#[sea_orm(column_name = "x")]`).
fn written(attrs: &[Attribute], keys: &[&str]) -> Option<String> {
    let text = |pair: &syn::MetaNameValue| match &pair.value {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. })
            if keys.iter().any(|key| pair.path.is_ident(key)) =>
        {
            Some(text.value())
        }
        _ => None,
    };
    attrs.iter().find_map(|attr| match &attr.meta {
        Meta::NameValue(pair) => text(pair),
        Meta::List(list) => {
            let parse = syn::punctuated::Punctuated::<Meta, Token![,]>::parse_terminated;
            let metas = syn::parse::Parser::parse2(parse, list.tokens.clone()).ok()?;
            metas.iter().find_map(|meta| match meta {
                Meta::NameValue(pair) => text(pair),
                _ => None,
            })
        }
        Meta::Path(_) => None,
    })
}

fn snake(name: &str) -> String {
    let mut text = String::new();
    let chars: Vec<char> = name.chars().collect();
    for (at, char) in chars.iter().enumerate() {
        let after_small = at > 0 && chars.get(at - 1).is_some_and(|before| !before.is_uppercase() && *before != '_');
        let before_small = at > 0 && chars.get(at + 1).is_some_and(|next| next.is_lowercase());
        let after_word = at > 0 && chars.get(at - 1).is_some_and(|before| *before != '_');
        if char.is_uppercase() && (after_small || (before_small && after_word)) {
            text.push('_');
        }
        text.extend(char.to_lowercase());
    }
    text
}

fn camel(name: &str) -> String {
    let words = name.split('_').filter(|word| !word.is_empty());
    words
        .map(|word| {
            let mut chars = word.chars();
            chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
        })
        .collect()
}

/// An entity that is written out in parts: its model, the type that stands for the table, and what that names the table.
struct Expanded<'s> {
    model: &'s syn::ItemStruct,
    entity: String,
    table: &'s Expr,
}

/// `struct Entity; impl EntityName for Entity { fn table_name(&self) -> &str { "users" } }` beside a struct that derives its model.
fn expanded(items: &[Item]) -> Option<Expanded<'_>> {
    let model = items.iter().find_map(|item| match item {
        Item::Struct(item) if derives(&item.attrs, &["DeriveModel", "DeriveActiveModel"]) => Some(item),
        _ => None,
    })?;
    items.iter().find_map(|item| {
        let Item::Impl(item) = item else { return None };
        let (_, path, _) = item.trait_.as_ref()?;
        let syn::Type::Path(of) = &*item.self_ty else { return None };
        let entity =
            plain(of.path.get_ident().filter(|_| path.segments.last().is_some_and(|s| s.ident == "EntityName"))?);
        let table = item.items.iter().find_map(|member| match member {
            ImplItem::Fn(function) if function.sig.ident == "table_name" => match function.block.stmts.as_slice() {
                [syn::Stmt::Expr(table, None)] => Some(table),
                _ => None,
            },
            _ => None,
        })?;
        Some(Expanded { model, entity, table })
    })
}

impl Lowering<'_> {
    /// An entity in the expanded format is its model, with the name of its table.
    pub(super) fn hoist_expanded(&mut self, items: &[Item]) {
        let Some(Expanded { model, entity, .. }) = expanded(items) else { return };
        let Some(id) = self.class_at(model) else { return };
        for name in [entity.as_str(), "ActiveModel"] {
            self.bind_type(name, Binding::Class(id));
            self.export_in_place(name, Binding::Class(id));
        }
    }

    /// The decorator that the compact format would have.
    pub(super) fn decorate_expanded(&mut self, items: &[Item]) {
        let Some(Expanded { model, table, .. }) = expanded(items) else { return };
        let Some(id) = self.class_at(model) else { return };
        let span = self.at_span(model.ident.span());
        let value = self.expr(table);
        let named = Entry::Named { key: "table_name".to_owned(), key_span: span, value };
        let args = vec![self.add(ExprKind::Object(vec![named]), span)];
        let (name, binding) = ("sea_orm".to_owned(), Binding::Global("sea_orm".to_owned()));
        self.module.classes[id.at()].decorators.push(Decorator { name, binding, args, span });
    }

    /// The types that a struct's derives write beside it; it is declared already.
    pub(super) fn hoist_derived(&mut self, item: &syn::ItemStruct, id: ClassId) {
        if !derives(&item.attrs, &[ENTITY]) {
            return;
        }
        for name in ["Entity", "ActiveModel"] {
            self.bind_type(name, Binding::Class(id));
            self.export(name, Binding::Class(id));
        }
        let span = self.at_span(item.ident.span());
        let columns = self.new_class("Column", ClassKind::Enum, span);
        self.bind_type("Column", Binding::Class(columns));
        self.export("Column", Binding::Class(columns));
        let Fields::Named(fields) = &item.fields else { return };
        for field in &fields.named {
            let Some(ident) = &field.ident else { continue };
            let name = plain(ident);
            let column = written(&field.attrs, &["column_name"]).unwrap_or_else(|| name.clone());
            let variant = written(&field.attrs, &["enum_name"]).unwrap_or_else(|| camel(&name));
            let span = self.at_span(ident.span());
            self.named_variant(columns, variant, column, span);
        }
    }

    /// The names of the database that an enum's variants stand for.
    pub(super) fn name_variants(&mut self, item: &syn::ItemEnum, id: ClassId) {
        if !derives(&item.attrs, &NAMES) {
            return;
        }
        let keys = ["iden", "rename", "column_name"];
        for variant in &item.variants {
            let name = plain(&variant.ident);
            let of_table = || written(&item.attrs, &keys).unwrap_or_else(|| snake(&plain(&item.ident)));
            let own = written(&variant.attrs, &keys);
            let text = own.unwrap_or_else(|| if name == "Table" { of_table() } else { snake(&name) });
            let span = self.at_span(variant.ident.span());
            let value = self.add(ExprKind::Text(text), span);
            if let Some(field) = self.module.classes[id.at()].fields.iter_mut().find(|field| field.name == name) {
                field.init = Some(value);
            }
        }
    }

    fn named_variant(&mut self, class: ClassId, name: String, text: String, span: crate::source::Span) {
        let init = Some(self.add(ExprKind::Text(text), span));
        let decorators = Vec::new();
        let field =
            FieldDecl { name, ty: None, init, is_static: true, optional: false, decorators, span, type_span: span };
        self.module.classes[class.at()].fields.push(field);
    }
}

#[cfg(test)]
mod tests {
    use super::{camel, snake};

    #[test]
    fn names_of_variants_and_columns_follow_the_derives() {
        assert_eq!(snake("AccessToken"), "access_token");
        assert_eq!(snake("OAuth2Sessions"), "o_auth2_sessions");
        assert_eq!(snake("Users"), "users");
        assert_eq!(camel("access_token"), "AccessToken");
    }
}
