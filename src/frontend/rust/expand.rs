//! `macro_rules!` of the tree, expanded by the first arm that matches.
//!
//! Input: a definition's text and the tokens of a call. Output: the tokens that the call stands for. What comes from the definition
//! stands where the call does, what was handed in keeps its place; names are not kept apart (no hygiene).
//!
//! Fragments and repetitions as the Rust reference has them (Macros By Example): <https://doc.rust-lang.org/reference/macros-by-example.html>.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::str::FromStr;

use proc_macro2::{Delimiter, Group, Ident, Spacing, Span, TokenStream, TokenTree, token_stream};
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream, Parser};

/// More tokens than this a macro of one file does not make.
pub(super) const MOST_TOKENS: usize = 200_000;

/// The arms of a macro.
pub(super) struct Arms(Vec<(Vec<Matcher>, Vec<TokenTree>)>);

enum Matcher {
    Token(TokenTree),
    Group(Delimiter, Vec<Matcher>),
    Fragment { name: String, kind: String },
    Repeat { of: Vec<Matcher>, separator: Vec<TokenTree>, op: char },
}

/// What a name of a matcher stands for.
#[derive(Clone)]
enum Bound {
    One(Vec<TokenTree>),
    /// One an iteration.
    Each(Vec<Bound>),
}

type Bindings = BTreeMap<String, Bound>;

impl Arms {
    /// Reads `(matcher) => { body }; ..`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut tokens = TokenStream::from_str(text).ok()?.into_iter();
        let mut arms = Vec::new();
        while let Some(TokenTree::Group(matcher)) = tokens.next() {
            let arrow = [tokens.next()?, tokens.next()?];
            let TokenTree::Group(body) = tokens.next()? else { return None };
            if arrow.iter().any(|token| !matches!(token, TokenTree::Punct(_))) {
                return None;
            }
            arms.push((matchers(matcher.stream())?, body.stream().into_iter().collect()));
            tokens.next();
        }
        Some(Self(arms))
    }

    /// The tokens of a call at `at`; `None` where no arm matches, or where `budget` tokens do not suffice.
    pub(super) fn expand(&self, call: &TokenStream, at: Span, budget: &mut usize) -> Option<TokenStream> {
        self.0.iter().find_map(|(matcher, body)| {
            let mut bound = Bindings::new();
            let matched = |input: ParseStream| matched(matcher, input, &mut bound);
            matched.parse2(call.clone()).ok()?;
            transcribed(body, &bound, at, budget)
        })
    }
}

fn punct(token: &TokenTree) -> Option<char> {
    match token {
        TokenTree::Punct(punct) => Some(punct.as_char()),
        _ => None,
    }
}

/// What separates the rounds of a repetition, and how often it may run: `,*`.
fn repeats(tokens: &mut Peekable<impl Iterator<Item = TokenTree>>) -> Option<(Vec<TokenTree>, char)> {
    let mut separator = Vec::new();
    loop {
        let token = tokens.next()?;
        if let Some(op @ ('*' | '+' | '?')) = punct(&token) {
            // `$(..)+*`: a separator that looks like an operator.
            let is_separator =
                separator.is_empty() && matches!(tokens.peek().and_then(punct), Some('*' | '+')) && op != '*';
            if !is_separator {
                return Some((separator, op));
            }
        }
        separator.push(token);
    }
}

fn matchers(tokens: TokenStream) -> Option<Vec<Matcher>> {
    let mut found = Vec::new();
    let mut tokens: Peekable<token_stream::IntoIter> = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        found.push(match token {
            TokenTree::Punct(mark) if mark.as_char() == '$' => match tokens.next()? {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {
                    let of = matchers(group.stream())?;
                    let (separator, op) = repeats(&mut tokens)?;
                    Matcher::Repeat { of, separator, op }
                }
                TokenTree::Ident(name) if tokens.peek().and_then(punct) == Some(':') => {
                    tokens.next();
                    let TokenTree::Ident(kind) = tokens.next()? else { return None };
                    Matcher::Fragment { name: name.to_string(), kind: kind.to_string() }
                }
                token => Matcher::Token(token),
            },
            TokenTree::Group(group) => Matcher::Group(group.delimiter(), matchers(group.stream())?),
            token => Matcher::Token(token),
        });
    }
    Some(found)
}

