//! Repairs what the grammar cannot read, without moving an offset.
//!
//! Input: a text and its tree. Output: the text with the troublesome bytes blanked, and its tree. Known trouble: a non-null assertion
//! behind an operator, and, where the tree has errors and fewer of them after the repair, the type arguments of a tagged template,
//! `typeof import('x')` as a type, a bare `&` in the text of a JSX element.

use tree_sitter::{InputEdit, Node, Tree};

use crate::frontend::typescript::{DEPTH_LIMIT, parse};
use crate::source::Language;

/// How many non-null assertions of one file are looked at, each by a way down the tree.
const MARK_LIMIT: usize = 5_000;

/// How far back the type arguments of a tagged template may reach, in bytes.
const TYPE_ARGUMENTS_LIMIT: usize = 2000;

/// The repaired text and its tree; `None` where there is nothing to repair or repairing does not help.
pub(super) fn repair(language: Language, text: &str, tree: &Tree) -> Option<(String, Tree)> {
    if !tree.root_node().has_error() {
        return None;
    }
    let mut bytes = text.as_bytes().to_vec();
    blank_type_arguments(&mut bytes, tree);
    replace_import_queries(&mut bytes);
    blank_ampersands(&mut bytes, tree);
    if bytes == text.as_bytes() {
        return None;
    }
    let text = String::from_utf8(bytes).ok()?;
    let repaired = parse(language, &text, None)?;
    (errors(&repaired) < errors(tree)).then_some((text, repaired))
}

/// The `!` of `a ?? b!.c`, which the grammar reads as `(a ?? b)!.c`, blanked; `None` where there is none.
pub(super) fn part_assertions(language: Language, text: &str, tree: &Tree) -> Option<(String, Tree)> {
    let mut bytes = text.as_bytes().to_vec();
    let mut tree = tree.clone();
    let marks = memchr::memchr_iter(b'!', text.as_bytes()).filter(|at| asserts(text.as_bytes(), *at));
    for at in marks.take(MARK_LIMIT) {
        let Some(mark) = tree.root_node().descendant_for_byte_range(at, at + 1) else { continue };
        let assertion = mark.parent().filter(|node| node.kind() == "non_null_expression");
        // Of what is asserted, called and read what stands first: no operator may, without brackets.
        let is_chain = |node: &Node<'_>| {
            matches!(
                node.kind(),
                "non_null_expression" | "member_expression" | "call_expression" | "subscript_expression"
            )
        };
        let chain = std::iter::successors(assertion, |node| node.child(0).filter(|_| is_chain(node)));
        let first = chain.take(DEPTH_LIMIT).last();
        let is_parted =
            |node: Node<'_>| matches!(node.kind(), "binary_expression" | "unary_expression" | "type_assertion");
        if !first.is_some_and(is_parted) {
            continue;
        }
        bytes[at] = b' ';
        let (start_position, end_position) = (mark.start_position(), mark.end_position());
        tree.edit(&InputEdit {
            start_byte: at,
            old_end_byte: at + 1,
            new_end_byte: at + 1,
            start_position,
            old_end_position: end_position,
            new_end_position: end_position,
        });
    }
    if bytes == text.as_bytes() {
        return None;
    }
    let text = String::from_utf8(bytes).ok()?;
    let tree = parse(language, &text, Some(&tree))?;
    Some((text, tree))
}

/// Whether a `!` stands behind an operand and before what is taken of it.
fn asserts(bytes: &[u8], at: usize) -> bool {
    let before = bytes[..at].last();
    let is_operand =
        before.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'$' | b')' | b']') || *c >= 0x80);
    is_operand
        && bytes[at + 1..]
            .iter()
            .find(|c| !c.is_ascii_whitespace())
            .is_some_and(|c| matches!(c, b'.' | b'[' | b'(' | b'?'))
}

/// The type arguments in `` tag<T>`..` ``.
fn blank_type_arguments(bytes: &mut [u8], tree: &Tree) {
    let ticks: Vec<usize> = memchr::memchr_iter(b'`', bytes).collect();
    for tick in ticks {
        let before = bytes[..tick].trim_ascii_end().len();
        if bytes[..before].last() != Some(&b'>') || !opens_template(tree, tick) {
            continue;
        }
        if let Some(start) = start_of_arguments(&bytes[..before]) {
            blank(&mut bytes[start..before]);
        }
    }
}

fn opens_template(tree: &Tree, at: usize) -> bool {
    let Some(node) = tree.root_node().descendant_for_byte_range(at, at + 1) else { return false };
    node.start_byte() == at || node.is_error()
}

/// Where the `<` stands that the last byte closes, if a name precedes it.
fn start_of_arguments(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    for at in (0..bytes.len()).rev().take(TYPE_ARGUMENTS_LIMIT) {
        match bytes[at] {
            b'>' if at > 0 && bytes[at - 1] == b'=' => {}
            b'>' => depth += 1,
            b'<' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    let name = bytes[..at].last()?;
                    let is_name = name.is_ascii_alphanumeric() || matches!(name, b'_' | b'$');
                    return is_name.then_some(at);
                }
            }
            b'`' | b'(' | b')' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// `typeof import('x')` becomes a name of the same length.
fn replace_import_queries(bytes: &mut [u8]) {
    let found: Vec<usize> = memchr::memmem::find_iter(bytes, b"typeof import(").collect();
    for start in found {
        let Some(length) = memchr::memchr(b')', &bytes[start..]) else { continue };
        let query = &mut bytes[start..=start + length];
        if query.contains(&b'\n') {
            continue;
        }
        query.fill(b' ');
        query[0] = b'_';
    }
}

/// A `&` that the parser met in the text of an element and that starts no entity.
fn blank_ampersands(bytes: &mut [u8], tree: &Tree) {
    let mut open = vec![tree.root_node()];
    while let Some(node) = open.pop() {
        if node.is_error() {
            let at = node.start_byte();
            if bytes.get(at) == Some(&b'&') && node.parent().is_some_and(|parent| parent.kind() == "jsx_element") {
                bytes[at] = b' ';
            }
        }
        if node.has_error() {
            let mut cursor = node.walk();
            open.extend(node.children(&mut cursor));
        }
    }
}

/// Line breaks stay, so that lines do.
fn blank(bytes: &mut [u8]) {
    for byte in bytes {
        if !matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

fn errors(tree: &Tree) -> usize {
    let mut open: Vec<Node<'_>> = vec![tree.root_node()];
    let mut count = 0;
    while let Some(node) = open.pop() {
        count += usize::from(node.is_error() || node.is_missing());
        if node.has_error() {
            let mut cursor = node.walk();
            open.extend(node.children(&mut cursor));
        }
    }
    count
}
