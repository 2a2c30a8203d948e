//! The result of a call: made here, passed through, or told by its name.

use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::provenance::chain::{Chain, one, unknown};
use crate::provenance::meaning::Evaluator;
use crate::provenance::path::{Hop, Origin};
use crate::rules::{ArgBase, Form, Mint};
use crate::schema::words;
use crate::sites;
use crate::summary::{CallValue, Shared, ValueKind};

impl Evaluator<'_, '_> {
    /// A key of what an issuer hands to an entry point: `account.access_token` of a sign-in callback.
    pub(super) fn handed_key(&self, value: &Shared) -> Option<Vec<Chain>> {
        let mut keys: Vec<&str> = Vec::new();
        let mut at = value;
        while let ValueKind::Field(base, name) = &at.kind {
            keys.push(name);
            at = base;
        }
        let ValueKind::Param(function, nth) = at.kind else { return None };
        keys.reverse();
        let is_handed = |(param, path): &(u32, Vec<String>)| {
            *param == nth && path.len() <= keys.len() && path.iter().zip(&keys).all(|(wanted, key)| wanted == key)
        };
        let mut entries = self.graph.entries(function).iter();
        let owner = self.graph.name(function);
        entries
            .any(|entry| entry.fresh_keys.iter().any(is_handed))
            .then(|| one(Origin::Fresh, value, format!("`{}` of {owner}, received from the issuer", keys.join("."))))
    }

