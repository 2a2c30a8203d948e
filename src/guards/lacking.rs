//! Where a function hands back an object whoever was found: `{ user: null }`, `{ isAuth: !!user, id: claims.sub }`. It is there, so that
//! `if (!session)` refuses nobody.

use std::collections::BTreeSet;

use crate::guards::bound::written;
use crate::guards::held::{Held, either};
use crate::guards::miss::{Miss, Run};
use crate::guards::uses::Use;
use crate::guards::walk::{Entered, Walk};
use crate::ir::{Binding, Entry, ExprId, ExprKind, LocalId, Place, Stmt};
use crate::rules::{Many, Tells};
use crate::summary::{CallSite, CallValue, FunctionRef};

/// What is told of the keys of an object that lacks who was looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Lacks {
    /// Those that are the same all the same.
    pub same: BTreeSet<String>,
    /// Those below which such an object stands.
    pub below: BTreeSet<String>,
    /// Of a list in which nobody is, what is known of the query that gave it.
    pub list: Option<Many>,
}

impl Walk<'_, '_> {
    /// What becomes of such an object where it goes; `None`: it is none, or whoever it goes to refuses by it, or that is not told.
    pub(super) fn becomes_of_object(&self, function: FunctionRef, site: CallSite, entered: &Entered) -> Option<Use> {
        if site.function != function {
            return None;
        }
        let asked = Some(Held::Absent);
        let mut keys = self.where_it_lacks(function, site.expr, asked, Lacks::default()).keys?;
        let mut at = entered;
        for _ in 0..8 {
            let (outer, site) = at.through?;
            let lacks = Lacks { same: keys, ..Lacks::default() };
            let outcome = self.where_it_lacks(site.function, site.expr, Some(Held::Lacking), lacks);
            match outcome.miss {
                Miss::LetsIn => return Some(Use::Ignored),
                Miss::GoesOn => return Some(Use::GoesOn),
                Miss::Refuses => return None,
                Miss::HandsBack => (keys, at) = (outcome.keys?, outer),
            }
        }
        None
    }
}

impl Walk<'_, '_> {
    /// Whether a query gives one row whoever is there, which says how many were found: `SELECT count(*) FROM users WHERE id = $1`.
    pub(super) fn is_counted(&self, call: &CallValue) -> bool {
        let texts = self.texts_in_chain(call);
        let counts = |text: String| {
            let text = text.to_lowercase();
            let mut words = text.split_whitespace();
            words.next() == Some("select")
                && words.next().is_some_and(|word| self.graph.rules.tells(Tells::Counting, word))
        };
        !texts.is_empty() && texts.iter().all(|text| counts(written(text)))
    }

    /// Whether a query gives the value of a column: a flag, a number, a text.
    pub(super) fn gives_value(&self, call: &CallValue) -> bool {
        let path = self.graph.library_path(call).unwrap_or_default();
        let mut rows = self.graph.rules.sqls_matching(&path);
        rows.any(|row| row.scalar && row.after.as_deref().is_none_or(|after| self.is_behind(call, after)))
    }

    /// Whether Rust code makes nothing of what it found to be false before it makes an error of it: `exists.then_some(()).ok_or(GONE)`.
    pub(super) fn is_tested(&self, call: &CallValue) -> bool {
        let rest = self.chain_behind(call.site.span);
        [".then", ".filter("].iter().any(|tests| rest.contains(tests))
    }

    /// What becomes of such a row; `None`: it is handed back.
    pub(super) fn becomes_of_count(&self, function: FunctionRef, site: CallSite, call: &CallValue) -> Option<Use> {
        if site.function != function {
            return Some(Use::Decided);
        }
        let path = self.graph.library_path(call).unwrap_or_default();
        let below = self.graph.rules.sqls_matching(&path).filter_map(|row| row.rows.clone()).collect();
        let lacks = Lacks { same: ["length", "rowCount"].map(str::to_owned).into(), below, list: None };
        match self.where_it_lacks(function, site.expr, Some(Held::Lacking), lacks).miss {
            Miss::LetsIn => Some(Use::Ignored),
            Miss::GoesOn => Some(Use::GoesOn),
            Miss::Refuses => Some(Use::Decided),
            Miss::HandsBack => None,
        }
    }
}

impl Run<'_, '_, '_> {
    /// The end of a way by what is written, which is of that value.
    pub(super) fn ends_by(&mut self, written: Option<ExprId>, value: Held) {
        let handed_back = std::mem::take(&mut self.hands_back);
        if self.way.seen {
            let gives = written.and_then(|written| self.chosen(written)).unwrap_or(value);
            self.gave = Some(self.gave.map_or(gives, |other| either(other, gives)));
        }
        self.returns(value);
        if self.hands_back {
            self.handed = Some(self.handed.map_or(value, |other| either(other, value)));
            match self.keys(written, value) {
                Some(keys) => {
                    let known = self.objects.take();
                    self.objects = Some(known.map_or_else(|| keys.clone(), |known| &known & &keys));
                }
                None => self.hands_bare = true,
            }
        }
        self.hands_back |= handed_back;
    }

    /// What a variable was set to, if that is said once: `const session = { user, id }; return session`.
    pub(super) fn made(&self, written: ExprId) -> ExprId {
        fn set(statements: &[Stmt], local: LocalId, found: &mut Vec<ExprId>) {
            for statement in statements {
                match statement {
                    Stmt::Assign { target: Place::Local(own), value, .. } if *own == local => found.push(*value),
                    Stmt::If { then, otherwise, .. } => {
                        set(then, local, found);
                        set(otherwise, local, found);
                    }
                    Stmt::Loop { body } => set(body, local, found),
                    Stmt::Try { body, catch, finally } => {
                        set(body, local, found);
                        set(catch, local, found);
                        set(finally, local, found);
                    }
                    _ => {}
                }
            }
        }
        let ExprKind::Name(Binding::Local(local)) = self.module.expr(written).kind else { return written };
        let mut found = Vec::new();
        set(&self.module.function(self.function.id).body, local, &mut found);
        if let [only] = found.as_slice() { *only } else { written }
    }

    /// Of an object that lacks who was looked for, the keys that are the same all the same.
    fn keys(&mut self, written: Option<ExprId>, value: Held) -> Option<BTreeSet<String>> {
        if value == Held::Lacking {
            return Some(self.lacks.same.clone());
        }
        let module = self.module;
        let ExprKind::Object(entries) = &module.expr(self.made(written?)).kind else { return None };
        if self.is_rust || value != Held::Touched {
            return None;
        }
        let mut keys = BTreeSet::new();
        for entry in entries {
            if let Entry::Named { key, value, .. } = entry
                && matches!(self.eval(*value), Some(Held::Same | Held::Code))
                && self.chosen(*value).is_none()
            {
                keys.insert(key.clone());
            }
        }
        Some(keys)
    }
}
