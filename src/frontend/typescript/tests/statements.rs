use crate::frontend::typescript::tests::dumped;

#[test]
fn conditions_and_loops_nest() {
    let source = r"
if (a) { f(1) } else if (b) f(2); else { f(3) }
for (let i = 0; i < n; i++) g(i);
for (const { id } of await list()) { if (!id) continue; use(id) }
for (const key in obj) use(key);
while (next()) { h() }
do { h() } while (next());
label: for (;;) { break label }
";
    insta::assert_snapshot!(dumped("a.ts", source), @r#"
    #0 Module <module>()
      if global:a
        (call global:f 1)
      else
        if global:b
          (call global:f 2)
        else
          (call global:f 3)
      i = 0
      loop
        (opaque "a comparison" i global:n)
        (call global:g i)
        i = (opaque "arithmetic" i)
      %0 = (call global:list)
      loop
        %1 = (element %0)
        id = %1.id
        if (! id)
        else
          (call global:use id)
      loop
        key = (opaque "a key of an object")
        (call global:use key)
      loop
        (call global:next)
        (call global:h)
      (call global:h)
      (call global:next)
      loop
    "#);
}

#[test]
fn a_switch_is_a_chain_that_falls_through() {
    let source = r"
switch (kind()) {
  case 'a':
  case 'b': one(); break;
  case 'c': two();
  case 'd': three(); return;
  default: four();
}
";
    insta::assert_snapshot!(dumped("a.ts", source), @r#"
    #0 Module <module>()
      %0 = (call global:kind)
      if (|| (== %0 "a") (== %0 "b"))
        (call global:one)
      else
        if (== %0 "c")
          (call global:two)
        if (|| (== %0 "c") (== %0 "d"))
          (call global:three)
          return
        else
          (call global:four)
    "#);
}

#[test]
fn try_catch_and_finally_keep_their_parts() {
    let source = r"
try { f() } catch ({ message }) { g(message); throw new Error(message) } finally { h() }
";
    insta::assert_snapshot!(dumped("a.ts", source), @r#"
    #0 Module <module>()
      try
        (call global:f)
      catch
        %0 = (opaque "a thrown value")
        message = %0.message
        (call global:g message)
        throw (new global:Error message)
      finally
        (call global:h)
    "#);
}

#[test]
fn assignments_in_expressions_come_before_and_only_where_they_run() {
    let source = r"
let a, b, o;
f(a = g());
a && (b = 2);
a ?? (b = 3);
const c = a ? (b = 4) : (b = 5, 6);
a ||= h();
b += 'x';
b -= 1;
a++;
o.p ??= h();
h().q = 1;
unknown = 1;
delete o.p;
";
    insta::assert_snapshot!(dumped("a.ts", source), @r#"
    #0 Module <module>()
      a = undefined
      b = undefined
      o = undefined
      a = (call global:g)
      (call global:f a)
      if a
        b = 2
      (&& a b)
      if (== a null)
        b = 3
      (?? a b)
      if a
        b = 4
      else
        b = 5
      c = (? a b 6)
      a = (|| a (call global:h))
      b = (concat b "x")
      b = (opaque "arithmetic" b 1)
      a = (opaque "arithmetic" a)
      o.p = (?? o.p (call global:h))
      %0 = (call global:h)
      %0.q = 1
      global:globalThis.unknown = 1
      o.p = undefined
    "#);
}

#[test]
fn names_mean_the_nearest_declaration() {
    let source = r"
import D, { n as m } from 'x';
import * as N from 'y';
const a = 1;
hoisted(D, m, N.z, late);
function hoisted(a) { var inBlock; if (a) { var inBlock = 2; let a = 3; use(a) } return inBlock }
const outer = () => { function inner() { return a } return inner };
const late = class Named { static self = Named };
";
    insta::assert_snapshot!(dumped("a.ts", source), @r#"
    import D = default from "x"
    import m = n from "x"
    import N = * from "y"
    class Named
      static self = class:Named
    #0 Module <module>()
      a = 1
      (call fn:hoisted import:D import:m import:N.z late)
      outer = (closure #2)
      late = class:Named
    #1 Free hoisted(a)
      if a
        inBlock = 2
        a = 3
        (call global:use a)
      return inBlock
    #2 Closure outer() in #0
      return fn:inner
    #3 Free inner() in #2
      return a
    "#);
}

#[test]
fn a_closure_takes_the_name_or_key_it_is_assigned_to() {
    let source = r"
const f = () => 1;
let g; g = async function own() { return own };
const o = { h: (x) => x, i() { return 2 }, get j() { return 3 }, 'k-l': () => 4 };
o.m = () => 5;
exports.n = () => 6;
const { p = () => 7 } = o;
call(() => 8);
";
    insta::assert_snapshot!(dumped("a.ts", source), @r"
    #0 Module <module>()
      f = (closure #1)
      g = undefined
      g = (closure #2)
      o = {h: (closure #3), i: (closure #4), j: (closure #5), k-l: (closure #6)}
      o.m = (closure #7)
      global:exports.n = (closure #8)
      p = (default o.p (closure #9))
      (call global:call (closure #10))
    #1 Closure f() in #0
      return 1
    #2 Closure g() in #0
      return fn:g
    #3 Closure h(x) in #0
      return x
    #4 Closure i() in #0
      return 2
    #5 Getter j() in #0
      return 3
    #6 Closure k-l() in #0
      return 4
    #7 Closure m() in #0
      return 5
    #8 Closure n() in #0
      return 6
    #9 Closure p() in #0
      return 7
    #10 Closure <closure>() in #0
      return 8
    export n = (closure #8)
    ");
}
