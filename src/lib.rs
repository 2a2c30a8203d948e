//! Who writes this token column, with what, on which code path, and does the live database agree?
//!
//! The modules stand in the order of the pipeline; each uses only those above it. [`audit`] runs it.

// Blank lines keep `cargo fmt` from sorting them.
pub mod source;

pub mod ir;
pub mod rules;

pub mod config;
pub mod discover;
pub mod frontend;
pub mod summary;

pub mod graph;
pub mod schema;
pub mod sites;

pub mod provenance;

pub mod guards;

pub mod pins;

pub mod demand;
pub mod probe;

pub mod fix;

pub mod contract;
pub mod draft;
pub mod report;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::config::{Baseline, Column, Config};
use crate::contract::{Day, Facts, Judgement};
use crate::draft::{Candidate, Proposed};
use crate::graph::{Graph, Readers, Unit, Units};
use crate::guards::{Comment, Guards, Place};
use crate::probe::{ColumnProbe, Options, Probed, Target};
use crate::provenance::{ColumnTrace, ReadKind};
use crate::report::Report;
use crate::rules::Rules;
use crate::schema::Schema;
use crate::source::{FileId, Gap, Macros, SourceFile, SourceSet};

/// What to audit.
#[derive(Debug)]
pub struct Request {
    /// Paths in reports are relative to this folder.
    pub root: PathBuf,
    /// Files and folders below the root; empty: all of it.
    pub inputs: Vec<PathBuf>,
    pub config: Config,
    /// Threads; `None`: as many as the machine has.
    pub jobs: Option<usize>,
    /// Databases to hold against the code.
    pub databases: Vec<Target>,
    pub probe: Options,
    /// Findings to mark as known.
    pub baseline: Option<Baseline>,
    /// Whether comments in the code put findings aside.
    pub suppressions: bool,
    /// For suppressions that expire.
    pub today: Day,
}

/// The products of all stages.
#[derive(Debug)]
pub struct Audit {
    pub config: Config,
    pub sources: SourceSet,
    pub schema: Schema,
    pub traces: Vec<ColumnTrace>,
    pub guards: Guards,
    pub comments: Vec<Comment>,
    /// One a tracked column: whether a test holds it to its contract.
    pub pinned: Vec<bool>,
    /// The lowered files.
    pub units: Units,
    pub probes: Vec<ColumnProbe>,
    /// What people should know about how it ran.
    pub warnings: Vec<String>,
    pub judgement: Judgement,
    /// Of all stages, sorted, each once.
    pub gaps: Vec<Gap>,
    pub files_lowered: usize,
    pub has_baseline: bool,
    /// Against which suppressions expire.
    pub today: Day,
    /// The root seen from the repository's root, with `/` at its end; empty where they are one.
    pub below_repository: String,
    /// Stage -> how long it took.
    pub timings: Vec<(&'static str, Duration)>,
}

impl Audit {
    /// What was judged.
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            config: &self.config,
            sources: &self.sources,
            schema: &self.schema,
            traces: &self.traces,
            guards: &self.guards,
            comments: &self.comments,
            pinned: &self.pinned,
            units: &self.units,
            probes: &self.probes,
            today: self.today,
            below_repository: &self.below_repository,
        }
    }

    /// The products as renderers see them; `elapsed_ms` is `None` where it must not stand in the output.
    pub fn report(&self, elapsed_ms: Option<u64>) -> Report<'_> {
        Report {
            config: &self.config,
            sources: &self.sources,
            schema: &self.schema,
            traces: &self.traces,
            guards: &self.guards,
            probes: &self.probes,
            judgement: &self.judgement,
            gaps: &self.gaps,
            files_lowered: self.files_lowered,
            elapsed_ms,
            has_baseline: self.has_baseline,
            below_repository: &self.below_repository,
        }
    }
}

/// Why an audit could not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Rules(#[from] rules::PackError),
    #[error(transparent)]
    Discover(#[from] discover::DiscoverError),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Columns(Vec<schema::UnknownColumn>),
    #[error("cannot start {jobs} threads: {why}")]
    Threads { jobs: usize, why: String },
}

/// Lowering recurses over syntax that is nested up to a bound; this much stack is enough for the bound.
const STACK: usize = 16 * 1024 * 1024;

