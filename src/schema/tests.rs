use super::*;
use crate::config::Column;
use crate::ir::{
    Arg, Binding, Call, Class, ClassId, ClassKind, ColumnDecl, Conflict, Decorator, Entry, ExprId, ExprKind, FieldDecl,
    Function, FunctionId, FunctionKind, Import, ImportId, Imported, Local, LocalId, Place, SqlStatement, SqlText, Stmt,
    Table, TableChange, TypeRef,
};
use crate::rules::Pack;
use crate::source::{ModuleMap, Scope, SourceFile, Tally, TsConfig};

fn sources(files: &[(&str, &str)]) -> SourceSet {
    let language = |path: &str| match path.rsplit('.').next() {
        Some("sql") => Language::Sql,
        Some("prisma") => Language::Prisma,
        _ => Language::TypeScript,
    };
    let file = |(path, text): &(&str, &str)| {
        SourceFile::new((*path).to_owned(), (*text).to_owned(), language(path), Scope::Production)
    };
    let tsconfig = TsConfig { paths: vec![("@app/*".to_owned(), vec!["src/*".to_owned()])], ..TsConfig::default() };
    let modules = ModuleMap { tsconfigs: vec![tsconfig], ..ModuleMap::default() };
    SourceSet::new(files.iter().map(file).collect(), modules, Vec::new(), Tally::default())
}

fn config(columns: &[&str]) -> Config {
    let column = |name: &&str| {
        let (table, column) = name.rsplit_once('.').unwrap();
        Column {
            schema: None,
            table: table.to_owned(),
            column: column.to_owned(),
            contract: None,
            decision: None,
            decision_exists: None,
            form: None,
            cohorts: Vec::new(),
            line: Some(4),
            contract_line: None,
            decision_line: None,
            ..Column::default()
        }
    };
    Config { columns: columns.iter().map(column).collect(), ..Config::default() }
}

fn rules() -> Rules {
    let pack: Pack = serde_json::from_value(serde_json::json!({
        "id": "x",
        "summary": "x",
        "entity": [{
            "decorator": "typeorm#Entity",
            "table": ["0.name", "0", "1.name"],
            "naming": "snake",
            "column": ["typeorm#Column", "typeorm#PrimaryGeneratedColumn"],
            "name": ["0.name", "1.name"],
            "nullable": ["0.nullable", "1.nullable"],
            "default": ["0.default", "1.default"],
            "generated": ["typeorm#PrimaryGeneratedColumn"],
            "relation": ["typeorm#OneToMany"],
            "column-naming": "same",
        }],
    }))
    .unwrap();
    Rules::new(vec![pack])
}

/// A module made by hand, as the front ends make them.
struct Made(Module);

impl Made {
    fn new(file: u32) -> Self {
        Self(Module::new(FileId(file)))
    }

    fn span(&self) -> Span {
        Span { file: self.0.file, start: 0, end: 0 }
    }

    fn add(&mut self, kind: ExprKind) -> ExprId {
        let span = self.span();
        self.0.add(kind, span)
    }

    fn text(&mut self, text: &str) -> ExprId {
        self.add(ExprKind::Text(text.to_owned()))
    }

    fn object(&mut self, entries: Vec<(&str, ExprId)>) -> ExprId {
        let key_span = self.span();
        let named = |(key, value): (&str, ExprId)| Entry::Named { key: key.to_owned(), key_span, value };
        self.add(ExprKind::Object(entries.into_iter().map(named).collect()))
    }

    fn import(&mut self, module: &str, name: &str) -> Binding {
        let span = self.span();
        let what = Imported::Named(name.to_owned());
        self.0.imports.push(Import { local: name.to_owned(), module: module.to_owned(), what, span });
        Binding::Import(ImportId::of(self.0.imports.len() - 1))
    }

    fn decorator(&mut self, module: &str, name: &str, args: Vec<ExprId>) -> Decorator {
        Decorator { name: name.to_owned(), binding: self.import(module, name), args, span: self.span() }
    }

    fn orm(&mut self, name: &str, args: Vec<ExprId>) -> Decorator {
        self.decorator("typeorm", name, args)
    }

