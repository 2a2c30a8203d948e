//! Small trees for unit tests, lowered by the real front ends under the built-in rule packs.

use crate::config::{Column, Config};
use crate::graph::{Graph, Units};
use crate::rules::{self, Rules};
use crate::schema::{self, Schema};
use crate::source::{Language, ModuleMap, Scope, SourceFile, SourceSet, Tally, TsConfig};
use crate::summary::FunctionRef;

/// `User` is the table `users` with `token` among its columns.
pub(crate) const SCHEMA: &str =
    "model User {\n  id Int @id\n  email String @unique\n  name String?\n  token String?\n\n  @@map(\"users\")\n}\n";

/// What every TypeScript text of [`Tree::one`] starts with, on one line.
pub(crate) const PRELUDE: &str = "import { randomUUID } from 'node:crypto'; import { PrismaClient } from '@prisma/client'; const db = new PrismaClient();\n";

/// A tree in which every file is lowered, and `@app/*` stands for `src/*`.
pub(crate) struct Tree {
    pub(crate) sources: SourceSet,
    pub(crate) rules: Rules,
    pub(crate) units: Units,
    pub(crate) config: Config,
    pub(crate) schema: Schema,
}

impl Tree {
    /// The schema and `src/app.ts`, which starts with [`PRELUDE`].
    pub(crate) fn one(text: &str) -> Self {
        Self::of(&[("src/app.ts", &format!("{PRELUDE}{text}"))])
    }

    /// The schema and `files`.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut files: Vec<(&str, &str)> = files.to_vec();
        files.push(("schema.prisma", SCHEMA));
        files.sort_unstable();
        let file = |(path, text): &(&str, &str)| {
            let language = match path.rsplit('.').next() {
                Some("prisma") => Language::Prisma,
                Some("rs") => Language::Rust,
                _ => Language::TypeScript,
            };
            SourceFile::new((*path).to_owned(), (*text).to_owned(), language, Scope::Production)
        };
        let tsconfig = TsConfig { paths: vec![("@app/*".to_owned(), vec!["src/*".to_owned()])], ..TsConfig::default() };
        let modules = ModuleMap { tsconfigs: vec![tsconfig], ..ModuleMap::default() };
        let sources = SourceSet::new(files.iter().map(file).collect(), modules, Vec::new(), Tally::default());
        let units = Units::new(&sources, crate::READERS);
        units.lower(&sources, sources.iter().map(|(id, _)| id));
        let rules = rules::load(&[]).unwrap().of_tree(|module| sources.is_imported(module));
        let column = Column {
            schema: None,
            table: "users".to_owned(),
            column: "token".to_owned(),
            contract: None,
            decision: None,
            decision_exists: None,
            form: None,
            cohorts: Vec::new(),
            line: None,
            contract_line: None,
            decision_line: None,
            ..Column::default()
        };
        let config = Config { columns: vec![column], ..Config::default() };
        let modules: Vec<_> = units.iter().map(|(_, unit)| &unit.module).collect();
        let schema = schema::bind(&modules, &sources, &rules, &config).unwrap();
        Self { sources, rules, units, config, schema }
    }

    pub(crate) fn graph(&self) -> Graph<'_> {
        Graph::new(&self.sources, &self.rules, &self.units)
    }

    /// The only function of this name: `login`, `UsersService.save`.
    pub(crate) fn function(&self, graph: &Graph, name: &str) -> FunctionRef {
        let all = self.units.iter().flat_map(|(file, unit)| {
            (0..unit.module.functions.len()).map(move |at| FunctionRef { file, id: crate::ir::FunctionId::of(at) })
        });
        let named: Vec<FunctionRef> = all.filter(|at| graph.name(*at) == name).collect();
        assert_eq!(named.len(), 1, "functions called {name}");
        named[0]
    }

    /// The names of what the calls of one function reach, in order; `?` at those that are not certain.
    pub(crate) fn reached(&self, from: &str) -> Vec<String> {
        let graph = self.graph();
        let from = self.function(&graph, from);
        let calls = &graph.summary(from).unwrap().calls;
        let targets = calls.iter().flat_map(|event| graph.targets(&event.call).to_vec());
        targets
            .map(|target| format!("{}{}", graph.name(target.function), if target.certain { "" } else { "?" }))
            .collect()
    }
}
