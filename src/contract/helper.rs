//! The function that puts the stored value where the fresh token belongs.
//!
//! A path that mints and yet writes the stored value back goes wrong in one function: the one that reads the row. It is found by
//! the trail, which leads from the written value back to the row: the function with the hop that takes the property out of the row is
//! the helper; where that is none of the path's, the first call on the path with a hop of the trail inside hands the stored value on.

use crate::contract::case::Case;
use crate::contract::practice::Write;
use crate::provenance::Path;
use crate::source::Span;

#[derive(Clone, Debug)]
pub(crate) struct Helper<'a> {
    pub(crate) function: &'a str,
    /// Where the path calls it; `None` where it is the entry point itself.
    pub(crate) called_at: Option<Span>,
    /// Where it puts the stored value.
    pub(crate) at: Span,
    pub(crate) token: Token,
}

/// How the helper stands to the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// Its call hands in nothing that could be the token.
    NoParameter,
    /// The same, though it has a parameter that it could be.
    NotHandedIn,
    /// Minted in the helper itself, or handed in.
    AtHand,
}

impl<'a> Helper<'a> {
    pub(crate) fn of(case: &Case<'a>, write: Write<'a>) -> Self {
        let (site, path) = (write.site, write.path);
        let text = |span: Span| case.facts.sources.text(span);
        let property = case.property(site.model);
        let in_trail = |outer: Span| path.trail.iter().map(|hop| hop.span).filter(move |hop| contains(outer, *hop));
        let steps = path.steps.as_slice();
        let reader = reader(path, |hop| names(text(hop), property));
        let of_reader = reader.map(|reader| steps.iter().rposition(|step| contains(reader, step.span)));
        let reads = || steps.iter().position(|step| in_trail(step.span).any(|hop| text(hop).contains(property)));
        let passes = || steps.iter().position(|step| in_trail(step.span).next().is_some());
        // The write itself is a hop of every trail.
        let at_site = || in_trail(site.span).any(|hop| hop != site.span);
        let by_calls = || reads().or_else(passes).or_else(|| if at_site() { None } else { steps.len().checked_sub(1) });
        let step = of_reader.unwrap_or_else(by_calls);
        let (function, at, before) = match step.and_then(|at| Some((at, steps.get(at)?))) {
            Some((index, step)) => (step.function.as_str(), step.span, index.checked_sub(1)),
            // A statement that is kept can be run by several functions: an entry point that runs it itself goes by its own name.
            None if steps.is_empty() && path.entered.is_none() => (path.entry.name.as_str(), site.value, None),
            None => (site.function.as_str(), site.value, steps.len().checked_sub(1)),
        };
        let call = before.map_or(path.entered.as_ref(), |before| steps.get(before));
        let called_at = call.map(|step| step.span);
        let minted_there = path.mints.iter().any(|mint| {
            let between = Span { start: mint.span.end, end: at.start, ..at };
            mint.span.file == at.file && mint.span.end <= at.start && stays_in_block(text(between))
        });
        let mints = path.functions.iter().any(|function| function.mints && contains(function.span, at));
        let handed_in = call.is_some_and(|step| step.hands_token || hands_token(text(step.span), property));
        let at_hand = minted_there || mints || handed_in || called_at.is_none() && function == path.entry.name;
        let takes_one = || reader.is_some_and(|reader| hands_token(parameters(text(reader)), property));
        let token = match at_hand {
            true => Token::AtHand,
            false if takes_one() => Token::NotHandedIn,
            false => Token::NoParameter,
        };
        Self { function, called_at, at, token }
    }
}

/// The function of the path that takes the stored value out of the row: the last hop that is written as the property stands in it.
fn reader(path: &Path, is_read: impl Fn(Span) -> bool) -> Option<Span> {
    let hop = path.trail.iter().skip(1).rev().find(|hop| is_read(hop.span))?;
    let around = path.functions.iter().filter(|function| contains(function.span, hop.span));
    // A closure counts as the function around it.
    around.max_by_key(|function| function.span.end - function.span.start).map(|function| function.span)
}

/// Whether an expression is a read of the property: `user.accessToken`, `row['accessToken']`.
fn names(expression: &str, property: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let before = expression.trim_end_matches(|c: char| !is_part(c)).strip_suffix(property);
    before.is_some_and(|before| !before.ends_with(is_part))
}

/// The text of a function up to the end of its first parentheses.
fn parameters(function: &str) -> &str {
    let mut depth = 0_usize;
    for (at, byte) in function.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' if depth <= 1 => return &function[..at],
            b')' => depth -= 1,
            _ => {}
        }
    }
    function
}

pub(crate) fn contains(outer: Span, inner: Span) -> bool {
    outer.file == inner.file && outer.start <= inner.start && inner.end <= outer.end
}

/// Whether reading on from inside a block never leaves it.
fn stays_in_block(text: &str) -> bool {
    let mut depth = 0_i64;
    text.bytes().all(|byte| {
        depth += i64::from(byte == b'{') - i64::from(byte == b'}');
        depth >= 0
    })
}

/// Whether something that the call hands in is named like a token.
fn hands_token(call: &str, property: &str) -> bool {
    let Some((_, arguments)) = call.split_once('(') else { return false };
    let arguments = arguments.to_lowercase();
    ["token", "jwt", &property.to_lowercase()].iter().any(|word| arguments.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaving_a_block_is_noticed() {
        assert!(stays_in_block("; if (x) { y() } z("));
        assert!(!stays_in_block("; }\n  async other() { z("));
    }

    #[test]
    fn a_read_of_the_property_ends_with_its_name() {
        assert!(
            ["user.accessToken", "row['accessToken']", "accessToken"].iter().all(|read| names(read, "accessToken"))
        );
        assert!(!names("user.newaccessToken", "accessToken"));
        assert!(!names("find({ select: ['accessToken'], where })", "accessToken"));
    }

    #[test]
    fn parameters_are_what_the_first_parentheses_hold() {
        assert_eq!(
            parameters("async touch({ id }: User, at = now()) { store(token) }"),
            "async touch({ id }: User, at = now()"
        );
    }

    #[test]
    fn only_arguments_can_hand_in_a_token() {
        assert!(!hands_token("this.generateRefreshToken(user.id)", "accessToken"));
        assert!(hands_token("this.store(user.id, accessToken)", "accessToken"));
    }
}
