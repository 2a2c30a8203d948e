//! A report made by hand: the mobile login stores the fresh token, the web login writes back what stood in the row.

use std::collections::BTreeSet;

use crate::config::{Cohort, Column, Config};
use crate::contract::{
    Anchor, Change, Expected, Finding, Judgement, Level, Prediction, PredictionOutcome, Related, Standing, Verdict,
};
use crate::guards::Guards;
use crate::probe::{CohortCounts, ColumnProbe, Cost, Counts, Outcome};
use crate::provenance::{
    ColumnTrace, Confidence, EntryPoint, Hop, Meaning, MissingWrite, Origin, Path, ReadKind, ReadSite, Step, WriteSite,
};
use crate::report::Report;
use crate::rules::{Form, Operation};
use crate::schema::{ColumnId, Model, ModelId, ModelSource, Property, Schema, TrackedColumn};
use crate::source::{Gap, Language, ModuleMap, Scope, SourceFile, SourceSet, Span, Tally};

const ENTITY: &str = "\
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

@Entity('users')
export class User {
  @PrimaryGeneratedColumn('uuid') id: string;

  @Column({ name: 'access_token', type: 'text', nullable: true })
  accessToken: string | null;
}
";

const USERS: &str = "\
@Injectable()
export class UsersService {
  async updateToken(userId: string, accessToken: string | null, refreshToken: string) {
    await this.users.update(userId, {
      accessToken,
      refreshToken,
    });
  }

  async generateRefreshToken(userId: string) {
    const user = await this.users.findOneByOrFail({ id: userId });
    const refreshToken = randomUUID();
    await this.updateToken(userId, user.accessToken, refreshToken, 'do-not-copy-this-literal');
    return refreshToken;
  }

  async logout(userId: string) {
    await this.users.update(userId, { accessToken: null });
  }
}
";

const AUTH: &str = "\
@Injectable()
export class AuthService {
  async loginMobile(user: User) {
    const accessToken = this.jwt.sign({ sub: user.id });
    await this.users.updateToken(user.id, accessToken, user.refreshToken ?? randomUUID());
    return { accessToken };
  }

  async loginWeb(user: User) {
    const accessToken = this.jwt.sign({ sub: user.id });
    const refreshToken = await this.users.generateRefreshToken(user.id);
    return { accessToken, refreshToken };
  }

  async impersonate(user: User) {
    return { accessToken: this.jwt.sign({ sub: user.id }) };
  }
}
";

const CONTROLLERS: &str = "\
@Controller('v1')
export class AuthController {
  @Post('mobile/login') loginMobile(@Body() body: LoginDto) { return this.auth.loginMobile(body.user); }
  @Post('web/login') loginWeb(@Body() body: LoginDto) { return this.auth.loginWeb(body.user); }
  @Post('impersonate') impersonate(@Body() body: LoginDto) { return this.auth.impersonate(body.user); }
  @Post('logout') logout(@Req() req: Request) { return this.users.logout(req.user.id); }
}
";

const SEED: &str = "await dataSource.query(`UPDATE users SET access_token = 'seeded-token' WHERE id = '1'`);\n";

const FILES: &[(&str, &str, Scope)] = &[
    ("src/users/user.entity.ts", ENTITY, Scope::Production),
    ("src/users/users.service.ts", USERS, Scope::Production),
    ("src/auth/auth.service.ts", AUTH, Scope::Production),
    ("src/auth/auth.controller.ts", CONTROLLERS, Scope::Production),
    ("seeds/users.seed.ts", SEED, Scope::Seed),
];

/// Owns what a [`Report`] borrows.
pub(crate) struct Example {
    pub(crate) sources: SourceSet,
    pub(crate) config: Config,
    pub(crate) schema: Schema,
    pub(crate) traces: Vec<ColumnTrace>,
    pub(crate) guards: Guards,
    pub(crate) probes: Vec<ColumnProbe>,
    pub(crate) judgement: Judgement,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) elapsed_ms: Option<u64>,
}

