//! Types as written, reduced to what resolves receivers.

use syn::{GenericArgument, GenericParam, Generics, PathArguments, ReturnType, Type, TypeParamBound};

use crate::frontend::rust::Lowering;
use crate::frontend::rust::paths::{TypeName, associated};
use crate::ir::{Binding, TypeRef};
use crate::source::Span;

/// A value of such a type is used as what it holds.
const WRAPPERS: [&str; 21] = [
    "Option",
    "Result",
    "Box",
    "Arc",
    "Rc",
    "Pin",
    "Mutex",
    "RwLock",
    "RefCell",
    "Cell",
    "Ref",
    "RefMut",
    "MutexGuard",
    "RwLockReadGuard",
    "RwLockWriteGuard",
    "Weak",
    "OnceCell",
    "OnceLock",
    "LazyLock",
    "Lazy",
    "Cow",
];
const LISTS: [&str; 8] = ["Vec", "HashSet", "BTreeSet", "VecDeque", "IndexSet", "SmallVec", "Iter", "IntoIter"];

impl Lowering<'_> {
    /// `None`: nothing that names a class.
    pub(super) fn ty(&mut self, ty: &Type) -> Option<TypeRef> {
        let span = match ty {
            Type::Path(path) => self.at_span(path.path.segments.first()?.ident.span()),
            _ => self.module.functions[0].span,
        };
        self.deeper(span, |this| this.ty_at(ty, span)).flatten()
    }

    fn ty_at(&mut self, ty: &Type, span: Span) -> Option<TypeRef> {
        match ty {
            Type::Reference(inner) => self.ty(&inner.elem),
            Type::Paren(inner) => self.ty(&inner.elem),
            Type::Group(inner) => self.ty(&inner.elem),
            Type::Ptr(inner) => self.ty(&inner.elem),
            Type::Slice(inner) => self.ty(&inner.elem).map(|inner| list(inner, span)),
            Type::Array(inner) => self.ty(&inner.elem).map(|inner| list(inner, span)),
            Type::Tuple(tuple) if !tuple.elems.is_empty() => {
                let unknown =
                    TypeRef { name: "_".into(), binding: Binding::Global("any".into()), args: Vec::new(), span };
                let unknown = TypeRef { name: "any".into(), ..unknown };
                let args = tuple.elems.iter().map(|ty| self.ty(ty).unwrap_or_else(|| unknown.clone())).collect();
                Some(TypeRef { name: "[,]".into(), binding: Binding::Global("[,]".into()), args, span })
            }
            Type::TraitObject(object) => self.bound(object.bounds.iter()),
            Type::ImplTrait(object) => self.bound(object.bounds.iter()),
            Type::Path(path) => self.ty_path(&path.path, span),
            _ => None,
        }
    }

    fn ty_path(&mut self, path: &syn::Path, span: Span) -> Option<TypeRef> {
        let last = path.segments.last()?;
        let name = last.ident.to_string();
        let arguments: Vec<&Type> = match &last.arguments {
            PathArguments::AngleBracketed(inner) => inner
                .args
                .iter()
                .filter_map(|arg| match arg {
                    GenericArgument::Type(ty) => Some(ty),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        };
        // `ApiResult<T>` and the like are aliases of `Result` with the error filled in.
        let wraps = WRAPPERS.contains(&name.as_str()) || (name.ends_with("Result") && name.len() > "Result".len());
        if let (true, Some(first)) = (wraps, arguments.first()) {
            return self.ty(first);
        }
        if let (true, Some(first)) = (LISTS.contains(&name.as_str()), arguments.first()) {
            return self.ty(first).map(|inner| list(inner, span));
        }
        let steps = self.steps(path);
        if let [(first, _), (name, _)] = steps.as_slice()
            && first == "Self"
            && self.this.is_some()
        {
            return match self.type_named(&associated(name)) {
                Some(TypeName::Bound(bound)) => bound,
                _ => None,
            };
        }
        let (binding, name) = if let [(only, _)] = steps.as_slice() {
            match (only.as_str(), self.class_of_self(), self.type_named(only)) {
                ("Self", Some(class), _) => (Binding::Class(class), only.clone()),
                (_, _, Some(TypeName::Is(binding))) => (binding, only.clone()),
                (_, _, Some(TypeName::Bound(bound))) => return bound,
                _ => match self.path_binding(&steps) {
                    Binding::Global(name) => (Binding::Global(name.clone()), name),
                    binding => (binding, only.clone()),
                },
            }
        } else {
            let (binding, taken) = self.root(&steps);
            let mut name = steps.get(taken.saturating_sub(1)).map_or_else(String::new, |(name, _)| name.clone());
            for (step, _) in steps.iter().skip(taken) {
                name.push('.');
                name.push_str(step);
            }
            (binding, name)
        };
        let args = arguments.into_iter().filter_map(|ty| self.ty(ty)).collect();
        Some(TypeRef { name, binding, args, span })
    }

    fn path_binding(&mut self, steps: &[(String, Span)]) -> Binding {
        let id = self.path(steps);
        match self.kind(id) {
            crate::ir::ExprKind::Name(binding) => binding.clone(),
            _ => Binding::Global(steps.last().map_or_else(String::new, |(name, _)| name.clone())),
        }
    }

    /// The first bound that is a trait with methods of its own; of a future what it yields.
    pub(super) fn bound<'b>(&mut self, bounds: impl Iterator<Item = &'b TypeParamBound>) -> Option<TypeRef> {
        const MARKERS: [&str; 9] = ["Send", "Sync", "Sized", "Clone", "Copy", "Debug", "Unpin", "Default", "Display"];
        for bound in bounds {
            let TypeParamBound::Trait(bound) = bound else { continue };
            let Some(last) = bound.path.segments.last() else { continue };
            let name = last.ident.to_string();
            if MARKERS.contains(&name.as_str()) || name.starts_with("Fn") {
                continue;
            }
            let PathArguments::AngleBracketed(arguments) = &last.arguments else {
                return self.trait_type(&bound.path);
            };
            let output = arguments.args.iter().find_map(|arg| match arg {
                GenericArgument::AssocType(ty) if ty.ident == "Output" || ty.ident == "Item" => {
                    Some((&ty.ident, &ty.ty))
                }
                _ => None,
            });
            return match output {
                Some((name, ty)) if name == "Item" => {
                    let inner = self.ty(ty)?;
                    let span = inner.span;
                    Some(list(inner, span))
                }
                Some((_, ty)) => self.ty(ty),
                // `Into<T>`, `AsRef<T>`, `Borrow<T>`
                None => match (name.as_str(), arguments.args.first()) {
                    ("Into" | "AsRef" | "Borrow" | "AsMut", Some(GenericArgument::Type(ty))) => self.ty(ty),
                    _ => self.trait_type(&bound.path),
                },
            };
        }
        None
    }

    pub(super) fn trait_type(&mut self, path: &syn::Path) -> Option<TypeRef> {
        let span = self.at_span(path.segments.first()?.ident.span());
        self.ty_path(path, span)
    }

    /// Declares type parameters in the innermost scope, each as its bound.
    pub(super) fn generics(&mut self, generics: &Generics) -> Vec<String> {
        let mut names = Vec::new();
        for param in &generics.params {
            let GenericParam::Type(param) = param else { continue };
            let bound = self.bound(param.bounds.iter());
            names.push(param.ident.to_string());
            self.bind_bound(&param.ident.to_string(), bound);
        }
        for predicate in generics.where_clause.iter().flat_map(|clause| &clause.predicates) {
            let syn::WherePredicate::Type(predicate) = predicate else { continue };
            let Type::Path(path) = &predicate.bounded_ty else { continue };
            let Some(name) = path.path.get_ident().map(ToString::to_string) else { continue };
            let bound = self.bound(predicate.bounds.iter());
            if bound.is_some() && names.contains(&name) {
                self.bind_bound(&name, bound);
            }
        }
        names
    }

    pub(super) fn bind_bound(&mut self, name: &str, bound: Option<TypeRef>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.types.insert(name.to_owned(), TypeName::Bound(bound));
        }
    }

    pub(super) fn returned(&mut self, output: &ReturnType) -> Option<TypeRef> {
        match output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => self.ty(ty),
        }
    }
}

fn list(inner: TypeRef, span: Span) -> TypeRef {
    TypeRef { name: "Array".into(), binding: Binding::Global("Array".into()), args: vec![inner], span }
}
