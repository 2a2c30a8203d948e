//! Builtins through which values flow: promises, array methods with closures, copies of objects.
//!
//! An ORM's repository has a `find` too, so array methods count only with an arrow function or a function expression as
//! their argument, and never on a namespace import (`TE.map(f)` is no array).

use tree_sitter::Node;

use crate::frontend::typescript::{Lowering, children, field, inner};
use crate::ir::{Binding, Entry, ExprId, ExprKind, Imported, Item, Kept, Place, Stmt};

impl<'t> Lowering<'t> {
    /// The value of a call that is one of the builtins.
    pub(super) fn builtin(&mut self, node: Node<'t>, function: Node<'t>, arguments: Node<'t>) -> Option<ExprId> {
        let args = children(arguments);
        if args.iter().any(|arg| arg.kind() == "spread_element") && field(function, "property").is_none() {
            return None;
        }
        if self.is_global(function, "structuredClone") {
            return args.first().map(|arg| self.expr(*arg));
        }
        if function.kind() != "member_expression" {
            return None;
        }
        let (object, property) = (field(function, "object")?, field(function, "property")?);
        let method = self.slice(property);
        if let Some(test) = self.shape_call(object, method, &args, node) {
            return Some(test);
        }
        if self.is_global(object, "Promise") {
            return self.promise(method, &args);
        }
        if self.is_global(object, "Object") {
            return self.object_function(method, &args, node);
        }
        if self.is_global(object, "Array") {
            return match (method, args.as_slice()) {
                ("from", [iterable]) => Some(self.expr(*iterable)),
                ("from", [iterable, f]) if self.is_callback(*f) => Some(self.map(*iterable, *f, false, node)),
                _ => None,
            };
        }
        match (method, args.as_slice()) {
            ("then", [f]) if self.is_callable(*f) => {
                // What is awaited runs before anything that the handler assigns.
                let value = self.expr(object);
                let value = self.stable(value);
                Some(self.apply(*f, value, node))
            }
            ("then", [f, g]) if self.is_callable(*f) && self.is_callable(*g) => {
                let value = self.expr(object);
                let value = self.stable(value);
                let value = self.apply(*f, value, node);
                Some(self.rejected(*g, value, node))
            }
            ("catch", [f]) if self.is_callable(*f) => {
                let value = self.expr(object);
                let value = self.stable(value);
                Some(self.rejected(*f, value, node))
            }
            ("finally", [f]) if self.is_callable(*f) => {
                let value = self.expr(object);
                let value = self.stable(value);
                self.handler(*f, node);
                Some(value)
            }
            ("bind", [this]) if this.kind() == "this" || self.is_member_of(object, *this) => Some(self.expr(object)),
            ("push" | "unshift", items) if !items.is_empty() => self.push(object, items, node),
            _ if self.is_namespace(object) => None,
            _ => self.array_method(method, object, &args, node),
        }
    }

    /// `a.b` is a member of `a`.
    fn is_member_of(&self, member: Node<'t>, of: Node<'t>) -> bool {
        field(member, "object").is_some_and(|object| self.slice(object) == self.slice(of))
    }

