//! Rows about words: what names and comments say of what they are about.

use serde::Deserialize;

use crate::rules::{Rules, path};

/// Words that tell one thing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Words {
    pub tells: Tells,
    /// In lower case, words of a name or of a sentence; `*` stands for any text in one.
    #[serde(default)]
    pub words: Vec<String>,
    /// Words that tell it only where a name has no other one.
    #[serde(default)]
    pub alone: Vec<String>,
    /// Words of a name beside which one is alone all the same.
    #[serde(default)]
    pub beside: Vec<String>,
    /// Words beside which a name is of something else.
    #[serde(default)]
    pub not: Vec<String>,
}

/// What a word tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tells {
    /// A name under which a token is kept that lets in: `accessToken`, no `csrfToken`.
    Token,
    /// A cookie's name, of a session or a token: `sid`, `__Host-access`.
    SessionCookie,
    /// A table, a store, a key that lists what was revoked: `tokenBlacklist`.
    Denylist,
    /// What stands before a key of such a list: `bl:`.
    DenylistKey,
    /// A column that such a list is asked by: the token's or its hash's, beside none that names the token;
    ByToken,
    /// ... one that names it: `jti`.
    ByName,
    /// A variable or field that holds a token as it was sent.
    Sent,
    /// A key of claims, or a field of them, that says when a token ends.
    End,
    /// A token that does not let in call by call: one for refreshing, for a link in a mail.
    Errand,
    /// ... one that does, by the words of its name in lower case: `accessToken`.
    LetsIn,
    /// A part of a request that says who sends it: its headers, its cookies.
    Carrier,
    /// An endpoint that renews or ends what a token gives, by its route or name in lower case without `-` and `_`.
    Renewal,
    /// One that renews it, by the same.
    Refresh,
    /// A key of an issuer's answer, in lower case without `_`, that is not in each of its answers.
    PerhapsIssued,
    /// A word of a comment that says what is told of what another sentence names.
    Itself,
    /// A method of a database's driver that answers at once, without a promise.
    AtOnce,
    /// The path of what says how the program is run.
    Setting,
    /// A value of such a setting where the program is run for its users ...
    Live,
    /// ... and where it is tried out.
    Trial,
    /// A method by which a query asks, in lower case;
    Condition,
    /// ... a method or key by which it only chooses what it gives.
    Choice,
    /// A method by which a query finds others besides, in lower case.
    Alternative,
    /// A key of a query under which a list is one of alternatives, in lower case.
    Either,
    /// A method that gives the column of a row that it is told, in lower case.
    Getter,
    /// A key of a request that says what is asked for, not by whom.
    Asked,
    /// One that says its path.
    Path,
    /// The path of what says how the handler of a request is marked: its metadata;
    Marked,
    /// ... of what marks it.
    Mark,
    /// A method that adds a duration to a time.
    Addition,
    /// A type of Rust that a value of a row is read as, and that holds no NULL.
    NeverNull,
    /// A method that tells whether there is one in a list, in lower case.
    Search,
    /// A function that compares what it is handed.
    Comparison,
    /// A key, a function or an operator of a condition under which what it names is left out, in lower case: `$ne`, `<>`.
    Excluding,
    /// A method, a function or a part of a text by which a query finds rows that have no value there, in lower case: `whereNull`.
    ForNone,
    /// A key or a function beside the condition of a query, in lower case: what is read or written, not whom it finds.
    Beside,
    /// A column by which many rows are found alike: `role`, `teamId`.
    Common,
    /// A method that finds as many rows as there are.
    Many,
    /// What stands behind `SELECT` where a query gives one row whoever is there, in lower case: `count(*)`.
    Counting,
    /// Before a claim in a comment: it is none about what is.
    Hedge,
    /// Anywhere before a claim in its sentence: what is to be done is not so yet.
    Plan,
    /// Before or behind a column's name in a comment: it is of something else that is called so.
    OtherThing,
    /// Behind what would qualify one: it is meant of everything all the same.
    Everywhere,
    /// Behind one: why it is so.
    Reason,
    /// Behind a claim in a comment: it is about less than the column.
    Narrowing,
}

impl Rules {
    fn telling(&self, what: Tells) -> impl Iterator<Item = &Words> {
        self.word().filter(move |row| row.tells == what)
    }

    /// The words that tell it in any name.
    pub fn words_of(&self, what: Tells) -> impl Iterator<Item = &str> {
        self.telling(what).flat_map(|row| &row.words).map(String::as_str)
    }

    /// Whether a word tells it by itself.
    pub fn tells(&self, what: Tells, word: &str) -> bool {
        self.words_of(what).any(|pattern| path::glob(pattern, word))
    }

    /// Whether a name of these words, in lower case, would but for one that says otherwise: `csrfToken`.
    pub fn tells_otherwise(&self, what: Tells, words: &[String]) -> bool {
        let is_not = |word: &String| self.telling(what).flat_map(|row| &row.not).any(|glob| path::glob(glob, word));
        words.iter().any(|word| self.tells(what, word)) && words.iter().any(is_not)
    }

    /// Whether a name of these words does, in lower case.
    pub fn tells_name(&self, what: Tells, words: &[String]) -> bool {
        let is = |listed: fn(&Words) -> &[String], word: &str| {
            self.telling(what).flat_map(listed).any(|pattern| path::glob(pattern, word))
        };
        if words.iter().any(|word| is(|row| &row.not, word)) {
            return false;
        }
        let mut others = words.iter().filter(|word| !is(|row| &row.beside, word));
        let alone = others.next().filter(|_| others.next().is_none());
        alone.is_some_and(|word| is(|row| &row.alone, word)) || words.iter().any(|word| self.tells(what, word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_word_tells_alone_only_where_no_other_stands_beside_it() {
        let rules = crate::rules::load(&[]).expect("the packs that are built in");
        let is_cookie = |name: &str| rules.tells_name(Tells::SessionCookie, &words(name));
        assert!(is_cookie("host access") && is_cookie("rt") && is_cookie("connect sid"));
        assert!(!is_cookie("access log") && !is_cookie("csrf session"));
    }
}
