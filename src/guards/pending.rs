//! Look-ups that nobody waits for: what stands there is a promise, which passes every test, and whose failure stops nothing.

use crate::guards::walk::Walk;
use crate::rules::Tells;
use crate::summary::{CallValue, FunctionRef};

impl Walk<'_, '_> {
    /// Whether a function goes on from a call that gives a promise without having waited for it.
    pub(super) fn is_pending(&self, function: FunctionRef, call: &CallValue) -> bool {
        if self.graph.is_rust(function.file) || call.site.function != function || self.waits_by_callback(function, call)
        {
            return false;
        }
        let Some(declared) = self.graph.function(function) else { return false };
        let (span, text) = (call.site.span, &self.graph.sources.get(function.file).text);
        let part = |from: u32, to: u32| text.get(from as usize..to as usize).unwrap_or_default();
        let (before, behind) = (part(declared.span.start, span.start).trim_end(), part(span.end, declared.span.end));
        let chain = self.chain_behind(span);
        let is_dropped = before.ends_with([';', '{', '}']) || before.ends_with("void");
        let is_pending = if chain.trim_start().starts_with(".then") && is_dropped {
            // `find(id).then((user) => { req.user = user }); next()`
            let next = declared.params.last().map_or("", |param| param.name.as_str());
            let calls = |text: &str| !next.is_empty() && text.contains(&format!("{next}("));
            calls(behind.get(chain.len()..).unwrap_or_default()) && !calls(chain)
        } else if chain.trim_start().starts_with(['.', '?']) {
            false
        } else if before.ends_with([';', '{', '}']) || before.ends_with("void") {
            true
        } else {
            is_kept_as_it_is(before, behind)
        };
        is_pending && self.gives_promise(call)
    }

    /// Whether a call gives a promise: a function of the tree that says `async`, or a query of a library that is not known to run at once.
    fn gives_promise(&self, call: &CallValue) -> bool {
        let targets = self.graph.targets(call);
        if targets.is_empty() {
            let at_once = |name: &str| self.graph.rules.tells(Tells::AtOnce, name);
            return self.asks(call, true).is_some() && call.method().is_some_and(|name| !at_once(name));
        }
        targets.iter().all(|target| {
            let declared = self.graph.function(target.function);
            let text = declared.map_or("", |declared| self.graph.sources.text(declared.span));
            let head = text.split(['(', '=', '{']).next().unwrap_or_default();
            head.split_whitespace().any(|word| word == "async")
        })
    }
}

/// Whether what a call gives is put into a variable that the function never waits for: `const user = find(id); if (!user) ..`.
fn is_kept_as_it_is(before: &str, behind: &str) -> bool {
    let Some(declared) = before.strip_suffix('=') else { return false };
    let declared = declared.trim_end();
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let name = &declared[declared.trim_end_matches(is_name).len()..];
    let keyword = declared[..declared.len() - name.len()].trim_end();
    if name.is_empty() || !["const", "let", "var"].iter().any(|word| keyword.ends_with(word)) {
        return false;
    }
    // `await user`, `return user`, `user.then(..)`, `all([user, other])`
    let mentions = behind.match_indices(name).filter(|(at, _)| {
        let rest = &behind[at + name.len()..];
        !behind[..*at].ends_with(|c: char| is_name(c) || c == '.') && !rest.starts_with(is_name)
    });
    let mut mentions = mentions.peekable();
    mentions.peek().is_some()
        && mentions.all(|(at, _)| {
            let (left, right) = (behind[..at].trim_end(), behind[at + name.len()..].trim_start());
            let waits = ["await", "return", "yield", ",", "[", "=>"].iter().any(|word| left.ends_with(word));
            !waits && ![".then", ".catch", ".finally"].iter().any(|call| right.starts_with(call))
        })
}
