//! Where expressions start and end, without printing them into tokens as [`Spanned`] does.

use syn::Expr;
use syn::spanned::Spanned;

use crate::frontend::rust::Lowering;
use crate::source::Span;

impl Lowering<'_> {
    /// Where a token or a small node stands.
    pub(super) fn span(&self, node: &impl Spanned) -> Span {
        self.at_span(node.span())
    }

    pub(super) fn at_span(&self, span: proc_macro2::Span) -> Span {
        let range = span.byte_range();
        let offset = |at: usize| u32::try_from(at + self.base).unwrap_or(u32::MAX);
        Span { file: self.module.file, start: offset(range.start), end: offset(range.end) }
    }

    pub(super) fn expr_span(&self, expr: &Expr) -> Span {
        let (first, last) = (start(expr), end(expr));
        Span { end: self.at_span(last).end, ..self.at_span(first) }
    }
}

fn start(mut expr: &Expr) -> proc_macro2::Span {
    loop {
        expr = match expr {
            Expr::MethodCall(call) => &call.receiver,
            Expr::Call(call) => &call.func,
            Expr::Field(field) => &field.base,
            Expr::Await(inner) => &inner.base,
            Expr::Try(inner) => &inner.expr,
            Expr::Index(index) => &index.expr,
            Expr::Binary(binary) => &binary.left,
            Expr::Assign(assign) => &assign.left,
            Expr::Cast(cast) => &cast.expr,
            Expr::Reference(reference) => return reference.and_token.span,
            Expr::Unary(unary) => return unary.op.span(),
            Expr::Block(block) if block.label.is_none() => return block.block.brace_token.span.open(),
            Expr::If(branch) => return branch.if_token.span,
            Expr::Match(branch) => return branch.match_token.span,
            Expr::Paren(paren) => return paren.paren_token.span.open(),
            Expr::Tuple(tuple) => return tuple.paren_token.span.open(),
            Expr::Macro(mac) => return mac.mac.path.segments.first().map_or_else(|| expr.span(), |s| s.ident.span()),
            Expr::Struct(literal) => {
                return literal.path.segments.first().map_or_else(|| expr.span(), |s| s.ident.span());
            }
            Expr::Async(block) => return block.async_token.span,
            Expr::Closure(closure) => return closure.or1_token.span,
            _ => return expr.span(),
        }
    }
}

fn end(mut expr: &Expr) -> proc_macro2::Span {
    loop {
        expr = match expr {
            Expr::MethodCall(call) => return call.paren_token.span.close(),
            Expr::Call(call) => return call.paren_token.span.close(),
            Expr::Field(field) => return field.member.span(),
            Expr::Await(inner) => return inner.await_token.span,
            Expr::Try(inner) => return inner.question_token.span,
            Expr::Index(index) => return index.bracket_token.span.close(),
            Expr::Binary(binary) => &binary.right,
            Expr::Assign(assign) => &assign.right,
            Expr::Reference(reference) => &reference.expr,
            Expr::Unary(unary) => &unary.expr,
            Expr::Block(block) => return block.block.brace_token.span.close(),
            Expr::Async(block) => return block.block.brace_token.span.close(),
            Expr::If(branch) => match &branch.else_branch {
                Some((_, other)) => other,
                None => return branch.then_branch.brace_token.span.close(),
            },
            Expr::Match(branch) => return branch.brace_token.span.close(),
            Expr::Paren(paren) => return paren.paren_token.span.close(),
            Expr::Tuple(tuple) => return tuple.paren_token.span.close(),
            Expr::Macro(mac) => return mac.mac.delimiter.span().close(),
            Expr::Struct(literal) => return literal.brace_token.span.close(),
            Expr::Closure(closure) => &closure.body,
            _ => return expr.span(),
        }
    }
}
