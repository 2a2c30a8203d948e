//! Macros: the well-known ones by what they expand to, the others by what their tokens read as.
//!
//! A macro that the tree defines by example is what it expands to, unless it runs bodies that are handed to it. Of the others, one whose tokens are expressions is a call of `name!` with them; one with statements in braces, such as a
//! `macro_rules!` that writes its body once a backend, runs one of its bodies.

use std::rc::Rc;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Block, Expr, ImplItem, Lit, Macro, Pat, Stmt as Syntax, Token};

use crate::frontend::rust::Lowering;
use crate::frontend::rust::branches::Sink;
use crate::frontend::rust::expand::Arms;
use crate::frontend::rust::paths::{Scope, plain};
use crate::ir::{Binding, Entry, ExprId, ExprKind, Imported, Item, Stmt};
use crate::source::Span;

/// Macros that never go on behind them. `err!` and its kin return an error by the convention of those who write them.
fn diverges(name: &str) -> bool {
    matches!(name, "panic" | "unreachable" | "todo" | "unimplemented" | "bail" | "err" | "throw" | "compile_error")
        || name.starts_with("err_")
        || name.starts_with("bail_")
}

/// Macros whose text is for people.
const SPEAKS: [&str; 15] = [
    "println",
    "print",
    "eprintln",
    "eprint",
    "trace",
    "debug",
    "info",
    "warn",
    "error",
    "log",
    "assert",
    "assert_eq",
    "assert_ne",
    "debug_assert",
    "dbg",
];

/// The arms of `tokio::select!`.
struct Select(Vec<(Option<Pat>, Option<Expr>, Expr)>);

impl Parse for Select {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let mut arms = Vec::new();
        if input.peek(syn::Ident) && input.peek2(Token![;]) {
            input.parse::<syn::Ident>()?;
            input.parse::<Token![;]>()?;
        }
        while !input.is_empty() {
            let (mut pattern, mut future) = (None, None);
            if input.peek(Token![else]) {
                input.parse::<Token![else]>()?;
            } else {
                pattern = Some(Pat::parse_single(input)?);
                input.parse::<Token![=]>()?;
                future = Some(input.parse::<Expr>()?);
                if input.peek(Token![,]) {
                    input.parse::<Token![,]>()?;
                    input.parse::<Token![if]>()?;
                    input.parse::<Expr>()?;
                }
            }
            input.parse::<Token![=>]>()?;
            arms.push((pattern, future, input.parse::<Expr>()?));
            if input.peek(Token![,]) {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(Self(arms))
    }
}

/// `expression, pattern (if guard)?`
struct Matches(Expr, Pat, Option<Expr>);

impl Parse for Matches {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let value = input.parse()?;
        input.parse::<Token![,]>()?;
        let pattern = Pat::parse_multi_with_leading_vert(input)?;
        let guard = if input.peek(Token![if]) {
            input.parse::<Token![if]>()?;
            Some(input.parse()?)
        } else {
            None
        };
        if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
        }
        Ok(Self(value, pattern, guard))
    }
}

fn expressions(tokens: &TokenStream) -> Option<Vec<Expr>> {
    let parsed = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(tokens.clone()).ok()?;
    Some(parsed.into_iter().collect())
}

