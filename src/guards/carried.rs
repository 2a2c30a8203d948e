//! Whether a token is what a request says who sends it by: out of the `Authorization` header, or a cookie of a session.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::Graph;
use crate::guards::web::is_cookie;
use crate::ir::{ExprKind, Param};
use crate::rules::Tells;
use crate::schema::words;
use crate::summary::{CallValue, FunctionRef, Member, Shared, Value, ValueKind};

/// Whether a value is read from there. A token out of a body, a path, a query is none; nor is one under a name for an errand.
pub(super) fn is_carried(graph: &Graph, token: &Shared) -> bool {
    Search { graph, seen: BTreeSet::new() }.lies_in(token)
}

/// Whether a key is named for tokens that do not let in call by call: `process.env.REFRESH_SECRET`.
pub(super) fn is_for_errands(graph: &Graph, key: &Shared) -> bool {
    let path = graph.path(key).unwrap_or_default();
    let is_path = |text: &str| text.chars().all(|c| c.is_alphanumeric() || "_.&?!".contains(c));
    // What a name stands in says nothing of it: `state.secret`.
    let below = |text: &str| match text.split_once('.') {
        Some((_, rest)) if is_path(text) => rest.to_lowercase(),
        _ => text.to_lowercase(),
    };
    let text = format!("{} {}", below(graph.sources.text(key.span)), below(path.rsplit('#').next().unwrap_or(&path)));
    graph.rules.tells(Tells::Errand, &text)
}

const MOST_VALUES: usize = 400;

struct Search<'g, 'a> {
    graph: &'g Graph<'a>,
    seen: BTreeSet<*const Value>,
}

impl Search<'_, '_> {
    fn lies_in(&mut self, value: &Shared) -> bool {
        if self.seen.len() > MOST_VALUES || !self.seen.insert(Arc::as_ptr(value)) {
            return false;
        }
        match &value.kind {
            ValueKind::Param(function, at) => return self.is_handed(*function, *at),
            ValueKind::Field(base, name) if self.is_credential(name, base) => return true,
            ValueKind::Index(base, key) if self.key(key).is_some_and(|name| self.is_credential(&name, base)) => {
                return true;
            }
            ValueKind::Call(call) if self.is_read(call) => return true,
            _ => {}
        }
        let mut inside: Vec<Shared> = Vec::new();
        match &value.kind {
            // A token is a text: what lies in an object is made into something else.
            ValueKind::Object { .. } => return false,
            ValueKind::Call(call) if !self.graph.targets(call).is_empty() => {}
            ValueKind::Call(call) if self.makes_token(call) => return false,
            // What a library makes of a text: `header.split(' ')`, `decodeURIComponent(cookie)`.
            ValueKind::Call(call) => {
                inside.extend(call.receiver().cloned());
                inside.extend(call.args.iter().map(|arg| Arc::clone(&arg.value)));
            }
            // Not what it depends on.
            ValueKind::Cond { then, otherwise, .. } => inside.extend([Arc::clone(then), Arc::clone(otherwise)]),
            ValueKind::Array(members) => inside.extend(members.iter().map(Member::value).cloned()),
            kind => kind.each(&mut |inner| inside.push(Arc::clone(inner))),
        }
        inside.iter().any(|inner| self.lies_in(inner))
            || self
                .graph
                .expand(value)
                .filter(|inner| !Arc::ptr_eq(inner, value))
                .is_some_and(|inner| self.lies_in(&inner))
    }

    /// `cookies().get('session')`, `request.header('Authorization')`, `getCookie(context, 'token')`
    fn is_read(&self, call: &CallValue) -> bool {
        let mut names = call.args.iter().filter_map(|arg| self.key(&arg.value));
        names.any(|name| self.is_credential(&name, &call.callee))
    }

    fn makes_token(&self, call: &CallValue) -> bool {
        let path = self.graph.library_path(call);
        path.is_some_and(|path| self.graph.rules.mints_matching(&path).next().is_some())
    }

    /// Whether something is read under a name of a token that lets in, from what a request carries.
    fn is_credential(&self, name: &str, from: &Shared) -> bool {
        let rules = self.graph.rules;
        if !is_cookie(rules, name) || rules.tells(Tells::Errand, &name.to_lowercase()) {
            return false;
        }
        self.is_carrier(name) || self.comes_from_carrier(from, 5)
    }

