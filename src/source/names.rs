//! Which files mention a name: a filter of words for each file, made once, then a search of the few texts whose filter fits.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use memchr::memmem;
use rayon::prelude::*;

use crate::source::{FileId, SourceFile};

/// Text bytes for one bit of a filter: a name is looked for in vain in about every tenth file, which costs less than larger filters.
const BYTES_PER_BIT: usize = 4;

/// Name -> files that mention it as a whole word.
#[derive(Debug, Default)]
pub(super) struct NameIndex {
    filters: OnceLock<Vec<Filter>>,
    known: Mutex<BTreeMap<String, Vec<FileId>>>,
}

impl NameIndex {
    pub(super) fn look_up(&self, files: &[SourceFile], names: &[&str]) -> Vec<Vec<FileId>> {
        let filters = self.filters.get_or_init(|| files.par_iter().map(|file| Filter::of(&file.text)).collect());
        names.iter().map(|name| self.files_with(files, filters, name)).collect()
    }

    fn files_with(&self, files: &[SourceFile], filters: &[Filter], name: &str) -> Vec<FileId> {
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return known.clone();
        }
        let hashes: Vec<u32> = words(name.as_bytes()).map(hash).collect();
        let finder = memmem::Finder::new(name);
        let is_mentioned = |text: &[u8]| {
            let mut from = 0;
            // Steps by one byte, so that what overlaps a part of a longer word is found too.
            while let Some(at) = text.get(from..).and_then(|rest| finder.find(rest)) {
                let start = from + at;
                if is_whole_word(text, start, start + name.len()) {
                    return true;
                }
                from = start + 1;
            }
            false
        };
        let fits = |(filter, file): (&Filter, &SourceFile)| {
            hashes.iter().all(|hash| filter.may_hold(*hash)) && is_mentioned(file.text.as_bytes())
        };
        let found: Vec<FileId> = if name.is_empty() {
            Vec::new()
        } else {
            let pairs = (0..).map(FileId).zip(filters.iter().zip(files));
            pairs.filter(|(_, pair)| fits(*pair)).map(|(id, _)| id).collect()
        };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), found.clone());
        found
    }
}

/// One bit for each word of a text: what is not set is not mentioned.
#[derive(Debug)]
struct Filter(Vec<u64>);

impl Filter {
    fn of(text: &str) -> Self {
        let bits = (text.len() / BYTES_PER_BIT).next_power_of_two().max(64);
        let mut filter = Self(vec![0; bits / 64]);
        for word in words(text.as_bytes()) {
            let (at, bit) = filter.place(hash(word));
            filter.0[at] |= bit;
        }
        filter
    }

    fn may_hold(&self, hash: u32) -> bool {
        let (at, bit) = self.place(hash);
        self.0[at] & bit != 0
    }

    fn place(&self, hash: u32) -> (usize, u64) {
        // The number of bits is a power of two.
        let at = hash as usize & (self.0.len() * 64 - 1);
        (at / 64, 1 << (at % 64))
    }
}

/// The longest runs of bytes that words are made of.
fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| !is_word(*byte)).filter(|word| !word.is_empty())
}

/// FNV-1a, its upper bits folded in: words are short, and the filter takes the lowest bits.
fn hash(word: &[u8]) -> u32 {
    let hash = word.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    hash ^ (hash >> 15)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn is_whole_word(text: &[u8], start: usize, end: usize) -> bool {
    let first_is_word = text.get(start).copied().is_some_and(is_word);
    let last_is_word = end > 0 && text.get(end - 1).copied().is_some_and(is_word);
    let before = start.checked_sub(1).and_then(|at| text.get(at)).copied().is_some_and(is_word);
    let after = text.get(end).copied().is_some_and(is_word);
    !(first_is_word && before || last_is_word && after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Language, Scope};
    use proptest::prelude::*;

    fn found(text: &str, name: &str) -> bool {
        let file = SourceFile::new("a.ts".into(), text.into(), Language::TypeScript, Scope::Production);
        !NameIndex::default().look_up(&[file], &[name])[0].is_empty()
    }

    #[test]
    fn a_name_of_several_words_is_found_where_they_stand_together() {
        assert!(found("import { x } from '@nestjs/jwt';", "@nestjs/jwt"));
        assert!(!found("import { x } from '@nestjs/jwts';", "@nestjs/jwt"));
        assert!(!found("nestjs; jwt", "@nestjs/jwt"));
        assert!(found("xtoken token", "token"));
    }

    proptest! {
        #[test]
        fn the_filter_loses_no_mention(text in "[ab_@/. é]{0,60}", name in "[ab_@/é]{1,4}") {
            let bytes = text.as_bytes();
            let plain = (0..bytes.len()).any(|at| {
                bytes[at..].starts_with(name.as_bytes()) && is_whole_word(bytes, at, at + name.len())
            });
            prop_assert_eq!(found(&text, &name), plain);
        }
    }
}
