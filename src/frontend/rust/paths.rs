//! Which declaration a path stands for.

use rustc_hash::FxHashMap;

use crate::frontend::rust::Lowering;
use crate::ir::{Binding, ClassId, ExprId, ExprKind, ImportId, Imported, LocalId, TypeRef};
use crate::source::Span;

/// What a name means as a type.
#[derive(Clone, Debug)]
pub(super) enum TypeName {
    Is(Binding),
    /// A type parameter: its first bound that is a trait.
    Bound(Option<TypeRef>),
}

/// The names that a block or module declares. Values and types are separate name spaces; imports are in both.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub values: FxHashMap<String, Binding>,
    pub types: FxHashMap<String, TypeName>,
}

/// A step of a path.
pub(super) type Step = (String, Span);

/// Types and traits that every file sees.
const PRELUDE: [&str; 22] = [
    "String", "Vec", "Box", "Option", "Result", "Default", "From", "Into", "Iterator", "Clone", "ToString", "Some",
    "None", "Ok", "Err", "Debug", "Drop", "Fn", "FnMut", "FnOnce", "ToOwned", "TryFrom",
];

/// The name in the scope of an `impl` for a type that it gives to a trait's `type NAME`.
pub(super) fn associated(name: &str) -> String {
    format!("Self::{name}")
}

