//! The call graph of the lowered files: what names mean across files, what type a value has, which functions a call reaches.
//!
//! Input: lowered and summarised modules, the rule packs. Output: a [`Graph`] that answers on demand.
//!
//! Invariants: an answer never depends on the order in which files were lowered; what lies in a file that was not lowered
//! yet is lowered when a question leads there, and linked in the next round; a step that was taken by a name or that has several
//! candidates says so ([`Target::certain`]).
//!
//! Worked example: in `constructor(private users: UsersService) {} login() { this.users.updateToken(id, t) }` the receiver's type is the
//! class `UsersService`, found through the import; the target is its method `updateToken`, certain.

mod aliases;
mod callers;
mod calls;
mod chain;
mod choices;
mod closures;
mod configured;
mod contexts;
mod controllers;
mod crates;
mod declared;
mod entries;
mod events;
mod expand;
mod exports;
mod factories;
mod fields;
mod framework;
mod fronts;
mod generics;
mod globs;
mod handed;
mod handlers;
mod issued;
mod kept;
mod lent;
mod makers;
mod maps;
mod members;
mod memo;
mod modules;
mod mounts;
mod named;
mod names;
mod places;
mod provided;
mod runs;
mod substitution;
mod types;
mod units;

pub use calls::{Edge, EdgeKind, Target};
pub use entries::Entry;
pub use expand::Bindings;
pub use exports::Resolved;
pub use framework::names_towards_routes;
pub use fronts::Front;
pub use memo::Limit;
pub use provided::providing;
pub use types::Type;
pub use units::{Readers, Unit, Units};

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::graph::memo::{Horizon, Memo};
use crate::ir::{ClassKind, Function, FunctionId, FunctionKind, ImportId, Module, SqlPart, SqlText};
use crate::rules::Rules;
use crate::source::{FileId, Language, Scope, SourceSet, Span};
use crate::summary::{ClassRef, FunctionRef, Shared, Summary};

/// Steps that one question may take: looking behind a name or a call, working out a type. Code that needs more is generated, or
/// refers to itself in circles.
const FUEL: u32 = 8_000;

/// The lowered files as one program.
#[derive(Debug)]
pub struct Graph<'a> {
    pub sources: &'a SourceSet,
    pub rules: &'a Rules,
    units: &'a Units,
    /// What was lowered when the graph was linked. What is lowered since is followed through imports, and linked in the next round.
    linked: Vec<(FileId, &'a Unit)>,
    /// While linking, nothing more is lowered.
    is_linking: bool,
    limits: RefCell<Option<Rc<BTreeSet<FileId>>>>,
    horizon: Horizon,
    /// Steps that the question under way may still take.
    fuel: Cell<u32>,
    taken: Cell<u64>,
    globs: RefCell<globs::Globs>,
    types: Memo<Type>,
    reached: Memo<Rc<[Target]>>,
    no_targets: Rc<[Target]>,
    results: Memo<Option<Shared>>,
    paths: Memo<Option<String>>,
    called_paths: Memo<Option<String>>,
    imports: Memo<Resolved, (FileId, ImportId)>,
    lineages: RefCell<BTreeMap<ClassRef, Rc<Vec<ClassRef>>>>,
    /// Methods and functions by name.
    by_name: FxHashMap<&'a str, Vec<FunctionRef>>,
    named_by_calls: FxHashMap<FunctionRef, &'a str>,
    classes: FxHashMap<&'a str, Vec<ClassRef>>,
    /// Class -> classes that extend or implement it.
    heirs: BTreeMap<ClassRef, Vec<ClassRef>>,
    index: callers::CallIndex<'a>,
    callers: RefCell<BTreeMap<FunctionRef, Rc<Vec<Edge>>>>,
    /// Functions that something depends on which is handed to them at another time.
    sought: RefCell<BTreeSet<FunctionRef>>,
    nameless: OnceCell<BTreeMap<FunctionRef, Vec<callers::At>>>,
    aliases: OnceCell<aliases::Aliases>,
    framework_edges: OnceCell<Vec<(FunctionRef, FunctionRef, Span)>>,
    events: OnceCell<events::Events>,
    contexts: OnceCell<contexts::Contexts>,
    lent: RefCell<Option<Rc<lent::Lent>>>,
    provisions: OnceCell<provided::Provided>,
    entries: entries::Entries,
    /// Structs with generated constructors or builders.
    makers: BTreeMap<ClassRef, Vec<&'a crate::rules::Maker>>,
}

