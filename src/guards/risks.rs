//! Reads that a NULL would break: what becomes of what was read, and whether the code asks before.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::Graph;
use crate::guards::asked::{looked_at, spans};
use crate::guards::claims::about;
use crate::guards::columns::{innermost, is_at};
use crate::guards::decoded::fails_on_null;
use crate::ir::{Binding, Expr, ExprKind, Function, FunctionId, LocalId, Module, Stmt};
use crate::provenance::{ColumnTrace, ReadKind};
use crate::schema::{ColumnId, Schema};
use crate::source::{Language, Span};
use crate::summary::{CallValue, FunctionRef, Shared, ValueKind};

/// A read of a tracked column that nothing keeps NULL from and that NULL would break.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Risk {
    pub column: ColumnId,
    pub read: Span,
    pub function: String,
    /// What becomes of it.
    pub what: &'static str,
}

/// The reads that a NULL would break, sorted.
pub(super) fn risks(graph: &Graph, schema: &Schema, traces: &[ColumnTrace]) -> Vec<Risk> {
    let mut found = BTreeSet::new();
    for trace in traces.iter().filter(|trace| schema.columns[trace.column.0].nullable != Some(false)) {
        let conditions = || trace.reads.iter().filter(|read| matches!(read.kind, ReadKind::Query | ReadKind::Guard));
        for read in &trace.reads {
            let mut add = |what| {
                found.insert(Risk { column: trace.column, read: read.span, function: read.function.clone(), what });
            };
            if graph.sources.get(read.span.file).language == Language::Sql {
                let column = &schema.columns[trace.column.0].column;
                if is_joined(&graph.sources.text(read.span).to_lowercase(), &column.to_lowercase()) {
                    add("joins it to a text");
                }
                continue;
            }
            if read.kind == ReadKind::Query && fails_on_null(graph, &schema.columns[trace.column.0].column, read.span) {
                add("decodes it into a type that holds no NULL,");
            }
            let Some(reader) = Reader::of(graph, read.span) else { continue };
            if reader.is_asked()
                || reader.is_chosen(
                    &schema.columns[trace.column.0].column,
                    &conditions().map(|read| read.span).collect::<Vec<_>>(),
                )
            {
                continue;
            }
            if let Some(what) = reader.breaks() {
                add(what);
            }
        }
    }
    found.into_iter().collect()
}

/// `'Bearer ' || u.access_token`: with NULL the whole is NULL.
fn is_joined(statement: &str, column: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.' || c == '"';
    let joined = |(at, _): (usize, &str)| {
        let before = statement.get(..at).unwrap_or_default().trim_end_matches(is_word).trim_end();
        let after = statement.get(at + column.len()..).unwrap_or_default().trim_start_matches('"').trim_start();
        before.ends_with("||") || after.starts_with("||")
    };
    let asks = ["coalesce", "is not null", "ifnull", "case "].iter().any(|word| statement.contains(word));
    !asks && statement.match_indices(column).any(joined)
}

/// The function around a read, and what goes by its name there.
pub(super) struct Reader<'g, 'a> {
    pub(super) graph: &'g Graph<'a>,
    pub(super) module: &'g Module,
    function: FunctionRef,
    pub(super) value: Shared,
    pub(super) read: Span,
    /// `accessToken` of `user.accessToken`.
    pub(super) name: String,
    /// The function and those around it, innermost first.
    pub(super) around: Vec<FunctionId>,
    /// Variables of these that hold it.
    holders: BTreeSet<LocalId>,
}

impl<'g, 'a> Reader<'g, 'a> {
    fn of(graph: &'g Graph<'a>, read: Span) -> Option<Self> {
        let function = innermost(graph, read)?;
        let module = graph.module(read.file)?;
        let value = graph.summary(function)?.reads.iter().find(|value| value.span == read)?;
        let ValueKind::Field(_, name) = &value.kind else { return None };
        let around: Vec<FunctionId> = std::iter::successors(Some(function.id), |id| module.function(*id).parent)
            .take_while(|id| id.at() > 0)
            .collect();
        let mut holders = BTreeSet::new();
        for id in &around {
            let Some(summary) = graph.summary(FunctionRef { file: read.file, id: *id }) else { continue };
            let holds = |values: &Vec<Shared>| {
                values.iter().any(|value| matches!(&value.kind, ValueKind::Field(_, own) if own == name))
            };
            holders.extend(summary.assigned.iter().filter(|(_, values)| holds(values)).map(|(local, _)| *local));
        }
        Some(Self { graph, module, function, value: Arc::clone(value), read, name: name.clone(), around, holders })
    }

