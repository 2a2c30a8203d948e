//! What every command that audits takes: flags, then the environment, then the configuration -> a request.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tokendrift::Request;
use tokendrift::config::{self, Config};
use tokendrift::contract::Day;
use tokendrift::discover::{self, common_root};
use tokendrift::probe::Options;

use crate::cli::args::InputArgs;
use crate::cli::terminal::note;

/// The request without a database and without a baseline.
pub(crate) fn request(args: &InputArgs) -> Result<Request, String> {
    let (root, inputs) = common_root(&args.paths).map_err(|error| error.to_string())?;
    let named = || args.config.clone().or_else(|| variable("TOKENDRIFT_CONFIG").map(PathBuf::from));
    let file =
        if args.no_config { None } else { named().or_else(|| config::find(&root).map(|file| seen_from_here(&file))) };
    let mut config = match &file {
        Some(file) => config::load(file, &root).map_err(|error| error.to_string())?,
        None => Config::default(),
    };
    config.select(args.columns.clone());
    if config.columns.is_empty() {
        // In a folder that cannot be read no configuration can be found.
        if root.is_dir()
            && let Err(error) = std::fs::read_dir(&root)
        {
            return Err(format!("cannot read {}: {error}", root.display()));
        }
        return Err(no_column(file.as_deref()));
    }
    let jobs = args.jobs.map(usize::from);
    let request = Request {
        root,
        inputs,
        config,
        jobs,
        databases: Vec::new(),
        probe: Options::default(),
        baseline: None,
        suppressions: true,
        today: today(),
    };
    if args.verbose {
        tell(&request);
    }
    Ok(request)
}

/// The day on which it runs.
pub(crate) fn today() -> Day {
    Day::of_unix(seconds())
}

/// The time at which it runs, after 1970 began.
pub(crate) fn seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A variable of the environment; an empty one is one that is not set.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// The value of the flag, else of the environment, else of the configuration.
pub(crate) fn setting<T>(
    flag: Option<T>,
    name: &str,
    (parse, expected): (impl Fn(&str) -> Option<T>, &str),
    configured: Option<T>,
) -> Result<Option<T>, String> {
    match (flag, variable(name)) {
        (Some(flag), _) => Ok(Some(flag)),
        (None, Some(value)) => {
            let wrong =
                || format!("the environment variable {name} is `{value}`; set it to {expected}, or leave it out");
            parse(value.trim()).map(Some).ok_or_else(wrong)
        }
        (None, None) => Ok(configured),
    }
}

/// A path as short as people would write it.
pub(crate) fn seen_from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_owned()
}

fn no_column(file: Option<&Path>) -> String {
    let place = match file {
        Some(file) => format!("{} has no [[column]]", file.display()),
        None => format!("there is no {} from the audited folder up to the repository's root", config::FILE_NAME),
    };
    format!(
        "no column to audit: {place}. Give --column TABLE.COLUMN with the names of the database, as in --column \
         users.access_token, or write {}:\n\n[[column]]\ntable = \"users\"\ncolumn = \"access_token\"\n\n\
         Guards are audited beside any column: where no token is stored, name one of the users' table, as in --column users.password",
        config::FILE_NAME
    )
}

fn tell(request: &Request) {
    note(&format!("root: {}", request.root.display()));
    let file = request.config.file.as_ref().map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    note(&format!("configuration: {file}"));
    let columns: Vec<String> = request.config.columns.iter().map(config::Column::name).collect();
    note(&format!("columns: {}", columns.join(", ")));
}

/// Refuses to write over what audits read: code, a configuration, the baseline, a database in a file.
///
/// # Errors
/// Says which it is.
pub(crate) fn spare(output: &Path, config: Option<&Path>, baseline: Option<&Path>) -> Result<(), String> {
    // Behind a link stands what would be written over.
    let place = |path: &Path| {
        let absolute = || std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        std::fs::canonicalize(path).unwrap_or_else(|_| absolute())
    };
    let is = |other: Option<&Path>| other.is_some_and(|other| place(other) == place(output));
    let what = if is(baseline) {
        "the baseline that is read"
    } else if is(config) || output.file_name().is_some_and(|name| name == "tokendrift.toml") {
        "a configuration"
    } else if discover::is_read(output) || discover::is_read(&place(output)) {
        "code"
    } else if is_database(output) {
        "a database"
    } else {
        return Ok(());
    };
    if !output.exists() {
        return Ok(());
    }
    Err(format!("{} is {what}: name another file for the result, so that nothing is lost", output.display()))
}

/// Whether a file starts as those of SQLite do (<https://www.sqlite.org/fileformat.html#magic_header_string>).
fn is_database(path: &Path) -> bool {
    let mut start = [0; 16];
    // Whoever opens a pipe waits for its other end.
    path.is_file()
        && std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && &start == b"SQLite format 3\0"
}

/// Refuses to write over a decision record that the configuration names.
///
/// # Errors
/// Says so.
pub(crate) fn spare_decisions(output: &Path, config: &Config) -> Result<(), String> {
    let folder = config.file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let is_output = |decision: &String| {
        let there = std::fs::canonicalize(folder.join(decision));
        there.is_ok_and(|there| std::fs::canonicalize(output).is_ok_and(|output| output == there))
    };
    if !config.columns.iter().filter_map(|column| column.decision.as_ref()).any(is_output) {
        return Ok(());
    }
    Err(format!("{} is a decision record: name another file for the result, so that nothing is lost", output.display()))
}
