//! Expressions: the dispatch and the simple ones.

use tree_sitter::Node;

use crate::frontend::typescript::{Lowering, children, field, inner, statements_in};
use crate::ir::{Binding, ExprId, ExprKind, Stmt};
use crate::source::Span;

/// How many `&&`, `||` or `??` of one chain nest.
const CHAIN_LIMIT: usize = 100;

/// A property name: its text where that is constant, else the expression that computes it.
pub(super) type Key = Result<(String, Span), ExprId>;

impl<'t> Lowering<'t> {
    pub(super) fn expr(&mut self, node: Node<'t>) -> ExprId {
        self.expr_labelled(node, None)
    }

    /// Lowers an expression; `label` is the node of the name or key that it is assigned to, which closures take as theirs.
    pub(super) fn expr_labelled(&mut self, node: Node<'t>, label: Option<Node<'t>>) -> ExprId {
        match self.deeper(node, |s| s.dispatch_expression(node, label)) {
            Some(id) => id,
            None => self.opaque("nested too deeply", Vec::new(), node),
        }
    }

    fn dispatch_expression(&mut self, node: Node<'t>, label: Option<Node<'t>>) -> ExprId {
        match node.kind() {
            "identifier" | "shorthand_property_identifier" => self.name(node),
            "parenthesized_expression"
            | "await_expression"
            | "non_null_expression"
            | "as_expression"
            | "satisfies_expression"
            | "instantiation_expression"
            | "expression_statement"
            | "jsx_expression" => self.transparent(node, label),
            "type_assertion" => self.type_assertion(node, label),
            "call_expression" => self.call(node),
            "new_expression" => self.new_expression(node),
            "member_expression" | "subscript_expression" => self.member(node),
            "string" | "template_string" => self.text(node),
            "number" => self.number(node),
            "true" => self.add(ExprKind::Bool(true), node),
            "false" => self.add(ExprKind::Bool(false), node),
            "null" => self.add(ExprKind::Null, node),
            "undefined" => self.add(ExprKind::Undefined, node),
            "this" => self.add(ExprKind::This, node),
            "super" => self.add(ExprKind::Super, node),
            "object" | "object_pattern" => self.object(node),
            "array" | "array_pattern" => self.array(node),
            "arrow_function" | "function_expression" | "generator_function" => self.closure(node, label),
            "class" => self.class_expression(node, label),
            "binary_expression" => self.binary(node),
            "unary_expression" => self.unary(node),
            "ternary_expression" => self.ternary(node),
            "sequence_expression" => self.comma(node),
            "assignment_expression" => {
                let written = self.assignment(node);
                self.assigned(written, node)
            }
            "augmented_assignment_expression" => {
                let written = self.augmented_assignment(node);
                self.assigned(written, node)
            }
            "update_expression" => {
                let written = self.update_expression(node);
                self.assigned(written, node)
            }
            "yield_expression" => self.with_operands("yield", node),
            "spread_element" => self.with_operands("spread", node),
            "jsx_element" | "jsx_self_closing_element" => self.jsx(node),
            "regex" => self.opaque("regular expression", Vec::new(), node),
            "meta_property" | "import" => {
                let name = self.slice(node).to_owned();
                self.add(ExprKind::Name(Binding::Global(name)), node)
            }
            "internal_module" => {
                self.namespace(node);
                self.opaque("namespace", Vec::new(), node)
            }
            "ERROR" => self.broken(node),
            _ => self.opaque("syntax that is not modelled", Vec::new(), node),
        }
    }

    /// What an error holds: its statements before, its expressions as operands.
    fn broken(&mut self, node: Node<'t>) -> ExprId {
        let mut operands = Vec::new();
        for child in statements_in(node) {
            if child.kind().ends_with("_statement") || child.kind().ends_with("_declaration") {
                self.scoped(&[child]);
            } else {
                operands.push(self.expr(child));
            }
        }
        self.opaque("could not be parsed", operands, node)
    }

    fn name(&mut self, node: Node<'t>) -> ExprId {
        if node.is_missing() {
            return self.opaque("could not be parsed", Vec::new(), node);
        }
        let binding = self.resolve(self.slice(node));
        self.add(ExprKind::Name(binding), node)
    }

    /// Casts, `await`, parentheses and the like: the expression in them.
    fn transparent(&mut self, node: Node<'t>, label: Option<Node<'t>>) -> ExprId {
        match inner(node) {
            Some(inside) => self.expr_labelled(inside, label),
            None => self.opaque("could not be parsed", Vec::new(), node),
        }
    }

    /// `<T>x`.
    fn type_assertion(&mut self, node: Node<'t>, label: Option<Node<'t>>) -> ExprId {
        match children(node).last() {
            Some(inside) => self.expr_labelled(*inside, label),
            None => self.opaque("could not be parsed", Vec::new(), node),
        }
    }

