//! Statements.

use std::collections::BTreeMap;

use tree_sitter::Node;

use crate::frontend::typescript::assignments::Written;
use crate::frontend::typescript::{Lowering, children, field, has_token, inner, statements_in};
use crate::ir::{Binding, ExprId, ExprKind, Missing, Place, Stmt};

/// How many cases of a `switch` become a chain; beyond that they stand side by side.
const CHAIN_LIMIT: usize = 64;

/// The cases of a `switch` that share one body.
struct Group<'t> {
    tests: Vec<Node<'t>>,
    is_default: bool,
    body: Vec<Node<'t>>,
    falls_through: bool,
}

/// A lowered group; the default has no condition.
struct Arm {
    cond: Option<ExprId>,
    body: Vec<Stmt>,
    falls_through: bool,
}

impl<'t> Lowering<'t> {
    /// Lowers the statements of a block in the innermost scope.
    pub(super) fn statements(&mut self, nodes: &[Node<'t>]) {
        self.hoist(nodes);
        self.sequence(nodes);
    }

    pub(super) fn sequence(&mut self, nodes: &[Node<'t>]) {
        for (at, node) in nodes.iter().enumerate() {
            let rest = nodes.get(at + 1..).unwrap_or_default();
            if !rest.is_empty() && skips_the_rest(*node) && self.guarded(*node, rest) {
                return;
            }
            self.statement(*node);
        }
    }

    /// `if (c) { ..; continue }` and what follows it: that runs only where the condition fails.
    fn guarded(&mut self, node: Node<'t>, rest: &[Node<'t>]) -> bool {
        let (Some(cond), Some(then)) = (field(node, "condition"), field(node, "consequence")) else { return false };
        self.deeper(node, |s| {
            let cond = s.expr(cond);
            let then = s.capture(|s| s.statement(then));
            let otherwise = s.capture(|s| s.sequence(rest));
            s.out.push(Stmt::If { cond, then, otherwise });
        })
        .is_some()
    }

    pub(super) fn statement(&mut self, node: Node<'t>) {
        if self.deeper(node, |s| s.dispatch_statement(node)).is_none() {
            let id = self.opaque("nested too deeply", Vec::new(), node);
            self.out.push(Stmt::Expr(id));
            self.forget_assigned(node);
        }
    }

    /// What lies too deep gives the variables that it assigns values that nobody knows.
    fn forget_assigned(&mut self, node: Node<'t>) {
        let mut assigned: BTreeMap<&'t str, Node<'t>> = BTreeMap::new();
        let mut open = vec![node];
        while let Some(at) = open.pop() {
            let assigns = matches!(at.kind(), "assignment_expression" | "augmented_assignment_expression");
            if let Some(left) = field(at, "left").filter(|left| assigns && left.kind() == "identifier") {
                assigned.entry(self.slice(left)).or_insert(left);
            }
            open.extend(children(at));
        }
        for (name, target) in assigned {
            if let Binding::Local(local) = self.resolve(name) {
                let value = self.opaque("nested too deeply", Vec::new(), target);
                self.assign(Place::Local(local), value, self.span(target));
            }
        }
    }

    fn dispatch_statement(&mut self, node: Node<'t>) {
        match node.kind() {
            "expression_statement" => {
                for child in statements_in(node) {
                    self.effect(child);
                }
            }
            "lexical_declaration" | "variable_declaration" => self.declarators(node),
            "if_statement" => self.if_statement(node),
            "for_statement" => self.for_statement(node),
            "for_in_statement" => self.for_in_statement(node),
            "while_statement" | "do_statement" => self.while_statement(node),
            "return_statement" => {
                let value = inner(node).map(|value| self.expr(value));
                self.out.push(Stmt::Return(value));
            }
            "throw_statement" => {
                let value = inner(node).map(|value| self.expr(value));
                self.out.push(Stmt::Throw(value));
            }
            "try_statement" => self.try_statement(node),
            "switch_statement" => self.switch_statement(node),
            "labeled_statement" | "with_statement" => self.wrapped(node),
            "statement_block" | "else_clause" | "finally_clause" | "ERROR" => self.scoped(&statements_in(node)),
            "function_declaration" | "generator_function_declaration" | "function_signature" => {
                self.function_declaration(node);
            }
            "class_declaration" | "abstract_class_declaration" => self.class_declaration(node, &[]),
            "enum_declaration" => self.enum_declaration(node),
            "interface_declaration" => self.interface_declaration(node),
            "type_alias_declaration" => self.type_alias_declaration(node),
            "export_statement" => self.export_statement(node),
            "import_alias" => self.import_alias(node),
            "ambient_declaration" => self.ambient_declaration(node),
            "internal_module" | "module" => self.namespace(node),
            // Left over from a class body that could not be parsed.
            "method_definition" => self.stray_method(node),
            "import_statement" | "empty_statement" | "break_statement" | "continue_statement"
            | "debugger_statement" | "hash_bang_line" | "comment" | "html_comment" => {}
            _ => self.effect(node),
        }
    }

    /// Statements in a scope of their own, into the current list.
    pub(super) fn scoped(&mut self, nodes: &[Node<'t>]) {
        self.push_scope();
        self.statements(nodes);
        self.pop_scope();
    }

    fn wrapped(&mut self, node: Node<'t>) {
        if let Some(object) = field(node, "object") {
            self.effect(object);
        }
        if let Some(body) = field(node, "body") {
            self.scoped(&[body]);
        }
    }

    /// An expression whose value nobody takes.
    pub(super) fn effect(&mut self, node: Node<'t>) {
        let taken = self.deeper(node, |s| match node.kind() {
            "parenthesized_expression" | "await_expression" | "non_null_expression" | "sequence_expression" => {
                for child in children(node) {
                    s.effect(child);
                }
            }
            "assignment_expression" => {
                let written = s.assignment(node);
                s.keep_written(&written);
            }
            "augmented_assignment_expression" => {
                let written = s.augmented_assignment(node);
                s.keep_written(&written);
            }
            "update_expression" => {
                let written = s.update_expression(node);
                s.keep_written(&written);
            }
            "internal_module" => s.namespace(node),
            _ => {
                let id = s.expr(node);
                s.keep(id);
            }
        });
        if taken.is_none() {
            let id = self.opaque("nested too deeply", Vec::new(), node);
            self.out.push(Stmt::Expr(id));
        }
    }

    /// Keeps an expression as a statement, unless nothing can happen in it.
    pub(super) fn keep(&mut self, id: ExprId) {
        let is_inert = self.is_path(id)
            || match self.kind(id) {
                ExprKind::Opaque { operands, .. } => operands.is_empty(),
                ExprKind::Super | ExprKind::Closure(_) => true,
                _ => false,
            };
        if !is_inert {
            self.out.push(Stmt::Expr(id));
        }
    }

    fn keep_written(&mut self, written: &Written) {
        if let Written::Value(id) = written {
            self.keep(*id);
        }
    }

    fn declarators(&mut self, node: Node<'t>) {
        let starts_empty = has_token(node, "let");
        let parts = children(node);
        for (at, declarator) in parts.iter().copied().enumerate() {
            if declarator.kind() != "variable_declarator" {
                continue;
            }
            let Some(name) = field(declarator, "name") else { continue };
            if self.is_required(name, field(declarator, "value")) {
                continue;
            }
            if name.kind() == "identifier"
                && let Binding::Local(local) = self.resolve(self.slice(name))
                && let Some(ty) = self.annotation(field(declarator, "type"))
            {
                if ty.name == "Array" {
                    self.lists.insert(local);
                }
                self.module.locals[local.at()].ty = Some(ty);
            }
            if let Some(value) = field(declarator, "value") {
                let label = self.label(name);
                let mut value = self.expr_labelled(value, label);
                // A part of the value may be missing: `const a = f(;`.
                let is_cut = declarator.has_error() && children(declarator).iter().any(Node::is_error);
                if is_cut || parts.get(at + 1).is_some_and(Node::is_error) {
                    value = self.opaque("could not be parsed", vec![value], declarator);
                }
                self.destructure(name, value, true);
            } else if starts_empty && !has_token(declarator, "!") {
                let value = self.add(ExprKind::Undefined, name);
                self.destructure(name, value, true);
            }
        }
    }

    fn if_statement(&mut self, node: Node<'t>) {
        let Some(cond) = field(node, "condition") else { return };
        let cond = self.expr(cond);
        let then = field(node, "consequence");
        let then = self.capture(|s| s.each_scoped(then));
        let otherwise = field(node, "alternative").and_then(inner);
        let otherwise = self.capture(|s| s.each_scoped(otherwise));
        self.out.push(Stmt::If { cond, then, otherwise });
    }

    /// The body of a compound statement, a block or a single statement.
    pub(super) fn each_scoped(&mut self, body: Option<Node<'t>>) {
        match body {
            Some(body) if body.kind() == "statement_block" => self.statement(body),
            Some(body) => self.scoped(&[body]),
            None => {}
        }
    }

    fn try_statement(&mut self, node: Node<'t>) {
        let body = self.capture(|s| s.each_scoped(field(node, "body")));
        let catch = self.capture(|s| {
            let Some(handler) = field(node, "handler") else { return };
            s.push_scope();
            if let Some(parameter) = field(handler, "parameter") {
                s.declare_pattern(parameter);
                let thrown = s.opaque("a thrown value", Vec::new(), parameter);
                s.destructure(parameter, thrown, true);
            }
            s.each_scoped(field(handler, "body"));
            s.pop_scope();
        });
        let finally = field(node, "finalizer").and_then(|clause| field(clause, "body"));
        let finally = self.capture(|s| s.each_scoped(finally));
        self.out.push(Stmt::Try { body, catch, finally });
    }

    fn switch_statement(&mut self, node: Node<'t>) {
        let (Some(value), Some(body)) = (field(node, "value"), field(node, "body")) else { return };
        let value = self.expr(value);
        let value = self.stable(value);
        let mut groups = groups_of(body);
        // The order of a default among the cases is irrelevant, as long as nothing falls out of it.
        if let Some(at) = groups.iter().position(|group| group.is_default && !group.falls_through) {
            let default = groups.remove(at);
            groups.push(default);
        }
        self.push_scope();
        let declared: Vec<Node<'t>> = groups.iter().flat_map(|group| group.body.iter().copied()).collect();
        self.hoist(&declared);
        let is_chain = groups.len() <= CHAIN_LIMIT;
        let mut arms = Vec::new();
        let mut fell = false;
        for group in &groups {
            let cond = self.any_of(value, &group.tests);
            let body = self.capture(|s| s.sequence(&group.body));
            let cond = cond.filter(|_| !group.is_default);
            // Conditions that grow from case to case would be worked out again for each.
            let cond = if !is_chain && (cond.is_none() || fell) {
                let why = if fell { "a case before falls through" } else { "no case matches" };
                Some(self.opaque(why, Vec::new(), node))
            } else {
                cond
            };
            fell = group.falls_through;
            arms.push(Arm { cond, body, falls_through: group.falls_through && is_chain });
        }
        self.pop_scope();
        let chain = self.chain(arms, is_chain);
        self.out.extend(chain);
    }

    /// `value == a || value == b`; the tests run where the `switch` starts.
    fn any_of(&mut self, value: ExprId, tests: &[Node<'t>]) -> Option<ExprId> {
        let mut cond = None;
        for test in tests {
            let right = self.expr(*test);
            let is_equal = self.add(ExprKind::Compare { left: value, right, equal: true }, *test);
            cond = Some(self.either(cond, is_equal));
        }
        cond
    }

    fn either(&mut self, left: Option<ExprId>, right: ExprId) -> ExprId {
        let Some(left) = left else { return right };
        let span = self.module.expr(right).span;
        self.module.add(ExprKind::Fallback { left, right, when: Missing::Falsy }, span)
    }

    /// Joins the arms, last first; an arm without a condition is the default.
    fn chain(&mut self, mut arms: Vec<Arm>, nested: bool) -> Vec<Stmt> {
        let mut falling: Option<ExprId> = None;
        for arm in &mut arms {
            arm.cond = arm.cond.map(|cond| self.either(falling, cond));
            falling = arm.cond.filter(|_| arm.falls_through);
        }
        let mut after: Vec<Stmt> = Vec::new();
        for arm in arms.into_iter().rev() {
            let Some(cond) = arm.cond else {
                let mut body = arm.body;
                body.append(&mut after);
                after = body;
                continue;
            };
            let otherwise = if arm.falls_through || !nested { Vec::new() } else { std::mem::take(&mut after) };
            after.insert(0, Stmt::If { cond, then: arm.body, otherwise });
        }
        after
    }
}

fn groups_of(body: Node<'_>) -> Vec<Group<'_>> {
    let mut groups = Vec::new();
    let mut tests = Vec::new();
    let mut is_default = false;
    for case in children(body) {
        let test = field(case, "value");
        match case.kind() {
            "switch_case" => tests.extend(test),
            "switch_default" => is_default = true,
            _ => continue,
        }
        let mut body = statements_in(case);
        if let Some(test) = test {
            body.retain(|node| node.id() != test.id());
        }
        if body.is_empty() {
            continue;
        }
        let falls_through = !body.last().is_some_and(|last| ends(*last));
        groups.push(Group { tests: std::mem::take(&mut tests), is_default, body, falls_through });
        is_default = false;
    }
    if let Some(last) = groups.last_mut() {
        last.falls_through = false;
    }
    groups
}

/// Whether control never runs past the statement.
fn ends(node: Node<'_>) -> bool {
    match node.kind() {
        "break_statement" | "continue_statement" | "return_statement" | "throw_statement" => true,
        "statement_block" => children(node).last().is_some_and(|last| ends(*last)),
        _ => false,
    }
}

/// `if (..) continue` and `if (..) { ..; break }`, without an `else`.
fn skips_the_rest(node: Node<'_>) -> bool {
    if node.kind() != "if_statement" || field(node, "alternative").is_some() {
        return false;
    }
    let leaves = |node: Node<'_>| matches!(node.kind(), "break_statement" | "continue_statement");
    match field(node, "consequence") {
        Some(then) if then.kind() == "statement_block" => children(then).last().is_some_and(|last| leaves(*last)),
        Some(then) => leaves(then),
        None => false,
    }
}
