//! Sources against the program that is made of them, one file an area, and what no input may do.

mod builtins;
mod declarations;
mod expressions;
mod modules;
mod statements;

use proptest::prelude::*;

use crate::frontend::lower;
use crate::ir::{ExprKind, Module, dump};
use crate::source::{FileId, Language, Macros, Scope, SourceFile};

/// A bit of everything that the grammar knows, to be torn apart.
const EVERYTHING: &str = r"
import D, { n as m } from 'x'; import eq = require('eq'); export * as ns from 'b';
@Entity('users') export class User extends mixin(Base) implements Named {
  @Column({ nullable: true }) token?: string | null = `a${x}b`;
  constructor(private readonly repo: Repo<User>, { a, ...b } = {}) { super(); this.#c ||= a?.b['d'] ?? await f(...g) }
  get x(): Promise<User[]> { switch (y) { case 1: return z; default: throw new E(<T>q) } }
}
namespace N { enum E { A, B = 'é' } interface I { [k: string]: typeof import('./y') } type T = A & { b: C } | null }
for (const [k, , v = 1] of Object.entries(o).filter(([a]) => a)) { try { if (k) continue; list.push(v) } catch { } }
const r = await prisma.$queryRaw<User[]>`SELECT ${a} FROM t`, s = (x, y ? (z = 1) : delete o.p), u = /re/g;
export default async function* (this: X, ...rest: string[]) { yield* rest.map((e) => ({ [e]: 'it\'s \u{1F600}' })) }
";

fn lowered(path: &str, text: &str) -> Module {
    let language = if path == "a.ts" { Language::TypeScript } else { Language::Tsx };
    let file = SourceFile::new(path.to_owned(), text.to_owned(), language, Scope::Production);
    lower(FileId(0), &file, &Macros::default())
}

fn dumped(path: &str, text: &str) -> String {
    dump(&lowered(path, text))
}

fn opaque_reasons(module: &Module) -> Vec<&'static str> {
    let reason = |kind: &ExprKind| if let ExprKind::Opaque { why, .. } = kind { Some(*why) } else { None };
    module.exprs.iter().filter_map(|expr| reason(&expr.kind)).collect()
}

#[test]
fn sql_text_becomes_sql_with_the_substitutions_as_holes() {
    let module = lowered(
        "a.ts",
        r#"
        db.query("SELECT name FROM users WHERE id = '" + id + "'");
        prisma.$queryRaw`SELECT ${a}, ${b} FROM t`;
        await prisma.$executeRaw<Row>`${fragment}`;
        sql`now()`;
        css`color: ${red}`;
        "#,
    );
    let holes: Vec<usize> = module
        .exprs
        .iter()
        .filter_map(|expr| if let ExprKind::Sql(sql) = &expr.kind { Some(sql.holes.len()) } else { None })
        .collect();
    assert_eq!(holes, [1, 2, 1, 0]);
    assert_eq!(module.gaps, []);
}

#[test]
fn spans_are_those_of_the_file_after_a_repair() {
    let text =
        "const a = <p>é Terms & Conditions</p>; // é\nconst r = await q.$queryRaw<{ a: 'é' }[]>`SELECT ${x} FROM t`;";
    let module = lowered("a.tsx", text);
    assert_eq!(module.gaps, []);
    let x = module.exprs.iter().find(|expr| matches!(&expr.kind, ExprKind::Name(_)) && expr.span.start > 90);
    let span = x.map(|expr| expr.span.start as usize..expr.span.end as usize);
    assert_eq!(span.and_then(|span| text.get(span)), Some("x"));
}

#[test]
fn a_non_null_assertion_is_of_the_operand_before_it_alone() {
    for (asserted, plain) in [
        ("a = x ?? user!.token", "a = x ?? user .token"),
        ("a = 'Bearer ' + this.user!.token", "a = 'Bearer ' + this.user .token"),
        ("if (!user!.active) f()", "if (!user .active) f()"),
        ("a = x && load!(y!.z)!.w", "a = x && load (y .z) .w"),
        ("a = b!.c ?? d![0] ?? e!.f!.g", "a = b .c ?? d [0] ?? e .f .g"),
        ("a = <T>user!.token", "a = <T>user .token"),
    ] {
        assert_eq!(dumped("a.ts", asserted), dumped("a.ts", plain), "{asserted}");
    }
    // Behind brackets it is of all that they hold, and nowhere else does it move.
    assert_eq!(dumped("a.tsx", "a = (x ?? user)!.token"), dumped("a.tsx", "a = (x ?? user) .token"));
    assert_eq!(lowered("a.tsx", "a = 'wow!.' + `!.` + b!.c").gaps, []);
}

