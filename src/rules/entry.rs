//! Rows about entry points: what a framework runs, under which route.

use globset::GlobSet;
use serde::Deserialize;

use crate::rules::{ArgPath, CallPattern, path};

/// What makes a function an entry point.
#[expect(clippy::struct_excessive_bools, reason = "facts of a registration that have nothing to do with each other")]
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    pub kind: EntryKind,
    /// `decorator`: the method decorator. `call`: the registering call. `extends`: the callee of `class X extends f(..)`, or the base
    /// class. `config`: a call, or the type of a variable, that holds functions below `handler`. `file`: unused.
    #[serde(default)]
    pub path: Option<CallPattern>,
    /// `decorator`: the decorator of the class around; its first argument prefixes the route.
    #[serde(default)]
    pub class: Option<CallPattern>,
    /// `decorator`: another decorator of the method, whose argument is the version of the route.
    #[serde(default)]
    pub version: Option<CallPattern>,
    /// `GET`, `POST`, `mutation`, `job`: stands before the route. `$handler`: the name of the call around the handler.
    #[serde(default)]
    pub verb: Option<String>,
    /// `call`: where it stands in the arguments.
    #[serde(default)]
    pub verb_at: Vec<ArgPath>,
    /// `call`: only where the first argument is no text: the route was said before.
    #[serde(default)]
    pub bare: bool,
    /// Where the route stands in the decorator's or call's arguments; the first that is there counts.
    #[serde(default)]
    pub route: Vec<ArgPath>,
    /// `decorator`: a boolean in its arguments that must be true.
    #[serde(default)]
    pub when: Option<ArgPath>,
    /// Whether what the tree itself sends runs it: no entry point where a sender is known.
    #[serde(default)]
    pub sent: bool,
    /// Whether it only describes a route that something else registers: it counts where nothing else is known to register the function.
    #[serde(default)]
    pub describes: bool,
    /// `call`: which arguments are handlers: `1..`, `last`, `0.*` (every function in an object).
    #[serde(default)]
    pub handler: Option<ArgPath>,
    /// `call`: handlers with at most so many parameters run one after the other on the same request; one with more is for errors.
    #[serde(default)]
    pub chain: Option<u8>,
    /// With `chain`: whether they run before whatever is registered on the same router behind them, below the route.
    #[serde(default)]
    pub covers: bool,
    /// With `chain`: where further ones stand that run before the handlers: `0.preHandler`.
    #[serde(default)]
    pub ahead: Vec<ArgPath>,
    /// `extends`: the method that is called.
    #[serde(default)]
    pub method: Vec<String>,
    /// `file`: globs of paths whose exports named in `method` (empty: all) are entry points.
    #[serde(default, deserialize_with = "path::file_globs")]
    pub file: Vec<String>,
    /// `file`: whether dots in the file's name are slashes: `api.v1.tokens.ts`.
    #[serde(default)]
    pub flat: bool,
    /// `file`: only where a file begins with this directive; the route is the name of the export.
    #[serde(default)]
    pub directive: Option<String>,
    /// Parameters, by a glob on their name in lower case, that an issuer hands in; others are supplied.
    #[serde(default)]
    pub fresh: Vec<String>,
    /// Keys of parameters that an issuer hands in: `0.account.access_token`.
    #[serde(default)]
    pub fresh_keys: Vec<ArgPath>,
    /// `extends`: only where an argument of the call comes from one of these modules (globs), `call`: only where what is called does;
    /// `!` before a glob excludes.
    #[serde(default)]
    pub from: Vec<String>,
}

impl Entry {
    /// Whether the issuer hands in what the parameter `name` holds: compared in lower case, without `_`.
    pub fn hands_in_fresh(&self, name: &str) -> bool {
        let name: String = name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect();
        self.fresh.iter().any(|glob| path::glob(glob, &name))
    }

    /// The files whose exports it is about; empty where it is about none.
    pub fn files(&self) -> Option<GlobSet> {
        path::file_set(&self.file)
    }

    /// Whether `from` lets in a class that extends a call with something of `module` in its arguments.
    pub fn is_from(&self, module: &str) -> bool {
        let (without, with): (Vec<&String>, Vec<&String>) = self.from.iter().partition(|glob| glob.starts_with('!'));
        let fits = |glob: &&String| path::glob(glob.trim_start_matches('!'), module);
        !without.iter().any(fits) && (with.is_empty() || with.iter().any(fits))
    }
}

