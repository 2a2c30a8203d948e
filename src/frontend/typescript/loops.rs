//! Loops: which part of a body surely runs.
//!
//! What runs at least once (`do { token = random() } while (taken)`, `while (true)` up to the first `break`) is lowered as statements of
//! the block around, since a second round makes the same values. The rest is a [`Stmt::Loop`], whose body may not run.

use tree_sitter::Node;

use crate::frontend::typescript::{Lowering, children, field, has_token, inner};
use crate::ir::{ExprKind, Stmt};

/// Statements in front of a loop that are looked at for the first value of its condition.
const BEFORE: usize = 8;

impl<'t> Lowering<'t> {
    pub(super) fn for_statement(&mut self, node: Node<'t>) {
        self.push_scope();
        if let Some(initializer) = field(node, "initializer") {
            self.statements(&[initializer]);
        }
        let cond = field(node, "condition").filter(Node::is_named);
        let cond = cond.filter(|cond| cond.kind() != "empty_statement");
        let body = field(node, "body");
        let increment = field(node, "increment");
        match body {
            Some(body) if cond.is_none() => self.at_least_once(body, increment, true),
            _ => {
                let body = self.capture(|s| {
                    if let Some(cond) = cond {
                        s.statement(cond);
                    }
                    s.each_scoped(body);
                    if let Some(increment) = increment {
                        s.effect(increment);
                    }
                });
                self.out.push(Stmt::Loop { body });
            }
        }
        self.pop_scope();
    }

    pub(super) fn for_in_statement(&mut self, node: Node<'t>) {
        let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) else { return };
        let iterable = self.expr(right);
        let keys = has_token(node, "in");
        if keys {
            self.keep(iterable);
        }
        let iterable = if keys { iterable } else { self.stable(iterable) };
        self.push_scope();
        if has_token(node, "const") || has_token(node, "let") {
            self.declare_pattern(left);
        }
        let body = self.capture(|s| {
            let value = if keys {
                s.opaque("a key of an object", Vec::new(), left)
            } else {
                s.add(ExprKind::Element(iterable), left)
            };
            s.destructure(left, value, true);
            s.each_scoped(field(node, "body"));
        });
        self.pop_scope();
        self.out.push(Stmt::Loop { body });
    }

    pub(super) fn while_statement(&mut self, node: Node<'t>) {
        let (Some(cond), Some(body)) = (field(node, "condition"), field(node, "body")) else { return };
        let is_endless = inner(cond).is_some_and(|cond| cond.kind() == "true");
        if node.kind() == "do_statement" {
            self.at_least_once(body, Some(cond), is_endless);
        } else if is_endless {
            self.at_least_once(body, None, true);
        } else if self.holds_at_first(node, cond) {
            self.effect(cond);
            self.at_least_once(body, None, false);
        } else {
            let body = self.capture(|s| {
                s.effect(cond);
                s.each_scoped(Some(body));
            });
            self.out.push(Stmt::Loop { body });
        }
    }

    /// A body whose first round runs, up to the first statement that may leave it; what stands behind an endless one is never reached
    /// where nothing breaks out of it.
    fn at_least_once(&mut self, body: Node<'t>, behind: Option<Node<'t>>, is_endless: bool) {
        self.push_scope();
        let nodes = if body.kind() == "statement_block" { children(body) } else { vec![body] };
        self.hoist(&nodes);
        let sure = nodes.iter().position(|node| may_leave(*node, false)).unwrap_or(nodes.len());
        let (first, rest) = nodes.split_at(sure);
        self.sequence(first);
        if rest.is_empty() {
            if let Some(behind) = behind {
                self.effect(behind);
            }
        } else {
            let body = self.capture(|s| {
                s.sequence(rest);
                if let Some(behind) = behind {
                    s.effect(behind);
                }
            });
            self.out.push(Stmt::Loop { body });
        }
        self.pop_scope();
        if is_endless && !may_leave(body, true) {
            self.out.push(Stmt::Throw(None));
        }
    }

    /// Whether a loop's condition holds when it is reached: `let taken = true; while (taken)`, `let code; while (!code)`.
    fn holds_at_first(&self, node: Node<'t>, cond: Node<'t>) -> bool {
        let cond = inner(cond).unwrap_or(cond);
        let (name, wanted) = match cond.kind() {
            "identifier" => (cond, true),
            "unary_expression" if has_token(cond, "!") => match field(cond, "argument") {
                Some(name) if name.kind() == "identifier" => (name, false),
                _ => return false,
            },
            _ => return false,
        };
        let name = self.slice(name);
        let mut before = node.prev_named_sibling();
        for _ in 0..BEFORE {
            let Some(statement) = before else { return false };
            if matches!(statement.kind(), "lexical_declaration" | "variable_declaration") {
                let named = |of: &Node<'t>| field(*of, "name").is_some_and(|of| self.slice(of) == name);
                if let Some(declared) = children(statement).into_iter().find(named) {
                    return self.is_truthy(field(declared, "value")) == Some(wanted);
                }
            }
            // What else names it may change it.
            if self.slice(statement).contains(name) {
                return false;
            }
            before = statement.prev_named_sibling();
        }
        false
    }

    /// What a literal counts as in a condition; a variable without a value counts as false.
    fn is_truthy(&self, value: Option<Node<'t>>) -> Option<bool> {
        let Some(value) = value else { return Some(false) };
        match value.kind() {
            "true" => Some(true),
            "false" | "null" | "undefined" => Some(false),
            "string" => Some(self.slice(value).len() > 2),
            _ => None,
        }
    }
}

/// Whether control may leave the round of the loop around a statement: by `break`, or by `continue` where that counts too.
fn may_leave(node: Node<'_>, only_break: bool) -> bool {
    // Beside each node: whether `break` and `continue` mean something within.
    let mut open = vec![(node, false, false)];
    while let Some((at, own_break, own_continue)) = open.pop() {
        let is_labelled = field(at, "label").is_some();
        match at.kind() {
            "break_statement" if is_labelled || !own_break => return true,
            "continue_statement" if !only_break && (is_labelled || !own_continue) => return true,
            "function_declaration"
            | "function_expression"
            | "arrow_function"
            | "method_definition"
            | "class_body"
            | "generator_function"
            | "generator_function_declaration" => {}
            "for_statement" | "for_in_statement" | "while_statement" | "do_statement" => {
                open.extend(children(at).into_iter().map(|inner| (inner, true, true)));
            }
            "switch_statement" => open.extend(children(at).into_iter().map(|inner| (inner, true, own_continue))),
            _ => open.extend(children(at).into_iter().map(|inner| (inner, own_break, own_continue))),
        }
    }
    false
}
