//! What SQL says of triggers: which run which functions, and what the bodies assign to the new row.

use std::collections::BTreeSet;

use crate::ir::{SqlStatement, SqlValue};
use crate::source::Span;

/// One `NEW.column := value`.
#[derive(Clone, Debug)]
pub struct Assigned {
    pub by: By,
    pub span: Span,
    pub column: String,
    pub value: SqlValue,
}

/// The function, or the trigger whose own a body is.
#[derive(Clone, Debug)]
pub enum By {
    Function(String),
    Trigger(Trigger),
}

#[derive(Clone, Debug)]
pub struct Trigger {
    pub table: String,
    /// Whether it runs when a row is inserted.
    pub inserts: bool,
}

/// What a file says of triggers and what their functions assign.
#[derive(Clone, Debug, Default)]
pub struct Routines {
    /// Triggers and the functions that they run.
    pub triggers: Vec<(Trigger, String)>,
    pub assigned: Vec<Assigned>,
    /// Columns of tables that a body updates.
    pub updated: Vec<(By, String, Vec<String>)>,
}

/// An assignment as what it does to the rows of each table that it is made for.
#[derive(Debug)]
pub struct Assignment {
    pub span: Span,
    /// `NEW.column`.
    pub name: String,
    /// Empty: no trigger of the file runs it.
    pub updates: Vec<SqlStatement>,
}

impl Routines {
    /// The columns, with their tables, that a trigger fills when a row is inserted.
    pub fn filled(&self) -> BTreeSet<(String, String)> {
        let inserts =
            |by: &By| self.run_by(by).into_iter().filter(|trigger| trigger.inserts).map(|trigger| trigger.table);
        let assigned = self.assigned.iter().flat_map(|one| inserts(&one.by).map(|table| (table, one.column.clone())));
        let updated = self.updated.iter().flat_map(|(by, table, columns)| {
            let is_own = inserts(by).any(|of| of.eq_ignore_ascii_case(table));
            columns.iter().filter(move |_| is_own).map(|column| (table.clone(), column.clone()))
        });
        assigned.chain(updated).collect()
    }

    /// Adds what another text of the file says.
    pub fn append(&mut self, mut other: Self) {
        self.triggers.append(&mut other.triggers);
        self.assigned.append(&mut other.assigned);
        self.updated.append(&mut other.updated);
    }

    /// What one assignment of the file's does.
    pub fn assignment(&self, assigned: Assigned) -> Assignment {
        let Assigned { by, span, column, value } = assigned;
        let tables: BTreeSet<String> = self.run_by(&by).into_iter().map(|trigger| trigger.table).collect();
        let update = |table| SqlStatement::Update { table, span, sets: vec![(column.clone(), value.clone())] };
        Assignment { span, name: format!("NEW.{column}"), updates: tables.into_iter().map(update).collect() }
    }

    /// The triggers that run a body.
    fn run_by(&self, by: &By) -> Vec<Trigger> {
        match by {
            By::Trigger(trigger) => vec![trigger.clone()],
            By::Function(name) => {
                let runs = self.triggers.iter().filter(|(_, function)| function.eq_ignore_ascii_case(name));
                runs.map(|(trigger, _)| trigger.clone()).collect()
            }
        }
    }
}
