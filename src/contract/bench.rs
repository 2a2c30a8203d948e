//! Hand-made facts for the unit tests of checks: entry points, sites and paths on the lines of made-up files.

use std::collections::BTreeSet;

use crate::config::{Cohort, Column, Config, Contract};
use crate::contract::{Day, Facts, Finding, Judgement, judge};
use crate::graph::Units;
use crate::guards::{Comment, Guards};
use crate::probe::{CohortCounts, ColumnProbe, Counts, Outcome};
use crate::provenance::{
    ColumnTrace, Confidence, EntryPoint, Hop, Meaning, MissingWrite, Origin, Path, ReadKind, ReadSite, Step, WriteSite,
};
use crate::rules::{Form, Operation};
use crate::schema::{ColumnId, Model, ModelId, ModelSource, Property, Schema, TrackedColumn};
use crate::source::{FileId, Gap, Language, ModuleMap, Scope, SourceFile, SourceSet, Span, Tally};

const LINES: u32 = 200;
const WIDTH: u32 = 80;

/// No lines, in the type of [`Bench::lines`].
pub(crate) const NOWHERE: [u32; 0] = [];

/// `src/app.ts` is file 0, `test/app.ts` file 1; each line is 80 bytes.
pub(crate) fn line(file: u32, line: u32) -> Span {
    let start = (line - 1) * WIDTH;
    Span { file: FileId(file), start, end: start + 78 }
}

/// `fresh|null` are two branches, `preserved>fresh` one chain.
pub(crate) fn meaning(text: &str) -> Meaning {
    let origin = |word: &str| match word {
        "fresh" => Origin::Fresh,
        "preserved" => Origin::Preserved,
        "null" => Origin::Null,
        "supplied" => Origin::Supplied,
        "generated" => Origin::Generated,
        "omitted" => Origin::Omitted,
        "unknown" => Origin::Unknown,
        other => panic!("no origin `{other}`"),
    };
    let branches = text.split('|').filter(|branch| !branch.is_empty());
    Meaning { chains: branches.map(|branch| branch.split('>').map(origin).collect()).collect() }
}

/// An entry point in production code; its line is made from its name so that equal names are equal entry points.
pub(crate) fn entry(name: &str, route: &str) -> EntryPoint {
    EntryPoint { name: name.into(), route: route.into(), span: line(0, 1) }
}

pub(crate) fn path(entry_name: &str, text: &str) -> Path {
    let meaning = meaning(text);
    let stores = meaning.origins().iter().any(|o| !matches!(o, Origin::Null | Origin::Omitted));
    Path {
        entry: entry(entry_name, &format!("POST /{entry_name}")),
        entered: None,
        steps: Vec::new(),
        issues: true,
        adds_row: false,
        only_if: BTreeSet::from([BTreeSet::new()]),
        under: BTreeSet::new(),
        functions: Vec::new(),
        mints: vec![Hop::proven(line(0, 100), "a signed JWT")],
        form: stores.then_some(Form::Plain),
        meaning,
        confidence: Confidence::Proven,
        reason: format!("reason of {entry_name}"),
        trail: Vec::new(),
    }
}

impl Path {
    pub(crate) fn revokes(mut self) -> Self {
        self.issues = false;
        self.mints.clear();
        self
    }

    pub(crate) fn through(mut self, function: &str, at: u32) -> Self {
        self.steps.push(Step { function: function.into(), span: line(0, at), certain: true, hands_token: false });
        self
    }

    pub(crate) fn trail(mut self, at: u32, what: &str) -> Self {
        self.trail.push(Hop::proven(line(0, at), what));
        self
    }

    /// Under conditions that stand on these lines.
    pub(crate) fn under(mut self, conditions: &[(u32, bool)]) -> Self {
        self.under = conditions.iter().map(|(at, holds)| (line(0, *at), *holds)).collect();
        self
    }

    /// Under conditions that stand on these lines alone.
    pub(crate) fn only_if(mut self, conditions: &[(u32, bool)]) -> Self {
        self.only_if = BTreeSet::from([conditions.iter().map(|(at, holds)| (line(0, *at), *holds)).collect()]);
        self
    }

