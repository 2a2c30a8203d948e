//! What runs before a handler on the same request: the handlers in front of it in its registration, what its routers were given to
//! use before it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::graph::entries::text_at;
use crate::graph::handlers::{handlers, made};
use crate::graph::mounts::{Mounts, Router, own, router_behind, slashed};
use crate::graph::{Bindings, Graph};
use crate::ir::ExprId;
use crate::rules::Entry as Row;
use crate::source::{FileId, Span};
use crate::summary::{Argument, CallSite, CallValue, FunctionRef, Shared, Value, ValueKind};

/// What routers run before that which is registered on them later.
#[derive(Debug, Default)]
pub(super) struct Covers(BTreeMap<Router, Vec<Cover>>);

#[derive(Debug)]
struct Cover {
    at: Span,
    /// Only below this path; empty: everywhere.
    below: String,
    runs: Vec<FunctionRef>,
    made: Vec<CallSite>,
    unseen: Vec<FileId>,
}

impl Covers {
    pub(super) fn find(graph: &Graph) -> Self {
        let mut found: BTreeMap<Router, Vec<Cover>> = BTreeMap::new();
        // Of routers and middleware alike only the file can be told: one that makes tokens may leave one.
        let mints: Vec<&str> =
            graph.rules.mint().filter(|row| row.credential).filter_map(|row| row.call.last()).collect();
        let minting: BTreeSet<FileId> = graph.sources.mentions(&mints).into_iter().flatten().collect();
        for row in graph.rules.entry().filter(|row| row.covers) {
            let (Some(pattern), Some(handler)) = (&row.path, &row.handler) else { continue };
            for at in graph.calls_named(pattern.last()) {
                let Some(call) = graph.call_at(*at) else { continue };
                graph.refuel();
                let Some(on) = call.receiver().and_then(|receiver| router_behind(graph, receiver)) else { continue };
                if !graph.library_path(call).is_some_and(|path| pattern.matches(&path)) {
                    continue;
                }
                let values = graph.argument(call, handler);
                let runs = values.iter().flat_map(|value| handlers(graph, value, 6));
                let runs: Vec<FunctionRef> = runs.filter(|function| runs_before(graph, row, *function)).collect();
                let below = below(graph, row, call);
                let mut unseen = Vec::new();
                for value in &values {
                    not_lowered(graph, value, 4, &mut unseen);
                }
                unseen.retain(|file| minting.contains(file));
                let made: Vec<CallSite> = values.iter().flat_map(|value| made(graph, value, 6)).collect();
                if !runs.is_empty() || !made.is_empty() || !unseen.is_empty() {
                    found.entry(on).or_default().push(Cover { at: call.site.span, below, runs, made, unseen });
                }
            }
        }
        for covers in found.values_mut() {
            covers.sort_by_key(|cover| cover.at);
        }
        Self(found)
    }

    /// The routers that run one of these before what is registered on them, with the paths below which they do.
    pub(super) fn with<'c>(
        &'c self,
        runs: &'c BTreeSet<FunctionRef>,
        made: &'c BTreeSet<CallSite>,
    ) -> impl Iterator<Item = (Router, &'c str)> {
        let runs_it = |cover: &&Cover| {
            cover.runs.iter().any(|run| runs.contains(run)) || cover.made.iter().any(|site| made.contains(site))
        };
        let all = self.0.iter().flat_map(|(router, covers)| covers.iter().map(move |cover| (*router, cover)));
        all.filter(move |(_, cover)| runs_it(cover)).map(|(router, cover)| (router, cover.below.as_str()))
    }

    /// What runs before a route that is registered on a router at a place: before `at`, or in the same call where that mounts.
    fn on(&self, router: Router, at: Span, path: &str, mounts: bool) -> impl Iterator<Item = &Cover> {
        let is_before = move |cover: &&Cover| {
            let same = cover.at.file == at.file;
            same && (cover.at.start < at.start || mounts && cover.at.start == at.start) && is_below(path, &cover.below)
        };
        self.0.get(&router).into_iter().flatten().filter(is_before)
    }

    /// All that runs before the handlers of a registration, the outermost router's first.
    fn ahead(&self, graph: &Graph, mounts: &Mounts, call: &CallValue, path: Option<&str>) -> Ahead {
        let mut ahead = Ahead::default();
        let Some(receiver) = call.receiver() else { return ahead };
        let Some(mut router) = router_behind(graph, receiver).filter(|_| !self.0.is_empty()) else { return ahead };
        let mut parts = own(graph, receiver);
        parts.reverse();
        parts.extend(path.map(str::to_owned));
        let (mut at, mut is_mount) = (call.site.span, false);
        for _ in 0..12 {
            let path = slashed(&parts);
            let mut here = Vec::new();
            for cover in self.on(router, at, &path, is_mount) {
                here.extend(&cover.runs);
                ahead.made.extend(&cover.made);
                ahead.unseen.extend(&cover.unseen);
            }
            here.append(&mut ahead.runs);
            ahead.runs = here;
            let Some((prefixes, on, span)) = mounts.only_place(router) else { break };
            let Some(outer) = *on else { break };
            parts = prefixes.iter().rev().cloned().chain(parts).collect();
            (router, at, is_mount) = (outer, *span, true);
        }
        ahead
    }
}

