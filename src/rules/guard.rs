//! Rows about who lets requests in: what verifies a token, what runs before handlers, what asks about a user, how long tokens live.

use globset::GlobSet;
use serde::Deserialize;

use crate::rules::{ArgPath, CallPattern, path};

/// A call that checks a token and gives its claims.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Verify {
    pub call: CallPattern,
    /// Where the token stands; absent where the call takes it from the request itself.
    #[serde(default)]
    pub token: Option<ArgPath>,
    /// Whether what stands there holds the request, and the call reads the token from its header or cookie.
    #[serde(default)]
    pub request: bool,
    /// Where the call puts the claims: `receiver.user` of `request.jwtVerify()`.
    #[serde(default)]
    pub puts: Option<ArgPath>,
    /// Where the key stands; the first that is there counts.
    #[serde(default)]
    pub key: Vec<ArgPath>,
    /// A function that is handed the claims, as any of its parameters.
    #[serde(default)]
    pub callback: Option<ArgPath>,
    /// Where the verification itself asks somebody: what it asks.
    #[serde(default)]
    pub asks: Option<Asks>,
    /// With `asks`: a boolean that must be true for that (`checkRevoked`).
    #[serde(default)]
    pub when: Option<ArgPath>,
    /// The call that sets the library up, whose first argument comes from `plugin` (a glob); it may be given functions, at `runs`, that
    /// each verification runs with the claims.
    #[serde(default)]
    pub set_up: Option<CallPattern>,
    #[serde(default)]
    pub plugin: Option<String>,
    #[serde(default)]
    pub runs: Vec<ArgPath>,
    /// Options by which tokens get in that have ended: those that are `true`, and those that are `false`.
    #[serde(default)]
    pub unending: Vec<ArgPath>,
    #[serde(default)]
    pub ending: Vec<ArgPath>,
    /// How old a token may be since it was signed, whatever its end: in seconds where it is a number.
    #[serde(default)]
    pub oldest: Vec<ArgPath>,
}

impl Verify {
    /// Whether a call that sets up what it is handed is about this library, by the module that comes from.
    pub fn is_set_up_with(&self, module: Option<&str>) -> bool {
        self.plugin.as_ref().is_none_or(|glob| module.is_some_and(|module| path::glob(glob, module)))
    }
}

/// What is asked about the bearer of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asks {
    /// A row of a table.
    Row,
    /// A session that is stored.
    Session,
    /// A list of what was revoked, a cache, a key-value store.
    Store,
    /// The issuer, or another service.
    Issuer,
}

