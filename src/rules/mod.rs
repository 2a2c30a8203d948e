//! What is known about libraries, as typed data: one pack a stack, in the schema that users write too.
//!
//! Input: `rules/<id>.toml` (built in) and the packs a configuration names. Output: [`Rules`], all rows of all packs.
//!
//! Invariants: each row says one fact of one library, and the engine knows no library by name; rows keep the order of their packs; an
//! unknown key, path or form is an error with its line, never ignored.
//!
//! Worked example: the row `{ call = "@nestjs/jwt#JwtService.sign", what = "a signed JWT" }` of `mint` makes the result of `this.jwt.sign(..)` fresh wherever `this.jwt` is typed
//! as a `JwtService` of that package.
//!
//! # Callable paths
//! A callable is named by where it comes from and what is called on it: `argon2#hash` (export of a module),
//! `@nestjs/jwt#JwtService.signAsync` (method of an instance of an exported class), `crypto#createHash().update().digest`
//! (method on the result of calls), `global#Math.random`. `node:` is dropped from module names, and so is `default.` before
//! a member. `*` matches within one step, `**` any number of steps; `.update` matches that method on any receiver that is
//! not a class of the tree. `?` is a receiver of unknown origin: `?.update`.
//!
//! # Argument paths
//! `0.data` is key `data` of the first argument; `last` the last argument; `receiver` what the method is called on;
//! `-2` the last but one; `*` any argument; `1..` each from the second on. `0.*` is each element of an array in the first
//! argument.

mod alias;
mod bearer;
mod declare;
mod entry;
mod event;
mod guard;
mod index;
mod live;
mod load;
mod many;
mod pack;
mod pass;
mod path;
mod sql;
mod status;
mod test;
mod web;
mod word;

pub use alias::Alias;
pub use bearer::{Bearer, Lasting};
pub use declare::{
    Absence, Adapter, Around, ClassOf, ColumnForm, Context, Declaration, Delegate, Entity, Hook, Input, Interceptor,
    Lend, LentTo, Method, Migration, Naming, Nothing, Subscriber, Transform, TypedTables,
};
pub use entry::{Applied, Entry, EntryKind, Issued, Layer, Nesting, Prefix, Provide, Versioning, Wrap};
pub use event::{Emit, Keep, Listen};
pub use guard::{
    Asks, Attach, Claim, Consult, Demand, Described, Ending, Foreign, Guard, GuardKind, Harmless, Lacking, Life, Rest,
    Says, Setting, Unit, Unless, Verify,
};
pub(crate) use index::Called;
pub use load::{PackError, ids, load, page};
pub use many::Many;
pub use pack::Pack;
pub use pass::{Copies, Leave, Pass, SchemaShape};
pub use path::{ArgBase, ArgPath, CallPattern, Handed, PathError};
pub use sql::{Collector, SqlCall};
pub use status::Status;
pub use test::{TestSays, TestWords};
pub use web::{Attribute, Keeps, Web};
pub use word::{Tells, Words};

use serde::Deserialize;

/// All rows of all packs, in pack order.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    packs: Vec<Pack>,
    index: index::Index,
}

impl Rules {
    pub fn new(packs: Vec<Pack>) -> Self {
        let index = index::Index::new(&packs);
        Self { packs, index }
    }

    /// Whether a method of that name, on a receiver of which nothing is known, is some library's that writes, reads or makes what
    /// does.
    pub fn names_method(&self, name: &str) -> bool {
        let path = format!("?.{name}");
        self.writes_matching(&path).next().is_some()
            || self.reads_matching(&path).next().is_some()
            || self.receivers_matching(&path).next().is_some()
            || self.callbacks_matching(&path).next().is_some()
            || self.passes_matching(&path).next().is_some()
            || self.write().filter_map(|row| row.after.as_deref()).any(|after| after == name)
    }
}

