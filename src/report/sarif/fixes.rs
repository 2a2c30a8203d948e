//! The edits of a fix as SARIF's `fixes`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::fix::Fix;
use crate::report::Report;
use crate::report::sarif::{ArtifactLocation, BASE, Region, Text, full_stop, uri};
use crate::source::{FileId, Span};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FixOut {
    description: Text,
    artifact_changes: Vec<ArtifactChange>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactChange {
    artifact_location: ArtifactLocation,
    replacements: Vec<Replacement>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replacement {
    deleted_region: Region,
    inserted_content: Text,
}

/// The edits, file by file.
pub(super) fn fix(report: &Report, fix: &Fix) -> FixOut {
    let mut files: BTreeMap<FileId, Vec<Replacement>> = BTreeMap::new();
    for edit in &fix.edits {
        let start = report.sources.location(edit.at);
        let end = report.sources.location(Span { start: edit.at.end, ..edit.at });
        files.entry(edit.at.file).or_default().push(Replacement {
            deleted_region: Region {
                start_line: start.line,
                start_column: start.column,
                end_line: end.line,
                end_column: end.column,
            },
            inserted_content: Text { text: edit.text.clone() },
        });
    }
    let change = |(file, replacements): (FileId, Vec<Replacement>)| {
        let path = format!("{}{}", report.below_repository, report.sources.get(file).path);
        let artifact_location = ArtifactLocation { uri: uri(&path), uri_base_id: BASE };
        ArtifactChange { artifact_location, replacements }
    };
    let words = fix.title.chars().take(1).flat_map(char::to_uppercase).chain(fix.title.chars().skip(1)).collect();
    let warning = if fix.is_safe { "" } else { " It may change other code." };
    FixOut {
        description: Text { text: format!("{}{warning}", full_stop(words)) },
        artifact_changes: files.into_iter().map(change).collect(),
    }
}
