//! What lowering makes of Rust.

use crate::ir::{Binding, ClassKind, Export, ExprKind, FunctionKind, Module, Place, SqlStatement, Stmt, dump};
use crate::source::{FileId, Language, Macros, Scope, SourceFile};

fn lower(text: &str) -> Module {
    let file = SourceFile::new("src/lib.rs".into(), text.into(), Language::Rust, Scope::Production);
    let mut macros = Macros::default();
    for (name, arms) in super::macro_definitions(text) {
        macros.define(name, FileId(0), arms);
    }
    super::lower(FileId(0), &file, &macros)
}

fn body(text: &str) -> String {
    dump(&lower(&format!("fn f(x: Option<String>, conn: &Conn) {{ {text} }}")))
}

#[test]
fn what_only_wraps_a_value_is_the_value() {
    let plain = body("let y = x; y");
    for wrapped in [
        "let y = Some(x.clone()?); y",
        "let y = Arc::new(&*x).to_string().into(); y",
        "let y = x.as_ref().unwrap().to_owned().await; Ok(y)",
    ] {
        assert_eq!(body(wrapped), plain, "{wrapped}");
    }
}

#[test]
fn a_fallback_takes_the_other_value_where_there_is_none() {
    let module = lower("fn f(x: Option<i64>) -> i64 { x.unwrap_or(None) }");
    let fallback = module.exprs.iter().find_map(|expr| match expr.kind {
        ExprKind::Fallback { right, .. } => Some(right),
        _ => None,
    });
    assert!(matches!(module.expr(fallback.unwrap()).kind, ExprKind::Undefined));
}

#[test]
fn an_arm_that_returns_an_error_throws() {
    let module = lower("fn f(x: Option<i64>) -> Result<i64, E> { match x { Some(v) => Ok(v), None => Err(E) } }");
    let [.., Stmt::If { then, otherwise, .. }] = module.functions[1].body.as_slice() else {
        panic!("no branch: {:?}", module.functions[1].body);
    };
    assert!(matches!(then.last(), Some(Stmt::Return(Some(_)))));
    assert!(matches!(otherwise.as_slice(), [Stmt::Throw(Some(_))]));
}

#[test]
fn methods_of_an_impl_belong_to_the_struct_and_take_self_first() {
    let module = lower(
        "struct A { t: String } impl B for A { fn m(&mut self, v: String) { self.t = v; } fn n() -> Self { A { t: x() } } }",
    );
    let class = &module.classes[0];
    assert_eq!((class.name.as_str(), class.kind, class.methods.len()), ("A", ClassKind::Class, 2));
    assert_eq!(class.implements.len(), 1);
    let method = module.function(class.methods[0]);
    assert!(method.takes_self && !method.is_static && method.params.len() == 2);
    assert!(matches!(method.body.as_slice(), [Stmt::Assign { target: Place::Field { name, .. }, .. }] if name == "t"));
    assert!(module.function(class.methods[1]).is_static);
}

#[test]
fn an_impl_for_a_type_of_another_file_extends_it() {
    let module = lower("use crate::a::A; impl A { fn m(&self) {} }");
    let class = &module.classes[0];
    assert!(matches!(class.extends[0].binding, Binding::Import(_)));
    assert_eq!(module.function(class.methods[0]).kind, FunctionKind::Method);
}

#[test]
fn paths_stand_in_imports_as_far_as_their_module_reaches() {
    let module = lower("mod a; fn f() { crate::b::T::make(); a::c::g(); other::h(); }");
    let named: Vec<(String, String)> =
        module.imports.iter().map(|import| (import.module.clone(), format!("{:?}", import.what))).collect();
    assert!(named.contains(&("crate::b".into(), "Named(\"T\")".into())), "{named:?}");
    assert!(named.contains(&("self::a::c".into(), "Named(\"g\")".into())), "{named:?}");
    assert!(named.contains(&("other".into(), "Named(\"h\")".into())), "{named:?}");
}

#[test]
fn a_function_is_exported_before_a_used_module_of_its_name() {
    let module = lower("use crate::sessions::{self, Session}; fn sessions() {}");
    let [Export::Named { name, binding }, ..] = module.exports.as_slice() else { panic!("{:?}", module.exports) };
    assert_eq!((name.as_str(), matches!(binding, Binding::Function(_))), ("sessions", true));
}

