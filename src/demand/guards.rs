//! Which files matter for guards, and for what is kept in browsers.

use std::collections::BTreeSet;

use globset::GlobSet;
use regex::Regex;

use crate::demand::importers;
use crate::graph::Graph;
use crate::rules::{CallPattern, Guard, GuardKind, Keeps, Rules, Tells};
use crate::source::{FileId, Scope, SourceSet};

/// One of the words that tell something, as a part of any other.
fn saying(rules: &Rules, what: &[Tells]) -> impl Fn(&str) -> bool {
    let words = what.iter().flat_map(|what| rules.words_of(*what));
    let any: Vec<String> = words.map(|word| regex::escape(word.trim_matches('*'))).collect();
    let any = Regex::new(&format!("(?i){}", any.join("|")));
    move |text| any.as_ref().is_ok_and(|any| any.is_match(text))
}

fn of_tokens(rules: &Rules) -> impl Fn(&str) -> bool {
    saying(rules, &[Tells::Token, Tells::SessionCookie])
}

/// Whether something is kept under a name that is no text there: `localStorage.setItem(key, value)`. Its file need not speak of tokens.
fn wraps(rules: &Rules) -> impl Fn(&str) -> bool {
    let kept = rules.web().filter(|row| row.keeps != Keeps::Header && row.name.is_some());
    let methods: BTreeSet<String> = kept.filter_map(|row| row.call.last()).map(regex::escape).collect();
    let methods = methods.into_iter().collect::<Vec<_>>().join("|");
    let call = Regex::new(&format!(r"\b({methods})\s*\(\s*\w+\s*,"));
    move |text| call.as_ref().is_ok_and(|call| call.is_match(text))
}

/// The production files that verify tokens, guard by a library's own verification, or keep something in the browser.
pub fn guards(sources: &SourceSet, rules: &Rules) -> BTreeSet<FileId> {
    let verified = || rules.verify().map(|row| &row.call);
    let guarded = rules.guard().filter(|row| !row.claims.is_empty()).filter_map(|row| row.path.as_ref());
    let plugins = rules.verify().filter_map(|row| row.plugin.as_deref());
    let modules: BTreeSet<&str> =
        verified().chain(guarded).filter_map(|pattern| pattern.module()).chain(plugins).collect();
    let methods: BTreeSet<&str> =
        verified().filter(|pattern| pattern.module().is_none()).filter_map(|pattern| pattern.last()).collect();
    // A configuration that hands claims to nothing is found by the call that takes it: its module is named all over.
    let configured =
        rules.guard().filter(|row| row.claims.is_empty() && matches!(row.kind, GuardKind::Config | GuardKind::Token));
    let is_known = |pattern: &CallPattern| pattern.module().is_some_and(|module| modules.contains(module));
    let configured = configured.filter_map(|row| row.path.as_ref().filter(|path| !is_known(path))?.last());
    let names: Vec<&str> = modules.iter().chain(&methods).copied().chain(configured).collect();
    // `localStorage` and `setItem`, `cookies` and `set`: a file that keeps something says both.
    let kept = rules.web().flat_map(|row| {
        let both = sources.mentions(&[row.call.first(), row.call.last().unwrap_or(row.call.first())]);
        let last: BTreeSet<FileId> = both.get(1).into_iter().flatten().copied().collect();
        let names_header = move |file: &FileId| {
            let text = &sources.get(*file).text;
            row.keeps != Keeps::Header || ["Set-Cookie", "set-cookie", "SET_COOKIE"].iter().any(|n| text.contains(n))
        };
        let kept = both.into_iter().next().unwrap_or_default().into_iter();
        // An item of a storage may be assigned too.
        let is_storage = row.keeps == Keeps::Storage;
        let kept = kept.filter(move |file| is_storage || last.contains(file)).filter(names_header);
        kept.map(move |file| (file, row))
    });
    let of_tokens = of_tokens(rules);
    let wraps = wraps(rules);
    let keeping = kept.filter(|(file, row)| {
        let text = &sources.get(*file).text;
        of_tokens(text) || row.keeps != Keeps::Header && wraps(text)
    });
    let keeping: BTreeSet<FileId> = keeping.map(|(file, _)| file).collect();
    let stores: Vec<&str> = rules.consult().filter_map(|row| row.call.module()).collect();
    let of_lists = saying(rules, &[Tells::Denylist]);
    let listing = sources.mentions(&stores).into_iter().flatten();
    let listing = listing.filter(|file| of_lists(&sources.get(*file).text));
    // Where a guard is run by its name.
    let asked = rules.guard().filter_map(|row| row.asked.as_ref()).flat_map(|call| {
        let of_library = |file: &FileId| call.module().is_none_or(|module| sources.get(*file).text.contains(module));
        let files = sources.mentions(&[call.last().unwrap_or(call.first())]).into_iter().flatten();
        files.filter(of_library).collect::<Vec<_>>()
    });
    // Where a configuration gets its values.
    let settings = rules.setting().flat_map(|row| {
        let of_library =
            |file: &FileId| row.call.module().is_none_or(|module| sources.get(*file).text.contains(module));
        let files = sources.mentions(&[row.call.last().unwrap_or(row.call.first())]).into_iter().flatten();
        files.filter(of_library).collect::<Vec<_>>()
    });
    // What a file of guards hands on may be another file's.
    let placed: Vec<GlobSet> = rules.guard().filter(|row| row.routes.is_some()).filter_map(Guard::files).collect();
    let placed = sources.iter().filter(|(_, of)| placed.iter().any(|globs| globs.is_match(&of.path))).map(|(id, _)| id);
    let keeping = keeping.into_iter().chain(listing).chain(asked).chain(settings).chain(placed);
    let all = sources.mentions(&names).into_iter().flatten().chain(keeping);
    all.filter(|file| sources.get(*file).scope == Scope::Production).collect()
}

/// The production files that may hand a name of a token to what keeps it for others, in these files.
pub fn handing(graph: &Graph, keeping: BTreeSet<FileId>) -> BTreeSet<FileId> {
    let of_tokens = of_tokens(graph.rules);
    let mut files = importers(graph, keeping);
    files.retain(|file| {
        let file = graph.sources.get(*file);
        file.scope == Scope::Production && of_tokens(&file.text)
    });
    files
}
