//! SQL text that a builder collects call by call: `qb.push("token = ").push_bind(token)` of sqlx's `QueryBuilder`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::graph::{Bindings, Graph};
use crate::rules::Collector;
use crate::sites::texts::{self, Part};
use crate::source::Span;
use crate::summary::{CallSite, CallValue, FunctionRef, Guard, Guards, Shared, Value, ValueKind};

/// Functions that are handed the builder further down than this are not followed.
const DEEPEST: u8 = 4;
/// Of more conditions than these not each combination is a way of its own.
const MOST_CONDITIONS: usize = 4;

/// What the calls of interest are made on.
enum Root {
    /// What this call started.
    Started(CallSite),
    /// A parameter, and what stands between two parts that are pushed to it.
    Param(FunctionRef, u32, Option<Between>),
}

/// What stands between two parts, and the call that says so.
type Between = (String, CallSite);

/// How a value leads to the builder.
struct Led {
    between: Option<Between>,
}

struct Collected<'g, 'a> {
    graph: &'g Graph<'a>,
    row: &'g Collector,
    /// With the conditions under which they are pushed.
    parts: Vec<(Guards, Part)>,
    /// Those of the call that is looked at.
    guards: Guards,
    pieces: Vec<Span>,
    /// The separated lists that have a part already.
    begun: BTreeSet<CallSite>,
}

/// The SQL that a call runs which a builder collected before it, one a way to collect it, and the texts that it is put together of.
pub(super) fn run(graph: &Graph, call: &CallValue) -> Option<(Vec<Shared>, Vec<Span>)> {
    let method = call.method()?;
    let mut rows = graph.rules.collector().filter(|row| row.run.iter().any(|run| run == method)).peekable();
    rows.peek()?;
    rows.find_map(|row| {
        let start = started(graph, row, call.receiver()?)?;
        let (parts, guards) = (Vec::new(), None);
        let mut all = Collected { graph, row, parts, guards, pieces: Vec::new(), begun: BTreeSet::new() };
        for text in graph.argument(&start, &row.text) {
            all.put(&text);
        }
        all.collect(call.site.function, &Root::Started(start.site), None, Some(call.site), DEEPEST);
        let texts: Vec<Shared> =
            ways(&all.parts).into_iter().filter_map(|parts| texts::parsed(graph, call.site.span, parts)).collect();
        (!texts.is_empty()).then_some((texts, all.pieces))
    })
}

/// The parts of each way through the conditions whose both sides push something: `if let Some(x) = y { .. } else { .. }`. What is pushed
/// under a condition alone is taken as pushed.
fn ways(parts: &[(Guards, Part)]) -> Vec<Vec<Part>> {
    let mut sides: BTreeMap<usize, (bool, bool)> = BTreeMap::new();
    for (guards, _) in parts {
        for guard in each(guards) {
            let (holds, fails) = sides.entry(Arc::as_ptr(&guard.cond).addr()).or_default();
            *(if guard.holds { holds } else { fails }) = true;
        }
    }
    let both = sides.into_iter().filter(|(_, (holds, fails))| *holds && *fails).map(|(cond, _)| cond);
    let both: Vec<usize> = both.take(MOST_CONDITIONS).collect();
    (0..1_usize << both.len())
        .map(|way| {
            let is_taken = |guard: &Guard| {
                let nth = both.iter().position(|cond| *cond == Arc::as_ptr(&guard.cond).addr());
                nth.is_none_or(|nth| (way >> nth & 1 == 0) == guard.holds)
            };
            parts.iter().filter(|(guards, _)| each(guards).all(is_taken)).map(|(_, part)| part.clone()).collect()
        })
        .collect()
}

fn each(guards: &Guards) -> impl Iterator<Item = &Guard> {
    std::iter::successors(guards.as_deref(), |guard| guard.outer.as_deref())
}

/// The call that started the builder which a value is, or gives back.
fn started(graph: &Graph, row: &Collector, value: &Shared) -> Option<Arc<CallValue>> {
    let mut at = Arc::clone(value);
    for _ in 0..200 {
        at = match &at.kind {
            ValueKind::After { before, .. } => Arc::clone(before),
            // Pushed to on some ways; it is the same builder on all of them.
            ValueKind::Cond { then, .. } => Arc::clone(then),
            ValueKind::Either(values) => Arc::clone(values.first()?),
            ValueKind::Call(call) => {
                if graph.callee_path(call).is_some_and(|path| row.call.matches(&path)) {
                    return Some(Arc::clone(call));
                }
                Arc::clone(call.receiver()?)
            }
            _ => return None,
        };
    }
    None
}