impl Lowering<'_> {
    /// A macro whose value goes into `sink`.
    pub(super) fn macro_into(&mut self, mac: &Macro, sink: Sink) {
        let span = self.macro_span(mac);
        let name = mac.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        if diverges(&name) {
            for arg in expressions(&mac.tokens).unwrap_or_default() {
                let value = self.expr(&arg);
                self.out.push(Stmt::Expr(value));
            }
            self.out.push(Stmt::Throw(None));
            return;
        }
        if let Some(value) = self.macro_value(mac, span) {
            self.put(value, sink, span);
            return;
        }
        if let Some(statements) = self.expanded_statements(mac) {
            self.scopes.push(Scope::default());
            self.deeper(span, |this| this.statements(&statements, |this, last| this.into(last, sink)));
            self.scopes.pop();
            return;
        }
        if name == "select"
            && let Ok(Select(arms)) = syn::parse2::<Select>(mac.tokens.clone())
        {
            let bodies = arms.len();
            let mut arms = arms.into_iter();
            self.one_of(bodies, sink, span, &mut |this, sink| {
                let Some((pattern, future, body)) = arms.next() else { return };
                if let Some(future) = future {
                    let value = this.expr(&future);
                    if let Some(pattern) = pattern {
                        this.destructure(&pattern, value);
                    }
                }
                this.into(&body, sink);
            });
            return;
        }
        let bodies = bodies(mac);
        if bodies.is_empty() {
            if !SPEAKS.contains(&name.as_str()) && !mac.tokens.is_empty() {
                let value = self.opaque("a macro that is not expanded", Vec::new(), span);
                self.put(value, sink, span);
            }
            return;
        }
        let count = bodies.len();
        let mut bodies = bodies.into_iter();
        self.one_of(count, sink, span, &mut |this, sink| {
            let Some(body) = bodies.next() else { return };
            this.statements(&body, |this, last| this.into(last, sink));
        });
    }

    /// One of several bodies runs; which is not told.
    fn one_of(&mut self, count: usize, sink: Sink, span: Span, lower: &mut dyn FnMut(&mut Self, Sink)) {
        let mut arms: Vec<Vec<Stmt>> = Vec::new();
        for _ in 0..count {
            self.scopes.push(Scope::default());
            let arm = self.capture(|this| lower(this, sink));
            self.scopes.pop();
            arms.push(arm);
        }
        let mut otherwise = arms.pop().unwrap_or_default();
        for then in arms.into_iter().rev() {
            let cond = self.opaque("which body of a macro runs", Vec::new(), span);
            otherwise = vec![Stmt::If { cond, then, otherwise }];
        }
        self.out.append(&mut otherwise);
    }

    pub(super) fn macro_span(&self, mac: &Macro) -> Span {
        let start = mac.path.segments.first().map(|segment| self.at_span(segment.ident.span()));
        let end = self.at_span(mac.delimiter.span().close());
        start.map_or(end, |start| Span { end: end.end, ..start })
    }

    /// A macro that is one expression.
    pub(super) fn macro_value(&mut self, mac: &Macro, span: Span) -> Option<ExprId> {
        let name = mac.path.segments.last()?.ident.to_string();
        if diverges(&name) {
            return None;
        }
        match name.as_str() {
            "vec" => {
                if let Some(items) = expressions(&mac.tokens) {
                    let items = self.all(&items).into_iter().map(Item::One).collect();
                    return Some(self.add(ExprKind::Array(items), span));
                }
                let repeat = |input: ParseStream| {
                    let each: Expr = input.parse()?;
                    input.parse::<Token![;]>()?;
                    input.parse::<Expr>()?;
                    Ok(each)
                };
                let each = repeat.parse2(mac.tokens.clone()).ok()?;
                let each = self.expr(&each);
                return Some(self.add(ExprKind::Array(vec![Item::Each(each)]), span));
            }
            "format" | "format_args" | "concat" => {
                let args = expressions(&mac.tokens)?;
                let (first, rest) = args.split_first()?;
                return Some(match first {
                    Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) if name != "concat" => {
                        self.formatted(text, rest, span)
                    }
                    _ => {
                        let parts = self.all(&args);
                        self.add(ExprKind::Concat(parts), span)
                    }
                });
            }
            "write" | "writeln" => {
                let args = expressions(&mac.tokens)?;
                if let [into, Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }), rest @ ..] = args.as_slice()
                    && let Some(written) = self.written_into(into, text, rest, name == "writeln", span)
                {
                    return Some(written);
                }
            }
            "json" | "bson" => return Some(self.json(mac.tokens.clone(), span)),
            // `doc! { "key": value }`: the braces around are those of the macro.
            "doc" if is_keyed(&mac.tokens) => {
                let object = proc_macro2::Group::new(Delimiter::Brace, mac.tokens.clone());
                return Some(self.json(TokenTree::Group(object).into(), span));
            }
            // `{ ":name": value }`, `{ "name" => value }`
            "named_params" | "params" if mac.delimiter_is_brace() => {
                return Some(self.named_values(mac.tokens.clone(), span));
            }
            "matches" => {
                let Matches(value, pattern, guard) = syn::parse2(mac.tokens.clone()).ok()?;
                let value = self.expr(&value);
                let value = self.stable(value);
                let cond = self.test(&pattern, value).unwrap_or_else(|| self.add(ExprKind::Bool(true), span));
                let Some(guard) = guard else { return Some(cond) };
                self.destructure(&pattern, value);
                let right = self.expr(&guard);
                return Some(self.add(ExprKind::And { left: cond, right }, span));
            }
            "join" | "try_join" => {
                let parts = expressions(&mac.tokens)?;
                let parts = self.all(&parts);
                let entry = |(at, value)| Entry::Named { key: usize::to_string(&at), key_span: span, value };
                let entries = parts.into_iter().enumerate().map(entry).collect();
                return Some(self.add(ExprKind::Object(entries), span));
            }
            _ => {}
        }
        if self.is_expanded(mac) {
            return None;
        }
        let args = expressions(&mac.tokens)?;
        // A body in braces reads as a block expression too; it is run, not handed over.
        if args.iter().any(|arg| matches!(arg, Expr::Block(_))) || mac.delimiter_is_brace() {
            return None;
        }
        let args = self.all(&args);
        let callee = self.macro_name(mac, span);
        Some(self.call_of(callee, args, Vec::new(), span))
    }

    /// `sqlx::query!` is `query!` of `sqlx`.
    fn macro_name(&mut self, mac: &Macro, span: Span) -> ExprId {
        let mut steps = self.steps(&mac.path);
        let Some((last, _)) = steps.last_mut() else { return self.opaque("a macro", Vec::new(), span) };
        let plain = last.clone();
        last.push('!');
        let named = last.clone();
        let imported = match (steps.as_slice(), self.type_named(&plain)) {
            ([_], Some(crate::frontend::rust::paths::TypeName::Is(Binding::Import(id)))) => {
                self.module.imports.get(id.at()).map(|import| (import.module.clone(), import.what.clone()))
            }
            ([_], _) => return self.add(ExprKind::Name(Binding::Global(named)), span),
            _ => None,
        };
        if let Some((module, Imported::Named(name))) = imported {
            let id = self.import(module, Imported::Named(format!("{name}!")), span);
            return self.add(ExprKind::Name(Binding::Import(id)), span);
        }
        self.path(&steps)
    }

    /// `{"key": expression, ..}`, nested.
    fn json(&mut self, tokens: TokenStream, span: Span) -> ExprId {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let done = self.deeper(span, |this| match tokens.as_slice() {
            [TokenTree::Ident(ident)] if ident == "null" => this.add(ExprKind::Null, span),
            [TokenTree::Group(group)] if group.delimiter() == Delimiter::Brace => {
                let mut entries = Vec::new();
                for part in split(group.stream(), ',') {
                    let Some(colon) = part.iter().position(|t| matches!(t, TokenTree::Punct(p) if p.as_char() == ':'))
                    else {
                        continue;
                    };
                    let [TokenTree::Literal(key), ..] = part.as_slice() else { continue };
                    let key_span = this.at_span(key.span());
                    let value = this.json(part[colon + 1..].iter().cloned().collect(), key_span);
                    entries.push(Entry::Named { key: key.to_string().trim_matches('"').to_owned(), key_span, value });
                }
                this.add(ExprKind::Object(entries), span)
            }
            [TokenTree::Group(group)] if group.delimiter() == Delimiter::Bracket => {
                let parts = split(group.stream(), ',');
                let items =
                    parts.into_iter().map(|part| Item::One(this.json(part.into_iter().collect(), span))).collect();
                this.add(ExprKind::Array(items), span)
            }
            tokens => match syn::parse2::<Expr>(tokens.iter().cloned().collect()) {
                Ok(expr) => this.expr(&expr),
                Err(_) => this.opaque("a macro that is not expanded", Vec::new(), span),
            },
        });
        done.unwrap_or_else(|| self.opaque("nested too deeply", Vec::new(), span))
    }

    /// The values of named placeholders, by name.
    fn named_values(&mut self, tokens: TokenStream, span: Span) -> ExprId {
        let mut entries = Vec::new();
        for part in split(tokens, ',') {
            let [TokenTree::Literal(key), rest @ ..] = part.as_slice() else { continue };
            let value =
                rest.iter().skip_while(|t| matches!(t, TokenTree::Punct(p) if matches!(p.as_char(), ':' | '=' | '>')));
            let Ok(value) = syn::parse2::<Expr>(value.cloned().collect()) else { continue };
            let key_span = self.at_span(key.span());
            let value = self.expr(&value);
            let key = key.to_string().trim_matches('"').trim_start_matches([':', '@', '$']).to_owned();
            entries.push(Entry::Named { key, key_span, value });
        }
        self.add(ExprKind::Object(entries), span)
    }

    /// Whether the tree says what a macro stands for and it is not one that runs what is handed to it.
    fn is_expanded(&mut self, mac: &Macro) -> bool {
        self.definition(mac).is_some() && !runs_bodies(mac)
    }

    fn definition(&mut self, mac: &Macro) -> Option<Rc<Arms>> {
        let name = plain(&mac.path.segments.last()?.ident);
        if let Some(known) = self.arms.get(&name) {
            return known.clone();
        }
        let arms = self.macros.get(&name, self.module.file).and_then(Arms::read).map(Rc::new);
        self.arms.insert(name, arms.clone());
        arms
    }

    /// What a macro of the tree stands for.
    fn expansion(&mut self, mac: &Macro) -> Option<TokenStream> {
        let arms = self.definition(mac)?;
        let start = mac.path.segments.first()?.ident.span();
        let span = start.join(mac.delimiter.span().close()).unwrap_or(start);
        arms.expand(&mac.tokens, span, &mut self.budget)
    }

    fn expanded_statements(&mut self, mac: &Macro) -> Option<Vec<Syntax>> {
        if !self.is_expanded(mac) {
            return None;
        }
        Block::parse_within.parse2(self.expansion(mac)?).ok()
    }

    /// The members that macros among those of an `impl` stand for.
    pub(super) fn made_by_macros(&mut self, members: &[ImplItem]) -> Vec<ImplItem> {
        let mut made = Vec::new();
        let mut open: Vec<ImplItem> =
            members.iter().filter(|member| matches!(member, ImplItem::Macro(_))).cloned().collect();
        while let Some(member) = open.pop() {
            let ImplItem::Macro(mac) = &member else {
                made.push(member);
                continue;
            };
            let all = |input: ParseStream| {
                let mut all = Vec::new();
                while !input.is_empty() {
                    all.push(input.parse::<ImplItem>()?);
                }
                Ok(all)
            };
            open.extend(self.expansion(&mac.mac).and_then(|tokens| all.parse2(tokens).ok()).unwrap_or_default());
        }
        made.reverse();
        made
    }

    /// The items in the braces of a macro that stands where an item does; declared with those around it.
    pub(super) fn hoist_macro(&mut self, mac: &Macro) {
        let is_lazy = mac.path.segments.last().is_some_and(|segment| segment.ident == "lazy_static");
        let tokens = if is_lazy { without_ref(mac.tokens.clone()) } else { mac.tokens.clone() };
        let read = |tokens| syn::parse2::<syn::File>(tokens).ok().filter(|file| !file.items.is_empty());
        let made = read(tokens).or_else(|| read(self.expansion(mac)?));
        if let Some(file) = made {
            let file = Rc::new(file);
            let span = self.macro_span(mac);
            self.deeper(span, |this| this.hoist(&file.items));
            self.expanded.insert(std::ptr::from_ref(mac) as usize, file);
        }
    }

    /// Lowers the bodies of what `hoist_macro` declared.
    pub(super) fn item_macro(&mut self, mac: &Macro) {
        if let Some(file) = self.expanded.remove(&(std::ptr::from_ref(mac) as usize)) {
            self.items(&file.items);
        }
    }
}

