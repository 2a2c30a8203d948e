//! Text for terminals: wrapping, indents, colours, and nothing in foreign text that steers a terminal.

use comfy_table::{ContentArrangement, Table, presets};

/// How wide, and whether with colours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) color: bool,
    pub(crate) width: usize,
}

impl Style {
    /// Below 40 columns nothing is readable, above 65,535 nothing is a terminal.
    pub(crate) fn new(color: bool, width: usize) -> Self {
        Self { color, width: width.clamp(40, 65_535) }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        if self.color { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub(crate) fn dim(self, text: &str) -> String {
        if self.color { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// `  label     text`, the text's further lines below its first.
    pub(crate) fn fact(self, label: &str, text: &str) -> String {
        const LABEL: usize = 10;
        let indent = LABEL + 2;
        let mut out = String::new();
        for (at, line) in wrap(text, self.width.saturating_sub(indent)).iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            out.push_str(format!("  {}{line}", self.dim(&format!("{label:<LABEL$}"))).trim_end());
            out.push('\n');
        }
        out
    }

    /// `    - text`, further lines below its first.
    pub(crate) fn bullet(self, text: &str) -> String {
        let lines = wrap(text, self.width.saturating_sub(6));
        let mut out = String::new();
        for (at, line) in lines.iter().enumerate() {
            out.push_str(if at == 0 { "    - " } else { "      " });
            out.push_str(line);
            out.push('\n');
        }
        out
    }

    /// A paragraph at an indent.
    pub(crate) fn paragraph(self, indent: usize, text: &str) -> String {
        let mut out = String::new();
        for line in wrap(text, self.width.saturating_sub(indent)) {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(&line);
            out.push('\n');
        }
        out
    }
}

/// Breaks at spaces; a word wider than the line is broken inside. Keeps line breaks of the text.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width).unwrap_or(u16::MAX).max(1)).force_no_tty();
    table.add_row(vec![text.to_owned()]);
    if let Some(column) = table.column_mut(0) {
        column.set_padding((0, 0));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// Foreign text on one line: characters that steer a terminal or reorder text are written as escapes.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                out.extend(c.escape_unicode());
            }
            c => out.push(c),
        }
    }
    out
}

/// `1 row`, `40 rows`
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_at_spaces_and_nothing_of_it_is_lost() {
        assert_eq!(wrap("the quick brown fox", 10), ["the quick", "brown fox"]);
        let long = "a".repeat(95);
        assert_eq!(wrap(&long, 40).concat(), long);
        assert!(wrap(&"日本".repeat(30), 41).iter().all(|line| line.chars().count() <= 20));
    }

    #[test]
    fn foreign_text_cannot_steer_the_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\nc\u{202e}d"), "a\\u{1b}[2Jb c\\u{202e}d");
    }
}
