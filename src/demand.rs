//! Which files matter: only these are lowered.
//!
//! Input: the configured columns, then the schema, then what the trace reached. Output: files to lower next.
//!
//! Invariants: a caller must mention the name of what it calls, and a write the name of the model, the column or the table; so
//! a file that mentions none of them cannot change the answer. The answer depends on the set of lowered files, never on
//! the order in which they were lowered.
//!
//! Worked example: for `users.access_token` first the files that name the column or declare the table; then those with
//! `.user.create(` or `INSERT INTO users`; then, as `UsersService.updateToken` turned out to write, those that mention `updateToken`.

mod guards;

use std::collections::BTreeSet;

use regex::Regex;

use crate::config::Config;
use crate::graph::{Graph, Units, names_towards_routes, providing};
use crate::ir::{Binding, Export, FunctionKind, WHOLE};
use crate::rules::{CallPattern, Rules, Target};
use crate::schema::{self, ModelSource, Schema};
use crate::source::{FileId, Language, Scope, SourceSet};
use crate::summary::{ClassRef, FunctionRef};

pub use guards::{guards, handing};

/// A name mentioned by more files than this leads to callers only together with the name of its class.
const COMMON: usize = 24;

/// What a module specifier says behind the name of a script, if anything.
const SCRIPTS: [&str; 9] = ["", ".js", ".jsx", ".ts", ".tsx", ".cjs", ".cts", ".mjs", ".mts"];

/// The files that declare the schema or name a tracked column.
pub fn first(sources: &SourceSet, rules: &Rules, config: &Config) -> BTreeSet<FileId> {
    let mut wanted: BTreeSet<FileId> = typing(sources, rules);
    let declaring = declaring_code(sources, rules);
    for column in &config.columns {
        let mentioned = |names: Vec<String>| -> BTreeSet<FileId> {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let mut files: BTreeSet<FileId> = sources.mentions(&names).into_iter().flatten().collect();
            // Who calls a macro mentions what it stands for.
            let says = |file, arms: &str| files.contains(&file) && names.iter().any(|name| arms.contains(name));
            let macros = sources.macros.names(says);
            files.extend(sources.mentions(&macros).into_iter().flatten());
            files
        };
        let of_table = mentioned(schema::names(&column.table, ""));
        let of_column = mentioned(schema::names("", &column.column));
        for (id, file) in sources.iter() {
            let matters = match file.language {
                Language::Prisma => true,
                Language::Sql => of_table.contains(&id),
                // A struct that is a row need not name the table in the file that writes it, nor the column.
                Language::Rust => of_column.contains(&id) || (declaring.contains(&id) && of_table.contains(&id)),
                Language::TypeScript | Language::Tsx => {
                    of_table.contains(&id) && (of_column.contains(&id) || declaring.contains(&id))
                }
            };
            if matters {
                wanted.insert(id);
            }
        }
    }
    wanted
}

/// The files that say what type the tables have: `Kysely<Database>`. They need name neither a table nor a column.
fn typing(sources: &SourceSet, rules: &Rules) -> BTreeSet<FileId> {
    let classes: Vec<&str> = rules.tables().filter_map(|row| row.class.last()).collect();
    let of_each = sources.mentions(&classes).into_iter().zip(&classes);
    of_each
        .flat_map(|(files, class)| {
            let typed = format!("new {class}<");
            files.into_iter().filter(move |file| sources.get(*file).text.contains(&typed))
        })
        .collect()
}

/// The files with the classes that entities inherit columns from: they need not name the table, nor the entity's file the column.
pub fn bases(sources: &SourceSet, rules: &Rules, units: &Units) -> BTreeSet<FileId> {
    let modules: Vec<_> = units.iter().map(|(_, unit)| &unit.module).collect();
    let mut wanted = BTreeSet::new();
    for name in schema::bases_elsewhere(&modules, sources, rules) {
        let Ok(declares) = Regex::new(&format!(r"\b(class|interface|type)\s+{}\b", regex::escape(&name))) else {
            continue;
        };
        let mentions = sources.mentions(&[name.as_str()]).into_iter().flatten();
        wanted.extend(mentions.filter(|file| declares.is_match(&sources.get(*file).text)));
    }
    wanted
}

