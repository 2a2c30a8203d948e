//! Calls of functions; those that only wrap a value are the value.

use syn::{Expr, ExprCall, GenericArgument, PathArguments};

use crate::frontend::rust::Lowering;
use crate::frontend::rust::methods::is_repeat;
use crate::frontend::rust::statements::is_error;
use crate::ir::{Arg, Binding, Call, Entry, ExprId, ExprKind, Item, Missing, Stmt, TypeRef};
use crate::source::Span;

/// Types of the standard library whose constructors hold what they are given.
const HOLDERS: [&str; 21] = [
    "Box",
    "Arc",
    "Rc",
    "Pin",
    "Cow",
    "String",
    "Some",
    "Cell",
    "RefCell",
    "Mutex",
    "RwLock",
    "Wrapping",
    "PathBuf",
    "Reverse",
    "OsString",
    "Weak",
    "Option",
    "Result",
    "Vec",
    "Cursor",
    "ControlFlow",
];
const MAKERS: [&str; 9] = ["new", "from", "pin", "Owned", "Borrowed", "clone", "Some", "Ok", "Continue"];

/// The block of a future, alone or in what only holds it: `Box::pin(async move { .. })`.
pub(super) fn future(expr: &Expr) -> Option<&syn::Block> {
    let mut at = expr;
    loop {
        at = match at {
            Expr::Async(block) => return Some(&block.block),
            Expr::Paren(inner) => &inner.expr,
            Expr::Call(call) if call.args.len() == 1 && is_holder(&call.func) => call.args.first()?,
            Expr::MethodCall(call) if call.args.is_empty() && is_boxing(&call.method) => &call.receiver,
            _ => return None,
        }
    }
}

/// `Box::pin`
fn is_holder(function: &Expr) -> bool {
    let Expr::Path(path) = function else { return false };
    let mut names = path.path.segments.iter().rev().map(|segment| segment.ident.to_string());
    let maker = names.next().is_some_and(|name| MAKERS.contains(&name.as_str()));
    maker && names.next().is_some_and(|name| HOLDERS.contains(&name.as_str()))
}

/// <https://docs.rs/futures/latest/futures/future/trait.FutureExt.html#method.boxed>
fn is_boxing(method: &syn::Ident) -> bool {
    method == "boxed" || method == "boxed_local"
}

