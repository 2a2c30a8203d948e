//! Method calls. Those of the standard library that hand the value on, or choose between values, say so in the program.

use syn::{Expr, ExprMethodCall};

use crate::frontend::rust::Lowering;
use crate::frontend::rust::paths::Scope;
use crate::ir::{Binding, ExprId, ExprKind, Item, Missing};
use crate::source::Span;

/// Without arguments, the receiver itself: borrows, copies, conversions, what is inside, an iterator over it.
const SAME: [&str; 48] = [
    "clone",
    "cloned",
    "copied",
    "to_string",
    "to_owned",
    "into",
    "try_into",
    "as_ref",
    "as_mut",
    "as_deref",
    "as_deref_mut",
    "as_str",
    "as_bytes",
    "as_slice",
    "as_mut_slice",
    "unwrap",
    "ok",
    "borrow",
    "borrow_mut",
    "lock",
    "read",
    "write",
    "to_vec",
    "into_inner",
    "into_string",
    "into_boxed_str",
    "deref",
    "deref_mut",
    "into_owned",
    "to_str",
    "as_mut_str",
    "into_bytes",
    "collect",
    "iter",
    "iter_mut",
    "into_iter",
    "flatten",
    "unwrap_unchecked",
    "boxed",
    "into_future",
    "fuse",
    "peekable",
    "rev",
    "take",
    "shrink_to_fit",
    "to_string_lossy",
    "by_ref",
    "as_mut_ref",
];
/// With arguments that only speak of failure or of logging.
const SAME_BUT: [&str; 12] = [
    "expect",
    "context",
    "with_context",
    "map_err",
    "ok_or",
    "ok_or_else",
    "inspect",
    "inspect_err",
    "wrap_err",
    "wrap_err_with",
    "or_raise",
    "unwrap_or_log",
];
/// What starts or continues an iterator, so that `map` maps elements.
const ITERATES: [&str; 17] = [
    "sample_iter",
    "iter",
    "iter_mut",
    "into_iter",
    "drain",
    "chars",
    "bytes",
    "keys",
    "values",
    "lines",
    "split",
    "enumerate",
    "filter",
    "rev",
    "skip",
    "chain",
    "zip",
];

