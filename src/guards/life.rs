//! How long tokens live: from where they are signed, through constants and defaults of the configuration.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use crate::graph::Graph;
use crate::guards::claims::about;
use crate::rules::{ArgPath, Life as Row};
use crate::source::{Scope, Span};
use crate::summary::{CallValue, Shared, Slot, Value, ValueKind};

/// How long a token gets in after it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    pub seconds: u64,
    /// Where it stands; `None`: the library's own default.
    pub at: Option<Span>,
    /// Whether it is told by the same key; else it is the longest of what the tree signs.
    pub exact: bool,
}

impl Exposure {
    /// `30 days`, `15 minutes`.
    pub fn words(&self) -> String {
        let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
        let (size, name) = units
            .into_iter()
            .find(|(size, _)| self.seconds >= *size && self.seconds.is_multiple_of(*size))
            .unwrap_or((1, "second"));
        let count = self.seconds / size;
        format!("{count} {name}{}", if count == 1 { "" } else { "s" })
    }
}

/// One place that says how long tokens live.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub seconds: u64,
    pub span: Span,
    key: Option<String>,
    /// Whether it is of tokens that let in call by call, by what the code calls them: no refresh token, no link in an e-mail.
    pub lets_in: bool,
}

pub(super) struct Lives {
    pub all: Vec<Life>,
    /// For each `gives` of the rules that some call sets up: whether every such call is written out and states no life.
    endless: BTreeMap<String, bool>,
}

impl Lives {
    pub(super) fn find(graph: &Graph) -> Self {
        let _limit = graph.limit(Rc::default());
        let mut all = Vec::new();
        let mut endless: BTreeMap<String, bool> = BTreeMap::new();
        for (_, unit) in graph.units().filter(|(file, _)| graph.sources.get(*file).scope == Scope::Production) {
            let written = unit.summary.functions.iter().flat_map(|summary| &summary.calls).map(|event| &event.call);
            // `@Module({ imports: [JwtModule.register({ .. })] })`
            let decorating = unit.summary.class_decorators.iter().flatten().flat_map(|call| calls_in(call));
            for call in written.chain(decorating) {
                for row in about(graph, graph.rules.lives_named(call.method()), call) {
                    let set_up = || graph.path(&call.args.first()?.value);
                    if row.plugin.is_some()
                        && !row.is_about(set_up().as_deref().and_then(|path| path.split('#').next()))
                    {
                        continue;
                    }
                    let value = stated(graph, row, call);
                    if let Some(gives) = &row.gives {
                        let silent = value.is_none() && options(graph, row, call).iter().all(|of| is_closed(graph, of));
                        *endless.entry(gives.clone()).or_insert(true) &= silent;
                    }
                    let Some(value) = value else { continue };
                    let maker = row.made.then(|| maker(graph, call)).flatten();
                    let of = maker.as_ref().unwrap_or(call);
                    let mut keys = row.key.iter().filter_map(|path| below(graph, of, path));
                    let key = keys.find_map(|key| name(graph, &key));
                    let told = if row.until { until(graph, &value, 10) } else { exposure_of(graph, &value, row.unit) };
                    if let Some(found) = told {
                        let span = found.at.unwrap_or_else(|| call.site.span);
                        let lets_in = !is_of_another(graph, call, key.as_deref());
                        all.push(Life { seconds: found.seconds, span, key, lets_in });
                    }
                }
            }
        }
        all.sort_by_key(|life| life.span);
        all.dedup_by_key(|life| life.span);
        Self { all, endless }
    }

    pub(super) fn letting_in(&self) -> Vec<Exposure> {
        let told = self.all.iter().filter(|life| life.lets_in);
        told.map(|life| Exposure { seconds: life.seconds, at: Some(life.span), exact: true }).collect()
    }

    /// Whether tokens that such a call signs without a life have none from elsewhere either.
    pub(super) fn has_no_other(&self, row: &Row) -> bool {
        row.takes.as_ref().is_none_or(|takes| self.endless.get(takes) == Some(&true))
    }

