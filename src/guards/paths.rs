//! Which requests a guard verifies, by what they ask for: `if (pathname.startsWith('/app')) await verify(token)`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::Graph;
use crate::guards::marks;
use crate::guards::matcher::texts;
use crate::guards::routes::{below, every_but, has, is_every};
use crate::guards::some::holds as lies_in;
use crate::guards::walk::Walk;
use crate::ir::Missing;
use crate::rules::Tells;
use crate::summary::{CallValue, FunctionRef, Shared, ValueKind};

/// The requests for which something holds, by their paths, as routes are said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Paths {
    /// Nothing is asked of the path.
    Every,
    Only(BTreeSet<String>),
    Except(BTreeSet<String>),
    /// The path is asked about in a way that is not told.
    Untold,
}

impl Paths {
    /// Every request but those.
    pub(super) fn except(said: BTreeSet<String>) -> Self {
        if said.is_empty() { Self::Every } else { Self::Except(said) }
    }

    fn of(said: BTreeSet<String>, holds: bool) -> Self {
        match (said.is_empty(), holds) {
            (true, _) => Self::Untold,
            (false, true) => Self::Only(said),
            (false, false) => Self::Except(said),
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Every, other) | (other, Self::Every) => other,
            (Self::Except(mut one), Self::Except(other)) => {
                one.extend(other);
                Self::Except(one)
            }
            (Self::Only(one), Self::Except(other)) | (Self::Except(other), Self::Only(one))
                if !other.iter().any(|other| one.iter().any(|one| has(one, other) || has(other, one))) =>
            {
                Self::Only(one)
            }
            (one, other) if one == other => one,
            _ => Self::Untold,
        }
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Every, _) | (_, Self::Every) => Self::Every,
            (Self::Only(mut one), Self::Only(other)) => {
                one.extend(other);
                Self::Only(one)
            }
            (one, other) if one == other => one,
            _ => Self::Untold,
        }
    }

    /// What is left of routes: those that a registration names one by one stay where nothing tells of them.
    pub(super) fn narrow(self, names: Vec<String>) -> Vec<String> {
        let (every, single): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| is_every(name));
        let left: BTreeSet<String> = match self {
            Self::Every => every.into_iter().chain(single).collect(),
            Self::Untold => single.into_iter().collect(),
            Self::Only(said) => {
                let of_every = said.iter().filter(|said| every.iter().any(|every| has(every, said))).cloned();
                let of_named = single.into_iter().filter(|name| said.iter().any(|said| has(said, name)));
                of_every.chain(of_named).collect()
            }
            Self::Except(said) => {
                let of_named = single.into_iter().filter(|name| !said.iter().any(|said| has(said, name)));
                every.iter().map(|every| every_but(every, &said)).chain(of_named).collect()
            }
        };
        left.into_iter().collect()
    }
}

impl Walk<'_, '_> {
    /// The requests of which a guard verifies the token.
    pub(super) fn asked_for(&self, guard: FunctionRef) -> Paths {
        let each = self.verified_where.iter().map(|conditions| {
            conditions.iter().fold(Paths::Every, |paths, (cond, holds)| paths.and(self.paths(cond, *holds, 8)))
        });
        let asked = each.reduce(Paths::or).unwrap_or(Paths::Every);
        // `if (isProtected && !session) return redirect('/login')`: whom it turns away goes by the path.
        let summary = self.graph.summary(guard).filter(|_| asked == Paths::Every);
        let turns_away = summary.is_some_and(|summary| {
            summary.calls.iter().any(|event| {
                let conditions = self.conditions(&event.guards, None);
                // Who is not marked for a role is asked for none, and comes in with a token all the same.
                let mut by_path = conditions.iter().filter(|(cond, _)| !self.is_marked(cond));
                by_path.any(|(cond, holds)| self.paths(cond, *holds, 8) != Paths::Every)
            })
        });
        if turns_away { Paths::Untold } else { asked }
    }

