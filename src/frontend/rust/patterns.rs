//! Patterns: one assignment a name.

use syn::{Member, Pat};

use crate::frontend::rust::Lowering;
use crate::frontend::rust::paths::plain;
use crate::ir::{ExprId, ExprKind};
use crate::source::Span;

impl Lowering<'_> {
    /// The name of a pattern that is nothing but one.
    pub(super) fn plain_pattern(&self, pattern: &Pat) -> Option<(String, Span)> {
        match pattern {
            Pat::Ident(ident) if ident.subpat.is_none() && !Self::is_constant(&ident.ident) => {
                Some((plain(&ident.ident), self.at_span(ident.ident.span())))
            }
            Pat::Paren(inner) => self.plain_pattern(&inner.pat),
            Pat::Reference(inner) => self.plain_pattern(&inner.pat),
            Pat::Type(inner) => self.plain_pattern(&inner.pat),
            _ => None,
        }
    }

    /// A name in a pattern that is a constant or a unit variant: by its spelling, as the compiler's lints demand.
    pub(super) fn is_constant(ident: &proc_macro2::Ident) -> bool {
        ident.to_string().chars().next().is_some_and(char::is_uppercase)
    }

    /// Declares the names of a pattern without a value.
    pub(super) fn declare_pattern(&mut self, pattern: &Pat) {
        if let Some((name, span)) = self.plain_pattern(pattern) {
            let local = self.declare(&name, span);
            if let Pat::Type(typed) = pattern {
                self.module.locals[local.at()].ty = self.ty(&typed.ty);
            }
        }
    }

    /// Declares the names of a pattern and assigns to each its part of `value`.
    pub(super) fn destructure(&mut self, pattern: &Pat, value: ExprId) {
        let span = self.span_of(value);
        self.deeper(span, |this| this.destructure_at(pattern, value));
    }

    fn destructure_at(&mut self, pattern: &Pat, value: ExprId) {
        match pattern {
            Pat::Ident(ident) => {
                if let Some((_, inner)) = &ident.subpat {
                    self.destructure(inner, value);
                }
                if !Self::is_constant(&ident.ident) {
                    let span = self.at_span(ident.ident.span());
                    let local = self.declare(&plain(&ident.ident), span);
                    self.assign(local, value, span);
                }
            }
            Pat::Reference(inner) => self.destructure(&inner.pat, value),
            Pat::Paren(inner) => self.destructure(&inner.pat, value),
            Pat::Type(inner) => self.destructure(&inner.pat, value),
            Pat::Tuple(tuple) => {
                for (at, part) in tuple.elems.iter().enumerate() {
                    self.part(part, value, &at.to_string());
                }
            }
            Pat::TupleStruct(inner) => {
                let name = inner.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
                if ["Some", "Ok"].contains(&name.as_str()) {
                    if let Some(first) = inner.elems.first() {
                        self.destructure(first, value);
                    }
                    return;
                }
                for (at, part) in inner.elems.iter().enumerate() {
                    self.part(part, value, &at.to_string());
                }
            }
            Pat::Struct(inner) => {
                for field in &inner.fields {
                    self.part(&field.pat, value, &member(&field.member));
                }
            }
            Pat::Slice(slice) => {
                let span = self.span_of(value);
                for part in &slice.elems {
                    let element = self.add(ExprKind::Element(value), span);
                    self.destructure(part, element);
                }
            }
            Pat::Or(or) => {
                if let Some(first) = or.cases.first() {
                    self.destructure(first, value);
                }
            }
            _ => {}
        }
    }

    fn part(&mut self, pattern: &Pat, value: ExprId, name: &str) {
        if matches!(pattern, Pat::Wild(_) | Pat::Rest(_)) {
            return;
        }
        let span = self.span(pattern);
        let part = self.add(ExprKind::Field { base: value, name: name.to_owned(), name_span: span }, span);
        self.destructure(pattern, part);
    }
}

/// The name of a field in a pattern.
pub(super) fn member(member: &Member) -> String {
    match member {
        Member::Named(name) => plain(name),
        Member::Unnamed(index) => index.index.to_string(),
    }
}