fn matched(matchers: &[Matcher], input: ParseStream, bound: &mut Bindings) -> syn::Result<()> {
    for matcher in matchers {
        match matcher {
            Matcher::Token(token) => literally(token, input)?,
            Matcher::Group(delimiter, inner) => {
                let TokenTree::Group(group) = input.parse()? else { return Err(input.error("no group")) };
                if group.delimiter() != *delimiter {
                    return Err(input.error("another bracket"));
                }
                (|input: ParseStream| matched(inner, input, bound)).parse2(group.stream())?;
            }
            Matcher::Fragment { name, kind } => {
                bound.insert(name.clone(), Bound::One(fragment(kind, input)?));
            }
            Matcher::Repeat { of, separator, op } => {
                let rounds = rounds(of, separator, *op, input);
                if rounds.is_empty() && *op == '+' {
                    return Err(input.error("not once"));
                }
                let mut names = BTreeSet::new();
                names_of(of, &mut names);
                for name in names {
                    let each = rounds.iter().filter_map(|round| round.get(name).cloned()).collect();
                    bound.insert(name.to_owned(), Bound::Each(each));
                }
            }
        }
    }
    Ok(())
}

fn literally(token: &TokenTree, input: ParseStream) -> syn::Result<()> {
    let found: TokenTree = input.parse()?;
    if found.to_string() == token.to_string() { Ok(()) } else { Err(input.error("another token")) }
}

fn rounds(of: &[Matcher], separator: &[TokenTree], op: char, input: ParseStream) -> Vec<Bindings> {
    let mut rounds = Vec::new();
    loop {
        let ahead = input.fork();
        let separated = rounds.is_empty() || separator.iter().all(|token| literally(token, &ahead).is_ok());
        let mut round = Bindings::new();
        if !separated || matched(of, &ahead, &mut round).is_err() || ahead.cursor() == input.cursor() {
            return rounds;
        }
        input.advance_to(&ahead);
        rounds.push(round);
        if op == '?' {
            return rounds;
        }
    }
}

fn names_of<'m>(matchers: &'m [Matcher], names: &mut BTreeSet<&'m str>) {
    for matcher in matchers {
        match matcher {
            Matcher::Token(_) => {}
            Matcher::Group(_, inner) | Matcher::Repeat { of: inner, .. } => names_of(inner, names),
            Matcher::Fragment { name, .. } => {
                names.insert(name);
            }
        }
    }
}

/// The tokens that a fragment takes.
fn fragment(kind: &str, input: ParseStream) -> syn::Result<Vec<TokenTree>> {
    let start = input.cursor();
    match kind {
        "ident" => drop(Ident::parse_any(input)?),
        "lifetime" => drop(syn::Lifetime::parse(input)?),
        "tt" => one_tree(input)?,
        "ty" => drop(syn::Type::parse(input)?),
        "path" => drop(syn::Path::parse(input)?),
        "pat" => drop(syn::Pat::parse_multi_with_leading_vert(input)?),
        "pat_param" => drop(syn::Pat::parse_single(input)?),
        "stmt" => drop(syn::Stmt::parse(input)?),
        "block" => drop(syn::Block::parse(input)?),
        "item" => drop(syn::Item::parse(input)?),
        "vis" => drop(syn::Visibility::parse(input)?),
        "meta" => drop(syn::Meta::parse(input)?),
        "literal" => {
            if input.peek(syn::Token![-]) {
                input.parse::<syn::Token![-]>()?;
            }
            input.parse::<syn::Lit>()?;
        }
        "expr" | "expr_2021" => drop(syn::Expr::parse(input)?),
        _ => return Err(input.error("an unknown fragment")),
    }
    let (mut at, end) = (start, input.cursor());
    let mut taken = Vec::new();
    while at != end {
        let Some((tree, next)) = at.token_tree() else { break };
        taken.push(tree);
        at = next;
    }
    // `$a * 2` with `1 + 1` for `$a` is `(1 + 1) * 2`.
    if kind.starts_with("expr") && taken.len() > 1 {
        taken = vec![TokenTree::Group(Group::new(Delimiter::None, taken.into_iter().collect()))];
    }
    Ok(taken)
}

/// One token to a macro: `=>` is one, and so is `'a`.
fn one_tree(input: ParseStream) -> syn::Result<()> {
    if input.peek(syn::Lifetime) {
        return syn::Lifetime::parse(input).map(drop);
    }
    loop {
        match input.parse()? {
            TokenTree::Punct(mark) if mark.spacing() == Spacing::Joint && !input.is_empty() => {}
            _ => return Ok(()),
        }
    }
}

fn transcribed(body: &[TokenTree], bound: &Bindings, at: Span, budget: &mut usize) -> Option<TokenStream> {
    let mut out: Vec<TokenTree> = Vec::new();
    let mut tokens = body.iter().cloned().peekable();
    while let Some(token) = tokens.next() {
        *budget = budget.checked_sub(1)?;
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '$' => match tokens.peek() {
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    tokens.next();
                    let (separator, _) = repeats(&mut tokens)?;
                    repeated(&inner, &separator, bound, at, budget, &mut out)?;
                }
                Some(TokenTree::Ident(name)) => {
                    let name = name.to_string();
                    match bound.get(&name) {
                        Some(Bound::One(taken)) => {
                            *budget = budget.checked_sub(taken.len())?;
                            out.extend(taken.iter().cloned());
                            tokens.next();
                        }
                        Some(Bound::Each(_)) => return None,
                        // The name itself follows.
                        None if name == "crate" => {}
                        None => out.push(placed(TokenTree::Punct(mark), at)),
                    }
                }
                _ => out.push(placed(TokenTree::Punct(mark), at)),
            },
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let inner = transcribed(&inner, bound, at, budget)?;
                out.push(placed(TokenTree::Group(Group::new(group.delimiter(), inner)), at));
            }
            token => out.push(placed(token, at)),
        }
    }
    Some(out.into_iter().collect())
}