    /// The life of the tokens that a guard with these keys lets in.
    pub(super) fn of<'k>(&self, graph: &Graph, keys: impl Iterator<Item = &'k Shared>) -> Option<Exposure> {
        let names: Vec<String> = keys.filter_map(|key| name(graph, key)).collect();
        let exact = |life: &&Life| life.key.as_ref().is_some_and(|key| names.contains(key));
        let longest = |life: Option<&Life>, exact| {
            life.map(|life| Exposure { seconds: life.seconds, at: Some(life.span), exact })
        };
        if let Some(found) = longest(self.all.iter().filter(exact).max_by_key(|life| life.seconds), true) {
            return Some(found);
        }
        let perhaps = |life: &&Life| names.is_empty() || life.key.is_none();
        longest(self.all.iter().filter(perhaps).max_by_key(|life| life.seconds), self.all.len() == 1)
    }
}

/// Whether the key, the call or the function around it is named for tokens that do not let in call by call.
fn is_of_another(graph: &Graph, call: &CallValue, key: Option<&str>) -> bool {
    let words =
        ["refresh", "reset", "verif", "invit", "mail", "confirm", "unsubscribe", "activat", "state", "magic", "otp"];
    let text =
        format!("{} {} {}", graph.name(call.site.function), graph.sources.text(call.site.span), key.unwrap_or(""));
    let text = text.to_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// The calls in the arguments of a call, at any depth.
fn calls_in(call: &CallValue) -> Vec<&Arc<CallValue>> {
    fn visit<'v>(value: &'v Shared, found: &mut Vec<&'v Arc<CallValue>>, fuel: u8) {
        let Some(fuel) = fuel.checked_sub(1) else { return };
        if let ValueKind::Call(call) = &value.kind {
            found.push(call);
        }
        value.kind.each(&mut |inner| visit(inner, found, fuel));
    }
    let mut found = Vec::new();
    call.args.iter().for_each(|arg| visit(&arg.value, &mut found, 8));
    found
}

/// The options that may state a life.
pub(super) fn options(graph: &Graph, row: &Row, call: &CallValue) -> Vec<Shared> {
    let wholes = row.at.iter().map(|path| ArgPath { base: path.base, keys: Vec::new() });
    let given = wholes.filter_map(|path| graph.argument(call, &path).into_iter().next());
    given.map(|value| graph.resolved(&value)).collect()
}

/// Whether a value is an object whose keys are all written out, and where it holds further objects those too.
pub(super) fn is_closed(graph: &Graph, value: &Shared) -> bool {
    fn visit(graph: &Graph, value: &Shared, fuel: u8) -> bool {
        let Some(fuel) = fuel.checked_sub(1) else { return false };
        let value = graph.resolved(value);
        match &value.kind {
            ValueKind::Object { base: None, entries } => entries.iter().all(|slot| match slot {
                Slot::Named { value, .. } => {
                    !matches!(value.kind, ValueKind::Object { .. } | ValueKind::Function(_))
                        || visit(graph, value, fuel)
                }
                _ => false,
            }),
            ValueKind::Function(function) => {
                let returns = graph.summary(*function).and_then(|summary| summary.returns.as_ref());
                returns.is_some_and(|value| visit(graph, value, fuel))
            }
            _ => false,
        }
    }
    visit(graph, value, 6)
}

/// The value that says how long.
pub(super) fn stated(graph: &Graph, row: &Row, call: &CallValue) -> Option<Shared> {
    if row.made {
        let maker = maker(graph, call)?;
        return row.at.iter().find_map(|path| below(graph, &maker, path));
    }
    let Some(after) = &row.after else { return row.at.iter().find_map(|path| below(graph, call, path)) };
    let mut at = call;
    for _ in 0..12 {
        let ValueKind::Call(inner) = &at.receiver()?.kind else { return None };
        if inner.method() == Some(after) {
            return row.at.iter().find_map(|path| below(graph, inner, path));
        }
        at = inner;
    }
    None
}

