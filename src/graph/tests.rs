//! Which functions the calls of small programs reach.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

use crate::graph::bench::Tree;
use crate::graph::{Horizon, Memo};
use crate::source::{FileId, Span};
use crate::summary::{Value, ValueKind};

#[test]
fn an_answer_under_a_limit_is_worked_out_once_and_again_without_it() {
    let value = Value::new(ValueKind::Null, Span { file: FileId(0), start: 0, end: 1 });
    let (memo, horizon, worked) = (Memo::default(), Horizon::default(), Cell::new(0));
    let ask = || {
        memo.get(&value, 0, &horizon, || {
            worked.set(worked.get() + 1);
            if horizon.limit.get() > 0 {
                horizon.hide();
            }
            worked.get()
        })
    };
    let only = |file| Some(Rc::new(BTreeSet::from([FileId(file)])));
    let before = horizon.moved(only(1).as_ref());
    assert_eq!((ask(), ask()), (1, 1));
    let hidden = horizon.hidden.get();
    ask();
    assert!(horizon.hidden.get() > hidden, "whoever builds on it knows that it is not the whole answer");
    horizon.limit.set(before);
    assert_eq!((ask(), ask()), (2, 2));
    horizon.moved(only(2).as_ref());
    assert_eq!(ask(), 2, "a whole answer holds under any limit");
}

#[test]
fn a_method_of_an_interface_is_every_implementation_and_so_uncertain() {
    let tree = Tree::one(
        "interface Store { put(t: string): void }
         class Memory implements Store { put(t: string) {} }
         class Disk implements Store { put(t: string) {} }
         export function run(store: Store) { store.put('x'); }",
    );
    let mut reached = tree.reached("run");
    reached.sort();
    assert_eq!(reached, ["Disk.put?", "Memory.put?"]);
}

#[test]
fn a_method_of_an_injected_class_is_certain_and_an_inherited_one_is_the_bases() {
    let tree = Tree::one(
        "class Base { save() {} }
         class Users extends Base { find() {} }
         export class Auth { constructor(private users: Users) {} login() { this.users.find(); this.users.save(); } }",
    );
    assert_eq!(tree.reached("Auth.login"), ["Users.find", "Base.save"]);
}

#[test]
fn imports_are_followed_through_barrels_renames_and_tsconfig_paths() {
    let tree = Tree::of(&[
        ("src/users/users.ts", "export function find() {} export default function make() {}"),
        (
            "src/users/index.ts",
            "export { find as findUser } from './users'; export { default as makeUser } from './users';",
        ),
        ("src/index.ts", "export * from './users';"),
        (
            "src/app.ts",
            "import { findUser } from '@app/index'; import { makeUser } from './users'; import * as all from '.';
             export function run() { findUser(); makeUser(); all.findUser(); }",
        ),
    ]);
    assert_eq!(tree.reached("run"), ["find", "make", "find"]);
}

#[test]
fn barrels_that_export_each_other_end() {
    let tree = Tree::of(&[
        ("src/a.ts", "export * from './b';"),
        ("src/b.ts", "export * from './a'; export function there() {}"),
        ("src/app.ts", "import { there, gone } from './a'; export function run() { there(); gone(); }"),
    ]);
    assert_eq!(tree.reached("run"), ["there"]);
}

#[test]
fn modules_that_all_export_each_other_are_each_looked_through_once() {
    let count = 40;
    let barrel = (0..count).fold(String::new(), |text, n| format!("{text}export * from './m{n}'; "));
    let mut files: Vec<(String, String)> = (0..count).map(|n| (format!("src/m{n}.ts"), barrel.clone())).collect();
    files.push(("src/there.ts".into(), "export function there() {}".into()));
    files[count - 1].1.push_str("export * from './there';");
    let app = "import { there, gone } from './m0'; export function run() { there(); gone(); }";
    files.push(("src/app.ts".into(), app.into()));
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert_eq!(Tree::of(&files).reached("run"), ["there"]);
}

#[test]
fn a_field_assigned_in_the_constructor_has_the_type_of_what_was_assigned() {
    let tree = Tree::one(
        "class Users { find() {} }
         class Other { find() {} }
         export class Auth { private users; constructor() { this.users = new Users(); } login() { this.users.find(); } }",
    );
    assert_eq!(tree.reached("Auth.login"), ["Users.find"]);
}

