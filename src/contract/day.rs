//! Days of the Gregorian calendar.

use std::fmt;

/// A day, ordered by time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    year: i64,
    month: u32,
    /// From 1 on.
    of_month: u32,
}

impl Day {
    /// `2027-01-31`
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || (year.len(), month.len(), day.len()) != (4, 2, 2) {
            return None;
        }
        let (year, month, day): (u16, u32, u32) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
        let year = i64::from(year);
        (1..=days_of(year, month)?).contains(&day).then_some(Self { year, month, of_month: day })
    }

    /// The day in UTC, so many seconds after 1970 began.
    pub fn of_unix(seconds: u64) -> Self {
        let mut days = seconds / 86_400;
        let mut year = 1970;
        loop {
            let length = if is_leap(year) { 366 } else { 365 };
            if days < length {
                break;
            }
            days -= length;
            year += 1;
        }
        let mut month = 1;
        while let Some(length) = days_of(year, month).map(u64::from).filter(|length| days >= *length) {
            days -= length;
            month += 1;
        }
        Self { year, month, of_month: u32::try_from(days + 1).unwrap_or(31) }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.of_month)
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: u32) -> Option<u32> {
    match month {
        2 => Some(if is_leap(year) { 29 } else { 28 }),
        4 | 6 | 9 | 11 => Some(30),
        1..=12 => Some(31),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_that_there_are_are_read() {
        for text in
            ["2027-02-29", "2027-13-01", "2027-00-10", "2027-1-1", "2027-01-32", "27-01-01", "2027-01-01-", "tomorrow"]
        {
            assert_eq!(Day::parse(text), None, "{text}");
        }
        assert_eq!(Day::parse("2028-02-29").unwrap().to_string(), "2028-02-29");
        assert!(Day::parse("2026-12-31") < Day::parse("2027-01-01"));
    }

    #[test]
    fn a_moment_is_a_day() {
        assert_eq!(Day::of_unix(0).to_string(), "1970-01-01");
        assert_eq!(Day::of_unix(951_782_399).to_string(), "2000-02-28");
        assert_eq!(Day::of_unix(951_782_400).to_string(), "2000-02-29");
        assert_eq!(Day::of_unix(1_798_761_599).to_string(), "2026-12-31");
    }
}
