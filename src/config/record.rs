//! A record of earlier counts -> what a database held then.

use std::path::Path;

use serde::Deserialize;

use crate::config::ConfigError;

/// The schema that each line of a record names.
pub const RECORD_SCHEMA: &str = "tokendrift-record/1";

/// What one run counted of one column in one database: a line of the file. Counts, never shares, so that lines add up.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    schema: String,
    /// In UTC, as `2026-11-01T12:00:00Z`: sorts by time.
    pub at: String,
    pub database: String,
    /// `users.access_token`
    pub column: String,
    pub method: String,
    pub table_rows: u64,
    pub rows: u64,
    pub nulls: u64,
    pub empty: u64,
    /// How many independent rows a sample is worth.
    pub effective: Option<f64>,
    pub cohorts: Vec<RecordedCohort>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedCohort {
    pub name: String,
    pub value: Option<String>,
    pub rows: u64,
    pub nulls: u64,
    pub empty: u64,
    pub effective: Option<f64>,
}

/// The lines of the file at `path`, the earliest first; none where there is no file yet.
///
/// # Errors
/// Where the file cannot be read, or a line is no record: what is appended to it could not be read either.
pub fn records(path: &Path) -> Result<Vec<Record>, ConfigError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            let why = error.to_string();
            return Err(ConfigError::Unreadable { what: "the record", file: path.to_owned(), why });
        }
    };
    let invalid = |line: usize, message: String| ConfigError::Invalid {
        file: path.to_owned(),
        line: u32::try_from(line + 1).unwrap_or(u32::MAX),
        message,
    };
    let mut records = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let record: Record = serde_json::from_str(line).map_err(|error| {
            let said = error.to_string();
            let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
            invalid(at, format!("this is no record of counts: {said}; take the line out, or name another file"))
        })?;
        if record.schema != RECORD_SCHEMA || !is_moment(&record.at) {
            return Err(invalid(at, format!("this record is not of schema `{RECORD_SCHEMA}`; name another file")));
        }
        records.push(record);
    }
    if !text.is_empty() && !text.ends_with('\n') {
        let last = text.lines().count().saturating_sub(1);
        return Err(invalid(
            last,
            "the last line has no end; end it, so that the next record gets a line of its own".into(),
        ));
    }
    records.sort_by(|a, b| a.at.cmp(&b.at));
    Ok(records)
}

/// `2026-11-01T12:00:00Z`
fn is_moment(text: &str) -> bool {
    const FORM: &[u8] = b"0000-00-00T00:00:00Z";
    text.len() == FORM.len()
        && text.bytes().zip(FORM).all(|(c, form)| if *form == b'0' { c.is_ascii_digit() } else { c == *form })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"schema":"tokendrift-record/1","at":"2026-11-01T12:00:00Z","database":"d","column":"users.t","method":"exact","table_rows":2,"rows":2,"nulls":1,"empty":0,"effective":null,"cohorts":[]}"#;

    fn read(text: &str) -> Result<Vec<Record>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("record.jsonl");
        std::fs::write(&file, text).expect("a file");
        records(&file).map_err(|error| error.to_string())
    }

    #[test]
    fn lines_of_several_files_are_read_in_the_order_of_time() {
        let early = LINE.replace("2026-11", "2026-03");
        let read = read(&format!("{LINE}\n\n{early}\n")).expect("records");
        assert_eq!(read.iter().map(|record| &record.at[..7]).collect::<Vec<_>>(), ["2026-03", "2026-11"]);
        assert_eq!(records(Path::new("/nowhere/record.jsonl")).map(|records| records.len()).ok(), Some(0));
    }

    #[test]
    fn what_is_no_record_is_named_with_its_line() {
        for (line, said) in [
            ("{}", "missing field"),
            (&LINE.replace("record/1", "record/2"), "schema"),
            (&LINE.replace("12:00:00Z", "noon"), "schema"),
            (&LINE.replace("\"rows\":2", "\"rows\":-2"), "invalid value"),
        ] {
            let why = read(&format!("{LINE}\n{line}\n")).expect_err("no record");
            assert!(why.contains("record.jsonl:2") && why.contains(said), "{why}");
        }
        let why = read(LINE).expect_err("no end");
        assert!(why.contains("has no end"), "{why}");
    }
}
