//! What is written to a tracked column, per code path.
//!
//! Input: the call graph, the schema, the candidates of `sites`. Output: a [`Survey`], which says what must still be lowered; when
//! nothing must, it is finished into one [`ColumnTrace`] a column.
//!
//! Invariants: an origin that cannot be told is `unknown` with a reason; an update that does not mention the column is no site; a
//! path whose constant arguments contradict a condition on it does not exist; results are sorted.
//!
//! # Method
//! Backward from a candidate's row: in its own function the row is known in terms of parameters; for each caller the arguments
//! are substituted, up to the entry points. There the key of the column is looked up in the row, and its value taken apart
//! into chains of origins. Once nothing in the row depends on callers any more, one way to each entry point is enough.
//!
//! Worked example: `updateToken(id, a) { repo.update(id, { accessToken: a }) }` writes `Param 1`. Called as `updateToken(u.id, u.accessToken)` with
//! `u = repo.findOne(..)` it writes `preserved`; called with `jwt.sign(..)` it writes `fresh`.

mod built;
mod calls;
mod cell;
mod cells;
mod chain;
mod conditions;
mod constants;
mod decided;
mod declared;
mod entries;
mod gaps;
mod handed;
mod hooks;
mod inserts;
mod interceptors;
mod issuing;
mod kind;
mod known;
mod leaving;
mod meaning;
mod missing;
mod models;
mod overrides;
mod path;
mod reads;
mod row;
mod shapes;
mod stored;
mod unstored;
mod walk;

pub use path::{
    ColumnTrace, Confidence, EntryPoint, Hop, Meaning, MissingWrite, OnPath, Origin, Path, ReadKind, ReadSite, Step,
    WriteSite,
};

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::graph::Graph;
use crate::ir::FunctionId;
use crate::provenance::cells::{Judge, Written, is_optional, leaves_out};
use crate::provenance::chain::Chain;
use crate::provenance::inserts::rows_written;
use crate::provenance::interceptors::Intercepting;
use crate::provenance::issuing::{Evidence, Issuing, OnWay};
use crate::provenance::known::{Known, OfTop};
use crate::provenance::meaning::{Evaluator, Top};
use crate::provenance::missing::Search;
use crate::provenance::models::Rows;
use crate::provenance::row::Lookup;
use crate::provenance::stored::stored;
use crate::provenance::walk::{Walk, Way};
use crate::rules::{Form, Operation};
use crate::schema::{ColumnId, Schema};
use crate::sites::{self, Candidate};
use crate::source::{Gap, Scope, Span};
use crate::summary::{CallSite, FunctionRef, Guards, Shared, Sharing};

/// Every way to every write, before it is known which of them issue tokens.
#[derive(Debug)]
pub struct Survey<'g, 'a> {
    graph: &'g Graph<'a>,
    schema: &'g Schema,
    issuing: Issuing<'g, 'a>,
    interceptors: Vec<Intercepting<'g>>,
    /// In the order of [`Schema::columns`].
    columns: Vec<Surveyed>,
    reached: BTreeSet<FunctionRef>,
    rows: Rc<Rows>,
    /// Ways share what they write, and with it what is known of it.
    _sharing: Sharing,
}

/// Follows the writes of every tracked column.
pub fn survey<'g, 'a>(graph: &'g Graph<'a>, schema: &'g Schema) -> Survey<'g, 'a> {
    let candidates = sites::find(graph, schema);
    let survey = Survey {
        graph,
        schema,
        issuing: Issuing::new(graph),
        interceptors: interceptors::find(graph),
        columns: Vec::new(),
        reached: BTreeSet::new(),
        rows: Rc::default(),
        _sharing: Sharing::start(),
    };
    let (mut reached, all) = (BTreeSet::new(), 0..schema.columns.len());
    let columns = all.map(|at| survey.tracer(at).survey(&candidates, &mut reached)).collect();
    reached.extend(graph.sought());
    Survey { columns, reached, ..survey }
}