macro_rules! rows {
    ($($name:ident: $row:ty),* $(,)?) => {
        impl Rules {
            $(pub fn $name(&self) -> impl Iterator<Item = &$row> { self.packs.iter().flat_map(|pack| &pack.$name) })*
        }
    };
}

rows! {
    entity: Entity, model: Declaration, migration: Migration, write: Write, nested: Nested, sql: SqlCall, read: Read, many: Many, condition: Condition, mint: Mint, pass: Pass,
    receiver: Receiver, entry: Entry, answer: Answer, edge: Edge, wrap: Wrap, callback: Callback, mount: Mount, layer: Layer, applied: Applied, kept: Kept, hook: Hook, transform: Transform,
    maker: Maker, leave: Leave, copies: Copies, alias: Alias, subscriber: Subscriber, adapter: Adapter,
    verify: Verify, guard: Guard, consult: Consult, harmless: Harmless, foreign: Foreign, life: Life, setting: Setting, described: Described, unit: Unit, rest: Rest, attach: Attach, lasting: Lasting, lacking: Lacking, bearer: Bearer, ending: Ending, status: Status, web: Web,
    demand: Demand, claim: Claim, emit: Emit, listen: Listen, nothing: Nothing, delegate: Delegate, interceptor: Interceptor, context: Context,
    prefix: Prefix, versioning: Versioning, nesting: Nesting, collector: Collector, method: Method, lend: Lend, keep: Keep, test: TestWords, word: Words, tables: TypedTables, shape: SchemaShape, input: Input, provide: Provide, issued: Issued,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    Insert,
    Update,
    UpsertCreate,
    UpsertUpdate,
    /// Insert where the key is absent, else update: TypeORM's `save`. Reported as `insert` when the row is a new object,
    /// as `update` when it was read from the table.
    Save,
}

/// How the table of a write or read is known. The rows of a pack that declares models are about its own models only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The last field before the method names a model in camel case: `prisma.user.update`.
    Model,
    /// The receiver's type is one of `types`, its first type argument the entity: `Repository<User>`.
    Type,
    /// Argument `entity` is the entity class (or its name): `manager.update(User, ..)`.
    Argument,
    /// The receiver, or the argument that `entity` says, is an instance of an entity: `user.save()`, `manager.save(user)`.
    Instance,
    /// The receiver is the entity class or what a call declared as a model (`User.create(..)`), or is typed as in `Type`.
    Static,
    /// The receiver is an instance, and argument `entity` names one of its relations: `user.$create('account', ..)`; or the call's
    /// type argument is the entity.
    Relation,
    /// Every object of an entity whose fields the function assigns: `user.token = t; em.flush()`.
    Assigned,
    /// A call further left in the chain names the entity, in the argument that `entity` says (`update(0)`, `into(0)`), or
    /// starts from a receiver as in `Type`: `repo.createQueryBuilder().update(User).set(..)`.
    Chain,
}

