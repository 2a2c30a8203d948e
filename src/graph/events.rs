//! Calls by the constant name of an event: `emitter.emit('user.login', user)` runs what listens to `user.login`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::graph::callers::At;
use crate::graph::entries::{texts, texts_at};
use crate::graph::handlers::handlers;
use crate::graph::{Graph, Type};
use crate::ir::{ClassId, FunctionId};
use crate::rules::{ArgPath, CallPattern, Listen};
use crate::source::FileId;
use crate::summary::{Argument, CallSite, CallValue, ClassRef, FunctionRef, Shared, Slot, Value, ValueKind};

/// Listeners, and the calls that run them.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// Listener -> each call that runs it.
    sent: BTreeMap<FunctionRef, Vec<Sent>>,
    /// Call -> the listeners that it runs.
    heard: BTreeMap<CallSite, Vec<FunctionRef>>,
    /// The calls that give what the listener returns.
    answering: BTreeSet<CallSite>,
    /// The calls that register a listener.
    registering: BTreeSet<CallSite>,
    /// Listener -> the names of its events, and of the constants that hold them.
    names: BTreeMap<FunctionRef, BTreeSet<String>>,
}

/// A call that runs a listener.
#[derive(Debug)]
pub(super) struct Sent {
    pub at: At,
    /// The same as a call of the listener.
    pub call: Arc<CallValue>,
    /// Listeners that are registered by a call may listen to another emitter.
    pub certain: bool,
}

/// What an event goes by: a text, or the class of what is sent.
#[derive(Clone)]
struct Name {
    text: String,
    class: Option<ClassRef>,
}

/// A name to listen to.
struct Heard<'r> {
    name: Name,
    row: &'r Listen,
    by: FunctionRef,
}

impl Events {
    fn find(graph: &Graph) -> Self {
        let mut events = Self::default();
        // What a call is made on is an emitter where the file that makes it names the library.
        let rows = graph.rules.emit().map(|row| &row.call).chain(graph.rules.listen().map(|row| &row.call));
        let modules: Vec<&str> = rows.filter_map(CallPattern::module).collect();
        let making: BTreeSet<FileId> = graph.sources.mentions(&modules).into_iter().flatten().collect();
        let _limit = graph.limit(Rc::new(making));
        let mut heard: Vec<Heard> = Vec::new();
        for (file, unit) in graph.units() {
            for (at, summary) in unit.summary.functions.iter().enumerate() {
                let own = FunctionRef { file, id: FunctionId::of(at) };
                for decorator in &summary.decorators {
                    graph.refuel();
                    let Some(path) = graph.callee_path(decorator) else { continue };
                    let decorates =
                        |row: &&Listen| row.handler.is_none() && row.method.is_none() && row.call.matches(&path);
                    for row in graph.rules.listen().filter(decorates) {
                        events.listen(graph, row, decorator, vec![own], &mut heard);
                    }
                }
            }
        }
        let of_classes = graph.rules.listen().filter(|row| row.method.is_some());
        let modules: Vec<&str> = of_classes.filter_map(|row| row.call.module()).collect();
        let decorated: BTreeSet<FileId> = graph.sources.mentions(&modules).into_iter().flatten().collect();
        for (file, unit) in graph.units().filter(|(file, _)| decorated.contains(file)) {
            for (at, decorators) in unit.summary.class_decorators.iter().enumerate() {
                let class = ClassRef { file, id: ClassId::of(at) };
                for decorator in decorators {
                    graph.refuel();
                    let Some(path) = graph.callee_path(decorator) else { continue };
                    for row in graph.rules.listen().filter(|row| row.call.matches(&path)) {
                        let by = row.method.as_deref().and_then(|method| graph.method(class, method));
                        events.listen(graph, row, decorator, by.into_iter().collect(), &mut heard);
                    }
                }
            }
        }
        for (row, handler) in graph.rules.listen().filter_map(|row| Some((row, row.handler.as_ref()?))) {
            for at in graph.calls_named(row.call.last()) {
                let Some(call) = graph.call_at(*at) else { continue };
                graph.refuel();
                if graph.callee_path(call).is_some_and(|path| row.call.matches(&path)) {
                    let by = graph.argument(call, handler).iter().flat_map(|value| handlers(graph, value, 4)).collect();
                    events.registering.insert(call.site);
                    events.listen(graph, row, call, by, &mut heard);
                }
            }
        }
        if heard.is_empty() {
            return events;
        }
        for row in graph.rules.emit() {
            for at in graph.calls_named(row.call.last()) {
                let Some(call) = graph.call_at(*at) else { continue };
                graph.refuel();
                if !graph.callee_path(call).is_some_and(|path| row.call.matches(&path)) {
                    continue;
                }
                let sent = match &row.name {
                    Some(name) => names(graph, call, name),
                    None => queues(graph, call, row.queue.as_ref()),
                };
                let is_sent =
                    |heard: &&Heard| heard.row.bus == row.bus && sent.iter().any(|name| heard.name.fits(name));
                for heard in heard.iter().filter(is_sent) {
                    let span = call.site.span;
                    let args = row.args.iter().flat_map(|args| graph.argument(call, args));
                    let job = (!row.job.is_empty()).then(|| job(graph, call, &row.job));
                    let made = CallValue {
                        site: call.site,
                        callee: Value::new(ValueKind::Function(heard.by), span),
                        args: args.chain(job).map(|value| Argument { value, spread: false }).collect(),
                        is_new: false,
                        type_args: Vec::new(),
                    };
                    events.heard.entry(call.site).or_default().push(heard.by);
                    if row.returns {
                        events.answering.insert(call.site);
                    }
                    // A queue may be another of that name; a decorated method hears every emitter of its library.
                    let certain = heard.row.handler.is_none() && row.job.is_empty();
                    events.sent.entry(heard.by).or_default().push(Sent { at: *at, call: Arc::new(made), certain });
                }
            }
        }
        events
    }