    fn number(&mut self, node: Node<'t>) -> ExprId {
        let text = self.slice(node).to_owned();
        self.add(ExprKind::Number(text), node)
    }

    pub(super) fn with_operands(&mut self, why: &'static str, node: Node<'t>) -> ExprId {
        let operands = children(node).into_iter().map(|child| self.expr(child)).collect();
        self.opaque(why, operands, node)
    }

    fn member(&mut self, node: Node<'t>) -> ExprId {
        if let Some(own) = self.member_of_own_object(node) {
            return own;
        }
        match self.member_parts(node) {
            Some((base, Ok((name, name_span)))) => self.add(ExprKind::Field { base, name, name_span }, node),
            Some((base, Err(index))) => self.add(ExprKind::Index { base, index }, node),
            None => self.with_operands("could not be parsed", node),
        }
    }

    /// The base of `base.key` and `base[key]`, and the key: its name, or an expression where it is no constant name.
    pub(super) fn member_parts(&mut self, node: Node<'t>) -> Option<(ExprId, Key)> {
        let object = field(node, "object")?;
        let key = field(node, "property").or_else(|| field(node, "index"))?;
        let base = self.expr(object);
        let key = if key.kind() == "number" { Err(self.number(key)) } else { self.key(key) };
        Some((base, key))
    }

    /// A property name: its text where it is constant, else the expression that computes it.
    pub(super) fn key(&mut self, node: Node<'t>) -> Key {
        match node.kind() {
            "property_identifier" | "private_property_identifier" | "number" => {
                Ok((self.slice(node).to_owned(), self.span(node)))
            }
            "string" => Ok((self.decoded(node), self.span(node))),
            "template_string" if children(node).iter().all(|part| part.kind() != "template_substitution") => {
                Ok((self.decoded(node), self.span(node)))
            }
            "computed_property_name" => match inner(node) {
                Some(inside) if matches!(inside.kind(), "string" | "template_string" | "number") => self.key(inside),
                Some(inside) => Err(self.expr(inside)),
                None => Err(self.opaque("could not be parsed", Vec::new(), node)),
            },
            _ => Err(self.expr(node)),
        }
    }

