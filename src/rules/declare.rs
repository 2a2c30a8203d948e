//! Rows on how code declares tables.

use serde::Deserialize;

use crate::rules::{ArgPath, CallPattern, Operation};

/// A library's type of what reads and writes the rows of one model, `*` in its last step being the model's name: `**#Prisma.*Delegate`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Delegate {
    pub class: CallPattern,
}

/// How a class of the tree declares that it is a table. `decorator` and the like are callable paths.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entity {
    /// The class decorator,
    #[serde(default)]
    pub decorator: Option<CallPattern>,
    /// ... or the class that it extends.
    #[serde(default)]
    pub base: Option<CallPattern>,
    /// With `base`: the static field (or getter) that names the table; a class without it is no table.
    #[serde(default)]
    pub table_field: Option<String>,
    /// Names of class decorators without which no row is read as the class; empty: each is.
    #[serde(default)]
    pub read_by: Vec<String>,
    /// Names of class decorators without one of which a class is no table; empty: each is.
    #[serde(default)]
    pub only_with: Vec<String>,
    /// Where in the decorator's arguments the table's name stands; the first that is there counts.
    #[serde(default)]
    pub table: Vec<ArgPath>,
    /// The table's name when it is not written.
    pub naming: Naming,
    /// Whether properties without any of the decorators below are columns too.
    #[serde(default)]
    pub every_field: bool,
    /// Whether a class may hold a part of its table's columns: what the others of the table have, a row of it leaves out.
    #[serde(default)]
    pub partial: bool,
    /// Decorators that make a property a column; with `base` and none of them, every field of the class is one.
    #[serde(default)]
    pub column: Vec<CallPattern>,
    /// Where in the column decorator's arguments it is said that it is (a part of) the key.
    #[serde(default)]
    pub key: Vec<ArgPath>,
    /// Where in the column decorator's arguments stands what the property is computed from: it is no column then.
    #[serde(default)]
    pub computed: Vec<ArgPath>,
    /// Where in the column decorator's arguments the column's name stands.
    #[serde(default)]
    pub name: Vec<ArgPath>,
    /// ... a boolean that says whether it is nullable,
    #[serde(default)]
    pub nullable: Vec<ArgPath>,
    /// ... or one that says whether it is not,
    #[serde(default)]
    pub required: Vec<ArgPath>,
    /// decorators beside it that say it by their first argument (`@AllowNull(false)`),
    #[serde(default)]
    pub nullable_by: Vec<CallPattern>,
    /// the type around a property's own that says it (`Option`), any other says that it is not,
    #[serde(default)]
    pub nullable_type: Option<String>,
    /// what it is when nothing says so,
    #[serde(default)]
    pub nullable_default: bool,
    /// ... its default,
    #[serde(default)]
    pub default: Vec<ArgPath>,
    /// decorators beside it that give it in their first argument (`@Default(x)`).
    #[serde(default)]
    pub default_by: Vec<CallPattern>,
    /// Column decorators whose value the library or the database makes (`PrimaryGeneratedColumn`, `CreateDateColumn`).
    #[serde(default)]
    pub generated: Vec<CallPattern>,
    /// Where in the column decorator's arguments the prefix stands of the columns of an embedded class (`@Column(() => Tokens, { prefix: 'x' })`);
    /// empty: there are no such classes.
    #[serde(default)]
    pub embedded_prefix: Vec<ArgPath>,
    /// Decorators that make a property a relation.
    #[serde(default)]
    pub relation: Vec<CallPattern>,
    /// Where in a relation decorator's arguments it is said that writing a row writes what it relates to.
    #[serde(default)]
    pub cascade: Vec<ArgPath>,
    /// The decorator of a class whose rows stand in the table of the entity that it extends.
    #[serde(default)]
    pub heir: Option<CallPattern>,
    /// The column's name when it is not written.
    pub column_naming: Naming,
    /// The pack that the row stands in.
    #[serde(skip)]
    pub pack: String,
}