    fn promise(&mut self, method: &str, args: &[Node<'t>]) -> Option<ExprId> {
        let [arg] = args else { return None };
        match method {
            "all" | "resolve" => Some(self.expr(*arg)),
            "allSettled" => {
                let value = self.expr(*arg);
                Some(self.settled(value))
            }
            "race" | "any" => {
                let value = self.expr(*arg);
                Some(self.add(ExprKind::Element(value), *arg))
            }
            _ => None,
        }
    }

    /// `[{ value: a }, ..]` of `[a, ..]`; the argument itself where it is no literal.
    fn settled(&mut self, value: ExprId) -> ExprId {
        let span = self.module.expr(value).span;
        let ExprKind::Array(items) = self.kind(value).clone() else { return value };
        let mut wrap = |id: ExprId| {
            let key_span = self.module.expr(id).span;
            let entry = Entry::Named { key: "value".to_owned(), key_span, value: id };
            self.module.add(ExprKind::Object(vec![entry]), key_span)
        };
        let mut settled = Vec::new();
        for item in items {
            settled.push(match item {
                Item::One(id) => Item::One(wrap(id)),
                Item::Each(id) => Item::Each(wrap(id)),
                Item::Spread(_) => return value,
            });
        }
        self.module.add(ExprKind::Array(settled), span)
    }

    fn object_function(&mut self, method: &str, args: &[Node<'t>], node: Node<'t>) -> Option<ExprId> {
        match (method, args) {
            ("freeze" | "seal", [arg]) => Some(self.expr(*arg)),
            ("assign", [target, sources @ ..]) if target.kind() != "this" && !sources.is_empty() => {
                let is_local =
                    target.kind() == "identifier" && matches!(self.resolve(self.slice(*target)), Binding::Local(_));
                let place = if is_local || target.kind() == "member_expression" { self.place(*target) } else { None };
                let first = match &place {
                    Some(place) => self.read(place, self.span(*target)),
                    None => self.expr(*target),
                };
                let mut entries = vec![Entry::Spread(first)];
                for source in sources {
                    let source = if source.kind() == "spread_element" { inner(*source)? } else { *source };
                    entries.push(Entry::Spread(self.expr(source)));
                }
                let value = self.add(ExprKind::Object(entries), node);
                let Some(place) = place else { return Some(value) };
                let span = self.span(node);
                self.assign(place.clone(), value, span);
                Some(self.read(&place, span))
            }
            ("fromEntries", [arg]) => self.object_of_entries(*arg, node),
            _ => None,
        }
    }

    /// `Object.fromEntries(Object.entries(x).filter(f))`: some of the keys of `x`.
    fn object_of_entries(&mut self, arg: Node<'t>, node: Node<'t>) -> Option<ExprId> {
        let mut callbacks = Vec::new();
        let (mut kept, mut is_remapped) = (None, false);
        let mut at = arg;
        let source = loop {
            while at.kind() == "parenthesized_expression" {
                at = inner(at)?;
            }
            if at.kind() != "call_expression" {
                return None;
            }
            let function = field(at, "function")?;
            let args = children(field(at, "arguments")?);
            let (object, property) = (field(function, "object")?, field(function, "property")?);
            match self.slice(property) {
                "entries" if self.is_global(object, "Object") => break *args.first()?,
                "filter" if matches!(args.as_slice(), [f] if self.keeps_what_is_there(*f)) => {
                    kept = kept.or(Some(Kept::There));
                }
                "filter" | "slice" => kept = Some(Kept::Some),
                "map" | "flatMap" => is_remapped = true,
                "sort" | "toSorted" | "reverse" => {}
                _ => return None,
            }
            callbacks.extend(args.into_iter().filter(|arg| is_function(*arg)));
            at = object;
        };
        let value = self.expr(source);
        let mut operands = vec![value];
        for callback in callbacks {
            if is_remapped {
                operands.push(self.expr(callback));
            } else {
                self.handler(callback, node);
            }
        }
        if is_remapped {
            return Some(self.opaque("entries that are mapped", operands, node));
        }
        Some(kept.map_or(value, |kept| self.add(ExprKind::Subset(value, kept), node)))
    }

    /// `([, value]) => value !== undefined` and the like.
    fn keeps_what_is_there(&self, f: Node<'t>) -> bool {
        let Some(value) = field(f, "parameters").and_then(|params| {
            let [param] = children(params)[..] else { return None };
            let pattern = field(param, "pattern").unwrap_or(param);
            (pattern.kind() == "array_pattern").then(|| children(pattern).last().copied()).flatten()
        }) else {
            return false;
        };
        let is_value = |node: Node<'t>| self.slice(node) == self.slice(value);
        let Some(mut body) = field(f, "body") else { return false };
        while body.kind() == "parenthesized_expression" {
            let Some(within) = inner(body) else { return false };
            body = within;
        }
        match body.kind() {
            "binary_expression" => {
                let (Some(left), Some(right)) = (field(body, "left"), field(body, "right")) else { return false };
                let is_unequal = field(body, "operator").is_some_and(|operator| self.slice(operator).starts_with("!="));
                is_unequal && is_value(left) && matches!(self.slice(right), "undefined" | "null")
            }
            "call_expression" => {
                let args = field(body, "arguments").map(children).unwrap_or_default();
                let is_boolean = field(body, "function").is_some_and(|function| self.is_global(function, "Boolean"));
                is_boolean && matches!(args[..], [only] if is_value(only))
            }
            _ => is_value(body),
        }
    }

    fn array_method(&mut self, method: &str, array: Node<'t>, args: &[Node<'t>], node: Node<'t>) -> Option<ExprId> {
        match (method, args) {
            ("map", [f] | [f, _]) if self.is_callback(*f) => Some(self.map(array, *f, false, node)),
            ("flatMap", [f] | [f, _]) if self.is_callback(*f) => Some(self.map(array, *f, true, node)),
            ("forEach", [f] | [f, _]) if self.is_callback(*f) => {
                let array = self.expr(array);
                let element = self.add(ExprKind::Element(array), node);
                Some(self.apply(*f, element, node))
            }
            ("filter" | "sort" | "toSorted", [f]) if is_function(*f) => Some(self.inspect(array, *f, node)),
            ("find" | "findLast", [f]) if is_function(*f) => {
                let array = self.inspect(array, *f, node);
                Some(self.add(ExprKind::Element(array), node))
            }
            ("filter", [f]) if self.is_global(*f, "Boolean") => Some(self.expr(array)),
            ("sort" | "toSorted" | "reverse" | "toReversed" | "flat" | "slice", []) => Some(self.expr(array)),
            ("flat", [depth]) if depth.kind() == "number" => Some(self.expr(array)),
            ("slice", [start] | [start, _]) if !is_function(*start) => {
                let bounds: Vec<ExprId> = args.iter().map(|arg| self.expr(*arg)).collect();
                for bound in bounds {
                    self.keep_calls(bound);
                }
                Some(self.expr(array))
            }
            ("pop" | "shift", []) | ("at", [_]) => {
                let array = self.expr(array);
                for arg in args {
                    let index = self.expr(*arg);
                    self.keep_calls(index);
                }
                Some(self.add(ExprKind::Element(array), node))
            }
            ("reduce" | "reduceRight", [f, rest @ ..]) if is_function(*f) => {
                let mut operands = vec![self.expr(array), self.expr(*f)];
                operands.extend(rest.iter().map(|start| self.expr(*start)));
                Some(self.opaque("reduce", operands, node))
            }
            _ => None,
        }
    }

    /// `array.map(f)`: any number of what `f` makes of an element; with `flatten`, of an element of that.
    fn map(&mut self, array: Node<'t>, f: Node<'t>, flatten: bool, node: Node<'t>) -> ExprId {
        let array = self.expr(array);
        let element = self.add(ExprKind::Element(array), node);
        let mut each = self.apply(f, element, node);
        if flatten {
            each = self.add(ExprKind::Element(each), node);
        }
        self.add(ExprKind::Array(vec![Item::Each(each)]), node)
    }

    /// The array, after a statement that calls `f` with an element.
    fn inspect(&mut self, array: Node<'t>, f: Node<'t>, node: Node<'t>) -> ExprId {
        let array = self.expr(array);
        let array = self.stable(array);
        let element = self.add(ExprKind::Element(array), node);
        let call = self.apply(f, element, node);
        self.out.push(Stmt::Expr(call));
        array
    }

    fn apply(&mut self, f: Node<'t>, arg: ExprId, node: Node<'t>) -> ExprId {
        let callee = self.expr(f);
        self.call_of(callee, &[arg], node)
    }

    /// What a promise comes to where a handler runs if it is rejected: where the handler says what it gives back, that takes the
    /// value's place.
    fn rejected(&mut self, f: Node<'t>, value: ExprId, node: Node<'t>) -> ExprId {
        let cond = self.opaque("whether a promise is rejected", Vec::new(), node);
        if !gives_back(f) {
            let then = self.capture(|s| s.handler(f, node));
            self.out.push(Stmt::If { cond, then, otherwise: Vec::new() });
            return value;
        }
        let span = self.span(node);
        let local = self.temporary(span);
        let target = || Place::Local(local);
        self.out.push(Stmt::Assign { target: target(), value, span });
        let then = self.capture(|s| {
            let unknown = s.opaque("an argument of a handler", Vec::new(), f);
            let value = s.apply(f, unknown, node);
            s.out.push(Stmt::Assign { target: target(), value, span });
        });
        self.out.push(Stmt::If { cond, then, otherwise: Vec::new() });
        self.add(ExprKind::Name(Binding::Local(local)), node)
    }

    /// A statement that calls a handler with something unknown.
    fn handler(&mut self, f: Node<'t>, node: Node<'t>) {
        let unknown = self.opaque("an argument of a handler", Vec::new(), f);
        let call = self.apply(f, unknown, node);
        self.out.push(Stmt::Expr(call));
    }

    /// `list.push(x)`, `list.unshift(x)` on a variable that is known to hold an array; at which end hardly matters.
    fn push(&mut self, object: Node<'t>, items: &[Node<'t>], node: Node<'t>) -> Option<ExprId> {
        let is_list = match object.kind() {
            "identifier" => {
                matches!(self.resolve(self.slice(object)), Binding::Local(local) if self.lists.contains(&local))
            }
            "member_expression" => {
                field(object, "object").is_some_and(|of| of.kind() == "this")
                    && field(object, "property").is_some_and(|name| self.list_fields.contains(self.slice(name)))
            }
            _ => false,
        };
        if !is_list {
            return None;
        }
        let place = self.place(object)?;
        let before = self.expr(object);
        let mut all = vec![Item::Spread(before)];
        for item in items {
            all.push(match item.kind() {
                "spread_element" => Item::Spread(self.expr(inner(*item)?)),
                _ => Item::One(self.expr(*item)),
            });
        }
        let value = self.add(ExprKind::Array(all), node);
        self.assign(place, value, self.span(node));
        Some(self.opaque("the length of an array", Vec::new(), node))
    }

