//! How long tokens live: from where they are signed, through constants and defaults of the configuration.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::guards::called::is_of_another;
use crate::guards::callers::as_called;
use crate::guards::claims::about;
use crate::guards::duration::{Durations, Told};
use crate::guards::endless::endless;
use crate::guards::stated::{below, is_closed, maker, options, stated};
use crate::rules::{Life as Row, Tells};
use crate::source::{Scope, Span};
use crate::summary::{CallValue, FunctionRef, Shared, Slot, ValueKind};

/// How long a token gets in after it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// 0 where only endless ones are told of.
    pub seconds: u64,
    /// Where it stands; `None`: the library's own default.
    pub at: Option<Span>,
    /// Whether it is told by the same key; else it is the longest of what the tree signs.
    pub exact: bool,
    /// A token that gets in too and lives longer, or for a time that is not told.
    pub open: Option<Open>,
}

/// A place that signs tokens whose life is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Open {
    /// Whether they have none: they get in until the key changes.
    pub endless: bool,
    pub at: Span,
}

impl Exposure {
    /// What gets in where tokens are let in that have ended.
    pub(super) fn without_end(at: Span) -> Self {
        Self { seconds: 0, at: None, exact: true, open: Some(Open { endless: true, at }) }
    }

    /// The shorter of what a token's own end and the guard's limit on its age leave.
    pub(super) fn shorter(of_token: Option<Self>, of_guard: Option<Self>) -> Option<Self> {
        let is_longer = |of_token: &Self, limit: &Self| of_token.open.is_some() || of_token.seconds > limit.seconds;
        match (of_token, of_guard) {
            (Some(of_token), Some(limit)) if is_longer(&of_token, &limit) => Some(limit),
            (None, limit) => limit,
            (of_token, _) => of_token,
        }
    }

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
    /// Whether it may be longer.
    least: bool,
    key: Option<String>,
    /// Whether it is of tokens that let in call by call, by what the code calls them: no refresh token, no link in an e-mail.
    pub lets_in: bool,
}

impl Life {
    fn open(&self) -> Option<Open> {
        self.least.then_some(Open { endless: false, at: self.span })
    }
}

/// A call that signs tokens whose life is not told.
#[derive(Clone, Debug)]
struct Untold {
    open: Open,
    key: Option<String>,
}

pub(super) struct Lives {
    pub all: Vec<Life>,
    /// Of tokens that let in call by call.
    untold: Vec<Untold>,
    /// For each `gives` of the rules that some call sets up: whether every such call is written out and states no life.
    endless: BTreeMap<String, bool>,
}

impl Lives {
    pub(super) fn find(graph: &Graph) -> Self {
        let _limit = graph.limit(Rc::default());
        let durations = Durations::new(graph);
        let mut all = Vec::new();
        let mut silent: Vec<(FunctionRef, CallValue, bool, Untold)> = Vec::new();
        let mut found = Self { all: Vec::new(), untold: Vec::new(), endless: BTreeMap::new() };
        for (_, unit) in graph.units().filter(|(file, _)| graph.sources.get(*file).scope == Scope::Production) {
            let written = unit.summary.functions.iter().flat_map(|summary| &summary.calls).map(|event| &event.call);
            // `@Module({ imports: [JwtModule.register({ .. })] })`
            let decorating = unit.summary.class_decorators.iter().flatten().flat_map(|call| calls_in(call));
            for call in written.chain(decorating) {
                let rows: Vec<&Row> = about(graph, graph.rules.lives_named(call.method()), call);
                let set_up = || graph.path(&call.args.first()?.value);
                let is_about = |row: &&Row| {
                    row.plugin.is_none() || row.is_about(set_up().as_deref().and_then(|path| path.split('#').next()))
                };
                let rows: Vec<&Row> = rows.into_iter().filter(is_about).collect();
                for row in &rows {
                    if let Some(gives) = &row.gives {
                        let silent = stated(graph, row, call).is_none()
                            && options(graph, row, call).iter().all(|of| is_closed(graph, of));
                        *found.endless.entry(gives.clone()).or_insert(true) &= silent;
                    }
                }
                if !rows.is_empty() {
                    let signed = Signed { graph, durations: &durations, rows: &rows };
                    signed.find(call.site.function, call, MOST_CALLERS, &mut all, &mut silent);
                }
            }
        }
        for (function, call, states, untold) in silent {
            let ends = endless(graph, &found, function, &call);
            let takes = graph.rules.lives_named(call.method()).any(|row| row.takes.is_some());
            let open = Open { endless: !ends.is_empty(), ..untold.open };
            if open.endless || states || !takes {
                found.untold.push(Untold { open, ..untold });
            }
        }
        all.sort_by_key(|life| (life.span, std::cmp::Reverse(life.seconds)));
        all.dedup_by_key(|life| life.span);
        Self { all, ..found }
    }

