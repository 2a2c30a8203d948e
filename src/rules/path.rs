//! The two small languages of rule rows: [`CallPattern`] names callables, [`ArgPath`] names what is in their arguments.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Why a path of a rule row cannot be read, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PathError(String);

/// Which callables a row is about; parsed once. See the languages in [`crate::rules`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct CallPattern {
    text: String,
    root: Root,
    /// What follows the root, split at the dots; a called step ends in `()`.
    steps: Vec<String>,
    /// Of the last step, without `()`; `None` where it has a wildcard.
    last: Option<String>,
}

/// Where a callable comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Root {
    /// `crypto#`: a module (or `global`), with wildcards; `node:` dropped.
    Module(String),
    /// `.update`: anything.
    Any,
    /// `?.update`: only a receiver whose origin is not known.
    Unknown,
}

impl CallPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Says what is wrong with the text and how such a path looks.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let wrong = |why: &str| Err(PathError(format!("`{text}` is no callable path: {why}")));
        if text.chars().any(char::is_whitespace) {
            return wrong("it has a space; one path names one callable");
        }
        let (root, tail) = if let Some(tail) = text.strip_prefix('.') {
            (Root::Any, tail)
        } else if let Some(tail) = text.strip_prefix("?.") {
            (Root::Unknown, tail)
        } else if let Some((module, tail)) = split_module(text)
            && !module.starts_with('?')
        {
            (Root::Module(without_node(module).to_owned()), without_default(tail))
        } else {
            return wrong("write `module#export`, `global#name`, or `.method` for a method of any receiver");
        };
        let steps: Vec<String> = tail.split('.').map(str::to_owned).collect();
        for step in &steps {
            let name = step.strip_suffix("()").unwrap_or(step);
            if name.is_empty() {
                return wrong("a step between two dots is empty");
            }
            if !name.chars().all(|c| c.is_alphanumeric() || "_$*#-".contains(c)) {
                return wrong(
                    "a step is a name, with `()` behind it where it is called; `*` stands for any text in it",
                );
            }
        }
        let last = steps.last().map(|step| plain_name(step)).filter(|name| !name.contains('*')).map(str::to_owned);
        Ok(Self { text: text.to_owned(), root, steps, last })
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The plain name of the last step, to reject calls of other names without matching; `None` where it has a wildcard.
    pub fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }

    /// Whether this row is about the callable at `path`: a concrete path such as `crypto#createHash().update().digest`, or
    /// `?.update` where the receiver's origin is not known.
    pub fn matches(&self, path: &str) -> bool {
        let (module, tail) = if path.starts_with('?') {
            (None, path.split_once('.').map_or("", |(_, tail)| tail))
        } else if let Some((module, tail)) = split_module(path) {
            (Some(without_node(module)), without_default(tail))
        } else {
            return false;
        };
        // Most calls of a program are no row's business and differ in the last name already.
        if let Some(last) = &self.last
            && tail.rsplit('.').next().map(plain_name) != Some(last.as_str())
        {
            return false;
        }
        let steps: Vec<&str> = if tail.is_empty() { Vec::new() } else { tail.split('.').collect() };
        match (&self.root, module) {
            (Root::Module(pattern), Some(module)) => {
                module_matches(pattern, module) && steps_match(&self.steps, &steps, false)
            }
            (Root::Unknown, None) => steps_match(&self.steps, &steps, false),
            (Root::Any, _) => steps_match(&self.steps, &steps, true),
            (Root::Module(_), None) | (Root::Unknown, Some(_)) => false,
        }
    }
}

impl TryFrom<String> for CallPattern {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        Self::parse(&text)
    }
}

impl fmt::Display for CallPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `module` and the steps at the first `#` that is not the first character (`#lib/x` is a module name too).
fn split_module(path: &str) -> Option<(&str, &str)> {
    let first = path.chars().next()?.len_utf8();
    let at = path.get(first..)?.find('#')? + first;
    Some((path.get(..at)?, path.get(at + 1..)?))
}

fn without_node(module: &str) -> &str {
    module.strip_prefix("node:").unwrap_or(module)
}

fn without_default(tail: &str) -> &str {
    tail.strip_prefix("default.").unwrap_or(tail)
}

fn plain_name(step: &str) -> &str {
    step.strip_suffix("()").unwrap_or(step)
}

/// Folder by folder: `*` within one, `**` any number of them.
fn module_matches(pattern: &str, module: &str) -> bool {
    if !pattern.contains('*') {
        return pattern == module;
    }
    let pattern: Vec<&str> = pattern.split('/').collect();
    let module: Vec<&str> = module.split('/').collect();
    steps_match(&pattern, &module, false)
}

