//! Which calls and statements are candidates.

use crate::graph::Graph;
use crate::graph::bench::{PRELUDE, Tree};
use crate::sites::find;
use crate::summary::{Slot, Value, ValueKind};

/// `operation` of every candidate in order of place, with the text that it starts with.
fn found(tree: &Tree) -> Vec<String> {
    let graph = tree.graph();
    let shown = |candidate: crate::sites::Candidate| {
        let text = tree.sources.text(candidate.span);
        format!("{:?}: {}", candidate.operation, text.split(['(', ' ']).next().unwrap_or(""))
    };
    find(&graph, &tree.schema).into_iter().map(shown).collect()
}

#[test]
fn writes_of_the_model_are_candidates_whether_they_name_the_column_or_not() {
    let tree = Tree::one(
        "export function run(id: number) {
           db.user.update({ where: { id }, data: { name: 'x' } });
           db.user.create({ data: { email: 'e' } });
           db.user.findMany();
           db.other.create({ data: { token: 't' } });
         }",
    );
    assert_eq!(found(&tree), ["Update: db.user.update", "Insert: db.user.create"]);
}

#[test]
fn a_call_that_reaches_the_tree_is_no_library_call() {
    let text = "class User { update(row: object) {} } class Client { user = new User(); }
         export function run() { const mine = new Client(); mine.user.update({ data: { token: 't' } }); }";
    assert_eq!(found(&Tree::of(&[("src/app.ts", text)])), Vec::<String>::new());
}

#[test]
fn an_upsert_is_an_insert_and_an_update() {
    let tree = Tree::one(
        "export function run(id: number) {
           db.user.upsert({ where: { id }, create: { email: 'e' }, update: { token: null } });
         }",
    );
    let mut found = found(&tree);
    found.sort();
    assert_eq!(found, ["UpsertCreate: db.user.upsert", "UpsertUpdate: db.user.upsert"]);
}

#[test]
fn sql_text_is_a_candidate_for_its_table_alone() {
    let text = format!(
        "{PRELUDE}export function run(id: number, t: string) {{
           db.$executeRaw`UPDATE users SET token = ${{t}} WHERE id = ${{id}}`;
           db.$executeRaw`UPDATE sessions SET token = ${{t}} WHERE id = ${{id}}`;
         }}"
    );
    assert_eq!(found(&Tree::of(&[("src/app.ts", &text)])).len(), 1);
}

#[test]
fn a_column_and_an_assignment_that_are_put_into_the_text_are_known_where_they_are_constant() {
    let text = format!(
        "import {{ Prisma }} from '@prisma/client';
         {PRELUDE}const column = 'token';
         export function run(key: string, t: string) {{
           db.$executeRawUnsafe(`UPDATE users SET ${{column}} = $1`, t);
           const set = Prisma.sql`token = ${{t}}`;
           db.$executeRaw`UPDATE users SET ${{set}} WHERE id = 1`;
           db.$executeRawUnsafe(`UPDATE users SET ${{key}} = $1`, t);
           db.$executeRaw`UPDATE users SET ${{anything(t)}} WHERE id = 1`;
         }}"
    );
    let tree = Tree::of(&[("src/app.ts", &text)]);
    let graph = tree.graph();
    let keys: Vec<String> = find(&graph, &tree.schema).iter().map(|candidate| keys(&graph, &candidate.row)).collect();
    assert_eq!(keys, ["token", "token", "[?]", "..."]);
}

/// The keys of a row: those that are named, and how the others are told.
fn keys(graph: &Graph, row: &Value) -> String {
    let ValueKind::Object { entries, .. } = &row.kind else { return String::new() };
    let key = |slot: &Slot| match slot {
        Slot::Named { key, .. } => key.clone(),
        Slot::Computed { key, .. } => match &graph.resolved(key).kind {
            ValueKind::Text(text) => format!("[{text}]"),
            _ => "[?]".to_owned(),
        },
        Slot::Spread(_) => "...".to_owned(),
    };
    entries.iter().map(key).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_handle_that_a_function_makes_is_no_query_builder_of_another_library() {
    let entity = "import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
         @Entity('users') export class User {
           @PrimaryGeneratedColumn() id: number;
           @Column({ nullable: true }) token: string; }";
    // `knex('users').update(row)` looks like it, where the row comes first.
    let text = "import { getRepository } from 'typeorm'; import { User } from './user';
         export function run(id: any) { return getRepository(User).update(id, { token: null }); }";
    let tree = Tree::of(&[("src/user.ts", entity), ("src/app.ts", text)]);
    let graph = tree.graph();
    let rows: Vec<ValueKind> = find(&graph, &tree.schema).iter().map(|found| found.row.kind.clone()).collect();
    assert!(matches!(rows.as_slice(), [ValueKind::Object { .. }]), "{rows:?}");
}
