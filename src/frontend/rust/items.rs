//! Items: what a file or a block declares, and the bodies of it.

use syn::{Fields, ImplItem, Item, TraitItem, UseTree, Visibility};

use crate::frontend::rust::Lowering;
use crate::frontend::rust::paths::plain;
use crate::ir::{
    Binding, Class, ClassId, ClassKind, Export, FieldDecl, FunctionId, FunctionKind, Import, ImportId, Imported,
    TypeRef,
};
use crate::source::Span;

fn address<T>(item: &T) -> usize {
    std::ptr::from_ref(item) as usize
}

impl Lowering<'_> {
    /// Declares what items declare, before any of them is lowered.
    pub(super) fn hoist(&mut self, items: &[Item]) {
        for item in items {
            if let Item::Mod(module) = item
                && module.content.is_none()
            {
                let name = plain(&module.ident);
                let span = self.at_span(module.ident.span());
                let specifier = self.specifier(&["self", &name]);
                let id = self.import(specifier.clone(), Imported::Namespace, span);
                self.bind_type(&name, Binding::Import(id));
                let name = self.exported(&name);
                self.module.exports.push(Export::From { name, from: Imported::Namespace, module: specifier });
            }
        }
        for item in items {
            self.hoist_one(item);
        }
        self.hoist_expanded(items);
        // A module that is used here may have the name of a function here: who asks from outside means the function.
        self.module.exports.sort_by_key(|export| matches!(export, Export::Named { binding: Binding::Import(_), .. }));
    }

    fn exported(&self, name: &str) -> String {
        let mut full = self.at.join("::");
        if !full.is_empty() {
            full.push_str("::");
        }
        full.push_str(name);
        full
    }

    /// Items in function bodies are nobody else's.
    pub(super) fn export(&mut self, name: &str, binding: Binding) {
        if self.function == FunctionId(0) {
            let name = self.exported(name);
            self.module.exports.push(Export::Named { name, binding });
        }
    }

    fn hoist_one(&mut self, item: &Item) {
        match item {
            Item::Fn(function) => {
                let name = plain(&function.sig.ident);
                let id = self.new_function(&name, FunctionKind::Free, &function.sig.ident, address(function));
                if self.function != FunctionId(0) {
                    self.module.functions[id.at()].parent = Some(self.function);
                }
                self.bind_value(&name, Binding::Function(id));
                self.export(&name, Binding::Function(id));
            }
            Item::Struct(item) => {
                self.hoist_class(&item.ident, ClassKind::Class, address(item));
                if let Some(id) = self.classes.get(&address(item)).copied() {
                    self.hoist_derived(item, id);
                }
            }
            Item::Enum(item) => self.hoist_class(&item.ident, ClassKind::Enum, address(item)),
            Item::Union(item) => self.hoist_class(&item.ident, ClassKind::Class, address(item)),
            Item::Trait(item) => self.hoist_class(&item.ident, ClassKind::Interface, address(item)),
            Item::Type(item) => self.hoist_class(&item.ident, ClassKind::Alias, address(item)),
            Item::Const(item) => self.hoist_variable(&item.ident),
            Item::Static(item) => self.hoist_variable(&item.ident),
            Item::Use(item) => {
                let is_public = !matches!(item.vis, Visibility::Inherited);
                self.hoist_use(&item.tree, &mut Vec::new(), is_public);
            }
            // `use crate::diesel::update` elsewhere in the crate.
            Item::ExternCrate(item) => {
                let (name, span) = (plain(&item.ident), self.at_span(item.ident.span()));
                let local = item.rename.as_ref().map_or_else(|| name.clone(), |(_, local)| plain(local));
                let id = self.import(name.clone(), Imported::Namespace, span);
                self.export(&local, Binding::Import(id));
                if local != name {
                    self.bind_type(&local, Binding::Import(id));
                }
            }
            Item::Mod(module) => {
                let Some((_, items)) = &module.content else { return };
                let name = plain(&module.ident);
                let span = self.at_span(module.ident.span());
                self.at.push(name.clone());
                self.scopes.push(crate::frontend::rust::paths::Scope::default());
                self.deeper(span, |this| this.hoist(items));
                let scope = self.scopes.pop().unwrap_or_default();
                self.inline.insert(self.at.join("::"), scope);
                let specifier = self.specifier(&["self"]);
                self.at.pop();
                let id = self.import(specifier, Imported::Namespace, span);
                self.bind_type(&name, Binding::Import(id));
            }
            Item::Macro(item) => {
                // A definition declares nothing by itself.
                if item.ident.is_some() {
                } else if item.mac.path.segments.last().is_some_and(|segment| segment.ident == "table") {
                    self.hoist_table(item.mac.tokens.clone());
                } else {
                    self.hoist_macro(&item.mac);
                }
            }
            _ => {}
        }
    }

    fn hoist_class(&mut self, ident: &proc_macro2::Ident, kind: ClassKind, key: usize) {
        let name = plain(ident);
        let span = self.at_span(ident.span());
        let id = self.new_class(&name, kind, span);
        self.classes.insert(key, id);
        self.bind_type(&name, Binding::Class(id));
        self.export(&name, Binding::Class(id));
    }

    pub(super) fn new_class(&mut self, name: &str, kind: ClassKind, span: Span) -> ClassId {
        self.module.classes.push(Class {
            name: name.to_owned(),
            kind,
            span,
            name_span: span,
            type_params: Vec::new(),
            extends: Vec::new(),
            extends_call: None,
            implements: Vec::new(),
            decorators: Vec::new(),
            fields: Vec::new(),
            methods: Vec::new(),
            open: false,
        });
        ClassId::of(self.module.classes.len() - 1)
    }

    fn hoist_variable(&mut self, ident: &proc_macro2::Ident) {
        let name = plain(ident);
        let span = self.at_span(ident.span());
        let id = self.declare(&name, span);
        self.export(&name, Binding::Local(id));
    }

    fn hoist_use(&mut self, tree: &UseTree, path: &mut Vec<String>, is_public: bool) {
        match tree {
            UseTree::Path(inner) => {
                path.push(plain(&inner.ident));
                self.hoist_use(&inner.tree, path, is_public);
                path.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.hoist_use(tree, path, is_public);
                }
            }
            UseTree::Name(name) if name.ident == "self" => {
                let Some(last) = path.pop() else { return };
                self.used(path, &last, &last, self.at_span(name.ident.span()));
                path.push(last);
            }
            UseTree::Name(name) => {
                let text = plain(&name.ident);
                self.used(path, &text, &text, self.at_span(name.ident.span()));
            }
            UseTree::Rename(rename) if rename.ident == "self" => {
                let Some(last) = path.pop() else { return };
                self.used(path, &last, &plain(&rename.rename), self.at_span(rename.rename.span()));
                path.push(last);
            }
            UseTree::Rename(rename) => {
                self.used(path, &plain(&rename.ident), &plain(&rename.rename), self.at_span(rename.ident.span()));
            }
            UseTree::Glob(_) => {
                let names: Vec<&str> = path.iter().map(String::as_str).collect();
                let module = self.used_module(&names);
                // `use super::*` in an inline module: what is around is seen anyway.
                if module != "self" && !module.is_empty() {
                    self.has_globs = true;
                    // What is private is no export, but the names of this file are looked up there.
                    self.module.exports.push(if is_public {
                        Export::All { module }
                    } else {
                        Export::From { name: "*".to_owned(), from: Imported::Namespace, module }
                    });
                }
            }
        }
    }

    /// The module of a `use`; a path may start with a module that the file declares.
    pub(super) fn used_module(&self, names: &[&str]) -> String {
        match names.first() {
            Some(first) if !["crate", "self", "super"].contains(first) => match self.type_named(first) {
                Some(crate::frontend::rust::paths::TypeName::Is(Binding::Import(id))) => {
                    let import = &self.module.imports[id.at()];
                    let start = match &import.what {
                        Imported::Namespace => import.module.clone(),
                        Imported::Named(name) => format!("{}::{name}", import.module),
                        Imported::Default => return names.join("::"),
                    };
                    std::iter::once(start.as_str()).chain(names[1..].iter().copied()).collect::<Vec<_>>().join("::")
                }
                _ => names.join("::"),
            },
            Some(_) => self.specifier(names),
            None => String::new(),
        }
    }

    fn used(&mut self, path: &[String], name: &str, local: &str, span: Span) {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        let (module, what) = if names.is_empty() {
            (self.used_module(&[name]), Imported::Namespace)
        } else {
            (self.used_module(&names), Imported::Named(name.to_owned()))
        };
        self.module.imports.push(Import { local: local.to_owned(), module, what, span });
        let id = ImportId::of(self.module.imports.len() - 1);
        if local == "_" {
            return;
        }
        self.bind_value(local, Binding::Import(id));
        self.bind_type(local, Binding::Import(id));
        // Visible to the modules below, and to `use self::*` of those that ask this file.
        self.export(local, Binding::Import(id));
    }

    /// Lowers the bodies of items that were hoisted.
    pub(super) fn items(&mut self, items: &[Item]) {
        for item in items {
            self.item(item);
        }
        self.decorate_expanded(items);
    }

    pub(super) fn class_at(&self, item: &syn::ItemStruct) -> Option<ClassId> {
        self.classes.get(&address(item)).copied()
    }

    /// In place of what was exported under the name.
    pub(super) fn export_in_place(&mut self, name: &str, binding: Binding) {
        let full = self.exported(name);
        self.module.exports.retain(|export| !matches!(export, Export::Named { name, .. } if *name == full));
        self.export(name, binding);
    }

    pub(super) fn item(&mut self, item: &Item) {
        match item {
            Item::Fn(function) => {
                let Some(id) = self.functions.get(&address(function)).copied() else { return };
                self.function(id, &function.attrs, &function.sig, Some(&function.block));
            }
            Item::Struct(item) => {
                let Some(id) = self.classes.get(&address(item)).copied() else { return };
                self.scopes.push(crate::frontend::rust::paths::Scope::default());
                self.module.classes[id.at()].type_params = self.generics(&item.generics);
                let fields = self.fields(&item.fields);
                self.scopes.pop();
                let decorators = self.attributes(&item.attrs);
                let class = &mut self.module.classes[id.at()];
                class.fields.extend(fields);
                class.decorators = decorators;
            }
            Item::Enum(item) => {
                let Some(id) = self.classes.get(&address(item)).copied() else { return };
                let fields: Vec<FieldDecl> = item
                    .variants
                    .iter()
                    .map(|variant| FieldDecl {
                        name: plain(&variant.ident),
                        ty: None,
                        init: None,
                        is_static: true,
                        optional: false,
                        decorators: Vec::new(),
                        span: self.at_span(variant.ident.span()),
                        type_span: self.at_span(variant.ident.span()),
                    })
                    .collect();
                self.module.classes[id.at()].fields.extend(fields);
                self.name_variants(item, id);
            }
            Item::Trait(item) => self.trait_item(item),
            Item::Impl(item) => self.impl_item(item),
            Item::Type(item) => {
                let Some(id) = self.classes.get(&address(item)).copied() else { return };
                self.scopes.push(crate::frontend::rust::paths::Scope::default());
                let params = self.generics(&item.generics);
                let target = self.ty(&item.ty);
                self.scopes.pop();
                let class = &mut self.module.classes[id.at()];
                class.type_params = params;
                class.extends.extend(target);
            }
            Item::Const(item) => self.variable(&item.ident, &item.ty, &item.expr),
            Item::Static(item) => self.variable(&item.ident, &item.ty, &item.expr),
            Item::Mod(module) => self.inline_module(module),
            Item::Macro(item) => self.item_macro(&item.mac),
            _ => {}
        }
    }

    fn variable(&mut self, ident: &proc_macro2::Ident, ty: &syn::Type, value: &syn::Expr) {
        let Some(Binding::Local(local)) = self.value_named(&plain(ident)) else { return };
        let span = self.at_span(ident.span());
        let ty = self.ty(ty);
        if let Some(slot) = self.module.locals.get_mut(local.at()) {
            slot.ty = ty;
        }
        let value = self.expr(value);
        self.assign(local, value, span);
    }

    fn inline_module(&mut self, module: &syn::ItemMod) {
        let Some((_, items)) = &module.content else { return };
        let span = self.at_span(module.ident.span());
        self.at.push(plain(&module.ident));
        let scope = self.inline.remove(&self.at.join("::")).unwrap_or_default();
        self.scopes.push(scope);
        let tests = usize::from(crate::frontend::rust::attributes::is_for_tests(&module.attrs));
        self.tests += tests;
        self.deeper(span, |this| this.items(items));
        self.tests -= tests;
        self.scopes.pop();
        self.at.pop();
    }

    fn fields(&mut self, fields: &Fields) -> Vec<FieldDecl> {
        let mut found = Vec::new();
        for (at, field) in fields.iter().enumerate() {
            let (name, span) = match &field.ident {
                Some(ident) => (plain(ident), self.at_span(ident.span())),
                None => (at.to_string(), self.span(&field.ty)),
            };
            let decorators = self.attributes(&field.attrs);
            found.push(FieldDecl {
                name,
                ty: self.ty(&field.ty),
                init: self.default_of(&decorators),
                is_static: false,
                optional: false,
                decorators,
                span,
                type_span: self.span(&field.ty),
            });
        }
        found
    }

    fn trait_item(&mut self, item: &syn::ItemTrait) {
        let Some(id) = self.classes.get(&address(item)).copied() else { return };
        let before = self.this.replace(id);
        self.scopes.push(crate::frontend::rust::paths::Scope::default());
        self.module.classes[id.at()].type_params = self.generics(&item.generics);
        for bound in &item.supertraits {
            let base = self.bound(std::iter::once(bound));
            self.module.classes[id.at()].extends.extend(base);
        }
        for member in &item.items {
            let TraitItem::Fn(function) = member else { continue };
            let kind = if function.default.is_some() { FunctionKind::Method } else { FunctionKind::Signature };
            let name = plain(&function.sig.ident);
            let method = self.new_function(&name, kind, &function.sig.ident, address(function));
            self.module.functions[method.at()].class = Some(id);
            self.module.classes[id.at()].methods.push(method);
        }
        for member in &item.items {
            let TraitItem::Fn(function) = member else { continue };
            let Some(method) = self.functions.get(&address(function)).copied() else { continue };
            self.function(method, &function.attrs, &function.sig, function.default.as_ref());
        }
        self.scopes.pop();
        self.this = before;
    }

    fn impl_item(&mut self, item: &syn::ItemImpl) {
        self.scopes.push(crate::frontend::rust::paths::Scope::default());
        self.generics(&item.generics);
        if let Some(id) = self.implemented(item) {
            let before = self.this.replace(id);
            if let Some((_, path, _)) = &item.trait_ {
                let of = self.trait_type(path);
                self.module.classes[id.at()].implements.extend(of);
            }
            let tests = usize::from(crate::frontend::rust::attributes::is_for_tests(&item.attrs));
            self.tests += tests;
            self.associated(&item.items);
            self.members(id, &item.items);
            self.tests -= tests;
            self.this = before;
        }
        self.scopes.pop();
    }

    /// `type UpdateForm = UserUpdateForm;`: what `Self::UpdateForm` is in the functions of the `impl`.
    fn associated(&mut self, members: &[ImplItem]) {
        for member in members {
            let ImplItem::Type(alias) = member else { continue };
            let ty = self.ty(&alias.ty);
            self.bind_bound(&crate::frontend::rust::paths::associated(&alias.ident.to_string()), ty);
        }
    }

    /// The class that an `impl` is for: that of the file, or one that extends the type of another file.
    fn implemented(&mut self, item: &syn::ItemImpl) -> Option<ClassId> {
        let ty: TypeRef = self.ty(&item.self_ty)?;
        if let Binding::Class(id) = ty.binding {
            return Some(id);
        }
        let name = ty.name.rsplit('.').next().unwrap_or(&ty.name).to_owned();
        if let Some(known) = self.extensions.get(&name) {
            return Some(*known);
        }
        let id = self.new_class(&name, ClassKind::Class, ty.span);
        self.module.classes[id.at()].extends.push(ty);
        self.extensions.insert(name, id);
        Some(id)
    }

    fn members(&mut self, id: ClassId, members: &[ImplItem]) {
        let made = self.made_by_macros(members);
        let members: Vec<&ImplItem> = members.iter().chain(&made).collect();
        for member in members.iter().copied() {
            let ImplItem::Fn(function) = member else { continue };
            let name = plain(&function.sig.ident);
            let method = self.new_function(&name, FunctionKind::Method, &function.sig.ident, address(function));
            self.module.functions[method.at()].class = Some(id);
            self.module.classes[id.at()].methods.push(method);
        }
        for member in members {
            match member {
                ImplItem::Fn(function) => {
                    let Some(method) = self.functions.get(&address(function)).copied() else { continue };
                    self.function(method, &function.attrs, &function.sig, Some(&function.block));
                }
                ImplItem::Const(constant) => {
                    let value = self.expr(&constant.expr);
                    let field = FieldDecl {
                        name: plain(&constant.ident),
                        ty: self.ty(&constant.ty),
                        init: Some(value),
                        is_static: true,
                        optional: false,
                        decorators: Vec::new(),
                        span: self.at_span(constant.ident.span()),
                        type_span: self.span(&constant.ty),
                    };
                    self.module.classes[id.at()].fields.push(field);
                }
                _ => {}
            }
        }
    }

    fn new_function(&mut self, name: &str, kind: FunctionKind, ident: &proc_macro2::Ident, key: usize) -> FunctionId {
        let span = self.at_span(ident.span());
        let id = self.add_function(name, kind, span);
        self.functions.insert(key, id);
        id
    }
}