impl Example {
    pub(crate) fn report(&self) -> Report<'_> {
        Report {
            config: &self.config,
            sources: &self.sources,
            schema: &self.schema,
            traces: &self.traces,
            guards: &self.guards,
            probes: &self.probes,
            judgement: &self.judgement,
            gaps: &self.gaps,
            files_lowered: 5,
            elapsed_ms: self.elapsed_ms,
            has_baseline: false,
            below_repository: "",
        }
    }

    /// The first place of `text` in the file whose path ends with `file`.
    pub(crate) fn span(&self, file: &str, text: &str) -> Span {
        span(&self.sources, file, text)
    }
}

fn span(sources: &SourceSet, file: &str, text: &str) -> Span {
    let (id, source) = sources.iter().find(|(_, source)| source.path.ends_with(file)).unwrap();
    let start = u32::try_from(source.text.find(text).unwrap()).unwrap();
    Span { file: id, start, end: start + u32::try_from(text.len()).unwrap() }
}

fn sources() -> SourceSet {
    let files = FILES
        .iter()
        .map(|(path, text, scope)| SourceFile::new((*path).into(), (*text).into(), Language::TypeScript, *scope))
        .collect();
    let tally = Tally { files: 812, bytes: 3_412_000, oversized: 1, minified: 2, ..Tally::default() };
    SourceSet::new(files, ModuleMap::default(), Vec::new(), tally)
}

fn meaning(chains: &[&[Origin]]) -> Meaning {
    Meaning { chains: chains.iter().map(|chain| chain.to_vec()).collect::<BTreeSet<_>>() }
}

pub(crate) fn path(entry: EntryPoint, steps: Vec<Step>, origin: Origin, reason: &str) -> Path {
    Path {
        entry,
        entered: None,
        steps,
        issues: matches!(origin, Origin::Fresh | Origin::Preserved),
        adds_row: false,
        only_if: BTreeSet::from([BTreeSet::new()]),
        under: BTreeSet::new(),
        functions: Vec::new(),
        mints: Vec::new(),
        meaning: meaning(&[&[origin]]),
        form: (origin != Origin::Null).then_some(Form::Plain),
        confidence: Confidence::Proven,
        reason: reason.into(),
        trail: Vec::new(),
    }
}

fn traces(sources: &SourceSet) -> Vec<ColumnTrace> {
    let at = |file: &str, text: &str| span(sources, file, text);
    let entry = |name: &str, route: &str| EntryPoint {
        name: format!("AuthController.{name}"),
        route: route.into(),
        span: at("auth.controller.ts", &format!("{name}(@")),
    };
    let step = |function: &str, file: &str, text: &str| Step {
        function: function.into(),
        span: at(file, text),
        certain: true,
        hands_token: false,
    };
    let mobile = Path {
        mints: vec![Hop::proven(at("auth.service.ts", "this.jwt.sign"), "a signed JWT")],
        ..path(
            entry("loginMobile", "POST /v1/mobile/login"),
            vec![step("AuthService.loginMobile", "auth.service.ts", "this.users.updateToken(")],
            Origin::Fresh,
            "loginMobile() passes the signed JWT to updateToken()",
        )
    };
    let web = path(
        entry("loginWeb", "POST /v1/web/login"),
        vec![
            step("AuthService.loginWeb", "auth.service.ts", "this.users.generateRefreshToken("),
            step("UsersService.generateRefreshToken", "users.service.ts", "this.updateToken("),
        ],
        Origin::Preserved,
        "generateRefreshToken() passes user.accessToken, read from users at src/users/users.service.ts:11",
    );
    let logout = path(entry("logout", "POST /v1/logout"), vec![], Origin::Null, "a literal null");
    let seed = path(
        EntryPoint { name: "<module>".into(), route: String::new(), span: at("users.seed.ts", "await") },
        vec![],
        Origin::Supplied,
        "a literal",
    );
    let site = |file: &str, call: &str, value: &str, function: &str, scope, paths| WriteSite {
        span: at(file, call),
        statement: vec![at(file, call)],
        value: at(file, value),
        model: ModelId(0),
        operation: Operation::Update,
        scope,
        function: function.into(),
        by_library: false,
        paths,
    };
    vec![ColumnTrace {
        column: ColumnId(0),
        sites: vec![
            site("users.seed.ts", "UPDATE users", "access_token", "<module>", Scope::Seed, vec![seed]),
            site(
                "users.service.ts",
                "this.users.update(userId, {\n",
                "accessToken,\n",
                "UsersService.updateToken",
                Scope::Production,
                vec![mobile, web],
            ),
            site(
                "users.service.ts",
                "this.users.update(userId, { accessToken: null })",
                "accessToken: null",
                "UsersService.logout",
                Scope::Production,
                vec![logout],
            ),
        ],
        missing: vec![MissingWrite {
            partly: false,
            entry: entry("impersonate", "POST /v1/impersonate"),
            function: "AuthService.impersonate".into(),
            span: at("auth.service.ts", "this.jwt.sign({ sub: user.id }) }"),
            reason: "the signed JWT is returned and never stored".into(),
            steps: vec![step("AuthService.impersonate", "auth.service.ts", "this.jwt.sign({ sub: user.id }) }")],
        }],
        reads: vec![ReadSite {
            span: at("users.service.ts", "user.accessToken"),
            function: "UsersService.generateRefreshToken".into(),
            kind: ReadKind::Service,
        }],
        gaps: Vec::new(),
    }]
}