/// What the verify callback of a strategy is handed by the issuer, whatever its parameters are called.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Issued {
    /// The modules of the strategies (globs).
    pub from: Vec<String>,
    /// Positions of parameters.
    pub at: Vec<u32>,
    /// An option of the strategy, in its first argument, with which the request stands before them.
    pub shift: String,
}

impl Issued {
    pub fn is_from(&self, module: &str) -> bool {
        self.from.iter().any(|glob| path::glob(glob, module))
    }
}

/// A call that puts a path in front of the routes of an application's controllers: `app.setGlobalPrefix('api', { exclude })`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Prefix {
    pub call: CallPattern,
    /// The decorator of the controllers.
    pub class: CallPattern,
    /// A word that stands wherever an application is made.
    pub maker: String,
    pub path: ArgPath,
    /// Where the routes that keep theirs are listed.
    #[serde(default)]
    pub exclude: Option<ArgPath>,
}

/// A call that says how versions show in the routes of an application's controllers: `app.enableVersioning({ type, defaultVersion })`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Versioning {
    pub call: CallPattern,
    /// As in [`Prefix`].
    pub class: CallPattern,
    /// As in [`Prefix`].
    pub maker: String,
    /// Where it is said how requests name a version, and which of these is the path.
    pub kind: ArgPath,
    pub in_path: CallPattern,
    /// The versions of a controller that says none.
    pub default: ArgPath,
    /// What stands before the version in the path: `v` where nothing is said, nothing where it is false.
    pub before: ArgPath,
}

/// A call that puts modules below paths: `RouterModule.register([{ path, module, children }])`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Nesting {
    pub call: CallPattern,
    pub list: ArgPath,
    /// The keys of an item.
    pub path: String,
    pub module: String,
    pub children: String,
    /// The decorator of a module, and where it lists its controllers.
    pub decorator: CallPattern,
    pub controllers: ArgPath,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    Decorator,
    Call,
    Extends,
    File,
    Config,
}

/// A call that lays something around the routes that its receiver has so far: `Router::new().route("/x", get(f)).layer(from_fn(check))`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Layer {
    pub call: CallPattern,
    /// Whether also around those that it is given later.
    #[serde(default)]
    pub whole: bool,
}

/// A call that says which routes run a class: `consumer.apply(Check).forRoutes(CatsController, 'dogs')`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Applied {
    pub call: CallPattern,
    /// The method further left that is given the classes.
    pub given: String,
    /// The method further left that is given what is left out.
    pub except: String,
    /// Where the routes stand: controllers, paths, or objects with these keys.
    pub to: ArgPath,
    pub path: String,
    pub method: String,
}

/// An object, or a call, that says what is handed to whoever asks for a token: `{ provide: TOKEN, useClass: Store }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Provide {
    /// Absent: the object is argument 0 of the paths.
    #[serde(default)]
    pub call: Option<CallPattern>,
    pub token: ArgPath,
    /// Where the class stands of which an instance is handed over,
    #[serde(default)]
    pub class: Vec<ArgPath>,
    /// ... or another token, whose instance it is,
    #[serde(default)]
    pub existing: Vec<ArgPath>,
    /// ... or a function that makes it,
    #[serde(default)]
    pub factory: Vec<ArgPath>,
    /// ... or itself.
    #[serde(default)]
    pub value: Vec<ArgPath>,
    /// Where classes are listed that stand for themselves.
    #[serde(default)]
    pub plain: Vec<ArgPath>,
    /// The decorator that asks for a token: argument 0. Without one, a constructor's parameter asks for its class.
    pub inject: CallPattern,
    /// The decorator of classes that the container makes: who asks for one by its type gets an instance of it, and of no heir.
    #[serde(default)]
    pub managed: Option<CallPattern>,
}

/// Methods that a framework lays around a route: under `@UseInterceptors(I)` it runs `intercept` of `I`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Wrap {
    /// The decorator of a method or class, whose arguments are the classes, or what `new` makes of them.
    pub decorator: CallPattern,
    pub method: String,
}
