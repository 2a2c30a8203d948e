//! Where Rust code makes an error of what was not found: `.ok_or(..)` vanishes at lowering, so the text tells.

use crate::guards::walk::Walk;
use crate::source::Span;
use crate::summary::CallValue;

const MAKE_ERRORS: [&str; 3] = [".ok_or", ".context(", ".with_context("];
const END: [&str; 3] = ["?", ".unwrap()", ".expect("];

impl Walk<'_, '_> {
    /// Whether Rust code goes on from a call by an error where nothing was found, at once or from the variable that its result is put into.
    pub(super) fn refuses(&self, call: &CallValue) -> bool {
        let span = call.site.span;
        if !self.graph.is_rust(span.file) {
            return false;
        }
        let rest = self.chain_behind(span);
        MAKE_ERRORS.iter().any(|name| rest.contains(name)) || self.refuses_by_variable(call)
    }

    /// `let user = find(id).await; user.map_err(internal)?.ok_or(UNAUTHORIZED)?;`, on every way from there.
    fn refuses_by_variable(&self, call: &CallValue) -> bool {
        let Some(declared) = self.graph.function(call.site.function) else { return false };
        let (span, text) = (call.site.span, &self.graph.sources.get(call.site.span.file).text);
        let part = |from: u32, to: u32| text.get(from as usize..to as usize).unwrap_or_default();
        let before = part(declared.span.start, span.start);
        let Some(name) = declared_last(before) else { return false };
        let behind = part(span.end, declared.span.end);
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        behind.match_indices(name).any(|(at, _)| {
            let (left, right) = (&behind[..at], &behind[at + name.len()..]);
            let is_it = !left.ends_with(|c: char| is_name(c) || c == '.') && !right.starts_with(is_name);
            let end = span.end + u32::try_from(at + name.len()).unwrap_or(u32::MAX);
            let chain = || self.chain_behind(Span { end, ..span });
            is_it && !is_within_block(left) && is_error(chain())
        })
    }
}

/// The variable whose declaration a text ends in: `let mut user: Option<User> =`.
fn declared_last(before: &str) -> Option<&str> {
    let declared = before.trim_end().strip_suffix('=')?.rsplit([';', '{', '}']).next()?.trim_start();
    let pattern = declared.strip_prefix("let ")?.trim_start();
    let pattern = pattern.strip_prefix("mut ").unwrap_or(pattern).trim();
    let name = pattern.split(':').next()?.trim_end();
    (!name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')).then_some(name)
}

/// Whether a block is open at the end of a text, which may not be executed.
fn is_within_block(text: &str) -> bool {
    text.matches('{').count() > text.matches('}').count()
}

/// Whether a chain makes an error of nothing and ends the function by it.
fn is_error(chain: &str) -> bool {
    let behind = MAKE_ERRORS.iter().find_map(|name| Some(chain.split_once(name)?.1));
    behind.is_some_and(|behind| END.iter().any(|end| behind.contains(end)))
}