    /// Keeps an operand whose value does not flow on, where something may happen in it.
    fn keep_calls(&mut self, id: ExprId) {
        if matches!(self.kind(id), ExprKind::Call(_)) {
            self.out.push(Stmt::Expr(id));
        }
    }

    /// A closure or the name of a function.
    fn is_callback(&self, node: Node<'t>) -> bool {
        is_function(node)
            || node.kind() == "identifier"
            || (node.kind() == "member_expression" && self.slice(node).starts_with("this."))
    }

    /// Also a method of something.
    fn is_callable(&self, node: Node<'t>) -> bool {
        self.is_callback(node) || node.kind() == "member_expression"
    }

    /// A namespace import, a class or a global: no array.
    fn is_namespace(&self, node: Node<'t>) -> bool {
        if node.kind() != "identifier" {
            return false;
        }
        match self.resolve(self.slice(node)) {
            Binding::Import(id) => {
                self.module.imports.get(id.at()).is_some_and(|import| import.what == Imported::Namespace)
            }
            Binding::Local(_) => false,
            Binding::Global(name) => !name.starts_with(char::is_lowercase),
            Binding::Function(_) | Binding::Class(_) => true,
        }
    }
}

fn is_function(node: Node<'_>) -> bool {
    let mut node = node;
    while node.kind() == "parenthesized_expression" {
        match inner(node) {
            Some(inside) => node = inside,
            None => return false,
        }
    }
    matches!(node.kind(), "arrow_function" | "function_expression")
}

/// Whether a function that is written in place returns something: an expression other than a call for its effect, or by `return`.
fn gives_back(f: Node<'_>) -> bool {
    let Some(body) = field(f, "body").filter(|_| matches!(f.kind(), "arrow_function" | "function_expression")) else {
        return false;
    };
    if body.kind() != "statement_block" {
        // `.catch((error) => log(error))`
        return body.kind() != "call_expression" && body.kind() != "await_expression";
    }
    let mut open = children(body);
    while let Some(at) = open.pop() {
        match at.kind() {
            "return_statement" if inner(at).is_some() => return true,
            "function_declaration" | "function_expression" | "arrow_function" | "class_body" | "method_definition" => {}
            _ => open.extend(children(at)),
        }
    }
    false
}