/// What runs before handlers and lets requests in or not.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Guard {
    pub kind: GuardKind,
    /// `method`: what the class extends or implements. `call`: the registering call. `config`: the call that takes the configuration.
    #[serde(default)]
    pub path: Option<CallPattern>,
    /// `method`: the methods that decide. `file`: exports that do. `next`: what the last parameter may be called. `wrap`: what the parameter of
    /// the function around may be called. `token`: the keys that hold the class.
    #[serde(default)]
    pub method: Vec<String>,
    /// `call`: which arguments are functions that decide. `global`: which are classes that do. `config`: where the configuration stands in the arguments.
    #[serde(default)]
    pub handler: Vec<ArgPath>,
    /// `config`: calls of `path` that take something else: the ways to sign in.
    #[serde(default)]
    pub except: Vec<CallPattern>,
    /// The call whose result runs it by its name, which stands first: `passport.authenticate('jwt')`.
    #[serde(default)]
    pub asked: Option<CallPattern>,
    /// With `asked`: the name where its registration, `passport.use(name, strategy)`, says none.
    #[serde(default)]
    pub named: Option<String>,
    /// `file`, `config`: the export beside that says which routes they run before, with the keys below: `config.matcher`.
    #[serde(default)]
    pub routes: Option<String>,
    /// `config`: the method of what the call gives by which routes are left out, and where their paths stand: `.unless({ path: ['/login'] })`.
    #[serde(default)]
    pub unless: Option<Unless>,
    /// `method`: the methods of other classes that make an object of this one where they are registered: `layer` of tower's `Layer`.
    #[serde(default)]
    pub made_by: Vec<String>,
    /// `file`: globs of paths.
    #[serde(default, deserialize_with = "path::file_globs")]
    pub file: Vec<String>,
    /// `method`: only where an argument of the base's call comes from one of these modules (globs).
    #[serde(default)]
    pub from: Vec<String>,
    /// Parameters that hold claims which the library has verified already: `last`, `0.token`. Empty: the function verifies itself.
    #[serde(default)]
    pub claims: Vec<ArgPath>,
    /// Where the token itself may be read among the parameters: `0.headers.authorization`.
    #[serde(default)]
    pub token: Vec<ArgPath>,
    /// Calls among what sets it up that say where else, by a key: `ExtractJwt.fromBodyField('token')`.
    #[serde(default)]
    pub reads: Vec<Reader>,
    /// Parameters that are there only at a sign-in: `0.user`.
    #[serde(default)]
    pub first: Vec<ArgPath>,
    /// Where the key stands in the arguments: of the base's constructor (`method`), of the call.
    #[serde(default)]
    pub key: Vec<ArgPath>,
    /// Options among these by which tokens get in that have ended, where they are `true`.
    #[serde(default)]
    pub unending: Vec<ArgPath>,
    /// `config`: paths below the configuration to the functions that decide.
    #[serde(default)]
    pub callbacks: Vec<String>,
    /// `config`: whether these say that a token is no longer good, rather than that it is: `isRevoked`.
    #[serde(default)]
    pub denies: bool,
    /// `config`: keys of which an object has one that is a configuration; empty: any is.
    #[serde(default)]
    pub has: Vec<String>,
    /// `config`: the key that says by a word whether sessions are rows, and the word by which they are.
    #[serde(default)]
    pub strategy: Option<String>,
    #[serde(default)]
    pub rows: Option<String>,
    /// `config`: the key that says how users sign in, and the key of a way by which the program looks them up itself.
    #[serde(default)]
    pub logins: Option<String>,
    #[serde(default)]
    pub login: Option<String>,
    /// `config`: keys that say where sessions and users are kept; without any of them nothing is.
    #[serde(default)]
    pub stored: Vec<String>,
    /// `config`: the flag by which a signed copy of the session lets in without a look at where it is kept.
    #[serde(default)]
    pub cached: Option<String>,
    /// `config`: keys that say how long a token lets in, in seconds; the first that is there counts.
    #[serde(default)]
    pub lives: Vec<String>,
    /// `config`: how long where it does not say, in seconds.
    #[serde(default)]
    pub life: Option<u64>,
    /// What the guards are called (`what`) that run behind this one and are handed what it found: they may ask in its place.
    #[serde(default)]
    pub before: Vec<String>,
    /// In words: `NestJS guard`.
    pub what: String,
}

/// A call that says by its first argument below which key of a parameter the token stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Reader {
    pub call: CallPattern,
    pub below: ArgPath,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuardKind {
    /// Methods of a class that extends or implements something.
    Method,
    /// Functions that a call registers.
    Call,
    /// Exports of files by their place.
    File,
    /// Functions that call on by their last parameter: `(req, res, next)`.
    Next,
    /// Functions below a configuration object.
    Config,
    /// Closures that call a parameter of the function around them, by one of these names, with their own first: `withAuth(handler)`.
    Wrap,
    /// Classes that a module provides under a token of `path`, below one of the keys `method`: they run before every handler.
    Token,
    /// Classes, or instances of them, that a call is given: they run before every handler.
    Global,
}

/// A call that asks about what it is handed, beside the reads of rows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Consult {
    pub call: CallPattern,
    pub asks: Asks,
}

