//! How long code says that something lasts: constants, arithmetic, configuration and its defaults.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::guards::settings::Settings;
use crate::guards::until::{is_shorter, outside_brackets, shortest};
use crate::source::{FileId, Scope, Span};
use crate::summary::{CallValue, ClassRef, Member, Shared, Slot, ValueKind};

/// What code tells of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub seconds: u64,
    pub at: Span,
    /// Whether it may be more: on some way it is not told.
    pub least: bool,
}

/// What a text of digits alone stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Digits {
    /// As the package `ms` reads it: `expiresIn: '3600000'` is an hour (<https://github.com/auth0/node-jsonwebtoken#usage>).
    Milliseconds,
    /// Where something makes a number of it: `Number('3600')`.
    Number,
}

/// What a value may be instead of itself.
struct Ways {
    values: Vec<Shared>,
    /// Whether each of them comes about; else the first that is told counts with the others.
    all: bool,
}

/// Answers about durations in one tree.
pub(super) struct Durations<'g, 'a> {
    pub(super) graph: &'g Graph<'a>,
    /// What objects of a class are made with.
    made: OnceCell<BTreeMap<(ClassRef, String), Vec<Shared>>>,
    settings: Settings<'g, 'a>,
}

pub(super) const FUEL: u8 = 24;

impl<'g, 'a> Durations<'g, 'a> {
    pub(super) fn new(graph: &'g Graph<'a>) -> Self {
        Self { graph, made: OnceCell::new(), settings: Settings::new(graph) }
    }

    /// A duration as code states it; `unit`: what one stands for in milliseconds where it is a number.
    pub(super) fn lasting(&self, value: &Shared, unit: u64) -> Option<Told> {
        self.graph.refuel();
        self.lasts(value, unit, Digits::Milliseconds, FUEL)
    }

    pub(super) fn lasts(&self, value: &Shared, unit: u64, digits: Digits, fuel: u8) -> Option<Told> {
        let fuel = fuel.checked_sub(1)?;
        let told = |count: u64| Some(Told { seconds: count.checked_mul(unit)? / 1_000, at: value.span, least: false });
        match &value.kind {
            ValueKind::Number(text) => return told(plain_number(text)?),
            ValueKind::Text(text) => {
                let plain = || match digits {
                    Digits::Milliseconds => Some(text.parse::<u64>().ok()? / 1_000),
                    Digits::Number => Some(plain_number(text)?.checked_mul(unit)? / 1_000),
                };
                return Some(Told { seconds: in_words(text).or_else(plain)?, at: value.span, least: false });
            }
            ValueKind::Opaque("arithmetic", _) => {
                let (count, least) = self.number(value, fuel)?;
                return Some(Told { least, ..told(count)? });
            }
            // `${days}d`
            ValueKind::Concat(parts) => {
                let [count, unit] = parts.as_slice() else { return None };
                let ValueKind::Text(unit) = &self.graph.resolved(unit).kind else { return None };
                let (count, least) = self.number(count, fuel)?;
                return Some(Told { seconds: in_words(&format!("{count}{unit}"))?, at: value.span, least });
            }
            ValueKind::Call(call) => {
                if is_shorter(call) {
                    return shortest(call, &|inner| self.lasts(inner, unit, digits, fuel));
                }
                if let Some(size) = self.unit_of(call) {
                    let (count, least) = self.number(&call.args.first()?.value, fuel)?;
                    return Some(Told { seconds: count.checked_mul(size)?, at: value.span, least });
                }
                if let Some(told) = self.counted(value, call, fuel) {
                    return Some(told);
                }
                // A time that lies in the future: `new Date(Date.now() + life)`.
                if self.is_date(call) {
                    return self.milliseconds_from_now(&call.args.first()?.value, fuel);
                }
            }
            _ => {}
        }
        let behind = |inner: &Shared| self.lasts(inner, unit, digits, fuel);
        if let Some(told) = self.over(value, &behind) {
            return Some(told);
        }
        let ValueKind::Call(call) = &value.kind else { return None };
        // `Number(env ?? 900)`, `parseInt(env, 10)`
        if let Some(through) = self.handed_through(call) {
            return through.iter().find_map(|value| self.lasts(value, unit, Digits::Number, fuel));
        }
        // `config.get('JWT_EXPIRES', '15m')`, `ms('15m')`: the last argument that tells it.
        let given = call.args.iter().rev().find_map(|arg| match &arg.value.kind {
            ValueKind::Text(text) => Some(Told { seconds: in_words(text)?, at: arg.value.span, least: false }),
            _ => self.lasts(&arg.value, unit, Digits::Number, fuel),
        });
        // `Duration::days(30).num_seconds()`
        given.or_else(|| self.lasts(call.receiver()?, unit, Digits::Number, fuel))
    }