impl<'a> Survey<'_, 'a> {
    /// The functions whose callers must be known for the survey to be complete.
    pub fn reached(&self) -> &BTreeSet<FunctionRef> {
        &self.reached
    }

    /// Tells which paths issue tokens, which entry points should write and do not, and who reads: what a survey that is to be
    /// made again need not say. In the order of [`Schema::columns`].
    pub fn finish(mut self) -> Vec<ColumnTrace> {
        let columns = std::mem::take(&mut self.columns).into_iter().enumerate();
        columns.map(|(at, surveyed)| self.tracer(at).finish(surveyed)).collect()
    }

    fn tracer(&self, at: usize) -> ColumnTracer<'_, 'a> {
        let Self { graph, schema, issuing, interceptors, rows, .. } = self;
        ColumnTracer { graph, schema, issuing, interceptors, column: ColumnId(at), rows, known: RefCell::default() }
    }
}

struct ColumnTracer<'g, 'a> {
    graph: &'g Graph<'a>,
    schema: &'g Schema,
    issuing: &'g Issuing<'g, 'a>,
    interceptors: &'g [Intercepting<'g>],
    column: ColumnId,
    rows: &'g Rc<Rows>,
    /// What values came to.
    known: RefCell<BTreeMap<OfTop, Rc<Known>>>,
}

/// What a survey knows of one column.
#[derive(Debug, Default)]
struct Surveyed {
    drafts: Vec<DraftSite>,
    /// The mints whose value reaches the column.
    minted: BTreeSet<CallSite>,
    /// The functions that hand such a value to their callers.
    issuers: BTreeSet<FunctionRef>,
    /// Mints of the same kind that are stored nowhere.
    alike: BTreeSet<CallSite>,
    /// What may write, though that cannot be told: such a path misses no write that is known.
    doubtful: BTreeSet<FunctionRef>,
    gaps: BTreeSet<Gap>,
}

/// A path before it is known which mints make a path an issuing one.
#[derive(Debug)]
struct Draft {
    path: Path,
    functions: Vec<FunctionRef>,
    /// Under what each of the functions leads on.
    guards: Vec<Guards>,
    row: Shared,
    /// The call that made the entry point, where one did.
    made: Option<CallSite>,
    /// What runs before the entry point on the same request.
    ahead: Vec<FunctionRef>,
}

#[derive(Debug)]
struct DraftSite {
    span: Span,
    value: Span,
    candidate: Candidate,
    operation: Operation,
    drafts: Vec<Draft>,
}

impl ColumnTracer<'_, '_> {
    fn survey(&self, candidates: &[Candidate], reached: &mut BTreeSet<FunctionRef>) -> Surveyed {
        let Surveyed { mut drafts, mut minted, mut doubtful, mut gaps, .. } = Surveyed::default();
        for candidate in candidates {
            if candidate.unresolved.is_some() && candidate.told_by.is_none() {
                if let Some(gap) = self.unresolved(candidate, reached) {
                    gaps.insert(gap);
                    doubtful.insert(candidate.function);
                }
                continue;
            }
            for site in self.sites(candidate, reached, &mut minted, &mut gaps, &mut doubtful) {
                // Texts that are put together in several ways start at one place, and end where their parts do.
                let place = |site: &DraftSite| (site.span.file, site.span.start, site.operation, site.candidate.model);
                match drafts.iter_mut().find(|known| place(known) == place(&site)) {
                    Some(known) => known.drafts.extend(site.drafts),
                    None => drafts.push(site),
                }
            }
        }
        let issuers = self.issuing.issuers(&minted);
        reached.extend(issuers.iter().copied());
        self.above(&issuers, reached);
        // What the ways run is asked for now: each file that is asked for later costs a round of its own.
        let ways = drafts.iter().flat_map(|site| &site.drafts).flat_map(|draft| draft.functions.iter().copied());
        self.issuing.on(&ways.collect::<BTreeSet<FunctionRef>>().into_iter().collect::<Vec<FunctionRef>>());
        let alike = self.issuing.alike(&minted);
        self.above(&alike.iter().map(|site| site.function).collect(), reached);
        Surveyed { drafts, minted, issuers, alike, doubtful, gaps }
    }