/// Audits a tree: every stage in order.
///
/// # Errors
/// Where there is nothing to audit or a configured column is unknown. What could not be read or told is a [`Gap`], no error.
pub fn audit(request: Request) -> Result<Audit, Error> {
    pooled(request, run)
}

/// Runs on as many threads as the request asks for.
fn pooled<T: Send>(request: Request, run: impl FnOnce(Request) -> Result<T, Error> + Send) -> Result<T, Error> {
    // More threads than a few for each processor only cost time.
    let most = std::thread::available_parallelism().map_or(8, |cores| cores.get().saturating_mul(4));
    let jobs = request.jobs.unwrap_or(0).min(most);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).stack_size(STACK).build();
    let pool = pool.map_err(|error| Error::Threads { jobs, why: error.to_string() })?;
    pool.install(|| run(request))
}

/// Proposes a configuration for a tree: tracks its token-like columns, audits them, and says what it found. `None` where the tree
/// declares no such column. Columns of the request's configuration are passed over.
///
/// # Errors
/// As [`audit`].
pub fn propose(request: Request) -> Result<Option<Proposed>, Error> {
    pooled(request, |mut request| {
        let rules = rules::load(&request.config.rules)?;
        let sources = read(&request)?;
        let units = Units::new(&sources, READERS);
        units.lower(&sources, demand::declaring(&sources, &rules));
        lower_bases(&units, &sources, &rules);
        request.config.columns.clear();
        let models = bound(&units, &sources, &rules, &request.config).map_err(Error::Columns)?.models;
        let candidates = draft::candidates(&sources, &models);
        if candidates.is_empty() {
            return Ok(None);
        }
        let column = |candidate: &Candidate| Column {
            table: candidate.table.clone(),
            column: candidate.column.clone(),
            ..Column::default()
        };
        request.config.columns = candidates.iter().map(column).collect();
        let audit = run_on(request, &rules, sources, Clock::start())?;
        Ok(Some(draft::configuration(&audit.facts(), &audit.judgement, &candidates)))
    })
}

fn run(request: Request) -> Result<Audit, Error> {
    let mut clock = Clock::start();
    let rules = rules::load(&request.config.rules)?;
    let sources = read(&request)?;
    clock.lap("discover");
    let rules = rules.of_tree(|module| sources.is_imported(module));
    run_on(request, &rules, sources, clock)
}

/// The tree, and what its macros stand for.
fn read(request: &Request) -> Result<SourceSet, Error> {
    let mut sources = discover::discover(&request.root, &request.inputs, &request.config.exclude)?;
    sources.macros = frontend::macros(&sources);
    Ok(sources)
}