    pub(crate) fn adds_row(mut self) -> Self {
        self.adds_row = true;
        self
    }

    pub(crate) fn stored_as(mut self, form: Form) -> Self {
        self.form = Some(form);
        self
    }

    pub(crate) fn in_tests(mut self) -> Self {
        self.entry.span = line(1, 1);
        self
    }
}

#[derive(Debug)]
pub(crate) struct Bench {
    sources: SourceSet,
    pub(crate) config: Config,
    pub(crate) schema: Schema,
    pub(crate) trace: ColumnTrace,
    pub(crate) probes: Vec<ColumnProbe>,
    pub(crate) guards: Guards,
    pub(crate) comments: Vec<Comment>,
    pub(crate) pinned: Vec<bool>,
}

/// `users.access_token`, nullable, of model `User`, configured at line 3 without a contract.
pub(crate) fn bench() -> Bench {
    bench_with(&[])
}

/// The same with text on lines of `src/app.ts`.
pub(crate) fn bench_with(texts: &[(u32, &str)]) -> Bench {
    let row = |at| texts.iter().find(|(line, _)| *line == at).map_or("", |(_, text)| text);
    let text = |of: &dyn Fn(u32) -> String| (1..=LINES).map(of).collect::<String>();
    let app = text(&|at| format!("{:79}\n", row(at)));
    let blank = text(&|_| format!("{:79}\n", ""));
    let files = vec![
        SourceFile::new("src/app.ts".into(), app, Language::TypeScript, Scope::Production),
        SourceFile::new("test/app.ts".into(), blank, Language::TypeScript, Scope::Test),
    ];
    let property = Property {
        name: "accessToken".into(),
        column: "access_token".into(),
        nullable: Some(true),
        default: None,
        relation: None,
        cascades: false,
        is_key: false,
        ty: "text".into(),
        span: line(0, 190),
    };
    let model = Model {
        name: "User".into(),
        table: "users".into(),
        span: line(0, 189),
        class: None,
        source: ModelSource::Entity,
        open: false,
        pack: String::new(),
        readable: true,
        properties: vec![property],
    };
    let tracked = TrackedColumn {
        table: "users".into(),
        column: "access_token".into(),
        config: 0,
        bindings: vec![(ModelId(0), 0)],
        nullable: Some(true),
        default: None,
    };
    let column = Column {
        schema: None,
        table: "users".into(),
        column: "access_token".into(),
        contract: None,
        decision: None,
        decision_exists: None,
        form: None,
        cohorts: Vec::new(),
        line: Some(3),
        contract_line: None,
        decision_line: None,
        ..Column::default()
    };
    Bench {
        sources: SourceSet::new(files, ModuleMap::default(), Vec::new(), Tally::default()),
        config: Config { columns: vec![column], shown: Some("tokendrift.toml".to_owned()), ..Config::default() },
        schema: Schema { models: vec![model], columns: vec![tracked] },
        trace: ColumnTrace {
            column: ColumnId(0),
            sites: Vec::new(),
            missing: Vec::new(),
            reads: Vec::new(),
            gaps: Vec::new(),
        },
        probes: Vec::new(),
        guards: Guards::default(),
        comments: Vec::new(),
        pinned: Vec::new(),
    }
}

impl Bench {
    /// A site in `Users.<operation><line>` whose value stands on the line after it; an omitted column has no value of its own.
    pub(crate) fn site(self, operation: Operation, at: u32, paths: Vec<Path>) -> Self {
        self.site_in(Scope::Production, operation, at, paths)
    }

    pub(crate) fn site_in(mut self, scope: Scope, operation: Operation, at: u32, paths: Vec<Path>) -> Self {
        let omitted = paths.iter().all(|path| path.meaning.origins().contains(&Origin::Omitted));
        self.trace.sites.push(WriteSite {
            span: line(0, at),
            statement: vec![line(0, at)],
            value: line(0, if omitted { at } else { at + 1 }),
            model: ModelId(0),
            operation,
            scope,
            function: format!("Users.{operation:?}{at}").to_lowercase(),
            by_library: false,
            paths,
        });
        self
    }