/// A call that writes rows.
#[expect(clippy::struct_excessive_bools, reason = "facts of a write that have nothing to do with each other")]
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Write {
    /// Callable path, mostly `.method`.
    pub call: CallPattern,
    pub on: Target,
    #[serde(default)]
    pub types: Vec<CallPattern>,
    /// For `instance`: bounds of generic code (`data: impl IntoActiveModel<A>`) of which only callers tell the entity.
    #[serde(default)]
    pub bounds: Vec<CallPattern>,
    /// Where the entity stands: for `argument` in this call, for `chain` in the call `after` (in this one where `after` is absent).
    #[serde(default)]
    pub entity: Vec<ArgPath>,
    /// For `chain`: a method that must stand further left: `update` for `.update(User).set(..)`; `()` for the call that the
    /// chain starts with: `knex('users').insert(..)`.
    #[serde(default)]
    pub after: Option<String>,
    /// Where the row (or an array of rows) stands.
    pub row: ArgPath,
    /// A boolean that must be true (`{ upsert: true }`),
    #[serde(default)]
    pub when: Option<ArgPath>,
    /// ... or one that must not.
    #[serde(default)]
    pub unless: Option<ArgPath>,
    /// Keys of the row below which the real row stands: `$set`.
    #[serde(default)]
    pub below: Vec<String>,
    /// Keys of the row below which stand the keys that become NULL: `$unset`.
    #[serde(default)]
    pub clears: Vec<String>,
    /// A method further left whose insert this call makes an upsert (`values` for `.onConflictDoUpdate({ set })`). Without a row of
    /// its own the call writes what is inserted; with a list of names, that part of it.
    #[serde(default)]
    pub turns: Option<String>,
    /// Where the call `after` lists the columns that are written at all: `.into(User, ['email'])`.
    #[serde(default)]
    pub only: Option<ArgPath>,
    /// Where an object stands whose keys the row starts with: `where` of `findOrCreate({ where, defaults })`.
    #[serde(default)]
    pub beneath: Option<ArgPath>,
    pub operation: Operation,
    /// What an `undefined` value of the row does.
    #[serde(default)]
    pub undefined: Undefined,
    /// A boolean in a decorator of the row's class that makes an `undefined` value NULL: `treat_none_as_null`.
    #[serde(default)]
    pub nulls_by: Option<String>,
    /// How many arguments the call has, to tell look-alikes apart: `model.insert(db)` from `map.insert(key, value)`.
    #[serde(default)]
    pub arity: Option<usize>,
    /// An argument path that must be there, to tell look-alikes of an untyped receiver apart.
    #[serde(default)]
    pub requires: Option<ArgPath>,
    /// A key that may stand around a column's value: Prisma's `{ set: value }`.
    #[serde(default)]
    pub wrapper: Option<String>,
    /// Whether a function that stands for a column's value gives SQL text: `() => 'NULL'`.
    #[serde(default)]
    pub sql_functions: bool,
    /// A method of a column that gives it a value, so that the row (or each part of it) is a call of it: `eq` in
    /// `set((name.eq(x), token.eq(y)))`.
    #[serde(default)]
    pub assign: Option<String>,
    /// A function whose call stands for what `values` further left inserts into the column: `token.eq(excluded(token))`.
    #[serde(default)]
    pub inserted: Option<String>,
    /// Where a column's name stands, whose value is `row`: `.value(Users::Token, token)`.
    #[serde(default)]
    pub column: Option<ArgPath>,
    /// A method further left that lists the columns whose values `row` lists: `columns` of `.columns([..]).values([..])`.
    #[serde(default)]
    pub columns: Option<String>,
    /// Whether `row` lists pairs of a column and its value: `.values([(Users::Token, token)])`.
    #[serde(default)]
    pub pairs: bool,
    /// Whether a row that was read is written back with all of its columns.
    #[serde(default)]
    pub whole: bool,
    /// Whether the library runs the entity's hooks on the row before.
    #[serde(default)]
    pub hooks: bool,
    #[serde(skip)]
    pub pack: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undefined {
    /// The key counts as absent.
    #[default]
    Skip,
    /// The column becomes NULL.
    Null,
    /// An INSERT says `DEFAULT` for it: the column's default, NULL where it has none.
    Default,
}

/// Rows written through a relation property of a row: `data.accounts.create`. `key` is a path below the property, which goes
/// through arrays; empty, the rows stand there themselves. Where two rows fit (`update.data`, `update`), the earlier counts. Of
/// a pack that declares models it is about these only.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Nested {
    pub key: String,
    pub operation: Operation,
    #[serde(default)]
    pub undefined: Undefined,
    /// As in [`Write`].
    #[serde(default)]
    pub wrapper: Option<String>,
    /// Whether only relations that say so are written with their row: `cascade` in an [`Entity`].
    #[serde(default)]
    pub cascades: bool,
    #[serde(skip)]
    pub pack: String,
}