    fn behind(&self, span: Span) -> &'g str {
        self.graph.sources.get(span.file).text.get(span.end as usize..).unwrap_or_default().trim_start()
    }

    /// Whether the code goes on at once with what stands there: `token.length`, `token.unwrap()`. Methods that are followed as the
    /// value that they give leave no call behind.
    pub(super) fn is_taken(&self, span: Span) -> bool {
        let behind = self.behind(span);
        if !self.graph.is_rust(span.file) {
            return behind.strip_prefix('!').unwrap_or(behind).starts_with('.');
        }
        let mut rest = behind;
        while let Some(next) =
            [".clone()", ".as_ref()", ".as_deref()", ".take()"].iter().find_map(|same| rest.strip_prefix(same))
        {
            rest = next.trim_start();
        }
        rest.starts_with(".unwrap()") || rest.starts_with(".expect(")
    }

    /// Where a field of that name, or what holds it, stands in the function or those around it, but not where it is taken apart.
    pub(super) fn mentions(&self) -> impl Iterator<Item = &'g Expr> + '_ {
        let is_meant = |expr: &&Expr| match &expr.kind {
            ExprKind::Field { name, .. } => *name == self.name,
            ExprKind::Name(Binding::Local(local)) => self.holders.contains(local),
            _ => false,
        };
        self.module
            .exprs
            .iter()
            .filter(is_meant)
            .filter(|expr| !self.is_taken(expr.span))
            .filter(|expr| innermost_in(self.module, expr.span).is_some_and(|id| self.around.contains(&id)))
    }

    /// What becomes of it that NULL would break.
    fn breaks(&self) -> Option<&'static str> {
        let is_rust = self.graph.is_rust(self.read.file);
        let uses = self.module.exprs.iter().filter(|expr| {
            matches!(&expr.kind, ExprKind::Name(Binding::Local(local)) if self.holders.contains(local))
                && innermost_in(self.module, expr.span).is_some_and(|id| self.around.contains(&id))
        });
        if self.is_taken(self.read) || uses.into_iter().any(|expr| self.is_taken(expr.span)) {
            return (!self.is_caught()).then_some(if is_rust { "unwraps it" } else { "takes a part of it" });
        }
        // What is called on an `Option`, or takes one, is prepared for it.
        if is_rust {
            return None;
        }
        let summary = self.graph.summary(self.function)?;
        for event in &summary.calls {
            // `user.token?.split('.')[1]` ends with the whole chain.
            let is_optional = self.behind(self.read).starts_with("?.");
            if !is_optional && event.call.receiver().is_some_and(|receiver| is_at(receiver, self.read)) {
                return (!self.is_caught()).then_some("calls a method of it");
            }
            if event.call.args.iter().any(|arg| in_text(&arg.value, self.read, 12)) && !self.tells(&event.call) {
                return Some("puts it into a text");
            }
            // Such a call fails for a wrong value too: who catches that is prepared.
            if self.is_demanded_by(&event.call) && !self.is_tried() {
                return Some("hands it to what throws on NULL,");
            }
        }
        let texts = summary.returns.as_ref().is_some_and(|returned| in_text(returned, self.read, 12));
        texts.then_some("puts it into a text")
    }

    /// Whether a call is handed the read and cannot do without: a row says so, or a function of the tree takes its parameter apart.
    fn is_demanded_by(&self, call: &CallValue) -> bool {
        let Some(at) = call.args.iter().position(|arg| is_at(&arg.value, self.read)) else { return false };
        let rows = about(self.graph, self.graph.rules.demands_named(call.method()).filter(|row| !row.asks), call);
        let mut paths = rows.into_iter().flat_map(|row| &row.at);
        if paths.any(|path| self.graph.argument(call, path).iter().any(|value| is_at(value, self.read))) {
            return true;
        }
        let targets = self.graph.targets(call);
        !targets.is_empty() && targets.iter().all(|target| takes_apart(self.graph, target.function, at))
    }

    pub(super) fn is_demanded(&self, mention: Span) -> bool {
        let Some(summary) = self.graph.summary(self.function) else { return false };
        summary.calls.iter().any(|event| contains(event.span(), mention) && self.is_demanded_by(&event.call))
    }

    /// Whether it stands in a `try` whose `catch` goes on without an error.
    fn is_caught(&self) -> bool {
        self.around.iter().any(|id| is_caught(self.module, self.module.function(*id), self.read, false))
    }

    fn is_tried(&self) -> bool {
        self.around.iter().any(|id| is_caught(self.module, self.module.function(*id), self.read, true))
    }
}

