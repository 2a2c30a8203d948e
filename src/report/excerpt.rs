//! A finding as an annotated excerpt of the source: the line, what is wrong with it, and the related lines.

use std::collections::BTreeSet;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::contract::{self, Anchor, Finding};
use crate::report::Report;
use crate::report::lines::{Style, clean, wrap};
use crate::report::mask::mask;

/// Related places that are shown with their own excerpt.
const RELATED: usize = 8;

/// Columns of an excerpt's line beside what is marked: the line's number, the bar, and where the line is cut on both sides.
const FRAME: usize = 20;

/// The finding, without a newline at its end.
pub(crate) fn excerpt(report: &Report, finding: &Finding, names: &BTreeSet<&str>, style: Style) -> String {
    let level = match finding.level {
        contract::Level::Error => Level::ERROR,
        contract::Level::Warning => Level::WARNING,
        contract::Level::Note => Level::NOTE,
    };
    // More than one column: a message need not name its own.
    let message = match report.schema.columns.len() {
        0 | 1 => finding.message.clone(),
        _ if finding.message.contains(&finding.column) => finding.message.clone(),
        _ => format!("{}: {}", finding.column, finding.message),
    };
    let label = finding.level.word().len() + finding.check.len() + "[]: ".len();
    let title = level.primary_title(wrapped(&message, label, style)).id(finding.check);
    let mut groups = vec![place(report, &finding.at, Group::with_title(title), AnnotationKind::Primary, names, style)];
    for related in finding.related.iter().take(RELATED) {
        let title = Level::NOTE.secondary_title(wrapped(&related.message, "note: ".len(), style));
        groups.push(place(report, &related.at, Group::with_title(title), AnnotationKind::Context, names, style));
    }
    if let Some(more) = finding.related.len().checked_sub(RELATED).filter(|more| *more > 0) {
        let text = format!("and {more} more related places: --format json lists all");
        groups.push(Group::with_title(Level::NOTE.secondary_title(text)));
    }
    let width = fitting(&groups, style.width);
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() };
    let text = renderer.term_width(width).render(&groups);
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// The width to ask the renderer for so that no line is wider than `width`: a line that is cut comes out some columns wider than
/// what is asked for.
fn fitting(groups: &[Group<'_>], width: usize) -> usize {
    let mut asked = width;
    for _ in 0..FRAME {
        let text = Renderer::plain().term_width(asked).render(groups);
        let widest = text.lines().map(|line| line.trim_end().chars().count()).max().unwrap_or(0);
        match widest.checked_sub(width) {
            Some(over) if over > 0 => asked = asked.saturating_sub(over),
            _ => break,
        }
    }
    asked
}

/// A title's text behind a label, in lines that fit.
fn wrapped(message: &str, label: usize, style: Style) -> String {
    // However long the label, a line of text takes 30 columns.
    wrap(&clean(message), style.width.saturating_sub(label).max(30)).join("\n")
}

fn place<'a>(
    report: &Report<'a>,
    at: &Anchor,
    group: Group<'a>,
    kind: AnnotationKind,
    names: &BTreeSet<&str>,
    style: Style,
) -> Group<'a> {
    let (path, line) = report.anchor(at);
    let path = clean(path);
    let Anchor::Code(span) = at else {
        // The configuration is not part of the tree that was read.
        return group.element(Origin::path(path).line(line as usize));
    };
    let location = report.sources.location(*span);
    let file = report.sources.get(span.file);
    let text = file.line_text(line);
    let before: usize = text.chars().take(location.column.saturating_sub(1) as usize).map(char::len_utf8).sum();
    // A call over several lines is shown by its first.
    let length = report.sources.text(*span).lines().next().map_or(0, str::len);
    let masked = mask(text, names, before);
    let start = masked.position(before);
    let end = masked.position((before + length).min(text.len())).max(start);
    // The renderer never cuts what is marked, so a mark that is too wide for the line ends early.
    let room = style.width.saturating_sub(FRAME);
    let shown = masked.text.get(start..end).unwrap_or_default();
    let end = shown.char_indices().nth(room).map_or(end, |(cut, _)| start + cut);
    let snippet = Snippet::source(masked.text).path(path).line_start(line as usize);
    group.element(snippet.annotation(kind.span(start..end)))
}

/// Names that are in the report anyway, so a literal that is one of them hides nothing.
pub(crate) fn known_names<'a>(report: &Report<'a>) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    for model in &report.schema.models {
        names.extend([model.name.as_str(), model.table.as_str()]);
        for property in &model.properties {
            names.extend([property.name.as_str(), property.column.as_str()]);
        }
    }
    for column in &report.schema.columns {
        names.extend([column.table.as_str(), column.column.as_str()]);
    }
    names
}
