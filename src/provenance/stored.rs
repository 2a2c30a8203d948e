//! How a column is written, put together from the ways to all of its writes.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::Graph;
use crate::provenance::path::Origin;
use crate::provenance::{Draft, DraftSite};
use crate::rules::Operation;
use crate::source::Span;
use crate::summary::{CallSite, CallValue, Flow, FunctionRef, Summary};

/// How a column is written, as far as it tells who does not write it.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// Where the ways to its writes start, with the calls that made these, where one did.
    pub tops: BTreeSet<(FunctionRef, Option<CallSite>)>,
    /// What runs before these on the same request, with the route.
    pub ahead: BTreeSet<(FunctionRef, String)>,
    /// All functions on these ways.
    pub on_way: BTreeSet<FunctionRef>,
    /// What may write, though that cannot be told, or from where: who reaches it misses no write that is known.
    pub doubtful: BTreeSet<FunctionRef>,
    /// The writes that give the column a value, by the entry points that reach them.
    pub storing: BTreeMap<FunctionRef, Storing>,
    /// The mints whose value is stored, and the calls that such values are known to come through.
    pub minted: BTreeSet<CallSite>,
    pub through: BTreeSet<Span>,
}

/// The writes of an entry point that give the column a value.
#[derive(Debug, Default)]
pub(super) struct Storing {
    /// Each in its function.
    pub writes: BTreeSet<(Span, FunctionRef)>,
    /// Of these, upserts whose other half keeps the row as it is.
    pub creating: BTreeSet<Span>,
    /// Whether one of them happens in every run that is answered.
    pub is_sure: bool,
}

impl Storing {
    fn add(&mut self, span: Span, function: FunctionRef, operation: Operation) {
        let is_new = self.writes.insert((span, function));
        if operation == Operation::UpsertCreate && is_new {
            self.creating.insert(span);
        } else if operation != Operation::UpsertCreate {
            self.creating.remove(&span);
        }
    }

    /// The write that a call makes, or that its text (or that of the call it is chained to) does.
    pub(super) fn made_by(&self, call: &CallValue, function: FunctionRef) -> Option<Span> {
        let at = call.site.span;
        let holds = |span: &Span| span.file == at.file && at.start <= span.start && span.end <= at.end;
        self.writes.iter().filter(|(_, of)| *of == function).map(|(span, _)| *span).find(holds)
    }
}

pub(super) fn stored(
    graph: &Graph,
    drafts: &[DraftSite],
    mut doubtful: BTreeSet<FunctionRef>,
    minted: BTreeSet<CallSite>,
) -> Stored {
    let by_library = drafts.iter().filter(|site| site.candidate.run_by.is_some());
    doubtful.extend(by_library.map(|site| site.candidate.function));
    let all = drafts;
    let drafts = || all.iter().flat_map(|site| &site.drafts);
    let fresh = drafts().filter(|draft| draft.path.meaning.origins().contains(&Origin::Fresh));
    let mut storing: BTreeMap<FunctionRef, Storing> = BTreeMap::new();
    for (site, draft) in all.iter().flat_map(|site| site.drafts.iter().map(move |draft| (site, draft))) {
        let is_value = |origin: &Origin| !matches!(origin, Origin::Null | Origin::Omitted);
        if let (Some((function, top)), true) =
            (draft.functions.first().zip(draft.functions.last()), draft.path.meaning.origins().iter().any(is_value))
        {
            let of_top = storing.entry(*top).or_default();
            of_top.add(site.span, *function, site.operation);
            of_top.is_sure |= site.operation != Operation::UpsertCreate && is_sure(graph, site.span, draft);
        }
    }
    Stored {
        storing,
        tops: drafts().filter_map(|draft| Some((*draft.functions.last()?, draft.made))).collect(),
        ahead: drafts()
            .flat_map(|draft| draft.ahead.iter().map(|function| (*function, draft.path.entry.route.clone())))
            .collect(),
        on_way: drafts().flat_map(|draft| draft.functions.iter().copied()).collect(),
        doubtful,
        minted,
        through: fresh.flat_map(|draft| &draft.path.trail).map(|hop| hop.span).collect(),
    }
}

/// Whether a way writes whatever happens, unless something throws: each function on it comes to the call that leads on before it returns.
fn is_sure(graph: &Graph, site: Span, draft: &Draft) -> bool {
    let leads_on = |span: Span| {
        let holds = span.file == site.file && span.start <= site.start && site.end <= span.end;
        holds || draft.path.calls().any(|step| step.span == span)
    };
    draft.functions.iter().all(|function| {
        graph.summary(*function).is_some_and(|summary| comes_to(graph, &summary.flow, summary, &leads_on) == Some(true))
    })
}

/// Whether a block always comes to such a call; `None` where it ends before.
fn comes_to(graph: &Graph, flow: &[Flow], summary: &Summary, leads_on: &impl Fn(Span) -> bool) -> Option<bool> {
    flow.iter().find_map(|step| match step {
        // One of several functions is not surely the one that leads on.
        Flow::Call(at) => {
            let event = summary.calls.get(*at as usize).filter(|event| leads_on(event.span()));
            event.map(|event| graph.targets(&event.call).len() <= 1)
        }
        Flow::Branch(branch) => {
            let is_left = |flow: &[Flow]| comes_to(graph, flow, summary, leads_on).is_some();
            (is_left(&branch.then) || is_left(&branch.otherwise)).then_some(false)
        }
        Flow::Try(tried) if throws(&tried.body) => Some(false),
        Flow::Try(tried) => comes_to(graph, &tried.body, summary, leads_on),
        Flow::Return(_) => Some(false),
        Flow::Throw => None,
    })
}

/// Whether a block says itself that it may end in a throw.
fn throws(flow: &[Flow]) -> bool {
    flow.iter().any(|step| match step {
        Flow::Throw => true,
        Flow::Branch(branch) => throws(&branch.then) || throws(&branch.otherwise),
        Flow::Try(tried) => throws(&tried.catch),
        Flow::Call(_) | Flow::Return(_) => false,
    })
}
