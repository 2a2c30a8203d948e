//! Attributes as decorators: positional arguments first, then one object of the named ones.

use proc_macro2::{TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Meta, Token};

use crate::frontend::rust::paths::plain;
use crate::frontend::rust::{Decorators, Lowering};
use crate::ir::{Binding, Decorator, Entry, ExprId, ExprKind, Item};
use crate::source::Span;

/// Attributes of the language itself, which say nothing of a program's meaning.
const PLAIN: [&str; 11] =
    ["doc", "cfg", "allow", "warn", "deny", "expect", "inline", "must_use", "non_exhaustive", "repr", "path"];

/// `#[cfg(test)]`, `#[test]`, `#[tokio::test]`.
pub(super) fn is_for_tests(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| match &attr.meta {
        Meta::List(list) if list.path.is_ident("cfg") => needs_test(list.tokens.clone()),
        meta => meta.path().segments.last().is_some_and(|segment| segment.ident == "test" || segment.ident == "rstest"),
    })
}

/// Whether a configuration names `test` other than in `not(..)`.
fn needs_test(tokens: TokenStream) -> bool {
    let mut negated = false;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) if ident == "test" => return true,
            TokenTree::Ident(ident) => negated = ident == "not",
            TokenTree::Group(group) => {
                if !negated && needs_test(group.stream()) {
                    return true;
                }
                negated = false;
            }
            _ => {}
        }
    }
    false
}

/// What stands between the commas of an attribute. A part that is no expression, as some macros take, is left out.
fn pieces(tokens: TokenStream) -> Vec<Expr> {
    let mut parts = vec![TokenStream::new()];
    for token in tokens {
        match (&token, parts.last_mut()) {
            (TokenTree::Punct(comma), _) if comma.as_char() == ',' => parts.push(TokenStream::new()),
            (_, Some(part)) => part.extend([token]),
            (_, None) => {}
        }
    }
    parts.into_iter().filter_map(|part| syn::parse2(part).ok()).collect()
}

/// The attributes as they stand where every feature is on: `#[cfg_attr(feature = "x", derive(A), b)]` is `#[derive(A)] #[b]`.
fn enabled(attrs: &[Attribute]) -> Vec<Attribute> {
    let mut all = Vec::new();
    for attr in attrs {
        if !attr.path().is_ident("cfg_attr") {
            all.push(attr.clone());
            continue;
        }
        let Ok(metas) = attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) else { continue };
        let inner: Vec<Attribute> = metas.into_iter().skip(1).map(|meta| Attribute { meta, ..attr.clone() }).collect();
        all.extend(inner.into_iter().filter(|attr| !attr.path().is_ident("cfg_attr")));
    }
    all
}

