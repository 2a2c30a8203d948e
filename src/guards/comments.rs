//! Comments that claim something of a tracked column: a closed list of phrases, negation understood.

use crate::graph::Units;
use crate::ir::{ExprKind, FunctionId, FunctionKind, Module};
use crate::provenance::ColumnTrace;
use crate::rules::{Claim, Rules, Says, Tells};
use crate::schema::{self, ColumnId, Schema};
use crate::source::{FileId, Language, Scope, SourceFile, SourceSet, Span};

/// A claim about a column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Comment {
    pub column: ColumnId,
    /// The line of the phrase.
    pub span: Span,
    pub says: Says,
    /// As the list has it.
    pub phrase: String,
}

/// The claims about tracked columns, sorted by place: where a comment names the column in a file that writes, reads or declares it, and
/// where one stands at its declaration or at a function that writes or reads it. Users add phrases in packs of their own.
pub fn comments(
    sources: &SourceSet,
    units: &Units,
    rules: &Rules,
    schema: &Schema,
    traces: &[ColumnTrace],
) -> Vec<Comment> {
    let mut claims: Vec<&Claim> = rules.claim().collect();
    // Of two phrases that overlap the longer one says more.
    claims.sort_by_key(|claim| std::cmp::Reverse(claim.phrase.len()));
    let mut found = Vec::new();
    for (at, column) in schema.columns.iter().enumerate() {
        let properties = column.bindings.iter().map(|(model, property)| &schema.models[model.0].properties[*property]);
        let mut names: Vec<&str> = properties.clone().map(|property| property.name.as_str()).collect();
        names.push(&column.column);
        names.sort_unstable();
        names.dedup();
        let trace = traces.iter().find(|trace| trace.column == ColumnId(at));
        let places: Vec<Span> = trace.map_or_else(Vec::new, |trace| {
            let written = trace.sites.iter().map(|site| site.span);
            written.chain(trace.reads.iter().map(|read| read.span)).collect()
        });
        let declared: Vec<Span> = properties.map(|property| property.span).collect();
        let mut files: Vec<FileId> = sources.mentions(&names).into_iter().flatten().collect();
        files.extend(places.iter().map(|span| span.file));
        files.sort_unstable();
        files.dedup();
        for file in files {
            let source = sources.get(file);
            if source.scope != Scope::Production {
                continue;
            }
            let module = units.get(file).map(|unit| &unit.module);
            let near = Near::of(source, module, file, &declared, &places, &column.table, &names);
            for block in blocks(source).iter().filter(|block| !near.in_text(source, block)) {
                let at_column = near.declared.iter().any(|line| block.precedes(*line));
                for (claim, line, said) in block.claims(rules, &claims) {
                    let is_said = match claim.says {
                        Says::Compared => said.clause.iter().any(|clause| names_one(clause, &names)),
                        Says::Stateless => true,
                        // `@deprecated use signIn() instead` is about the function.
                        Says::Deprecated if !at_column => said
                            .clause
                            .iter()
                            .chain([&said.before])
                            .any(|part| names_one(part, &names) || is_word_in(part, "column")),
                        _ if claim.object => begins_with_one(rules, &said.clause[1], &column.table, &names),
                        _ => {
                            !is_of_another(&block.text, &said.clause[0], &names)
                                && (at_column || is_of_column(rules, &said, &names))
                        }
                    };
                    let is_said = is_said && !is_of_other_thing(rules, &said.before, &names);
                    if is_said && near.is_about(block, claim.says, &column.table, &names) {
                        let span = line_span(source, file, line);
                        let (says, phrase) = (claim.says, claim.phrase.clone());
                        found.push(Comment { column: ColumnId(at), span, says, phrase });
                    }
                }
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// What of a column stands in a file, by its lines.
struct Near<'m> {
    module: Option<&'m Module>,
    declared: Vec<u32>,
    /// First line and the line of the place, of functions that write or read it.
    functions: Vec<(u32, u32)>,
}

impl<'m> Near<'m> {
    fn of(
        source: &SourceFile,
        module: Option<&'m Module>,
        file: FileId,
        declared: &[Span],
        places: &[Span],
        table: &str,
        names: &[&str],
    ) -> Self {
        let line = |span: &Span| source.line(span.start);
        let mut declared: Vec<u32> = declared.iter().filter(|span| span.file == file).map(line).collect();
        // What rows are read into, of a table that SQL declares.
        let singular = |name: &str| {
            let plain: String = name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect();
            plain.trim_end_matches('s').to_owned()
        };
        let classes = module.into_iter().flat_map(|module| &module.classes);
        let of_rows = classes.filter(|class| singular(&class.name) == singular(table));
        let fields = of_rows.flat_map(|class| &class.fields).filter(|field| names.contains(&field.name.as_str()));
        declared.extend(fields.map(|field| line(&field.span)));
        let around = |place: &Span| {
            let function = module.and_then(|module| around(module, *place))?;
            Some((line(&function), line(place)))
        };
        let functions = places.iter().filter(|place| place.file == file).filter_map(around).collect();
        Self { module, declared, functions }
    }

    /// Whether a block stands in a text that the program writes.
    fn in_text(&self, source: &SourceFile, block: &Block) -> bool {
        let is_text = |kind: &ExprKind| matches!(kind, ExprKind::Text(_) | ExprKind::Concat(_) | ExprKind::Sql(_));
        let mut exprs = self.module.into_iter().flat_map(|module| &module.exprs);
        exprs.any(|expr| {
            is_text(&expr.kind)
                && source.line(expr.span.start) < block.first
                && block.first <= source.line(expr.span.end)
        })
    }

    fn is_about(&self, block: &Block, says: Says, table: &str, names: &[&str]) -> bool {
        if self.declared.iter().any(|line| block.precedes(*line)) {
            return true;
        }
        let says_word = |words: &[&str]| words.iter().any(|word| is_word_in(&block.text.to_lowercase(), word));
        let is_local = !self.declared.is_empty() || !self.functions.is_empty();
        if names.iter().any(|name| is_named(&block.text, name)) {
            // Elsewhere a prop, a variable, a field of a request may be called so.
            return is_local || says_word(&["column", "database", "db", "table", table]);
        }
        let attached = || {
            let mut functions = self.functions.iter();
            functions.any(|(first, place)| block.precedes(*first) || *first <= block.first && block.last <= *place)
        };
        // `access token` of `access_token`; a word alone may be any token.
        let spelled = || {
            let text = tokens(&block.text).join(" ");
            let spelled = names.iter().map(|name| schema::words(name)).filter(|words| words.len() > 1);
            spelled.map(|words| words.join(" ")).any(|name| text.contains(&name))
        };
        attached() && (says == Says::Stateless || says_word(&["column"]) || spelled())
    }
}

/// The function around a place, or the one around the closure that it stands in.
fn around(module: &Module, place: Span) -> Option<Span> {
    let holds = |span: Span| span.start <= place.start && place.end <= span.end;
    let functions = module.functions.iter().enumerate().filter(|(at, function)| *at > 0 && holds(function.span));
    let (at, _) = functions.min_by_key(|(_, function)| function.span.end - function.span.start)?;
    let mut id = FunctionId::of(at);
    while let (FunctionKind::Closure, Some(parent)) = (module.function(id).kind, module.function(id).parent) {
        if parent.at() == 0 {
            break;
        }
        id = parent;
    }
    Some(module.function(id).span)
}

/// Comment lines that follow each other.
struct Block {
    /// 1-based.
    first: u32,
    last: u32,
    /// Line and text, in lower case, of each.
    lines: Vec<(u32, String)>,
    text: String,
}

/// What a comment says around a claim.
struct Said {
    /// In the same clause, before and behind.
    clause: [String; 2],
    /// Before it in the same sentence.
    before: String,
}

/// A word of a comment, in lower case.
struct Word {
    text: String,
    line: u32,
    /// The clause and the sentence that it stands in, counted.
    clause: u32,
    sentence: u32,
}

impl Block {
    /// Whether it stands on a line or right above it (decorators and attributes may stand between).
    fn precedes(&self, line: u32) -> bool {
        (self.first..=self.last).contains(&line) || (self.last < line && line - self.last <= 2)
    }

    /// The claims it makes, with their lines and what is said around; a longer phrase before those that lie in it.
    fn claims<'c>(&self, rules: &Rules, claims: &[&'c Claim]) -> Vec<(&'c Claim, u32, Said)> {
        let (words, questions) = self.words();
        let mut taken: Vec<bool> = vec![false; words.len()];
        let mut found = Vec::new();
        for claim in claims {
            let phrase = tokens(&claim.phrase);
            for start in 0..words.len() {
                let Some(at) = words.get(start..start + phrase.len()) else { break };
                let is_it = at.iter().map(|word| &word.text).eq(phrase.iter());
                let whole = at.first().map(|word| word.clause) == at.last().map(|word| word.clause);
                let free = taken.get(start..start + phrase.len()).is_some_and(|all| !all.contains(&true));
                if !is_it || !whole || !free || phrase.is_empty() {
                    continue;
                }
                taken[start..start + phrase.len()].fill(true);
                let clause = words[start].clause;
                let before = words[..start].iter().rev().take_while(|word| word.clause == clause);
                let hedged = before.into_iter().any(|word| rules.tells(Tells::Hedge, &word.text));
                let sentence = words[..start].iter().rev().take_while(|word| word.sentence == words[start].sentence);
                let hedged = hedged || sentence.clone().any(|word| rules.tells(Tells::Plan, &word.text));
                // What a comparison is made with may stand anywhere.
                // `anywhere in the code`, `but we keep it`
                let is_whole = |at: &usize| {
                    let said = words[at + 1..].iter().take(2).filter(|word| word.clause == clause);
                    let said = said.map(|word| word.text.as_str());
                    let said = said.filter(|word| *word != "the").take(1);
                    let first = &words[*at].text;
                    let is_everywhere = |word: &str| {
                        rules.tells(Tells::Everywhere, word)
                            || rules.tells(Tells::Everywhere, &format!("{first} {word}"))
                    };
                    !rules.tells(Tells::Reason, first) && said.into_iter().any(is_everywhere)
                };
                let reach = match claim.says {
                    Says::Compared | Says::Deprecated => 1,
                    _ => words.len(),
                };
                let places = (start + phrase.len()..words.len()).take(reach);
                let places = places.take_while(|at| words[*at].clause == clause).filter(|at| !is_whole(at));
                let mut behind = places.map(|at| &words[at]);
                // `not used any more since the move to JWT` gives a reason.
                let narrowed = behind
                    .find(|word| [Tells::Narrowing, Tells::Reason].iter().any(|tells| rules.tells(*tells, &word.text)))
                    .is_some_and(|word| !rules.tells(Tells::Reason, &word.text));
                if !hedged && !narrowed && !questions.contains(&words[start].sentence) {
                    let before = words[..start].iter().filter(|word| word.clause == clause);
                    // `compares the jti instead of users.token`
                    let behind = words[start + phrase.len()..].iter().take_while(|word| word.clause == clause);
                    let behind = behind.take_while(|word| !rules.tells(Tells::Hedge, &word.text));
                    let join =
                        |words: Vec<&Word>| words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
                    let mut earlier: Vec<&Word> = sentence.collect();
                    earlier.reverse();
                    let clause = [join(before.collect()), join(behind.collect())];
                    found.push((*claim, words[start].line, Said { clause, before: join(earlier) }));
                }
            }
        }
        found
    }

    /// Its words, and the sentences that ask.
    fn words(&self) -> (Vec<Word>, Vec<u32>) {
        let (mut words, mut questions) = (Vec::<Word>::new(), Vec::new());
        let (mut clause, mut sentence) = (0, 0);
        for (line, text) in &self.lines {
            let before = words.len();
            let mut letters = text.char_indices().peekable();
            let mut word = String::new();
            while let Some((_, letter)) = letters.next() {
                if letter.is_alphanumeric() || is_apostrophe(letter) {
                    word.push(if letter == '’' { '\'' } else { letter });
                    if letters.peek().is_some_and(|(_, next)| next.is_alphanumeric() || is_apostrophe(*next)) {
                        continue;
                    }
                    // `IS 'not used'`
                    let text = word.trim_matches('\'').to_owned();
                    word.clear();
                    words.push(Word { text, line: *line, clause, sentence });
                    continue;
                }
                let ends = letters.peek().is_none_or(|(_, next)| next.is_whitespace());
                match letter {
                    '.' | '!' | '?' if ends => {
                        if letter == '?' {
                            questions.push(sentence);
                        }
                        (clause, sentence) = (clause + 1, sentence + 1);
                    }
                    ',' | ';' | ':' | '(' | ')' | '\u{2014}' => clause += 1,
                    // A tag of a documentation comment.
                    '@' => (clause, sentence) = (clause + 1, sentence + 1),
                    _ => {}
                }
            }
            // An empty line ends a paragraph.
            if words.len() == before {
                (clause, sentence) = (clause + 1, sentence + 1);
            }
        }
        (words, questions)
    }
}

fn is_apostrophe(letter: char) -> bool {
    matches!(letter, '\'' | '’')
}

fn tokens(text: &str) -> Vec<String> {
    let split = text.split(|c: char| !c.is_alphanumeric() && c != '\'');
    split.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Whether a part of a comment names the column, in words or as code does.
fn names_one(said: &str, names: &[&str]) -> bool {
    let padded = format!(" {said} ");
    let is_said = |text: &str| !text.is_empty() && padded.contains(&format!(" {text} "));
    names.iter().any(|name| is_said(&name.to_lowercase()) || is_said(&tokens(name).join(" ")))
}

/// Whether what a claim is said of is the column: `the accessToken`, `users.access_token`.
fn begins_with_one(rules: &Rules, behind: &str, table: &str, names: &[&str]) -> bool {
    let words: Vec<&str> = behind.split(' ').collect();
    let table = table.to_lowercase();
    let is_whose = |word: &&&str| {
        ["the", "their", "its"].contains(*word)
            || word.trim_end_matches("'s").trim_end_matches('s') == table.trim_end_matches('s')
    };
    let words = &words[words.iter().take_while(is_whose).count()..];
    names.iter().any(|name| {
        [tokens(name), schema::words(name)].into_iter().any(|name| {
            let is_said = words.iter().take(name.len()).copied().eq(name.iter().map(String::as_str));
            // `in v2`: what narrows is looked at apart.
            let is_other = |next: &&str| rules.tells(Tells::OtherThing, next) && !rules.tells(Tells::Narrowing, next);
            is_said && !words.get(name.len()).is_some_and(is_other)
        })
    })
}

/// Whether what stands before a claim is about something of that name that is no column: `the accessToken cookie`, `req.body.accessToken`, an
/// old token, a parameter.
fn is_of_other_thing(rules: &Rules, before: &str, names: &[&str]) -> bool {
    let words: Vec<&str> = before.split(' ').collect();
    let tells =
        |at: Option<usize>| at.and_then(|at| words.get(at)).is_some_and(|word| rules.tells(Tells::OtherThing, word));
    let mut is_there = false;
    for name in names.iter().map(|name| tokens(name)) {
        for at in
            (0..words.len()).filter(|at| words[*at..].starts_with(&name.iter().map(String::as_str).collect::<Vec<_>>()))
        {
            is_there = true;
            if tells(at.checked_sub(1)) || tells(Some(at + name.len())) {
                return true;
            }
        }
    }
    !is_there && words.first() == Some(&"param")
}

/// Whether what stands before a claim names something else of the code, and not the column: `refreshToken is not used (accessToken is)`.
fn is_of_another(text: &str, before: &str, names: &[&str]) -> bool {
    let is_code = |word: &&str| {
        let cased = word.starts_with(char::is_lowercase) && word.contains(char::is_uppercase);
        cased || word.trim_matches('_').contains('_')
    };
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(is_code);
    let others: Vec<&str> = words.filter(|word| !names.contains(word)).collect();
    !names_one(before, names) && names_one(before, &others)
}

/// Whether the sentence of a claim names the column, or its clause nothing at all.
fn is_of_column(rules: &Rules, said: &Said, names: &[&str]) -> bool {
    let mut words = said.clause[0].split(' ').filter(|word| !word.is_empty());
    names_one(&said.before, names)
        || names_one(&said.clause[1], names)
        || words.all(|word| rules.tells(Tells::Itself, word))
}

/// Whether a comment names the column. A name that is a word of the language (`token`) is one only as code: `users.token`, or between
/// backquotes.
fn is_named(text: &str, name: &str) -> bool {
    if name.chars().all(char::is_lowercase) {
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        return text.match_indices(name).any(|(at, _)| {
            text[..at].ends_with(['`', '.']) && !text[..at].ends_with("..") && ends(&text[at + name.len()..])
        });
    }
    is_word_in(text, name)
}

fn is_word_in(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
}

/// The comments of a file. Line by line, so that nothing inside of strings can hide the rest of the file.
fn blocks(source: &SourceFile) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut inside = false;
    let mark = if source.language == Language::Sql { "--" } else { "//" };
    for (line, text) in (1_u32..).zip(source.text.lines()) {
        let trimmed = text.trim();
        let comment = if inside || trimmed.starts_with("/*") {
            inside = !trimmed.contains("*/");
            Some(trimmed)
        } else if trimmed.starts_with(mark) || is_comment_on(trimmed) {
            Some(trimmed)
        } else {
            behind_code(text, mark)
        };
        let Some(comment) = comment else { continue };
        let follows = found.last().is_some_and(|block| block.last + 1 == line)
            && (inside || trimmed.starts_with(['/', '*', '-']));
        if !follows {
            found.push(Block { first: line, last: line, lines: Vec::new(), text: String::new() });
        }
        if let Some(block) = found.last_mut() {
            block.last = line;
            block.lines.push((line, comment.to_lowercase()));
            block.text.push_str(comment);
            block.text.push('\n');
        }
    }
    found
}

/// `COMMENT ON COLUMN users.access_token IS 'not used'`, on one line.
fn is_comment_on(text: &str) -> bool {
    let start = tokens(text.get(..40).unwrap_or(text));
    start.starts_with(&["comment".to_owned(), "on".to_owned(), "column".to_owned()])
}

/// `code; // comment`, where the mark does not stand in a string.
fn behind_code<'t>(text: &'t str, mark: &str) -> Option<&'t str> {
    let at = text.find(&format!(" {mark}"))?;
    let code = text.get(..at)?;
    let even = |quote: char| code.matches(quote).count().is_multiple_of(2);
    (even('"') && even('\'') && even('`')).then(|| text.get(at..)).flatten()
}

fn line_span(source: &SourceFile, file: FileId, line: u32) -> Span {
    let text = source.line_text(line);
    let base = source.text.as_ptr().addr();
    let start = text.as_ptr().addr().saturating_sub(base) + (text.len() - text.trim_start().len());
    let end = start + text.trim().len();
    Span { file, start: u32::try_from(start).unwrap_or(0), end: u32::try_from(end).unwrap_or(0) }
}