    /// Makes the last site the save of a whole entity, which does not name the column.
    pub(crate) fn of_whole_entity(mut self) -> Self {
        let site = self.trace.sites.last_mut().unwrap();
        site.value = site.span;
        self
    }

    pub(crate) fn update(self, at: u32, paths: Vec<Path>) -> Self {
        self.site(Operation::Update, at, paths)
    }

    pub(crate) fn insert(self, at: u32, paths: Vec<Path>) -> Self {
        self.site(Operation::Insert, at, paths)
    }

    pub(crate) fn missing(mut self, entry_name: &str, at: u32) -> Self {
        self.trace.missing.push(MissingWrite {
            partly: false,
            entry: entry(entry_name, &format!("POST /{entry_name}")),
            function: format!("{entry_name}Service"),
            span: line(0, at),
            reason: format!("nothing on this path writes after {entry_name}Service minted"),
            steps: Vec::new(),
        });
        self
    }

    pub(crate) fn read(mut self, file: u32, at: u32, kind: ReadKind) -> Self {
        self.trace.reads.push(ReadSite { span: line(file, at), function: "Reader.read".into(), kind });
        self
    }

    /// A write that could not be told.
    pub(crate) fn gap(mut self) -> Self {
        self.trace.gaps.push(Gap { path: "src/app.ts".into(), line: 60, why: "may write".into() });
        self
    }

    pub(crate) fn contract(mut self, contract: Contract) -> Self {
        self.column().contract = Some(contract);
        self
    }

    pub(crate) fn column(&mut self) -> &mut Column {
        &mut self.config.columns[0]
    }

    /// One cohort `client`; each of `parts` is a value, the substring of its entry points, its rows and its NULLs.
    pub(crate) fn cohorts(mut self, parts: &[(&str, &str, u64, u64)]) -> Self {
        self.column().cohorts.push(Cohort {
            name: "client".into(),
            by: "signup_client".into(),
            is_monthly: false,
            path: parts.iter().map(|(value, part, ..)| ((*value).into(), vec![(*part).into()])).collect(),
            line: 9,
        });
        let count = |(value, _, rows, nulls): &(&str, &str, u64, u64)| CohortCounts {
            name: "client".into(),
            value: Some((*value).into()),
            rows: *rows,
            nulls: *nulls,
            ..CohortCounts::default()
        };
        let cohorts: Vec<CohortCounts> = parts.iter().map(count).collect();
        let rows = cohorts.iter().map(|cohort| cohort.rows).sum();
        let nulls = cohorts.iter().map(|cohort| cohort.nulls).sum();
        let counts = Counts { rows, nulls, empty: 0, table_rows: rows, cohorts, ..Counts::default() };
        self.probes = vec![ColumnProbe { column: 0, database: "replica".into(), outcome: Outcome::Counted(counts) }];
        self
    }

    pub(crate) fn judge(&self) -> Judgement {
        let traces = std::slice::from_ref(&self.trace);
        let units = Units::new(&self.sources, crate::READERS);
        judge(&Facts {
            config: &self.config,
            sources: &self.sources,
            schema: &self.schema,
            traces,
            guards: &self.guards,
            comments: &self.comments,
            pinned: &self.pinned,
            units: &units,
            probes: &self.probes,
            today: Day::of_unix(1_767_225_600),
            below_repository: "",
        })
    }

    /// The findings of one check.
    pub(crate) fn findings(&self, check: &str) -> Vec<Finding> {
        self.judge().findings.into_iter().filter(|finding| finding.check == check).collect()
    }

    /// The anchored lines of one check's findings.
    pub(crate) fn lines(&self, check: &str) -> Vec<u32> {
        let findings = self.findings(check);
        findings.iter().map(|finding| self.line_of(&finding.at)).collect()
    }

    pub(crate) fn line_of(&self, at: &crate::contract::Anchor) -> u32 {
        match at {
            crate::contract::Anchor::Code(span) => self.sources.line(*span),
            crate::contract::Anchor::Config { line } => *line,
        }
    }
}