/// A call whose result is a row (or rows) of a table, or that only compares columns.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Read {
    pub call: CallPattern,
    pub on: Target,
    #[serde(default)]
    pub types: Vec<CallPattern>,
    /// As in [`Write`].
    #[serde(default)]
    pub entity: Vec<ArgPath>,
    /// As in [`Write`].
    #[serde(default)]
    pub after: Option<String>,
    /// Where a condition stands (an object, or a text that names columns), of a call that returns no row for it: `delete`, `where`.
    #[serde(default)]
    pub condition: Option<ArgPath>,
    /// Which columns are fetched, by name (`'u.token'`, a list of such), of a call that returns no row by itself: `addSelect`.
    #[serde(default)]
    pub fetches: Option<ArgPath>,
    /// With `fetches`: where the name stands that the rows have it under, `select('u.token', 'name')`.
    #[serde(default)]
    pub alias: Option<ArgPath>,
    /// Whether the rows have nothing but what is fetched by name, each under the name that it is given: `getRawOne`.
    #[serde(default)]
    pub raw: bool,
    /// Which column it gives the value of, of a row or of all that a query finds: `user.get('token')`, `pluck('token')`.
    #[serde(default)]
    pub gives: Option<ArgPath>,
    /// Where a column of a declared table may stand by itself, of a function that compares it: `eq(users.token, x)`.
    #[serde(default)]
    pub column: Vec<ArgPath>,
    /// Where it says which columns the rows have, and no others: a list of names, or an object of flags.
    #[serde(default)]
    pub selects: Vec<ArgPath>,
    /// Where it says which they lack.
    #[serde(default)]
    pub omits: Vec<ArgPath>,
    /// Whether it fails where there is no row.
    #[serde(default)]
    pub fails: bool,
    #[serde(skip)]
    pub pack: String,
}

/// A call that is handed a condition built of what stands for columns where they are declared: `filter(users::token.eq(x))`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Condition {
    pub call: CallPattern,
    /// Where the condition stands.
    pub of: ArgPath,
    /// Whether the value of the key of what the method is called on stands there: `User::find_by_id(id)`.
    #[serde(default)]
    pub by_key: bool,
}

impl Read {
    /// Whether the call returns rows.
    pub fn returns(&self) -> bool {
        self.condition.is_none() && self.fetches.is_none() && self.gives.is_none() && self.column.is_empty()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    #[default]
    Plain,
    Hashed,
    Encrypted,
    Unknown,
}

/// A call whose result is fresh: signed, random, or received from an issuer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mint {
    pub call: CallPattern,
    /// Keys of the result that are fresh, with all below them (`access_token`, `credentials.access_token`); empty: the
    /// result itself and all of it.
    #[serde(default)]
    pub keys: Vec<String>,
    #[serde(default)]
    pub form: Form,
    /// Whether that it is one is told by names alone.
    #[serde(default)]
    pub inferred: bool,
    /// Whether it is one only where it is handed nothing: `response.json()` beside `res.json(body)`.
    #[serde(default)]
    pub bare: bool,
    /// What the call gives in Rust; absent: neither of these, or not known.
    #[serde(default)]
    pub gives: Option<Gives>,
    /// An argument that becomes the result in place: `getRandomValues(bytes)`.
    #[serde(default)]
    pub into: Option<ArgPath>,
    /// What it makes, in words for reasons: `a signed JWT`, `random bytes`, `tokens received from the provider`.
    pub what: String,
    /// Whether the result is a credential by itself (a JWT, a token response) rather than mere randomness or an id; only
    /// credentials make a path an issuing one without more evidence.
    #[serde(default)]
    pub credential: bool,
}

/// What a call gives where a compiler minds: a text, or a text that has to be taken out first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gives {
    /// `String`
    Text,
    /// `Result<String, _>`
    Result,
}

/// A call, or a property (`typeorm#DataSource.manager`), that has a known type.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Receiver {
    pub call: CallPattern,
    /// The result's type: a callable path of a class; `$0` inside `<>` is the class in argument 0, `$receiver` the receiver's
    /// own type, `$type1` its second type argument: `typeorm#Repository<$0>`. `$named`: the type that the call names itself,
    /// `rocket.state::<Key>()`.
    #[serde(deserialize_with = "path::type_text")]
    pub gives: String,
    /// Where an object of functions stands that become methods of the result: `repository.extend({ .. })`.
    #[serde(default)]
    pub methods: Option<ArgPath>,
}