impl Collected<'_, '_> {
    /// The parts that the calls of a function push, in their order.
    fn collect(
        &mut self,
        function: FunctionRef,
        root: &Root,
        bindings: Option<&Bindings>,
        until: Option<CallSite>,
        fuel: u8,
    ) {
        let Some(fuel) = fuel.checked_sub(1) else { return };
        let graph = self.graph;
        let Some(summary) = graph.summary(function) else { return };
        for event in summary.calls.iter().take_while(|event| until != Some(event.call.site)) {
            let call = &event.call;
            if bindings.is_none() {
                self.guards.clone_from(&event.guards);
            }
            if let Some(led) = call.receiver().and_then(|receiver| self.leads(receiver, root)) {
                self.pushed(call, led.between, bindings, fuel);
                continue;
            }
            if !call.args.iter().any(|arg| self.leads(&arg.value, root).is_some()) {
                continue;
            }
            for target in graph.targets(call).iter() {
                let mut inner = graph.bind(call, target.function);
                let handed = inner.params.iter().position(|param| self.leads(param, root).is_some());
                let Some(nth) = handed.and_then(|nth| u32::try_from(nth).ok()) else { continue };
                if let Some(outer) = bindings {
                    inner.params = graph.substitute_all(&inner.params, outer);
                }
                self.collect(target.function, &Root::Param(target.function, nth, None), Some(&inner), None, fuel);
            }
        }
    }

    /// Whether a value is the builder, and what stands between two parts that are pushed to it.
    fn leads(&self, value: &Shared, root: &Root) -> Option<Led> {
        let mut between = None;
        let mut at = value;
        for _ in 0..200 {
            at = match (&at.kind, root) {
                (ValueKind::After { before, .. }, _) => before,
                (ValueKind::Cond { then, .. }, _) => then,
                (ValueKind::Either(values), _) => values.first()?,
                (ValueKind::Param(function, nth), Root::Param(of, at, held)) if function == of && nth == at => {
                    return Some(Led { between: between.or_else(|| held.clone()) });
                }
                (ValueKind::Call(call), Root::Started(site)) if call.site == *site => return Some(Led { between }),
                (ValueKind::Call(call), _) => {
                    if call.method().is_some() && call.method() == self.row.separated.as_deref() {
                        let text = call.args.first().map(|arg| self.graph.resolved(&arg.value))?;
                        let ValueKind::Text(text) = &text.kind else { return None };
                        between.get_or_insert((text.clone(), call.site));
                    }
                    call.receiver()?
                }
                _ => return None,
            };
        }
        None
    }

    fn pushed(&mut self, call: &CallValue, between: Option<Between>, bindings: Option<&Bindings>, fuel: u8) {
        let Some(method) = call.method() else { return };
        let row = self.row;
        let is = |names: &[String]| names.iter().any(|name| name == method);
        let (appends, binds) = (is(&row.append), is(&row.bind));
        let seen = |value: &Shared| bindings.map_or_else(|| Arc::clone(value), |at| self.graph.substitute(value, at));
        let Some(first) = call.args.first().map(|arg| seen(&arg.value)) else { return };
        if appends || binds {
            if let Some((text, list)) = between
                && !is(&row.unseparated)
                && !self.begun.insert(list)
            {
                self.part(Part::Put(text, call.site.span));
            }
            if binds {
                self.part(Part::Hole(first));
            } else {
                self.put(&first);
            }
            return;
        }
        if !is(&row.rows) {
            return;
        }
        let Some(ValueKind::Function(each)) = call.args.get(1).map(|arg| self.graph.resolved(&arg.value).kind.clone())
        else {
            return;
        };
        let span = call.site.span;
        self.part(Part::Put("VALUES (".to_owned(), span));
        let library = Value::new(ValueKind::Opaque("what the builder hands in", Vec::new()), span);
        let inner = Bindings { function: each, params: vec![library, Value::element(&first, span)], this: None };
        let list = Some((", ".to_owned(), call.site));
        self.collect(each, &Root::Param(each, 0, list), Some(&inner), None, fuel);
        self.part(Part::Put(")".to_owned(), span));
    }

    fn part(&mut self, part: Part) {
        self.parts.push((self.guards.clone(), part));
    }

    fn put(&mut self, text: &Shared) {
        let resolved = self.graph.resolved(text);
        match &resolved.kind {
            ValueKind::Text(text) => self.part(Part::Put(text.clone(), resolved.span)),
            ValueKind::Sql(sql, holes) => {
                self.pieces.push(resolved.span);
                for part in texts::written(sql, holes, resolved.span) {
                    self.part(part);
                }
            }
            _ => self.part(Part::Hole(Arc::clone(text))),
        }
    }
}
