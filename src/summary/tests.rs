//! What one function does, in terms of its parameters.

use crate::graph::bench::Tree;
use crate::summary::{Shared, Slot, Summary, Value, ValueKind};

/// The summary of the function `f`, alone in its file.
fn summary(text: &str) -> Summary {
    let tree = Tree::of(&[("src/app.ts", text)]);
    let graph = tree.graph();
    let f = tree.function(&graph, "f");
    graph.summary(f).unwrap().clone()
}

/// Key `key` of the only argument of the last call.
fn sent(summary: &Summary, key: &str) -> Shared {
    let call = &summary.calls.last().unwrap().call;
    Value::field(&call.args[0].value, key, call.site.span)
}

#[test]
fn a_variable_has_the_value_of_that_point_of_the_code() {
    let f = summary("export function f(a, b) { let x = a; g({ x }); x = b; h({ x }); }");
    let at = |nth: usize| Value::field(&f.calls[nth].call.args[0].value, "x", f.calls[nth].span());
    assert!(matches!(at(0).kind, ValueKind::Param(_, 0)));
    assert!(matches!(at(1).kind, ValueKind::Param(_, 1)));
}

#[test]
fn branches_are_kept_with_their_condition() {
    let f = summary("export function f(a, b) { let x = null; if (a) { x = b; } g({ x }); }");
    let value = sent(&f, "x");
    let ValueKind::Cond { cond, then, otherwise } = &value.kind else { panic!("{:?}", value.kind) };
    assert!(matches!(cond.kind, ValueKind::Param(_, 0)));
    assert!(matches!(then.kind, ValueKind::Param(_, 1)));
    assert!(matches!(otherwise.kind, ValueKind::Null));
}

#[test]
fn what_follows_an_early_return_runs_only_without_its_condition() {
    let f = summary("export function f(a) { if (a) return; g(); }");
    let guard = f.calls[0].guards.as_ref().unwrap();
    assert!(!guard.holds && matches!(guard.cond.kind, ValueKind::Param(_, 0)));
}

#[test]
fn a_call_in_one_branch_is_guarded_and_one_after_both_is_not() {
    let f = summary("export function f(a) { if (a) { g(); } h(); }");
    assert!(f.calls[0].guards.as_ref().is_some_and(|guard| guard.holds));
    assert!(f.calls[1].guards.is_none());
}

#[test]
fn a_loop_may_run_or_not() {
    let f = summary("export function f(a) { let x = null; for (const y of a) { x = y; } g({ x }); }");
    assert!(matches!(sent(&f, "x").kind, ValueKind::Either(_)));
}

#[test]
fn field_assignments_add_keys_to_the_object() {
    let f = summary("export function f(a) { const row = {}; row.x = a; row['y'] = null; g(row); }");
    assert!(matches!(sent(&f, "x").kind, ValueKind::Param(_, 0)));
    assert!(matches!(sent(&f, "y").kind, ValueKind::Null));
    assert!(matches!(sent(&f, "z").kind, ValueKind::Undefined));
}

#[test]
fn a_later_spread_hides_a_key_only_where_it_has_it() {
    let f = summary("export function f(a) { g({ x: 1, ...{ x: a } }); }");
    let value = sent(&f, "x");
    assert!(matches!(&value.kind, ValueKind::Fallback { left, .. } if matches!(left.kind, ValueKind::Param(_, 0))));
    let f = summary("export function f(a) { g({ x: a, ...{ y: 1 } }); }");
    assert!(matches!(sent(&f, "x").kind, ValueKind::Param(_, 0)));
}

#[test]
fn fields_of_parameters_that_are_assigned_leave_the_function() {
    let f = summary("export function f(row) { row.x = null; }");
    let exit = &f.exits[&0];
    let ValueKind::Object { base: Some(base), entries } = &exit.kind else { panic!("{:?}", exit.kind) };
    assert!(matches!(base.kind, ValueKind::Param(_, 0)));
    assert!(matches!(&entries[..], [Slot::Named { key, .. }] if key == "x"));
}

#[test]
fn several_returns_are_one_value_under_conditions() {
    let f = summary("export function f(a, b) { if (a) { return b; } return null; }");
    let value = f.returns.unwrap();
    let ValueKind::Cond { then, otherwise, .. } = &value.kind else { panic!("{:?}", value.kind) };
    assert!(matches!(then.kind, ValueKind::Param(_, 1)));
    assert!(matches!(otherwise.kind, ValueKind::Null));
}

#[test]
fn what_a_catch_or_a_loop_returns_leaves_what_is_returned_behind_it() {
    let both = |text: &str| {
        let f = summary(text);
        let value = f.returns.unwrap();
        let ValueKind::Either(values) = &value.kind else { panic!("{:?}", value.kind) };
        assert!(matches!(values[0].kind, ValueKind::Null));
        assert!(matches!(values[1].kind, ValueKind::Param(_, 0)));
    };
    both("export function f(a) { try { g(); } catch { return null; } return a; }");
    both("export function f(a, all) { for (const one of all) { g(one); return null; } return a; }");
}