    pub(super) fn letting_in(&self) -> Vec<Exposure> {
        let told = self.all.iter().filter(|life| life.lets_in);
        let exposure =
            |life: &Life| Exposure { seconds: life.seconds, at: Some(life.span), exact: true, open: life.open() };
        told.map(exposure).collect()
    }

    /// Whether tokens that such a call signs without a life have none from elsewhere either.
    pub(super) fn has_no_other(&self, row: &Row) -> bool {
        row.takes.as_ref().is_none_or(|takes| self.endless.get(takes) == Some(&true))
    }

    /// The life of the tokens that a guard with these keys lets in: the longest, and whether some have none or one that is not told.
    pub(super) fn of<'k>(&self, graph: &Graph, keys: impl Iterator<Item = &'k Shared>) -> Option<Exposure> {
        let names: Vec<String> = keys.filter_map(|key| name(graph, key)).collect();
        let is_own = |key: &Option<String>| key.as_ref().is_some_and(|key| names.contains(key));
        let perhaps = |key: &Option<String>| names.is_empty() || key.is_none();
        let longest = |fits: &dyn Fn(&Option<String>) -> bool, exact: bool| {
            let told = self.all.iter().filter(|life| fits(&life.key)).max_by_key(|life| life.seconds);
            let untold = self.untold.iter().filter(|untold| fits(&untold.key)).map(|untold| untold.open);
            let open = told.and_then(Life::open).into_iter().chain(untold).max();
            match (told, open) {
                (Some(life), open) => Some(Exposure { seconds: life.seconds, at: Some(life.span), exact, open }),
                (None, Some(open)) if open.endless => Some(Exposure { seconds: 0, at: None, exact, open: Some(open) }),
                _ => None,
            }
        };
        let one = self.all.len() + self.untold.len() == 1;
        if self.all.iter().any(|life| is_own(&life.key)) || self.untold.iter().any(|untold| is_own(&untold.key)) {
            return longest(&is_own, true);
        }
        longest(&perhaps, one)
    }
}

/// So many callers up it is looked for what a function is handed.
const MOST_CALLERS: u8 = 2;

/// What the rows say about calls that sign.
struct Signed<'s, 'g, 'a> {
    graph: &'g Graph<'a>,
    durations: &'s Durations<'g, 'a>,
    rows: &'s [&'s Row],
}

impl Signed<'_, '_, '_> {
    /// Notes how long the tokens of a call live; where it is handed that, how long those of its callers do.
    fn find(
        &self,
        function: FunctionRef,
        call: &CallValue,
        fuel: u8,
        told: &mut Vec<Life>,
        silent: &mut Vec<(FunctionRef, CallValue, bool, Untold)>,
    ) {
        let graph = self.graph;
        let (mut key, mut lives, mut states) = (None, Vec::new(), false);
        let (mut handed, mut is_untold) = (None, false);
        for row in self.rows {
            let maker = row.made.then(|| maker(graph, call)).flatten();
            let of = maker.as_deref().unwrap_or(call);
            key = key
                .or_else(|| row.key.iter().filter_map(|path| below(graph, of, path)).find_map(|key| name(graph, &key)));
            let Some(value) = stated(graph, row, call) else { continue };
            states = true;
            let life = {
                let _all = graph.without_limit();
                if row.until { self.durations.until(&value) } else { self.durations.lasting(&value, row.unit) }
            };
            if life.is_some() {
                handed = handed.or_else(|| self.handed(&value, row, 8));
                is_untold |= fuel < MOST_CALLERS && self.is_untold(&value, row);
            }
            lives.extend(life);
        }
        // `expiresIn = '1h'`: what callers hand in stands in its place.
        let is_told = handed.is_none() && lives.iter().any(|life: &Told| !life.least);
        let asked = handed.or_else(|| call.args.iter().find_map(|arg| param_within(&arg.value, 8)));
        if !is_told && let (Some(of), Some(fuel)) = (asked, fuel.checked_sub(1)) {
            let calls = as_called(graph, of, call);
            for (caller, bound) in &calls {
                self.find(*caller, bound, fuel, told, silent);
            }
            if !calls.is_empty() {
                return;
            }
        }
        for life in &mut lives {
            life.least |= handed.is_some() || is_untold;
        }
        let lets_in = !is_of_another(graph, self.rows, function, call, key.as_deref());
        for life in &lives {
            told.push(Life { seconds: life.seconds, span: life.at, least: life.least, key: key.clone(), lets_in });
        }
        let signs = self.rows.iter().any(|row| row.payload.is_some());
        if lives.is_empty() && lets_in && signs {
            let open = Open { endless: false, at: call.site.span };
            silent.push((function, call.clone(), states, Untold { open, key }));
        }
    }
}

