//! What SQL asks of the column, and what the assertions of a `.sql` test want of it.

use std::collections::BTreeSet;

use crate::config::Contract;
use crate::pins::{Names, contract, is_word};
use crate::rules::{Rules, TestSays};

/// What the conditions of a query come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// The rows that are asked for have a value, or have none.
    pub(super) with_value: Option<bool>,
    /// Another condition picks rows out.
    pub(super) is_narrow: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// In lower case, or as quoted.
    Word(String),
    Text(String),
    Number(String),
    Mark(char),
}

impl Token {
    fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(own) if own == word)
    }
}

/// What the conditions of the queries in a text ask of the column.
pub(super) fn rows(text: &str, names: &Names) -> Asked {
    asked(&tokens(text), names)
}

/// What a condition asks that stands alone: `u.access_token IS NULL`.
pub(super) fn condition(text: &str, names: &Names) -> Asked {
    let tokens = tokens(text);
    if tokens.iter().any(|token| token.is("where")) {
        return asked(&tokens, names);
    }
    let whole = conjunction(&tokens, names);
    if whole.with_value.is_some() || tokens.len() > 2 { whole } else { Asked::default() }
}

fn asked(tokens: &[Token], names: &Names) -> Asked {
    let mut found = Asked::default();
    let places = tokens.iter().enumerate().filter(|(_, token)| token.is("where"));
    for (at, _) in places {
        let whole = conjunction(condition_at(&tokens[at + 1..]), names);
        if whole.with_value.is_some() {
            found.with_value = found.with_value.or(whole.with_value);
            found.is_narrow |= whole.is_narrow;
        }
    }
    found
}

/// The tokens of a condition, up to what ends it.
fn condition_at(tokens: &[Token]) -> &[Token] {
    let mut depth = 0_usize;
    let end = tokens.iter().position(|token| {
        match token {
            Token::Mark('(') => depth += 1,
            Token::Mark(')') if depth == 0 => return true,
            Token::Mark(')') => depth -= 1,
            Token::Mark(';') => return true,
            Token::Word(word) if depth == 0 => {
                let ends = ["group", "order", "limit", "having", "returning", "union", "then", "for", "offset"];
                return ends.contains(&word.as_str());
            }
            _ => {}
        }
        false
    });
    &tokens[..end.unwrap_or(tokens.len())]
}

/// The parts of a condition between the words of one kind that stand in no parentheses.
fn split<'t>(tokens: &'t [Token], word: &str) -> Vec<&'t [Token]> {
    let mut depth = 0_usize;
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Mark('(') => depth += 1,
            Token::Mark(')') => depth = depth.saturating_sub(1),
            token if depth == 0 && token.is(word) => {
                parts.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[start..]);
    parts
}