fn repeated(
    inner: &[TokenTree],
    separator: &[TokenTree],
    bound: &Bindings,
    at: Span,
    budget: &mut usize,
    out: &mut Vec<TokenTree>,
) -> Option<()> {
    let mut used = BTreeSet::new();
    used_names(inner, &mut used);
    let lists = used.iter().filter_map(|name| match bound.get(name)? {
        Bound::Each(each) => Some(each.len()),
        Bound::One(_) => None,
    });
    let count = lists.max()?;
    for round in 0..count {
        // What the round does not name is not copied: a list of a thousand entries has a thousand rounds.
        let mut of_round = Bindings::new();
        for name in &used {
            match bound.get(name) {
                Some(Bound::Each(each)) => drop(of_round.insert(name.clone(), each.get(round)?.clone())),
                Some(one @ Bound::One(_)) => drop(of_round.insert(name.clone(), one.clone())),
                None => {}
            }
        }
        if round > 0 {
            out.extend(separator.iter().cloned().map(|token| placed(token, at)));
        }
        out.extend(transcribed(inner, &of_round, at, budget)?);
    }
    Some(())
}

fn used_names(tokens: &[TokenTree], names: &mut BTreeSet<String>) {
    for (before, token) in std::iter::once(None).chain(tokens.iter().map(Some)).zip(tokens) {
        match token {
            TokenTree::Ident(name) if before.and_then(punct) == Some('$') => {
                names.insert(name.to_string());
            }
            TokenTree::Group(group) => used_names(&group.stream().into_iter().collect::<Vec<_>>(), names),
            _ => {}
        }
    }
}

fn placed(mut token: TokenTree, at: Span) -> TokenTree {
    token.set_span(at);
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(definition: &str, call: &str) -> Option<String> {
        let arms = Arms::read(definition)?;
        let call = TokenStream::from_str(call).ok()?;
        Some(arms.expand(&call, Span::call_site(), &mut 10_000)?.to_string())
    }

    #[test]
    fn fragments_are_put_where_the_body_names_them() {
        let made = expanded("($t:ident, $from:ty) => { fn insert(new: $from) { $t::table.values(new) } }", "a, Vec<B>");
        assert_eq!(made.as_deref(), Some("fn insert (new : Vec < B >) { a :: table . values (new) }"));
    }

    #[test]
    fn the_first_arm_that_matches_is_taken() {
        let arms = "(one) => { 1 }; ($x:expr) => { $x * 2 };";
        assert_eq!(expanded(arms, "one").as_deref(), Some("1"));
        assert_eq!(expanded(arms, "1 + 1").as_deref(), Some("1 + 1 * 2"), "grouped without a bracket that is seen");
        assert_eq!(expanded(arms, "a; b"), None);
    }

    #[test]
    fn repetitions_nest_and_keep_their_separators() {
        let arms = "($($f:ident { $($k:ident => $v:expr),* $(,)? })+) => { $( fn $f() { set(&[$(($k, $v)),*]); } )+ }";
        assert_eq!(
            expanded(arms, "a { x => 1, y => 2, } b { }").map(|made| made.replace(' ', "")).as_deref(),
            Some("fna(){set(&[(x,1),(y,2)]);}fnb(){set(&[]);}")
        );
    }

    #[test]
    fn paths_from_the_crate_stay_paths_and_unknown_names_stay_as_they_are() {
        assert_eq!(expanded("() => { $crate::a($b) }", "").as_deref(), Some("crate :: a ($ b)"));
    }

    #[test]
    fn what_would_grow_without_end_is_given_up() {
        let arms = Arms::read("($($t:tt)*) => { $($t)* $($t)* }").expect("arms");
        let call = TokenStream::from_str(&"x ".repeat(100)).expect("tokens");
        assert!(arms.expand(&call, Span::call_site(), &mut 50).is_none());
    }

    #[test]
    fn no_definition_panics() {
        for text in [
            "",
            "(",
            "($) => {}",
            "($(a) => {}",
            "($a:) => {}",
            "() =",
            "($a:ident $($b:ty),* => {}",
            "() => { $( $a )* }",
        ] {
            if let Some(arms) = Arms::read(text) {
                let _ = arms.expand(&TokenStream::new(), Span::call_site(), &mut 100);
            }
        }
    }
}
