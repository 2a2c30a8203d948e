//! Takes literals out of a source line before it is shown, so that no hard-coded token is copied into a report.
//!
//! Three nets: a literal longer than eight characters loses its inside, unless it is SQL or a call, of which only the inner literals go, or
//! a name of the schema; a literal in a comment goes the same way where it has no space in it; and what looks like random text goes
//! wherever it stands, since one line does not tell that it is inside a literal that began on an earlier one.

use std::collections::BTreeSet;

/// How many `*` stand for the inside of a literal.
const MASK: usize = 3;

/// Literals up to this long (in characters) stay: no credential is that short.
const SHORT: usize = 8;

const SQL_VERBS: &[&str] =
    &["select", "insert", "update", "delete", "with", "merge", "replace", "create", "alter", "set", "values", "where"];

/// A column's default as it may be shown: a literal could be a token that every row starts with.
pub(crate) fn shown_default(default: &str) -> String {
    mask(default, &BTreeSet::new(), usize::MAX).text
}

/// A line as it may be shown, and where its parts went.
#[derive(Debug)]
pub(crate) struct Masked {
    pub(crate) text: String,
    /// Ranges of the original line that were replaced, and how long what stands there is; in order.
    cuts: Vec<(usize, usize, usize)>,
}

impl Masked {
    /// Where a byte offset of the original line is in the masked one.
    pub(crate) fn position(&self, offset: usize) -> usize {
        // How much longer the masked line is up to here, kept as two numbers since it mostly is shorter.
        let (mut gained, mut lost) = (0, 0);
        for (start, end, length) in &self.cuts {
            if offset <= *start {
                break;
            }
            if offset < *end {
                return *start + gained + length - lost;
            }
            gained += length;
            lost += end - start;
        }
        (offset + gained).saturating_sub(lost).min(self.text.len())
    }
}

/// Masks one line. `names` are the names that the schema knows anyway. Before byte `exact` of the line a mask is as wide as what it
/// stands for, so that what is there keeps its column.
pub(crate) fn mask(line: &str, names: &BTreeSet<&str>, exact: usize) -> Masked {
    let mut ranges = Vec::new();
    let start = line.trim_start();
    let is_comment = ["*", "/*", "//", "--", "#"].iter().any(|mark| start.starts_with(mark));
    literals(line, 0, line.len(), is_comment, names, &mut ranges);
    random(line, &mut ranges);
    ranges.sort_unstable();
    let mut masked = Masked { text: String::with_capacity(line.len()), cuts: Vec::new() };
    let mut at = 0;
    for (start, end) in ranges {
        let length = if start < exact { line[start..end].chars().count() } else { MASK };
        masked.text.push_str(&line[at..start]);
        masked.text.extend(std::iter::repeat_n('*', length));
        masked.cuts.push((start, end, length));
        at = end;
    }
    masked.text.push_str(&line[at..]);
    masked
}

/// Collects the insides to cut between two offsets.
fn literals(line: &str, from: usize, to: usize, comment: bool, names: &BTreeSet<&str>, cuts: &mut Vec<(usize, usize)>) {
    let bytes = line.as_bytes();
    let mut comment = comment;
    let mut at = from;
    while at < to {
        let byte = bytes[at];
        if byte == b'/' && matches!(bytes.get(at + 1), Some(b'/' | b'*')) {
            comment = true;
        }
        // A lifetime: `&'r str`, `Request<'_>`.
        let is_lifetime = byte == b'\'' && (line[..at].ends_with('&') || line[at..].starts_with("'_>"));
        if !matches!(byte, b'\'' | b'"' | b'`') || is_lifetime {
            at += 1;
            continue;
        }
        let open = at + 1;
        let end = match closing(bytes, byte, open, to) {
            Some(end) => end,
            // A template goes on over lines; the other two are an apostrophe.
            None if byte == b'`' => to,
            None => {
                at = open;
                continue;
            }
        };
        let inside = &line[open..end];
        if is_sql(inside) || is_call(inside) {
            literals(line, open, end, comment, names, cuts);
        } else if comment && inside.contains(char::is_whitespace) {
            at = open;
            continue;
        } else if byte == b'`' && inside.contains("${") {
            template(line, open, end, comment, names, cuts);
        } else if is_long(inside) && !names.contains(inside) && !is_route(inside) {
            cuts.push((open, end));
        }
        at = (end + 1).min(to);
    }
}