    /// A whole number, and whether it may be more.
    pub(super) fn number(&self, value: &Shared, fuel: u8) -> Option<(u64, bool)> {
        let fuel = fuel.checked_sub(1)?;
        match &value.kind {
            ValueKind::Number(text) | ValueKind::Text(text) => return Some((plain_number(text)?, false)),
            ValueKind::Opaque("arithmetic", operands) => {
                let text = outside_brackets(self.graph.sources.text(value.span));
                let all: Option<Vec<(u64, bool)>> = operands.iter().map(|of| self.number(of, fuel)).collect();
                let (all, sum) = (all.filter(|all| !all.is_empty())?, text.contains('+'));
                if text.contains(['-', '/', '%', '<', '>', '&', '|', '^']) || !sum && !text.contains('*') {
                    return None;
                }
                let least = all.iter().any(|(_, least)| *least);
                let join =
                    |total: u64, count: u64| if sum { total.checked_add(count) } else { total.checked_mul(count) };
                let total = all.iter().try_fold(u64::from(!sum), |total, (count, _)| join(total, *count))?;
                return Some((total, least));
            }
            _ => {}
        }
        let as_told = |inner: &Shared| {
            let (seconds, least) = self.number(inner, fuel)?;
            Some(Told { seconds, at: inner.span, least })
        };
        if let Some(told) = self.over(value, &as_told) {
            return Some((told.seconds, told.least));
        }
        let ValueKind::Call(call) = &value.kind else { return None };
        if let Some(through) = self.handed_through(call) {
            return through.iter().find_map(|value| self.number(value, fuel));
        }
        let given = call.args.iter().rev().find_map(|arg| self.number(&arg.value, fuel));
        // `env::var("MINUTES").unwrap_or_else(..).parse()`
        given.or_else(|| self.number(call.receiver().filter(|_| call.args.is_empty())?, fuel))
    }

    /// What a call of a library gives back of its arguments, where the rules say it: not the radix of `parseInt(text, 10)`.
    fn handed_through(&self, call: &CallValue) -> Option<Vec<Shared>> {
        let path = self.graph.library_path(call)?;
        let from = self.graph.rules.passes_matching(&path).flat_map(|row| &row.from);
        let values: Vec<Shared> = from.flat_map(|from| self.graph.argument(call, from)).collect();
        (!values.is_empty()).then_some(values)
    }

    /// The longest of what a value may be.
    pub(super) fn over(&self, value: &Shared, told: &dyn Fn(&Shared) -> Option<Told>) -> Option<Told> {
        let ways = self.ways(value)?;
        let all: Vec<Option<Told>> = ways.values.iter().map(told).collect();
        let open = ways.all && all.iter().any(Option::is_none);
        let longest = all.iter().flatten().max_by_key(|told| told.seconds).copied()?;
        let least = open || all.iter().flatten().any(|told| told.least);
        Some(Told { least, ..longest })
    }