#[test]
fn callers_are_known_across_files() {
    let tree = Tree::of(&[
        ("src/store.ts", "export function store() {}"),
        (
            "src/app.ts",
            "import { store } from './store'; export function a() { store(); } export const b = () => store();",
        ),
    ]);
    let graph = tree.graph();
    let store = tree.function(&graph, "store");
    let mut callers: Vec<String> = graph.callers(store).iter().map(|edge| graph.name(edge.caller)).collect();
    callers.sort();
    assert_eq!(callers, ["a", "b"]);
}

#[test]
fn functions_in_an_object_that_is_exported_are_reached_through_it() {
    let users = "const find = () => 1; function keep() {}";
    for (export, import) in [
        ("export default { find, keep };", "import users from './users';"),
        ("module.exports = { find, keep };", "const users = require('./users');"),
        ("module.exports = { find, keep };", "import users from './users';"),
        ("module.exports = { find: () => 1, keep() {} };", "import users from './users';"),
        ("const all = { find, keep }; module.exports = all;", "const users = require('./users');"),
        ("export = { find, keep };", "import users = require('./users');"),
        ("export = { find, keep };", "import * as users from './users';"),
        (
            "const all = { find, keep }; module.exports = all;",
            "const { find, keep } = require('./users'); const users = { find, keep };",
        ),
    ] {
        let declared = if export.contains("() =>") { "" } else { users };
        let tree = Tree::of(&[
            ("src/users.ts", &format!("{declared} {export}")),
            ("src/app.ts", &format!("{import} export function run() {{ users.find(); users.keep(); }}")),
        ]);
        assert_eq!(tree.reached("run"), ["find", "keep"], "{export} {import}");
    }
}

#[test]
fn a_module_that_is_kept_under_a_name_is_reached_through_it() {
    for (index, import) in [
        ("const users = require('./users'); module.exports = { users };", "const all = require('./index');"),
        ("module.exports = { users: require('./users') };", "const all = require('./index');"),
        ("exports.users = require('./users');", "const all = require('./index');"),
        ("exports.users = require('./users');", "const { users } = require('./index'); const all = { users };"),
        ("import * as users from './users'; export const all = { users };", "import { all } from './index';"),
        ("import * as users from './users'; export { users };", "import * as all from './index';"),
        ("export * as users from './users';", "import * as all from './index';"),
        ("export * as users from './users';", "import { users } from './index'; const all = { users };"),
        ("import * as users from './users'; export default { users };", "import all from './index';"),
    ] {
        let users = if import.contains("require") {
            "function find() {} function keep() {} module.exports = { find, keep };"
        } else {
            "export function find() {} export function keep() {}"
        };
        let run = "export function run() { all.users.find(); const { keep } = all.users; keep(); }";
        let tree =
            Tree::of(&[("src/users.ts", users), ("src/index.ts", index), ("src/app.ts", &format!("{import} {run}"))]);
        assert_eq!(tree.reached("run"), ["find", "keep"], "{index} {import}");
    }
}

#[test]
fn a_wrapped_handler_is_the_handler_wherever_it_is_registered() {
    let tree = Tree::of(&[
        (
            "src/wrap.ts",
            "export default (fn) => (req, res, next) => { Promise.resolve(fn(req, res, next)).catch(next); };",
        ),
        (
            "src/ctl.ts",
            "import wrap from './wrap'; const login = wrap(async (req, res) => { res.end(); }); export default { login };",
        ),
        (
            "src/app.ts",
            "import express from 'express'; import ctl from './ctl'; const app = express(); app.post('/login', ctl.login);",
        ),
    ]);
    let graph = tree.graph();
    let login = tree.function(&graph, "login");
    let routes: Vec<&str> = graph.entries(login).iter().map(|entry| entry.route.as_str()).collect();
    assert_eq!(routes, ["POST /login"]);
}

#[test]
fn a_static_method_and_a_resolver_of_a_list_are_handlers() {
    let tree = Tree::of(&[
        (
            "src/app.ts",
            "import express from 'express'; class Account { static me(req, res) { res.end(); } }
             const app = express(); app.get('/me', Account.me);",
        ),
        ("src/user.ts", "export default { Mutation: { login: async () => 1 } };"),
        (
            "src/server.ts",
            "import { ApolloServer } from '@apollo/server'; import user from './user';
             new ApolloServer({ resolvers: [user, { Query: { version: () => 1 } }] });",
        ),
    ]);
    let graph = tree.graph();
    let route =
        |name| graph.entries(tree.function(&graph, name)).iter().map(|entry| entry.route.as_str()).collect::<String>();
    assert_eq!(["Account.me", "login", "version"].map(route), ["GET /me", "mutation", "query"]);
}
