//! Values that Rust code reads as a type which holds no NULL: `let token: String = query_scalar("SELECT access_token ..").fetch_one(..)`.

use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::guards::claims::{about, holds_call};
use crate::guards::columns::innermost;
use crate::ir::{ExprId, FieldDecl, Place, SqlOutput, SqlStatement, Stmt, TypeRef};
use crate::rules::{SqlCall, Tells};
use crate::source::Span;
use crate::summary::{CallValue, FunctionRef, Shared, ValueKind};

/// Whether the query at a place fails where a row has NULL in the column. What is not told is no.
pub(super) fn fails_on_null(graph: &Graph, column: &str, read: Span) -> bool {
    graph.is_rust(read.file) && Query::at(graph, read).is_some_and(|query| query.fails(column))
}

struct Query<'g, 'a> {
    graph: &'g Graph<'a>,
    function: FunctionRef,
    row: &'g SqlCall,
    /// The end of the chain, `fetch_one`, and where it starts, `query_as`.
    call: Arc<CallValue>,
    start: Arc<CallValue>,
    text: Shared,
    /// What the chain starts with is called.
    name: String,
}

impl<'g, 'a> Query<'g, 'a> {
    fn at(graph: &'g Graph<'a>, read: Span) -> Option<Self> {
        let function = innermost(graph, read)?;
        let calls = graph.summary(function)?.calls.iter().map(|event| &event.call);
        let around = calls.filter(|call| call.site.span.start <= read.start && read.end <= call.site.span.end);
        let mut found = around.filter_map(|call| {
            let rows = about(graph, graph.rules.sqls_named(call.method()), call);
            let start = start_of(call)?;
            let path = graph.callee_path(&start)?;
            let name = path.rsplit(['#', '.']).next().unwrap_or(&path).to_owned();
            let row = rows.into_iter().find(|row| row.after.as_ref() == Some(&name))?;
            let text = graph.argument(&start, &row.text).into_iter().next()?;
            Some(Self { graph, function, row, call: Arc::clone(call), start, text, name })
        });
        found.next()
    }

    fn fails(&self, column: &str) -> bool {
        let ValueKind::Sql(text, _) = &self.graph.resolved(&self.text).kind else { return false };
        let Some(SqlStatement::Select { outputs, .. }) = text.statements.last() else { return false };
        // Chosen by the column, or asked whether it is there.
        let written = self.graph.sources.text(self.text.span).to_lowercase();
        let chosen = written.split_once("where").is_some_and(|(_, behind)| behind.contains(&column.to_lowercase()));
        let is_it = |output: &SqlOutput| output.column.as_deref().is_some_and(|of| of.eq_ignore_ascii_case(column));
        let Some(at) = outputs.iter().position(is_it) else { return false };
        let key = &outputs[at].name;
        if chosen || self.is_caught() {
            return false;
        }
        // A macro asks the database whether NULL may stand there, unless it is told otherwise.
        if self.name.ends_with('!') {
            return written.contains(&format!("{}!", key.to_lowercase()));
        }
        let Some((ty, written)) = self.decoded() else { return false };
        if self.row.scalar {
            return at == 0 && self.is_bare(&written);
        }
        if let Some(members) = written.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            return split(members).get(at).is_some_and(|member| self.is_bare(member));
        }
        let row = ty.map(|ty| self.graph.resolve_type(self.function.file, &ty));
        let Some(Type::Instance(class, _)) = row else { return false };
        let named = |field: &&FieldDecl| field.name == *key && field.decorators.is_empty();
        let field = self.graph.class(class).and_then(|declared| declared.fields.iter().find(named));
        field.is_some_and(|field| self.is_bare(self.graph.sources.text(field.type_span)))
    }

    /// The type that a row is read as, and how it is written.
    fn decoded(&self) -> Option<(Option<TypeRef>, String)> {
        let sources = self.graph.sources;
        if let Some(ty) = self.start.type_args.last() {
            let text = sources.text(self.start.site.span);
            let (_, behind) = text.split_once("::<")?;
            let (args, _) = behind.split_once(">(")?;
            return Some((Some(ty.clone()), (*split(args).last()?).to_owned()));
        }
        let module = self.graph.module(self.function.file)?;
        let declared = module.function(self.function.id);
        let holds = |value: &ExprId| {
            let (outer, inner) = (module.expr(*value).span, self.call.site.span);
            outer.start <= inner.start && inner.end <= outer.end
        };
        let assigned = declared.body.iter().find_map(|statement| match statement {
            Stmt::Assign { target: Place::Local(local), value, .. } if holds(value) => module.locals.get(local.at()),
            _ => None,
        });
        let all = &sources.get(self.function.file).text;
        // `let (id, token): (String, String) = `
        let before = all.get(..self.call.site.span.start as usize)?.rsplit([';', '{', '}']).next()?;
        let (ty, written) = if let Some((_, head)) = before.split_once("let ") {
            let (_, written) = head.trim_end().strip_suffix('=')?.split_once(": ")?;
            (assigned.and_then(|local| local.ty.clone()), written)
        } else {
            let returned = self.graph.summary(self.function)?.returns.as_ref()?;
            if !holds_call(returned, self.call.site) {
                return None;
            }
            let behind = all.get(declared.name_span.end as usize..)?;
            (declared.returns.clone(), behind.split_once("->")?.1.split('{').next()?)
        };
        // What the call gives, around what a row is read as.
        let plain = inside(written, "Result").unwrap_or(written.trim());
        let written = match inside(plain, "Vec") {
            Some(row) => row,
            None if self.row.fails => plain,
            None => inside(plain, "Option")?,
        };
        Some((ty, written.trim().to_owned()))
    }

    /// Whether a type holds no NULL.
    fn is_bare(&self, written: &str) -> bool {
        let name = written.split('<').next().unwrap_or(written).rsplit("::").next().unwrap_or(written);
        self.graph.rules.tells(Tells::NeverNull, &name.trim().to_lowercase())
    }

    /// Whether the code goes on where the query fails.
    fn is_caught(&self) -> bool {
        let text = &self.graph.sources.get(self.function.file).text;
        let span = self.call.site.span;
        let before = text.get(..span.start as usize).unwrap_or_default();
        let before = before.rsplit([';', '{', '}']).next().unwrap_or_default();
        let behind =
            text.get(span.end as usize..).unwrap_or_default().split([';', '{', '}']).next().unwrap_or_default();
        before.contains("Ok(") || before.contains("match ") || behind.contains(".ok()") || behind.contains(".unwrap_or")
    }
}

/// The call that a chain starts with.
fn start_of(call: &Arc<CallValue>) -> Option<Arc<CallValue>> {
    let mut at = Arc::clone(call);
    for _ in 0..20 {
        let Some(receiver) = at.receiver() else { return Some(at) };
        let ValueKind::Call(inner) = &receiver.kind else { return None };
        at = Arc::clone(inner);
    }
    None
}

/// `String` of `sqlx::Result<String>`, the first of what a wrapper of that name holds.
fn inside<'t>(written: &'t str, wrapper: &str) -> Option<&'t str> {
    let (name, rest) = written.trim().split_once('<')?;
    (name.trim().rsplit("::").next() == Some(wrapper)).then_some(())?;
    split(rest.trim_end().strip_suffix('>')?).first().copied()
}

/// The parts between the commas that stand in no brackets.
fn split(written: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_u32);
    for (at, c) in written.char_indices() {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(written[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(written[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}
