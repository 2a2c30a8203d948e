//! What the code calls what a call gives, where it puts it: `{ refreshToken: sign(id) }`, `res.cookie('refreshToken', sign(id))`.

use crate::graph::Graph;
use crate::rules::Tells;
use crate::source::Span;
use crate::summary::{CallValue, FunctionRef};

/// Whether the key, the call, what it gives or the function around it is named for tokens that do not let in call by call.
pub(super) fn is_of_another(graph: &Graph, function: FunctionRef, call: &CallValue, key: Option<&str>) -> bool {
    let (name, own) = (called(graph, call.site.span), graph.sources.text(call.site.span));
    let text = format!("{} {name} {own} {}", graph.name(function), key.unwrap_or(""));
    graph.rules.tells(Tells::Errand, &text.to_lowercase())
}

/// The name before a call, on the same line: a key, a variable, a field, a text that is handed over beside. Empty: none.
fn called<'s>(graph: &Graph<'s>, call: Span) -> &'s str {
    let source = graph.sources.get(call.file);
    let before = source.text.get(..call.start as usize).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default().trim_end();
    let line = line.strip_suffix("await").unwrap_or(line).trim_end();
    let Some(rest) = line.strip_suffix([':', '=', ',']) else { return "" };
    let (rest, is_listed) = (rest.trim_end(), line.ends_with(','));
    let is_name = |c: char| c.is_alphanumeric() || "_-$.".contains(c);
    let quoted = rest.strip_suffix(['\'', '"', '`']);
    if is_listed && quoted.is_none() {
        return "";
    }
    let text = quoted.unwrap_or(rest);
    let start =
        text.rfind(|c: char| !is_name(c)).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    &text[start..]
}
