use crate::frontend::typescript::tests::dumped;

#[test]
fn classes_have_fields_methods_and_decorators() {
    let source = r"
import { Entity, Column } from 'typeorm';
@Entity('users')
export class User extends Base<User> implements Named {
  @Column({ name: 'access_token', nullable: true }) accessToken?: string | null;
  static readonly limit = 3;
  #secret = make();
  handler = () => this.#secret;
  constructor(private readonly repo: Repository<User>, @Inject(TOKEN) public token: string, plain: number) { super(); use(plain) }
  @Get(':id') async find(@Param('id') id: string): Promise<User | undefined> { return this.repo.find(id) }
  static of() { return new User() }
  get name() { return this.#secret }
  overload(a: string): void;
  overload(a: any) { }
}
abstract class Q extends mixin(User) { abstract run(): void }
";
    insta::assert_snapshot!(dumped("a.ts", source), @r#"
    import Entity = Entity from "typeorm"
    import Column = Column from "typeorm"
    class User extends Base<class:User> implements Named @Entity("users")
      accessToken?: string @Column({name: "access_token", nullable: true})
      static limit = 3
      #secret = (call global:make)
      handler = (closure #1)
      repo: Repository<class:User>
      token: string @Inject(global:TOKEN)
    class Q extends (call global:mixin class:User)
    #0 Module <module>()
    #1 Closure User.handler() in #0
      return this.#secret
    #2 Constructor User.constructor(repo: Repository<class:User>, token: string @Inject(global:TOKEN), plain: number)
      this.repo = repo
      this.token = token
      (call super)
      (call global:use plain)
    #3 Method User.find(id: string @Param("id")): class:User @Get(":id")
      return (call this.repo.find id)
    #4 Method User.of() static
      return (new class:User)
    #5 Getter User.name()
      return this.#secret
    #6 Signature User.overload(a: string): void
    #7 Method User.overload(a: any)
    #8 Signature Q.run(): void
    export User = class:User
    "#);
}

#[test]
fn interfaces_enums_and_object_types() {
    let source = r"
interface A extends B, C<D> { x: string; y?: number; f(z: string): void; [key: string]: unknown }
interface A { again: boolean }
enum Color { Red, Green = 5, Blue, Name = 'n' }
type O = { a: string } & B;
type U = A | 'x' | null;
type M = { [K in keyof A]: A[K] };
";
    insta::assert_snapshot!(dumped("a.ts", source), @r#"
    interface A extends B, C<D> open
      x: string
      y?: number
      again: boolean
    enum Color
      static Red = 0
      static Green = 5
      static Blue = 6
      static Name = "n"
    type O extends B
      a: string
    alias U extends |<class:A, 'x'>
    type M open
    #0 Module <module>()
    #1 Signature A.f(z: string): void
    "#);
}

#[test]
fn types_are_reduced_to_what_resolves_receivers() {
    let source = r"
import { Repo } from './repo';
class User {}
function f<T>(
  a: Promise<User | null>, b: Readonly<User[]>, c: Repo<'user'>, d: User['name'], e: typeof user.x, g: { id: string },
  h: Partial<User>, i: string | number | undefined, j: T, k: (x: string) => User, l: import('./m').Thing, m: Prisma.UserInput,
  n: readonly string[], o: [a: User, b?: string], p: keyof User, r: Omit<User, 'a' | 'b'>
): asserts a is User {}
";
    insta::assert_snapshot!(dumped("a.ts", source), @r#"
    import Repo = Repo from "./repo"
    import - = Thing from "./m"
    class User
    type {}
      id: string
    #0 Module <module>()
    #1 Free f(a: class:User, b: Array<class:User>, c: import:Repo<'user'>, d: []<class:User, 'name'>, e: typeof<'x'>, g: class:{}, h: Partial<class:User>, i: |<string, number>, j: T, k: =><class:User>, l: import:Thing, m: Prisma.UserInput, n: Array<string>, o: [,]<class:User, string>, p: keyof<class:User>, r: Omit<class:User, |<'a', 'b'>>): void
    "#);
}