#[test]
fn what_nests_too_deeply_is_cut_and_said() {
    let deep = [
        format!("x = {}1{}", "(".repeat(20_000), ")".repeat(20_000)),
        format!("x = {}1{}", "[".repeat(20_000), "]".repeat(20_000)),
        format!("x = {}", vec!["a"; 2_000].join("+a-")),
        format!("x = {}1", "a => ".repeat(2_000)),
        format!("x = {}1{}", "{ a: ".repeat(2_000), "}".repeat(2_000)),
        format!("{}{}", "{".repeat(20_000), "}".repeat(20_000)),
        format!("{}{}", "class A { x = ".repeat(500) + "1", "}".repeat(500)),
        format!("type X = {}B{}", "A<".repeat(2_000), ">".repeat(2_000)),
        format!("type X = {}B{}", "{ a: ".repeat(2_000), "}".repeat(2_000)),
        format!("x{}", ".then(f)".repeat(2_000)),
        format!("for (;;) {{ {} }}", "if (a) continue; b();".repeat(1_000)),
        format!("const {}b{} = x", "{ a: ".repeat(2_000), "}".repeat(2_000)),
        vec!["if (a) { b() }"; 2_000].join(" else "),
    ];
    for text in deep {
        let module = lowered("a.ts", &text);
        let start: String = text.chars().take(20).collect();
        assert!(module.gaps.iter().any(|gap| gap.why == "nested too deeply"), "{start}");
    }
}

#[test]
fn many_gaps_of_one_file_are_counted_not_listed() {
    let broken = "const a = @@;\nfunction f() { return 1 }\n".repeat(50);
    let module = lowered("a.ts", &broken);
    assert_eq!(module.gaps.len(), 21);
    assert!(module.gaps.iter().any(|gap| gap.why == "30 more places in this file could not be read"));
}

#[test]
fn type_queries_of_modules_are_read_in_every_place() {
    let text = "const a = await load<typeof import('x')>('x'), b = vi.fn<(m: typeof import('y')['z']) => void>();";
    assert_eq!(lowered("a.ts", text).gaps, []);
    assert_eq!(lowered("a.tsx", text).gaps, []);
}

#[test]
fn long_chains_of_one_operator_stay_flat() {
    let sum = lowered("a.ts", &format!("x = {}", vec!["a"; 5_000].join("+")));
    assert!(sum.gaps.is_empty());
    assert_eq!(opaque_reasons(&sum), ["arithmetic"]);
    let and = lowered("a.ts", &format!("x = {}", vec!["a"; 5_000].join("&&")));
    assert!(and.gaps.is_empty());
    let members = lowered("a.ts", &format!("type X = {}", vec!["A"; 5_000].join("|")));
    assert!(members.gaps.is_empty());
}

#[test]
fn an_empty_file_and_an_unfinished_one_lower() {
    assert_eq!(dumped("a.ts", ""), "#0 Module <module>()\n");
    for text in ["`", "'", "{[({[(", "<a><b>", "class", "import {", "export default", "\u{feff}", "#!/bin/node", "/*"] {
        lowered("a.ts", text);
        lowered("a.tsx", text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_slice_of_a_source_panics(start in 0..EVERYTHING.len(), length in 0..EVERYTHING.len(), tsx: bool) {
        let slice: String = EVERYTHING.chars().skip(start).take(length).collect();
        dumped(if tsx { "a.tsx" } else { "a.ts" }, &slice);
    }

    #[test]
    fn no_deletion_from_a_source_panics(start in 0..EVERYTHING.len(), length in 0_usize..60, tsx: bool) {
        let text: String = EVERYTHING.chars().take(start).chain(EVERYTHING.chars().skip(start + length)).collect();
        dumped(if tsx { "a.tsx" } else { "a.ts" }, &text);
    }

    #[test]
    fn no_text_panics(text in "[a-z(){}<>\\[\\]`$'\"=;:,.@#&|?é \n]{0,80}") {
        dumped("a.ts", &text);
        dumped("a.tsx", &text);
    }
}
