//! Functions, methods and closures.

use syn::{Attribute, Block, FnArg, Signature};

use crate::frontend::rust::Lowering;
use crate::frontend::rust::attributes::is_for_tests;
use crate::frontend::rust::paths::Scope;
use crate::ir::{Binding, ExprId, ExprKind, Function, FunctionId, FunctionKind, LocalId, Param, TypeRef};
use crate::source::Span;

impl Lowering<'_> {
    pub(super) fn add_function(&mut self, name: &str, kind: FunctionKind, span: Span) -> FunctionId {
        let mut function = Function::new(name, kind, span);
        function.is_test = self.tests > 0;
        self.module.functions.push(function);
        FunctionId::of(self.module.functions.len() - 1)
    }

    /// Lowers a function that was declared before.
    pub(super) fn function(&mut self, id: FunctionId, attrs: &[Attribute], sig: &Signature, body: Option<&Block>) {
        let decorators = self.attributes(attrs);
        let tests = usize::from(is_for_tests(attrs));
        self.tests += tests;
        let outer = std::mem::replace(&mut self.function, id);
        let temporaries = std::mem::take(&mut self.temporaries);
        self.scopes.push(Scope::default());
        self.generics(&sig.generics);
        let returns = self.returned(&sig.output);
        let (mut params, mut takes_self) = (Vec::new(), false);
        let statements = self.capture(|this| {
            for input in &sig.inputs {
                match input {
                    FnArg::Receiver(receiver) => {
                        takes_self = true;
                        let span = this.at_span(receiver.self_token.span);
                        let local = this.declare("self", span);
                        let ty = this.this.map(|class| TypeRef {
                            name: "Self".to_owned(),
                            binding: Binding::Class(class),
                            args: Vec::new(),
                            span,
                        });
                        this.module.locals[local.at()].ty.clone_from(&ty);
                        params.push(param(local, "self".to_owned(), ty, span));
                    }
                    FnArg::Typed(typed) => {
                        let ty = this.ty(&typed.ty);
                        let made = this.param(&typed.pat, ty);
                        params.push(made);
                    }
                }
            }
            if let Some(body) = body {
                this.body(body);
            }
        });
        self.scopes.pop();
        self.temporaries = temporaries;
        self.function = outer;
        let end = body.map(|body| self.at_span(body.brace_token.span.close()).end);
        let start = self.at_span(sig.fn_token.span).start;
        let start = attrs.first().map_or(start, |first| self.at_span(first.pound_token.span).start.min(start));
        let is_test = self.tests > 0;
        self.tests -= tests;
        let function = &mut self.module.functions[id.at()];
        function.span = Span { start, end: end.unwrap_or(function.span.end), ..function.span };
        function.is_static = !takes_self;
        function.takes_self = takes_self;
        function.is_test |= is_test;
        function.params = params;
        function.returns = returns;
        function.decorators = decorators;
        function.body = statements;
    }

    /// A parameter; what its pattern binds is assigned first in the body.
    fn param(&mut self, pattern: &syn::Pat, ty: Option<TypeRef>) -> Param {
        let span = self.span(pattern);
        if let Some((name, at)) = self.plain_pattern(pattern) {
            let local = self.declare(&name, at);
            self.module.locals[local.at()].ty.clone_from(&ty);
            return param(local, name, ty, span);
        }
        let local = self.temporary(span);
        self.module.locals[local.at()].ty.clone_from(&ty);
        let value = self.name(local, span);
        let first = self.module.locals.len();
        self.destructure(pattern, value);
        let inner = self.module.locals.get(first).map(|local| local.name.clone());
        let name = inner.unwrap_or_else(|| self.module.locals[local.at()].name.clone());
        param(local, name, ty, span)
    }

    /// `|a, b| body`, named after the variable that it is assigned to.
    pub(super) fn closure(&mut self, closure: &syn::ExprClosure, name: Option<&str>) -> ExprId {
        let span = Span { end: self.expr_span(&closure.body).end, ..self.at_span(closure.or1_token.span) };
        let id = self.add_function(name.unwrap_or("<closure>"), FunctionKind::Closure, span);
        let outer = std::mem::replace(&mut self.function, id);
        let temporaries = std::mem::take(&mut self.temporaries);
        self.scopes.push(Scope::default());
        let mut params = Vec::new();
        let statements = self.capture(|this| {
            for input in &closure.inputs {
                let (pattern, ty) = match input {
                    syn::Pat::Type(typed) => (&*typed.pat, this.ty(&typed.ty)),
                    other => (other, None),
                };
                let made = this.param(pattern, ty);
                params.push(made);
            }
            this.return_expr(&closure.body);
        });
        let returns = self.returned(&closure.output);
        self.scopes.pop();
        self.temporaries = temporaries;
        self.function = outer;
        let function = &mut self.module.functions[id.at()];
        function.name_span = Span { end: span.start, ..span };
        function.parent = Some(outer);
        function.params = params;
        function.returns = returns;
        function.body = statements;
        self.add(ExprKind::Closure(id), span)
    }
}

fn param(local: LocalId, name: String, ty: Option<TypeRef>, span: Span) -> Param {
    Param { local, name, ty, rest: false, optional: false, decorators: Vec::new(), span }
}
