//! When something ends, as code computes it from now: what is added to the time.

use crate::guards::duration::{Digits, Durations, FUEL, Told};
use crate::rules::Tells;
use crate::summary::{CallValue, Shared, Slot, ValueKind};

impl Durations<'_, '_> {
    /// A time that code computes from now: what it adds.
    pub(super) fn until(&self, value: &Shared) -> Option<Told> {
        self.graph.refuel();
        self.ends(value, FUEL)
    }

    fn ends(&self, value: &Shared, fuel: u8) -> Option<Told> {
        let fuel = fuel.checked_sub(1)?;
        let life = |value: &Shared| self.lasts(value, 1_000, Digits::Number, fuel);
        match &value.kind {
            ValueKind::Opaque("arithmetic", operands)
                if let [time, of] = operands.as_slice()
                    && self.is_thousand(of) =>
            {
                return self.milliseconds_from_now(time, fuel).or_else(|| self.ends(time, fuel));
            }
            ValueKind::Opaque("arithmetic", operands) | ValueKind::Concat(operands)
                if outside_brackets(self.graph.sources.text(value.span)).contains('+') || !self.is_written(value) =>
            {
                // Milliseconds where seconds are meant: it lies far ahead of what is added.
                if operands.iter().any(|operand| self.is_in_milliseconds(operand)) {
                    return None;
                }
                let found = operands.iter().find_map(|operand| self.ends(operand, fuel));
                return found.or_else(|| operands.iter().rev().find_map(life));
            }
            ValueKind::Call(call) if is_shorter(call) => return shortest(call, &|inner| self.ends(inner, fuel)),
            ValueKind::Call(call) if self.is_date(call) => {
                let time = &call.args.first()?.value;
                return self.milliseconds_from_now(time, fuel).or_else(|| self.ends(time, fuel));
            }
            ValueKind::Call(call) => {
                let adds = call.method().is_some_and(|name| self.graph.rules.tells(Tells::Addition, name));
                if adds && let Some(told) = self.added(value, call, fuel) {
                    return told;
                }
                if let Some(size) = self.adds(call) {
                    let (count, least) = self.number(&call.args.get(1)?.value, fuel)?;
                    return Some(Told { seconds: count.checked_mul(size)?, at: value.span, least });
                }
                if let Some(told) = self.over(value, &|inner| self.ends(inner, fuel)) {
                    return Some(told);
                }
                // `(now + life).timestamp()`, `Math.floor(end / 1000)`
                let receiver = call.receiver().and_then(|receiver| self.ends(receiver, fuel));
                return receiver.or_else(|| call.args.iter().find_map(|arg| self.ends(&arg.value, fuel)));
            }
            _ => {}
        }
        self.over(value, &|inner| self.ends(inner, fuel))
    }

    /// What a method adds to a time; `None`: it is handed no duration.
    #[expect(clippy::option_option, reason = "a duration of an untold unit is no other one")]
    fn added(&self, value: &Shared, call: &CallValue, fuel: u8) -> Option<Option<Told>> {
        let told = |count: (u64, bool), size: u64| {
            Some(Told { seconds: count.0.checked_mul(size)?, at: value.span, least: count.1 })
        };
        match call.args.as_slice() {
            [_, _] => Some(self.counted(value, call, fuel)),
            // `DateTime.now().plus({ days: 1, hours: 12 })`
            [only] if let ValueKind::Object { base: None, entries } = &self.graph.resolved(&only.value).kind => {
                let parts = entries.iter().map(|slot| {
                    let Slot::Named { key, value, .. } = slot else { return None };
                    told(self.number(value, fuel)?, self.size_of(key)?)
                });
                let all: Option<Vec<Told>> = parts.collect();
                let sum = |sum: Told, part: Told| Told {
                    seconds: sum.seconds.saturating_add(part.seconds),
                    least: sum.least || part.least,
                    ..sum
                };
                Some(all.and_then(|all| all.into_iter().reduce(sum)))
            }
            args => args.iter().find_map(|arg| self.lasts(&arg.value, 1_000, Digits::Number, fuel)).map(Some),
        }
    }

    /// `Date.now()`
    fn is_in_milliseconds(&self, value: &Shared) -> bool {
        let ValueKind::Call(call) = &value.kind else { return false };
        self.graph.library_path(call).as_deref() == Some("global#Date.now")
    }

    fn is_thousand(&self, value: &Shared) -> bool {
        matches!(&self.graph.resolved(value).kind, ValueKind::Number(text) if ["1000", "1_000", "1e3"].contains(&text.as_str()))
    }

    /// A number and what one of it stands for: `moment().add(30, 'minutes')`, `moment.duration(30, 'minutes')`.
    pub(super) fn counted(&self, value: &Shared, call: &CallValue, fuel: u8) -> Option<Told> {
        let [count, unit] = call.args.as_slice() else { return None };
        let ValueKind::Text(unit) = &self.graph.resolved(&unit.value).kind else { return None };
        let size = self.size_of(unit)?;
        let (count, least) = self.number(&count.value, fuel)?;
        Some(Told { seconds: count.checked_mul(size)?, at: value.span, least })
    }

    /// `new Date(..)`
    pub(super) fn is_date(&self, call: &CallValue) -> bool {
        call.is_new && self.graph.path(&call.callee).is_some_and(|path| path.ends_with("#Date"))
    }

    /// What a word stands for beside a number: `minutes`.
    fn size_of(&self, word: &str) -> Option<u64> {
        let says = |known: &String| known == word || known.len() > 2 && known.eq_ignore_ascii_case(word);
        self.graph.rules.unit().find(|row| row.words.iter().any(says)).map(|row| row.seconds)
    }

