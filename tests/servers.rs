//! Real database servers for the tests, shared by all of them: started by `tests/servers.sh`, stopped when this process ends.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::command::repository;

/// What `tests/servers.sh` printed.
pub(crate) struct Servers {
    variables: BTreeMap<String, String>,
    /// Its stdin ends with this process, however that ends, and the servers with it.
    _script: Child,
}

impl Servers {
    /// A variable that the head of the script explains.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.variables.get(name).unwrap_or_else(|| panic!("tests/servers.sh prints no {name}"))
    }
}

/// The servers; `None` where they are not installed and cannot be, which is said on stderr.
pub(crate) fn servers() -> Option<&'static Servers> {
    static SERVERS: OnceLock<Option<Servers>> = OnceLock::new();
    SERVERS.get_or_init(start).as_ref()
}

fn start() -> Option<Servers> {
    let mut script = Command::new(repository().join("tests/servers.sh"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("tests/servers.sh starts");
    let mut variables = BTreeMap::new();
    for line in BufReader::new(script.stdout.take().expect("its stdout is a pipe")).lines() {
        let line = line.expect("its output is text");
        if line == "ready" {
            return Some(Servers { variables, _script: script });
        }
        if let Some(why) = line.strip_prefix("skipped: ") {
            // Not `eprintln!`, which the test runner keeps to itself.
            let said = writeln!(std::io::stderr(), "\nNOT TESTED on PostgreSQL and MariaDB: {why}");
            said.expect("stderr can be written");
            script.wait().expect("the script ends");
            return None;
        }
        let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("tests/servers.sh prints `{line}`"));
        variables.insert(name.to_owned(), value.to_owned());
    }
    panic!("tests/servers.sh: {}", script.wait().expect("it ends"));
}
