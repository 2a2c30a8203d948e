//! Blocks and statements; what a body returns.

use syn::{Block, Expr, Stmt as Syntax};

use crate::frontend::rust::Lowering;
use crate::frontend::rust::branches::Sink;
use crate::frontend::rust::calls::future;
use crate::frontend::rust::paths::Scope;
use crate::ir::{ExprId, ExprKind, Stmt};

impl Lowering<'_> {
    /// A function's body: its last expression is returned.
    pub(super) fn body(&mut self, block: &Block) {
        self.in_block(block, Self::return_expr);
    }

    /// A block whose value goes into `sink`.
    pub(super) fn block(&mut self, block: &Block, sink: Sink) {
        self.in_block(block, |this, last| this.into(last, sink));
    }

    fn in_block(&mut self, block: &Block, last: impl FnOnce(&mut Self, &Expr)) {
        let span = self.at_span(block.brace_token.span.open());
        self.deeper(span, |this| {
            this.scopes.push(Scope::default());
            this.statements(&block.stmts, last);
            this.scopes.pop();
        });
    }

    pub(super) fn statements(&mut self, statements: &[Syntax], last: impl FnOnce(&mut Self, &Expr)) {
        let mut items = Vec::new();
        for statement in statements {
            if let Syntax::Item(item) = statement {
                items.push(item);
            }
        }
        for item in &items {
            self.hoist(std::slice::from_ref(*item));
        }
        let mut last = Some(last);
        for (at, statement) in statements.iter().enumerate() {
            let is_last = at + 1 == statements.len();
            match statement {
                Syntax::Item(item) => self.item(item),
                Syntax::Local(local) => self.let_statement(local),
                Syntax::Expr(expr, None) if is_last => {
                    if let Some(last) = last.take() {
                        last(self, expr);
                    }
                }
                Syntax::Expr(expr, _) => self.expr_statement(expr),
                Syntax::Macro(mac) => {
                    let expr = Expr::Macro(syn::ExprMacro { attrs: Vec::new(), mac: mac.mac.clone() });
                    match (is_last && mac.semi_token.is_none(), last.take()) {
                        (true, Some(last)) => last(self, &expr),
                        (_, kept) => {
                            last = kept;
                            self.expr_statement(&expr);
                        }
                    }
                }
            }
        }
    }

    fn let_statement(&mut self, statement: &syn::Local) {
        let Some(init) = &statement.init else {
            self.declare_pattern(&statement.pat);
            return;
        };
        let (pattern, ty) = match &statement.pat {
            syn::Pat::Type(typed) => (&*typed.pat, self.ty(&typed.ty)),
            other => (other, None),
        };
        if let Some((_, diverge)) = &init.diverge {
            let value = self.expr(&init.expr);
            let value = self.stable(value);
            let cond = self.test(pattern, value);
            let otherwise = self.capture(|this| {
                this.expr_statement(diverge);
                this.out.push(Stmt::Throw(None));
            });
            if let Some(cond) = cond {
                self.out.push(Stmt::If { cond, then: Vec::new(), otherwise });
            }
            self.destructure(pattern, value);
            return;
        }
        if let Some((name, span)) = self.plain_pattern(pattern) {
            let value = match &*init.expr {
                Expr::Closure(closure) => self.closure(closure, Some(&name)),
                other => self.expr(other),
            };
            let local = self.declare(&name, span);
            self.module.locals[local.at()].ty = ty;
            match self.kind(value) {
                ExprKind::Array(_) => _ = self.lists.insert(local),
                ExprKind::Text(_) | ExprKind::Concat(_) | ExprKind::Sql(_) => _ = self.texts.insert(local),
                _ => {}
            }
            self.assign(local, value, span);
            return;
        }
        let value = self.expr(&init.expr);
        if matches!(pattern, syn::Pat::Wild(_)) {
            self.out.push(Stmt::Expr(value));
            return;
        }
        let value = self.stable(value);
        self.destructure(pattern, value);
    }

    /// An expression for what it does.
    pub(super) fn expr_statement(&mut self, expr: &Expr) {
        self.into(expr, Sink::Nothing);
    }

    /// An expression whose value is returned from the function.
    pub(super) fn return_expr(&mut self, expr: &Expr) {
        self.into(expr, Sink::Return);
    }

    /// Puts the value of an expression into `sink`; branches do so each.
    pub(super) fn into(&mut self, expr: &Expr, sink: Sink) {
        let span = self.expr_span(expr);
        let done = self.deeper(span, |this| this.put_at(expr, sink));
        if done.is_none() {
            let value = self.opaque("nested too deeply", Vec::new(), span);
            self.put(value, sink, span);
        }
    }

    fn put_at(&mut self, expr: &Expr, sink: Sink) {
        let span = self.expr_span(expr);
        // Who awaits what is returned is given what the block ends with.
        if let Some(block) = future(expr).filter(|_| sink == Sink::Return) {
            return self.block(block, sink);
        }
        match expr {
            Expr::Paren(inner) => self.into(&inner.expr, sink),
            Expr::Group(inner) => self.into(&inner.expr, sink),
            Expr::Block(inner) => self.block(&inner.block, sink),
            Expr::Unsafe(inner) => self.block(&inner.block, sink),
            Expr::Const(inner) => self.block(&inner.block, sink),
            Expr::If(branch) => self.if_expr(branch, sink),
            Expr::Match(branch) => self.match_expr(branch, sink),
            Expr::Macro(mac) => self.macro_into(&mac.mac, sink),
            Expr::Return(inner) => match &inner.expr {
                Some(value) => self.return_expr(value),
                None => self.out.push(Stmt::Return(None)),
            },
            Expr::Call(call) if sink == Sink::Return && is_error(call) => {
                let error = call.args.first().map(|arg| self.expr(arg));
                self.out.push(Stmt::Throw(error));
            }
            Expr::Try(inner) if matches!(&*inner.expr, Expr::Call(call) if is_error(call)) => {
                let value = self.expr(&inner.expr);
                self.out.push(Stmt::Throw(Some(value)));
            }
            Expr::Loop(inner) => self.loop_body(|this| this.block(&inner.body, Sink::Nothing)),
            Expr::While(inner) => self.loop_body(|this| {
                this.scopes.push(Scope::default());
                let (cond, bound) = this.condition(&inner.cond);
                let then = this.capture(|this| {
                    this.out.extend(bound);
                    this.block(&inner.body, Sink::Nothing);
                });
                this.out.push(Stmt::If { cond, then, otherwise: Vec::new() });
                this.scopes.pop();
            }),
            Expr::ForLoop(inner) => {
                let list = self.expr(&inner.expr);
                let list = self.stable(list);
                self.loop_body(|this| {
                    this.scopes.push(Scope::default());
                    let span = this.span_of(list);
                    let element = this.add(ExprKind::Element(list), span);
                    this.destructure(&inner.pat, element);
                    this.block(&inner.body, Sink::Nothing);
                    this.scopes.pop();
                });
            }
            // Leaving a loop ends what runs here; what was assigned before is seen behind the loop, and so must not be cut off.
            Expr::Break(_) | Expr::Continue(_) => {
                if !self.out.iter().any(|statement| matches!(statement, Stmt::Assign { .. })) {
                    self.out.push(Stmt::Throw(None));
                }
            }
            Expr::Assign(assign) => self.assignment(assign),
            Expr::Binary(binary) if self.compound(binary) => {}
            other => {
                let value = self.expr(other);
                self.put(value, sink, span);
            }
        }
    }

    fn loop_body(&mut self, lower: impl FnOnce(&mut Self)) {
        let body = self.capture(lower);
        self.out.push(Stmt::Loop { body });
    }

    pub(super) fn put(&mut self, value: ExprId, sink: Sink, span: crate::source::Span) {
        match sink {
            Sink::Local(local) => self.assign(local, value, span),
            Sink::Return => self.out.push(Stmt::Return(Some(value))),
            Sink::Nothing => self.out.push(Stmt::Expr(value)),
        }
    }
}

/// `Err(..)`
pub(super) fn is_error(call: &syn::ExprCall) -> bool {
    matches!(&*call.func, Expr::Path(path) if path.path.is_ident("Err"))
}
