//! JSON as people write it in `tsconfig.json`: with comments, trailing commas and a byte order mark.

/// Where a text stops being JSON.
#[derive(Debug)]
pub(crate) struct Broken {
    /// 1-based.
    pub(crate) line: u32,
    pub(crate) message: String,
}

pub(crate) fn parse(text: &str) -> Result<serde_json::Value, Broken> {
    serde_json::from_str(&plain(text.trim_start_matches('\u{feff}'))).map_err(|error| Broken {
        line: u32::try_from(error.line()).unwrap_or(u32::MAX).max(1),
        message: error.to_string(),
    })
}

/// Comments and trailing commas become blanks, so that lines and columns of errors stay right.
fn plain(text: &str) -> String {
    let mut out: Vec<char> = Vec::with_capacity(text.len());
    let mut comma = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                comma = None;
                out.push(c);
                while let Some(inner) = chars.next() {
                    out.push(inner);
                    match inner {
                        '"' => break,
                        '\\' => out.extend(chars.next()),
                        _ => {}
                    }
                }
            }
            '/' if chars.peek() == Some(&'/') => {
                out.push(' ');
                while let Some(inner) = chars.next_if(|inner| *inner != '\n') {
                    out.push(if inner == '\r' { '\r' } else { ' ' });
                }
            }
            '/' if chars.peek() == Some(&'*') => {
                chars.next();
                out.extend([' ', ' ']);
                let mut star = false;
                for inner in chars.by_ref() {
                    out.push(if inner == '\n' { '\n' } else { ' ' });
                    if star && inner == '/' {
                        break;
                    }
                    star = inner == '*';
                }
            }
            ',' => {
                comma = Some(out.len());
                out.push(c);
            }
            '}' | ']' => {
                if let Some(last) = comma.take().and_then(|at: usize| out.get_mut(at)) {
                    *last = ' ';
                }
                out.push(c);
            }
            c => {
                if !c.is_whitespace() {
                    comma = None;
                }
                out.push(c);
            }
        }
    }
    out.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_trailing_commas_are_no_part_of_the_value() {
        let text = "\u{feff}{ // one\n \"a\": \"x // no, /* no */ \\\" ,}\", /* two\n */ \"b\": [1, 2, /* c */ ], \"@/*\": 1,\n}";
        let expected = serde_json::json!({"a": "x // no, /* no */ \" ,}", "b": [1, 2], "@/*": 1});
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn what_is_broken_is_named_by_line() {
        assert_eq!(parse("{\n// c\n\"a\": }").unwrap_err().line, 3);
        for text in ["", "{", "\"", "/*", "//", "[1 2]", "{\"a\"", "\"\\"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
