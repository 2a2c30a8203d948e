use crate::frontend::typescript::tests::dumped;

#[test]
fn promises_pass_their_values() {
    let source = r"
const a = await Promise.all([f(), g()]);
const b = Promise.resolve(x);
const [c] = await Promise.allSettled([f()]);
h().then((x) => x.y).catch((e) => log(e)).finally(done);
h().then(handle, this.fail);
z.string().catch('x');
";
    insta::assert_snapshot!(dumped("a.ts", source), @r#"
    #0 Module <module>()
      a = [(call global:f), (call global:g)]
      b = global:x
      c = {value: (call global:f)}
      %0 = (call global:h)
      %1 = (call (closure #1) %0)
      if (opaque "whether a promise is rejected")
        (call (closure #2) (opaque "an argument of a handler"))
      (call global:done (opaque "an argument of a handler"))
      %2 = (call global:h)
      if (opaque "whether a promise is rejected")
        (call this.fail (opaque "an argument of a handler"))
      (call global:handle %2)
      (call (call global:z.string).catch "x")
    #1 Closure <closure>(x) in #0
      return x.y
    #2 Closure <closure>(e) in #0
      return (call global:log e)
    "#);
}

#[test]
fn array_methods_with_closures_pass_elements() {
    let source = r"
import * as TE from 'fp-ts/TaskEither';
const a = xs.map((x) => x.id), b = xs.map(toDto), c = xs.flatMap((x) => x.ys);
const d = xs.filter((x) => x.ok).slice(0, 2).find((x) => x.best);
xs.forEach((x) => save(x));
const e = repo.find({ where: 1 }), f = TE.map((x) => x);
const g = xs.reduce((sum, x) => sum + x.n, 0);
const h = xs.at(-1), i = xs.pop();
";
    insta::assert_snapshot!(dumped("a.ts", source), @r#"
    import TE = * from "fp-ts/TaskEither"
    #0 Module <module>()
      a = [each (call (closure #1) (element global:xs))]
      b = [each (call global:toDto (element global:xs))]
      c = [each (element (call (closure #2) (element global:xs)))]
      (call (closure #3) (element global:xs))
      (call (closure #4) (element global:xs))
      d = (element global:xs)
      (call (closure #5) (element global:xs))
      e = (call global:repo.find {where: 1})
      f = (call import:TE.map (closure #6))
      g = (opaque "reduce" global:xs (closure #7) 0)
      h = (element global:xs)
      i = (element global:xs)
    #1 Closure <closure>(x) in #0
      return x.id
    #2 Closure <closure>(x) in #0
      return x.ys
    #3 Closure <closure>(x) in #0
      return x.ok
    #4 Closure <closure>(x) in #0
      return x.best
    #5 Closure <closure>(x) in #0
      return (call global:save x)
    #6 Closure <closure>(x) in #0
      return x
    #7 Closure <closure>(sum, x) in #0
      return (opaque "arithmetic" sum x.n)
    "#);
}

#[test]
fn pushing_is_an_assignment_where_the_variable_is_an_array() {
    let source = r"
const rows = [];
rows.push({ a: 1 }, ...more);
router.push('/home');
";
    insta::assert_snapshot!(dumped("a.ts", source), @r#"
    #0 Module <module>()
      rows = []
      rows = [...rows, {a: 1}, ...global:more]
      (call global:router.push "/home")
    "#);
}

#[test]
fn copies_of_objects() {
    let source = r"
const a = structuredClone(x), b = Object.freeze({ y: 1 });
const c = Object.fromEntries(Object.entries(x).filter(([, v]) => v !== undefined));
const n = Object.fromEntries(Object.entries(x).filter(([k, v]) => keys.includes(k)));
const d = Object.fromEntries(Object.entries(x).map(([k, v]) => [k, f(v)]));
let user = load();
Object.assign(user, dto, { token });
Object.assign(this.row, dto);
const e = Object.assign({}, dto);
";
    insta::assert_snapshot!(dumped("a.ts", source), @r#"
    #0 Module <module>()
      a = global:x
      b = {y: 1}
      (call (closure #1) (opaque "an argument of a handler"))
      c = (there global:x)
      (call (closure #2) (opaque "an argument of a handler"))
      n = (subset global:x)
      d = (opaque "entries that are mapped" global:x (closure #3))
      user = (call global:load)
      user = {...user, ...global:dto, ...{token: global:token}}
      this.row = {...this.row, ...global:dto}
      e = {...{}, ...global:dto}
    #1 Closure <closure>(%0) in #0
      v = %0[1]
      return (!= v undefined)
    #2 Closure <closure>(%0) in #0
      k = %0[0]
      v = %0[1]
      return (call global:keys.includes k)
    #3 Closure <closure>(%0) in #0
      k = %0[0]
      v = %0[1]
      return [k, (call global:f v)]
    "#);
}