/// Every stage behind reading.
fn run_on(request: Request, rules: &Rules, sources: SourceSet, mut clock: Clock) -> Result<Audit, Error> {
    let Request { root, config, databases, probe: options, baseline, suppressions, today, .. } = request;
    let tracked: Vec<String> = config.columns.iter().flat_map(|column| schema::names("", &column.column)).collect();
    let minified = discover::minified_mentions(&root, &sources, &tracked);
    let units = Units::new(&sources, READERS);
    units.lower(&sources, demand::first(&sources, rules, &config));
    lower_bases(&units, &sources, rules);
    let schema = bound(&units, &sources, rules, &config).map_err(Error::Columns)?;
    units.lower(&sources, demand::writers(&sources, rules, &schema));
    clock.lap("lower");

    let mut traces = loop {
        let linked = units.count();
        let graph = Graph::new(&sources, rules, &units);
        let survey = provenance::survey(&graph, &schema);
        let callers = demand::callers(&graph, survey.reached());
        if callers.iter().all(|file| units.get(*file).is_some()) {
            let traces = survey.finish();
            if units.count() == linked {
                break traces;
            }
        }
        units.lower(&sources, callers);
    };
    clock.lap("trace");

    // Apart from the writes, which nothing that is lowered for the guards' sake can change.
    units.lower(&sources, demand::guards(&sources, rules));
    let guards = loop {
        let linked = units.count();
        let graph = Graph::new(&sources, rules, &units);
        let survey = guards::survey(&graph, &traces);
        units.lower(&sources, demand::callers(&graph, &survey.reached));
        units.lower(&sources, demand::mounting(&graph, &survey.handlers));
        units.lower(&sources, demand::importers(&graph, survey.holding.clone()));
        units.lower(&sources, demand::handing(&graph, guards::keeping_for_others(&graph)));
        if units.count() == linked {
            // With the tables that stand in files which only guards led to.
            let schema = bound(&units, &sources, rules, &config).map_err(Error::Columns)?;
            let guards = survey.finish(&schema, &traces);
            if units.count() == linked {
                break guards;
            }
        }
    };
    for decision in guards.decisions.iter().filter(|decision| decision.place == Place::Guard) {
        let reads =
            traces.iter_mut().filter(|trace| trace.column == decision.column).flat_map(|trace| &mut trace.reads);
        reads.filter(|read| read.span == decision.read).for_each(|read| read.kind = ReadKind::Guard);
    }
    let comments = guards::comments(&sources, &units, rules, &schema, &traces);
    clock.lap("guards");

    let pinned = pins::pinned(&sources, &units, rules, &schema, &config);
    clock.lap("pins");

    let Probed { columns: probes, warnings } = probe::probe(&databases, &config, &options);
    clock.lap("probe");

    let below_repository = discover::below_repository(&root);
    let mut judgement = contract::judge(&Facts {
        config: &config,
        sources: &sources,
        schema: &schema,
        traces: &traces,
        guards: &guards,
        comments: &comments,
        pinned: &pinned,
        units: &units,
        probes: &probes,
        today,
        below_repository: &below_repository,
    });
    if !suppressions {
        judgement.disregard_suppressions();
    }
    if let Some(baseline) = &baseline {
        judgement.hold_against(baseline);
    }
    clock.lap("judge");

    let mut gaps: BTreeSet<Gap> = sources.gaps.iter().cloned().chain(minified).collect();
    gaps.extend(units.iter().flat_map(|(_, unit)| unit.module.gaps.iter().cloned()));
    gaps.extend(units.iter().flat_map(|(_, unit)| &unit.summary.functions).filter_map(|summary| {
        let at = sources.location(summary.cut?);
        let why = "a function too large to follow: what it writes behind this is not known".to_owned();
        Some(Gap { path: at.path, line: at.line, why })
    }));
    gaps.extend(judgement.gaps.iter().cloned());
    gaps.extend(traces.iter().flat_map(|trace| trace.gaps.iter().cloned()));
    let files_lowered = units.count();
    Ok(Audit {
        config,
        schema,
        traces,
        guards,
        comments,
        pinned,
        units,
        probes,
        warnings,
        judgement,
        gaps: gaps.into_iter().collect(),
        files_lowered,
        has_baseline: baseline.is_some(),
        today,
        below_repository,
        timings: clock.laps,
        sources,
    })
}

/// The front ends, as the graph uses them.
pub const READERS: Readers = Readers { lower: lowered, sql: frontend::joined_sql };

/// One file's program and the summaries of its functions.
fn lowered(file: FileId, source: &SourceFile, macros: &Macros) -> Unit {
    let module = frontend::lower(file, source, macros);
    let summary = summary::summarize(&module);
    Unit { module, summary }
}

/// Lowers what the declared tables have columns from, however many files away.
fn lower_bases(units: &Units, sources: &SourceSet, rules: &Rules) {
    loop {
        let bases = demand::bases(sources, rules, units);
        if bases.iter().all(|file| units.get(*file).is_some()) {
            break;
        }
        units.lower(sources, bases);
    }
}

/// Binds the columns.
fn bound(
    units: &Units,
    sources: &SourceSet,
    rules: &Rules,
    config: &Config,
) -> Result<Schema, Vec<schema::UnknownColumn>> {
    let bind = || {
        let modules: Vec<&ir::Module> = units.iter().map(|(_, unit)| &unit.module).collect();
        schema::bind(&modules, sources, rules, config)
    };
    bind().or_else(|_| {
        // A misspelt table is mentioned nowhere: the closest names are those of all that is declared.
        units.lower(sources, demand::declaring(sources, rules));
        lower_bases(units, sources, rules);
        bind()
    })
}

struct Clock {
    last: Instant,
    laps: Vec<(&'static str, Duration)>,
}

impl Clock {
    fn start() -> Self {
        Self { last: Instant::now(), laps: Vec::new() }
    }

    fn lap(&mut self, stage: &'static str) {
        let now = Instant::now();
        self.laps.push((stage, now - self.last));
        self.last = now;
    }
}