impl Signed<'_, '_, '_> {
    /// The function that is handed a duration which nothing in it tells, whatever stands in for it where it is left out.
    fn handed(&self, value: &Shared, row: &Row, fuel: u8) -> Option<FunctionRef> {
        let fuel = fuel.checked_sub(1)?;
        match &value.kind {
            ValueKind::Param(of, _) => Some(*of),
            // `options = { expiresIn: '1h' }`
            ValueKind::Field(base, _) if let ValueKind::Fallback { left, .. } = &base.kind => param_below(left),
            ValueKind::Field(base, _) => {
                param_below(base).filter(|_| self.durations.lasting(value, row.unit).is_none())
            }
            // A condition chooses a duration, and is none.
            ValueKind::Cond { then, otherwise, .. } => {
                self.handed(then, row, fuel).or_else(|| self.handed(otherwise, row, fuel))
            }
            _ if value.is_open() => {
                let mut found = None;
                value.kind.each(&mut |inner| found = found.or_else(|| self.handed(inner, row, fuel)));
                found
            }
            _ => None,
        }
    }

    /// Whether a caller hands in what is not told, no setting, in the place of a default.
    fn is_untold(&self, value: &Shared, row: &Row) -> bool {
        let ValueKind::Fallback { left, .. } = &value.kind else { return false };
        let is_setting = |path: String| self.graph.rules.tells(Tells::Setting, &path);
        self.durations.lasting(left, row.unit).is_none()
            && !matches!(left.kind, ValueKind::Undefined | ValueKind::Null)
            && !self.graph.path(left).is_some_and(is_setting)
    }
}

/// The function whose parameter a value is a key of.
fn param_below(value: &Shared) -> Option<FunctionRef> {
    match &value.kind {
        ValueKind::Param(of, _) => Some(*of),
        ValueKind::Field(base, _) => param_below(base),
        _ => None,
    }
}

/// A function whose parameter lies in a value.
pub(super) fn param_within(value: &Shared, fuel: u8) -> Option<FunctionRef> {
    let fuel = fuel.checked_sub(1)?;
    if let ValueKind::Param(of, _) = &value.kind {
        return Some(*of);
    }
    let mut found = None;
    if value.is_open() {
        value.kind.each(&mut |inner| found = found.or_else(|| param_within(inner, fuel)));
    }
    found
}