    fn field(&self, name: &str, decorators: Vec<Decorator>) -> FieldDecl {
        let span = self.span();
        FieldDecl {
            name: name.to_owned(),
            ty: None,
            init: None,
            is_static: false,
            optional: true,
            decorators,
            span,
            type_span: span,
        }
    }

    fn class(&mut self, name: &str, decorators: Vec<Decorator>, fields: Vec<FieldDecl>) -> ClassId {
        let span = self.span();
        self.0.classes.push(Class {
            name: name.to_owned(),
            kind: ClassKind::Class,
            span,
            name_span: span,
            type_params: Vec::new(),
            extends: Vec::new(),
            extends_call: None,
            implements: Vec::new(),
            decorators,
            fields,
            methods: Vec::new(),
            open: false,
        });
        ClassId::of(self.0.classes.len() - 1)
    }

    fn constant(&mut self, name: &str, value: ExprId) -> ExprId {
        let span = self.span();
        self.0.locals.push(Local { name: name.to_owned(), function: FunctionId(0), ty: None, span });
        let local = LocalId::of(self.0.locals.len() - 1);
        self.0.functions[0].body.push(Stmt::Assign { target: Place::Local(local), value, span });
        self.add(ExprKind::Name(Binding::Local(local)))
    }

    /// A class `name` with decorators `@Entity(args)` and `@Column({ nullable: true }) accessToken`.
    fn entity(&mut self, name: &str, args: Vec<ExprId>) -> ClassId {
        let entity = self.orm("Entity", args);
        let yes = self.add(ExprKind::Bool(true));
        let options = self.object(vec![("nullable", yes)]);
        let column = self.orm("Column", vec![options]);
        let field = self.field("accessToken", vec![column]);
        self.class(name, vec![entity], vec![field])
    }
}

fn column(name: &str, nullable: Option<bool>, default: Option<&str>) -> ColumnDecl {
    ColumnDecl {
        name: name.to_owned(),
        property: name.to_owned(),
        ty: if nullable.is_some() { "text".to_owned() } else { String::new() },
        nullable,
        default: default.map(str::to_owned),
        relation: None,
        list: false,
        span: Span { file: FileId(0), start: 0, end: 0 },
    }
}

fn table(name: &str, change: TableChange, columns: Vec<ColumnDecl>) -> Table {
    Table {
        name: name.to_owned(),
        model: None,
        span: Span { file: FileId(0), start: 0, end: 0 },
        change,
        columns,
        dropped: Vec::new(),
        renamed: Vec::new(),
        renamed_to: None,
    }
}

fn model(name: &str, table_name: &str, columns: Vec<ColumnDecl>) -> Table {
    Table { model: Some(name.to_owned()), ..table(table_name, TableChange::Create, columns) }
}

fn with_tables(file: u32, tables: Vec<Table>) -> Module {
    Module { tables, ..Module::new(FileId(file)) }
}

/// `Model.property>table.column` of every binding, then nullability and default.
fn bound(modules: &[&Module], files: &[(&str, &str)], names: &[&str]) -> Vec<String> {
    let schema = bind(modules, &sources(files), &rules(), &config(names)).unwrap();
    let line = |column: &TrackedColumn| {
        let bindings: Vec<String> = column
            .bindings
            .iter()
            .map(|(model, property)| {
                let model = &schema.models[model.0];
                format!("{}.{}", model.name, model.properties[*property].name)
            })
            .collect();
        let nullable = column.nullable.map_or("?", |nullable| if nullable { "null" } else { "not null" });
        let default = column.default.clone().unwrap_or_default();
        format!("{} > {}.{} {nullable} {default}", bindings.join(", "), column.table, column.column)
            .trim_end()
            .to_owned()
    };
    schema.columns.iter().map(line).collect()
}

#[test]
fn a_prisma_column_is_bound_by_its_own_name_or_its_property_or_its_models_name() {
    let mut token = column("refresh_token", Some(true), None);
    token.property = "refreshToken".to_owned();
    let other = model("Account", "accounts", vec![column("refresh_token", Some(false), None)]);
    let schema = with_tables(0, vec![other, model("User", "users", vec![token])]);
    let files = [("schema.prisma", "")];
    for name in ["users.refresh_token", "users.refreshToken", "User.refreshToken", "public.USERS.REFRESH_TOKEN"] {
        assert_eq!(bound(&[&schema], &files, &[name]), ["User.refreshToken > users.refresh_token null"], "{name}");
    }
}