/// How a call declares a table: `sequelize.define('user', { .. })`, `pgTable('users', { .. })`, `User.init({ .. })`. The result
/// of the call is the model, or the class that `class` says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Declaration {
    pub call: CallPattern,
    /// Where the model's name stands; it is that of the class or else of the variable when it is not written.
    #[serde(default)]
    pub name: Vec<ArgPath>,
    /// Where the table's name stands; the first that is there counts. In these paths a number below a call goes into its
    /// arguments: `1.0` is argument 0 of the call that stands in argument 1.
    #[serde(default)]
    pub table: Vec<ArgPath>,
    /// The table's name, made from the model's, when it is not written.
    pub naming: Naming,
    /// Where the object stands whose keys are the columns' properties, or a function that returns it.
    pub columns: ArgPath,
    #[serde(default)]
    pub class: Option<ClassOf>,
    /// How one column is declared.
    pub column: ColumnForm,
    #[serde(skip)]
    pub pack: String,
}

/// The class whose instances are rows of a model that a call declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassOf {
    /// What the method is called on: `User.init(..)`.
    Receiver,
    /// The first type argument: `model<User>(..)`.
    Type,
}

/// A column as an object (`{ field: 'access_token', allowNull: false }`, which is argument 0) or as calls
/// (`text('access_token').notNull()`, the arguments are those of the first call).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ColumnForm {
    #[serde(default)]
    pub name: Vec<ArgPath>,
    #[serde(default)]
    pub nullable: Vec<ArgPath>,
    #[serde(default)]
    pub required: Vec<ArgPath>,
    /// Calls that say that it is not nullable.
    #[serde(default)]
    pub required_by: Vec<String>,
    #[serde(default)]
    pub nullable_default: bool,
    #[serde(default)]
    pub default: Vec<ArgPath>,
    /// Calls that give a default.
    #[serde(default)]
    pub default_by: Vec<String>,
    /// Whether a list (`[String]`, `Array`, or one as `type`) starts as an empty one.
    #[serde(default)]
    pub lists_start_empty: bool,
    pub naming: Naming,
}

/// A call of a migration that changes a table: `queryInterface.addColumn('users', 'token', { allowNull: false })`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Migration {
    pub call: CallPattern,
    pub table: Vec<ArgPath>,
    /// Where the object stands whose keys are columns; absent: one column, or the table itself.
    #[serde(default)]
    pub columns: Option<ArgPath>,
    /// Where the name of the one column stands.
    #[serde(default)]
    pub named: Option<ArgPath>,
    /// Where that column is declared, an object or a function that is handed a builder of it; absent: it is dropped, with the table
    /// where no column is named.
    #[serde(default)]
    pub declared: Option<ArgPath>,
    /// Where the column's type stands.
    #[serde(default, rename = "type")]
    pub ty: Option<ArgPath>,
    /// Where the column's new name stands: it is renamed.
    #[serde(default)]
    pub renamed: Option<ArgPath>,
    /// A method further left in the chain in whose arguments the table stands: `createTable('users').addColumn('token', 'text')`.
    #[serde(default)]
    pub after: Option<String>,
    /// Where a function stands that is handed a builder of the table: `(t) => { t.string('token').notNullable(); }`.
    #[serde(default)]
    pub builder: Option<ArgPath>,
    /// The builder's methods that declare a column,
    #[serde(default)]
    pub types: Vec<String>,
    /// ... that drop the columns which they name,
    #[serde(default)]
    pub drops: Vec<String>,
    /// ... that rename one,
    #[serde(default)]
    pub renames: Vec<String>,
    /// ... and that let one be NULL, or no more.
    #[serde(default)]
    pub frees: Vec<String>,
    #[serde(default)]
    pub requires: Vec<String>,
    /// Whether it changes tables wherever it stands, not only in files of migrations.
    #[serde(default)]
    pub anywhere: bool,
    /// How a column is declared.
    pub column: ColumnForm,
}