    /// A key, at any depth, of a result that a mint row describes.
    pub(super) fn minted_key(&self, value: &Shared, base: &Shared, name: &str) -> Option<Vec<Chain>> {
        let mut keys = vec![name.to_owned()];
        let mut at = Arc::clone(base);
        for _ in 0..12 {
            match &at.kind {
                ValueKind::Call(call) if self.graph.targets(call).is_empty() => {
                    let Some(mint) = self.mint(call) else {
                        // `Schema.parse(await response.json())` has the keys of what it checks.
                        at = self.same_keys(call)?;
                        continue;
                    };
                    keys.reverse();
                    let path = keys.join(".");
                    let below = |key: &String| {
                        path.strip_prefix(key.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                    };
                    let fits = mint.keys.is_empty() || mint.keys.iter().any(below);
                    return fits.then(|| self.minted(value, call, mint));
                }
                ValueKind::Field(inner, key) => {
                    if let Some(next) = self.graph.expand(&at).filter(|next| !Arc::ptr_eq(next, &at)) {
                        at = next;
                    } else {
                        keys.push(key.clone());
                        at = Arc::clone(inner);
                    }
                }
                ValueKind::Captured(..)
                | ValueKind::Leaves(..)
                | ValueKind::Import(..)
                | ValueKind::After { .. }
                | ValueKind::Call(_) => match self.graph.expand(&at) {
                    Some(next) if !Arc::ptr_eq(&next, &at) => at = next,
                    _ => return None,
                },
                _ => return None,
            }
        }
        None
    }

    /// What a library call hands on with the keys that it has.
    fn same_keys(&self, call: &CallValue) -> Option<Shared> {
        let path = self.graph.callee_path(call)?;
        let hands_on = |row: &&crate::rules::Pass| row.key.is_none() && !row.merge && row.form.is_none();
        let row = self.graph.rules.pass().filter(hands_on).find(|row| row.call.matches(&path))?;
        match row.from.as_slice() {
            [only] => self.graph.argument(call, only).into_iter().next(),
            _ => None,
        }
    }

    pub(super) fn mint(&self, call: &CallValue) -> Option<&Mint> {
        mint_of(self.graph, call)
    }

    fn minted(&self, value: &Shared, call: &CallValue, mint: &Mint) -> Vec<Chain> {
        let mut chains = one(Origin::Fresh, value, format!("{} at {}", mint.what, self.place(call.site.span)));
        let atom = &mut chains[0][0];
        atom.form = Some(mint.form);
        atom.definite = mint.keys.is_empty();
        atom.mint = Some(call.site);
        atom.trail = vec![Hop::proven(call.site.span, mint.what.clone())];
        if mint.inferred {
            atom.doubt();
        }
        chains
    }

    pub(super) fn call(&self, value: &Shared, call: &Arc<CallValue>, fuel: u8) -> Vec<Chain> {
        let targets = self.graph.targets(call);
        if !targets.is_empty() {
            let certain = targets.iter().all(|target| target.certain);
            if let Some(inner) = self.graph.expand(value) {
                let mut chains = self.eval(&inner, fuel);
                let name = self.graph.name(targets[0].function);
                for atom in chains.iter_mut().flatten() {
                    atom.passes(Hop {
                        span: call.site.span,
                        what: format!("result of {name}()"),
                        certain,
                        gives: None,
                    });
                }
                return chains;
            }
            let name = self.graph.name(targets[0].function);
            return unknown(value, format!("{name}() returns nothing that can be followed"));
        }
        if let Some(mint) = self.mint(call) {
            return self.minted(value, call, mint);
        }
        if let Some(model) = sites::model_read(self.graph, self.schema, call) {
            let table = &self.schema.models[model.0].table;
            return one(Origin::Supplied, value, format!("a row of {table}"));
        }
        if let Some(inner) = self.graph.promised(call) {
            return self.eval(&inner, fuel);
        }
        if let Some((rows, name)) = sites::value_read(self.graph, self.schema, call) {
            return self.column_of(value, &rows, &name);
        }
        let path = self.graph.callee_path(call);
        if let Some(chains) = self.passed(value, call, path.as_deref(), fuel) {
            return chains;
        }
        if let Some(inner) = self.graph.listened(call) {
            return self.eval(&inner, fuel);
        }
        self.by_name(value, call, path.as_deref(), fuel)
    }

    fn passed(&self, value: &Shared, call: &CallValue, path: Option<&str>, fuel: u8) -> Option<Vec<Chain>> {
        let path = path?;
        let row = self.graph.rules.passes_matching(path).next()?;
        // `uint8arrays.toString(bytes)`: what a whole module is asked for is a function of it, no method of what it is called on.
        if row.from.iter().any(|from| from.base == ArgBase::Receiver)
            && let Some(first) = call.args.first()
            && call.receiver().is_some_and(|receiver| self.graph.is_module_elsewhere(receiver))
        {
            let mut chains = self.eval(&first.value, fuel);
            let hop = Hop::inferred(call.site.span, format!("through {path}, by its name"));
            chains.iter_mut().flatten().for_each(|atom| atom.passes(hop.clone()));
            return Some(chains);
        }
        let given = row.from.iter().flat_map(|path| self.graph.argument(call, path));
        // `text.replace(/x/g, () => part)`: of a function what it returns.
        let parts: Vec<Shared> = given
            .map(|part| match &part.kind {
                ValueKind::Function(function) => {
                    self.graph.summary(*function).and_then(|summary| summary.returns.clone()).unwrap_or(part)
                }
                _ => part,
            })
            .collect();
        if parts.is_empty() && !row.from.is_empty() && row.makes.is_none() {
            return None;
        }
        let mut chains = match parts.as_slice() {
            [] if row.makes.is_some() => one(Origin::Supplied, value, row.makes.as_deref().unwrap_or_default()),
            [only] => self.eval(only, fuel),
            several => self.concat(value, several, fuel),
        };
        if let Some(form) = row.form {
            for atom in chains.iter_mut().flatten().filter(|atom| atom.form.is_some()) {
                atom.form = Some(form);
                atom.definite = true;
                atom.passes(Hop::proven(call.site.span, format!("through {}", row.call.text())));
            }
        }
        Some(chains)
    }

    /// Whether a value is, or is made of, what an entry point is given.
    fn comes_in(&self, value: &Shared, fuel: u8) -> bool {
        let Some(fuel) = fuel.checked_sub(1) else { return false };
        match &value.kind {
            ValueKind::Param(..) => !self.is_kept(value),
            ValueKind::Field(base, _) | ValueKind::Element(base) | ValueKind::Index(base, _) => {
                self.comes_in(base, fuel)
            }
            ValueKind::Call(call) if call.is_new => {
                call.args.first().is_some_and(|arg| self.comes_in(&arg.value, fuel))
            }
            ValueKind::Call(call) => call.receiver().is_some_and(|receiver| self.comes_in(receiver, fuel)),
            ValueKind::After { before, .. } => self.comes_in(before, fuel),
            ValueKind::Captured(..) => self.graph.expand(value).is_some_and(|inner| self.comes_in(&inner, fuel)),
            _ => false,
        }
    }

    /// Whether a parameter is what the application keeps: what a call of it gives did not come in with the request.
    fn is_kept(&self, param: &Shared) -> bool {
        let Type::External(path, _) = self.graph.type_of(param) else { return false };
        self.graph.rules.kept().any(|row| row.of.matches(&path))
    }

    /// `(await agent.login(..)).data.accessToken`: what a library that no rule names answers a sign-in with, by what call and key
    /// are called.
    pub(super) fn answered(&self, value: &Shared, base: &Shared, key: &str) -> Option<Vec<Chain>> {
        let folded = key.replace('_', "").to_lowercase();
        let kinds = ["access", "refresh", "id", "auth", "session"];
        let is_token =
            kinds.iter().any(|kind| folded.strip_prefix(kind).is_some_and(|rest| rest == "token" || rest == "jwt"));
        let mut at = base;
        while let ValueKind::Field(inner, _) = &at.kind {
            at = inner;
        }
        let ValueKind::Call(call) = &at.kind else { return None };
        let name = call.method()?;
        let signs_in = ["login", "signin", "authenticate", "authorize", "exchange", "token", "grant"];
        let called = name.to_lowercase();
        if !is_token || !signs_in.iter().any(|word| called.contains(word)) || !self.graph.targets(call).is_empty() {
            return None;
        }
        let mut chains = one(Origin::Fresh, value, format!("`{key}` that {name}() answers, by their names"));
        let atom = &mut chains[0][0];
        (atom.definite, atom.mint) = (true, Some(call.site));
        atom.doubt();
        Some(chains)
    }

    /// A call that no rule names: by what its name says, and then only as inferred.
    fn by_name(&self, value: &Shared, call: &CallValue, path: Option<&str>, fuel: u8) -> Vec<Chain> {
        let name = match (&call.callee.kind, path) {
            (ValueKind::Field(_, name), _) => name.clone(),
            (_, Some(path)) => path.rsplit(['.', '#']).next().unwrap_or("").to_owned(),
            _ => String::new(),
        };
        let folded = name.to_lowercase();
        let makes = ["generate", "create", "mint", "issue", "sign", "make", "random", "new", "rotate", "exchange"];
        let thing = ["token", "jwt", "secret", "uuid", "key", "code", "nonce", "random"];
        let is_made =
            makes.iter().any(|verb| folded.starts_with(verb)) && thing.iter().any(|noun| folded.contains(noun));
        // `secure_random_alnum`
        if is_made || words(&name).iter().any(|word| word == "random") {
            let mut chains = one(Origin::Fresh, value, format!("{name}(), whose name says that it makes one"));
            let atom = &mut chains[0][0];
            (atom.definite, atom.mint) = (true, Some(call.site));
            atom.doubt();
            return chains;
        }
        let form = match () {
            () if folded.starts_with("encrypt") || folded.starts_with("seal") => Some(Form::Encrypted),
            () if HASHES.iter().any(|name| folded.starts_with(name)) => Some(Form::Hashed),
            () => None,
        };
        if let (Some(form), Some(first)) = (form, call.args.first()) {
            let mut chains = self.eval(&first.value, fuel);
            for atom in chains.iter_mut().flatten() {
                atom.passes(Hop::inferred(call.site.span, format!("through {name}(), by its name")));
                if atom.form.is_some() {
                    atom.form = Some(form);
                }
            }
            return chains;
        }
        if call.is_new && call.args.len() == 1 {
            return self.eval(&call.args[0].value, fuel);
        }
        // `retry(() => mint())`: most likely what the only function returns.
        let mut functions = call.args.iter().filter_map(|arg| match arg.value.kind {
            ValueKind::Function(function) => Some(function),
            _ => None,
        });
        if let (Some(function), None) = (functions.next(), functions.next())
            && let Some(returns) = self.graph.summary(function).and_then(|summary| summary.returns.as_ref())
        {
            let mut chains = self.eval(returns, fuel);
            let hop = Hop::inferred(call.site.span, format!("what the function that {name}() is handed returns"));
            chains.iter_mut().flatten().for_each(|atom| atom.passes(hop.clone()));
            return chains;
        }
        // A method of what came in gives a part of it: `searchParams.get('t')`.
        if let Some(receiver) = call.receiver()
            && self.comes_in(receiver, 12)
        {
            let mut chains = self.eval(receiver, fuel);
            if chains.iter().flatten().all(|atom| atom.origin == Origin::Supplied) {
                let hop = Hop::inferred(call.site.span, format!("a part that {name}() takes of it"));
                chains.iter_mut().flatten().for_each(|atom| atom.passes(hop.clone()));
                return chains;
            }
        }
        let shown = if name.is_empty() { "a call".to_owned() } else { format!("{name}()") };
        unknown(value, format!("the result of {shown} at {}, which no rule describes", self.place(call.site.span)))
    }
}

/// How the name of a function starts that hashes what it is given first.
const HASHES: [&str; 6] = ["hash", "digest", "sha", "md5", "blake2", "blake3"];

/// The mint row that describes a library call.
pub(super) fn mint_of<'a>(graph: &Graph<'a>, call: &CallValue) -> Option<&'a Mint> {
    let name = match &call.callee.kind {
        ValueKind::Field(_, name) => Some(name.as_str()),
        _ => None,
    };
    let mut rows = graph.rules.mints_named(name).peekable();
    // Hardly any call has the name of one, and telling its path costs more.
    rows.peek()?;
    let path = graph.fitting_path(call, |path| rows.clone().any(|row| row.call.matches(path)))?;
    rows.find(|row| row.call.matches(&path) && (call.args.is_empty() || !row.bare))
}