#[test]
fn a_type_that_no_model_has_is_an_enum_and_so_a_column() {
    let mut role = column("role", Some(false), None);
    role.relation = Some("Role".to_owned());
    let mut team = column("team", Some(false), None);
    team.relation = Some("Team".to_owned());
    let schema = with_tables(0, vec![model("User", "User", vec![role, team]), model("Team", "Team", vec![])]);
    let files = [("schema.prisma", "")];
    assert_eq!(bound(&[&schema], &files, &["User.role"]), ["User.role > User.role not null"]);
    assert!(bind(&[&schema], &sources(&files), &rules(), &config(&["User.team"])).is_err());
}

#[test]
fn migrations_run_in_path_order_and_those_that_undo_are_passed_over() {
    let create =
        with_tables(1, vec![table("people", TableChange::Create, vec![column("tok", Some(false), Some("'x'"))])]);
    let undo = with_tables(0, vec![table("people", TableChange::Drop, vec![])]);
    let mut rename = table("people", TableChange::Alter, vec![column("tok", None, Some(""))]);
    rename.renamed_to = Some("users".to_owned());
    let mut rename_column = table("users", TableChange::Alter, vec![column("token", Some(true), None)]);
    rename_column.columns[0].ty.clear();
    rename_column.renamed.push(("tok".to_owned(), "token".to_owned()));
    rename_column.dropped.push("nothing".to_owned());
    let alter = with_tables(2, vec![rename, rename_column]);
    let files = [("m/01_a/down.sql", ""), ("m/01_a/up.sql", ""), ("m/02_b/up.sql", "")];
    assert_eq!(bound(&[&alter, &create, &undo], &files, &["users.token"]), ["users.token > users.token null"]);
}

#[test]
fn a_rebuilt_table_is_the_new_one_and_each_folder_a_database() {
    let mut rename = table("users_new", TableChange::Alter, vec![]);
    rename.renamed_to = Some("users".to_owned());
    let rebuild = with_tables(
        1,
        vec![
            table("users", TableChange::Create, vec![column("token", Some(false), None)]),
            table("users_new", TableChange::Create, vec![column("token", Some(true), None)]),
            table("users", TableChange::Drop, vec![]),
            rename,
        ],
    );
    let other =
        with_tables(0, vec![table("users", TableChange::Create, vec![column("token", Some(true), Some("now()"))])]);
    let files = [("mysql/1.sql", ""), ("sqlite/1.sql", "")];
    assert_eq!(
        bound(&[&other, &rebuild], &files, &["users.token"]),
        ["users.token, users.token > users.token null now()"]
    );
}

#[test]
fn migrations_fill_in_what_a_model_does_not_say() {
    let prisma = with_tables(0, vec![model("User", "users", vec![column("token", Some(true), None)])]);
    let sql =
        with_tables(1, vec![table("users", TableChange::Create, vec![column("token", Some(false), Some("'x'"))])]);
    let files = [("a.prisma", ""), ("b.sql", "")];
    assert_eq!(bound(&[&prisma, &sql], &files, &["users.token"]), ["User.token > users.token null 'x'"]);
}

#[test]
fn an_entity_names_its_table_in_each_of_the_ways() {
    let files = [("a.ts", ""), ("b.ts", "")];
    let mut plain = Made::new(0);
    plain.entity("UserAccount", vec![]);
    assert_eq!(
        bound(&[&plain.0], &files, &["user_account.accessToken"]),
        ["UserAccount.accessToken > user_account.accessToken null"]
    );

    let mut text = Made::new(0);
    let name = text.text("users");
    text.entity("User", vec![name]);
    assert_eq!(bound(&[&text.0], &files, &["users.accessToken"]).len(), 1);

    let mut object = Made::new(0);
    let name = object.text("auth.users");
    let options = object.object(vec![("name", name)]);
    object.entity("User", vec![options]);
    assert_eq!(bound(&[&object.0], &files, &["users.accessToken"]).len(), 1);

    let mut constant = Made::new(0);
    let value = constant.text("users");
    let name = constant.constant("USERS", value);
    constant.entity("User", vec![name]);
    assert_eq!(bound(&[&constant.0], &files, &["users.accessToken"]).len(), 1);

    let mut elsewhere = Made::new(1);
    let binding = elsewhere.import("./a", "USERS");
    let name = elsewhere.add(ExprKind::Name(binding));
    elsewhere.entity("Person", vec![name]);
    assert_eq!(
        bound(&[&constant.0, &elsewhere.0], &files, &["users.accessToken"]),
        ["User.accessToken, Person.accessToken > users.accessToken null"]
    );
}

