//! What the text of a query compares with the values that are bound to it: `role = $1 AND id <> $2`.

use crate::ir::{SqlPart, SqlText};

/// One place for a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Condition {
    /// The how manieth of the bound values stands there, where it is told by number or order.
    pub at: Option<usize>,
    /// `id` of `:id`.
    pub name: Option<String>,
    /// The how manieth substitution of the text.
    pub hole: Option<usize>,
    /// In lower case: `<>`, `not in`.
    pub operator: Option<String>,
    /// What it is compared with, as it is written: `u.role`.
    pub column: Option<String>,
}

/// Marks a substitution.
const HOLE: char = '\u{1}';

/// A text with its substitutions marked.
pub(super) fn written(text: &SqlText) -> String {
    let part = |part: &SqlPart| match part {
        SqlPart::Written(text, _) | SqlPart::Put(text, _) => text.clone(),
        SqlPart::Hole(_) => HOLE.to_string(),
    };
    text.parts.iter().map(part).collect()
}

/// Whether a text is one that values are bound to, more than the name of a column: `u.id != :id`.
pub(super) fn is_condition(text: &str) -> bool {
    let places = conditions(text);
    places.iter().any(|place| place.operator.is_some() && place.column.is_some())
}

/// The places of a text, in order.
pub(super) fn conditions(text: &str) -> Vec<Condition> {
    let tokens = tokens(text);
    let (mut found, mut holes, mut marks): (Vec<Condition>, usize, usize) = (Vec::new(), 0, 0);
    for (at, token) in tokens.iter().enumerate() {
        let mut place = Condition::default();
        let rest = token.get(1..).unwrap_or_default();
        match token.chars().next() {
            Some(HOLE) => {
                place.hole = Some(holes);
                holes += 1;
            }
            Some('$') if rest.parse::<usize>().is_ok() => {
                place.at = rest.parse::<usize>().ok().and_then(|at| at.checked_sub(1));
            }
            Some('?') => {
                place.at = rest.parse::<usize>().ok().and_then(|at| at.checked_sub(1)).or(Some(marks));
                marks += 1;
            }
            Some('%') if rest == "s" => {
                place.at = Some(marks);
                marks += 1;
            }
            Some(':' | '@' | '$') if !rest.is_empty() => place.name = Some(rest.trim_start_matches("...").to_owned()),
            _ => continue,
        }
        (place.column, place.operator) = before(&tokens[..at]);
        if place.operator.is_none() {
            (place.column, place.operator) = behind(&tokens[at + 1..]);
        }
        found.push(place);
    }
    found
}

/// The column and the operator to the left of a place.
fn before(tokens: &[String]) -> (Option<String>, Option<String>) {
    let mut left = tokens.iter().rev().map(String::as_str).peekable();
    // `id NOT IN ($1, $2)`, `id = ANY($1)`, `LOWER($1)`
    while left.peek().is_some_and(|token| is_around(token)) {
        left.next();
    }
    let mut operator = Vec::new();
    while let Some(token) = left.peek().filter(|token| is_operator(token)) {
        operator.insert(0, token.to_lowercase());
        left.next();
    }
    while left.peek().is_some_and(|token| *token == ")") {
        left.next();
    }
    if operator.is_empty() { (None, None) } else { (left.next().map(str::to_owned), Some(operator.join(" "))) }
}

/// Those to the right: `$1 <> id`.
fn behind(tokens: &[String]) -> (Option<String>, Option<String>) {
    let mut right = tokens.iter().map(String::as_str).skip_while(|token| *token == ")").peekable();
    let mut operator = Vec::new();
    while let Some(token) = right.peek().filter(|token| is_operator(token)) {
        operator.push(token.to_lowercase());
        right.next();
    }
    if operator.is_empty() { (None, None) } else { (right.next().map(str::to_owned), Some(operator.join(" "))) }
}

fn is_operator(token: &str) -> bool {
    let words = ["not", "in", "is", "distinct", "from", "like", "ilike"];
    token.chars().all(|c| "<>!=".contains(c)) || words.iter().any(|word| token.eq_ignore_ascii_case(word))
}

/// Whether a token may stand between an operator and a place.
fn is_around(token: &str) -> bool {
    let words = ["any", "lower", "upper", "trim", "cast"];
    ["(", ","].contains(&token)
        || token.starts_with(['$', '?', ':', HOLE])
        || words.iter().any(|word| token.eq_ignore_ascii_case(word))
}

fn tokens(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut last = Kind::Space;
    let is_name = |c: char| c.is_alphanumeric() || "_.$:@?%".contains(c);
    for c in text.chars().filter(|c| !"\"`'[]\\".contains(*c)) {
        let kind = match c {
            c if c.is_whitespace() => Kind::Space,
            HOLE => Kind::Alone,
            c if is_name(c) => Kind::Name,
            c if "<>!=".contains(c) => Kind::Sign,
            _ => Kind::Alone,
        };
        match found.last_mut().filter(|_| kind == last && kind != Kind::Alone) {
            Some(token) if kind != Kind::Space => token.push(c),
            _ if kind == Kind::Space => {}
            _ => found.push(c.to_string()),
        }
        last = kind;
    }
    // `$1::uuid`
    for token in &mut found {
        if let Some((value, _)) = token.split_once("::").filter(|(value, _)| !value.is_empty()) {
            *token = value.to_owned();
        }
    }
    found
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Space,
    Name,
    Sign,
    Alone,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let place = |of: Condition| {
            let which = of.name.or(of.at.or(of.hole).map(|at| at.to_string())).unwrap_or_default();
            format!("{which}: {} {}", of.column.unwrap_or_default(), of.operator.unwrap_or_default())
        };
        conditions(text).into_iter().map(place).collect()
    }

    #[test]
    fn each_place_is_told_with_what_it_is_compared_with() {
        assert_eq!(told("SELECT 1 FROM u WHERE role = $1 AND u.id <> $2::uuid"), ["0: role =", "1: u.id <>"]);
        assert_eq!(told("email = ? AND id != ?"), ["0: email =", "1: id !="]);
        assert_eq!(told("u.id NOT IN (:...ids)"), ["ids: u.id not in"]);
        assert_eq!(told("id IS DISTINCT FROM $1 OR $2 = id"), ["0: id is distinct from", "1: id ="]);
        assert_eq!(told("\"id\" <> \u{1}"), ["0: id <>"]);
        assert_eq!(told("LOWER(email) = LOWER($1)"), ["0: email ="]);
        assert_eq!(told("users"), Vec::<String>::new());
    }

    #[test]
    fn only_a_text_with_places_is_a_condition() {
        assert_eq!(["u.id != :id", "id", "a ? b", "id = 'x'"].map(is_condition), [true, false, false, false]);
    }
}