fn judgement(sources: &SourceSet) -> Judgement {
    let at = |file: &str, text: &str| span(sources, file, text);
    let code = |file: &str, text: &str| Anchor::Code(at(file, text));
    let related = |at: Anchor, message: &str| Related { at, message: message.into() };
    let discarded = Finding {
        check: "discarded-token",
        level: Level::Warning,
        column: "users.access_token".into(),
        message: "POST /v1/web/login mints an access token and then writes the stored one back: generateRefreshToken() takes \
                  no token, so the fresh one cannot reach the column"
            .into(),
        at: code("users.service.ts", "user.accessToken"),
        identity: "discarded-token users.access_token loginWeb>generateRefreshToken preserved".into(),
        related: vec![
            related(
                code("auth.service.ts", "this.jwt.sign({ sub: user.id });\n    const refreshToken"),
                "the token is minted here",
            ),
            related(code("auth.service.ts", "this.users.generateRefreshToken(user.id)"), "and is not handed on here"),
            related(code("users.service.ts", "this.users.update(userId, {\n"), "this write stores what it was given"),
        ],
        flow: vec![
            related(code("auth.controller.ts", "loginWeb(@"), "`POST /v1/web/login` (AuthController.loginWeb) starts here"),
            related(code("auth.service.ts", "this.users.generateRefreshToken(user.id)"), "`AuthService.loginWeb` calls on"),
            related(code("users.service.ts", "user.accessToken"), "`UsersService.updateToken` writes here"),
        ],
        ways: Vec::new(),
        fix: None,
        standing: Standing::Open,
    };
    let drift = Finding {
        check: "path-drift",
        level: Level::Warning,
        column: "users.access_token".into(),
        message: "issuing paths disagree on what they store: POST /v1/web/login writes preserved where POST /v1/mobile/login \
                  writes fresh"
            .into(),
        at: code("users.service.ts", "this.users.update(userId, {\n"),
        identity: "path-drift users.access_token loginWeb preserved".into(),
        related: vec![related(
            code("auth.service.ts", "this.users.updateToken(user.id, accessToken"),
            "POST /v1/mobile/login stores the fresh token",
        )],
        flow: Vec::new(),
        ways: Vec::new(),
        fix: None,
        standing: Standing::Open,
    };
    let undeclared = Finding {
        check: "contract-undeclared",
        level: Level::Note,
        column: "users.access_token".into(),
        message:
            "no contract says whether this column is to be written; declare `contract = \"write-consistently\"` or \
                  `contract = \"drop-writes\"`"
                .into(),
        at: Anchor::Config { line: 4 },
        identity: "contract-undeclared users.access_token".into(),
        related: Vec::new(),
        flow: Vec::new(),
        ways: Vec::new(),
        fix: None,
        standing: Standing::Open,
    };
    let prediction = |value: &str, expected, outcome| Prediction {
        database: "replica".into(),
        cohort: "client".into(),
        value: value.into(),
        expected,
        outcome,
    };
    Judgement {
        gaps: Vec::new(),
        suppressions: Vec::new(),
        findings: vec![discarded, drift, undeclared],
        verdicts: vec![Verdict {
            agree: false,
            majority: None,
            recommendation: None,
            kept_by: None,
            to_write: vec![
                Change {
                    at: at("users.service.ts", "generateRefreshToken(userId"),
                    edit: "take the fresh access token as a parameter and store it instead of user.accessToken".into(),
                },
                Change {
                    at: at("auth.service.ts", "this.users.generateRefreshToken("),
                    edit: "pass accessToken".into(),
                },
            ],
            to_drop: vec![Change {
                at: at("users.service.ts", "accessToken,\n"),
                edit: "remove accessToken from this update".into(),
            }],
            predictions: vec![
                prediction("web", Expected::Null, PredictionOutcome::Confirmed),
                prediction("mobile", Expected::Filled, PredictionOutcome::Confirmed),
            ],
        }],
    }
}

