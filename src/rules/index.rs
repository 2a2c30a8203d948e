//! Rows by the last name of the callable that they are about: most calls of a program are no row's business, and their name tells.

use rustc_hash::FxHashMap;

use crate::rules::{
    CallPattern, Callback, Consult, Demand, Foreign, Harmless, Leave, Life, Many, Mint, Pack, Pass, Read, Receiver,
    SchemaShape, SqlCall, Verify, Web, Write,
};

/// A row that is about callables.
pub(crate) trait Called {
    fn call(&self) -> &CallPattern;
}

/// Index of a pack, index of a row of it.
type Place = (usize, usize);

/// The rows of one kind.
#[derive(Clone, Debug, Default)]
struct ByName {
    /// Last name -> rows that end in it, and those that end in a wildcard; in pack order.
    named: FxHashMap<String, Vec<Place>>,
    /// Rows that end in a wildcard.
    any: Vec<Place>,
    all: Vec<Place>,
}

impl ByName {
    fn new<'p, T: Called + 'p>(packs: &'p [Pack], rows: fn(&'p Pack) -> &'p [T]) -> Self {
        let places = || {
            packs.iter().enumerate().flat_map(|(pack, of)| {
                rows(of).iter().enumerate().map(move |(row, of)| ((pack, row), of.call().last()))
            })
        };
        let any = places().filter(|(_, last)| last.is_none()).map(|(place, _)| place).collect();
        let mut by_name = Self { any, all: places().map(|(place, _)| place).collect(), named: FxHashMap::default() };
        for name in places().filter_map(|(_, last)| last) {
            if !by_name.named.contains_key(name) {
                let fits = places().filter(|(_, last)| last.is_none_or(|last| last == name));
                by_name.named.insert(name.to_owned(), fits.map(|(place, _)| place).collect());
            }
        }
        by_name
    }

    fn of(&self, name: Option<&str>) -> &[Place] {
        name.map_or(&self.all, |name| self.named.get(name).unwrap_or(&self.any))
    }
}

macro_rules! named_rows {
    ($($rows:ident, $named:ident, $matching:ident: $row:ty);* $(;)?) => {
        $(impl Called for $row {
            fn call(&self) -> &CallPattern {
                &self.call
            }
        })*

        /// The rows of every kind that is asked for by name.
        #[derive(Clone, Debug, Default)]
        pub(super) struct Index {
            $($rows: ByName,)*
        }

        impl Index {
            pub(super) fn new(packs: &[Pack]) -> Self {
                Self { $($rows: ByName::new(packs, |pack| &pack.$rows),)* }
            }
        }

        impl crate::rules::Rules {
            $(
                /// The rows that can be about a call of a method or function of that name; all where the name is not known.
                pub fn $named(&self, name: Option<&str>) -> impl Iterator<Item = &$row> + Clone {
                    self.index.$rows.of(name).iter().map(|(pack, row)| &self.packs[*pack].$rows[*row])
                }

                /// The rows that are about the callable at `path`.
                pub fn $matching<'r>(&'r self, path: &'r str) -> impl Iterator<Item = &'r $row> {
                    self.$named(last_name(path)).filter(move |row| row.call.matches(path))
                }
            )*
        }
    };
}

named_rows! {
    write, writes_named, writes_matching: Write;
    read, reads_named, reads_matching: Read;
    many, manies_named, manies_matching: Many;
    mint, mints_named, mints_matching: Mint;
    pass, passes_named, passes_matching: Pass;
    shape, shapes_named, shapes_matching: SchemaShape;
    receiver, receivers_named, receivers_matching: Receiver;
    callback, callbacks_named, callbacks_matching: Callback;
    leave, leaves_named, leaves_matching: Leave;
    sql, sqls_named, sqls_matching: SqlCall;
    verify, verifies_named, verifies_matching: Verify;
    consult, consults_named, consults_matching: Consult;
    harmless, harmless_named, harmless_matching: Harmless;
    foreign, foreign_named, foreign_matching: Foreign;
    life, lives_named, lives_matching: Life;
    web, webs_named, webs_matching: Web;
    demand, demands_named, demands_matching: Demand;
}

/// The last name of a concrete path.
fn last_name(path: &str) -> Option<&str> {
    path.rsplit(['.', '#']).next().map(|step| step.strip_suffix("()").unwrap_or(step))
}