/// What a middleware is handed to run what stands behind it: by its type, axum's `Next`, or by the key of a parameter below which it stands,
/// `({ ctx, next }) => next({ ctx })`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rest {
    #[serde(rename = "type", default)]
    pub of: Option<CallPattern>,
    #[serde(default)]
    pub key: Option<String>,
    /// With `key`: only in files at these places (globs).
    #[serde(default, deserialize_with = "path::file_globs")]
    pub file: Vec<String>,
}

impl Rest {
    /// Whether a call of what stands below `name`, in the file at `path`, runs what stands behind.
    pub fn is_key(&self, name: &str, path: &str) -> bool {
        self.key.as_deref() == Some(name)
            && (self.file.is_empty() || path::file_set(&self.file).is_some_and(|globs| globs.is_match(path)))
    }
}

/// A call that keeps what it is handed on the request, for what runs behind: `request.extensions_mut().insert(user)`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Attach {
    pub call: CallPattern,
    /// What it is called on, by the name of the call or of the field; empty: a parameter of the middleware.
    #[serde(default)]
    pub on: Vec<String>,
}

/// A call that may be handed claims and asks nobody.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Harmless {
    pub call: CallPattern,
    /// Whether it only writes down what it is handed: a look-up that goes nowhere else decides nothing.
    #[serde(default)]
    pub tells: bool,
    /// Whether it answers the request, and goes on: `res.status(401).json(..)`.
    #[serde(default)]
    pub answers: bool,
}

/// A call that fetches keys from an issuer at run time: whose signature it checks is not this program's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Foreign {
    pub call: CallPattern,
}

/// A call that says how long a token lives.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Life {
    pub call: CallPattern,
    /// A method further left in whose arguments the life stands: `setExpirationTime` of `new SignJWT(..).setExpirationTime(life).sign(key)`.
    #[serde(default)]
    pub after: Option<String>,
    /// Where the life stands; the first that is there counts.
    pub at: Vec<ArgPath>,
    /// What one stands for, in milliseconds, where it is a number.
    pub unit: u64,
    /// Whether `at` is the time at which the token ends, as in `now() + Duration::days(30)`.
    #[serde(default)]
    pub until: bool,
    /// Where the key stands.
    #[serde(default)]
    pub key: Vec<ArgPath>,
    /// Of a call that sets a library up: what it states holds for tokens that calls with this `takes` sign without a life of their own.
    #[serde(default)]
    pub gives: Option<String>,
    /// With `gives`: the module that argument 0 has to come from (a glob), of a call that sets up whatever it is handed.
    #[serde(default)]
    pub plugin: Option<String>,
    #[serde(default)]
    pub takes: Option<String>,
    /// Whether `at` and `key` are about the call that made the callee: `createSigner(options)(claims)`.
    #[serde(default)]
    pub made: bool,
    /// Where the claims stand, of a call that signs (with `after`: of the `new` that its chain starts from): without a life and without
    /// `exp` among the claims the token never ends.
    #[serde(default)]
    pub payload: Option<ArgPath>,
}

impl Life {
    /// Whether a call that sets up what it is handed is about this library, by the module that comes from.
    pub fn is_about(&self, module: Option<&str>) -> bool {
        self.plugin.as_ref().is_none_or(|glob| module.is_some_and(|module| path::glob(glob, module)))
    }
}

/// A call that gives a configuration its values: `registerAs('jwt', () => ({ life: '15m' }))`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Setting {
    pub call: CallPattern,
    /// Under which name; absent: under the keys of what the functions give.
    #[serde(default)]
    pub name: Option<ArgPath>,
    /// The functions that give it, or lists of them.
    pub values: ArgPath,
    /// The calls that read it by its name, with the keys below: `config.get('jwt.life')`.
    #[serde(default)]
    pub read: Vec<CallPattern>,
    /// The type of what is handed in with the values: `ConfigType<typeof jwtConfig>`.
    #[serde(default)]
    pub of: Option<CallPattern>,
}