/// The calls in the arguments of a call, at any depth.
pub(super) fn calls_in(call: &CallValue) -> Vec<&Arc<CallValue>> {
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

/// A duration as code states it; `unit`: what one stands for in milliseconds where it is a number.
pub(super) fn exposure_of(graph: &Graph, value: &Shared, unit: u64) -> Option<Exposure> {
    let told = Durations::new(graph).lasting(value, unit)?;
    let open = told.least.then_some(Open { endless: false, at: told.at });
    Some(Exposure { seconds: told.seconds, at: Some(told.at), exact: true, open })
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
        // The two halves of a pair: what one signs the other verifies.
        ValueKind::Field(base, half) if ["privateKey", "publicKey"].contains(&half.as_str()) => {
            Some(format!("pair {}", graph.path(base).or_else(|| name(graph, base))?))
        }
        // A field that goes by its type, `EncodingKey`, may hold any.
        ValueKind::Field(..) => graph.path(&key).filter(|path| match graph.type_of(&key) {
            Type::External(ty, _) => ty != *path,
            _ => true,
        }),
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
    let is_row = |path: String| graph.rules.foreign_matching(&path).next().is_some();
    let mut key = graph.resolved(key);
    // `(header, done) => client.getSigningKey(header.kid, (error, key) => done(error, key?.getPublicKey()))`
    if let ValueKind::Function(function) = key.kind {
        let calls = graph.summary(function).map_or(&[][..], |summary| summary.calls.as_slice());
        return calls.iter().any(|event| graph.library_path(&event.call).is_some_and(is_row));
    }
    for _ in 0..6 {
        let ValueKind::Call(call) = &key.kind else { return graph.path(&key).is_some_and(is_row) };
        if graph.library_path(call).is_some_and(is_row) {
            return true;
        }
        let Some(receiver) = call.receiver() else { return false };
        key = graph.resolved(receiver);
    }
    false
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::graph::bench::Tree;

    /// The lives that a file states.
    pub(in crate::guards) fn lives(text: &str) -> Vec<u64> {
        let tree = Tree::of(&[("src/a.ts", text)]);
        Lives::find(&tree.graph()).all.iter().map(|life| life.seconds).collect()
    }

    /// The lives of what jsonwebtoken signs with an `expiresIn`, behind other statements.
    pub(in crate::guards) fn signed(before: &str, life: &str) -> Vec<u64> {
        lives(&format!(
            "import jwt from 'jsonwebtoken'; {before} export const f = (id, long) => jwt.sign({{ id }}, key, {{ expiresIn: {life} }});"
        ))
    }

    /// What gets in by the key that the first call of `h` is handed.
    pub(in crate::guards) fn let_in(text: &str) -> Exposure {
        let tree = Tree::of(&[("src/a.ts", text)]);
        let graph = tree.graph();
        let calls = &graph.summary(tree.function(&graph, "h")).unwrap().calls;
        let keys: Vec<Shared> = calls.iter().filter_map(|event| Some(event.call.args.get(1)?.value.clone())).collect();
        Lives::find(&graph).of(&graph, keys.iter()).unwrap()
    }

    #[test]
    fn a_text_of_digits_alone_is_milliseconds_and_a_number_seconds() {
        let lives = ["'3600000'", "3600", "Number(process.env.LIFE ?? '3600')"].map(|life| signed("", life));
        assert_eq!(lives, [[3_600]; 3]);
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
        let found = let_in(
            "import { SignJWT, jwtVerify } from 'jose';
            export const f = (id) => new SignJWT({ id }).setExpirationTime('30d').sign(process.env.KEY);
            export const g = (id) => new SignJWT({ id }).setExpirationTime('1y').sign(process.env.OTHER);
            export const h = (token) => jwtVerify(token, process.env.KEY);",
        );
        assert_eq!((found.seconds, found.exact), (2_592_000, true));
    }

    #[test]
    fn what_callers_hand_in_takes_the_place_of_a_default() {
        let live = |helper: &str, calls: &str| {
            let found = let_in(&format!(
                "import jwt from 'jsonwebtoken';
                 const sign = {helper};
                 {calls}
                 export const h = (token) => jwt.verify(token, process.env.KEY);"
            ));
            (found.seconds, found.open.is_some())
        };
        let [by_default, by_options, by_spread] = [
            "(claims, expiresIn = '1h') => jwt.sign(claims, process.env.KEY, { expiresIn })",
            "(claims, options = { expiresIn: '1h' }) => jwt.sign(claims, process.env.KEY, options)",
            "(claims, options = {}) => jwt.sign(claims, process.env.KEY, { expiresIn: '1h', ...options })",
        ];
        let by_fallback = "(claims, life) => jwt.sign(claims, process.env.KEY, { expiresIn: life ?? '1h' })";
        let week = "export const login = (id) => sign({ id }, '7d');";
        for helper in [by_default, by_fallback] {
            assert_eq!(live(helper, week), (604_800, false), "{helper}");
            assert_eq!(live(helper, "export const login = (id) => sign({ id }, '5m');"), (300, false), "{helper}");
            let either = "export const login = (id) => sign({ id }, '5m'); export const other = (id) => sign({ id });";
            assert_eq!(live(helper, either), (3_600, false), "{helper}");
            for untold in ["", "export const login = (id, x) => sign({ id }, x);", "sign({}, globalThis.shop.life);"] {
                assert_eq!(live(helper, untold), (3_600, true), "{helper}");
            }
        }
        let chosen = "(claims, long) => jwt.sign(claims, process.env.KEY, { expiresIn: long ? '7d' : '1h' })";
        assert_eq!(live(chosen, ""), (604_800, false));
        for helper in [by_options, by_spread] {
            let week = "export const login = (id) => sign({ id }, { expiresIn: '7d' });";
            assert_eq!(live(helper, week), (604_800, false), "{helper}");
            assert_eq!(live(helper, "export const login = (id) => sign({ id });"), (3_600, false), "{helper}");
        }
    }

    #[test]
    fn a_function_of_the_tree_that_is_called_like_a_unit_is_none() {
        let tree = Tree::of(&[(
            "src/main.rs",
            "use jsonwebtoken::{encode, EncodingKey, Header};
            use std::time::Duration;
            struct Claims { sub: String, exp: i64 }
            struct Keys { one: EncodingKey }
            fn seconds(duration: Duration) -> i64 { i64::try_from(duration.as_secs()).unwrap_or(i64::MAX) }
            fn sign(keys: &Keys, now: i64) -> String {
                let claims = Claims { sub: String::new(), exp: now + seconds(Duration::from_mins(15)) };
                encode(&Header::default(), &claims, &keys.one).unwrap()
            }",
        )]);
        let found: Vec<_> = Lives::find(&tree.graph()).all.into_iter().map(|life| (life.seconds, life.key)).collect();
        assert_eq!(found, [(900, None)]);
    }

    #[test]
    fn a_life_is_said_in_its_largest_whole_unit() {
        let words = |seconds| Exposure { seconds, at: None, exact: true, open: None }.words();
        assert_eq!(
            [2_592_000, 900, 3_600, 86_400, 90, 0].map(words),
            ["30 days", "15 minutes", "1 hour", "1 day", "90 seconds", "0 seconds"]
        );
    }
}