/// Whether a function takes its parameter apart without a look at whether it is there.
fn takes_apart(graph: &Graph, function: FunctionRef, at: usize) -> bool {
    let (Some(module), Some(declared)) = (graph.module(function.file), graph.function(function)) else { return false };
    let Some(param) = declared.params.get(at).filter(|param| !param.optional && !param.name.is_empty()) else {
        return false;
    };
    let is_it = |expr: &&Expr| matches!(&expr.kind, ExprKind::Name(Binding::Local(local)) if *local == param.local);
    let conditions = looked_at(module, &declared.body);
    let behind = |span: Span| graph.sources.get(span.file).text.get(span.end as usize..).unwrap_or_default();
    let uses: Vec<&Expr> = module.exprs.iter().filter(is_it).collect();
    let is_asked = uses.iter().any(|expr| conditions.iter().any(|condition| contains(*condition, expr.span)));
    !graph.is_rust(function.file)
        && !is_asked
        && uses.iter().any(|expr| behind(expr.span).starts_with('.') && !is_caught(module, declared, expr.span, true))
}

fn in_text(value: &Shared, read: Span, fuel: u8) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    match &value.kind {
        ValueKind::Concat(parts) => parts.iter().any(|part| is_at(part, read)),
        ValueKind::Call(_) => false,
        kind => {
            let mut found = false;
            kind.each(&mut |inner| found = found || in_text(inner, read, fuel));
            found
        }
    }
}

pub(super) fn contains(outer: Span, inner: Span) -> bool {
    outer.file == inner.file && outer.start <= inner.start && inner.end <= outer.end
}

pub(super) fn innermost_in(module: &Module, span: Span) -> Option<FunctionId> {
    let functions = module.functions.iter().enumerate();
    let around = functions.filter(|(at, function)| *at > 0 && contains(function.span, span));
    around.min_by_key(|(_, function)| function.span.end - function.span.start).map(|(at, _)| FunctionId::of(at))
}

/// Whether a place lies in a `try` with a `catch`: one that neither throws nor answers, so that what broke is passed over, or any.
fn is_caught(module: &Module, function: &Function, place: Span, any: bool) -> bool {
    fn visit(module: &Module, statements: &[Stmt], place: Span, any: bool) -> bool {
        statements.iter().any(|statement| match statement {
            Stmt::If { then, otherwise, .. } => visit(module, then, place, any) || visit(module, otherwise, place, any),
            Stmt::Loop { body } => visit(module, body, place, any),
            Stmt::Try { body, catch, finally } => {
                let handled = !catch.is_empty()
                    && (any || !gives_up(catch))
                    && spans(module, body).iter().any(|span| contains(*span, place));
                handled || [body, catch, finally].into_iter().any(|part| visit(module, part, place, any))
            }
            _ => false,
        })
    }
    fn gives_up(catch: &[Stmt]) -> bool {
        catch.iter().any(|statement| match statement {
            Stmt::Throw(_) | Stmt::Expr(_) => true,
            Stmt::If { then, otherwise, .. } => gives_up(then) || gives_up(otherwise),
            _ => false,
        })
    }
    visit(module, &function.body, place, any)
}