/// Whether the steps fit; `tail`: any number of steps may stand before them.
///
/// Backtracks to the last `**` only, which is enough for wildcards and takes at most |pattern| * |steps| comparisons.
fn steps_match<P: AsRef<str>>(pattern: &[P], steps: &[&str], tail: bool) -> bool {
    let (mut p, mut s) = (0, 0);
    // Where to go on after a mismatch: the pattern behind the last `**`, and the step it took last.
    let mut retry = tail.then_some((0, 0));
    loop {
        match (pattern.get(p).map(AsRef::as_ref), steps.get(s)) {
            (None, None) => return true,
            (Some("**"), _) => {
                p += 1;
                retry = Some((p, s));
                continue;
            }
            (Some(want), Some(step)) if glob(want, step) => {
                p += 1;
                s += 1;
                continue;
            }
            _ => {}
        }
        match retry {
            Some((again, from)) if from < steps.len() => {
                retry = Some((again, from + 1));
                (p, s) = (again, from + 1);
            }
            _ => return false,
        }
    }
}

/// Whether `text` fits `pattern`, where `*` stands for any text, also none.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, mut rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    while let Some((piece, behind)) = rest.split_once('*') {
        // The leftmost place is never worse than a later one for what follows.
        let Some(at) = text.find(piece) else { return false };
        text = &text[at + piece.len()..];
        rest = behind;
    }
    text.ends_with(rest)
}

/// Where a value stands in the arguments of a call.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ArgPath {
    pub base: ArgBase,
    /// Keys from there; `*` is each element of an array.
    pub keys: Vec<String>,
}

/// What an argument path starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArgBase {
    /// `0`: the argument at this index.
    Nth(u32),
    /// `last` is 1, `-2` is 2: counted from the end.
    FromEnd(u32),
    /// `1..`: each argument from this index on.
    From(u32),
    /// What the method is called on.
    Receiver,
    /// `*`: any argument.
    Any,
}

impl ArgPath {
    /// Reads a path.
    ///
    /// # Errors
    /// Says what is wrong with the text and how such a path looks.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let wrong = |why: &str| Err(PathError(format!("`{text}` is no argument path: {why}")));
        let (base, keys) = if let Some((first, behind)) = text.split_once("..") {
            let Ok(first) = first.parse() else { return wrong("before `..` stands the index of an argument: `1..`") };
            (ArgBase::From(first), behind)
        } else {
            let end = text.find('.').unwrap_or(text.len());
            let (base, keys) = text.split_at(end);
            let base = match base {
                "receiver" => ArgBase::Receiver,
                "last" => ArgBase::FromEnd(1),
                "*" => ArgBase::Any,
                _ => match (base.strip_prefix('-').map(str::parse), base.parse()) {
                    (Some(Ok(back)), _) if back > 0 => ArgBase::FromEnd(back),
                    (None, Ok(index)) => ArgBase::Nth(index),
                    _ => return wrong("it starts with an index (`0`, `-2`, `1..`), `last`, `receiver` or `*`"),
                },
            };
            (base, keys)
        };
        let keys: Vec<String> = match keys.strip_prefix('.') {
            Some(keys) => keys.split('.').map(str::to_owned).collect(),
            None if keys.is_empty() => Vec::new(),
            None => return wrong("keys follow a dot: `0.data`"),
        };
        if keys.iter().any(|key| key.is_empty() || key.chars().any(char::is_whitespace)) {
            return wrong("a key between two dots is empty or has a space");
        }
        Ok(Self { base, keys })
    }
}

impl TryFrom<String> for ArgPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        Self::parse(&text)
    }
}

impl FromStr for ArgPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

impl fmt::Display for ArgPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.base {
            ArgBase::Nth(index) => write!(f, "{index}"),
            ArgBase::FromEnd(1) => f.write_str("last"),
            ArgBase::FromEnd(back) => write!(f, "-{back}"),
            ArgBase::From(index) => write!(f, "{index}.."),
            ArgBase::Receiver => f.write_str("receiver"),
            ArgBase::Any => f.write_str("*"),
        }?;
        self.keys.iter().try_for_each(|key| write!(f, ".{key}"))
    }
}

/// What a library hands to a function as one parameter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Handed {
    /// `?`: not known.
    Unknown,
    /// `receiver`, `0.data`: the same as what stands there in the call.
    Argument(ArgPath),
    /// `typeorm#EntityManager`: an instance of this class; `$0` inside `<>` as in [`crate::rules::Receiver::gives`].
    Type(String),
}