    /// The node that names what is assigned to `target`.
    #[expect(clippy::unused_self, reason = "reads as a question to the lowering, like its siblings")]
    pub(super) fn label(&self, target: Node<'t>) -> Option<Node<'t>> {
        match target.kind() {
            "identifier"
            | "shorthand_property_identifier_pattern"
            | "property_identifier"
            | "private_property_identifier"
            | "string" => Some(target),
            "member_expression" => field(target, "property"),
            _ => None,
        }
    }

    fn unary(&mut self, node: Node<'t>) -> ExprId {
        let operator = field(node, "operator").map_or("", |operator| self.slice(operator));
        let Some(argument) = field(node, "argument") else {
            return self.opaque("could not be parsed", Vec::new(), node);
        };
        match operator {
            "!" => {
                let operand = self.expr(argument);
                self.add(ExprKind::Not(operand), node)
            }
            "-" if argument.kind() == "number" => {
                let text = format!("-{}", self.slice(argument));
                self.add(ExprKind::Number(text), node)
            }
            "void" => {
                self.effect(argument);
                self.add(ExprKind::Undefined, node)
            }
            "delete" => self.delete(node, argument),
            "typeof" => self.with_operands("typeof", node),
            _ => self.with_operands("arithmetic", node),
        }
    }

    fn ternary(&mut self, node: Node<'t>) -> ExprId {
        let (Some(cond), Some(then), Some(otherwise)) =
            (field(node, "condition"), field(node, "consequence"), field(node, "alternative"))
        else {
            return self.with_operands("could not be parsed", node);
        };
        let mut cond = self.expr(cond);
        let (then, in_then) = self.branch(then);
        let (otherwise, in_otherwise) = self.branch(otherwise);
        if !in_then.is_empty() || !in_otherwise.is_empty() {
            cond = self.stable(cond);
            self.out.push(Stmt::If { cond, then: in_then, otherwise: in_otherwise });
        }
        self.add(ExprKind::Cond { cond, then, otherwise }, node)
    }

    /// An expression and the statements that it leaves.
    fn branch(&mut self, node: Node<'t>) -> (ExprId, Vec<Stmt>) {
        let around = std::mem::take(&mut self.out);
        let value = self.expr(node);
        (value, std::mem::replace(&mut self.out, around))
    }

    fn comma(&mut self, node: Node<'t>) -> ExprId {
        let mut parts = children(node);
        let Some(last) = parts.pop() else { return self.opaque("could not be parsed", Vec::new(), node) };
        for part in parts {
            self.effect(part);
        }
        self.expr(last)
    }

    fn binary(&mut self, node: Node<'t>) -> ExprId {
        let operator = field(node, "operator").map_or("", |operator| self.slice(operator));
        if let Some(tagged) = self.generic_tag(node, operator) {
            return tagged;
        }
        let terms = left_spine(node, operator, |node| self.slice(node));
        match operator {
            "+" => self.sum(&terms, node),
            "&&" | "||" | "??" => self.logical(operator, &terms, node),
            "===" | "==" | "!==" | "!=" if terms.len() == 2 => {
                if let Some(test) = self.type_test(terms[0], terms[1], operator.starts_with('='), node) {
                    return test;
                }
                let left = self.expr(terms[0]);
                let right = self.expr(terms[1]);
                self.add(ExprKind::Compare { left, right, equal: operator.starts_with('=') }, node)
            }
            "in" if terms.len() == 2 && terms[0].kind() == "string" => self.has_key(terms[1], terms[0], node),
            _ => {
                let is_test = matches!(operator, "<" | ">" | "<=" | ">=" | "in" | "instanceof");
                let why = if is_test { "a comparison" } else { "arithmetic" };
                let operands = terms.into_iter().map(|term| self.expr(term)).collect();
                self.opaque(why, operands, node)
            }
        }
    }

    /// `tag<T>` before a template is read by the grammar as two comparisons.
    fn generic_tag(&mut self, node: Node<'t>, operator: &str) -> Option<ExprId> {
        let (left, right) = (field(node, "left")?, field(node, "right")?);
        if operator != ">" || right.kind() != "template_string" || left.kind() != "binary_expression" {
            return None;
        }
        if field(left, "operator").is_none_or(|operator| self.slice(operator) != "<") {
            return None;
        }
        let tag = field(left, "left")?;
        Some(self.tagged(tag, right, node))
    }

    /// A chain of one of the operators that may skip their right side, of any length.
    fn logical(&mut self, operator: &str, terms: &[Node<'t>], node: Node<'t>) -> ExprId {
        let Some((first, rest)) = terms.split_first() else {
            return self.opaque("could not be parsed", Vec::new(), node);
        };
        let mut value = self.expr(*first);
        let nested = rest.len().min(CHAIN_LIMIT);
        for term in rest.iter().take(nested) {
            value = self.short_circuit(operator, value, *term, *term);
        }
        // The span of the whole is that of its last step.
        if let Some(expr) = self.module.exprs.get_mut(value.at())
            && nested > 0
        {
            expr.span.end = u32::try_from(node.end_byte()).unwrap_or(u32::MAX);
            expr.span.start = u32::try_from(node.start_byte()).unwrap_or(u32::MAX);
        }
        if rest.len() <= nested {
            return value;
        }
        let mut operands = vec![value];
        operands.extend(rest.iter().skip(nested).map(|term| self.expr(*term)));
        self.opaque("nested too deeply", operands, node)
    }

    /// The operands of an element: the expressions in its attributes and children, elements in it included.
    fn jsx(&mut self, node: Node<'t>) -> ExprId {
        let mut operands = Vec::new();
        let mut open = vec![(node, None)];
        while let Some((part, label)) = open.pop() {
            match part.kind() {
                "jsx_element" | "jsx_self_closing_element" | "jsx_opening_element" => {
                    open.extend(children(part).into_iter().rev().map(|child| (child, None)));
                }
                "jsx_attribute" => {
                    let parts = children(part);
                    let label = parts.first().copied();
                    open.extend(parts.into_iter().skip(1).map(|value| (value, label)));
                }
                "jsx_expression" => match inner(part) {
                    Some(spread) if spread.kind() == "spread_element" => {
                        operands.extend(inner(spread).map(|inside| self.expr(inside)));
                    }
                    Some(inside) => operands.push(self.expr_labelled(inside, label)),
                    None => {}
                },
                "ERROR" => operands.push(self.broken(part)),
                _ => {}
            }
        }
        self.opaque("JSX", operands, node)
    }
}

/// The operands of a chain of one operator, from left to right: `a + b + c` is `[a, b, c]`.
fn left_spine<'t>(node: Node<'t>, operator: &str, slice: impl Fn(Node<'t>) -> &'t str) -> Vec<Node<'t>> {
    let mut terms = Vec::new();
    let mut at = node;
    loop {
        let is_same = at.kind() == "binary_expression"
            && field(at, "operator").is_some_and(|found| slice(found) == operator)
            && (at.id() == node.id() || !matches!(operator, "==" | "===" | "!=" | "!=="));
        let sides = if is_same { field(at, "left").zip(field(at, "right")) } else { None };
        let Some((left, right)) = sides else {
            terms.push(at);
            break;
        };
        terms.push(right);
        at = left;
    }
    terms.reverse();
    terms
}