    fn ways(&self, value: &Shared) -> Option<Ways> {
        let graph = self.graph;
        let each = |values: Vec<Shared>, all: bool| (!values.is_empty()).then_some(Ways { values, all });
        match &value.kind {
            // What is there has nothing stand in for it.
            ValueKind::Fallback { left, .. } if is_there(&graph.resolved(left)) => each(vec![Arc::clone(left)], true),
            ValueKind::Fallback { left, right, .. } => each(vec![Arc::clone(left), Arc::clone(right)], false),
            ValueKind::Cond { then, otherwise, .. } => each(vec![Arc::clone(then), Arc::clone(otherwise)], true),
            ValueKind::Either(values) => each(values.clone(), true),
            ValueKind::Index(base, _) | ValueKind::Element(base) => {
                let inner = graph.expand(value).filter(|inner| !Arc::ptr_eq(inner, value));
                if let Some(inner) = inner {
                    return each(vec![inner], true);
                }
                match &graph.resolved(base).kind {
                    ValueKind::Object { entries, .. } => {
                        let named = entries.iter().filter_map(|slot| match slot {
                            Slot::Named { value, .. } => Some(Arc::clone(value)),
                            _ => None,
                        });
                        each(named.collect(), true)
                    }
                    ValueKind::Array(members) => {
                        let members = members.iter().map(|member| {
                            let (Member::One(inner) | Member::Spread(inner) | Member::Each(inner)) = member;
                            Arc::clone(inner)
                        });
                        each(members.collect(), true)
                    }
                    _ => None,
                }
            }
            ValueKind::Field(base, name) => {
                let inner = graph.expand(value).filter(|inner| !Arc::ptr_eq(inner, value));
                inner
                    .and_then(|inner| each(vec![inner], true))
                    .or_else(|| each(self.settings.handed_in(base, name), true))
                    .or_else(|| each(self.settings.parsed(base, name).into_iter().collect(), true))
                    .or_else(|| each(self.made_with(base, name), true))
            }
            ValueKind::Call(call) => {
                let looked_up = self.settings.looked_up(call);
                if !looked_up.is_empty() {
                    return each(looked_up, true);
                }
                let inner = graph.expand(value).filter(|inner| !Arc::ptr_eq(inner, value))?;
                each(vec![inner], true)
            }
            ValueKind::Captured(..) | ValueKind::Import(..) | ValueKind::Leaves(..) | ValueKind::After { .. } => {
                let inner = graph.expand(value).filter(|inner| !Arc::ptr_eq(inner, value))?;
                each(vec![inner], true)
            }
            _ => None,
        }
    }

    /// What one of a call's argument lasts, of calls that make durations: `Duration::days`, `TimeDelta::try_hours`.
    fn unit_of(&self, call: &CallValue) -> Option<u64> {
        // What the tree itself calls so says for itself what it does.
        if call.args.len() != 1 || !self.graph.targets(call).is_empty() {
            return None;
        }
        let path = || self.graph.callee_path(call).unwrap_or_default();
        let name = call.method().map_or_else(path, str::to_owned);
        let name = name.rsplit(['.', '#', ':']).next().unwrap_or_default();
        self.graph.rules.unit().find(|row| row.names.iter().any(|known| known == name)).map(|row| row.seconds)
    }

    /// What the objects of a class hold in a field, by what the tree makes them with, and by what stands in for it where a
    /// configuration lacks it.
    fn made_with(&self, base: &Shared, name: &str) -> Vec<Shared> {
        let Type::Instance(class, _) = self.graph.type_of(base) else { return Vec::new() };
        let made = self.made.get_or_init(|| made(self.graph));
        let mut values = made.get(&(class, name.to_owned())).cloned().unwrap_or_default();
        values.extend(self.settings.default_of(class, name));
        values
    }
}

/// What struct literals hold, by class and field: `Self { days: 30 }`.
fn made(graph: &Graph) -> BTreeMap<(ClassRef, String), Vec<Shared>> {
    let mut made: BTreeMap<(ClassRef, String), Vec<Shared>> = BTreeMap::new();
    let is_ours = |file: &FileId| graph.is_rust(*file) && graph.sources.get(*file).scope == Scope::Production;
    for summary in graph.units().filter(|(file, _)| is_ours(file)).flat_map(|(_, unit)| &unit.summary.functions) {
        let args = summary.calls.iter().flat_map(|event| &event.call.args).map(|arg| &arg.value);
        let mut open: Vec<&Shared> =
            summary.returns.iter().chain(summary.assigned.values().flatten()).chain(args).collect();
        let mut seen = BTreeSet::new();
        while let Some(value) = open.pop() {
            if seen.len() > 5_000 || !seen.insert(Arc::as_ptr(value).addr()) {
                continue;
            }
            value.kind.each(&mut |inner| open.push(inner));
            let ValueKind::Object { base: Some(base), entries } = &value.kind else { continue };
            let ValueKind::Call(call) = &base.kind else { continue };
            let class = Some(&call.callee).filter(|_| call.is_new).and_then(|callee| graph.class_behind(callee));
            let Some(class) = class.filter(|of| graph.is_rust(of.file)) else { continue };
            for slot in entries {
                let Slot::Named { key, value, .. } = slot else { continue };
                let held = made.entry((class, key.clone())).or_default();
                if !held.iter().any(|known| Arc::ptr_eq(known, value)) {
                    held.push(Arc::clone(value));
                }
            }
        }
    }
    made
}

