//! What the code calls what a call gives, where it puts it: `{ refreshToken: sign(id) }`, `res.cookie('refreshToken', sign(id))`,
//! `const [access, refresh] = await Promise.all([sign(id), sign(id)])`.

use crate::graph::Graph;
use crate::guards::endless::start;
use crate::rules::{Life, Tells};
use crate::schema;
use crate::source::Span;
use crate::summary::{CallValue, FunctionRef, Shared, Slot, ValueKind};

/// Whether the key, the call, what it gives or the function around it is named for tokens that do not let in call by call.
pub(super) fn is_of_another(
    graph: &Graph,
    rows: &[&Life],
    function: FunctionRef,
    call: &CallValue,
    key: Option<&str>,
) -> bool {
    let names = names(graph, function, call.site.span);
    let own = own(graph, rows, call);
    let tells = |text: &str| graph.rules.tells(Tells::Errand, &text.to_lowercase());
    if names.iter().chain(&own).map(String::as_str).chain(key).any(tells) {
        return true;
    }
    // A function that renews, or ends with a mail, may give one that lets in: `refreshSession() { const accessToken = sign(id); .. }`.
    let lets_in = |name: &String| graph.rules.tells_name(Tells::LetsIn, &schema::words(name));
    !names.iter().any(lets_in) && tells(&graph.name(function))
}

/// What stands in a call that signs: of its claims what is said of the token, `type: 'refresh'`, not of the user, `email: user.email`.
fn own(graph: &Graph, rows: &[&Life], call: &CallValue) -> Vec<String> {
    let payloads = rows.iter().filter_map(|row| {
        let of = if row.after.is_some() { start(call)? } else { call };
        graph.argument(of, row.payload.as_ref()?).into_iter().next()
    });
    let payloads: Vec<Shared> = payloads.collect();
    let mut found = Vec::new();
    let text = graph.sources.text(call.site.span);
    let within = payloads.iter().map(|payload| payload.span).find(|span| {
        (span.file, span.start >= call.site.span.start, span.end <= call.site.span.end)
            == (call.site.span.file, true, true)
    });
    match within {
        Some(span) => {
            let at = |offset: u32| (offset - call.site.span.start) as usize;
            found.extend(
                [text.get(..at(span.start)), text.get(at(span.end)..)].into_iter().flatten().map(str::to_owned),
            );
        }
        None => found.push(text.to_owned()),
    }
    for payload in &payloads {
        said(&graph.resolved(payload), &mut found);
    }
    found
}

/// What an object says in so many words, by key and text.
fn said(value: &Shared, found: &mut Vec<String>) {
    let ValueKind::Object { entries, .. } = &value.kind else { return };
    for slot in entries {
        match slot {
            Slot::Named { key, value, .. } => match &value.kind {
                ValueKind::Text(text) => found.push(text.clone()),
                ValueKind::Bool(true) => found.push(key.clone()),
                _ => {}
            },
            Slot::Spread(value) => said(value, found),
            Slot::Computed { .. } => {}
        }
    }
}

/// What a call gives is called so where it stands, by the variables that hold it, by the keys and texts beside which it is handed on, and
/// by what takes it.
fn names(graph: &Graph, function: FunctionRef, call: Span) -> Vec<String> {
    let mut found = vec![called(graph, call).to_owned()];
    let Some(summary) = graph.summary(function) else { return found };
    graph.refuel();
    let held = summary.assigned.iter().filter(|(_, values)| values.iter().any(|value| is_given(graph, value, call)));
    let locals = graph.unit(function.file).map_or(&[][..], |unit| &unit.module.locals);
    found.extend(held.filter_map(|(local, _)| Some(locals.get(local.at())?.name.clone())));
    let exits = summary.exits.values().chain(&summary.this_exit).chain(&summary.returns);
    for value in exits {
        put(graph, value, call, 8, &mut found);
    }
    for event in &summary.calls {
        let args = &event.call.args;
        for arg in args {
            put(graph, &arg.value, call, 8, &mut found);
        }
        if let Some(at) = args.iter().position(|arg| is_given(graph, &arg.value, call)) {
            found.extend(event.call.method().map(str::to_owned));
            found.extend(args[..at].iter().filter_map(|arg| match &arg.value.kind {
                ValueKind::Text(text) if !text.contains(' ') => Some(text.clone()),
                _ => None,
            }));
        }
    }
    found
}

/// Where in a value lies what a call gives: the keys of objects, and what stands around it in a text.
fn put(graph: &Graph, value: &Shared, call: Span, fuel: u8, found: &mut Vec<String>) {
    let Some(fuel) = fuel.checked_sub(1) else { return };
    match &value.kind {
        ValueKind::Object { base, entries } => {
            for slot in entries {
                if let Slot::Named { key, value, .. } = slot {
                    if is_given(graph, value, call) {
                        found.push(key.clone());
                    }
                    // `{ refresh: { token: sign(id), expires } }`
                    let known = found.len();
                    put(graph, value, call, fuel, found);
                    if found.len() > known {
                        found.push(key.clone());
                    }
                }
            }
            if let Some(base) = base {
                put(graph, base, call, fuel, found);
            }
        }
        ValueKind::Concat(parts) if parts.iter().any(|part| is_given(graph, part, call)) => {
            found.extend(parts.iter().filter_map(|part| match &part.kind {
                ValueKind::Text(text) => Some(text.clone()),
                _ => None,
            }));
        }
        // What is handed to another call stands among its own arguments.
        ValueKind::Call(_) => {}
        _ => value.kind.each(&mut |inner| put(graph, inner, call, fuel, found)),
    }
}

/// Whether a value is what a call gives, waited for or one of a list that was.
fn is_given(graph: &Graph, value: &Shared, call: Span) -> bool {
    let is_it = |value: &Shared| matches!(&value.kind, ValueKind::Call(given) if given.site.span == call);
    let is_open = matches!(value.kind, ValueKind::Field(..) | ValueKind::Index(..));
    is_it(value) || is_open && is_it(&graph.resolved(value))
}

/// The name before a call, on the same line: a key, a variable, a field, a text that is handed over beside. Empty: none.
fn called<'s>(graph: &Graph<'s>, call: Span) -> &'s str {
    let source = graph.sources.get(call.file);
    let before = source.text.get(..call.start as usize).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default().trim_end();
    let line = line.strip_suffix("await").unwrap_or(line).trim_end();
    let Some(rest) = line.strip_suffix([':', '=', ',']) else { return "" };
    let (rest, is_listed) = (rest.trim_end(), line.ends_with(','));
    let is_name = |c: char| c.is_alphanumeric() || "_-$.".contains(c);
    let quoted = rest.strip_suffix(['\'', '"', '`']);
    if is_listed && quoted.is_none() {
        return "";
    }
    let text = quoted.unwrap_or(rest);
    let start =
        text.rfind(|c: char| !is_name(c)).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    &text[start..]
}
