//! What runs in front keeps values for a handler in its context: `c.set('user', user)`, `next({ ctx: { user } })`. Read off the context
//! that a handler is handed first, under a name, they are what was kept under the name anywhere in the tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::graph::Graph;
use crate::source::Span;
use crate::summary::{CallValue, Shared, Slot, Value, ValueKind};

/// Name -> what is kept under it, with the row that says so.
pub(super) type Contexts = BTreeMap<String, Vec<(usize, Shared)>>;

/// Of a name under which more is kept than this nothing is told.
const MOST: usize = 4;

impl Graph<'_> {
    /// What a field of the context holds: `ctx.user`, `c.var.user`.
    pub(super) fn kept_in_field(&self, base: &Shared, name: &str, span: Span) -> Option<Shared> {
        let ValueKind::Field(context, key) = &base.kind else { return None };
        if !is_context(context) {
            return None;
        }
        self.kept(name, span, |row| row.field.as_deref() == Some(key))
    }

    /// What a call on the context gives: `c.get('user')`.
    pub(super) fn kept_by_call(&self, call: &CallValue) -> Option<Shared> {
        let ([name], Some(method)) = (call.args.as_slice(), call.method()) else { return None };
        let ValueKind::Text(name) = &name.value.kind else { return None };
        if !is_context(call.receiver()?) {
            return None;
        }
        self.kept(name, call.site.span, |row| row.by.as_deref() == Some(method))
    }

    fn kept(&self, name: &str, span: Span, is_read: impl Fn(&crate::rules::Keep) -> bool) -> Option<Shared> {
        let rows: Vec<bool> = self.rules.keep().map(is_read).collect();
        if !rows.contains(&true) {
            return None;
        }
        let contexts = self.contexts.get_or_init(|| self.find_contexts());
        let kept = contexts.get(name)?.iter().filter(|(row, _)| rows.get(*row) == Some(&true));
        let mut values: Vec<Shared> = kept.map(|(_, value)| Arc::clone(value)).collect();
        match values.len() {
            0 => None,
            1 => values.pop(),
            count if count > MOST => None,
            _ => Some(Value::new(ValueKind::Either(values), span)),
        }
    }

    fn find_contexts(&self) -> Contexts {
        let mut found = Contexts::new();
        for (nth, row) in self.rules.keep().enumerate() {
            let calls = self.calls_named(row.call.last()).iter().filter_map(|at| self.call_at(*at));
            for call in calls.filter(|call| call.receiver().is_some_and(is_context)) {
                let values = self.argument(call, &row.value);
                let named = row.name.as_ref().and_then(|path| self.argument(call, path).into_iter().next());
                match named.as_ref().map(|name| &name.kind) {
                    Some(ValueKind::Text(name)) => {
                        found.entry(name.clone()).or_default().extend(values.into_iter().map(|value| (nth, value)));
                    }
                    Some(_) => {}
                    None => {
                        for object in values {
                            let ValueKind::Object { entries, .. } = &object.kind else { continue };
                            for entry in entries {
                                let Slot::Named { key, value, .. } = entry else { continue };
                                found.entry(key.clone()).or_default().push((nth, Arc::clone(value)));
                            }
                        }
                    }
                }
            }
        }
        found
    }
}

/// What a handler is handed first.
fn is_context(value: &Shared) -> bool {
    matches!(value.kind, ValueKind::Param(_, 0))
}