impl TryFrom<String> for Handed {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        if text == "?" {
            Ok(Self::Unknown)
        } else if text.contains('#') {
            type_path(&text)?;
            Ok(Self::Type(text))
        } else {
            ArgPath::parse(&text).map(Self::Argument)
        }
    }
}

/// Bounds how deep the `<>` of a type can nest.
const LONGEST_TYPE: usize = 300;

/// Checks a type such as `typeorm#Repository<$0>`.
///
/// # Errors
/// Where it is neither `$receiver` nor a class of a module.
pub(crate) fn type_path(text: &str) -> Result<(), PathError> {
    if text.len() > LONGEST_TYPE {
        return Err(PathError(format!("a type of {} bytes: no more than {LONGEST_TYPE} are read", text.len())));
    }
    if text == "$receiver" || is_index(text) {
        return Ok(());
    }
    let (class, args) = match text.split_once('<') {
        None => (text, None),
        Some((class, rest)) => match rest.strip_suffix('>') {
            Some(args) => (class, Some(args)),
            None => return Err(PathError(format!("`{text}` is no type: the `>` is missing"))),
        },
    };
    if class.contains('*') {
        return Err(PathError(format!("`{text}` is no type: it names one class, without `*`")));
    }
    CallPattern::parse(class)?;
    match args {
        None => Ok(()),
        Some(args) => args.split(',').map(str::trim).try_for_each(type_path),
    }
}

/// A type in a row, checked.
pub(crate) fn type_text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    type_path(&text).map_err(D::Error::custom)?;
    Ok(text)
}

/// Globs of file paths in a row, checked.
pub(crate) fn file_globs<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let globs = Vec::<String>::deserialize(from)?;
    for glob in &globs {
        globset::Glob::new(glob).map_err(|error| D::Error::custom(format!("`{glob}` is no glob: {}", error.kind())))?;
    }
    Ok(globs)
}