impl Lowering<'_> {
    pub(super) fn attributes(&mut self, attrs: &[Attribute]) -> Decorators {
        let mut found: Decorators = Vec::new();
        for attr in &enabled(attrs) {
            let path = attr.path();
            let names: Vec<String> = path.segments.iter().map(|segment| plain(&segment.ident)).collect();
            let Some(first) = names.first() else { continue };
            if names.len() == 1 && PLAIN.contains(&first.as_str()) {
                continue;
            }
            let span = self.at_span(attr.pound_token.span);
            if first == "derive" {
                let list = attr.parse_args_with(Punctuated::<syn::Path, Token![,]>::parse_terminated);
                for path in list.into_iter().flatten() {
                    let steps = self.steps(&path);
                    let decorator = self.decorator(&steps, Vec::new(), span);
                    found.push(decorator);
                }
                continue;
            }
            let (args, keyed) = self.arguments(attr);
            let steps = self.steps(path);
            let mut made = self.decorator(&steps, args, span);
            let known = found.iter_mut().find(|known| known.name == made.name && !keyed.is_empty());
            if let Some(object) = known.and_then(|known| known.args.last().copied()) {
                if let Some(ExprKind::Object(entries)) = self.module.exprs.get_mut(object.at()).map(|e| &mut e.kind) {
                    entries.extend(keyed);
                }
            } else {
                if !keyed.is_empty() {
                    let object = self.add(ExprKind::Object(keyed), span);
                    made.args.push(object);
                }
                found.push(made);
            }
        }
        found
    }

    fn decorator(&mut self, steps: &[(String, Span)], args: Vec<ExprId>, span: Span) -> Decorator {
        let name = steps.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(".");
        let (binding, name) = if let [(only, _)] = steps {
            let known = self.type_named(only);
            let Some(crate::frontend::rust::paths::TypeName::Is(binding)) = known else {
                return Decorator { name, binding: Binding::Global(only.clone()), args, span };
            };
            (binding, name)
        } else {
            let (binding, taken) = self.root(steps);
            let rest: Vec<&str> = steps.iter().skip(taken.saturating_sub(1)).map(|(name, _)| name.as_str()).collect();
            (binding, rest.join("."))
        };
        Decorator { name, binding, args, span }
    }

    fn arguments(&mut self, attr: &Attribute) -> (Vec<ExprId>, Vec<Entry>) {
        let (mut args, mut named) = (Vec::new(), Vec::new());
        let list = match &attr.meta {
            Meta::List(list) => list,
            // `#[table_name = "users"]`
            Meta::NameValue(pair) => {
                args.push(self.attribute_value(&pair.value));
                return (args, named);
            }
            Meta::Path(_) => return (args, named),
        };
        for argument in pieces(list.tokens.clone()) {
            let span = self.expr_span(&argument);
            let name_of = |expr: &Expr| match expr {
                Expr::Path(path) => path.path.get_ident().map(plain),
                _ => None,
            };
            match &argument {
                Expr::Assign(pair) if name_of(&pair.left).is_some() => {
                    let value = self.attribute_value(&pair.right);
                    named.push(Entry::Named { key: name_of(&pair.left).unwrap_or_default(), key_span: span, value });
                }
                Expr::Call(call) if name_of(&call.func).is_some() => {
                    let items = call.args.iter().map(|arg| Item::One(self.attribute_value(arg))).collect();
                    let value = self.add(ExprKind::Array(items), span);
                    named.push(Entry::Named { key: name_of(&call.func).unwrap_or_default(), key_span: span, value });
                }
                Expr::Path(path) => {
                    let value = self.add(ExprKind::Bool(true), span);
                    let key = path.path.segments.last().map_or_else(String::new, |segment| plain(&segment.ident));
                    named.push(Entry::Named { key, key_span: span, value });
                }
                other => args.push(self.attribute_value(other)),
            }
        }
        (args, named)
    }

    /// A path is text: `table_name = crate::schema::users` is `users`.
    fn attribute_value(&mut self, value: &Expr) -> ExprId {
        match value {
            Expr::Path(path) => {
                let span = self.expr_span(value);
                let name = path.path.segments.last().map_or_else(String::new, |segment| plain(&segment.ident));
                self.add(ExprKind::Text(name), span)
            }
            Expr::Lit(literal) => self.literal(&literal.lit),
            Expr::Call(_) | Expr::MethodCall(_) => self.expr(value),
            other => {
                let span = self.expr_span(other);
                self.opaque("an attribute's argument", Vec::new(), span)
            }
        }
    }

    /// `#[builder(default = make())]` on a field: what it holds where nothing is said. A text names a function or holds code.
    pub(super) fn default_of(&self, decorators: &[Decorator]) -> Option<ExprId> {
        decorators.iter().flat_map(|decorator| &decorator.args).find_map(|arg| match self.kind(*arg) {
            ExprKind::Object(entries) => entries.iter().find_map(|entry| match entry {
                Entry::Named { key, value, .. } if key == "default" => {
                    matches!(self.kind(*value), ExprKind::Call(_) | ExprKind::Name(_)).then_some(*value)
                }
                _ => None,
            }),
            _ => None,
        })
    }
}