/// Calls that a framework makes by name: a Nest route under `@UseGuards(G)`, `G extends AuthGuard('google')`, runs `validate` of the class that
/// `extends PassportStrategy(Strategy, 'google')`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Edge {
    /// The decorator of a method or class, whose arguments name providers: `@nestjs/common#UseGuards`.
    pub decorator: CallPattern,
    /// What the provider extends, or the call itself in the decorator: `@nestjs/passport#AuthGuard`. Its first argument is the name.
    pub via: CallPattern,
    /// What the class that runs extends: `@nestjs/passport#PassportStrategy`; its second argument is the name.
    pub to: CallPattern,
    /// The method that runs.
    pub method: String,
    /// The name where it is not written: module of the first argument -> name.
    #[serde(default)]
    pub names: std::collections::BTreeMap<String, String>,
}

/// A call that sends what it is given to whoever asked, or makes an answer of it: `res.json(body)`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Answer {
    pub call: CallPattern,
    /// Only on what an entry point gets as its nth parameter: `res` of `(req, res) => res.send(body)`.
    #[serde(default)]
    pub on: Option<u32>,
    /// A text that is made of a value hands the value out too: the address of a redirect.
    #[serde(default)]
    pub texts: bool,
}

/// The type of a parameter through which a framework hands over what the application itself keeps, no part of a request: axum's `State`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Kept {
    #[serde(rename = "type")]
    pub of: CallPattern,
}

/// A call that puts routes below a path: `app.use('/v1', router)`, `router.route('/users').get(list)`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mount {
    pub call: CallPattern,
    /// Where the path stands; absent: what the router is mounted on says it.
    #[serde(default)]
    pub prefix: Option<ArgPath>,
    /// Whether the path may be left out: nothing stands there, or a router.
    #[serde(default)]
    pub plain: bool,
    /// Where the routers stand; absent: what is registered on the call's result.
    #[serde(default)]
    pub router: Option<ArgPath>,
    /// Whether a function stands there that is handed the router as its first argument: `scope.configure(routes)`.
    #[serde(default)]
    pub configures: bool,
}

/// What a library call hands to a function it is given: `$transaction(async (tx) => ..)` hands the receiver as parameter 0.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Callback {
    pub call: CallPattern,
    /// Which argument is the function.
    pub function: ArgPath,
    /// What each parameter is: an argument path, a class of a module (`typeorm#EntityManager`), what the call comes to (`result`), or `?`.
    pub params: Vec<Handed>,
    /// Whether the call returns what the function returns.
    #[serde(default)]
    pub returns: bool,
    /// Whether it runs the function, and waits until it has ended, or fails: a transaction.
    #[serde(default)]
    pub once: bool,
    /// Whether what SQL text comes to is handed over as one row, or as nothing.
    #[serde(default)]
    pub one: bool,
}

/// A decorator of a struct that generates a constructor or a builder for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Maker {
    pub decorator: CallPattern,
    /// The constructor that takes the fields in their order: `new`.
    #[serde(default)]
    pub make: Option<String>,
    /// With `make`: the decorator of a field that the constructor does not take.
    #[serde(default)]
    pub own: Option<String>,
    /// The function of the struct that starts a builder: `builder`.
    #[serde(default)]
    pub start: Option<String>,
    /// What the builder's type adds to the struct's name, where it is started by itself: `UserBuilder::default()`.
    #[serde(default)]
    pub suffix: Option<String>,
    /// The method that ends a builder: `build`.
    #[serde(default)]
    pub finish: Option<String>,
    /// What may stand before a field's name in its setter's: `maybe_`, `with_`.
    #[serde(default)]
    pub prefixes: Vec<String>,
}