    fn listen<'r>(
        &mut self,
        graph: &Graph,
        row: &'r Listen,
        call: &CallValue,
        by: Vec<FunctionRef>,
        heard: &mut Vec<Heard<'r>>,
    ) {
        let names = names(graph, call, &row.name);
        let constants = graph.argument(call, &row.name).into_iter().filter_map(|value| match &value.kind {
            ValueKind::Field(_, name) => Some(name.clone()),
            _ => None,
        });
        let mentioned: BTreeSet<String> = names.iter().map(|name| name.text.clone()).chain(constants).collect();
        for by in by {
            self.names.entry(by).or_default().extend(mentioned.iter().cloned());
            heard.extend(names.iter().map(|name| Heard { name: name.clone(), row, by }));
        }
    }
}

/// The names that an argument says, in whatever file their constants and classes stand.
fn names(graph: &Graph, call: &CallValue, at: &ArgPath) -> Vec<Name> {
    let _limit = graph.without_limit();
    let texts = texts_at(graph, call, at).into_iter().map(|text| Name { text, class: None });
    let classes = graph.argument(call, at).into_iter().filter_map(|value| match graph.type_of(&value) {
        Type::Object(class) | Type::Instance(class, _) => Some(class),
        _ => None,
    });
    let named = classes.filter_map(|class| Some(Name { text: graph.class(class)?.name.clone(), class: Some(class) }));
    texts.chain(named.collect::<Vec<_>>()).collect()
}

/// The names of the queue that a call is made on: `new Queue('tokens')`, `@InjectQueue('tokens') private queue: Queue`.
fn queues(graph: &Graph, call: &CallValue, injecting: Option<&CallPattern>) -> Vec<Name> {
    let _limit = graph.without_limit();
    let Some(receiver) = call.receiver() else { return Vec::new() };
    let named = |made: &CallValue| -> Vec<Name> {
        let args = made.args.first().into_iter();
        let texts = args.flat_map(|arg| texts(graph, &arg.value));
        texts.map(|text| Name { text, class: None }).collect()
    };
    // What a constructor keeps as it is handed in.
    let kept = || {
        let ValueKind::Field(this, name) = &receiver.kind else { return None };
        let ValueKind::This(class) = &this.kind else { return None };
        let line = graph.lineage(*class);
        let makers = line.iter().filter_map(|owner| graph.method(*owner, "constructor"));
        let mut fields = makers.filter_map(|maker| graph.summary(maker)).flat_map(|summary| &summary.this_fields);
        fields.find(|(field, _)| field == name).map(|(_, value)| Arc::clone(value))
    };
    let queue = graph.resolved(&kept().unwrap_or_else(|| Arc::clone(receiver)));
    match &queue.kind {
        ValueKind::Call(made) if made.is_new => named(made),
        ValueKind::Param(function, at) => {
            let summary = graph.summary(*function);
            let decorators = summary.and_then(|summary| summary.param_decorators.get(*at as usize));
            let injects = |decorator: &&Arc<CallValue>| {
                let path = graph.callee_path(decorator);
                path.is_some_and(|path| injecting.is_some_and(|pattern| pattern.matches(&path)))
            };
            decorators.into_iter().flatten().filter(injects).flat_map(|decorator| named(decorator)).collect()
        }
        _ => Vec::new(),
    }
}