/// The call that made what a call calls.
pub(super) fn maker(graph: &Graph, call: &CallValue) -> Option<Arc<CallValue>> {
    match &graph.resolved(&call.callee).kind {
        ValueKind::Call(maker) => Some(Arc::clone(maker)),
        _ => None,
    }
}

/// What stands at a path, through functions that make what they are asked for: `useFactory: () => ({ .. })`.
fn below(graph: &Graph, call: &CallValue, path: &ArgPath) -> Option<Shared> {
    let whole = ArgPath { base: path.base, keys: Vec::new() };
    let mut at = graph.argument(call, &whole).into_iter().next()?;
    // A function in the place of options is handed what the call makes.
    if matches!(at.kind, ValueKind::Function(_)) && !path.keys.is_empty() {
        return None;
    }
    for key in &path.keys {
        at = graph.resolved(&at);
        if let ValueKind::Function(function) = &at.kind {
            at = graph.resolved(graph.summary(*function)?.returns.as_ref()?);
        }
        at = struct_fields(graph, &at).unwrap_or(at);
        at = Value::field(&at, key, at.span);
        // What an absent object would hold is absent too.
        if matches!(at.kind, ValueKind::Undefined) {
            return None;
        }
    }
    (!matches!(at.kind, ValueKind::Undefined)).then_some(at)
}

/// The fields of a struct literal, `Claims { sub }`, whose declaration neither flattens another into it nor calls a field `exp`.
pub(super) fn struct_fields(graph: &Graph, value: &Shared) -> Option<Shared> {
    let ValueKind::Object { base: Some(made), entries } = &value.kind else { return None };
    let ValueKind::Call(call) = &made.kind else { return None };
    let class = graph.class_behind(&call.callee).filter(|class| call.is_new && graph.is_rust(class.file))?;
    let declared = graph.sources.text(graph.class(class)?.span);
    let plain = !declared.contains("flatten") && !declared.contains("\"exp\"");
    plain.then(|| Value::new(ValueKind::Object { base: None, entries: entries.clone() }, value.span))
}

/// A duration as code states it; `unit`: what one stands for in milliseconds where it is a number.
pub(super) fn exposure_of(graph: &Graph, value: &Shared, unit: u64) -> Option<Exposure> {
    let (seconds, at) = seconds(graph, value, unit, Digits::Milliseconds, 10)?;
    Some(Exposure { seconds, at: Some(at), exact: true })
}

/// A time that code computes from now: what it adds.
fn until(graph: &Graph, value: &Shared, fuel: u8) -> Option<Exposure> {
    let fuel = fuel.checked_sub(1)?;
    let added = added(graph.sources.text(value.span));
    if let Some(seconds) = added {
        return Some(Exposure { seconds, at: Some(value.span), exact: true });
    }
    let inner = graph.expand(value)?;
    (!Arc::ptr_eq(&inner, value)).then(|| until(graph, &inner, fuel)).flatten()
}

/// `now() + Duration::days(30)`, `now.timestamp() + 15 * 60`: the seconds.
fn added(text: &str) -> Option<u64> {
    let units =
        [("weeks(", 604_800), ("days(", 86_400), ("hours(", 3_600), ("minutes(", 60), ("seconds(", 1), ("secs(", 1)];
    let of_unit = units.iter().find_map(|(word, size)| {
        let (_, rest) = text.split_once(word)?;
        let (count, _) = rest.split_once(')')?;
        product(count)?.checked_mul(*size)
    });
    of_unit.or_else(|| text.split('+').skip(1).find_map(product))
}

/// What a text of digits alone stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Digits {
    /// As the package `ms` reads it: `expiresIn: '3600000'` is an hour (<https://github.com/auth0/node-jsonwebtoken#usage>).
    Milliseconds,
    /// Where something makes a number of it: `Number('3600')`.
    Number,
}

