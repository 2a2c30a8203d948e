//! What the entry points of production code do to a column, in words.

use std::collections::{BTreeMap, BTreeSet};

use crate::contract::Facts;
use crate::provenance::{ColumnTrace, EntryPoint};
use crate::source::{Scope, SourceSet, Span};

/// What the production paths do, grouped by meaning.
#[derive(Clone, Debug, Default)]
pub(crate) struct Practice {
    /// Semantics (`missing`: mints and never writes) -> the issuing entry points.
    pub(crate) issuing: BTreeMap<String, BTreeSet<EntryPoint>>,
    /// The same of paths that issue no token: sign-up without one, logout, admin.
    pub(crate) others: BTreeMap<String, BTreeSet<EntryPoint>>,
}

impl Practice {
    pub(crate) fn of(facts: &Facts<'_>, trace: &ColumnTrace) -> Self {
        let production = |span: Span| is_production(facts.sources, span);
        let mut practice = Self::default();
        for site in trace.sites.iter().filter(|site| site.scope == Scope::Production) {
            for path in site.paths.iter().filter(|path| production(path.entry.span)) {
                let group = if path.issues { &mut practice.issuing } else { &mut practice.others };
                group.entry(path.meaning.semantics()).or_default().insert(path.entry.clone());
            }
        }
        for missing in trace.missing.iter().filter(|missing| production(missing.entry.span)) {
            practice.issuing.entry("missing".to_owned()).or_default().insert(missing.entry.clone());
        }
        practice
    }

    /// How many issuing entry points there are, each once.
    pub(crate) fn issuers(&self) -> usize {
        self.issuing.values().flatten().collect::<BTreeSet<_>>().len()
    }
}

pub(crate) fn is_production(sources: &SourceSet, span: Span) -> bool {
    sources.get(span.file).scope == Scope::Production
}

/// `POST /v1/login`, or the function where there is no route.
pub(crate) fn entry_name(entry: &EntryPoint) -> &str {
    if entry.route.is_empty() { &entry.name } else { &entry.route }
}

/// `a, b and 3 more`
pub(crate) fn some(entries: &BTreeSet<EntryPoint>, most: usize) -> String {
    let names: BTreeSet<&str> = entries.iter().map(entry_name).collect();
    let mut shown: Vec<&str> = names.iter().copied().take(most).collect();
    let more = names.len().saturating_sub(shown.len());
    let more = format!("{more} more");
    if names.len() > shown.len() {
        shown.push(&more);
    }
    match shown.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => shown.concat(),
    }
}