/// `$0`
fn is_index(text: &str) -> bool {
    text.strip_prefix('$').is_some_and(|index| index.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        CallPattern::parse(pattern).unwrap().matches(path)
    }

    #[test]
    fn a_pattern_without_wildcards_matches_itself_alone() {
        for path in [
            "argon2#hash",
            "@nestjs/jwt#JwtService.signAsync",
            "crypto#createHash().update().digest",
            "global#Math.random",
            "express#default()",
            "#lib/jwt#sign",
        ] {
            assert!(matches(path, path), "{path}");
            assert!(!matches(path, &format!("{path}.more")), "{path}");
            assert!(!matches(path, &format!("x{path}")), "{path}");
        }
        assert!(!matches("express#Router", "express#Router()"));
    }

    #[test]
    fn node_and_default_make_no_difference() {
        assert!(matches("crypto#randomBytes", "node:crypto#default.randomBytes"));
        assert!(matches("node:crypto#default.randomBytes", "crypto#randomBytes"));
        assert!(!matches("nanoid#default", "nanoid#nanoid"));
    }

    #[test]
    fn one_star_stays_in_a_step_and_two_cross_them() {
        assert!(matches("jose#SignJWT*.**.sign", "jose#SignJWT().setIssuedAt().setExpirationTime().sign"));
        assert!(matches("jose#SignJWT*.**.sign", "jose#SignJWT.sign"));
        assert!(!matches("jose#SignJWT*.*.sign", "jose#SignJWT().a().b().sign"));
        assert!(matches("fp-ts/**#right", "fp-ts/lib/Either#right"));
        assert!(!matches("fp-ts/*#right", "fp-ts/lib/Either#right"));
        assert!(matches("@aws-sdk/client-*#*Client.send", "@aws-sdk/client-kms#KMSClient.send"));
    }

    #[test]
    fn a_leading_dot_matches_the_tail_on_any_receiver() {
        for path in ["?.user.update", "?.update", "@prisma/client#PrismaClient.user.update", "global#db().update"] {
            assert!(matches(".update", path), "{path}");
        }
        assert!(matches(".createQueryBuilder().**.set", "?.createQueryBuilder().update().set"));
        assert!(!matches(".update", "?.update()"));
        assert!(!matches(".update", "?.updateMany"));
        assert!(!matches(".update().set", "?.set"));
    }

    #[test]
    fn a_question_mark_matches_unknown_receivers_alone() {
        assert!(matches("?.update", "?.update"));
        assert!(!matches("?.update", "typeorm#Repository.update"));
        assert!(!matches("typeorm#Repository.update", "?.update"));
    }

    #[test]
    fn the_last_name_is_known_unless_it_has_a_wildcard() {
        let last = |text: &str| CallPattern::parse(text).unwrap().last().map(str::to_owned);
        assert_eq!(last("a#B.c"), Some("c".into()));
        assert_eq!(last("express#Router()"), Some("Router".into()));
        assert_eq!(last("a#b*"), None);
        assert_eq!(last(".**"), None);
    }

    #[test]
    fn what_is_no_path_is_refused_with_what_to_write() {
        for text in ["", "update", ".", "a#", "a#b..c", "a#b c", "a#b(x)", "?"] {
            assert!(CallPattern::parse(text).is_err(), "{text}");
        }
        for text in ["", "data", "0data", "0.", "-0", "1...", "x..", "0.a b"] {
            assert!(ArgPath::parse(text).is_err(), "{text}");
        }
        let error = CallPattern::parse("update").unwrap_err().to_string();
        assert!(error.contains("`.method`"), "{error}");
    }

    #[test]
    fn argument_paths_have_a_base_and_keys() {
        let path = |base, keys: &[&str]| ArgPath { base, keys: keys.iter().map(|key| (*key).to_owned()).collect() };
        let cases = [
            ("0.data", path(ArgBase::Nth(0), &["data"])),
            ("last", path(ArgBase::FromEnd(1), &[])),
            ("-2", path(ArgBase::FromEnd(2), &[])),
            ("receiver", path(ArgBase::Receiver, &[])),
            ("0.*", path(ArgBase::Nth(0), &["*"])),
            ("1..", path(ArgBase::From(1), &[])),
            ("*", path(ArgBase::Any, &[])),
            ("1...values.*", path(ArgBase::From(1), &["values", "*"])),
        ];
        for (text, expected) in cases {
            assert_eq!(ArgPath::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_handed_over_is_an_argument_or_a_type_or_not_known() {
        let handed = |text: &str| Handed::try_from(text.to_owned());
        assert_eq!(handed("?"), Ok(Handed::Unknown));
        assert_eq!(handed("typeorm#Repository<$0>"), Ok(Handed::Type("typeorm#Repository<$0>".into())));
        assert!(matches!(handed("receiver"), Ok(Handed::Argument(_))));
        assert!(handed("typeorm#Repository<$0").is_err());
        assert!(handed(&"a#b<".repeat(100_000)).is_err());
    }

    /// What the matcher means, without its shortcuts.
    fn fits(pattern: &[&str], steps: &[&str]) -> bool {
        match (pattern.split_first(), steps.split_first()) {
            (None, None) => true,
            (Some((&"**", more)), _) => fits(more, steps) || steps.split_first().is_some_and(|(_, s)| fits(pattern, s)),
            (Some((want, more)), Some((step, behind))) => fits_text(want, step) && fits(more, behind),
            _ => false,
        }
    }

    fn fits_text(pattern: &str, text: &str) -> bool {
        match (pattern.chars().next(), text.chars().next()) {
            (None, None) => true,
            (Some('*'), _) => {
                fits_text(&pattern[1..], text) || text.chars().next().is_some_and(|_| fits_text(pattern, &text[1..]))
            }
            (Some(a), Some(b)) if a == b => fits_text(&pattern[1..], &text[1..]),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn steps_match_as_their_definition_says(
            pattern in prop::collection::vec("(\\*\\*|[ab*]{1,3})", 1..5),
            steps in prop::collection::vec("[ab]{1,3}", 1..6),
        ) {
            // `***` in one step is neither one nor the other; it means `*`.
            let pattern: Vec<&str> = pattern.iter().map(|p| if p == "***" { "*" } else { p.as_str() }).collect();
            let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
            let text = format!("m#{}", pattern.join("."));
            let path = format!("m#{}", steps.join("."));
            prop_assert_eq!(matches(&text, &path), fits(&pattern, &steps), "{} {}", text, path);
            let any: Vec<&str> = std::iter::once("**").chain(pattern.iter().copied()).collect();
            let text = format!(".{}", pattern.join("."));
            prop_assert_eq!(matches(&text, &path), fits(&any, &steps), "{} {}", text, path);
        }

        #[test]
        fn no_text_panics(text in "(\\PC{0,20}|[?.#*a-c()@/é0-2]{0,12})", path in "(\\PC{0,20}|[?.#a-c()@/é]{0,12})") {
            if let Ok(pattern) = CallPattern::parse(&text) {
                pattern.matches(&path);
                prop_assert!(text.contains('*') || text.starts_with('.') || pattern.matches(&text), "{}", text);
            }
            if let Ok(path) = ArgPath::parse(&text) {
                prop_assert_eq!(ArgPath::parse(&path.to_string()), Ok(path));
            }
        }
    }
}
