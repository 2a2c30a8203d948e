//! Expressions of SQL -> [`SqlValue`]s.

use sqlparser::ast::{
    AccessExpr, BinaryOperator, DollarQuotedString, Expr, Function, FunctionArguments, Ident, Query, SetExpr, Spanned,
    UnaryOperator, Value,
};
use sqlparser::tokenizer::Span as LineSpan;

use crate::frontend::sql::ast::Piece;
use crate::frontend::sql::relation::{Scope, argument, ident, last_name};
use crate::frontend::sql::text::{Piece as Part, hole, pieces, shown};
use crate::ir::{SqlValue, SqlValueKind};

/// Expressions nested deeper than this are opaque.
const MAX_NESTING: usize = 100;

/// Reads values of one statement.
pub(crate) struct Values<'a> {
    pub(crate) piece: &'a Piece<'a>,
}

impl Values<'_> {
    /// The rows that a query yields: of `VALUES` each its own, of a `SELECT` one.
    pub(crate) fn rows(&self, query: &Query, scope: &Scope) -> Vec<Vec<SqlValue>> {
        let mut scope = scope.clone();
        self.add_ctes(query.with.as_ref(), &mut scope);
        self.body_rows(&query.body, &scope, 0)
    }

    fn body_rows(&self, body: &SetExpr, scope: &Scope, depth: usize) -> Vec<Vec<SqlValue>> {
        match body {
            SetExpr::Values(values) => {
                let scope = Scope { is_row: true, ..scope.clone() };
                values
                    .rows
                    .iter()
                    .map(|row| row.content.iter().map(|expr| self.value(expr, &scope)).collect())
                    .collect()
            }
            SetExpr::Select(select) => vec![self.projection(select, scope)],
            SetExpr::Query(query) if depth < MAX_NESTING => self.body_rows(&query.body, scope, depth + 1),
            SetExpr::SetOperation { left, right, .. } if depth < MAX_NESTING => {
                let mut rows = self.body_rows(left, scope, depth + 1);
                rows.extend(self.body_rows(right, scope, depth + 1));
                rows
            }
            other => vec![vec![self.opaque(other, other.span())]],
        }
    }

    /// What is not modelled, as its text.
    pub(crate) fn opaque(&self, node: &dyn std::fmt::Display, at: LineSpan) -> SqlValue {
        let text = shown(&node.to_string());
        SqlValue { kind: SqlValueKind::Opaque(text.chars().take(200).collect()), span: self.piece.span(at) }
    }

    pub(crate) fn value(&self, expr: &Expr, scope: &Scope) -> SqlValue {
        self.nested(expr, scope, 0)
    }

    fn nested(&self, expr: &Expr, scope: &Scope, depth: usize) -> SqlValue {
        let at = expr.span();
        if depth > MAX_NESTING {
            return SqlValue { kind: SqlValueKind::Opaque("nested too deeply".to_owned()), span: self.piece.span(at) };
        }
        let deeper = |expr: &Expr| self.nested(expr, scope, depth + 1);
        let call = |name: &str, args: Vec<SqlValue>| SqlValueKind::Call { name: name.to_owned(), args };
        let kind = match expr {
            Expr::Nested(inner)
            | Expr::Cast { expr: inner, .. }
            | Expr::Convert { expr: inner, .. }
            | Expr::Collate { expr: inner, .. }
            | Expr::AtTimeZone { timestamp: inner, .. }
            | Expr::Prefixed { value: inner, .. } => return deeper(inner),
            Expr::Value(value) => self.literal(&value.value, value.span),
            Expr::Identifier(name) => self.identifier(name, scope),
            Expr::CompoundIdentifier(parts) => compound(parts, scope),
            Expr::CompoundFieldAccess { root, access_chain } => match access_chain.as_slice() {
                // `(EXCLUDED).x` and the like.
                [AccessExpr::Dot(Expr::Identifier(last))] if matches!(root.as_ref(), Expr::Identifier(_)) => {
                    let Expr::Identifier(first) = root.as_ref() else { return self.opaque(expr, at) };
                    compound(&[first.clone(), last.clone()], scope)
                }
                _ => return self.opaque(expr, at),
            },
            Expr::Function(function) => return self.function(function, scope, depth),
            Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => {
                let mut parts = Vec::new();
                for side in [deeper(left), deeper(right)] {
                    match side.kind {
                        SqlValueKind::Concat(inner) => parts.extend(inner),
                        _ => parts.push(side),
                    }
                }
                SqlValueKind::Concat(parts)
            }
            Expr::Case { conditions, else_result, .. } => {
                let mut results: Vec<SqlValue> = conditions.iter().map(|when| deeper(&when.result)).collect();
                let span = self.piece.span(at);
                let null = SqlValue { kind: SqlValueKind::Null, span };
                results.push(else_result.as_ref().map_or(null, |expr| deeper(expr)));
                SqlValueKind::Case(results)
            }
            Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr: inner } => match deeper(inner).kind {
                SqlValueKind::Literal(number) => SqlValueKind::Literal(format!("-{number}")),
                _ => return self.opaque(expr, at),
            },
            Expr::TypedString(typed) => SqlValueKind::Literal(shown(&typed.value.to_string())),
            Expr::Interval(_) => SqlValueKind::Literal(shown(&expr.to_string())),
            Expr::Trim { expr: inner, .. } => call("trim", vec![deeper(inner)]),
            Expr::Substring { expr: inner, .. } => call("substring", vec![deeper(inner)]),
            Expr::Overlay { expr: inner, overlay_what, .. } => {
                call("overlay", vec![deeper(inner), deeper(overlay_what)])
            }
            Expr::Subquery(query) => return self.subquery(query, scope, at, depth),
            _ => return self.opaque(expr, at),
        };
        SqlValue { kind, span: self.piece.span(at) }
    }

    /// `(SELECT $1)` is the value; a query of a table is opaque.
    fn subquery(&self, query: &Query, scope: &Scope, at: LineSpan, depth: usize) -> SqlValue {
        if let SetExpr::Select(select) = query.body.as_ref()
            && select.from.is_empty()
            && select.selection.is_none()
            && let [sqlparser::ast::SelectItem::UnnamedExpr(inner)] = select.projection.as_slice()
        {
            return self.nested(inner, scope, depth + 1);
        }
        self.opaque(&format!("({query})"), at)
    }

    fn literal(&self, value: &Value, at: LineSpan) -> SqlValueKind {
        match value {
            Value::Null => SqlValueKind::Null,
            Value::Placeholder(name) => self.placeholder(name, at),
            Value::SingleQuotedString(text)
            | Value::EscapedStringLiteral(text)
            | Value::UnicodeStringLiteral(text)
            | Value::NationalStringLiteral(text)
            | Value::DoubleQuotedString(text)
            | Value::TripleSingleQuotedString(text)
            | Value::TripleDoubleQuotedString(text)
            | Value::SingleQuotedRawStringLiteral(text)
            | Value::DoubleQuotedRawStringLiteral(text)
            | Value::DollarQuotedString(DollarQuotedString { value: text, .. }) => self.text(text, at),
            other => SqlValueKind::Literal(shown(&other.to_string())),
        }
    }

    /// A quoted text with substitutions in it is put together from them.
    fn text(&self, text: &str, at: LineSpan) -> SqlValueKind {
        let parts = pieces(text);
        if !parts.iter().any(|part| matches!(part, Part::Hole(hole) if self.piece.text.has_hole(*hole))) {
            return SqlValueKind::Text(text.to_owned());
        }
        let span = self.piece.span(at);
        let mut kinds: Vec<SqlValueKind> = parts
            .into_iter()
            .map(|part| match part {
                Part::Text(text) => SqlValueKind::Text(text.to_owned()),
                Part::Hole(hole) => SqlValueKind::Hole(hole),
            })
            .collect();
        if kinds.len() == 1 {
            return kinds.remove(0);
        }
        SqlValueKind::Concat(kinds.into_iter().map(|kind| SqlValue { kind, span }).collect())
    }

    fn placeholder(&self, name: &str, at: LineSpan) -> SqlValueKind {
        if name == "?" {
            let number = self.piece.bytes(at).and_then(|bytes| self.piece.text.question(bytes.start));
            return number.map_or_else(|| SqlValueKind::Opaque("?".to_owned()), SqlValueKind::Placeholder);
        }
        placeholder(name)
    }

    fn identifier(&self, name: &Ident, scope: &Scope) -> SqlValueKind {
        if let Some(hole) = hole(&name.value).filter(|hole| self.piece.text.has_hole(*hole)) {
            return SqlValueKind::Hole(hole);
        }
        if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("DEFAULT") {
            return SqlValueKind::Default;
        }
        if name.quote_style.is_none() && name.value.starts_with('@') {
            return placeholder(&name.value);
        }
        if scope.is_row && name.quote_style == Some('"') {
            return self.text(&name.value, name.span);
        }
        scope.column(None, ident(name))
    }

    fn function(&self, function: &Function, scope: &Scope, depth: usize) -> SqlValue {
        let span = self.piece.span(function.span());
        let name = shown(&function.name.to_string()).replace(['"', '`'], "").to_ascii_lowercase();
        let args: Vec<SqlValue> = match &function.args {
            FunctionArguments::List(list) => {
                list.args.iter().filter_map(argument).map(|expr| self.nested(expr, scope, depth + 1)).collect()
            }
            _ => Vec::new(),
        };
        let first_column = || match args.first().map(|arg| &arg.kind) {
            Some(SqlValueKind::Column(column)) => column.rsplit('.').next().map(str::to_owned),
            _ => None,
        };
        let kind = match (last_name(&function.name).to_ascii_lowercase().as_str(), args.len()) {
            ("coalesce", 1..) | ("ifnull" | "nvl" | "isnull", 2) => SqlValueKind::Coalesce(args),
            ("concat", 1..) => SqlValueKind::Concat(args),
            ("concat_ws", 2..) => SqlValueKind::Concat(args.into_iter().skip(1).collect()),
            ("if" | "iif" | "nvl2", 3) => SqlValueKind::Case(args.into_iter().skip(1).collect()),
            ("values" | "value", 1) => match first_column() {
                Some(column) => SqlValueKind::Excluded(column),
                None => SqlValueKind::Call { name, args },
            },
            ("default", 1) => SqlValueKind::Default,
            _ => SqlValueKind::Call { name, args },
        };
        SqlValue { kind, span }
    }
}

/// `$2` is 1, `?3` is 2; `:name`, `@name` and `$name` have names; a number that is put together at run time has neither.
pub(crate) fn placeholder(name: &str) -> SqlValueKind {
    let bare = name.trim_start_matches(['$', '?', ':', '@']);
    if let Ok(number) = bare.parse::<usize>() {
        return number.checked_sub(1).map_or_else(|| SqlValueKind::Opaque(name.to_owned()), SqlValueKind::Placeholder);
    }
    if bare.is_empty() || pieces(bare).iter().any(|part| matches!(part, Part::Hole(_))) {
        return SqlValueKind::Opaque(shown(name));
    }
    SqlValueKind::Named(bare.to_owned())
}

fn compound(parts: &[Ident], scope: &Scope) -> SqlValueKind {
    let Some((last, before)) = parts.split_last() else { return SqlValueKind::Opaque(String::new()) };
    let qualifier = before.last().map(ident);
    scope.column(qualifier.as_deref(), ident(last))
}
