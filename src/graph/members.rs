//! Methods that no class declares: by their names alone, or because they stand beside what makes the receiver. A Mongoose schema gives
//! them to its documents and its model: `schema.methods.sign = function () {}`, `schema.static('issue', function () {})`.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::graph::{Graph, Target, Unit};
use crate::ir::FunctionKind;
use crate::rules::Rules;
use crate::source::FileId;
use crate::summary::{FunctionRef, Shared, ValueKind};

/// Methods of so many classes and libraries that a name alone proves nothing.
const COMMON: [&str; 34] = [
    "get", "set", "add", "create", "update", "save", "delete", "remove", "find", "findOne", "findAll", "insert", "run",
    "execute", "call", "apply", "bind", "then", "catch", "map", "filter", "push", "send", "emit", "on", "next",
    "parse", "query", "exec", "init", "start", "handle", "toString", "validate",
];

/// From a row back to its model, and to the model's schema, it takes no more steps than this.
const FURTHEST: usize = 12;

/// The functions that a call gives a name under which they are called as methods.
pub(super) fn named_by_calls<'a>(rules: &Rules, units: &[(FileId, &'a Unit)]) -> FxHashMap<FunctionRef, &'a str> {
    let rows: Vec<_> = rules.method().collect();
    let mut found = FxHashMap::default();
    if rows.is_empty() {
        return found;
    }
    let calls = units.iter().flat_map(|(_, unit)| &unit.summary.functions).flat_map(|summary| &summary.calls);
    for event in calls {
        let Some(method) = event.call.method() else { continue };
        for row in rows.iter().filter(|row| row.call.last() == Some(method)) {
            let argument = |path: &crate::rules::ArgPath| match path.base {
                crate::rules::ArgBase::Nth(at) => event.call.args.get(at as usize).map(|arg| &arg.value.kind),
                _ => None,
            };
            if let (Some(ValueKind::Text(name)), Some(ValueKind::Function(function))) =
                (argument(&row.name), argument(&row.function))
            {
                found.insert(*function, name.as_str());
            }
        }
    }
    found
}

impl Graph<'_> {
    /// The name under which a function is called.
    pub fn called_as(&self, of: FunctionRef) -> &str {
        let declared = || self.function(of).map_or("", |function| function.name.as_str());
        self.named_by_calls.get(&of).copied().unwrap_or_else(declared)
    }

    /// The only function that a call gave a name on every value of a library's type: `app.decorate('authenticate', check)`.
    pub(super) fn given_by_name(&self, ty: &str, name: &str) -> Vec<Target> {
        if !self.rules.method().any(|row| row.on.iter().any(|on| on.matches(ty))) {
            return Vec::new();
        }
        let mut given = self.functions_named(name).iter().filter(|at| self.named_by_calls.contains_key(at));
        match (given.next(), given.next()) {
            (Some(only), None) => vec![Target { function: *only, certain: false, bindings: None }],
            _ => Vec::new(),
        }
    }

    /// Whether only instances of a class have a method.
    pub(super) fn is_of_instances(&self, method: FunctionRef) -> bool {
        self.function(method).is_some_and(|f| f.kind == FunctionKind::Method && f.class.is_some() && !f.is_static)
    }

    /// A receiver of unknown type: the only method of that name in the tree, when the name is distinctive; of several the one that
    /// stands beside what makes the receiver.
    pub(super) fn by_name_alone(&self, base: &Shared, name: &str) -> Vec<Target> {
        if COMMON.contains(&name) || name.len() < 5 || name.starts_with('$') {
            return Vec::new();
        }
        let is_method = |at: &FunctionRef| {
            self.function(*at).is_some_and(|f| matches!(f.kind, FunctionKind::Method | FunctionKind::Closure))
        };
        let mut methods: Vec<FunctionRef> = self.functions_named(name).iter().copied().filter(is_method).collect();
        // What is imported from elsewhere has the methods of elsewhere; what the tree makes can have some of the tree.
        let is_imported = matches!(base.kind, ValueKind::Import(..));
        if methods.is_empty() || matches!(base.kind, ValueKind::Global(_)) || self.is_of_browser(base, name) {
            return Vec::new();
        }
        if is_imported || methods.len() > 1 {
            if self.is_rust(base.span.file) {
                return Vec::new();
            }
            let files = self.made_in(base);
            methods.retain(|method| files.contains(&method.file));
        }
        match methods.as_slice() {
            [only] if !(self.is_minted(base) || self.is_adapter(base) || self.is_builder(base)) => {
                vec![Target { function: *only, certain: false, bindings: None }]
            }
            _ => Vec::new(),
        }
    }

    /// `window.localStorage.setItem`, whatever the tree calls its own.
    fn is_of_browser(&self, base: &Shared, name: &str) -> bool {
        let mut rows = self.rules.webs_named(Some(name)).peekable();
        if rows.peek().is_none() {
            return false;
        }
        let path = self.path(base).filter(|path| path.starts_with("global#"));
        path.is_some_and(|path| {
            let path = format!("{path}.{name}");
            rows.any(|row| row.call.matches(&path))
        })
    }

    /// The files that make a value, or what it is read from: of a row those of its model and of the model's schema.
    fn made_in(&self, value: &Shared) -> BTreeSet<FileId> {
        let mut files = BTreeSet::new();
        let mut at = self.resolved(value);
        for _ in 0..FURTHEST {
            let next = match &at.kind {
                ValueKind::Object { base: Some(base), .. }
                | ValueKind::After { before: base, .. }
                | ValueKind::Fallback { left: base, .. }
                | ValueKind::Cond { then: base, .. }
                | ValueKind::Field(base, _)
                | ValueKind::Element(base)
                | ValueKind::Index(base, _) => base,
                ValueKind::Call(call) => {
                    // The last of the chain counts: what the model itself is made by.
                    files = BTreeSet::from([call.site.span.file]);
                    files.extend(call.args.iter().map(|arg| self.resolved(&arg.value).span.file));
                    call.receiver().unwrap_or(&call.callee)
                }
                _ => break,
            };
            at = self.resolved(next);
        }
        files
    }
}
