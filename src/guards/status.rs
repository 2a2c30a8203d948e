//! Whether a guard that reads the user asks if the user is active.

use std::collections::BTreeSet;

use crate::graph::Graph;
use crate::guards::shapes::Shapes;
use crate::guards::{Guard, StatusGap};
use crate::ir::SqlStatement;
use crate::rules::{Asks, Status};
use crate::schema::{Property, Schema};
use crate::summary::{FunctionRef, Shared, Slot, Summary, ValueKind};

/// The properties that some guard asks by, in lower case without `_`.
pub(super) struct Asked(BTreeSet<String>);

pub(super) fn asked(graph: &Graph, shapes: &Shapes, walked: &BTreeSet<FunctionRef>) -> Asked {
    let mut names = BTreeSet::new();
    let rows: Vec<&Status> = graph.rules.status().collect();
    let functions: BTreeSet<FunctionRef> = walked.iter().copied().chain(shapes.functions()).collect();
    for summary in functions.into_iter().filter_map(|function| graph.summary(function)) {
        note(summary, &rows, &mut names);
    }
    Asked(names)
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

fn note(summary: &Summary, rows: &[&Status], names: &mut BTreeSet<String>) {
    let mut add = |name: &str| {
        if rows.iter().any(|row| row.fits(name)) {
            names.insert(plain(name));
        }
    };
    for read in &summary.reads {
        if let ValueKind::Field(_, name) = &read.kind {
            add(name);
        }
    }
    for event in &summary.calls {
        if let Some(method) = event.call.method() {
            add(method);
        }
        event.call.args.iter().for_each(|arg| keys(&arg.value, &mut add, 8));
    }
    for (text, _) in &summary.sql {
        let ValueKind::Sql(text, _) = &text.kind else { continue };
        for statement in &text.statements {
            if let SqlStatement::Select { columns, .. } = statement {
                for name in columns {
                    add(name);
                }
            }
        }
    }
}

/// The keys of conditions: `{ where: { id, isActive: true } }`. What a query only selects is no question.
fn keys(value: &Shared, add: &mut dyn FnMut(&str), fuel: u8) {
    let Some(fuel) = fuel.checked_sub(1) else { return };
    match &value.kind {
        ValueKind::Object { entries, .. } => {
            for slot in entries {
                let Slot::Named { key, value, .. } = slot else { continue };
                if key == "select" || key == "data" {
                    continue;
                }
                add(key);
                keys(value, add, fuel);
            }
        }
        ValueKind::Field(_, name) => add(name),
        ValueKind::Function(_) => {}
        kind => kind.each(&mut |inner| keys(inner, add, fuel)),
    }
}

/// What the schema knows and no guard asks.
pub(super) fn gap(graph: &Graph, schema: &Schema, guard: &Guard, asked: &Asked) -> Option<StatusGap> {
    // Every other proof may well know: a session ends with its user.
    if guard.proofs.iter().any(|proof| proof.asks != Asks::Row) {
        return None;
    }
    let rows: Vec<&Status> = graph.rules.status().collect();
    let mut found = None;
    for proof in &guard.proofs {
        let model = &schema.models[proof.model?.0];
        let fitting: Vec<&Property> =
            model.properties.iter().filter(|property| rows.iter().any(|row| row.fits(&property.name))).collect();
        let handled = |property: &&Property| {
            asked.0.contains(&plain(&property.name)) || asked.0.contains(&plain(&property.column))
        };
        let class = model.class.and_then(|class| graph.class(class));
        let automatic = |property: &&Property| {
            let field = class.and_then(|class| class.fields.iter().find(|field| field.name == property.name));
            let decorators = field.map_or(&[][..], |field| field.decorators.as_slice());
            let named =
                |name: &str| rows.iter().flat_map(|row| &row.automatic).any(|pattern| pattern.last() == Some(name));
            decorators.iter().any(|decorator| decorator.name.rsplit('.').next().is_some_and(named))
        };
        if fitting.iter().any(handled) || fitting.iter().any(automatic) {
            return None;
        }
        if let (Some(first), None) = (fitting.first(), &found) {
            let column = format!("{}.{}", model.table, first.column);
            found = Some(StatusGap { read: proof.span, column, declared: first.span });
        }
    }
    found
}