/// `static ref NAME: T = value;` of `lazy_static!` as a plain static.
fn without_ref(tokens: TokenStream) -> TokenStream {
    let mut after_static = false;
    let mut is_kept = |token: &TokenTree| {
        let is_ref = after_static && matches!(token, TokenTree::Ident(ident) if ident == "ref");
        after_static = matches!(token, TokenTree::Ident(ident) if ident == "static");
        !is_ref
    };
    tokens.into_iter().filter(|token| is_kept(token)).collect()
}

/// Whether statements in braces are handed to a macro: one a backend, or to be run in a transaction.
fn runs_bodies(mac: &Macro) -> bool {
    let is_body = |token| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
    mac.tokens.clone().into_iter().any(is_body)
}

/// The statement lists in the braces of a macro; all of its tokens where they read as statements.
fn bodies(mac: &Macro) -> Vec<Vec<Syntax>> {
    if let Ok(all) = Block::parse_within.parse2(mac.tokens.clone())
        && !all.is_empty()
        && all.iter().any(|statement| !matches!(statement, Syntax::Macro(_)))
    {
        return vec![all];
    }
    let groups = mac.tokens.clone().into_iter().filter_map(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
        _ => None,
    });
    groups
        .filter_map(|group| Block::parse_within.parse2(group.stream()).ok())
        .filter(|statements| !statements.is_empty())
        .collect()
}

fn split(tokens: TokenStream, at: char) -> Vec<Vec<TokenTree>> {
    let mut parts = vec![Vec::new()];
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == at => parts.push(Vec::new()),
            token => {
                if let Some(last) = parts.last_mut() {
                    last.push(token);
                }
            }
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

trait Delimited {
    fn delimiter_is_brace(&self) -> bool;
}

impl Delimited for Macro {
    fn delimiter_is_brace(&self) -> bool {
        matches!(self.delimiter, syn::MacroDelimiter::Brace(_))
    }
}

/// Whether tokens are `"key": ..`, or nothing.
fn is_keyed(tokens: &TokenStream) -> bool {
    let mut tokens = tokens.clone().into_iter();
    match (tokens.next(), tokens.next()) {
        (None, _) => true,
        (Some(TokenTree::Literal(_)), Some(TokenTree::Punct(colon))) => colon.as_char() == ':',
        _ => false,
    }
}