impl<'a> Graph<'a> {
    /// Links the units. `exported` functions that nobody calls are entry points.
    pub fn new(sources: &'a SourceSet, rules: &'a Rules, units: &'a Units) -> Self {
        let linked: Vec<(FileId, &Unit)> = units.iter().collect();
        let mut graph = Self {
            sources,
            rules,
            units,
            is_linking: true,
            limits: RefCell::default(),
            horizon: Horizon::default(),
            fuel: Cell::new(FUEL),
            taken: Cell::default(),
            globs: RefCell::default(),
            types: Memo::default(),
            reached: Memo::default(),
            no_targets: Rc::from([]),
            results: Memo::default(),
            paths: Memo::default(),
            called_paths: Memo::default(),
            imports: Memo::default(),
            lineages: RefCell::default(),
            by_name: FxHashMap::default(),
            named_by_calls: members::named_by_calls(rules, &linked),
            classes: FxHashMap::default(),
            heirs: BTreeMap::new(),
            index: callers::CallIndex::new(&linked),
            linked,
            callers: RefCell::default(),
            sought: RefCell::default(),
            nameless: OnceCell::new(),
            aliases: OnceCell::new(),
            framework_edges: OnceCell::new(),
            events: OnceCell::new(),
            contexts: OnceCell::new(),
            lent: RefCell::default(),
            provisions: OnceCell::new(),
            entries: entries::Entries::default(),
            makers: BTreeMap::new(),
        };
        for (file, unit) in &graph.linked {
            for (at, function) in unit.module.functions.iter().enumerate().skip(1) {
                let named = FunctionRef { file: *file, id: FunctionId::of(at) };
                let name = graph.named_by_calls.get(&named).copied().unwrap_or(&function.name);
                graph.by_name.entry(name).or_default().push(named);
            }
            for (at, class) in unit.module.classes.iter().enumerate() {
                let named = ClassRef { file: *file, id: crate::ir::ClassId::of(at) };
                if !class.name.is_empty() {
                    graph.classes.entry(&class.name).or_default().push(named);
                }
            }
        }
        graph.heirs = graph.find_heirs();
        graph.makers = graph.find_makers();
        graph.forget();
        graph.entries = entries::find(&graph);
        // What linking itself could not see is lowered only on the way to a site.
        graph.is_linking = false;
        graph.forget();
        graph.link_answers();
        graph
    }

    pub fn units(&self) -> impl Iterator<Item = (FileId, &'a Unit)> {
        self.linked.iter().copied()
    }