#[test]
fn sql_in_a_string_keeps_its_place_in_the_file() {
    let text = "fn f() { sqlx::query(\n  r#\"insert into sessions (token) values ($1)\"#); }";
    let module = lower(text);
    let sql = module.exprs.iter().find_map(|expr| match &expr.kind {
        ExprKind::Sql(sql) => Some(sql),
        _ => None,
    });
    let [SqlStatement::Insert { table, span, .. }] = sql.unwrap().statements.as_slice() else { panic!("no insert") };
    assert_eq!(table, "sessions");
    assert_eq!(span.start as usize, text.find("insert").unwrap());
}

#[test]
fn a_macro_with_bodies_in_braces_runs_one_of_them() {
    let module = lower("fn f(c: C) { db! { c: mysql { a(c) } postgresql, sqlite { b(c) } } }");
    let [Stmt::If { then, otherwise, .. }] = module.functions[1].body.as_slice() else {
        panic!("no branch: {:?}", module.functions[1].body);
    };
    assert!(matches!((then.as_slice(), otherwise.as_slice()), ([Stmt::Return(_)], [Stmt::Return(_)])));
}

#[test]
fn a_table_block_declares_its_columns() {
    let module =
        lower("diesel::table! { users (id) { id -> Integer, #[sql_name = \"tok\"] token -> Nullable<Text>, } }");
    let table = &module.tables[0];
    let columns: Vec<(&str, &str, Option<bool>)> =
        table.columns.iter().map(|c| (c.name.as_str(), c.property.as_str(), c.nullable)).collect();
    assert_eq!(table.name, "users");
    assert_eq!(columns, [("id", "id", Some(false)), ("tok", "token", Some(true))]);
}

#[test]
fn functions_of_test_modules_are_for_tests() {
    let module = lower("fn a() {} #[cfg(test)] mod tests { fn b() {} } #[tokio::test] async fn c() {}");
    let tests: Vec<(&str, bool)> = module.functions[1..].iter().map(|f| (f.name.as_str(), f.is_test)).collect();
    assert_eq!(tests, [("a", false), ("b", true), ("c", true)]);
}

#[test]
fn attributes_of_one_name_are_one_decorator() {
    let module =
        lower("#[derive(Insertable)] #[diesel(table_name = users)] #[diesel(treat_none_as_null = true)] struct U;");
    let names: Vec<(&str, usize)> =
        module.classes[0].decorators.iter().map(|d| (d.name.as_str(), d.args.len())).collect();
    assert_eq!(names, [("Insertable", 0), ("diesel", 1)]);
}

#[test]
fn what_cannot_be_parsed_is_a_gap_with_its_line() {
    let broken = lower("fn a() {}\nfn {");
    assert_eq!((broken.gaps.len(), broken.gaps[0].line), (1, 2));
    let deep = lower(&format!("fn a() {{ {}1{}; }}", "(".repeat(20_000), ")".repeat(20_000)));
    assert_eq!(deep.gaps[0].why, "nested too deeply");
}

#[test]
fn macros_of_the_tree_are_expanded_as_items_members_statements_and_values() {
    let module = lower(
        "macro_rules! insert { ($t:ident, $f:ty) => { insert!($t, $f, |x| x); }; \
           ($t:ident, $f:ty, |$v:ident| $($after:tt)+) => { pub fn insert(conn: &C, new: $f) { let $v = save($t::table, new); $($after)+ } } }\n\
         macro_rules! make { ($($name:ident),*) => { $(pub fn $name() { go() })* } }\n\
         macro_rules! hashed { ($x:expr) => { digest($x.as_bytes()) } }\n\
         impl Token { insert!(tokens, NewToken); }\n\
         make!(one, two);\n\
         fn f(s: &str) { let h = hashed!(s); keep(h); }",
    );
    let names: Vec<&str> = module.functions.iter().map(|f| f.name.as_str()).collect();
    assert!(["insert", "one", "two", "f"].iter().all(|name| names.contains(name)), "{names:?}");
    let text = dump(&module);
    assert!(text.contains("save"), "{text}");
    assert!(text.contains("(call global:digest s)"), "{text}");
}

#[test]
fn a_macro_that_calls_itself_ends() {
    for text in [
        "macro_rules! a { () => { a!{} } }\na!{}",
        "macro_rules! a { ($($t:tt)*) => { a!($($t)* x) } }\nfn f() { a!() }\nimpl X { a!{} }",
    ] {
        lower(text);
    }
}
