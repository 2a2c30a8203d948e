use crate::frontend::typescript::tests::dumped;

#[test]
fn imports_and_reexports_of_every_form() {
    let source = r"
import 'side-effect';
import type { T } from 't';
import eq = require('eq');
const all = require('all');
const { one, two: zwei } = require('some');
const lazy = await import('lazy');
const direct = require('direct').part;
import('late').then(({ start }) => start());
export * from 'a';
export * as ns from 'b';
export { x as y, default as z } from 'c';
";
    insta::assert_snapshot!(dumped("a.ts", source), @r#"
    import T = T from "t"
    import eq = * from "eq"
    import all = * from "all"
    import one = one from "some"
    import zwei = two from "some"
    import lazy = * from "lazy"
    import - = * from "direct"
    import - = * from "late"
    #0 Module <module>()
      direct = import:direct.part
      (call (closure #1) import:late)
    #1 Closure <closure>(%0) in #0
      start = %0.start
      return (call start)
    export * from "a"
    export ns = * from "b"
    export y = x from "c"
    export z = default from "c"
    "#);
}

#[test]
fn exports_of_declarations_and_values() {
    let source = r"
export const a = 1, { b } = f();
export function g() {}
export class C {}
export interface I {}
export type T = I;
export enum E { X }
const d = 2;
export { d as e, I as J };
export default g;
";
    insta::assert_snapshot!(dumped("a.ts", source), @r"
    class C
    interface I
    alias T extends class:I
    enum E
      static X = 0
    #0 Module <module>()
      a = 1
      %0 = (call global:f)
      b = %0.b
      d = 2
    #1 Free g()
    export a = a
    export b = b
    export g = fn:g
    export C = class:C
    export I = class:I
    export T = class:T
    export E = class:E
    export e = d
    export J = class:I
    export default = fn:g
    ");
}

#[test]
fn default_exports_without_a_name() {
    let source = r"
export default async (request) => request.body;
";
    insta::assert_snapshot!(dumped("a.ts", source), @r"
    #0 Module <module>()
    #1 Closure default(request) in #0
      return request.body
    export default = (closure #1)
    ");
}

#[test]
fn common_js_exports() {
    let source = r"
module.exports = { a, b: () => 1, ...require('./rest') };
exports.c = function () {};
module.exports.d = 4;
";
    insta::assert_snapshot!(dumped("a.ts", source), @r#"
    import - = * from "./rest"
    #0 Module <module>()
      global:module.exports = {a: global:a, b: (closure #1), ...import:./rest}
      global:exports.c = (closure #2)
      global:module.exports.d = 4
    #1 Closure b() in #0
      return 1
    #2 Closure c() in #0
    export a = global:a
    export b = (closure #1)
    export * from "./rest"
    export c = (closure #2)
    export d = 4
    "#);
}

#[test]
fn a_common_js_default() {
    let source = r"
class Service {}
module.exports = Service;
";
    insta::assert_snapshot!(dumped("a.ts", source), @r"
    class Service
    #0 Module <module>()
      global:module.exports = class:Service
    export export= = class:Service
    ");
}

#[test]
fn namespaces_and_ambient_modules_are_lowered_in_place() {
    let source = r"
namespace A.B { export const x = 1; export function f() { return x } }
declare module 'express' { interface Request { user?: User } }
declare global { interface Window { a: string } }
declare const version: string;
import Short = A.B;
";
    insta::assert_snapshot!(dumped("a.ts", source), @r"
    interface Request
      user?: User
    interface Window
      a: string
    #0 Module <module>()
      x = 1
      Short = global:A.B
    #1 Free f()
      return x
    ");
}

#[test]
fn errors_are_gaps_and_the_rest_is_lowered() {
    let source = r"
const a = f(;
class X { ok() { return 1 } broken( { }
const b = 2;
";
    insta::assert_snapshot!(dumped("a.ts", source), @r#"
    class X
      broken
    #0 Module <module>()
      a = (opaque "could not be parsed" global:f)
    #1 Method X.ok()
      return 1
    gap line 2: could not be parsed near `(`
    gap line 3: could not be parsed near `( { }`
    gap line 4: could not be parsed near `}`
    "#);
}

#[test]
fn generators_accessors_and_static_blocks_keep_their_bodies() {
    let source = r"
function* g() { const x = yield f(); return yield* x }
class A { static { init() } static async *m() {} set v(x) { this.w = x } }
export default abstract class B {}
";
    insta::assert_snapshot!(dumped("a.ts", source), @r#"
    class A
    class B
    #0 Module <module>()
      (call global:init)
    #1 Free g()
      x = (opaque "yield" (call global:f))
      return (opaque "yield" x)
    #2 Method A.m() static
    #3 Setter A.v(x)
      this.w = x
    export default = class:B
    "#);
}
