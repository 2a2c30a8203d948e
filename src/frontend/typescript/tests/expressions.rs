use crate::frontend::typescript::tests::dumped;

#[test]
fn operators() {
    let source = r"
const a = x ?? y || z;
const b = x && !y;
const c = x === null, d = x != undefined, e = x > 1;
const f = 'a' + x + `b${y}`;
const g = x + y;
const h = x ? 1 : -2;
const i = (x, void 0);
const j = typeof x === 'string';
const k = [1, , ...x];
const l = /re/g;
";
    insta::assert_snapshot!(dumped("a.ts", source), @r#"
    #0 Module <module>()
      a = (?? global:x (|| global:y global:z))
      b = (&& global:x (! global:y))
      c = (== global:x null)
      d = (!= global:x undefined)
      e = (opaque "a comparison" global:x 1)
      f = (concat "a" global:x "b" global:y)
      g = (opaque "arithmetic" global:x global:y)
      h = (? global:x 1 -2)
      i = undefined
      j = (is Text global:x)
      k = [1, undefined, ...global:x]
      l = (opaque "regular expression")
    "#);
}

#[test]
fn casts_await_and_parentheses_vanish() {
    let source = r"
const a = (await (x as Y)!) satisfies Z;
const b = <T>x;
";
    insta::assert_snapshot!(dumped("a.ts", source), @r"
    #0 Module <module>()
      a = global:x
      b = global:x
    ");
}

#[test]
fn members_calls_and_templates() {
    let source = r"
const a = x?.y?.['z'][0][k].#p;
const b = new Map<string, User>(x, ...y);
const c = f<User>(x)?.(y);
const d = `a${x}b`;
const e = css`a${x}`;
const f2 = 'it\'s \u0041\x42\u{43}';
";
    insta::assert_snapshot!(dumped("a.ts", source), @r#"
    #0 Module <module>()
      a = global:x.y.z[0][global:k].#p
      b = (new global:Map<string, User> global:x ...global:y)
      c = (call (call global:f<User> global:x) global:y)
      d = (concat "a" global:x "b")
      e = (call global:css (concat "a" global:x))
      f2 = "it's ABC"
    "#);
}

#[test]
fn object_literals() {
    let source = r"
const o = { a, b: 1, ['c']: 2, [d]: 3, ...e, f() {}, 'g-h': 4, set i(v) { use(v) } };
";
    insta::assert_snapshot!(dumped("a.ts", source), @r"
    #0 Module <module>()
      (closure #2)
      o = {a: global:a, b: 1, c: 2, [global:d]: 3, ...global:e, f: (closure #1), g-h: 4}
    #1 Closure f() in #0
    #2 Closure i(v) in #0
      (call global:use v)
    ");
}

#[test]
fn destructuring_is_one_assignment_a_name() {
    let source = r"
const { a, b: { c = 1 }, ['d']: d, [k]: e, ...rest } = await f();
const [g, , h = 2, ...tail] = list;
const [first, second] = await Promise.all([one(), two()]);
({ a: o.p, b: q } = x);
[i, j] = [j, i];
";
    insta::assert_snapshot!(dumped("a.ts", source), @r"
    #0 Module <module>()
      %0 = (call global:f)
      a = %0.a
      c = (default %0.b.c 1)
      d = %0.d
      e = %0[global:k]
      rest = (rest %0 [a, b, d])
      g = global:list[0]
      h = (default global:list[2] 2)
      tail = [each (element global:list)]
      first = (call global:one)
      second = (call global:two)
      global:o.p = global:x.a
      global:globalThis.q = global:x.b
      %1 = [global:j, global:i]
      global:globalThis.i = %1[0]
      global:globalThis.j = %1[1]
    ");
}

#[test]
fn parameters_are_taken_apart_in_the_body() {
    let source = r"
function f({ id, ...rest }: Dto, [x] = [], y = 1, z?: string, ...more: number[]) { return rest }
const g = async ({ token }) => token;
";
    insta::assert_snapshot!(dumped("a.ts", source), @r"
    #0 Module <module>()
      g = (closure #2)
    #1 Free f(%0: Dto, %1?, y?, z?: string, ...more: Array<number>)
      id = %0.id
      rest = (rest %0 [id])
      %1 = (default %1 [])
      x = %1[0]
      y = (default y 1)
      return rest
    #2 Closure g(%0) in #0
      token = %0.token
      return token
    ");
}

#[test]
fn elements_hold_the_expressions_in_them() {
    let source = r#"
const v = <Form onSubmit={async (e) => { save(e) }} {...props}><b title="x">Terms & {count}</b>{list.map((x) => <i key={x} />)}</Form>;
"#;
    insta::assert_snapshot!(dumped("a.tsx", source), @r#"
    #0 Module <module>()
      v = (opaque "JSX" (closure #1) global:props global:count [each (call (closure #2) (element global:list))])
    #1 Closure onSubmit(e) in #0
      (call global:save e)
    #2 Closure <closure>(x) in #0
      return (opaque "JSX" x)
    "#);
}