/// A library's class whose type argument has a key for each table, and under it a type with one for each column: `Kysely<Database>`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TypedTables {
    pub class: CallPattern,
    /// Types around that of a column which the database fills in where it is not given: `Generated<number>`.
    #[serde(default)]
    pub generated: Vec<String>,
}

/// A function that the library runs on a row before it is written: a method of the entity's class (`@BeforeCreate`), or one that is
/// handed over by name where the model is declared (`hooks: { beforeCreate() {} }`, `Token.beforeCreate(f)`, `schema.pre('save', f)`).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Hook {
    /// The method's decorator,
    #[serde(default)]
    pub decorator: Option<CallPattern>,
    /// ... or its name,
    #[serde(default)]
    pub method: Option<String>,
    /// ... or the name that the function is handed over by: a key of an object that stands at `below` in the call that declares the
    /// model, a method of the model, or the first argument of the method `through`.
    #[serde(default)]
    pub named: Option<String>,
    #[serde(default)]
    pub below: Vec<ArgPath>,
    #[serde(default)]
    pub through: Option<String>,
    /// Where in the call that declares the model that stands which `through` is called on; absent: it is the model.
    #[serde(default)]
    pub on: Option<ArgPath>,
    /// The operations before which it runs.
    pub before: Vec<Operation>,
    /// Where it finds the row: an argument; `receiver` is `this`.
    pub row: ArgPath,
    /// Whether a plain object is written without it: only an instance of the class has hooks.
    #[serde(default)]
    pub instance: bool,
    /// The key of the row that says whether it is new: `isNew`,
    #[serde(default)]
    pub new: Option<String>,
    /// ... or the parameter that says it, from 0.
    #[serde(default)]
    pub new_at: Option<u32>,
    /// Whether it gives the row back, which is stored then.
    #[serde(default)]
    pub returns: bool,
    #[serde(skip)]
    pub pack: String,
}

/// A method of a class that the library runs on the rows of another before they are written: a subscriber's `beforeInsert(event)`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Subscriber {
    /// What the class implements; its type argument is the entity, and without one it is about all.
    pub implements: CallPattern,
    pub method: String,
    /// The operations before which it runs.
    pub before: Vec<Operation>,
    /// The key of the first parameter under which the row stands.
    pub under: String,
    #[serde(skip)]
    pub pack: String,
}

/// A call that hands a library a function that it runs around every write of a client: `client.$use(f)`, `client.$extends({ query })`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Interceptor {
    pub call: CallPattern,
    /// Where the function stands, or with `table` an object of them by model and by method: `{ user: { create() {} } }`.
    pub function: ArgPath,
    #[serde(default)]
    pub table: bool,
    /// Names in the table that stand for any model or any method.
    #[serde(default)]
    pub any: Vec<String>,
    /// Which clients' writes go through the function.
    #[serde(default)]
    pub client: Around,
    /// Where in the function's parameters the first argument of the write stands: `0.args`.
    pub argument: ArgPath,
    /// Keys of that parameter under which the names of the model and of the method stand.
    #[serde(default)]
    pub model: Option<String>,
    #[serde(default)]
    pub method: Option<String>,
    /// What the function calls to go on, in its parameters: `0.query`,
    pub next: ArgPath,
    /// ... and the keys below which the write's argument stands in what it hands on.
    #[serde(default)]
    pub below: Vec<String>,
    #[serde(skip)]
    pub pack: String,
}

/// The clients that an interceptor stands around.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Around {
    #[default]
    Any,
    /// What the call gives.
    Result,
    /// What the call is made on.
    Receiver,
}

/// What a library calls the model for which a function was handed over: `Prisma.getExtensionContext(this)` in a method below `0.model.user`
/// of `client.$extends(..)`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Context {
    pub call: CallPattern,
    /// The call that the function is handed to,
    pub of: CallPattern,
    /// ... and where in it objects of functions stand, by model.
    pub table: ArgPath,
}

