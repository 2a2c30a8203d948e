//! The two small languages of rule rows: [`CallPattern`] names callables, [`ArgPath`] names what is in their arguments.

use std::fmt;
use std::str::FromStr;

use globset::{Glob, GlobSet, GlobSetBuilder};
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
            if !name.chars().all(|c| c.is_alphanumeric() || "_$*#-!".contains(c)) {
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

    /// The module or package that the callable comes from, as far as it is written out in whole words; `None` for a method of anything
    /// and for globals.
    pub fn module(&self) -> Option<&str> {
        match &self.root {
            Root::Module(module) if module != "global" => {
                let plain = module.split('*').next().unwrap_or(module);
                // `passport-github*` is `passport-github2` too, which mentions no `github`.
                let is_torn = plain.len() < module.len() && plain.ends_with(char::is_alphanumeric);
                let whole = plain.rfind(['-', '/']).filter(|_| is_torn).map_or(plain, |at| &plain[..at]);
                let whole = whole.trim_end_matches('/');
                (whole.len() > 2).then_some(whole)
            }
            _ => None,
        }
    }

    /// The plain name of the first step that code must mention: `localStorage`.
    pub fn first(&self) -> &str {
        self.steps.iter().map(|step| plain_name(step)).find(|name| !name.contains('*')).unwrap_or("")
    }

    /// Whether this row is about the callable at `path`: a concrete path such as `crypto#createHash().update().digest`, or
    /// `?.update` where the receiver's origin is not known.
    pub fn matches(&self, path: &str) -> bool {
        // Most calls of a program are no row's business and differ in the last name already.
        if let Some(last) = &self.last
            && !plain_name(path).ends_with(last.as_str())
        {
            return false;
        }
        let (module, tail) = if path.starts_with('?') {
            (None, path.split_once('.').map_or("", |(_, tail)| tail))
        } else if let Some((module, tail)) = split_module(path) {
            (Some(without_node(module)), without_default(tail))
        } else {
            return false;
        };
        let is_of_root = match (&self.root, module) {
            (Root::Module(pattern), Some(module)) => module_matches(pattern, module),
            (Root::Unknown, None) | (Root::Any, _) => true,
            (Root::Module(_), None) | (Root::Unknown, Some(_)) => false,
        };
        let fits = |steps: &[&str]| steps_match(&self.steps, steps, self.root == Root::Any);
        is_of_root && if tail.is_empty() { fits(&[]) } else { split(tail, '.', fits) }
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
    let (first, named) = (pattern.split('/').next(), module.split('/').next());
    if first != named && first.is_some_and(|first| !first.contains('*')) {
        return false;
    }
    split(pattern, '/', |pattern| split(module, '/', |module| steps_match(pattern, module, false)))
}

/// The parts of a text; they hardly ever need memory of their own.
fn split<T>(text: &str, at: char, of_parts: impl FnOnce(&[&str]) -> T) -> T {
    let mut few = [""; 12];
    let mut count = 0;
    for part in text.split(at) {
        let Some(place) = few.get_mut(count) else { return of_parts(&text.split(at).collect::<Vec<_>>()) };
        *place = part;
        count += 1;
    }
    of_parts(&few[..count])
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
    /// `result`: what the call comes to, of one that takes a callback for it.
    Result,
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
        } else if text == "result" {
            Ok(Self::Result)
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
/// Where it is neither `$receiver`, nor what the call names (`$named`), nor one of its type arguments (`$type1`), nor a class of a module.
pub(crate) fn type_path(text: &str) -> Result<(), PathError> {
    if text.len() > LONGEST_TYPE {
        return Err(PathError(format!("a type of {} bytes: no more than {LONGEST_TYPE} are read", text.len())));
    }
    let is_argument =
        text.strip_prefix("$type").is_some_and(|nth| nth.len() == 1 && nth.bytes().all(|b| b.is_ascii_digit()));
    if matches!(text, "$receiver" | "$entity" | "$named") || is_argument || is_index(text) {
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
        Glob::new(glob).map_err(|error| D::Error::custom(format!("`{glob}` is no glob: {}", error.kind())))?;
    }
    Ok(globs)
}

/// What the globs of a row match; empty where it has none.
pub(crate) fn file_set(globs: &[String]) -> Option<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for glob in globs.iter().filter_map(|glob| Glob::new(glob).ok()) {
        set.add(glob);
    }
    set.build().ok()
}

/// `$0`
fn is_index(text: &str) -> bool {
    text.strip_prefix('$').is_some_and(|index| index.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests;