fn schema(sources: &SourceSet) -> Schema {
    let property = Property {
        name: "accessToken".into(),
        column: "access_token".into(),
        nullable: Some(true),
        default: None,
        relation: None,
        cascades: false,
        is_key: false,
        ty: "text".into(),
        span: span(sources, "user.entity.ts", "accessToken"),
    };
    let model = Model {
        name: "User".into(),
        table: "users".into(),
        span: span(sources, "user.entity.ts", "export class User"),
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
    Schema { models: vec![model], columns: vec![tracked] }
}

fn config() -> Config {
    let cohort = Cohort {
        name: "client".into(),
        by: "signup_client".into(),
        is_monthly: false,
        path: vec![("web".into(), vec!["web".into()]), ("mobile".into(), vec!["mobile".into()])],
        line: 7,
    };
    let column = Column {
        schema: None,
        table: "users".into(),
        column: "access_token".into(),
        contract: None,
        decision: None,
        decision_exists: None,
        form: None,
        cohorts: vec![cohort],
        line: Some(4),
        contract_line: None,
        decision_line: None,
        ..Column::default()
    };
    Config { shown: Some("tokendrift.toml".into()), columns: vec![column], ..Config::default() }
}

fn probes() -> Vec<ColumnProbe> {
    let part = |value: &str, rows, nulls| CohortCounts {
        name: "client".into(),
        value: Some(value.into()),
        rows,
        nulls,
        ..CohortCounts::default()
    };
    let cohorts = vec![part("mobile", 80, 0), part("web", 40, 40)];
    vec![ColumnProbe {
        column: 0,
        database: "replica".into(),
        outcome: Outcome::Counted(Counts {
            rows: 120,
            nulls: 40,
            empty: 0,
            table_rows: 120,
            cost: Cost { statements: 9, ..Cost::default() },
            cohorts,
            ..Counts::default()
        }),
    }]
}

/// The worked example, with a database.
pub(crate) fn example() -> Example {
    let sources = sources();
    let gap = |path: &str, line, why: &str| Gap { path: path.into(), line, why: why.into() };
    Example {
        config: config(),
        schema: schema(&sources),
        traces: traces(&sources),
        guards: Guards::default(),
        probes: probes(),
        judgement: judgement(&sources),
        gaps: vec![
            gap("src/legacy/old.ts", 1, "2 places that the parser did not understand"),
            gap("src/users/users.module.ts", 14, "the call through `this[name]` leads nowhere"),
        ],
        elapsed_ms: Some(412),
        sources,
    }
}