    pub fn unit(&self, file: FileId) -> Option<&'a Unit> {
        self.units.get(file)
    }

    pub fn module(&self, file: FileId) -> Option<&'a Module> {
        self.units.get(file).map(|unit| &unit.module)
    }

    pub fn function(&self, at: FunctionRef) -> Option<&'a Function> {
        self.module(at.file)?.functions.get(at.id.at())
    }

    pub fn summary(&self, at: FunctionRef) -> Option<&'a Summary> {
        self.units.get(at.file)?.summary.functions.get(at.id.at())
    }

    pub fn class(&self, at: ClassRef) -> Option<&'a crate::ir::Class> {
        self.module(at.file)?.classes.get(at.id.at())
    }

    /// What a function is for: that of its file, or tests where it stands among those of a file that is not.
    pub fn scope(&self, of: FunctionRef) -> Scope {
        let is_test = self.function(of).is_some_and(|function| function.is_test);
        if is_test { Scope::Test } else { self.sources.get(of.file).scope }
    }

    /// The code at a place where it is a name, else `other`: no literal of the code goes into a gap.
    pub fn shown(&self, span: Span, other: &str) -> String {
        let text = self.sources.text(span);
        let is_name = text.len() <= 60 && text.chars().all(|c| c.is_alphanumeric() || "_$.?!".contains(c));
        if is_name { format!("`{text}`") } else { other.to_owned() }
    }

    /// Drops what was worked out while callers and entry points were not known yet.
    fn forget(&mut self) {
        self.types = Memo::default();
        self.reached = Memo::default();
        self.results = Memo::default();
        self.paths = Memo::default();
        self.called_paths = Memo::default();
        self.imports = Memo::default();
        self.lineages = RefCell::default();
    }

    /// Starts a new question, with its own budget; whether the last one ran out of it.
    pub fn refuel(&self) -> bool {
        let left = self.fuel.replace(FUEL);
        self.taken.set(self.taken.get().saturating_add(u64::from(FUEL - left.min(FUEL))));
        left == 0
    }

    /// The answer to a question of its own, with its own budget, in the middle of another.
    fn aside<T>(&self, question: impl FnOnce() -> T) -> T {
        let left = self.fuel.get();
        self.refuel();
        let answer = question();
        self.refuel();
        self.fuel.set(left);
        answer
    }

    /// Steps that all questions so far have taken.
    pub fn steps_taken(&self) -> u64 {
        self.taken.get()
    }

    /// Takes a step; false when the budget of the question is used up.
    pub fn step(&self) -> bool {
        let left = self.fuel.get();
        self.fuel.set(left.saturating_sub(1));
        if left == 0 {
            self.horizon.starve();
        }
        left > 0
    }

    /// Whether the question under way has no steps left.
    pub fn is_spent(&self) -> bool {
        self.fuel.get() == 0
    }

    /// Until the guard is dropped, only these files (and barrels, which lead to them) are asked for: the question under way
    /// cannot be changed by others.
    pub fn limit(&self, files: Rc<BTreeSet<FileId>>) -> Limit<'_> {
        self.limited(Some(files))
    }

    /// Until the guard is dropped, any file is asked for.
    pub fn without_limit(&self) -> Limit<'_> {
        self.limited(None)
    }

    fn limited(&self, files: Option<Rc<BTreeSet<FileId>>>) -> Limit<'_> {
        let before = (self.horizon.moved(files.as_ref()), self.limits.replace(files));
        Limit { horizon: &self.horizon, limits: &self.limits, before }
    }

    /// The answer, where no [`limit`](Self::limit) kept a file out of the question.
    pub fn unlimited<T>(&self, question: impl FnOnce() -> T) -> Option<T> {
        let before = self.horizon.hidden.get();
        let answer = question();
        (self.horizon.hidden.get() == before).then_some(answer)
    }

    /// The answer, and whether it is whole: no limit kept a file out of the question, and no step was missing.
    pub fn asked<T>(&self, question: impl FnOnce() -> T) -> (T, bool) {
        let seen = || (self.horizon.hidden.get(), self.horizon.starved.get());
        let before = seen();
        let answer = question();
        (answer, seen() == before)
    }

    /// The unit of a file that the question under way leads to, lowered now where it was not yet and the limit allows.
    fn wanted(&self, file: FileId) -> Option<&'a Unit> {
        let known = self.unit(file);
        if known.is_some() || self.is_linking {
            return known;
        }
        let barrel = || {
            let source = self.sources.get(file);
            match source.language {
                // `pub use postgres::*;`
                Language::Rust => source.text.contains("pub use ") && source.text.contains('*'),
                _ => source.path.rsplit('/').next().is_some_and(|name| name.starts_with("index.")),
            }
        };
        if self.limits.borrow().as_ref().is_some_and(|only| !only.contains(&file) && !barrel()) {
            self.horizon.hide();
            return None;
        }
        self.units.lowered(self.sources, file)
    }

    /// The SQL that a program in `file` puts together of these parts; `None` where it is prose.
    pub fn read_sql(&self, parts: &[SqlPart], file: FileId) -> Option<SqlText> {
        self.units.read_sql(parts, file)
    }

    /// Lowers a file that matters to the question under way, whatever its limit.
    pub fn ask(&self, file: FileId) {
        self.units.lowered(self.sources, file);
    }

    /// What makes a function an entry point; empty where nothing does.
    pub fn entries(&self, of: FunctionRef) -> &[Entry] {
        self.entries.by_function.get(&of).map_or(&[], Vec::as_slice)
    }

    /// The files of the routers on which a function is registered: what imports them may mount them below a further path.
    pub fn routers(&self, of: FunctionRef) -> impl Iterator<Item = FileId> {
        self.entries.routers.get(&of).into_iter().flatten().copied()
    }

    /// The files of what runs before a handler on the same request, where they are not lowered.
    pub fn unseen_ahead(&self, of: FunctionRef) -> impl Iterator<Item = FileId> {
        self.entries.unseen.get(&of).into_iter().flatten().copied()
    }

    /// `Class.method`, `function`, `outer.<closure>`.
    pub fn name(&self, of: FunctionRef) -> String {
        let Some(function) = self.function(of) else { return String::new() };
        if function.kind == FunctionKind::Module {
            return "<module>".to_owned();
        }
        if let Some(class) = function.class.and_then(|id| self.class(ClassRef { file: of.file, id }))
            && !class.name.is_empty()
        {
            return format!("{}.{}", class.name, function.name);
        }
        match self.named_parent(of) {
            Some(outer) if function.name == "<closure>" => self.handler_name(of).unwrap_or_else(|| self.name(outer)),
            Some(outer) if self.function(outer).is_some_and(|f| f.kind != FunctionKind::Module) => {
                format!("{}.{}", self.name(outer), function.name)
            }
            _ => function.name.clone(),
        }
    }

    /// The function around a closure.
    pub fn named_parent(&self, of: FunctionRef) -> Option<FunctionRef> {
        let id = self.function(of)?.parent?;
        (id != of.id).then_some(FunctionRef { file: of.file, id })
    }

    /// The functions of that name in the lowered files.
    pub fn functions_named(&self, name: &str) -> &[FunctionRef] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// The only class of a name, for references that no import explains.
    pub fn only_class(&self, name: &str) -> Option<ClassRef> {
        match self.classes.get(name).map(Vec::as_slice) {
            Some([only]) => Some(*only),
            _ => None,
        }
    }

    /// The class, its base classes and interfaces that lie in the tree, nearest first.
    pub fn lineage(&self, class: ClassRef) -> Rc<Vec<ClassRef>> {
        if let Some(known) = self.lineages.borrow().get(&class) {
            return Rc::clone(known);
        }
        let before = self.horizon.hidden.get();
        let line = Rc::new(self.find_lineage(class));
        // A base whose file was kept from being asked for is one all the same.
        if self.horizon.hidden.get() == before {
            self.lineages.borrow_mut().insert(class, Rc::clone(&line));
        }
        line
    }

    fn find_lineage(&self, class: ClassRef) -> Vec<ClassRef> {
        let mut line = vec![class];
        let mut at = 0;
        while let Some(current) = line.get(at).copied() {
            at += 1;
            let Some(declared) = self.class(current) else { continue };
            for base in declared.extends.iter().chain(&declared.implements) {
                if let Type::Instance(base, _) = self.resolve_type(current.file, base)
                    && !line.contains(&base)
                    && line.len() < 50
                {
                    line.push(base);
                }
            }
        }
        line
    }

    /// Classes below `class`, at any distance.
    pub fn heirs(&self, class: ClassRef) -> Vec<ClassRef> {
        let mut all: Vec<ClassRef> = Vec::new();
        let mut open = vec![class];
        while let Some(current) = open.pop() {
            for heir in self.heirs.get(&current).into_iter().flatten() {
                if !all.contains(heir) && *heir != class {
                    all.push(*heir);
                    open.push(*heir);
                }
            }
        }
        all.sort_unstable();
        all
    }

    fn find_heirs(&self) -> BTreeMap<ClassRef, Vec<ClassRef>> {
        let mut heirs: BTreeMap<ClassRef, Vec<ClassRef>> = BTreeMap::new();
        for (file, unit) in &self.linked {
            for (at, class) in unit.module.classes.iter().enumerate() {
                let heir = ClassRef { file: *file, id: crate::ir::ClassId::of(at) };
                if class.kind == ClassKind::Alias {
                    continue;
                }
                for base in class.extends.iter().chain(&class.implements) {
                    if let Type::Instance(base, _) = self.resolve_type(*file, base) {
                        heirs.entry(base).or_default().push(heir);
                    }
                }
            }
        }
        heirs
    }
}

#[cfg(test)]
pub(crate) mod bench;
#[cfg(test)]
mod tests;