    fn is_carrier(&self, name: &str) -> bool {
        self.graph.rules.tells_name(Tells::Carrier, &words(name))
    }

    fn comes_from_carrier(&self, value: &Shared, fuel: u8) -> bool {
        let Some(fuel) = fuel.checked_sub(1) else { return false };
        match &value.kind {
            // `builder.header('user-agent', name)` puts one there, and what is answered is no request.
            ValueKind::Call(call) if call.receiver().is_some() && call.args.len() > 1 => false,
            ValueKind::Field(base, name) => self.is_carrier(name) || self.comes_from_carrier(base, fuel),
            ValueKind::Index(base, _) | ValueKind::Element(base) => self.comes_from_carrier(base, fuel),
            ValueKind::Call(call) => {
                // Of a chain each link says for itself what it reads.
                let name = call.method().map(str::to_owned).or_else(|| self.graph.callee_path(call));
                name.is_some_and(|name| self.is_carrier(&name))
                    || self.comes_from_carrier(&call.callee, fuel)
                    // `parse(request.headers.cookie)`
                    || call.args.iter().any(|arg| self.comes_from_carrier(&arg.value, fuel))
            }
            ValueKind::Param(function, at) => self.param(*function, *at).is_some_and(|param| {
                let of_type = param.ty.iter().any(|ty| self.is_carrier(&ty.name));
                self.is_carrier(&param.name)
                    || of_type
                    || param.decorators.iter().any(|decorator| self.is_carrier(&decorator.name))
            }),
            ValueKind::Fallback { left, .. } => self.comes_from_carrier(left, fuel),
            ValueKind::Captured(..) | ValueKind::Import(..) => {
                let inner = self.graph.resolved(value);
                if Arc::ptr_eq(&inner, value) {
                    self.graph.path(value).is_some_and(|path| self.is_carrier(&path))
                } else {
                    self.comes_from_carrier(&inner, fuel)
                }
            }
            _ => false,
        }
    }

    /// `@Headers('authorization') token: string`, `TypedHeader<Authorization<Bearer>>`
    fn is_handed(&self, function: FunctionRef, at: u32) -> bool {
        let Some(param) = self.param(function, at) else { return false };
        // The name of a type may be one word: `BearerAuth`.
        let is_carrier =
            |name: &str| self.is_carrier(name) || self.graph.rules.tells(Tells::Carrier, &name.to_lowercase());
        let is_it = |name: &str| is_cookie(self.graph.rules, name) && is_carrier(name);
        let mut types = param.ty.iter().flat_map(|ty| std::iter::once(ty).chain(&ty.args));
        let by_type = types.any(|ty| is_it(ty.name.rsplit(['.', ':']).next().unwrap_or(&ty.name)));
        let module = self.graph.module(function.file);
        let by_decorator = |name: &str| {
            let rules = self.graph.rules;
            is_cookie(rules, name) && !rules.tells(Tells::Errand, &name.to_lowercase())
        };
        let mut decorators = param.decorators.iter().filter(|decorator| self.is_carrier(&decorator.name));
        let said = decorators.any(|decorator| {
            let first = decorator.args.first().zip(module).map(|(arg, module)| &module.expr(*arg).kind);
            matches!(first, Some(ExprKind::Text(name)) if by_decorator(name))
        });
        said || by_type
    }

    fn param(&self, function: FunctionRef, at: u32) -> Option<&Param> {
        self.graph.function(function)?.params.get(at as usize)
    }

    /// What a key says: its text, or the name of the constant or setting that holds it.
    fn key(&self, value: &Shared) -> Option<String> {
        let resolved = self.graph.resolved(value);
        match &resolved.kind {
            ValueKind::Text(text) => Some(text.clone()),
            ValueKind::Import(..) | ValueKind::Global(_) | ValueKind::Field(..) => {
                let path = self.graph.path(&resolved)?;
                let name = path.rsplit(['.', '#', ':']).next().unwrap_or(&path);
                // `AUTH_COOKIE_NAME` names a cookie.
                Some(name.strip_suffix("_NAME").unwrap_or(name).to_owned())
            }
            _ => None,
        }
    }
}