/// Every file that declares tables.
pub fn declaring(sources: &SourceSet, rules: &Rules) -> BTreeSet<FileId> {
    let schemas = sources.iter().filter(|(_, file)| matches!(file.language, Language::Prisma | Language::Sql));
    declaring_code(sources, rules).into_iter().chain(schemas.map(|(id, _)| id)).collect()
}

/// The code that declares models: by decorated classes, base classes, or calls.
fn declaring_code(sources: &SourceSet, rules: &Rules) -> BTreeSet<FileId> {
    let by_class = rules.entity().flat_map(|row| row.decorator.iter().chain(&row.base));
    let by_type = rules.tables().map(|row| &row.class);
    let names: Vec<&str> = by_class.chain(by_type).filter_map(|pattern| pattern.last()).collect();
    let mut found: BTreeSet<FileId> = sources.mentions(&names).into_iter().flatten().collect();
    // `model` and `define` are words of many files, and are called in few.
    for name in rules.model().filter_map(|row| row.call.last()).collect::<BTreeSet<_>>() {
        let Ok(call) = Regex::new(&format!(r"\b{}\s*(\?\.)?\s*[<(]", regex::escape(name))) else { continue };
        let mentions = sources.mentions(&[name]).into_iter().flatten();
        found.extend(mentions.filter(|file| call.is_match(&sources.get(*file).text)));
    }
    // `table` is a word of many files, `schema` and `table` together of few.
    for row in rules.migration().filter(|row| row.anywhere) {
        let both = sources.mentions(&[row.call.first(), row.call.last().unwrap_or(row.call.first())]);
        let [first, last] = both.as_slice() else { continue };
        found.extend(first.iter().filter(|file| last.contains(*file)));
    }
    found
}