/// Of a template the code that is worked out stays, its literals as anywhere; its text goes by its parts.
fn template(line: &str, from: usize, to: usize, comment: bool, names: &BTreeSet<&str>, cuts: &mut Vec<(usize, usize)>) {
    let mut at = from;
    while at < to {
        let rest = &line[at..to];
        let text = rest.find("${").unwrap_or(rest.len());
        if is_long(&rest[..text]) && !is_route(&rest[..text]) {
            cuts.push((at, at + text));
        }
        let code = at + text;
        let mut depth = 0_usize;
        let length = line[code..to].bytes().position(|byte| {
            match byte {
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            byte == b'}' && depth == 0
        });
        let end = length.map_or(to, |length| code + length + 1);
        literals(line, code, end, comment, names, cuts);
        at = end;
    }
}

fn is_long(text: &str) -> bool {
    text.chars().count() > SHORT
}

/// `/v1/auth/:id`: words behind slashes are an address, and no secret is made of them.
fn is_route(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_lowercase() || matches!(c, '/' | '-' | '_' | ':' | '{' | '}' | '*' | '.');
    let version = |word: &str| word.strip_prefix('v').is_some_and(|rest| matches!(rest.len(), 1..=2));
    text.starts_with('/')
        && text.split('/').all(|word| {
            // `:orgUrl`, `[orgUrl]`
            let is_parameter = word.starts_with([':', '[', '{'])
                && word.chars().skip(1).all(|c| c.is_ascii_alphabetic() || matches!(c, ']' | '}' | '_'));
            is_parameter && word.len() <= 24
                || version(word) && word.chars().skip(1).all(|c| c.is_ascii_digit())
                || word.len() <= 24 && word.chars().all(is_part)
        })
}

fn closing(bytes: &[u8], quote: u8, from: usize, to: usize) -> Option<usize> {
    let mut at = from;
    while at < to {
        match bytes[at] {
            b'\\' => at += 1,
            byte if byte == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

fn is_sql(text: &str) -> bool {
    let text = text.trim_start();
    let word = text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or("");
    text[word.len()..].starts_with(char::is_whitespace) && SQL_VERBS.contains(&word.to_ascii_lowercase().as_str())
}

/// `gen_random_uuid()`: what is called is no secret, what it is handed may be.
fn is_call(text: &str) -> bool {
    let Some((name, rest)) = text.split_once('(') else { return false };
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
    is_name && rest.ends_with(')')
}

/// Runs of letters and digits that change between the two again and again: no word does, keys and hashes do.
fn random(line: &str, cuts: &mut Vec<(usize, usize)>) {
    const LONG: usize = 20;
    const CHANGES: usize = 6;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let bytes = line.as_bytes();
    let mut start = 0;
    while start < bytes.len() {
        let length = bytes[start..].iter().take_while(|byte| is_part(**byte)).count();
        let run = &bytes[start..start + length];
        let kinds: Vec<bool> = run.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::is_ascii_digit).collect();
        let changes = kinds.windows(2).filter(|pair| pair[0] != pair[1]).count();
        let end = start + length;
        let is_cut = cuts.iter().any(|(from, to)| start < *to && *from < end);
        if length >= LONG && changes >= CHANGES && !is_cut {
            cuts.push((start, end));
        }
        start = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(line: &str) -> String {
        mask(line, &BTreeSet::from(["access_token"]), 0).text
    }

    #[test]
    fn a_call_is_shown_without_what_it_is_handed() {
        assert_eq!(shown_default("() => 'gen_random_uuid()'"), "() => 'gen_random_uuid()'");
        assert_eq!(shown_default("() => \"prefixed('hunter2hunter2')\""), "() => \"prefixed('**************')\"");
    }

    #[test]
    fn long_literals_lose_their_inside_and_short_ones_and_names_stay() {
        assert_eq!(
            masked("update(id, { token: 'secret-hunter2', kind: 'web' })"),
            "update(id, { token: '***', kind: 'web' })"
        );
        assert_eq!(masked("x = `Bearer hunter2 abc` + \"a\\\"bcdefghij\""), "x = `***` + \"***\"");
        assert_eq!(masked("row['access_token'] = t"), "row['access_token'] = t");
    }

    #[test]
    fn of_a_template_the_code_stays_and_long_text_goes() {
        assert_eq!(masked("a: `Bearer ${user.token}`"), "a: `Bearer ${user.token}`");
        assert_eq!(masked("a: `hunter2-hunter2 ${user.token}x`"), "a: `***${user.token}x`");
        assert_eq!(masked("a: `${f('hunter2-hunter2')}`"), "a: `${f('***')}`");
        assert_eq!(masked("a: `x${user.token"), "a: `x${user.token");
    }

    #[test]
    fn a_lifetime_begins_no_literal() {
        let line = "async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {";
        assert_eq!(masked(line), line);
    }

    #[test]
    fn a_route_stays() {
        assert_eq!(masked("app.get('/v1/organisations/:orgUrl', f)"), "app.get('/v1/organisations/:orgUrl', f)");
        assert_eq!(masked("app.get('/hunter2/Hunter2', f)"), "app.get('***', f)");
    }

    #[test]
    fn of_sql_only_the_inner_literals_go() {
        assert_eq!(
            masked("db.query(\"UPDATE users SET access_token = 'hunter2-hunter2' WHERE id = $1\")"),
            "db.query(\"UPDATE users SET access_token = '***' WHERE id = $1\")"
        );
        assert_eq!(
            masked("INSERT INTO users VALUES (1, 'hunter2-hunter2', '')"),
            "INSERT INTO users VALUES (1, '***', '')"
        );
    }

    #[test]
    fn a_template_that_goes_on_below_is_masked_to_its_end() {
        assert_eq!(masked("const key = `-----BEGIN hunter"), "const key = `***");
        assert_eq!(masked("sql`UPDATE users"), "sql`UPDATE users");
    }

    #[test]
    fn comments_stay_readable_and_keep_no_literal() {
        let comment = "// stateless: don't store the token, the column isn't used";
        assert_eq!(masked(comment), comment);
        assert_eq!(masked("  // token = 'hunter2hunter2'"), "  // token = '***'");
        assert_eq!(masked("f(x) // don't, it isn't used"), "f(x) // don't, it isn't used");
    }

    #[test]
    fn random_text_goes_wherever_it_stands() {
        assert_eq!(masked("  eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.x"), "  ***.x");
        assert_eq!(
            masked("class CreateUsers1690000000000 implements Migration"),
            "class CreateUsers1690000000000 implements Migration"
        );
        assert_eq!(masked("this.generateRefreshTokenForUserV2(user)"), "this.generateRefreshTokenForUserV2(user)");
    }

    #[test]
    fn offsets_follow_the_text() {
        let line = "f('hunter2-hunter2', user.token)";
        let masked = mask(line, &BTreeSet::new(), 0);
        let moved = masked.position(line.find("user").unwrap());
        assert_eq!(&masked.text[moved..moved + 10], "user.token");
        assert_eq!(masked.position(0), 0);
        assert_eq!(masked.position(line.len()), masked.text.len());
        assert_eq!(&masked.text[masked.position(8)..], "', user.token)");
    }

    #[test]
    fn what_stands_behind_a_mask_keeps_its_column_where_it_must() {
        let line = "f('hünter2-hunter2', user.token, 'hunter2-hunter2')";
        let user = line.find("user").unwrap();
        let masked = mask(line, &BTreeSet::new(), user);
        assert_eq!(masked.text, "f('***************', user.token, '***')");
        assert_eq!(&masked.text[masked.position(user)..][..10], "user.token");
    }

    proptest::proptest! {
        #[test]
        fn every_place_of_every_line_has_a_place_in_the_masked_one(
            line in r#"(['"`\\/#*é a-z0-9$(){}-]|select |update |eyJhbGciOiJIUzI1NiIsInR5cCI6){0,40}"#,
            exact in 0usize..60,
        ) {
            let masked = mask(&line, &BTreeSet::new(), exact);
            let mut last = 0;
            for offset in (0..=line.len()).filter(|offset| line.is_char_boundary(*offset)) {
                let position = masked.position(offset);
                proptest::prop_assert!(masked.text.is_char_boundary(position) && position >= last);
                last = position;
            }
            proptest::prop_assert_eq!(last, masked.text.len());
        }
    }
}
