//! One tracked column with all that is known of it: what a check looks at.

use std::collections::BTreeMap;

use crate::config::{self, Contract};
use crate::contract::practice::{Practice, Stance, Write, entry_points, is_production, practices, production_writes};
use crate::contract::wording::clause;
use crate::contract::{Anchor, Facts, Related, Way};
use crate::fix::Code;
use crate::guards::Decision;
use crate::probe::{ColumnProbe, Counts, Outcome};
use crate::provenance::{ColumnTrace, ReadSite};
use crate::schema::{ColumnId, ModelId, Property, TrackedColumn};
use crate::source::Span;

#[derive(Clone, Debug)]
pub(crate) struct Case<'a> {
    pub(crate) facts: Facts<'a>,
    /// `users.access_token`
    pub(crate) name: String,
    pub(crate) column: &'a TrackedColumn,
    pub(crate) config: Option<&'a config::Column>,
    pub(crate) trace: &'a ColumnTrace,
    /// Every path to every production site.
    pub(crate) writes: Vec<Write<'a>>,
    /// The issuing entry points, sorted.
    pub(crate) practices: Vec<Practice<'a>>,
}

/// What one database counted.
#[derive(Clone, Copy)]
pub(crate) struct Counted<'a> {
    pub(crate) database: &'a str,
    is_alone: bool,
    pub(crate) counts: &'a Counts,
}

impl Counted<'_> {
    /// The words `in database` and its name, where there are several.
    pub(crate) fn place(&self) -> String {
        if self.is_alone { String::new() } else { format!(" in database `{}`", self.database) }
    }

    /// Tells findings on several databases apart.
    pub(crate) fn signature(&self, of: &str) -> String {
        if self.is_alone { of.to_owned() } else { format!("{}:{of}", self.database) }
    }
}

impl<'a> Case<'a> {
    /// `None` where the column was not traced.
    pub(crate) fn new(facts: &Facts<'a>, id: ColumnId) -> Option<Self> {
        let column = facts.schema.columns.get(id.0)?;
        let trace = facts.traces.iter().find(|trace| trace.column == id)?;
        let writes = production_writes(facts.sources, trace);
        let practices = practices(facts.sources, trace, &writes);
        Some(Self {
            facts: *facts,
            name: format!("{}.{}", column.table, column.column),
            column,
            config: facts.config.columns.get(column.config),
            trace,
            writes,
            practices,
        })
    }

    pub(crate) fn contract(&self) -> Option<Contract> {
        self.config.and_then(|config| config.contract)
    }

    /// One a database.
    pub(crate) fn probes(&self) -> impl Iterator<Item = &'a ColumnProbe> {
        let column = self.column.config;
        self.facts.probes.iter().filter(move |probe| probe.column == column)
    }

    /// What each database that answered counted: each is judged by itself, as a shard or a tenant of its own.
    pub(crate) fn counted(&self) -> impl Iterator<Item = Counted<'a>> {
        let is_alone = self.probes().count() == 1;
        self.probes().filter_map(move |probe| match &probe.outcome {
            Outcome::Counted(counts) => Some(Counted { database: &probe.database, is_alone, counts }),
            Outcome::Failed(_) => None,
        })
    }

    /// The column's declarations, one a model.
    pub(crate) fn declarations(&self) -> impl Iterator<Item = &'a Property> {
        let models = &self.facts.schema.models;
        self.column.bindings.iter().filter_map(|(model, at)| models.get(model.0)?.properties.get(*at))
    }

    /// Where a finding about the column itself stands: its line in the configuration, else its declaration.
    pub(crate) fn anchor(&self) -> Option<Anchor> {
        let line = self.config.and_then(|config| config.line);
        line.map(|line| Anchor::Config { line }).or_else(|| Some(Anchor::Code(self.declarations().next()?.span)))
    }

    /// What the code calls the column where this model is used.
    pub(crate) fn property(&self, model: ModelId) -> &'a str {
        let bound = self.column.bindings.iter().find(|(of, _)| *of == model);
        let property = bound.and_then(|(model, at)| self.facts.schema.models.get(model.0)?.properties.get(*at));
        property.map_or(&self.column.column, |property| property.last_key())
    }

    /// Reads in production code.
    pub(crate) fn reads(&self) -> impl Iterator<Item = &'a ReadSite> {
        let sources = self.facts.sources;
        self.trace.reads.iter().filter(move |read| is_production(sources, read.span.file))
    }

    /// Comparisons by which somebody is let in or not.
    pub(crate) fn decisions(&self) -> impl Iterator<Item = &'a Decision> {
        let column = self.trace.column;
        self.facts.guards.decisions.iter().filter(move |decision| decision.column == column)
    }

    /// What issuing entry points do, one way for all that do the same: that of the first.
    pub(crate) fn ways(&self, of: impl Fn(&Practice<'a>) -> bool) -> Vec<Way> {
        let mut by_stance: BTreeMap<Stance, Vec<&Practice<'a>>> = BTreeMap::new();
        for practice in self.practices.iter().filter(|practice| of(practice)) {
            by_stance.entry(practice.stance).or_default().push(practice);
        }
        let way = |(stance, practices): (Stance, Vec<&Practice<'a>>)| {
            let entries: Vec<_> = practices.iter().map(|practice| practice.entry).collect();
            let title = clause(&entries, stance);
            practices.iter().find_map(|practice| match (practice.writes.first(), practice.missing) {
                (Some(write), _) => Some(Way::to(title.clone(), *write)),
                (None, Some(missing)) => Some(Way::missing(title.clone(), missing)),
                (None, None) => None,
            })
        };
        by_stance.into_iter().filter_map(way).collect()
    }

    /// The ways of all issuing entry points; where none issues, of whatever writes the column.
    pub(crate) fn all_ways(&self) -> Vec<Way> {
        if !self.practices.is_empty() {
            return self.ways(|_| true);
        }
        let mut by_stance: BTreeMap<Stance, Vec<Write<'a>>> = BTreeMap::new();
        for write in &self.writes {
            by_stance.entry(write.stance()).or_default().push(*write);
        }
        let way = |(stance, writes): (Stance, Vec<Write<'a>>)| {
            Some(Way::to(clause(&entry_points(&writes), stance), *writes.first()?))
        };
        by_stance.into_iter().filter_map(way).collect()
    }

    /// The code as edits see it.
    pub(crate) fn code(&self) -> Code<'a> {
        Code { sources: self.facts.sources, units: self.facts.units }
    }

    /// `src/auth.ts:12`
    pub(crate) fn place(&self, span: Span) -> String {
        let at = self.facts.sources.location(span);
        format!("{}:{}", at.path, at.line)
    }
}

/// Places along a path, in the order in which it runs: the mints, then the calls towards the write.
pub(crate) fn related_path(write: Write<'_>) -> Vec<Related> {
    let mut related = related_mints(write);
    related.extend(write.path.steps.iter().map(|step| Related {
        at: Anchor::Code(step.span),
        message: format!("`{}` calls on towards the write", step.function),
    }));
    related
}

/// The mints on a path.
pub(crate) fn related_mints(write: Write<'_>) -> Vec<Related> {
    let mint =
        |span, what: &str| Related { at: Anchor::Code(span), message: format!("the fresh token is made here: {what}") };
    write.path.mints.iter().map(|hop| mint(hop.span, &hop.what)).collect()
}
