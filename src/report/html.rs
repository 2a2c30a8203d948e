//! `--format html`: one page that holds everything it shows, for a browser without a network.
//!
//! The page carries the JSON report and the masked source lines that it points at; a script draws both. Everything foreign becomes text
//! nodes, and the page's policy forbids every request, so that nothing in an audited tree can act in the reader's browser.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use crate::contract::{Anchor, Finding};
use crate::report::Report;
use crate::report::excerpt::known_names;
use crate::report::json;
use crate::report::mask::mask;
use crate::report::stream::compact;
use crate::source::Span;

const PAGE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// The page, in which `{{style}}`, `{{data}}` and `{{script}}` are holes.
pub(crate) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut rest = PAGE;
    for hole in ["{{style}}", "{{data}}", "{{script}}"] {
        let (before, after) = rest.split_once(hole).unwrap_or((rest, ""));
        out.write_all(before.as_bytes())?;
        match hole {
            "{{style}}" => out.write_all(STYLE.as_bytes())?,
            "{{script}}" => out.write_all(SCRIPT.as_bytes())?,
            _ => data(report, &mut Data(out))?,
        }
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

/// The report and the lines that it points at.
fn data(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"{\"report\":")?;
    json::write(report, out)?;
    out.write_all(b",\"lines\":")?;
    compact(&lines(report), out)?;
    out.write_all(b"}")
}

/// JSON inside a script element, which only a `<` could end: in JSON it stands in strings alone, where an escape means the same.
struct Data<'a>(&'a mut dyn Write);

impl Write for Data<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for (at, part) in bytes.split(|byte| *byte == b'<').enumerate() {
            if at > 0 {
                self.0.write_all(b"\\u003c")?;
            }
            self.0.write_all(part)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// `file:line` -> the masked line, for every place that a finding or a path names.
fn lines(report: &Report) -> BTreeMap<String, String> {
    let names = known_names(report);
    let mut lines = BTreeMap::new();
    let mut add = |span: Span, names: &BTreeSet<&str>| {
        let file = report.sources.get(span.file);
        let line = file.line(span.start);
        let text = || mask(file.line_text(line), names, 0).text.chars().take(WIDEST).collect();
        lines.entry(format!("{}:{line}", file.path)).or_insert_with(text);
    };
    let anchors = |finding: &Finding| -> Vec<Span> {
        let around = finding.related.iter().chain(&finding.flow);
        let all = std::iter::once(&finding.at).chain(around.map(|place| &place.at));
        all.filter_map(|at| match at {
            Anchor::Code(span) => Some(*span),
            Anchor::Config { .. } => None,
        })
        .collect()
    };
    for span in report.judgement.findings.iter().flat_map(anchors) {
        add(span, &names);
    }
    for site in report.traces.iter().flat_map(|trace| &trace.sites) {
        add(site.value, &names);
        for path in &site.paths {
            add(path.entry.span, &names);
            path.steps.iter().for_each(|step| add(step.span, &names));
        }
    }
    for missing in report.traces.iter().flat_map(|trace| &trace.missing) {
        add(missing.span, &names);
    }
    lines
}

/// Of a longer line only so many characters are shown.
const WIDEST: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example::example;

    #[test]
    fn the_page_is_whole_and_names_nothing_outside_of_itself() {
        let example = example();
        let mut page = Vec::new();
        write(&example.report(), &mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        assert!(!page.contains("{{"), "a hole is open");
        for outside in ["src=", "href=\"http", "@import", "url(", "fetch(", "XMLHttpRequest"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("Content-Security-Policy"));
    }
}