fn seconds(graph: &Graph, value: &Shared, unit: u64, digits: Digits, fuel: u8) -> Option<(u64, Span)> {
    let fuel = fuel.checked_sub(1)?;
    let number = |text: &str| Some(text.replace('_', "").parse::<u64>().ok()?.checked_mul(unit)? / 1_000);
    match &value.kind {
        ValueKind::Number(text) => Some((number(text)?, value.span)),
        ValueKind::Text(text) => {
            let plain = || match digits {
                Digits::Milliseconds => Some(text.parse::<u64>().ok()? / 1_000),
                Digits::Number => number(text),
            };
            Some((in_words(text).or_else(plain)?, value.span))
        }
        // `60 * 60 * 24`: products of constants are written out in the source.
        ValueKind::Opaque("arithmetic", _) => {
            Some((product(graph.sources.text(value.span))?.checked_mul(unit)? / 1_000, value.span))
        }
        ValueKind::Fallback { left, right, .. } => {
            seconds(graph, left, unit, digits, fuel).or_else(|| seconds(graph, right, unit, digits, fuel))
        }
        ValueKind::Call(call) => {
            if let Some(inner) = graph.expand(value) {
                return seconds(graph, &inner, unit, digits, fuel);
            }
            // `config.get('JWT_EXPIRES', '15m')`, `Number(env ?? 900)`, `ms('15m')`: the last argument that tells it.
            call.args.iter().rev().find_map(|arg| match &arg.value.kind {
                ValueKind::Text(text) => Some((in_words(text)?, arg.value.span)),
                _ => seconds(graph, &arg.value, unit, Digits::Number, fuel),
            })
        }
        _ => {
            let inner = graph.expand(value)?;
            (!Arc::ptr_eq(&inner, value)).then(|| seconds(graph, &inner, unit, digits, fuel)).flatten()
        }
    }
}

/// `15m`, `7 days`, `1h`: as the package `ms` reads it, seconds at the least.
pub(super) fn in_words(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let count: u64 = text.get(..digits)?.parse().ok()?;
    let size = match text.get(digits..)?.trim().to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => 1,
        "m" | "min" | "mins" | "minute" | "minutes" => 60,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 604_800,
        "y" | "yr" | "yrs" | "year" | "years" => 31_557_600,
        _ => return None,
    };
    count.checked_mul(size)
}

/// `24 * 60 * 60`.
pub(super) fn product(text: &str) -> Option<u64> {
    let text = text.trim().trim_matches(['(', ')']);
    text.split('*')
        .map(|part| part.trim().replace('_', "").parse::<u64>().ok())
        .try_fold(1_u64, |all, part| all.checked_mul(part?))
}

/// What stands for a key in two places: the variable of the environment or the entry of the configuration that holds it. Never the
/// key itself.
fn name(graph: &Graph, key: &Shared) -> Option<String> {
    let key = graph.resolved(key);
    match &key.kind {
        ValueKind::Call(call) => call.args.iter().find_map(|arg| match &graph.resolved(&arg.value).kind {
            ValueKind::Text(text) => Some(format!("config {text}")),
            _ => name(graph, &arg.value),
        }),
        ValueKind::Field(..) => graph.path(&key),
        ValueKind::Fallback { left, right, .. } => name(graph, left).or_else(|| name(graph, right)),
        ValueKind::Text(text) => {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            Some(format!("constant {:x}", hasher.finish()))
        }
        ValueKind::Object { entries, .. } => entries.iter().find_map(|slot| match slot {
            Slot::Named { key, value, .. }
                if key.to_ascii_lowercase().contains("secret") || key.to_ascii_lowercase().contains("key") =>
            {
                name(graph, value)
            }
            _ => None,
        }),
        _ => None,
    }
}