impl Lowering<'_> {
    pub(super) fn method_call(&mut self, call: &ExprMethodCall, span: Span) -> ExprId {
        let name = call.method.to_string();
        let receiver = self.expr(&call.receiver);
        if let Some(value) = self.known_method(call, &name, receiver, span) {
            return value;
        }
        let name_span = self.at_span(call.method.span());
        let callee_span = Span { start: span.start, ..name_span };
        let name = name.strip_prefix("r#").unwrap_or(&name).to_owned();
        if matches!((name.as_str(), call.args.len()), ("insert" | "replace", 1) | ("clear", 0)) {
            self.module.lent.insert(receiver);
        }
        let callee = self.add(ExprKind::Field { base: receiver, name, name_span }, callee_span);
        let type_args = call.turbofish.as_ref().map_or_else(Vec::new, |types| self.types_of(types));
        let args = self.all(&call.args);
        self.call_of(callee, args, type_args, span)
    }

    fn known_method(&mut self, call: &ExprMethodCall, name: &str, receiver: ExprId, span: Span) -> Option<ExprId> {
        let args: Vec<&Expr> = call.args.iter().collect();
        match (name, args.as_slice()) {
            ("take" | "get_or_insert" | "get_or_insert_with" | "push_str", _)
                if let Some(value) = self.changed_by_method(call, name, receiver, span) =>
            {
                Some(value)
            }
            (name, []) if SAME.contains(&name) => Some(receiver),
            ("push" | "push_str" | "extend" | "extend_from_slice" | "append" | "push_back", [item]) => {
                self.grow(receiver, item, name == "push" || name == "push_back", span)
            }
            ("copy_from_slice" | "clone_from_slice", [item]) => self.filled(receiver, item, span),
            (name, args) if SAME_BUT.contains(&name) && !args.is_empty() => {
                for arg in args {
                    // Runs on failure only, and is no part of the value.
                    let value = self.expr(arg);
                    self.out.push(crate::ir::Stmt::Expr(value));
                }
                Some(receiver)
            }
            ("unwrap_or" | "or" | "get_or_insert", [other]) => {
                let right = self.expr(other);
                Some(self.add(ExprKind::Fallback { left: receiver, right, when: Missing::Nullish }, span))
            }
            ("unwrap_or_else" | "or_else" | "get_or_insert_with", [other]) => {
                let right = self.made_by(other, &[], span);
                Some(self.add(ExprKind::Fallback { left: receiver, right, when: Missing::Nullish }, span))
            }
            ("unwrap_or_default", []) => {
                let right = self.add(ExprKind::Text(String::new()), span);
                Some(self.add(ExprKind::Fallback { left: receiver, right, when: Missing::Nullish }, span))
            }
            // The first, the last, every nth: still these elements.
            ("is_some", [])
            | ("take" | "skip" | "step_by" | "chunks" | "windows" | "skip_while" | "take_while", [_]) => Some(receiver),
            ("is_none" | "is_empty", []) => Some(self.add(ExprKind::Not(receiver), span)),
            ("is_ok" | "is_err", []) => {
                self.out.push(crate::ir::Stmt::Expr(receiver));
                Some(self.opaque("whether it succeeded", Vec::new(), span))
            }
            ("map" | "and_then", [function]) if !iterates(&call.receiver) => {
                let left = self.stable(receiver);
                let right = self.made_by(function, &[left], span);
                Some(self.add(ExprKind::And { left, right }, span))
            }
            ("map" | "filter_map" | "flat_map" | "then", [function]) if iterates(&call.receiver) => {
                let list = self.stable(receiver);
                let element = self.add(ExprKind::Element(list), span);
                let each = self.made_by(function, &[element], span);
                Some(self.add(ExprKind::Array(vec![Item::Each(each)]), span))
            }
            ("for_each", [function]) => {
                let list = self.stable(receiver);
                let element = self.add(ExprKind::Element(list), span);
                let each = self.made_by(function, &[element], span);
                Some(self.opaque("nothing", vec![each], span))
            }
            ("fold" | "try_fold", [first, function]) => {
                let first = self.expr(first);
                let folded = self.temporary(span);
                self.assign(folded, first, span);
                let list = self.stable(receiver);
                let body = self.capture(|this| {
                    let before = this.name(folded, span);
                    let element = this.add(ExprKind::Element(list), span);
                    let value = this.folded_by(function, before, element, span);
                    this.assign(folded, value, span);
                });
                self.out.push(crate::ir::Stmt::Loop { body });
                Some(self.name(folded, span))
            }
            ("filter", [function]) if matches!(function, Expr::Closure(_)) => {
                let value = self.expr(function);
                self.out.push(crate::ir::Stmt::Expr(value));
                Some(receiver)
            }
            ("then", [function]) if matches!(function, Expr::Closure(_)) => {
                let then = self.made_by(function, &[], span);
                let otherwise = self.add(ExprKind::Undefined, span);
                Some(self.add(ExprKind::Cond { cond: receiver, then, otherwise }, span))
            }
            ("then_some", [value]) => {
                let then = self.expr(value);
                let otherwise = self.add(ExprKind::Undefined, span);
                Some(self.add(ExprKind::Cond { cond: receiver, then, otherwise }, span))
            }
            ("map_or", [default, function]) => {
                let cond = self.stable(receiver);
                let otherwise = self.expr(default);
                let then = self.made_by(function, &[cond], span);
                Some(self.add(ExprKind::Cond { cond, then, otherwise }, span))
            }
            ("is_some_and" | "is_none_or", [function]) => {
                let cond = self.stable(receiver);
                let otherwise = self.add(ExprKind::Bool(name == "is_none_or"), span);
                let then = self.made_by(function, &[cond], span);
                Some(self.add(ExprKind::Cond { cond, then, otherwise }, span))
            }
            ("is_ok_and", [function]) => {
                let value = self.stable(receiver);
                let cond = self.opaque("whether it succeeded", Vec::new(), span);
                let otherwise = self.add(ExprKind::Bool(false), span);
                let then = self.made_by(function, &[value], span);
                Some(self.add(ExprKind::Cond { cond, then, otherwise }, span))
            }
            ("map_or_else", [default, function]) => {
                let cond = self.stable(receiver);
                let otherwise = self.made_by(default, &[], span);
                let then = self.made_by(function, &[cond], span);
                Some(self.add(ExprKind::Cond { cond, then, otherwise }, span))
            }
            _ => None,
        }
    }

    /// `list.push(item)`, `text.push_str(more)`: the variable holds that too.
    fn grow(&mut self, receiver: ExprId, item: &Expr, is_one: bool, span: Span) -> Option<ExprId> {
        let ExprKind::Name(Binding::Local(local)) = *self.kind(receiver) else { return None };
        let is_list = self.lists.contains(&local);
        if !is_list && !self.texts.contains(&local) {
            return None;
        }
        let item = self.expr(item);
        let items = match (is_list, is_one) {
            (true, true) => ExprKind::Array(vec![Item::Spread(receiver), Item::One(item)]),
            (true, false) => ExprKind::Array(vec![Item::Spread(receiver), Item::Spread(item)]),
            (false, _) => ExprKind::Concat(vec![receiver, item]),
        };
        let value = self.add(items, span);
        self.assign(local, value, span);
        Some(self.opaque("nothing", Vec::new(), span))
    }

    /// `bytes[4..8].copy_from_slice(&word)`: the variable holds that too.
    fn filled(&mut self, receiver: ExprId, item: &Expr, span: Span) -> Option<ExprId> {
        let mut at = receiver;
        while let ExprKind::Index { base, .. } = *self.kind(at) {
            at = base;
        }
        let ExprKind::Name(Binding::Local(local)) = *self.kind(at) else { return None };
        let item = self.expr(item);
        let value = self.add(ExprKind::Concat(vec![at, item]), span);
        self.assign(local, value, span);
        Some(self.opaque("nothing", Vec::new(), span))
    }

    /// `write!(text, "..", args)`: the variable holds that too.
    pub(super) fn written_into(
        &mut self,
        into: &Expr,
        format: &syn::LitStr,
        args: &[Expr],
        ends_line: bool,
        span: Span,
    ) -> Option<ExprId> {
        let into = match into {
            Expr::Reference(inner) => &*inner.expr,
            other => other,
        };
        let before = self.expr(into);
        let ExprKind::Name(Binding::Local(local)) = *self.kind(before) else { return None };
        if !self.texts.contains(&local) {
            return None;
        }
        let more = self.formatted(format, args, span);
        let mut parts = vec![before, more];
        if ends_line {
            parts.push(self.add(ExprKind::Text("\n".to_owned()), span));
        }
        let value = self.add(ExprKind::Concat(parts), span);
        self.assign(local, value, span);
        Some(self.opaque("nothing", Vec::new(), span))
    }

    /// What a function of `fold` makes; a closure runs where it stands, so that what it adds to a text is seen.
    fn folded_by(&mut self, function: &Expr, before: ExprId, element: ExprId, span: Span) -> ExprId {
        let Expr::Closure(closure) = function else { return self.made_by(function, &[before, element], span) };
        let inputs: Vec<&syn::Pat> = closure.inputs.iter().collect();
        let [first, second] = inputs.as_slice() else { return self.made_by(function, &[before, element], span) };
        self.scopes.push(Scope::default());
        self.destructure(first, before);
        self.destructure(second, element);
        let value = self.expr(&closure.body);
        self.scopes.pop();
        value
    }

    /// What a function makes of values: a call of it; a variant or wrapper is its argument.
    pub(super) fn made_by(&mut self, function: &Expr, args: &[ExprId], span: Span) -> ExprId {
        if let Expr::Path(path) = function
            && let Some(last) = path.path.segments.last()
        {
            let holds = ["Some", "Ok", "from", "into", "to_string", "to_owned", "clone", "as_ref", "as_str", "String"];
            if let (true, [only]) = (holds.contains(&last.ident.to_string().as_str()), args) {
                return *only;
            }
        }
        let callee = self.expr(function);
        if let (ExprKind::Name(Binding::Class(_)), [only]) = (self.kind(callee), args) {
            return *only;
        }
        self.call_of(callee, args.to_vec(), Vec::new(), span)
    }
}

/// `std::iter::repeat_with(f)`, `array::from_fn(f)`: any number of what the function makes. Middleware is made by `from_fn` too.
pub(super) fn is_repeat(call: &syn::ExprCall) -> bool {
    let Expr::Path(path) = &*call.func else { return false };
    let mut names = path.path.segments.iter().rev().map(|segment| &segment.ident);
    match names.next() {
        Some(last) if last == "from_fn" => names.next().is_some_and(|module| module == "iter" || module == "array"),
        Some(last) => last == "repeat_with",
        None => false,
    }
}

/// Whether a chain walks over elements.
fn iterates(mut expr: &Expr) -> bool {
    loop {
        match expr {
            Expr::MethodCall(call) => {
                if ITERATES.contains(&call.method.to_string().as_str()) {
                    return true;
                }
                expr = &call.receiver;
            }
            Expr::Await(inner) => expr = &inner.base,
            Expr::Try(inner) => expr = &inner.expr,
            Expr::Paren(inner) => expr = &inner.expr,
            Expr::Range(_) => return true,
            Expr::Call(call) => return is_repeat(call),
            _ => return false,
        }
    }
}