/// The job that a listener is handed.
fn job(graph: &Graph, call: &CallValue, fields: &BTreeMap<String, ArgPath>) -> Shared {
    let span = call.site.span;
    let entries = fields.iter().filter_map(|(key, at)| {
        let value = graph.argument(call, at).into_iter().next()?;
        Some(Slot::Named { key: key.clone(), key_span: span, value })
    });
    Value::new(ValueKind::Object { base: None, entries: entries.collect() }, span)
}

impl Name {
    fn fits(&self, sent: &Self) -> bool {
        self.class == sent.class && (self.class.is_some() || fits(&self.text, &sent.text))
    }
}

/// Whether a listener's name, in which `*` stands for one word between dots and `**` for any, is that of an event.
fn fits(heard: &str, sent: &str) -> bool {
    fn words_fit(heard: &[&str], sent: &[&str]) -> bool {
        match (heard, sent) {
            ([], []) => true,
            (["**", rest @ ..], _) => (0..=sent.len()).any(|skipped| words_fit(rest, &sent[skipped..])),
            ([word, rest @ ..], [first, after @ ..]) => (*word == "*" || word == first) && words_fit(rest, after),
            _ => false,
        }
    }
    heard == sent || heard.contains('*') && words_fit(&split(heard), &split(sent))
}

fn split(name: &str) -> Vec<&str> {
    name.split('.').take(12).collect()
}

impl Graph<'_> {
    /// Links senders and listeners where a call may give what a listener returns: values depend on it.
    pub(super) fn link_answers(&self) {
        let answering = self.rules.emit().filter(|row| row.returns);
        let modules: Vec<&str> = answering.filter_map(|row| row.call.module()).collect();
        if self.sources.mentions(&modules).iter().any(|files| !files.is_empty()) {
            self.events();
        }
    }

    fn events(&self) -> &Events {
        self.events.get_or_init(|| Events::find(self))
    }

    /// The calls that send what a function listens to.
    pub(super) fn sent_to(&self, of: FunctionRef) -> &[Sent] {
        self.events().sent.get(&of).map_or(&[], Vec::as_slice)
    }

    /// Whether a call only registers a listener that other calls run.
    pub(super) fn only_registers(&self, call: &CallValue, of: FunctionRef) -> bool {
        !self.sent_to(of).is_empty() && self.events().registering.contains(&call.site)
    }

    /// What a call that runs a listener gives back.
    pub fn listened(&self, call: &CallValue) -> Option<Shared> {
        // While listeners are looked for, no call is known to run one.
        let events = self.events.get().filter(|events| events.answering.contains(&call.site))?;
        let mut given = events.heard.get(&call.site)?.iter().filter_map(|of| {
            let sent = events.sent.get(of)?.iter().find(|sent| sent.call.site == call.site)?;
            let mut made = CallValue::clone(&sent.call);
            // The same call with what this path hands over.
            if made.args.len() == call.args.len() {
                made.args.clone_from(&call.args);
            }
            Some(self.substitute(self.summary(*of)?.returns.as_ref()?, &self.bind(&made, *of)))
        });
        let first = given.next()?;
        let rest: Vec<Shared> = given.collect();
        if rest.is_empty() {
            return Some(first);
        }
        Some(Value::new(ValueKind::Either(std::iter::once(first).chain(rest).collect()), call.site.span))
    }

    /// The listeners that a call runs by the name of an event.
    pub fn heard(&self, call: &CallValue) -> impl Iterator<Item = FunctionRef> {
        self.events().heard.get(&call.site).into_iter().flatten().copied()
    }

    /// The files that may send what a function listens to: they mention the event, or the constant that holds its name, and a call
    /// that sends.
    pub fn senders(&self, of: FunctionRef) -> BTreeSet<FileId> {
        let Some(names) = self.events().names.get(&of) else { return BTreeSet::new() };
        let mentioning =
            |names: &[&str]| -> BTreeSet<FileId> { self.sources.mentions(names).into_iter().flatten().collect() };
        let words = names.iter().map(|name| name.split('*').next().unwrap_or_default().trim_end_matches('.'));
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        let calls: Vec<&str> = self.rules.emit().filter_map(|row| row.call.last()).collect();
        mentioning(&words).intersection(&mentioning(&calls)).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_word_and_two_for_any_number() {
        for (heard, sent, expected) in [
            ("user.login", "user.login", true),
            ("user.*", "user.login", true),
            ("user.*", "user.login.web", false),
            ("user.**", "user.login.web", true),
            ("**.web", "user.login.web", true),
            ("user.login", "user.logout", false),
            ("*", "user.login", false),
        ] {
            assert_eq!(fits(heard, sent), expected, "{heard} {sent}");
        }
    }
}