    fn paths(&self, cond: &Shared, holds: bool, fuel: u8) -> Paths {
        let Some(fuel) = fuel.checked_sub(1) else { return self.untold(cond) };
        self.graph.refuel();
        match &cond.kind {
            ValueKind::Not(inner) => self.paths(inner, !holds, fuel),
            ValueKind::And(left, right) | ValueKind::Fallback { left, right, when: Missing::Falsy } => {
                let (left, right) = (self.paths(left, holds, fuel), self.paths(right, holds, fuel));
                if matches!(cond.kind, ValueKind::And(..)) == holds { left.and(right) } else { left.or(right) }
            }
            ValueKind::Compare { left, right, equal } => {
                let (path, other) = if self.is_path(left) { (left, right) } else { (right, left) };
                match &self.graph.resolved(other).kind {
                    ValueKind::Text(text) if self.is_path(path) => {
                        Paths::of(BTreeSet::from([text.clone()]), *equal == holds)
                    }
                    _ => self.untold(cond),
                }
            }
            ValueKind::Call(call) if let Some(key) = marks::read(self.graph, call) => {
                match marks::marked(self.graph, &key) {
                    said if said.is_empty() => Paths::Every,
                    said => Paths::of(said, holds),
                }
            }
            ValueKind::Call(call) => match self.tested(call) {
                Some(said) => Paths::of(said, holds),
                // `isPublic(request)`
                None => match self.graph.expand(cond).filter(|_| !self.graph.targets(call).is_empty()) {
                    Some(inner) if !Arc::ptr_eq(&inner, cond) => self.paths(&inner, holds, fuel),
                    _ => self.untold(cond),
                },
            },
            ValueKind::Captured(..) | ValueKind::Import(..) | ValueKind::Field(..) | ValueKind::Param(..) => {
                let inner = self.graph.resolved(cond);
                if Arc::ptr_eq(&inner, cond) { self.untold(cond) } else { self.paths(&inner, holds, fuel) }
            }
            _ => self.untold(cond),
        }
    }

    /// The routes that a call tests the path of a request for.
    fn tested(&self, call: &CallValue) -> Option<BTreeSet<String>> {
        let (receiver, name, arg) = (call.receiver()?, call.method()?, &call.args.first()?.value);
        match name {
            "startsWith" | "starts_with" if self.is_path(receiver) => {
                Some(texts(self.graph, arg).iter().map(|text| below(text)).collect())
            }
            "includes" | "contains" | "has" if self.is_path(arg) => Some(self.members(receiver)),
            // `['/app', '/account'].some((prefix) => pathname.startsWith(prefix))`
            "some" => {
                let ValueKind::Function(test) = arg.kind else { return None };
                let returned = self.graph.summary(test)?.returns.as_ref()?;
                let is_member =
                    |value: &Shared| matches!(value.kind, ValueKind::Param(function, 0) if function == test);
                match &returned.kind {
                    ValueKind::Call(inner)
                        if inner.method().is_some_and(|name| name == "startsWith" || name == "starts_with")
                            && inner.receiver().is_some_and(|path| self.is_path(path))
                            && inner.args.first().is_some_and(|prefix| is_member(&prefix.value)) =>
                    {
                        Some(self.members(receiver).iter().map(|text| below(text)).collect())
                    }
                    ValueKind::Compare { left, right, equal: true }
                        if is_member(left) && self.is_path(right) || is_member(right) && self.is_path(left) =>
                    {
                        Some(self.members(receiver))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The texts of a list or of a set.
    fn members(&self, list: &Shared) -> BTreeSet<String> {
        let list = self.graph.resolved(list);
        match &list.kind {
            ValueKind::Call(made) if made.is_new => {
                made.args.first().map(|arg| texts(self.graph, &arg.value)).unwrap_or_default()
            }
            _ => texts(self.graph, &list),
        }
    }

    fn untold(&self, cond: &Shared) -> Paths {
        if lies_in(cond, &|part| self.is_path(part), 8) { Paths::Untold } else { Paths::Every }
    }

    /// Whether a value is the path that a request asks for.
    fn is_path(&self, value: &Shared) -> bool {
        self.says(value, Tells::Path) || self.says(&self.graph.resolved(value), Tells::Path)
    }
}

/// The routes that a guard is kept from, where what lays it on says so: `.exclude('auth/login', 'health')`.
pub(super) fn excluded(graph: &Graph, call: &CallValue, key: &str) -> BTreeSet<String> {
    let given = call.args.iter().map(|arg| graph.resolved(&arg.value));
    given
        .flat_map(|value| match &value.kind {
            ValueKind::Object { .. } => texts(graph, &crate::summary::Value::field(&value, key, value.span)),
            _ => texts(graph, &value),
        })
        .map(|path| if path.contains(['*', '{', '(']) { below(&path) } else { format!("/{}", path.trim_matches('/')) })
        .collect()
}