    /// What one of the second argument stands for, of functions that add so many to a time: `addDays(new Date(), 2)`.
    fn adds(&self, call: &CallValue) -> Option<u64> {
        let path = self.graph.library_path(call)?;
        self.graph.rules.unit().find(|row| row.adds.iter().any(|call| call.matches(&path))).map(|row| row.seconds)
    }

    /// Whether an operation stands in the text as it is.
    fn is_written(&self, value: &Shared) -> bool {
        self.graph.sources.text(value.span).contains(['+', '*', '-', '/'])
    }

    /// `Date.now() + 12 * 3600 * 1000`
    pub(super) fn milliseconds_from_now(&self, value: &Shared, fuel: u8) -> Option<Told> {
        let fuel = fuel.checked_sub(1)?;
        if let ValueKind::Opaque("arithmetic", operands) | ValueKind::Concat(operands) = &value.kind {
            return operands.iter().rev().find_map(|operand| self.lasts(operand, 1, Digits::Number, fuel));
        }
        self.over(value, &|inner| self.milliseconds_from_now(inner, fuel))
    }
}

/// `session_end.min(now + life)`, `Math.min(session, life)`
pub(super) fn is_shorter(call: &CallValue) -> bool {
    call.method() == Some("min") && !call.args.is_empty()
}

/// The shortest of what a call chooses from: what is not told of the others makes it no longer.
pub(super) fn shortest(call: &CallValue, told: &dyn Fn(&Shared) -> Option<Told>) -> Option<Told> {
    let all = call.receiver().into_iter().chain(call.args.iter().map(|arg| &arg.value)).filter_map(told);
    all.min_by_key(|told| (told.least, told.seconds))
}

/// A text without what stands in brackets.
pub(super) fn outside_brackets(text: &str) -> String {
    let mut depth = 0_u32;
    let mut kept = String::new();
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use crate::graph::bench::Tree;
    use crate::guards::life::Lives;
    use crate::guards::life::tests::{lives, signed};

    fn ends(at: &str) -> Vec<u64> {
        lives(&format!(
            "import jwt from 'jsonwebtoken'; import moment from 'moment'; import dayjs from 'dayjs';
             import {{ DateTime }} from 'luxon'; import {{ addDays, getUnixTime }} from 'date-fns';
             export const f = (id, unit) => jwt.sign({{ id, exp: {at} }}, process.env.KEY);"
        ))
    }

    #[test]
    fn what_is_added_to_a_time_is_counted_in_the_unit_that_is_named() {
        assert_eq!(ends("moment().add(30, 'minutes').unix()"), [1_800]);
        assert_eq!(ends("moment().add(1, 'M').unix()"), [2_678_400]);
        assert_eq!(ends("moment().add(moment.duration(2, 'hours')).unix()"), [7_200]);
        assert_eq!(ends("dayjs().add(5, 'days').unix()"), [432_000]);
        assert_eq!(ends("DateTime.now().plus({ days: 1, hours: 2 }).toSeconds()"), [93_600]);
        assert_eq!(ends("getUnixTime(addDays(new Date(), 2))"), [172_800]);
        assert!(ends("dayjs().add(7, unit).unix()").is_empty());
    }

    #[test]
    fn the_claims_of_jwt_simple_live_for_the_duration_that_they_are_given() {
        let lives = |claims: &str| {
            let text = format!(
                "use jwt_simple::prelude::*; use once_cell::sync::Lazy; pub struct Custom {{ id: i64 }}
                 static KEY: Lazy<HS256Key> = Lazy::new(|| HS256Key::from_bytes(b\"key\"));
                 pub fn issue(id: i64) -> String {{ KEY.authenticate({claims}).unwrap() }}"
            );
            let tree = Tree::of(&[("src/lib.rs", &text)]);
            Lives::find(&tree.graph()).all.iter().map(|life| life.seconds).collect::<Vec<u64>>()
        };
        assert_eq!(lives("Claims::with_custom_claims(Custom { id }, Duration::from_hours(2))"), [7_200]);
        assert_eq!(lives("Claims::create(Duration::from_mins(10))"), [600]);
    }

    #[test]
    fn milliseconds_are_made_seconds_or_are_no_end_that_is_told() {
        assert_eq!(ends("Math.floor((Date.now() + 3600000) / 1000)"), [3_600]);
        assert_eq!(ends("Math.floor(new Date(Date.now() + 60000).getTime() / 1000)"), [60]);
        assert_eq!(ends("Math.floor(Date.now() / 1000) + 3600"), [3_600]);
        assert!(ends("Date.now() + 3600000").is_empty());
    }

    #[test]
    fn a_text_that_is_read_as_a_number_is_that_number() {
        assert_eq!(signed("", "parseInt(process.env.LIFE || '7200', 10)"), [7_200]);
        assert_eq!(signed("", "Number.parseInt(process.env.LIFE ?? '5400', 10)"), [5_400]);
        assert_eq!(signed("", "parseInt('600')"), [600]);
        let tree = Tree::of(&[(
            "src/lib.rs",
            "use chrono::{Duration, Utc}; use jsonwebtoken::{encode, EncodingKey, Header};
             pub struct Claims { sub: i64, exp: i64 }
             pub fn issue(sub: i64) -> String {
                 let minutes = std::env::var(\"MINUTES\").unwrap_or_else(|_| \"90\".to_string()).parse().unwrap();
                 let exp = (Utc::now() + Duration::minutes(minutes)).timestamp();
                 encode(&Header::default(), &Claims { sub, exp }, &EncodingKey::from_secret(b\"key\")).unwrap()
             }",
        )]);
        let found: Vec<u64> = Lives::find(&tree.graph()).all.iter().map(|life| life.seconds).collect();
        assert_eq!(found, [5_400]);
    }
}
