//! What each stage costs, and the whole, on a generated tree of 10,000 files of which few matter.

// The generator is the tests' own.
#[path = "../tests/tree.rs"]
mod tree;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use tokendrift::config::{Config, column_from_flag};
use tokendrift::graph::{Graph, Unit, Units};
use tokendrift::probe::Options;
use tokendrift::rules::Rules;
use tokendrift::schema::Schema;
use tokendrift::source::{FileId, SourceSet};
use tokendrift::{Request, demand, discover, provenance, rules, schema};

const FILES: usize = 10_000;

/// As many files as the lowering bench takes of the tree: of every kind, and enough to be busy.
const LOWERED: usize = 400;

/// The tree, written when the first bench asks for it.
static ROOT: OnceLock<PathBuf> = OnceLock::new();

fn main() {
    divan::main();
    if let Some(root) = ROOT.get() {
        std::fs::remove_dir_all(root).expect("the tree can be removed");
    }
}

fn root() -> &'static Path {
    ROOT.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        tree::write(&folder, FILES).expect("the tree can be written");
        folder
    })
}

fn config() -> Config {
    Config { columns: vec![column_from_flag("accounts.access_token").expect("a column")], ..Config::default() }
}

fn read() -> SourceSet {
    discover::discover(root(), &[], &[]).expect("a tree with source")
}

fn bytes_of(sources: &SourceSet) -> u64 {
    sources.tally.bytes
}

/// Walk, read, and the first look-up of names.
#[divan::bench]
fn read_and_index(bencher: Bencher) {
    let bytes = bytes_of(&read());
    bencher.counter(BytesCount::new(bytes)).bench(|| {
        let sources = read();
        sources.mentions(black_box(&["accessToken", "access_token", "Account", "accounts"]))
    });
}

/// Parse, lower and execute symbolically, on one thread.
#[divan::bench]
fn lower(bencher: Bencher) {
    let sources = read();
    let files: Vec<FileId> = sources.iter().map(|(id, _)| id).take(LOWERED).collect();
    let bytes: usize = files.iter().map(|id| sources.get(*id).text.len()).sum();
    bencher.counter(BytesCount::new(bytes)).bench(|| {
        for id in &files {
            black_box(unit(&sources, *id));
        }
    });
}

/// Build the call graph of what was lowered and trace the column through it.
#[divan::bench]
fn trace(bencher: Bencher) {
    let (sources, rules) = (read(), rules::load(&[]).expect("the rule packs"));
    let (units, schema) = demanded(&sources, &rules);
    bencher.counter(ItemsCount::new(units.count())).bench(|| {
        let graph = Graph::new(&sources, &rules, &units);
        provenance::survey(&graph, &schema).finish()
    });
}

#[divan::bench]
fn whole(bencher: Bencher) {
    let bytes = bytes_of(&read());
    bencher.counter(BytesCount::new(bytes)).with_inputs(request).bench_values(tokendrift::audit);
}

fn request() -> Request {
    Request {
        root: root().to_owned(),
        inputs: Vec::new(),
        config: config(),
        jobs: None,
        databases: Vec::new(),
        probe: Options::default(),
        baseline: None,
        suppressions: true,
        today: tokendrift::contract::Day::default(),
    }
}

fn unit(sources: &SourceSet, id: FileId) -> Unit {
    (tokendrift::READERS.lower)(id, sources.get(id), &sources.macros)
}

/// All files that the audit lowers, found as it finds them.
fn demanded(sources: &SourceSet, rules: &Rules) -> (Units, Schema) {
    let units = Units::new(sources, tokendrift::READERS);
    units.lower(sources, demand::first(sources, rules, &config()));
    let modules: Vec<_> = units.iter().map(|(_, unit)| &unit.module).collect();
    let schema = schema::bind(&modules, sources, rules, &config()).expect("the column is declared");
    units.lower(sources, demand::writers(sources, rules, &schema));
    loop {
        let linked = units.count();
        let graph = Graph::new(sources, rules, &units);
        units.lower(sources, demand::callers(&graph, provenance::survey(&graph, &schema).reached()));
        if units.count() == linked {
            return (units, schema);
        }
    }
}