impl Lowering<'_> {
    pub(super) fn call(&mut self, call: &ExprCall, span: Span) -> ExprId {
        if is_error(call) {
            let args = self.all(&call.args);
            return self.opaque("an error", args, span);
        }
        let Expr::Path(path) = &*call.func else {
            let callee = self.expr(&call.func);
            let args = self.all(&call.args);
            return self.call_of(callee, args, Vec::new(), span);
        };
        if let (true, Some(function)) = (is_repeat(call), call.args.first()) {
            let each = self.made_by(function, &[], span);
            return self.add(ExprKind::Array(vec![Item::Each(each)]), span);
        }
        let steps = self.steps(&path.path);
        let names: Vec<&str> = steps.iter().map(|(name, _)| name.as_str()).collect();
        let given: Vec<&Expr> = call.args.iter().collect();
        if let [.., "mem", name] = names.as_slice()
            && let Some(old) = self.changed_by_function(name, &given, span)
        {
            return old;
        }
        match (names.as_slice(), call.args.first()) {
            // What is there and holds nothing: NULL, where a bare `None` leaves a column out.
            (["Some"], Some(Expr::Path(inner))) if inner.path.is_ident("None") => {
                return self.add(ExprKind::Null, span);
            }
            ([.., holder, maker], Some(only))
                if call.args.len() == 1 && HOLDERS.contains(holder) && MAKERS.contains(maker) =>
            {
                return self.expr(only);
            }
            // A stateful value of a row: what is set to nothing is NULL, what is unchanged is not written.
            (["Set"] | [.., "ActiveValue", "Set" | "set"], Some(only)) if self.is_stateful(&steps) => {
                let left = self.expr(only);
                if is_some(only) {
                    return left;
                }
                let right = self.add(ExprKind::Null, span);
                return self.add(ExprKind::Fallback { left, right, when: Missing::Undefined }, span);
            }
            (["Unchanged"] | [.., "ActiveValue", "Unchanged" | "unchanged"], Some(only))
                if self.is_stateful(&steps) =>
            {
                let value = self.expr(only);
                self.out.push(Stmt::Expr(value));
                return self.add(ExprKind::Undefined, span);
            }
            ([.., "Option", "default"], None) => return self.add(ExprKind::Undefined, span),
            (["String", "new" | "default"], None) | (["String", "with_capacity"], Some(_)) => {
                return self.add(ExprKind::Text(String::new()), span);
            }
            (["Vec", "new"], None) | (["Vec", "with_capacity"], Some(_)) => {
                return self.add(ExprKind::Array(Vec::new()), span);
            }
            (["Some" | "Ok"] | [.., "mem", "take" | "replace"], Some(only))
            | (["String", "from"], Some(only @ Expr::Lit(_))) => return self.expr(only),
            // `LazyLock::new(|| value)` is what the closure makes.
            ([.., "LazyLock" | "Lazy" | "LazyCell", "new"], Some(only)) if call.args.len() == 1 => {
                let callee = self.expr(only);
                return self.call_of(callee, Vec::new(), Vec::new(), span);
            }
            _ => {}
        }
        let callee = self.expr(&call.func);
        let type_args = path.path.segments.last().map_or_else(Vec::new, |last| self.type_arguments(&last.arguments));
        let args = self.all(&call.args);
        let makes = names.last().and_then(|name| name.chars().next()).is_some_and(char::is_uppercase);
        // `HttpResponse::Ok()` is a function, whatever it is called: of nothing no variant is made.
        if !makes || args.is_empty() || names.last().is_some_and(|name| *name == name.to_uppercase() && name.len() > 1)
        {
            return self.call_of(callee, args, type_args, span);
        }
        // A tuple struct or variant.
        let args = if args.len() == 1 {
            args
        } else {
            let entry = |(at, value)| Entry::Named { key: usize::to_string(&at), key_span: span, value };
            let entries = args.into_iter().enumerate().map(entry).collect();
            return self.add(ExprKind::Object(entries), span);
        };
        let args = args.into_iter().map(|value| Arg { value, spread: false }).collect();
        self.add(ExprKind::Call(Call { callee, args, is_new: true, type_args }), span)
    }

    /// Whether nothing of the file's own goes by the name: it is that of `sea_orm`, whose `ActiveValue` tells what a statement mentions.
    pub(super) fn is_stateful(&self, steps: &[crate::frontend::rust::paths::Step]) -> bool {
        let Some((first, _)) = steps.first() else { return false };
        match self.type_named(first) {
            None => true,
            Some(crate::frontend::rust::paths::TypeName::Is(Binding::Import(id))) => {
                let import = self.module.imports.get(id.at());
                import.is_some_and(|import| import.module.starts_with("sea_orm"))
            }
            Some(_) => false,
        }
    }

    pub(super) fn call_of(&mut self, callee: ExprId, args: Vec<ExprId>, type_args: Vec<TypeRef>, span: Span) -> ExprId {
        let args = args.into_iter().map(|value| Arg { value, spread: false }).collect();
        self.add(ExprKind::Call(Call { callee, args, is_new: false, type_args }), span)
    }

    pub(super) fn type_arguments(&mut self, arguments: &PathArguments) -> Vec<TypeRef> {
        let PathArguments::AngleBracketed(arguments) = arguments else { return Vec::new() };
        self.types_of(arguments)
    }

    pub(super) fn types_of(&mut self, arguments: &syn::AngleBracketedGenericArguments) -> Vec<TypeRef> {
        arguments
            .args
            .iter()
            .filter_map(|arg| match arg {
                GenericArgument::Type(ty) => self.ty(ty),
                _ => None,
            })
            .collect()
    }
}

/// `Some(x)`: never NULL, whatever `x` is.
fn is_some(value: &Expr) -> bool {
    let Expr::Call(call) = value else { return false };
    let is_none = |arg: &Expr| matches!(arg, Expr::Path(path) if path.path.is_ident("None"));
    matches!(&*call.func, Expr::Path(path) if path.path.is_ident("Some")) && !call.args.iter().any(is_none)
}