#[test]
fn a_column_decorator_gives_name_nullability_and_default() {
    let mut made = Made::new(0);
    let entity = made.orm("Entity", vec![]);
    let id = made.orm("PrimaryGeneratedColumn", vec![]);
    let id = made.field("id", vec![id]);
    let (name, kind, yes) = (made.text("tok"), made.text("text"), made.add(ExprKind::Bool(true)));
    let options = made.object(vec![("name", name), ("nullable", yes)]);
    let token = made.orm("Column", vec![kind, options]);
    let token = made.field("token", vec![token]);
    let null = made.add(ExprKind::Null);
    let options = made.object(vec![("default", null)]);
    let a = made.orm("Column", vec![options]);
    let a = made.field("a", vec![a]);
    let value = Span { file: FileId(0), start: 9, end: 12 };
    let value = made.0.add(ExprKind::Text("x".to_owned()), value);
    let options = made.object(vec![("default", value)]);
    let b = made.orm("Column", vec![options]);
    let b = made.field("b", vec![b]);
    let plain = made.field("memory", vec![]);
    made.class("User", vec![entity], vec![id, token, a, b, plain]);
    let files = [("a.ts", "default: 'x'")];
    assert_eq!(
        bound(&[&made.0], &files, &["user.tok", "user.id", "user.a", "user.b"]),
        [
            "User.token > user.tok null",
            "User.id > user.id not null @PrimaryGeneratedColumn",
            "User.a > user.a not null",
            "User.b > user.b not null 'x'"
        ]
    );
    assert!(bind(&[&made.0], &sources(&files), &rules(), &config(&["user.memory"])).is_err());
}

#[test]
fn columns_of_base_classes_are_inherited_within_and_across_files() {
    let mut base = Made::new(0);
    let column = base.orm("Column", vec![]);
    let field = base.field("accessToken", vec![column]);
    base.class("Base", vec![], vec![field]);
    let mut made = Made::new(1);
    let binding = made.import("./base", "Base");
    let class = made.entity("User", vec![]);
    made.0.classes[class.at()].fields.clear();
    let span = made.span();
    made.0.classes[class.at()].extends = vec![TypeRef { name: "Base".to_owned(), binding, args: vec![], span }];
    let files = [("a.ts", ""), ("b.ts", "")];
    assert_eq!(
        bound(&[&made.0, &base.0], &files, &["user.accessToken"]),
        ["User.accessToken > user.accessToken not null"]
    );
    // A class that extends itself ends.
    let own = TypeRef { name: "User".to_owned(), binding: Binding::Class(class), args: vec![], span };
    made.0.classes[class.at()].extends = vec![own];
    assert!(bind(&[&made.0], &sources(&files), &rules(), &config(&["user.accessToken"])).is_err());
}

#[test]
fn the_same_property_of_another_entity_is_never_bound() {
    let mut made = Made::new(0);
    made.entity("User", vec![]);
    made.entity("Session", vec![]);
    assert_eq!(
        bound(&[&made.0], &[("a.ts", "")], &["user.access_token"]),
        ["User.accessToken > user.access_token null"]
    );
    let error = bind(&[&made.0], &sources(&[("a.ts", "")]), &rules(), &config(&["sessions.access_token"])).unwrap_err();
    assert!(!error[0].is_table_known);
}