    fn finish(&self, surveyed: Surveyed) -> ColumnTrace {
        let Surveyed { drafts, minted, issuers, alike, doubtful, mut gaps } = surveyed;
        let stored = stored(self.graph, &drafts, doubtful, minted.clone());
        let evaluator = self.evaluator(None);
        let search = Search { graph: self.graph, issuing: self.issuing, evaluator, stored: &stored };
        let missing = search.missing(&issuers, &alike);
        gaps.extend(missing.untold.iter().map(|(span, entry)| self.handed_on(*span, entry)));
        let missing = missing.found;
        let is_fresh = |draft: &&Draft| draft.path.meaning.origins().contains(&Origin::Fresh);
        let storing = drafts.iter().flat_map(|site| &site.drafts).filter(is_fresh);
        let evidence = self.issuing.evidence(minted, storing.map(|draft| draft.functions.as_slice()));
        let sites = drafts.into_iter().map(|site| self.finished(site, &evidence, &stored.through)).collect();
        let reads = reads::find(self.graph, self.schema, self.column);
        ColumnTrace { column: self.column, sites, missing, reads, gaps: gaps.into_iter().collect() }
    }

    fn evaluator<'t>(&'t self, top: Option<Top<'t>>) -> Evaluator<'t, 't> {
        let of_top = top.map(|top| (top.function, top.fresh.to_vec()));
        Evaluator {
            graph: self.graph,
            schema: self.schema,
            column: self.column,
            top,
            assumed: RefCell::default(),
            rows: Rc::clone(self.rows),
            known: Rc::clone(self.known.borrow_mut().entry(of_top).or_default()),
        }
    }

    /// All callers at any distance: their callers must be known too.
    fn above(&self, functions: &BTreeSet<FunctionRef>, reached: &mut BTreeSet<FunctionRef>) {
        let mut open: Vec<FunctionRef> = functions.iter().copied().collect();
        let mut seen = functions.clone();
        while let Some(at) = open.pop() {
            reached.insert(at);
            open.extend(self.graph.callers(at).iter().map(|edge| edge.caller).filter(|caller| seen.insert(*caller)));
        }
    }

    /// A write on something unknown, where its row has the column.
    fn unresolved(&self, candidate: &Candidate, reached: &mut BTreeSet<FunctionRef>) -> Option<Gap> {
        let tracked = &self.schema.columns[self.column.0];
        let (model, property) = tracked.bindings.iter().find(|(model, _)| *model == candidate.model)?;
        let property = &self.schema.models[model.0].properties[*property];
        let key = if candidate.by_column { property.column.as_str() } else { property.name.as_str() };
        let lookup = Lookup { graph: self.graph, schema: self.schema, key };
        self.graph.refuel();
        if lookup.of(&candidate.row).key_span().is_none() {
            // Only what callers hand in can have it.
            let (mut minted, mut gaps, mut doubtful) = Default::default();
            if self.sites(candidate, reached, &mut minted, &mut gaps, &mut doubtful).is_empty() {
                return None;
            }
        }
        reached.insert(candidate.function);
        self.untold(candidate)
    }

    /// The sites that a write is: two where it inserts on some ways and updates on others.
    fn sites(
        &self,
        candidate: &Candidate,
        reached: &mut BTreeSet<FunctionRef>,
        minted: &mut BTreeSet<CallSite>,
        gaps: &mut BTreeSet<Gap>,
        doubtful: &mut BTreeSet<FunctionRef>,
    ) -> Vec<DraftSite> {
        let tracked = &self.schema.columns[self.column.0];
        let Some((_, property)) = tracked.bindings.iter().find(|(model, _)| *model == candidate.model) else {
            return Vec::new();
        };
        let property = &self.schema.models[candidate.model.0].properties[*property];
        let key = if candidate.by_column { property.column.as_str() } else { property.name.as_str() };
        let is_row = candidate.within.is_none();
        if is_row
            && candidate.operation == Operation::Update
            && candidate.whole
            && leaves_out(self.graph, &candidate.row, key)
        {
            return Vec::new();
        }
        let evaluator = |top| self.evaluator(top);
        let lookup = || Lookup { graph: self.graph, schema: self.schema, key };
        let walk = Walk { graph: self.graph, evaluator: evaluator(None), lookup: lookup(), candidate };
        let found = walk.ways();
        if found.cut {
            doubtful.insert(candidate.function);
            gaps.insert(self.over_budget(candidate, "more paths to this write than are followed"));
        }
        reached.insert(candidate.function);
        // A statement that a module keeps is run by whoever imports it.
        if !self.graph.is_rust(candidate.span.file) {
            reached.insert(FunctionRef { file: candidate.span.file, id: FunctionId(0) });
        }
        self.graph.refuel();
        let hooks = hooks::of_write(self.graph, self.schema, candidate, self.interceptors);
        let form =
            if candidate.by_column { None } else { hooks::form_of(&evaluator(None), candidate.model, &property.name) };
        let mut sites: Vec<DraftSite> = Vec::new();
        let handed_optional = lookup().of(&candidate.row).value().is_some_and(|value| is_optional(self.graph, value));
        let written = |way: Way| {
            let rows = rows_written(self.graph, self.schema, candidate, &way.row, &evaluator(None));
            rows.into_iter().map(move |(operation, undefined, row)| (operation, undefined, Way { row, ..way.clone() }))
        };
        for (operation, undefined, way) in found.ways.into_iter().flat_map(written) {
            self.graph.refuel();
            // A way that says of what model the row is makes a site; another leaves the question open.
            let is_open = candidate.told_by.is_some() && candidate.unresolved.is_some() && !way.told;
            let judge = Judge {
                graph: self.graph,
                schema: self.schema,
                column: self.column,
                model: candidate.model,
                operation,
                undefined,
                wrapper: candidate.wrapper.as_deref(),
                sql_functions: candidate.sql_functions,
                whole: candidate.whole,
                hooks: &hooks,
                instance: candidate.instance,
                handed_optional,
                form,
                row: Arc::clone(&way.row),
                span: candidate.span,
            };
            let top = Top { function: way.top, fresh: &way.fresh };
            let evaluator = Evaluator { assumed: RefCell::new(way.conditions.clone()), ..self.evaluator(Some(top)) };
            let written = judge.written(&lookup(), &evaluator, &way.row);
            if self.graph.refuel() {
                gaps.insert(self.over_budget(candidate, "what is written here takes too many steps to follow"));
            }
            let (chains, value) = match written {
                Written::Nothing => continue,
                Written::Perhaps(gap) => {
                    gaps.insert(gap);
                    doubtful.insert(way.top);
                    reached.extend(way.functions.iter().copied());
                    continue;
                }
                Written::Chains { chains, value } => (chains, value),
            };
            reached.extend(way.functions.iter().copied());
            if is_open && chains.iter().flatten().all(|atom| atom.origin == Origin::Omitted) {
                continue;
            }
            if is_open {
                gaps.extend(self.untold(candidate));
                doubtful.insert(way.top);
                continue;
            }
            minted.extend(chains.iter().flatten().filter_map(|atom| atom.mint));
            let draft = self.draft(candidate, operation, way, &chains);
            let value = value.filter(|value| is_row && value.file == candidate.span.file).unwrap_or(candidate.span);
            match sites.iter_mut().find(|site| site.operation == operation) {
                Some(site) => site.drafts.push(draft),
                None => sites.push(DraftSite {
                    span: candidate.span,
                    value,
                    candidate: candidate.clone(),
                    operation,
                    drafts: vec![draft],
                }),
            }
        }
        sites
    }

    fn draft(&self, candidate: &Candidate, operation: Operation, way: Way, chains: &[Chain]) -> Draft {
        let adds_row = operation == Operation::Insert
            && candidate.run_by.is_none()
            && inserts::is_one_of_many(self.graph, self.schema, candidate.model)
            && !self.evaluator(None).is_unless_found(candidate.model, &way.conditions);
        let meaning = chain::meaning(chains);
        let atoms = || chains.iter().flatten();
        let is_told = candidate.certain || candidate.told_by.is_some() && way.told;
        let inferred = !way.certain || !is_told || atoms().any(|atom| atom.inferred);
        let forms: BTreeSet<Form> = atoms().filter_map(|atom| atom.form).collect();
        let form = match (forms.len(), forms.first()) {
            (0, _) => None,
            (1, Some(form)) => Some(*form),
            _ => Some(Form::Unknown),
        };
        let mut reasons: Vec<String> = Vec::new();
        for atom in atoms() {
            if !reasons.contains(&atom.reason) && reasons.len() < 4 {
                reasons.push(atom.reason.clone());
            }
        }
        let last = way.steps.last();
        let mut reason = reasons.join("; or ");
        if let Some(step) = last
            && meaning.origins().contains(&Origin::Preserved)
        {
            reason = format!("{}() passes {reason}", step.function);
        }
        let mut trail = vec![Hop {
            span: candidate.span,
            what: format!("written by {}", self.graph.name(candidate.function)),
            certain: is_told,
            gives: None,
        }];
        trail.extend(atoms().flat_map(|atom| atom.trail.iter().cloned()).take(30));
        let path = Path {
            entry: way.entry,
            entered: way.entered,
            steps: way.steps,
            issues: false,
            adds_row,
            only_if: BTreeSet::new(),
            under: way.guards.iter().flat_map(issuing::around).map(|guard| (guard.cond.span, guard.holds)).collect(),
            mints: Vec::new(),
            functions: Vec::new(),
            meaning,
            form,
            confidence: if inferred { Confidence::Inferred } else { Confidence::Proven },
            reason,
            trail,
        };
        let Way { functions, guards, row, made, ahead, .. } = way;
        Draft { path, functions, guards, row, made, ahead }
    }

    fn finished(&self, site: DraftSite, evidence: &Evidence, through: &BTreeSet<Span>) -> WriteSite {
        let mut paths: BTreeMap<(EntryPoint, Meaning, Option<Form>), Path> = BTreeMap::new();
        // What tests hand to production code says nothing about production.
        let is_test = |draft: &Draft| {
            let top = draft.functions.last().map(|top| self.graph.scope(*top));
            top.unwrap_or_else(|| self.graph.sources.get(draft.path.entry.span.file).scope) == Scope::Test
        };
        let tests_alone = site.drafts.iter().all(is_test);
        for draft in site.drafts.into_iter().filter(|draft| tests_alone || !is_test(draft)) {
            let mints = self.issuing.on(&draft.functions);
            let handed_on = self.issuing.on(&draft.ahead);
            let mut path = draft.path;
            let mut issuing = evidence.among(&mints);
            let preserves = path.meaning.origins().contains(&Origin::Preserved);
            if preserves || !path.meaning.origins().contains(&Origin::Fresh) {
                let way = OnWay { functions: &draft.functions, through, preserves, row: &draft.row };
                issuing.retain(|mint| self.issuing.is_of_column(mint, evidence, &way));
            }
            // A token that is made before every route is not issued by one that revokes.
            if path.meaning.origins().iter().any(|origin| matches!(origin, Origin::Fresh | Origin::Preserved)) {
                issuing.extend(evidence.stored(&handed_on));
            }
            path.issues = path.meaning.origins().contains(&Origin::Fresh) || !issuing.is_empty();
            path.mints = Issuing::hops(&issuing);
            path.mints.truncate(10);
            path.only_if = BTreeSet::from([self.issuing.skipped(&draft.functions, &draft.guards, evidence)]);
            if !issuing.is_empty() && preserves {
                self.follow_token(&mut path, &draft.functions, &issuing);
            }
            let key = (path.entry.clone(), path.meaning.clone(), path.form);
            match paths.get_mut(&key) {
                Some(known) => {
                    known.under.retain(|condition| path.under.contains(condition));
                    path.under.clone_from(&known.under);
                    path.only_if.append(&mut known.only_if);
                    if known.steps.len() <= path.steps.len() {
                        known.only_if = path.only_if;
                    } else {
                        *known = path;
                    }
                }
                None => {
                    paths.insert(key, path);
                }
            }
        }
        WriteSite {
            span: site.span,
            statement: self.graph.chain_around(site.candidate.function, site.span),
            value: site.value,
            model: site.candidate.model,
            operation: site.operation,
            scope: self.graph.scope(site.candidate.function),
            function: self.graph.name(site.candidate.function),
            by_library: site.candidate.run_by.is_some(),
            paths: paths.into_values().collect(),
        }
    }
}

#[cfg(test)]
mod tests;