/// A call that hands a library the database, whose rows the library then writes by itself: `PrismaAdapter(prisma)`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Adapter {
    pub call: CallPattern,
    /// What the library does then. In callable paths a method of the call's result, whose keys are the row's:
    /// `@auth/prisma-adapter#PrismaAdapter().linkAccount`; rows of `mint` and `pass` say what it gives.
    pub runs: String,
    /// Where the model is said: its class, its declaration, or its name,
    #[serde(default)]
    pub entity: Vec<ArgPath>,
    /// ... and the names that it can have where it is not said, whatever their case.
    pub model: Vec<String>,
    /// Texts of which production code has one somewhere, else it does not: the providers that send e-mails.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Texts of which production code has none, else it does not: a setting by which it keeps no sessions.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// A boolean in its options without which it does not,
    #[serde(default)]
    pub when: Option<ArgPath>,
    /// ... or one that keeps it from that where it is false: `updateAccountOnSignIn`.
    #[serde(default)]
    pub unless: Option<ArgPath>,
    pub operation: Operation,
    /// The properties that are written; those that the model does not have are not.
    pub keys: Vec<String>,
    /// Where an object stands that says what a key is called in the table: `account.fields`.
    #[serde(default)]
    pub renamed: Option<ArgPath>,
    #[serde(skip)]
    pub pack: String,
}

/// A decorator of a parameter that is handed what whoever asks has sent: `@Body() user: User` is no row, whatever its type.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Input {
    pub decorator: CallPattern,
}

/// A function through which the value of a column goes when a row is written; what counts of it is the form it gives.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Transform {
    /// The property's decorator in whose arguments the function stands; absent: the property's setter, which the class declares or a
    /// decorator of the tree returns.
    #[serde(default)]
    pub decorator: Option<CallPattern>,
    /// Where in the decorator's arguments: `0.transformer.to`.
    #[serde(default)]
    pub function: Vec<ArgPath>,
    /// The call that stores the value in the function, in its second argument: `.setDataValue`; absent: the function returns it.
    #[serde(default)]
    pub stores: Option<CallPattern>,
    #[serde(skip)]
    pub pack: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Naming {
    Same,
    Snake,
    Camel,
    Lower,
    /// As it is, plural.
    Plural,
    LowerPlural,
    /// Snake case, plural.
    SnakePlural,
}

/// A value of a library that stands for none: `Prisma.skip`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Nothing {
    pub path: CallPattern,
    pub is: Absence,
}

/// Which none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Absence {
    Null,
    Undefined,
}

/// A call that gives a function a name under which rows or models have it as a method: `schema.method('sign', function () {})`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Method {
    pub call: CallPattern,
    pub name: ArgPath,
    pub function: ArgPath,
    /// What the library calls the types whose values have it then, wherever they come from.
    #[serde(default)]
    pub on: Vec<CallPattern>,
}

/// Functions that a library is handed beside a model and runs on its rows, or on the model itself: `schema.methods.sign = function () {}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lend {
    /// The key of the model (or of its schema) below which they are assigned, `*` where they are assigned to itself,
    #[serde(default)]
    pub key: Option<String>,
    /// ... where they stand among the arguments of the call that makes it,
    #[serde(default)]
    pub at: Option<ArgPath>,
    /// ... or the call on it that is handed them, and where: a function, an object of functions, or a class.
    #[serde(default)]
    pub call: Option<CallPattern>,
    #[serde(default)]
    pub function: Option<ArgPath>,
    /// The call before that one whose first argument names the property that rows have by the function: `schema.virtual('isUsable').get(..)`.
    #[serde(default)]
    pub property: Option<CallPattern>,
    /// A call that makes a schema of a model's class, and where that stands: `SchemaFactory.createForClass(User)`.
    #[serde(default)]
    pub of: Option<CallPattern>,
    #[serde(default)]
    pub model: Option<ArgPath>,
    pub to: LentTo,
    /// The method of the model that gives a row.
    pub row_by: String,
    #[serde(skip)]
    pub pack: String,
}

/// What `this` is in such a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LentTo {
    Row,
    Model,
    /// The model in static methods, a row in the others.
    Class,
}