/// What runs before the handlers of a registration.
#[derive(Default)]
pub(super) struct Ahead {
    pub runs: Vec<FunctionRef>,
    /// The calls whose results run.
    pub made: BTreeSet<CallSite>,
    /// The files of those that are not lowered yet.
    pub unseen: BTreeSet<FileId>,
}

impl Ahead {
    /// What routers run, then what the registration itself names.
    pub(super) fn of(
        graph: &Graph,
        row: &Row,
        (covers, mounts): (&Covers, &Mounts),
        call: &CallValue,
        path: Option<&str>,
    ) -> Self {
        if row.chain.is_none() {
            return Self::default();
        }
        let mut ahead = covers.ahead(graph, mounts, call, path);
        for value in row.ahead.iter().flat_map(|at| graph.argument(call, at)) {
            ahead.runs.extend(handlers(graph, &value, 6).into_iter().filter(|run| runs_before(graph, row, *run)));
        }
        let mut unseen = Vec::new();
        let values = row.handler.iter().chain(&row.ahead).flat_map(|at| graph.argument(call, at));
        values.for_each(|value| not_lowered(graph, &value, 4, &mut unseen));
        ahead.unseen.extend(unseen);
        ahead
    }
}

/// Whether a handler runs before those behind it: one with more parameters is only for errors.
pub(super) fn runs_before(graph: &Graph, row: &Row, function: FunctionRef) -> bool {
    let count = graph.function(function).map_or(0, |function| function.params.len());
    row.chain.is_some_and(|most| count <= usize::from(most))
}

impl Graph<'_> {
    /// The parameters of a handler as what runs before it on the same request leaves them; `None` where that changes none.
    pub fn left_ahead(&self, handler: FunctionRef, ahead: &[FunctionRef]) -> Option<Bindings> {
        let params = &self.function(handler)?.params;
        let mut held: Vec<Shared> =
            (0u32..).zip(params).map(|(at, param)| Value::new(ValueKind::Param(handler, at), param.span)).collect();
        let mut is_changed = false;
        for earlier in ahead {
            let (Some(declared), Some(summary)) = (self.function(*earlier), self.summary(*earlier)) else { continue };
            let span = declared.name_span;
            let call = Arc::new(CallValue {
                site: CallSite { function: *earlier, expr: ExprId(u32::MAX), span },
                callee: Value::new(ValueKind::Function(*earlier), span),
                args: held.iter().map(|value| Argument { value: Arc::clone(value), spread: false }).collect(),
                is_new: false,
                type_args: Vec::new(),
            });
            for at in summary.exits.keys() {
                if let Some(slot) = held.get_mut(*at as usize) {
                    let kind = ValueKind::After { call: Arc::clone(&call), arg: Some(*at), before: Arc::clone(slot) };
                    *slot = Value::new(kind, span);
                    is_changed = true;
                }
            }
        }
        is_changed.then_some(Bindings { function: handler, params: held, this: None })
    }
}

/// The path below which a call of a row has its handlers run; empty: everywhere. `new Hono().basePath('/api').use('/admin/*', check)`
fn below(graph: &Graph, row: &Row, call: &CallValue) -> String {
    let said = row.route.iter().find_map(|at| text_at(graph, call, at)).filter(|path| path.starts_with('/'));
    path_on(graph, call, said.as_deref())
}

/// A path that a call says, behind those that the chain to its left does; empty where there is none.
fn path_on(graph: &Graph, call: &CallValue, said: Option<&str>) -> String {
    let before = call.receiver().map_or_else(Vec::new, |receiver| own(graph, receiver));
    let parts: Vec<String> = before.into_iter().rev().chain(said.map(str::to_owned)).collect();
    if parts.is_empty() { String::new() } else { slashed(&parts) }
}

/// Whether a call to the left of a registration is for other paths than that: `app.use('/admin/*', check).get('/open', handler)`.
pub(super) fn is_for_others(
    graph: &Graph,
    rows: &[&Row],
    call: &CallValue,
    registration: &CallValue,
    path: Option<&str>,
) -> bool {
    let mut covering =
        rows.iter().filter(|row| row.covers && row.path.as_ref().is_some_and(|of| of.last() == call.method()));
    covering.any(|row| !is_below(&path_on(graph, registration, path), &below(graph, row, call)))
}

fn is_below(path: &str, prefix: &str) -> bool {
    let prefix = prefix.split([':', '*', '(']).next().unwrap_or_default().trim_end_matches('/');
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) || prefix.is_empty()
}

/// The files of the handlers of a chain that are not lowered: what they leave on the request is not known yet.
fn not_lowered(graph: &Graph, value: &Shared, fuel: u8, found: &mut Vec<FileId>) {
    let Some(fuel) = fuel.checked_sub(1) else { return };
    match &value.kind {
        ValueKind::Import(file, id) => {
            let Some(import) = graph.module(*file).and_then(|module| module.imports.get(id.at())) else { return };
            let leads_to = graph.resolve_module(*file, &import.module);
            found.extend(leads_to.filter(|file| graph.unit(*file).is_none()));
        }
        ValueKind::Field(base, _) => not_lowered(graph, base, fuel, found),
        ValueKind::Call(call) => call.args.iter().for_each(|arg| not_lowered(graph, &arg.value, fuel, found)),
        _ => {}
    }
}
