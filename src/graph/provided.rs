//! Which class stands for what a class asks to be handed: `{ provide: TOKEN, useClass: Store }`, `container.register(TOKEN, ..)`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::rules::{ArgBase, ArgPath, Provide, Rules};
use crate::source::{FileId, Scope, SourceSet};
use crate::summary::{CallValue, ClassRef, FunctionRef, Shared, Value, ValueKind};

/// What is provided, by the last word of its token as written.
pub(super) type Provided = BTreeMap<String, Vec<Bound>>;

/// What one place of the tree provides under a token.
#[derive(Debug)]
pub(super) struct Bound {
    token: Shared,
    how: How,
    given: Shared,
    /// The call that says so, and the index of its row: whether it is of the library is asked when it matters.
    by: Option<(Arc<CallValue>, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// An instance of the class.
    Class,
    /// What stands for this other token.
    Existing,
    /// What the function gives.
    Factory,
    Value,
}

/// What a class asks for.
enum Asked {
    Token(Shared),
    Class(ClassRef),
}

/// So many tokens that stand for one another are followed.
const LONGEST: u8 = 4;

/// The files that may say that the classes of methods stand for something, or for themselves where others could: they name the class.
pub fn providing(graph: &Graph, methods: &BTreeSet<FunctionRef>) -> BTreeSet<FileId> {
    let (binding, listing) = (saying(graph.sources, graph.rules, false), saying(graph.sources, graph.rules, true));
    if binding.is_empty() {
        return binding;
    }
    let class = |of: &FunctionRef| Some(ClassRef { file: of.file, id: graph.function(*of)?.class? });
    let classes: BTreeSet<ClassRef> = methods.iter().filter_map(class).collect();
    let mut found = BTreeSet::new();
    for class in classes {
        let is_related = graph.lineage(class).len() > 1 || !graph.heirs(class).is_empty();
        let names = graph.names_of_class(class);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let naming = graph.sources.mentions(&names).into_iter().flatten();
        found.extend(naming.filter(|file| binding.contains(file) || is_related && listing.contains(file)));
    }
    found
}

/// The production files that may say what a token stands for; or list classes that stand for themselves.
fn saying(sources: &SourceSet, rules: &Rules, plain: bool) -> BTreeSet<FileId> {
    let mut found = BTreeSet::new();
    for row in rules.provide() {
        let key = |path: &ArgPath| path.keys.last().cloned();
        let words: Vec<String> = match &row.call {
            _ if plain => row.plain.iter().filter_map(key).collect(),
            Some(call) => call.last().map(str::to_owned).into_iter().collect(),
            None => key(&row.token).into_iter().collect(),
        };
        let of_library = |file: &FileId| {
            let module = row.call.as_ref().and_then(|call| call.module());
            module.is_none_or(|module| sources.get(*file).text.contains(module))
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let files = sources.mentions(&words).into_iter().flatten();
        found.extend(files.filter(|file| sources.get(*file).scope == Scope::Production).filter(of_library));
    }
    found
}

impl Graph<'_> {
    /// The type of what a class is handed for a field of its own, where the tree says what stands for it.
    pub(super) fn provided(&self, owner: ClassRef, field: &str) -> Option<Type> {
        if self.is_linking || self.rules.provide().next().is_none() {
            return None;
        }
        let (asked, declared) = self.asked_for(owner, field)?;
        // What a library's type says holds whatever stands for it.
        if matches!(declared, Type::External(..)) && !declared.is_any() {
            return None;
        }
        let given = self.stands_for(&asked, LONGEST).or_else(|| self.stands_for_itself(&asked))?;
        let is_of_tree = matches!(&given, Type::Instance(..) | Type::Union(_) | Type::Array(_));
        (is_of_tree || declared == Type::Unknown).then_some(given)
    }

    /// The class that a value is just an instance of, and of no heir: what a container hands a class for a field of that type, where nothing
    /// else is said to stand for it.
    pub fn handed_class(&self, value: &Shared) -> Option<ClassRef> {
        let ValueKind::Field(base, field) = &value.kind else { return None };
        let Type::Instance(owner, _) = self.type_of(base) else { return None };
        let Type::Instance(declared, _) = self.type_of(value) else { return None };
        if self.is_linking || self.heirs(declared).is_empty() {
            return None;
        }
        let of_owner = self.lineage(owner).iter().copied().find_map(|owner| self.asked_for(owner, field));
        let (Asked::Class(class), _) = of_owner? else { return None };
        let asked = Asked::Class(class);
        let is_itself = || match self.stands_for(&asked, LONGEST) {
            None => true,
            Some(given) => given == Type::Instance(class, Vec::new()),
        };
        (class == declared && self.is_managed(class) && is_itself()).then_some(class)
    }

    /// Whether a container makes the instances of a class.
    fn is_managed(&self, class: ClassRef) -> bool {
        let decorators = self.unit(class.file).and_then(|unit| unit.summary.class_decorators.get(class.id.at()));
        decorators.into_iter().flatten().any(|call| {
            let path = self.path(&call.callee);
            let is_it = |row: &Provide, path: &str| row.managed.as_ref().is_some_and(|managed| managed.matches(path));
            path.is_some_and(|path| self.rules.provide().any(|row| is_it(row, &path)))
        })
    }

    /// What a field asks for, and its type as declared: by a decorator of the field or of the constructor's parameter, else by its type.
    fn asked_for(&self, owner: ClassRef, field: &str) -> Option<(Asked, Type)> {
        let unit = self.unit(owner.file)?;
        let constructor = self.method(owner, "constructor");
        let summary = constructor.and_then(|constructor| self.summary(constructor));
        let handed = summary.into_iter().flat_map(|summary| &summary.this_fields);
        let param = handed.filter(|(name, _)| name == field).find_map(|(_, value)| match value.kind {
            ValueKind::Param(function, at) if Some(function) == constructor => Some(at as usize),
            _ => None,
        });
        let declared = self.class(owner)?.fields.iter().find(|declared| declared.name == field);
        let of_param = param.and_then(|at| self.function(constructor?)?.params.get(at)?.ty.as_ref());
        let ty = declared.and_then(|declared| declared.ty.as_ref()).or(of_param);
        let ty = ty.map_or(Type::Unknown, |ty| self.resolve_type(owner.file, ty));
        let of_field = unit.summary.field_decorators.get(&(owner.id, field.to_owned()));
        let of_param = param.and_then(|at| summary?.param_decorators.get(at));
        let decorators = of_field.into_iter().chain(of_param).flatten();
        let is_injection = |call: &&Arc<CallValue>| {
            let path = self.path(&call.callee);
            path.is_some_and(|path| self.rules.provide().any(|row| row.inject.matches(&path)))
        };
        if let Some(token) = decorators.into_iter().find(is_injection).and_then(|call| call.args.first()) {
            return Some((Asked::Token(Arc::clone(&token.value)), ty));
        }
        match (&ty, param.is_some()) {
            (Type::Instance(class, _), true) => Some((Asked::Class(*class), ty)),
            _ => None,
        }
    }

    /// The type of what stands for a token, of all that do in the tree; `None` where one cannot be told.
    fn stands_for(&self, asked: &Asked, fuel: u8) -> Option<Type> {
        let fuel = fuel.checked_sub(1)?;
        let name = match asked {
            Asked::Token(token) => last_word(self.sources.text(token.span)).to_owned(),
            Asked::Class(class) => self.class(*class)?.name.clone(),
        };
        let mut kinds: Vec<Type> = Vec::new();
        for bound in self.provisions.get_or_init(|| self.find_provisions()).get(&name)? {
            if !self.is_token(&bound.token, asked) || !self.is_provision(bound) {
                continue;
            }
            match self.type_provided(bound, asked, fuel)? {
                Type::Union(more) => kinds.extend(more),
                one => kinds.push(one),
            }
        }
        let mut seen: Vec<Type> = Vec::new();
        for kind in kinds {
            if !seen.contains(&kind) {
                seen.push(kind);
            }
        }
        if seen.len() > 1 { Some(Type::Union(seen)) } else { seen.pop() }
    }

    /// `@Inject(Store)`: a class is its own token, where nothing else is said to stand for it.
    fn stands_for_itself(&self, asked: &Asked) -> Option<Type> {
        let Asked::Token(token) = asked else { return None };
        let ValueKind::Class(class) = self.token_behind(token).kind else { return None };
        let name = last_word(self.sources.text(token.span));
        let bound = self.provisions.get_or_init(|| self.find_provisions()).get(name);
        let is_bound = bound.into_iter().flatten().any(|bound| self.is_token(&bound.token, asked));
        (!is_bound).then(|| Type::Instance(class, Vec::new()))
    }

    fn is_provision(&self, bound: &Bound) -> bool {
        let Some((call, nth)) = &bound.by else { return true };
        let row = self.rules.provide().nth(*nth).and_then(|row| row.call.as_ref());
        let path = self.library_path(call);
        row.is_some_and(|row| path.is_some_and(|path| row.matches(&path)))
    }

    fn type_provided(&self, bound: &Bound, asked: &Asked, fuel: u8) -> Option<Type> {
        let given = match bound.how {
            How::Factory => match self.resolved(&bound.given).kind {
                ValueKind::Function(function) => self.summary(function)?.returns.clone()?,
                _ => return None,
            },
            _ => Arc::clone(&bound.given),
        };
        let choices = self.choices(&given).unwrap_or_else(|| vec![given]);
        let mut kinds = Vec::new();
        for choice in choices {
            let class = self.class_behind(&choice);
            let kind = match (bound.how, class) {
                (How::Class, Some(class)) => Type::Instance(class, Vec::new()),
                (How::Class, None) => return None,
                (How::Existing, Some(class)) => {
                    // What stands for itself: `providers: [Auth, { provide: Base, useExisting: Auth }]`.
                    let is_itself = matches!(asked, Asked::Class(own) if *own == class);
                    let other = if is_itself { None } else { self.stands_for(&Asked::Class(class), fuel) };
                    other.unwrap_or(Type::Instance(class, Vec::new()))
                }
                (How::Existing, None) => self.stands_for(&Asked::Token(choice), fuel)?,
                (How::Factory | How::Value, _) => self.type_of(&choice),
            };
            match kind {
                Type::Union(more) => kinds.extend(more),
                Type::Unknown | Type::Object(_) => return None,
                one => kinds.push(one),
            }
        }
        if kinds.len() == 1 { kinds.pop() } else { Some(Type::Union(kinds)) }
    }

    /// Whether two tokens are one: the same class, the same text, or made at the same place (`Symbol('store')`).
    fn is_token(&self, token: &Shared, asked: &Asked) -> bool {
        let token = self.token_behind(token);
        match asked {
            Asked::Class(class) => matches!(token.kind, ValueKind::Class(own) if own == *class),
            Asked::Token(other) => {
                let other = self.token_behind(other);
                match (&token.kind, &other.kind) {
                    (ValueKind::Class(left), ValueKind::Class(right)) => left == right,
                    (ValueKind::Text(left), ValueKind::Text(right)) => left == right,
                    _ => token.span == other.span,
                }
            }
        }
    }

    /// Also behind `forwardRef(() => Store)`.
    fn token_behind(&self, token: &Shared) -> Shared {
        let resolved = self.resolved(token);
        let ValueKind::Call(call) = &resolved.kind else { return resolved };
        let [only] = call.args.as_slice() else { return resolved };
        let returned = match only.value.kind {
            ValueKind::Function(function) => self.summary(function).and_then(|summary| summary.returns.as_ref()),
            _ => None,
        };
        let class = returned.and_then(|returned| self.class_behind(returned));
        class.map_or(Arc::clone(&resolved), |class| Value::new(ValueKind::Class(class), resolved.span))
    }

    fn find_provisions(&self) -> Provided {
        let mut found = Provided::new();
        let mut files = saying(self.sources, self.rules, false);
        files.append(&mut saying(self.sources, self.rules, true));
        for (file, unit) in self.units().filter(|(file, _)| files.contains(file)) {
            let mut open: Vec<Shared> = Vec::new();
            for summary in &unit.summary.functions {
                open.extend(summary.returns.iter().chain(summary.assigned.values().flatten()).cloned());
                for call in summary.calls.iter().map(|event| &event.call) {
                    open.extend(call.args.iter().map(|arg| Arc::clone(&arg.value)));
                    self.add_call(call, &mut found);
                }
            }
            let decorators = unit.summary.class_decorators.iter().flatten();
            open.extend(decorators.flat_map(|call| &call.args).map(|arg| Arc::clone(&arg.value)));
            open.extend(unit.summary.fields.values().chain(unit.summary.exported.values()).cloned());
            let mut seen: BTreeSet<usize> = BTreeSet::new();
            while let Some(value) = open.pop() {
                if value.span.file == file && seen.insert(Arc::as_ptr(&value).addr()) {
                    self.add_object(&value, &mut found);
                    value.kind.each(&mut |part| open.push(Arc::clone(part)));
                }
            }
        }
        found
    }

    fn add_call(&self, call: &Arc<CallValue>, found: &mut Provided) {
        let args: Vec<Shared> = call.args.iter().map(|arg| Arc::clone(&arg.value)).collect();
        for (nth, row) in self.rules.provide().enumerate() {
            if row.call.as_ref().is_some_and(|of| of.last().is_some() && of.last() == call.method()) {
                self.add(row, &args, Some((call, nth)), found);
            }
        }
    }

    fn add_object(&self, value: &Shared, found: &mut Provided) {
        if !matches!(value.kind, ValueKind::Object { .. }) {
            return;
        }
        for row in self.rules.provide().filter(|row| row.call.is_none()) {
            self.add(row, std::slice::from_ref(value), None, found);
        }
    }

    fn add(&self, row: &Provide, args: &[Shared], by: Option<(&Arc<CallValue>, usize)>, found: &mut Provided) {
        let at = |path: &ArgPath| {
            let ArgBase::Nth(nth) = path.base else { return None };
            let base = Arc::clone(args.get(nth as usize)?);
            let value = path.keys.iter().fold(base, |at, key| Value::field(&at, key, at.span));
            (!matches!(value.kind, ValueKind::Undefined)).then_some(value)
        };
        let listed = row.plain.iter().filter_map(at).flat_map(|list| match &list.kind {
            ValueKind::Array(members) => members.iter().map(|member| Arc::clone(member.value())).collect(),
            _ => Vec::new(),
        });
        for class in listed.filter(|class| matches!(class.kind, ValueKind::Class(_) | ValueKind::Import(..))) {
            let name = last_word(self.sources.text(class.span)).to_owned();
            let bound = Bound { token: Arc::clone(&class), how: How::Class, given: class, by: None };
            found.entry(name).or_default().push(bound);
        }
        let Some(token) = at(&row.token) else { return };
        let of_kind = |paths: &[ArgPath], how: How| paths.iter().filter_map(at).map(|given| (how, given)).collect();
        let all: [Vec<(How, Shared)>; 4] = [
            of_kind(&row.class, How::Class),
            of_kind(&row.existing, How::Existing),
            of_kind(&row.factory, How::Factory),
            of_kind(&row.value, How::Value),
        ];
        for (how, given) in all.into_iter().flatten() {
            let by = by.map(|(call, nth)| (Arc::clone(call), nth));
            let name = last_word(self.sources.text(token.span)).to_owned();
            found.entry(name).or_default().push(Bound { token: Arc::clone(&token), how, given, by });
        }
    }
}

/// `Store` of `forwardRef(() => Store)`, `STORE` of `tokens.STORE` and of `'STORE'`.
fn last_word(text: &str) -> &str {
    let text = text.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
    let start = text.rfind(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
    start.map_or(text, |at| &text[at..]).trim_start_matches(|c: char| !c.is_alphanumeric() && c != '_' && c != '$')
}