#[test]
fn a_decorator_counts_by_its_library_or_through_a_module_of_the_tree() {
    let files = [("a.ts", "")];
    let with = |module: &str| {
        let mut made = Made::new(0);
        let entity = made.decorator(module, "Entity", vec![]);
        let column = made.decorator(module, "Column", vec![]);
        let field = made.field("token", vec![column]);
        made.class("User", vec![entity], vec![field]);
        bind(&[&made.0], &sources(&files), &rules(), &config(&["user.token"])).is_ok()
    };
    assert!(with("typeorm"));
    assert!(with("./orm"));
    assert!(with("@app/orm"));
    assert!(!with("@mikro-orm/core"));
}

#[test]
fn a_relation_names_the_class_on_the_other_side_and_is_no_column() {
    let mut made = Made::new(0);
    let entity = made.orm("Entity", vec![]);
    let binding = made.import("./post", "Post");
    let post = made.add(ExprKind::Name(binding));
    let span = made.span();
    let mut closure = Function::new("<closure>", FunctionKind::Closure, span);
    closure.body.push(Stmt::Return(Some(post)));
    made.0.functions.push(closure);
    let closure = made.add(ExprKind::Closure(FunctionId(1)));
    let relation = made.orm("OneToMany", vec![closure]);
    let field = made.field("posts", vec![relation]);
    made.class("User", vec![entity], vec![field]);
    let schema = bind(&[&made.0], &sources(&[("a.ts", "")]), &rules(), &config(&[])).unwrap();
    assert_eq!(schema.models[0].properties[0].relation.as_deref(), Some("Post"));
    assert!(bind(&[&made.0], &sources(&[("a.ts", "")]), &rules(), &config(&["user.posts"])).is_err());
}

#[test]
fn an_unknown_column_is_reported_with_the_closest_names() {
    let schema = with_tables(
        0,
        vec![model("User", "users", vec![column("access_token", Some(true), None), column("id", Some(false), None)])],
    );
    let error = |name: &str| {
        let errors = bind(&[&schema], &sources(&[("a.prisma", "")]), &rules(), &config(&[name])).unwrap_err();
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        error("users.acess_token"),
        "users.acess_token: no model of table users has such a column; closest: users.access_token"
    );
    assert_eq!(
        error("user_s.access_tokn"),
        "user_s.access_tokn: no model of table user_s has such a column; closest: users.access_token"
    );
    assert_eq!(
        error("sessions.accessToken"),
        "sessions.accessToken: the tree declares no table sessions, and no SQL in it names such a column; \
         closest: users.access_token"
    );
    assert_eq!(error("zzz.qqq"), "zzz.qqq: the tree declares no table zzz, and no SQL in it names such a column");
}

#[test]
fn a_table_that_only_statements_name_has_a_model_of_that_column() {
    let mut made = Made::new(0);
    let span = Span { file: FileId(0), start: 3, end: 5 };
    let insert = SqlStatement::Insert {
        table: "Users".to_owned(),
        span,
        columns: vec![("token".to_owned(), span)],
        rows: vec![],
        conflict: Some(Conflict::Nothing),
    };
    let sql = SqlText { statements: vec![insert], ..SqlText::default() };
    let text = made.add(ExprKind::Sql(Box::new(sql)));
    let callee = made.add(ExprKind::Undefined);
    let args = vec![Arg { value: text, spread: false }];
    made.add(ExprKind::Call(Call { callee, args, is_new: false, type_args: vec![] }));
    assert_eq!(bound(&[&made.0], &[("a.ts", "")], &["users.token"]), ["Users.token > Users.token ?"]);
    assert!(bind(&[&made.0], &sources(&[("a.ts", "")]), &rules(), &config(&["users.tokn"])).is_err());
}

#[test]
fn schema_files_are_prisma_files_and_the_sql_files_that_mention_the_table() {
    let sources = sources(&[
        ("a.sql", "CREATE TABLE users (id int)"),
        ("b.sql", "CREATE TABLE other (id int)"),
        ("c.prisma", ""),
        ("d.ts", "users"),
        ("e.sql", "alter table \"User\" add x int"),
    ]);
    assert_eq!(schema_files(&sources, &config(&["users.token"])), [FileId(0), FileId(2), FileId(4)]);
}
