//! The rows of one file.

use serde::Deserialize;

use crate::rules::{
    Adapter, Answer, Bearer, Callback, Claim, Collector, Consult, Context, Declaration, Delegate, Demand, Edge, Emit,
    Entity, Entry, Foreign, Guard, Harmless, Hook, Input, Interceptor, Issued, Keep, Leave, Lend, Life, Listen, Maker,
    Many, Method, Migration, Mint, Mount, Nested, Nesting, Nothing, Pass, Prefix, Provide, Read, Receiver, SchemaShape,
    SqlCall, Status, Subscriber, TestWords, Transform, TypedTables, Verify, Versioning, Web, Words, Write,
};
use crate::rules::{
    Alias, Applied, Attach, Condition, Copies, Described, Ending, Kept, Lacking, Lasting, Layer, Rest, Setting, Unit,
    Wrap,
};

/// One file of rules.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pack {
    /// Equal to the file's name.
    pub id: String,
    /// One line for people.
    pub summary: String,
    #[serde(default)]
    pub entity: Vec<Entity>,
    #[serde(default)]
    pub model: Vec<Declaration>,
    #[serde(default)]
    pub migration: Vec<Migration>,
    #[serde(default)]
    pub tables: Vec<TypedTables>,
    #[serde(default)]
    pub write: Vec<Write>,
    #[serde(default)]
    pub nested: Vec<Nested>,
    #[serde(default)]
    pub sql: Vec<SqlCall>,
    #[serde(default)]
    pub read: Vec<Read>,
    #[serde(default)]
    pub many: Vec<Many>,
    #[serde(default)]
    pub condition: Vec<Condition>,
    #[serde(default)]
    pub mint: Vec<Mint>,
    #[serde(default)]
    pub pass: Vec<Pass>,
    #[serde(default)]
    pub shape: Vec<SchemaShape>,
    #[serde(default)]
    pub receiver: Vec<Receiver>,
    #[serde(default)]
    pub entry: Vec<Entry>,
    #[serde(default)]
    pub answer: Vec<Answer>,
    #[serde(default)]
    pub edge: Vec<Edge>,
    #[serde(default)]
    pub wrap: Vec<Wrap>,
    #[serde(default)]
    pub callback: Vec<Callback>,
    #[serde(default)]
    pub mount: Vec<Mount>,
    #[serde(default)]
    pub layer: Vec<Layer>,
    #[serde(default)]
    pub applied: Vec<Applied>,
    #[serde(default)]
    pub kept: Vec<Kept>,
    #[serde(default)]
    pub hook: Vec<Hook>,
    #[serde(default)]
    pub transform: Vec<Transform>,
    #[serde(default)]
    pub maker: Vec<Maker>,
    #[serde(default)]
    pub leave: Vec<Leave>,
    #[serde(default)]
    pub subscriber: Vec<Subscriber>,
    #[serde(default)]
    pub adapter: Vec<Adapter>,
    #[serde(default)]
    pub verify: Vec<Verify>,
    #[serde(default)]
    pub guard: Vec<Guard>,
    #[serde(default)]
    pub consult: Vec<Consult>,
    #[serde(default)]
    pub harmless: Vec<Harmless>,
    #[serde(default)]
    pub foreign: Vec<Foreign>,
    #[serde(default)]
    pub life: Vec<Life>,
    #[serde(default)]
    pub setting: Vec<Setting>,
    #[serde(default)]
    pub described: Vec<Described>,
    #[serde(default)]
    pub unit: Vec<Unit>,
    #[serde(default)]
    pub rest: Vec<Rest>,
    #[serde(default)]
    pub copies: Vec<Copies>,
    #[serde(default)]
    pub alias: Vec<Alias>,
    #[serde(default)]
    pub lasting: Vec<Lasting>,
    #[serde(default)]
    pub attach: Vec<Attach>,
    #[serde(default)]
    pub lacking: Vec<Lacking>,
    #[serde(default)]
    pub bearer: Vec<Bearer>,
    #[serde(default)]
    pub ending: Vec<Ending>,
    #[serde(default)]
    pub status: Vec<Status>,
    #[serde(default)]
    pub web: Vec<Web>,
    #[serde(default)]
    pub demand: Vec<Demand>,
    #[serde(default)]
    pub claim: Vec<Claim>,
    #[serde(default)]
    pub emit: Vec<Emit>,
    #[serde(default)]
    pub listen: Vec<Listen>,
    #[serde(default)]
    pub nothing: Vec<Nothing>,
    #[serde(default)]
    pub delegate: Vec<Delegate>,
    #[serde(default)]
    pub interceptor: Vec<Interceptor>,
    #[serde(default)]
    pub context: Vec<Context>,
    #[serde(default)]
    pub input: Vec<Input>,
    #[serde(default)]
    pub prefix: Vec<Prefix>,
    #[serde(default)]
    pub versioning: Vec<Versioning>,
    #[serde(default)]
    pub nesting: Vec<Nesting>,
    #[serde(default)]
    pub collector: Vec<Collector>,
    #[serde(default)]
    pub method: Vec<Method>,
    #[serde(default)]
    pub lend: Vec<Lend>,
    #[serde(default)]
    pub test: Vec<TestWords>,
    #[serde(default)]
    pub word: Vec<Words>,
    #[serde(default)]
    pub keep: Vec<Keep>,
    #[serde(default)]
    pub provide: Vec<Provide>,
    #[serde(default)]
    pub issued: Vec<Issued>,
}