/// Without parentheses around all of it.
fn bare(mut tokens: &[Token]) -> &[Token] {
    while let [Token::Mark('('), inner @ .., Token::Mark(')')] = tokens {
        let mut depth = 1_usize;
        let closes = inner.iter().any(|token| {
            match token {
                Token::Mark('(') => depth += 1,
                Token::Mark(')') => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        if closes {
            break;
        }
        tokens = inner;
    }
    tokens
}

fn conjunction(tokens: &[Token], names: &Names) -> Asked {
    let mut found = Asked::default();
    for part in split(bare(tokens), "and") {
        let part = bare(part);
        let either = split(part, "or");
        let of_each: Vec<Option<bool>> = either.iter().map(|one| of_one(bare(one), names)).collect();
        // `access_token IS NULL OR access_token = ''`
        match of_each.first() {
            Some(Some(first)) if of_each.iter().all(|one| *one == Some(*first)) => {
                found.with_value = found.with_value.or(Some(*first));
            }
            _ if split(part, "and").len() > 1 && either.len() == 1 => {
                let inner = conjunction(part, names);
                found.with_value = found.with_value.or(inner.with_value);
                found.is_narrow |= inner.is_narrow;
            }
            _ => found.is_narrow |= either.iter().any(|one| picks(one)),
        }
    }
    found
}

/// `Some(false)` of `access_token IS NULL` and `access_token = ''`, `Some(true)` of their opposites.
fn of_one(tokens: &[Token], names: &Names) -> Option<bool> {
    if let [not, inner @ ..] = tokens
        && not.is("not")
    {
        return of_one(bare(inner), names).map(|with_value| !with_value);
    }
    let starts = tokens.iter().position(|token| token.is("is") || matches!(token, Token::Mark('=' | '<' | '!')))?;
    let (left, right) = tokens.split_at(starts);
    // `coalesce(access_token, '')` too
    let names_column = left.iter().any(|token| matches!(token, Token::Word(word) if names.is_column(word)));
    if !names_column {
        return None;
    }
    match right {
        [is, null] if is.is("is") && null.is("null") => Some(false),
        [is, not, null] if is.is("is") && not.is("not") && null.is("null") => Some(true),
        [Token::Mark('='), Token::Text(text)] if text.is_empty() => Some(false),
        [Token::Mark('<'), Token::Mark('>'), Token::Text(text)] if text.is_empty() => Some(true),
        [Token::Mark('!'), Token::Mark('='), Token::Text(text)] if text.is_empty() => Some(true),
        _ => None,
    }
}

/// Whether a text that a column equals is of one row, as that of a key, and not of a kind of rows, as `role = 'user'`.
fn is_of_one(column: &Token) -> bool {
    const OWN: [&str; 8] = ["id", "email", "login", "name", "phone", "slug", "key", "handle"];
    matches!(column, Token::Word(word) if OWN.iter().any(|own| word.to_lowercase().ends_with(own)))
}

/// Whether a condition picks out what a test names: `id = -1`.
fn picks(tokens: &[Token]) -> bool {
    let Some(at) = tokens.iter().position(|token| *token == Token::Mark('=')) else { return false };
    let is_bound = at > 0 && matches!(tokens[at - 1], Token::Mark('<' | '>' | '!'));
    let rest = tokens.get(at + 1..).unwrap_or_default();
    let first = rest.iter().find(|token| **token != Token::Mark('-'));
    let column = at.checked_sub(1).and_then(|before| tokens.get(before));
    !is_bound
        && match first {
            Some(Token::Number(_)) => true,
            Some(Token::Text(_)) => column.is_none_or(is_of_one),
            _ => false,
        }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = |mark: &str| rest.find(mark).map_or("", |at| &rest[at + mark.len()..]);
        if rest.starts_with("--") {
            rest = after("\n");
        } else if rest.starts_with("/*") {
            rest = after("*/");
        } else if c == '$'
            && let Some(end) = rest[1..].find('$').filter(|end| rest[1..=*end].chars().all(is_word))
            && let mark = &rest[..end + 2]
            && let Some(length) = rest[mark.len()..].find(mark)
        {
            let inner = &rest[mark.len()..mark.len() + length];
            nested(inner, &mut found);
            rest = &rest[mark.len() * 2 + length..];
        } else if c == '\'' {
            let (inner, behind) = quoted(rest, '\'');
            nested(&inner, &mut found);
            rest = behind;
        } else if c == '"' || c == '`' {
            let (inner, behind) = quoted(rest, c);
            found.push(Token::Word(inner));
            rest = behind;
        } else if c.is_ascii_digit() {
            let end = rest.find(|c: char| !is_word(c) && c != '.').unwrap_or(rest.len());
            found.push(Token::Number(rest[..end].to_owned()));
            rest = &rest[end..];
        } else if is_word(c) {
            let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
            found.push(Token::Word(rest[..end].to_lowercase()));
            rest = &rest[end..];
        } else {
            if !c.is_whitespace() {
                found.push(Token::Mark(c));
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    found
}

/// A quoted text that is SQL itself is read in its place: pgTAP is handed queries as texts.
fn nested(text: &str, found: &mut Vec<Token>) {
    let first: String = text.trim_start().chars().take_while(|c| is_word(*c)).collect();
    if ["select", "values", "with", "begin", "declare"].contains(&first.to_lowercase().as_str()) && text.contains(' ') {
        found.push(Token::Mark('('));
        found.extend(tokens(text));
        found.push(Token::Mark(')'));
    } else {
        found.push(Token::Text(text.to_owned()));
    }
}

/// What stands between two quotes, doubled ones inside, and what follows.
fn quoted(text: &str, quote: char) -> (String, &str) {
    let mut inner = String::new();
    let mut rest = &text[1..];
    loop {
        let Some(end) = rest.find(quote) else { return (inner + rest, "") };
        inner.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        if !rest.starts_with(quote) {
            return (inner, rest);
        }
        inner.push(quote);
        rest = &rest[1..];
    }
}

/// A `.sql` test.
pub(super) struct Script<'r> {
    statements: Vec<Vec<Token>>,
    rules: &'r Rules,
    /// Whether an assertion of it may fail, or is passed over.
    pub(super) puts_off: bool,
}

impl<'r> Script<'r> {
    pub(super) fn of(text: &str, rules: &'r Rules) -> Self {
        let mut statements = vec![Vec::new()];
        let mut depth = 0_usize;
        for token in tokens(text) {
            match token {
                Token::Mark('(') => depth += 1,
                Token::Mark(')') => depth = depth.saturating_sub(1),
                _ => {}
            }
            match statements.last_mut() {
                Some(statement) if depth > 0 || token != Token::Mark(';') => statement.push(token),
                _ => statements.push(Vec::new()),
            }
        }
        let mut script = Self { statements: Vec::new(), rules, puts_off: false };
        // `todo('later', 2)` is about the next two assertions, `todo_start` about all up to `todo_end`.
        let (mut passed_over, mut is_open) = (0_usize, false);
        for statement in statements {
            let words = |word: &str| statement.iter().any(|token| token.is(word));
            let count = statement.iter().find_map(|token| match token {
                Token::Number(number) => number.parse().ok(),
                _ => None,
            });
            if words("todo") || words("skip") {
                passed_over = if words("todo") { count.unwrap_or(1) } else { 0 };
                script.puts_off = true;
            } else if words("todo_start") {
                (is_open, script.puts_off) = (true, true);
            } else if words("todo_end") {
                is_open = false;
            } else if !is_open && passed_over == 0 {
                script.statements.push(statement);
            } else {
                passed_over = passed_over.saturating_sub(1);
            }
        }
        script
    }

    /// The contracts that its statements hold the column to.
    pub(super) fn wants(&self, names: &Names) -> impl Iterator<Item = Contract> {
        // `CREATE TABLE t (n int CHECK (n = 0))`: whatever else is put in fails.
        let mut zeroed: BTreeSet<String> = BTreeSet::new();
        let mut found = Vec::new();
        for statement in &self.statements {
            let word = |at: usize| match statement.get(at) {
                Some(Token::Word(word)) => word.as_str(),
                _ => "",
            };
            let words = |word: &str| statement.iter().any(|token| token.is(word));
            if word(0) == "create" && words("check") && words_zero(statement) {
                let name = statement.iter().position(|token| token.is("table")).map(|at| word(at + 1).to_owned());
                zeroed.extend(name);
                continue;
            }
            if !statement.iter().any(|token| match token {
                Token::Word(name) | Token::Text(name) => names.is_table(name),
                _ => false,
            }) {
                continue;
            }
            let is_zeroed = word(0) == "insert" && words("count") && zeroed.contains(word(2));
            found.extend(self.wanted(statement, names, is_zeroed));
        }
        found.into_iter().map(contract)
    }

    /// Whether a statement wants the column to have a value, or to have none.
    fn wanted(&self, statement: &[Token], names: &Names, is_zeroed: bool) -> Option<bool> {
        let words = |word: &str| statement.iter().any(|token| token.is(word));
        let says =
            |what| statement.iter().any(|token| matches!(token, Token::Word(word) if self.rules.says(what, word)));
        let of_column = |token: &Token| matches!(token, Token::Text(text) if names.is_column(text));
        if statement.iter().any(of_column) && (says(TestSays::NoColumn) || says(TestSays::NotNullColumn)) {
            return Some(says(TestSays::NotNullColumn));
        }
        let asked = asked(statement, names);
        if let Some(with_value) = asked.with_value {
            let raises = words("raise") && (words("exists") || words("count"));
            let is_compared = words("count") && words_zero(statement);
            let is_called = |what| {
                statement.windows(2).any(|pair| match pair {
                    [Token::Word(word), Token::Mark('(')] => self.rules.says(what, word),
                    _ => false,
                })
            };
            let equals = is_called(TestSays::Equal) && !is_called(TestSays::Different);
            let denies = words("exists") && (words("not") || words("false")) && is_called(TestSays::Truthy);
            let finds_none = is_called(TestSays::Empty) || equals && is_compared || denies || is_zeroed || raises;
            return Some(!with_value).filter(|_| finds_none && !asked.is_narrow);
        }
        self.compared(statement, names)
    }

    /// `is((SELECT access_token FROM users ..), 'x')`, `isnt(.., NULL)`, `ok((SELECT access_token IS NOT NULL ..))`
    fn compared(&self, statement: &[Token], names: &Names) -> Option<bool> {
        let from = statement.iter().position(|token| token.is("from"))?;
        let asserts = statement.windows(2).find_map(|pair| match pair {
            [Token::Word(word), Token::Mark('(')] => {
                let kinds = [TestSays::Equal, TestSays::Different, TestSays::Truthy];
                kinds.into_iter().find(|kind| self.rules.says(*kind, word))
            }
            _ => None,
        })?;
        let head = &statement[..from];
        let at = head.iter().rposition(|token| matches!(token, Token::Word(word) if names.is_column(word)))?;
        let behind = &head[at + 1..];
        let is_null = behind.first().is_some_and(|token| token.is("is")) && behind.iter().any(|token| token.is("null"));
        let tail = &statement[from..];
        let is_nothing = tail.windows(2).any(|pair| pair[0] == Token::Mark(',') && pair[1].is("null"));
        match asserts {
            TestSays::Truthy if is_null => Some(behind.iter().any(|token| token.is("not"))),
            TestSays::Equal if !is_null => Some(!is_nothing),
            TestSays::Different if !is_null && is_nothing => Some(true),
            _ => None,
        }
    }
}

/// Whether something is compared with zero, outside of `LIMIT 0`.
fn words_zero(statement: &[Token]) -> bool {
    statement.windows(2).any(|pair| match pair {
        [Token::Mark(',' | '=' | '(' | '>'), Token::Number(number)] => number == "0",
        _ => false,
    })
}
