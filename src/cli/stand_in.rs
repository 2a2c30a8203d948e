//! TEMPORARY, goes when the library has these under the same names: `tokendrift::{audit, Request, Audit, Error}`,
//! `tokendrift::probe::SecretUrl`, `tokendrift::report::{table, json}`, `tokendrift::contract::{page, ids}` and
//! `tokendrift::rules::{page, ids}`. Until then an audit only discovers.

use std::path::PathBuf;

use tokendrift::config::Config;
use tokendrift::contract::Judgement;
use tokendrift::discover::{DiscoverError, discover};
use tokendrift::schema::Schema;
use tokendrift::source::SourceSet;

pub(crate) struct Request {
    pub(crate) root: PathBuf,
    pub(crate) inputs: Vec<PathBuf>,
    pub(crate) config: Config,
    pub(crate) jobs: Option<usize>,
    pub(crate) database_url: Option<SecretUrl>,
}

pub(crate) struct SecretUrl;

impl SecretUrl {
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        if url.contains(':') { Ok(Self) } else { Err("it has no scheme") }
    }
}

pub(crate) struct Audit {
    config: Config,
    sources: SourceSet,
    schema: Schema,
    judgement: Judgement,
    has_database: bool,
}

impl Audit {
    pub(crate) fn report(&self) -> tokendrift::report::Report<'_> {
        tokendrift::report::Report {
            config: &self.config,
            sources: &self.sources,
            schema: &self.schema,
            traces: &[],
            probes: &[],
            judgement: &self.judgement,
            gaps: &self.sources.gaps,
            files_lowered: usize::from(self.has_database),
            elapsed_ms: None,
        }
    }
}

pub(crate) fn audit(request: &Request) -> Result<Audit, DiscoverError> {
    // As many threads as asked for; the pool cannot fail to start for want of anything but threads.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(request.jobs.unwrap_or(0)).build();
    let run = || discover(&request.root, &request.inputs, &request.config.exclude);
    let sources = pool.map_or_else(|_| run(), |pool| pool.install(run))?;
    Ok(Audit {
        config: request.config.clone(),
        sources,
        schema: Schema::default(),
        judgement: Judgement::default(),
        has_database: request.database_url.is_some(),
    })
}

pub(crate) mod report {
    use tokendrift::report::Report;

    pub(crate) fn table(report: &Report, color: bool, width: usize) -> String {
        format!("{:?} color {color} width {width}\n", report.sources.tally)
    }

    pub(crate) fn json(report: &Report) -> String {
        format!("{{\"files\": {}}}\n", report.sources.tally.files)
    }
}

pub(crate) mod contract {
    pub(crate) fn page(id: &str) -> Option<&'static str> {
        (id == "path-drift").then_some("# path-drift\n")
    }

    pub(crate) fn ids() -> Vec<&'static str> {
        vec!["path-drift"]
    }
}

pub(crate) mod rules {
    pub(crate) fn page(id: &str) -> Option<&'static str> {
        (id == "typeorm").then_some("# typeorm\n")
    }

    pub(crate) fn ids() -> Vec<&'static str> {
        vec!["typeorm"]
    }
}