/// A call that reads values by a description that may hold a default: `z.object({ LIFE: z.string().default('15m') }).parse(process.env)`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Described {
    pub call: CallPattern,
    /// The method further left whose first argument has the keys.
    pub object: String,
    /// The method in the chain of a key whose first argument is the default.
    pub default: String,
}

/// Functions that make a duration of a number, by their names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Unit {
    #[serde(default)]
    pub names: Vec<String>,
    /// What says it beside the number that is added to a time: `add(30, 'minutes')`, `plus({ minutes: 30 })`.
    #[serde(default)]
    pub words: Vec<String>,
    /// Calls that add so many, argument 1, to a time: `addMinutes(new Date(), 30)`.
    #[serde(default)]
    pub adds: Vec<CallPattern>,
    /// What one is, in seconds.
    pub seconds: u64,
}

/// An attribute of a field that names the function which stands in where a configuration lacks the field:
/// `#[serde(default = "days")]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lacking {
    /// `serde`
    pub attribute: String,
    /// `default`
    pub key: String,
}

pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

/// Words of what becomes of a row that was found by its token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ending {
    /// Globs of methods that change or delete rows.
    pub changes: Vec<String>,
    /// The same of methods that take a row, or tell that something else does.
    pub takes: Vec<String>,
    /// Of code, in lower case, that keeps others from the row meanwhile.
    pub locks: Vec<String>,
}

impl Ending {
    /// Whether a method of that name, in lower case, changes or deletes rows.
    pub fn is_change(&self, name: &str) -> bool {
        self.changes.iter().any(|glob| path::glob(glob, name))
    }

    /// Whether one takes a row.
    pub fn is_taking(&self, name: &str) -> bool {
        self.takes.iter().any(|glob| path::glob(glob, name))
    }
}

impl Guard {
    /// The files whose exports it is about; empty where it is about none.
    pub fn files(&self) -> Option<GlobSet> {
        path::file_set(&self.file)
    }

    /// Whether `from` lets in a class whose base is handed something of `module`.
    pub fn is_from(&self, module: &str) -> bool {
        self.from.iter().any(|glob| path::glob(glob, module))
    }
}

/// A call that throws where an argument is null.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Demand {
    pub call: CallPattern,
    /// Which arguments; with `asks` any.
    #[serde(default)]
    pub at: Vec<ArgPath>,
    /// Whether it is there for that: `assert(user.token)`. What stands behind it need not ask again.
    #[serde(default)]
    pub asks: bool,
    /// With `asks`: it answers and throws nothing, `Boolean(user.token)`.
    #[serde(default)]
    pub answers: bool,
}

/// Words of a comment that claim something of a column or of how requests are let in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Claim {
    /// In lower case, words with one space between.
    pub phrase: String,
    pub says: Says,
    /// Whether it is said of what follows it: `nobody reads users.token`.
    #[serde(default)]
    pub object: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Says {
    /// Nobody reads it.
    Unread,
    /// Nobody writes it.
    Unwritten,
    /// Nobody reads it and nobody writes it.
    Unused,
    /// Nothing depends on it any more; contradicted only where it is both written and read.
    Deprecated,
    /// No guard reads it: the signature alone lets in.
    Stateless,
    /// What lets in compares it with what was sent.
    Compared,
}

/// A method by which requests are left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Unless {
    pub method: String,
    /// Where their paths stand: texts, patterns, or objects with the verbs besides.
    pub path: ArgPath,
    /// The key of such an object for the path.
    pub url: String,
    /// Its keys for the verbs.
    pub of: Vec<String>,
    /// Where verbs stand whose requests are left out whatever their path.
    #[serde(default)]
    pub verbs: Option<ArgPath>,
    /// Where else something may be said that leaves out more.
    #[serde(default)]
    pub besides: Vec<ArgPath>,
}