/// Whether keys are fetched from an issuer at run time, which a `foreign` call of the rules makes.
pub(super) fn is_foreign(graph: &Graph, key: &Shared) -> bool {
    let key = graph.resolved(key);
    let path = match &key.kind {
        ValueKind::Call(call) => graph.library_path(call),
        _ => graph.path(&key),
    };
    path.is_some_and(|path| graph.rules.foreign_matching(&path).next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::bench::Tree;

    fn lives(text: &str) -> Vec<u64> {
        let tree = Tree::of(&[("src/a.ts", text)]);
        Lives::find(&tree.graph()).all.iter().map(|life| life.seconds).collect()
    }

    #[test]
    fn a_text_of_digits_alone_is_milliseconds_and_a_number_seconds() {
        let signs = |life: &str| {
            lives(&format!(
                "import jwt from 'jsonwebtoken'; export const f = (id) => jwt.sign({{ id }}, key, {{ expiresIn: {life} }});"
            ))
        };
        assert_eq!([signs("'3600000'"), signs("3600"), signs("Number(process.env.LIFE ?? '3600')")], [[3_600]; 3]);
    }

    #[test]
    fn an_end_among_the_claims_and_one_that_a_chain_sets_are_lives() {
        let claims = "import jwt from 'jsonwebtoken';
            export const f = (id) => jwt.sign({ id, exp: Math.floor(Date.now() / 1000) + 60 * 60 }, process.env.KEY);";
        let chain = "import { SignJWT } from 'jose';
            export const f = (id) => new SignJWT({ id }).setIssuedAt().setExpirationTime('30d').sign(process.env.KEY);";
        assert_eq!([lives(claims), lives(chain)], [[3_600], [2_592_000]]);
    }

    #[test]
    fn of_two_lives_the_one_of_the_same_key_counts() {
        let text = "import { SignJWT, jwtVerify } from 'jose';
            export const f = (id) => new SignJWT({ id }).setExpirationTime('30d').sign(process.env.KEY);
            export const g = (id) => new SignJWT({ id }).setExpirationTime('1y').sign(process.env.OTHER);
            export const h = (token) => jwtVerify(token, process.env.KEY);";
        let tree = Tree::of(&[("src/a.ts", text)]);
        let graph = tree.graph();
        let function = tree.function(&graph, "h");
        let calls = &graph.summary(function).unwrap().calls;
        let keys: Vec<Shared> = calls.iter().filter_map(|event| Some(event.call.args.get(1)?.value.clone())).collect();
        let found = Lives::find(&graph).of(&graph, keys.iter()).unwrap();
        assert_eq!((found.seconds, found.exact), (2_592_000, true));
    }

    #[test]
    fn durations_are_read_as_libraries_read_them() {
        let read = ["15m", "7 days", "1h", "30d", "soon", "", "99999999999999999999d"].map(in_words);
        assert_eq!(read, [Some(900), Some(604_800), Some(3_600), Some(2_592_000), None, None, None]);
        assert_eq!(["30 * 24 * 60 * 60", "(60 * 15)", "x * 2"].map(product), [Some(2_592_000), Some(900), None]);
    }

    #[test]
    fn what_is_added_to_now_is_the_life() {
        let read = [
            "chrono::Utc::now().timestamp() + 30 * 24 * 3600",
            "(Utc::now() + Duration::days(7)).timestamp() as usize",
            "now.checked_add_signed(TimeDelta::minutes(15))",
            "SystemTime::now() + Duration::from_secs(2 * 60)",
            "Utc::now().timestamp()",
            "now + life",
        ]
        .map(added);
        assert_eq!(read, [Some(2_592_000), Some(604_800), Some(900), Some(120), None, None]);
    }

    #[test]
    fn a_life_is_said_in_its_largest_whole_unit() {
        let words = |seconds| Exposure { seconds, at: None, exact: true }.words();
        assert_eq!(
            [2_592_000, 900, 3_600, 86_400, 90, 0].map(words),
            ["30 days", "15 minutes", "1 hour", "1 day", "90 seconds", "0 seconds"]
        );
    }
}