/// Whether a value is a constant that no other stands in for.
fn is_there(value: &Shared) -> bool {
    matches!(&value.kind, ValueKind::Text(text) | ValueKind::Number(text) if !["", "0"].contains(&text.as_str()))
}

fn plain_number(text: &str) -> Option<u64> {
    let digits: String = text.trim().chars().filter(|c| *c != '_').collect();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    // `30i64`
    ["", "n", "i64", "u64", "i32", "u32", "usize", "isize", "i128", "u128"].contains(&&digits[end..]).then_some(())?;
    digits[..end].parse().ok()
}

/// `15m`, `7 days`, `1h`: as the package `ms` reads it, seconds at the least. `+1 day`, `1 day from now`: as jose does
/// (<https://github.com/panva/jose/blob/main/docs/jwt/sign/classes/SignJWT.md#setexpirationtime>).
pub(super) fn in_words(text: &str) -> Option<u64> {
    let text = text.trim().trim_start_matches('+').trim_end_matches(" from now").trim();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::bench::Tree;
    use crate::guards::life::Lives;
    use crate::guards::life::tests::{let_in, lives, signed};

    #[test]
    fn durations_are_read_as_libraries_read_them() {
        let read = ["15m", "7 days", "1h", "30d", "soon", "", "99999999999999999999d"].map(in_words);
        assert_eq!(read, [Some(900), Some(604_800), Some(3_600), Some(2_592_000), None, None, None]);
        assert_eq!(["1 day from now", "+2 hours", "1 day ago"].map(in_words), [Some(86_400), Some(7_200), None]);
        assert_eq!(["30", "1_000", "30i64", "x"].map(plain_number), [Some(30), Some(1_000), Some(30), None]);
    }

    #[test]
    fn constants_branches_defaults_and_reassigned_variables_tell_a_life() {
        assert_eq!(signed("", "long ? '30d' : '1h'"), [2_592_000]);
        assert_eq!(signed("const DAYS = 14;", "`${DAYS}d`"), [1_209_600]);
        assert_eq!(signed("const LIVES = { a: '20m', b: '2h' };", "LIVES.a"), [1_200]);
        let env = "import { z } from 'zod'; const env = z.object({ LIFE: z.coerce.number().default(1800) }).parse(process.env);";
        assert_eq!(signed(env, "env.LIFE"), [1_800]);
        let reassigned = "import jwt from 'jsonwebtoken';
            export function f(id, long) { let life = '10m'; if (long) life = '90d'; return jwt.sign({ id }, key, { expiresIn: life }); }";
        assert_eq!(lives(reassigned), [7_776_000]);
        let date = "import { SignJWT } from 'jose';
            export const f = (id) => new SignJWT({ id }).setExpirationTime(new Date(Date.now() + 12 * 3600 * 1000)).sign(key);";
        assert_eq!(lives(date), [43_200]);
    }

    #[test]
    fn a_configuration_tells_a_life_by_its_name_and_by_its_type() {
        let tree = Tree::of(&[
            ("src/jwt.config.ts", "import { registerAs } from '@nestjs/config'; export default registerAs('jwt', () => ({ life: process.env.LIFE || '8h', other: '2h' }));"),
            ("src/app.config.ts", "export default () => ({ security: { expiresIn: '2m' } });"),
            (
                "src/app.module.ts",
                "import { Module } from '@nestjs/common'; import { ConfigModule } from '@nestjs/config'; import config from './app.config';
                 @Module({ imports: [ConfigModule.forRoot({ load: [config] })] }) export class AppModule {}",
            ),
            (
                "src/auth.ts",
                "import jwt from 'jsonwebtoken'; import { ConfigService, ConfigType } from '@nestjs/config'; import jwtConfig from './jwt.config';
                 export class A {
                     constructor(private config: ConfigService, private jwt: ConfigType<typeof jwtConfig>) {}
                     a(id) { return jwt.sign({ id }, key, { expiresIn: this.jwt.life }); }
                     b(id) { return jwt.sign({ id }, key, { expiresIn: this.config.get('security').expiresIn }); }
                     c(id) { return jwt.sign({ id }, key, { expiresIn: this.config.get('jwt.other') }); }
                 }",
            ),
        ]);
        let mut found: Vec<u64> = Lives::find(&tree.graph()).all.iter().map(|life| life.seconds).collect();
        found.sort_unstable();
        assert_eq!(found, [120, 7_200, 28_800]);
    }

    #[test]
    fn struct_literals_serde_defaults_and_the_shorter_of_two_tell_a_life() {
        let encoded = |before: &str, life: &str| {
            let text = format!(
                "use chrono::{{Duration, Utc}}; use jsonwebtoken::{{encode, EncodingKey, Header}};
                 {before}
                 pub struct Claims {{ sub: i64, exp: i64 }}
                 pub fn issue(sub: i64, config: &Config) -> String {{
                     let exp = (Utc::now() + Duration::days({life})).timestamp();
                     encode(&Header::default(), &Claims {{ sub, exp }}, &EncodingKey::from_secret(b\"key\")).unwrap()
                 }}"
            );
            let tree = Tree::of(&[("src/lib.rs", &text)]);
            let found: Vec<u64> = Lives::find(&tree.graph()).all.iter().map(|life| life.seconds).collect();
            found
        };
        let made = "pub struct Config { pub days: i64 }
            impl Default for Config { fn default() -> Self { Self { days: 30 } } }";
        assert_eq!(encoded(made, "config.days"), [2_592_000]);
        let lacking =
            "#[derive(Deserialize)] pub struct Config { pub name: String, #[serde(default = \"days\")] pub days: i64 }
            fn days() -> i64 { 14 }";
        assert_eq!(encoded(lacking, "config.days"), [1_209_600]);
        let other = "#[derive(Deserialize)] pub struct Config { #[serde(default = \"days\")] pub others: i64,
            pub days: i64 } fn days() -> i64 { 14 }";
        assert!(encoded(other, "config.days").is_empty());
        let two = "pub struct Config { pub days: i64, pub most: i64 }
            impl Config { pub fn new() -> Self { Self { days: 2, most: 90 } } }";
        assert_eq!(encoded(two, "config.most.min(config.days)"), [172_800]);
    }

    #[test]
    fn a_call_of_the_same_key_without_a_life_or_with_an_unknown_one_is_not_forgotten() {
        let open = |other: &str| {
            let found = let_in(&format!(
                "import jwt from 'jsonwebtoken';
                 export const f = (id) => jwt.sign({{ id }}, process.env.KEY, {{ expiresIn: '5m' }});
                 export const g = (id, options) => {other};
                 export const h = (token) => jwt.verify(token, process.env.KEY);"
            ));
            (found.seconds, found.open.map(|open| open.endless))
        };
        assert_eq!(open("jwt.sign({ id }, process.env.KEY)"), (300, Some(true)));
        assert_eq!(open("jwt.sign({ id }, process.env.KEY, options)"), (300, Some(false)));
        assert_eq!(open("jwt.sign({ id }, process.env.KEY, { expiresIn: process.env.LIFE })"), (300, Some(false)));
        assert_eq!(open("jwt.sign({ id }, process.env.KEY, { expiresIn: '10m' })"), (600, None));
        assert_eq!(open("jwt.sign({ id }, process.env.OTHER)"), (300, None));
    }
}
