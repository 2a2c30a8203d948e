//! Expressions as values.

use syn::{BinOp, Expr, ExprAssign, ExprBinary, Lit, Member, UnOp};

use crate::frontend::rust::Lowering;
use crate::frontend::rust::branches::Sink;
use crate::frontend::rust::paths::plain;
use crate::ir::{Call, Entry, ExprId, ExprKind, Item, Missing, Place, Stmt};
use crate::source::Span;

impl Lowering<'_> {
    pub(super) fn expr(&mut self, expr: &Expr) -> ExprId {
        let span = self.expr_span(expr);
        match self.deeper(span, |this| this.expr_at(expr, span)) {
            Some(id) => id,
            None => self.opaque("nested too deeply", Vec::new(), span),
        }
    }

    pub(super) fn all<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) -> Vec<ExprId> {
        exprs.into_iter().map(|expr| self.expr(expr)).collect()
    }

    fn expr_at(&mut self, expr: &Expr, span: Span) -> ExprId {
        match expr {
            Expr::Paren(inner) => self.expr(&inner.expr),
            Expr::Group(inner) => self.expr(&inner.expr),
            Expr::Reference(inner) => {
                let value = self.expr(&inner.expr);
                if inner.mutability.is_some() {
                    self.module.lent.insert(value);
                }
                value
            }
            Expr::Await(inner) => self.expr(&inner.base),
            Expr::Try(inner) => self.expr(&inner.expr),
            Expr::Cast(inner) => self.expr(&inner.expr),
            Expr::Lit(literal) => self.literal(&literal.lit),
            Expr::Path(path) => {
                let mut steps = self.steps(&path.path);
                if let Some(qself) = &path.qself
                    && let Some(ty) = self.ty(&qself.ty)
                {
                    // `<T as Trait>::f`: by the trait where there is one, which leads to all that implement it.
                    steps.drain(..qself.position.saturating_sub(1).min(steps.len()));
                    if qself.position == 0 {
                        // `<Option<String>>::None`
                        if steps.iter().any(|(name, _)| name == "None") {
                            return self.add(ExprKind::Undefined, span);
                        }
                        let mut at = self.add(ExprKind::Name(ty.binding), span);
                        for (name, span) in steps {
                            at = self.field(at, name, span);
                        }
                        return at;
                    }
                }
                self.path(&steps)
            }
            Expr::Field(field) => {
                let base = self.expr(&field.base);
                let (name, name_span) = match &field.member {
                    Member::Named(name) => (plain(name), self.at_span(name.span())),
                    Member::Unnamed(index) => (index.index.to_string(), self.at_span(index.span)),
                };
                self.add(ExprKind::Field { base, name, name_span }, span)
            }
            Expr::Index(index) => {
                let base = self.expr(&index.expr);
                match &*index.index {
                    Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => {
                        let name_span = self.at_span(text.span());
                        self.add(ExprKind::Field { base, name: text.value(), name_span }, span)
                    }
                    // A part of a text or list is still it.
                    Expr::Range(_) => base,
                    other => {
                        let index = self.expr(other);
                        self.add(ExprKind::Index { base, index }, span)
                    }
                }
            }
            Expr::Unary(unary) => {
                let inner = self.expr(&unary.expr);
                match (&unary.op, self.kind(inner)) {
                    (UnOp::Not(_), _) => self.add(ExprKind::Not(inner), span),
                    (UnOp::Neg(_), ExprKind::Number(text)) => {
                        let text = format!("-{text}");
                        self.add(ExprKind::Number(text), span)
                    }
                    (UnOp::Neg(_), _) => self.opaque("arithmetic", vec![inner], span),
                    _ => inner,
                }
            }
            Expr::Binary(binary) => self.binary(binary, span),
            Expr::Tuple(tuple) if tuple.elems.is_empty() => self.add(ExprKind::Undefined, span),
            Expr::Tuple(tuple) => {
                let entries = tuple.elems.iter().enumerate().map(|(at, part)| {
                    let key_span = self.expr_span(part);
                    Entry::Named { key: at.to_string(), key_span, value: self.expr(part) }
                });
                let entries = entries.collect();
                self.add(ExprKind::Object(entries), span)
            }
            Expr::Array(array) => {
                let items = self.all(&array.elems).into_iter().map(Item::One).collect();
                self.add(ExprKind::Array(items), span)
            }
            Expr::Repeat(repeat) => {
                let each = self.expr(&repeat.expr);
                self.add(ExprKind::Array(vec![Item::Each(each)]), span)
            }
            Expr::Struct(literal) => self.struct_literal(literal, span),
            Expr::Closure(closure) => self.closure(closure, None),
            Expr::Call(call) => self.call(call, span),
            Expr::MethodCall(call) => self.method_call(call, span),
            Expr::Async(block) => self.async_block(&block.block, span),
            Expr::If(_) | Expr::Match(_) | Expr::Block(_) | Expr::Unsafe(_) | Expr::Const(_) | Expr::Macro(_) => {
                self.branching_or_plain(expr, span)
            }
            Expr::Let(_) => {
                let (cond, bound) = self.condition(expr);
                self.out.extend(bound);
                cond
            }
            Expr::Range(range) => {
                let ends: Vec<&Expr> = range.start.iter().chain(&range.end).map(|end| &**end).collect();
                let ends = self.all(ends);
                self.opaque("a range", ends, span)
            }
            Expr::Return(_)
            | Expr::Break(_)
            | Expr::Continue(_)
            | Expr::Assign(_)
            | Expr::Loop(_)
            | Expr::While(_)
            | Expr::ForLoop(_) => {
                self.into(expr, Sink::Nothing);
                self.add(ExprKind::Undefined, span)
            }
            _ => self.opaque("syntax that is not read", Vec::new(), span),
        }
    }

    /// Branches assign a variable; a macro that is one expression is that.
    fn branching_or_plain(&mut self, expr: &Expr, span: Span) -> ExprId {
        if let Expr::Macro(mac) = expr
            && let Some(value) = self.macro_value(&mac.mac, span)
        {
            return value;
        }
        if let Expr::Block(block) = expr
            && let [syn::Stmt::Expr(only, None)] = block.block.stmts.as_slice()
        {
            return self.expr(only);
        }
        self.branching(span, |this, sink| this.into(expr, sink))
    }

    /// Runs where it stands: who awaits it is not asked. One that returns early is called instead.
    fn async_block(&mut self, block: &syn::Block, span: Span) -> ExprId {
        self.branching(span, |this, sink| this.block(block, sink))
    }

    fn binary(&mut self, binary: &ExprBinary, span: Span) -> ExprId {
        if self.compound(binary) {
            return self.add(ExprKind::Undefined, span);
        }
        // A chain of sums is written flat: it can have hundreds of terms.
        if matches!(binary.op, BinOp::Add(_)) {
            let mut terms = vec![&*binary.right];
            let mut left = &*binary.left;
            while let Expr::Binary(inner) = left
                && matches!(inner.op, BinOp::Add(_))
            {
                terms.push(&inner.right);
                left = &inner.left;
            }
            terms.push(left);
            terms.reverse();
            let terms = self.all(terms);
            let is_text = terms.iter().any(|term| matches!(self.kind(*term), ExprKind::Text(_) | ExprKind::Concat(_)));
            return if is_text {
                self.add(ExprKind::Concat(terms), span)
            } else {
                self.opaque("arithmetic", terms, span)
            };
        }
        if matches!(binary.op, BinOp::And(_)) {
            let (cond, bound) = self.conjunction(binary, span);
            self.out.extend(bound);
            return cond;
        }
        let left = self.expr(&binary.left);
        let right = self.expr(&binary.right);
        match binary.op {
            BinOp::Or(_) => self.add(ExprKind::Fallback { left, right, when: Missing::Falsy }, span),
            BinOp::Eq(_) => self.add(ExprKind::Compare { left, right, equal: true }, span),
            BinOp::Ne(_) => self.add(ExprKind::Compare { left, right, equal: false }, span),
            BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_) => {
                self.opaque("a comparison", vec![left, right], span)
            }
            _ => self.opaque("arithmetic", vec![left, right], span),
        }
    }

    /// `a += b`; whether it is one.
    pub(super) fn compound(&mut self, binary: &ExprBinary) -> bool {
        let is_sum = matches!(binary.op, BinOp::AddAssign(_));
        let is_other = matches!(
            binary.op,
            BinOp::SubAssign(_)
                | BinOp::MulAssign(_)
                | BinOp::DivAssign(_)
                | BinOp::RemAssign(_)
                | BinOp::BitXorAssign(_)
                | BinOp::BitAndAssign(_)
                | BinOp::BitOrAssign(_)
                | BinOp::ShlAssign(_)
                | BinOp::ShrAssign(_)
        );
        if !is_sum && !is_other {
            return false;
        }
        let span = self.expr_span(&binary.left);
        let left = self.expr(&binary.left);
        let right = self.expr(&binary.right);
        let is_text = [left, right].iter().any(|id| matches!(self.kind(*id), ExprKind::Text(_) | ExprKind::Concat(_)));
        let value = if is_sum && is_text {
            self.add(ExprKind::Concat(vec![left, right]), span)
        } else {
            self.opaque("arithmetic", vec![left, right], span)
        };
        self.assign_to(&binary.left, value);
        true
    }

    pub(super) fn assignment(&mut self, assign: &ExprAssign) {
        let value = self.expr(&assign.right);
        self.assign_to(&assign.left, value);
    }

    fn assign_to(&mut self, target: &Expr, value: ExprId) {
        let span = Span { end: self.span_of(value).end, ..self.expr_span(target) };
        let mut target = target;
        loop {
            target = match target {
                Expr::Unary(unary) if matches!(unary.op, UnOp::Deref(_)) => &unary.expr,
                Expr::Paren(inner) => &inner.expr,
                Expr::Reference(inner) => &inner.expr,
                _ => break,
            };
        }
        match target {
            Expr::Tuple(tuple) => {
                let value = self.stable(value);
                for (at, part) in tuple.elems.iter().enumerate() {
                    let part_span = self.expr_span(part);
                    let inner = self.field(value, at.to_string(), part_span);
                    self.assign_to(part, inner);
                }
                return;
            }
            Expr::Infer(_) => {
                self.out.push(Stmt::Expr(value));
                return;
            }
            _ => {}
        }
        let place = self.expr(target);
        self.out.push(match self.place(place) {
            Some(target) => Stmt::Assign { target, value, span },
            None => Stmt::Expr(value),
        });
    }

    /// `S { a, ..base }`: a new object (or the base) whose fields are assigned one by one.
    fn struct_literal(&mut self, literal: &syn::ExprStruct, span: Span) -> ExprId {
        let steps = self.steps(&literal.path);
        let class = self.path(&steps);
        let fields: Vec<(String, Span, ExprId)> = literal
            .fields
            .iter()
            .map(|field| {
                let (name, span) = match &field.member {
                    Member::Named(name) => (plain(name), self.at_span(name.span())),
                    Member::Unnamed(index) => (index.index.to_string(), self.at_span(index.span)),
                };
                (name, span, self.expr(&field.expr))
            })
            .collect();
        let is_default = |expr: &Expr| match expr {
            Expr::Call(call) => matches!(&*call.func, Expr::Path(path)
                if path.path.segments.last().is_some_and(|segment| segment.ident == "default")),
            _ => false,
        };
        let made = match &literal.rest {
            Some(rest) if !is_default(rest) => self.expr(rest),
            _ => self.add(
                ExprKind::Call(Call { callee: class, args: Vec::new(), is_new: true, type_args: Vec::new() }),
                span,
            ),
        };
        let local = self.temporary(span);
        self.assign(local, made, span);
        for (name, name_span, value) in fields {
            let base = self.name(local, span);
            self.out.push(Stmt::Assign { target: Place::Field { base, name, name_span }, value, span: name_span });
        }
        self.name(local, span)
    }
}