impl Lowering<'_> {
    pub(super) fn bind_value(&mut self, name: &str, binding: Binding) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.values.insert(name.to_owned(), binding);
        }
    }

    pub(super) fn bind_type(&mut self, name: &str, binding: Binding) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.types.insert(name.to_owned(), TypeName::Is(binding));
        }
    }

    pub(super) fn value_named(&self, name: &str) -> Option<Binding> {
        self.scopes.iter().rev().find_map(|scope| scope.values.get(name)).cloned()
    }

    pub(super) fn type_named(&self, name: &str) -> Option<TypeName> {
        self.scopes.iter().rev().find_map(|scope| scope.types.get(name)).cloned()
    }

    pub(super) fn steps(&self, path: &syn::Path) -> Vec<Step> {
        path.segments.iter().map(|segment| (plain(&segment.ident), self.at_span(segment.ident.span()))).collect()
    }

    /// A path as a value: `x`, `Type::make`, `crate::users::CONST`, `other_crate::f`.
    pub(super) fn path(&mut self, steps: &[Step]) -> ExprId {
        let Some(((first, span), rest)) = steps.split_first() else {
            let span = self.module.functions[0].span;
            return self.opaque("an empty path", Vec::new(), span);
        };
        if rest.is_empty() {
            let kind = match first.as_str() {
                "None" => ExprKind::Undefined,
                "NotSet" if self.is_stateful(steps) => ExprKind::Undefined,
                name => ExprKind::Name(self.value(name, *span)),
            };
            return self.add(kind, *span);
        }
        if let [.., (holder, _), (last, _)] = steps
            && matches!((holder.as_str(), last.as_str()), ("ActiveValue", "NotSet") | ("Option", "None"))
        {
            return self.add(ExprKind::Undefined, *span);
        }
        let (binding, taken) = self.root(steps);
        let mut at = self.add(ExprKind::Name(binding), *span);
        for (name, span) in steps.iter().skip(taken) {
            at = self.field(at, name.clone(), *span);
        }
        at
    }

    fn value(&mut self, name: &str, span: Span) -> Binding {
        if let Some(found) = self.value_named(name) {
            return found;
        }
        if let Some(TypeName::Is(binding)) = self.type_named(name) {
            return binding;
        }
        match (name, self.this) {
            ("Self", Some(class)) => Binding::Class(class),
            _ => self.undeclared(name, span),
        }
    }

    /// A name that nothing in the file declares: of the prelude, or from a `use x::*`.
    fn undeclared(&mut self, name: &str, span: Span) -> Binding {
        if !self.has_globs || PRELUDE.contains(&name) {
            return Binding::Global(name.to_owned());
        }
        Binding::Import(self.import("self".to_owned(), Imported::Named(name.to_owned()), span))
    }

    /// What the first steps of a path with several stand for, and how many they are.
    pub(super) fn root(&mut self, steps: &[Step]) -> (Binding, usize) {
        let Some((first, span)) = steps.first() else { return (Binding::Global(String::new()), 0) };
        let starts_upper = |name: &str| name.chars().next().is_some_and(char::is_uppercase);
        if let [_, (name, _), ..] = steps
            && first == "Self"
            && let Some(TypeName::Bound(Some(bound))) = self.type_named(&associated(name))
        {
            return (bound.binding, 2);
        }
        match (first.as_str(), self.this, self.type_named(first)) {
            ("Self", Some(class), _) => return (Binding::Class(class), 1),
            (_, _, Some(TypeName::Is(Binding::Import(id))))
                if steps.len() > 2 && !starts_upper(&steps[1].0) || steps.len() > 1 && self.is_inline(id) => {}
            (_, _, Some(TypeName::Is(binding))) => return (binding, 1),
            (_, _, Some(TypeName::Bound(Some(bound)))) => return (bound.binding, 1),
            (_, _, Some(TypeName::Bound(None))) => return (Binding::Global(first.clone()), 1),
            _ => {}
        }
        if starts_upper(first) || PRIMITIVES.contains(&first.as_str()) {
            return (self.undeclared(first, *span), 1);
        }
        // Up to the first type, or all of the path: `crate::models::User::find` imports `User` of `crate::models`.
        let last = steps.len() - 1;
        let taken = (1..last).find(|at| steps[*at].0.chars().next().is_some_and(char::is_uppercase)).unwrap_or(last);
        let names: Vec<&str> = steps[..taken].iter().map(|(name, _)| name.as_str()).collect();
        let module = self.used_module(&names);
        let what = Imported::Named(steps[taken].0.clone());
        (Binding::Import(self.import(module, what, *span)), taken + 1)
    }

    /// Whether an import stands for an inline module of the file.
    fn is_inline(&self, id: ImportId) -> bool {
        let import = &self.module.imports[id.at()];
        matches!(import.what, Imported::Namespace) && import.module.starts_with("self")
    }

    /// A module path as an import names it: from the crate's root, from this file, or from another crate.
    pub(super) fn specifier(&self, names: &[&str]) -> String {
        let (Some(first), inner) = (names.first(), self.at.len()) else { return "self".to_owned() };
        let rest = names.get(1..).unwrap_or_default();
        let below = |around: &[String], rest: &[&str]| {
            let parts: Vec<&str> =
                std::iter::once("self").chain(around.iter().map(String::as_str)).chain(rest.iter().copied()).collect();
            parts.join("::")
        };
        match *first {
            "self" => below(&self.at, rest),
            "super" if inner > 0 => {
                let ups = names.iter().take_while(|name| **name == "super").count();
                match inner.checked_sub(ups) {
                    Some(left) => below(&self.at[..left], &names[ups..]),
                    None => names[inner..].join("::"),
                }
            }
            _ => names.join("::"),
        }
    }

    pub(super) fn class_of_self(&self) -> Option<ClassId> {
        self.this
    }

    /// Declares a variable in the innermost scope.
    pub(super) fn declare(&mut self, name: &str, span: Span) -> LocalId {
        let id = self.local(name.to_owned(), span);
        self.bind_value(name, Binding::Local(id));
        id
    }
}

const PRIMITIVES: [&str; 10] = ["str", "u8", "u16", "u32", "u64", "i32", "i64", "usize", "char", "bool"];

/// `r#type` is `type`.
pub(super) fn plain(ident: &proc_macro2::Ident) -> String {
    let text = ident.to_string();
    match text.strip_prefix("r#") {
        Some(raw) => raw.to_owned(),
        None => text,
    }
}