/// The files that may write a row of a tracked model without naming the column.
pub fn writers(sources: &SourceSet, rules: &Rules, schema: &Schema) -> BTreeSet<FileId> {
    // A library that is handed the database names no model.
    let adapters = rules.adapter().flat_map(|row| row.call.last().into_iter().chain([row.runs.as_str()]));
    let adapters: Vec<&str> = adapters.collect::<BTreeSet<_>>().into_iter().collect();
    let mut wanted: BTreeSet<FileId> = sources.mentions(&adapters).into_iter().flatten().collect();
    wanted.extend(applications(sources, rules));
    wanted.extend(keepers(sources, rules));
    let tracked: BTreeSet<usize> =
        schema.columns.iter().flat_map(|column| &column.bindings).map(|(model, _)| model.0).collect();
    let methods = |model: bool| {
        let names: BTreeSet<&str> =
            rules.write().filter(|row| (row.on == Target::Model) == model).filter_map(|row| row.call.last()).collect();
        names.into_iter().map(regex::escape).collect::<Vec<_>>().join("|")
    };
    let nested: BTreeSet<&str> =
        rules.nested().filter_map(|row| row.key.split('.').next().filter(|key| !key.is_empty())).collect();
    let nested = nested.into_iter().map(regex::escape).collect::<Vec<_>>().join("|");
    let mut search = |word: &str, pattern: &str| {
        let Ok(pattern) = Regex::new(pattern) else { return };
        for file in sources.mentions(&[word]).into_iter().flatten() {
            if !wanted.contains(&file) && pattern.is_match(&sources.get(file).text) {
                wanted.insert(file);
            }
        }
    };
    for at in &tracked {
        let model = &schema.models[*at];
        match model.source {
            ModelSource::Prisma => {
                let accessor = lower_first(&model.name);
                let word = regex::escape(&accessor);
                let methods = methods(true);
                search(&accessor, &format!(r"\b{word}\s*[?!]?\s*\.\s*({methods})\b"));
                // A delegate that is kept or handed on: `private rows = this.prisma.user`, `super(prisma.user)`.
                search(&accessor, &format!(r"(?s)[=>(,:]\s*[\w.$]+\.{word}\s*[;,)\]}}].*\.\s*({methods})\s*\("));
                search(&accessor, &format!(r"\bsuper\s*\([^;]*\.{word}\s*[,)]"));
                // Its name: `super(prisma, 'user')`.
                search(&accessor, &format!(r#"\bsuper\s*\([^;]*['"`]{word}['"`]"#));
                search("data", &format!(r"\bthis\s*\.\s*\w+\s*\.\s*({methods})\s*\(\s*\{{[^;]{{0,200}}?\bdata\b"));
                // What stands around the writes names the column and perhaps not the model.
                let around = rules.interceptor().filter_map(|row| row.call.last()).map(regex::escape);
                let around = around.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("|");
                for (_, property) in schema.columns.iter().flat_map(|c| &c.bindings).filter(|(id, _)| id.0 == *at) {
                    search(&model.properties[*property].name, &format!(r"({around})\s*(<[^>]*>)?\("));
                }
                let towards = schema.models.iter().flat_map(|other| &other.properties);
                let towards = towards.filter(|property| property.relation.as_deref() == Some(model.name.as_str()));
                for property in towards.map(|property| &property.name).collect::<BTreeSet<_>>() {
                    let word = regex::escape(property);
                    search(property, &format!(r#"\b{word}['"]?\s*:\s*[\{{\[(].{{0,400}}?\b({nested})\b|\b{word}\s*,"#));
                }
            }
            ModelSource::Entity => {
                search(&model.name, &format!(r"\.\s*({})\s*(<[^>]*>)?\(", methods(false)));
            }
            // The value goes by the name of its variable, which may be the model's in other spelling.
            ModelSource::Call => {
                for name in schema::names(&model.table, &model.name) {
                    search(&name, &format!(r"\.\s*({})\s*(<[^>]*>)?\(", methods(false)));
                }
            }
            ModelSource::Sql => {
                search(&model.table, &format!(r"\.\s*({})\s*(<[^>]*>)?\(", methods(false)));
            }
        }
        // Generic code names neither the model nor the property: `class Base<T> { constructor(protected repo: Repository<T>) {} }`.
        if !model.pack.is_empty() && model.source != ModelSource::Prisma {
            let own = rules.write().filter(|row| row.pack == model.pack);
            let bounds = rules.write().filter(|row| row.pack == model.pack).flat_map(|row| &row.bounds);
            let bounds: BTreeSet<&str> = bounds.filter_map(CallPattern::last).collect();
            for name in bounds {
                search(name, &format!(r"\.\s*({})\s*\(", methods(false)));
            }
            let types: BTreeSet<&str> = own
                .flat_map(|row| row.types.iter().chain([&row.call]))
                .filter_map(|pattern| pattern.text().split_once('#')?.1.split('.').next()?.rsplit('*').next())
                .filter(|name| !name.is_empty())
                .collect();
            for name in types {
                search(
                    name,
                    &format!(
                        r"(?s)(\bclass\s+\w+\s*<|\b\w+\s*<\s*\w+(\s+extends\b[^()]*)?>\s*\([^)]*\b{name}\b).*\.\s*({})\s*(<[^>]*>)?\(",
                        methods(false)
                    ),
                );
            }
        }
        // A receiver that nothing types: then the row itself names the property.
        let rows = methods(model.source == ModelSource::Prisma);
        let bound = schema.columns.iter().flat_map(|column| &column.bindings).filter(|(id, _)| id.0 == *at);
        for (_, property) in bound {
            // SQL whose table is put in at run time.
            let column = &model.properties[*property].column;
            search(column, r#"(?i)\b(into|update|only|merge)\s*[`"'\[]*\s*(\$?\{|\+)"#);
            let name = model.properties[*property].last_key();
            search(name, &format!(r"\.\s*({rows})\s*(<[^>]*>)?\([^;]{{0,300}}?\b{}\b", regex::escape(name)));
        }
        let table = regex::escape(&model.table);
        search(
            &model.table,
            &format!(r#"(?i)\b(into|update|only|table|merge|copy)\s+[`"'\[]?(\w+[`"'\]]?\s*\.\s*[`"'\[]?)?{table}\b"#),
        );
    }
    wanted
}

/// The production files that put something in front of the routes of controllers.
fn applications(sources: &SourceSet, rules: &Rules) -> BTreeSet<FileId> {
    let calls = rules.prefix().map(|row| &row.call).chain(rules.versioning().map(|row| &row.call));
    let calls = calls.chain(rules.nesting().map(|row| &row.call));
    let files = calls.flat_map(|call| {
        let of_library =
            move |file: &FileId| call.module().is_none_or(|module| sources.get(*file).text.contains(module));
        sources.mentions(&[call.first()]).into_iter().flatten().filter(of_library)
    });
    files.filter(|file| sources.get(*file).scope == Scope::Production).collect()
}

/// The production files that keep something for handlers in their context: who calls what it holds names neither it nor its class.
fn keepers(sources: &SourceSet, rules: &Rules) -> BTreeSet<FileId> {
    let mut wanted = BTreeSet::new();
    for row in rules.keep() {
        let Some(method) = row.call.last() else { continue };
        // A name is a common first argument: only where the library is spoken of.
        let (first, module) = match &row.name {
            Some(_) => (r#"['"`]"#.to_owned(), row.call.module()),
            None => (format!(r"\{{\s*{}\b", row.value.keys.first().map_or("", String::as_str)), None),
        };
        let Ok(call) = Regex::new(&format!(r"\b{}\s*\(\s*{first}", regex::escape(method))) else { continue };
        let keeps = |file: &FileId| {
            let file = sources.get(*file);
            file.scope == Scope::Production
                && module.is_none_or(|module| file.text.contains(module))
                && call.is_match(&file.text)
        };
        wanted.extend(sources.mentions(&[method]).into_iter().flatten().filter(keeps));
    }
    wanted
}

/// The files that may call what was reached.
pub fn callers(graph: &Graph, reached: &BTreeSet<FunctionRef>) -> BTreeSet<FileId> {
    let mut wanted = providing(graph, reached);
    let mut routers: BTreeSet<FileId> = BTreeSet::new();
    let mut keepers: BTreeSet<FileId> = BTreeSet::new();
    for function in reached {
        let Some(declared) = graph.function(*function) else { continue };
        let class = declared.class.map(|id| ClassRef { file: function.file, id });
        for name in names_towards_routes(graph, *function) {
            wanted.extend(graph.sources.mentions(&[name.as_str()]).into_iter().flatten());
        }
        // A router is mounted where its file is imported.
        routers.extend(graph.routers(*function));
        wanted.extend(graph.unseen_ahead(*function));
        // `const login = asyncHandler(async () => ..)` goes by the name of the variable.
        let kept = graph.registered_name(*function);
        if graph.is_rust(function.file) {
            wanted.extend(modules_above(graph.sources, function.file));
        }
        let name = match declared.kind {
            FunctionKind::Module => {
                // A statement, or its text, that the file keeps for others to run.
                if graph.summary(*function).is_some_and(|summary| !summary.sql.is_empty()) {
                    keepers.insert(function.file);
                }
                continue;
            }
            FunctionKind::Constructor => class.and_then(|class| graph.class(class)).map_or("", |class| &class.name),
            _ => {
                let kept = kept.as_deref().and_then(|name| name.rsplit('.').next());
                kept.unwrap_or(declared.name.as_str())
            }
        };
        wanted.extend(graph.senders(*function));
        for label in graph.labels(*function) {
            wanted.extend(graph.sources.mentions(&[label]).into_iter().flatten());
        }
        if name.is_empty() || name.starts_with('<') || name.starts_with('%') {
            continue;
        }
        // Who calls it by another name need not say its own.
        let others: Vec<&str> = graph.other_names(*function).collect();
        for mentions in graph.sources.mentions(&others) {
            let of_file = (mentions.len() > COMMON).then(|| graph.sources.get(function.file).stem());
            let of_file = of_file.map(|stem| graph.sources.mentions(&[stem]).into_iter().flatten().collect());
            let is_near = |file: &FileId| of_file.as_ref().is_none_or(|near: &BTreeSet<FileId>| near.contains(file));
            wanted.extend(mentions.into_iter().filter(is_near));
        }
        let mentions: BTreeSet<FileId> = graph.sources.mentions(&[name]).into_iter().flatten().collect();
        // A default export goes by any name; its file is named by the importer.
        let default = is_default(graph, *function).then(|| graph.sources.get(function.file).stem());
        if let Some(stem) = default {
            wanted.extend(graph.sources.mentions(&[stem]).into_iter().flatten());
        }
        match class {
            None if kept.is_some() && mentions.len() > COMMON => {}
            Some(class) if mentions.len() > COMMON => {
                let named: BTreeSet<FileId> = class_names(graph, class)
                    .iter()
                    .flat_map(|name| graph.sources.mentions(&[name.as_str()]))
                    .flatten()
                    .collect();
                wanted.extend(mentions.intersection(&named));
            }
            _ => wanted.extend(mentions),
        }
    }
    wanted.extend(importers(graph, routers));
    keepers.retain(|file| graph.sources.get(*file).language != Language::Sql);
    wanted.extend(importers(graph, keepers));
    wanted
}

/// The files that may mount the routers which handlers are registered on.
pub fn mounting(graph: &Graph, handlers: &BTreeSet<FunctionRef>) -> BTreeSet<FileId> {
    importers(graph, handlers.iter().flat_map(|handler| graph.routers(*handler)).collect())
}

/// The files that import one of these, directly or through files that export it on.
pub fn importers(graph: &Graph, files: BTreeSet<FileId>) -> BTreeSet<FileId> {
    let mut found = BTreeSet::new();
    let mut open: Vec<FileId> = files.iter().copied().collect();
    let mut seen = files;
    while let Some(file) = open.pop() {
        let stem = graph.sources.get(file).stem();
        for importer in graph.sources.mentions(&[stem]).into_iter().flatten() {
            if !specifies(&graph.sources.get(importer).text, stem) {
                continue;
            }
            found.insert(importer);
            let hands_on = |export: &Export| match export {
                Export::From { module, .. } | Export::All { module } => {
                    graph.resolve_module(importer, module) == Some(file)
                }
                _ => false,
            };
            let is_barrel = graph.module(importer).is_some_and(|module| module.exports.iter().any(hands_on));
            if is_barrel && seen.insert(importer) {
                open.push(importer);
            }
        }
    }
    found
}

/// Whether a text in quotes ends in the name of a file, as module specifiers do: `'../users/store.js'`, `"./store/index"`.
fn specifies(text: &str, stem: &str) -> bool {
    let is_quote = |c: char| matches!(c, '\'' | '"' | '`');
    text.match_indices(stem).any(|(at, _)| {
        let (before, behind) = (&text[..at], &text[at + stem.len()..]);
        let folder = || before.rfind(|c| is_quote(c) || c == '\n').map(|at| &before[at..]);
        let starts = before.ends_with(is_quote)
            || before.ends_with('/') && folder().is_some_and(|folder| folder.starts_with(is_quote));
        let behind = behind.strip_prefix("/index").unwrap_or(behind);
        let ends = |end: &&str| behind.strip_prefix(*end).is_some_and(|rest| rest.starts_with(is_quote));
        starts && SCRIPTS.iter().any(ends)
    })
}

/// The files of the modules around one of Rust, up to its crate's root: what it holds may be named through them (`pub use login::*`).
fn modules_above(sources: &SourceSet, file: FileId) -> BTreeSet<FileId> {
    let mut found = BTreeSet::new();
    let mut folder = sources.get(file).path.as_str();
    while let Some((above, _)) = folder.rsplit_once('/') {
        folder = above;
        let inside = ["mod.rs", "lib.rs", "main.rs"].map(|name| sources.find(&format!("{folder}/{name}")));
        found.extend(inside.into_iter().chain([sources.find(&format!("{folder}.rs"))]).flatten());
    }
    found
}

/// What a file that uses a class says: one of its names, or the name of its file.
fn class_names(graph: &Graph, class: ClassRef) -> BTreeSet<String> {
    let heirs = graph.heirs(class);
    let all = heirs.into_iter().chain([class]);
    let mut names: BTreeSet<String> = all.flat_map(|class| graph.names_of_class(class)).collect();
    names.insert(graph.sources.get(class.file).stem().to_owned());
    names
}

fn is_default(graph: &Graph, function: FunctionRef) -> bool {
    let is_whole = |name: &str| name == "default" || name == WHOLE;
    graph.module(function.file).is_some_and(|module| {
        module.exports.iter().any(|export| match export {
            Export::Named { name, binding: Binding::Function(id) } => is_whole(name) && *id == function.id,
            Export::Value { name, .. } => is_whole(name),
            _ => false,
        })
    })
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::bench::Tree;

    fn paths(tree: &Tree, files: &BTreeSet<FileId>) -> Vec<String> {
        files.iter().map(|file| tree.sources.get(*file).path.clone()).collect()
    }

    fn tree() -> Tree {
        Tree::of(&[
            ("src/auth.ts", "import { store } from './store'; export function login() { store(1); }"),
            ("src/names.ts", "export const shown = (user) => user.token;"),
            ("src/other.ts", "export function nothing() { restore(); }"),
            (
                "src/store.ts",
                "import { PrismaClient } from '@prisma/client'; const db = new PrismaClient();
                 export function store(id) { return db.user.update({ where: { id }, data: {} }); }",
            ),
        ])
    }

    #[test]
    fn at_first_the_schema_and_what_names_the_column_are_wanted() {
        let tree = tree();
        assert_eq!(paths(&tree, &first(&tree.sources, &tree.rules, &tree.config)), ["schema.prisma", "src/names.ts"]);
    }

    #[test]
    fn what_declares_by_a_call_is_told_by_the_call_not_by_its_word() {
        let tree = Tree::of(&[
            ("src/models.ts", "export const User = sequelize.define('User', {});"),
            ("src/words.ts", "export const define = 'how to define a model';"),
        ]);
        assert_eq!(paths(&tree, &declaring(&tree.sources, &tree.rules)), ["schema.prisma", "src/models.ts"]);
    }

    #[test]
    fn then_what_writes_the_model_without_naming_the_column() {
        let tree = tree();
        assert_eq!(paths(&tree, &writers(&tree.sources, &tree.rules, &tree.schema)), ["src/store.ts"]);
    }

    #[test]
    fn a_specifier_names_a_file_at_its_end() {
        for text in
            ["'./store'", "from \"../users/store.js\"", "require(`@app/store/index`)", "'store'", "'./store/index.mts'"]
        {
            assert!(specifies(text, "store"), "{text}");
        }
        for text in ["store", "'./store/memory'", "'./restore'", "'it' / store'", "'./store.test'", "a/\n'b/\n/store'"]
        {
            assert!(!specifies(text, "store"), "{text}");
        }
    }

    #[test]
    fn then_what_mentions_a_function_that_was_reached() {
        let tree = tree();
        let graph = tree.graph();
        let reached = BTreeSet::from([tree.function(&graph, "store")]);
        assert_eq!(paths(&tree, &callers(&graph, &reached)), ["src/auth.ts", "src/store.ts"]);
    }
}
