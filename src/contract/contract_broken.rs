//! Code or schema against the declared contract.

use crate::config::{Contract, Stage};
use crate::contract::case::{Case, related_path};
use crate::contract::check::{Check, Run};
use crate::contract::identity::{place, signature};
use crate::contract::practice::{Stance, Write, group};
use crate::contract::wording::{clause, entry_point, list};
use crate::contract::{Anchor, Finding, Level, Precision, Related};
use crate::fix::{Fix, Held, Way, drop_column};
use crate::provenance::{Origin, Path};
use crate::rules::Operation;
use crate::schema::{ModelSource, Property};

pub(crate) const CHECK: Check = Check {
    id: "contract-broken",
    summary: "code or schema breaks the contract that the configuration declares",
    level: Level::Error,
    precision: Precision::High,
    security_severity: None,
    believed: "the paths are proven or inferred as marked; a reader is a resolved field of a row, or a query that names the column",
    docs: include_str!("../../docs/checks/contract-broken.md"),
    run: Run::Column(run),
};

fn run(case: &Case<'_>, findings: &mut Vec<Finding>) {
    match case.contract() {
        Some(Contract::WriteConsistently) => write_consistently(case, findings),
        Some(Contract::DropWrites) => {
            let stage = case.config.and_then(|config| config.stage).unwrap_or(Stage::WritesStopped);
            still_read(case, findings);
            if stage >= Stage::WritesStopped {
                still_written(case, findings);
                still_needed(case, findings);
            }
            if stage >= Stage::ColumnIgnored {
                still_declared(case, stage, findings);
            }
        }
        None => {}
    }
}

/// Every issuing entry point stores the fresh token.
fn write_consistently(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let gives_value = |write: &Write<'_>| {
        let empty = |origin: &Origin| matches!(origin, Origin::Null | Origin::Omitted);
        !write.path.meaning.origins().iter().all(empty)
    };
    let none_given = !case.writes.iter().any(gives_value);
    if none_given && case.trace.gaps.is_empty() && case.trace.missing.is_empty() {
        let Some(at) = case.anchor() else { return };
        let what = if case.writes.is_empty() { "writes it" } else { "gives it a value" };
        let message = format!("{} is to be written consistently, but no production code {what}", case.name);
        findings.push(CHECK.finding(case, at, ("", "unwritten"), message, Vec::new()));
        return;
    }
    let mut writes: Vec<Write<'_>> = Vec::new();
    for practice in &case.practices {
        if matches!(practice.stance, Stance::Stores | Stance::Unknown) {
            continue;
        }
        if let Some(missing) = practice.missing {
            let never = if missing.partly { "hands it out here without writing it" } else { "never writes it" };
            let message = format!(
                "{} is to be written consistently, but {} issues a token in `{}` and {never}",
                case.name,
                entry_point(practice.entry),
                missing.function
            );
            let signature = signature(&case.facts, &[practice.entry], (missing.span, &missing.function));
            let related = missing.steps.iter().map(|step| Related {
                at: Anchor::Code(step.span),
                message: format!("`{}` calls on towards the mint", step.function),
            });
            let at = Anchor::Code(missing.span);
            findings.push(
                CHECK.finding(case, at, (&signature, "missing"), message, related.collect()).along_missing(missing),
            );
        }
        writes.extend(&practice.writes);
    }
    for ((stance, semantics), write, entries) in group(writes, |write| (write.stance(), write.path.meaning.semantics()))
    {
        let message = format!("{} is to be written consistently, but {}", case.name, clause(&entries, stance));
        let signature = signature(&case.facts, &entries, (write.site.span, &write.site.function));
        let at = Anchor::Code(write.site.value);
        findings.push(CHECK.finding(case, at, (&signature, &semantics), message, related_path(write)).along(write));
    }
}

/// No production code writes a value. A save of the whole entity and a NULL do no harm.
fn still_written(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let writes_value = |write: &&Write<'_>| {
        write.names_column()
            && write
                .path
                .meaning
                .origins()
                .iter()
                .any(|origin| !matches!(origin, Origin::Null | Origin::Omitted | Origin::Generated))
    };
    let writes = case.writes.iter().filter(writes_value).copied();
    for (semantics, write, entries) in group(writes, |write| write.path.meaning.semantics()) {
        let message = format!(
            "writes of {} are to be dropped, but `{}` still writes it ({semantics}), reached from {}",
            case.name,
            write.site.function,
            list(&entries)
        );
        let signature = signature(&case.facts, &entries, (write.site.span, &write.site.function));
        let at = Anchor::Code(write.site.value);
        let finding = CHECK.finding(case, at, (&signature, &semantics), message, Vec::new());
        findings.push(finding.along(write).mended(dropped(case, write)));
    }
}

/// Takes the column out of the write, whoever gets there.
fn dropped(case: &Case<'_>, write: Write<'_>) -> Result<Fix, Held> {
    let is_needed = |property: &&Property| property.nullable == Some(false) && property.default.is_none();
    let makes_rows = !matches!(write.site.operation, Operation::Update | Operation::UpsertUpdate);
    if makes_rows && let Some(property) = case.declarations().find(is_needed) {
        let why =
            "no row can be made without the column, which is not nullable and has no default: make it nullable first";
        return Err(Held { at: property.span, why: why.to_owned() });
    }
    let sites = case.trace.sites.iter().filter(|site| site.value == write.site.value);
    let way = |path: &Path| Way { entry: path.entry.span, calls: path.steps.iter().map(|step| step.span).collect() };
    let ways: Vec<Way> = sites.flat_map(|site| &site.paths).map(way).collect();
    drop_column(case.code(), write.site.span, write.site.value, &ways)
}

/// Readers stop before writers do.
fn still_read(case: &Case<'_>, findings: &mut Vec<Finding>) {
    for read in case.reads() {
        let message = format!(
            "writes of {} are to be dropped, but `{}` ({}) still reads it",
            case.name,
            read.function,
            read.kind.word()
        );
        let at = Anchor::Code(read.span);
        findings.push(CHECK.finding(
            case,
            at,
            (&place(&case.facts, read.span, &read.function), read.kind.word()),
            message,
            Vec::new(),
        ));
    }
}

/// Rows can do without a value.
fn still_needed(case: &Case<'_>, findings: &mut Vec<Finding>) {
    for property in case.declarations() {
        let (what, semantics) = match (property.nullable, &property.default) {
            (Some(false), Some(_)) => ("is not nullable and has a default", "not-nullable,default"),
            (Some(false), None) => ("is not nullable", "not-nullable"),
            (_, Some(_)) => ("has a default", "default"),
            (_, None) => continue,
        };
        let message = format!("writes of {} are to be dropped, but the column {what}", case.name);
        findings.push(CHECK.finding(
            case,
            Anchor::Code(property.span),
            (&place(&case.facts, property.span, &property.name), semantics),
            message,
            Vec::new(),
        ));
    }
}

/// First no model maps the column, then the database has it no more.
fn still_declared(case: &Case<'_>, stage: Stage, findings: &mut Vec<Finding>) {
    let models = &case.facts.schema.models;
    for model in case.column.bindings.iter().filter_map(|(model, _)| models.get(model.0)) {
        let property =
            case.declarations().find(|property| model.properties.iter().any(|own| own.span == property.span));
        let Some(property) = property else { continue };
        let (what, semantics) = match (model.source, stage) {
            (ModelSource::Sql, Stage::ColumnDropped) => ("no migration drops it", "kept"),
            (ModelSource::Sql, _) => continue,
            _ => ("this model still maps it", "mapped"),
        };
        let message = format!("{} has come to the stage `{}` of drop-writes, but {what}", case.name, stage.word());
        let at = Anchor::Code(property.span);
        findings.push(CHECK.finding(
            case,
            at,
            (&place(&case.facts, property.span, &model.name), semantics),
            message,
            Vec::new(),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::bench::{NOWHERE, bench, path};
    use crate::provenance::ReadKind;
    use crate::rules::Operation;
    use crate::source::Scope;

    const BROKEN: &str = "contract-broken";

    #[test]
    fn every_issuing_path_that_does_not_store_breaks_write_consistently() {
        let bench = bench()
            .contract(Contract::WriteConsistently)
            .update(10, vec![path("a", "fresh"), path("b", "fresh>preserved")])
            .update(20, vec![path("c", "preserved"), path("d", "fresh|preserved")])
            .insert(30, vec![path("e", "omitted")])
            .missing("f", 70);
        assert_eq!(bench.lines(BROKEN), [21, 21, 30, 70]);
        assert!(bench.findings(BROKEN).iter().all(|finding| finding.level == Level::Error));
    }

    #[test]
    fn storing_somewhere_on_the_path_and_revoking_keep_write_consistently() {
        let bench = bench()
            .contract(Contract::WriteConsistently)
            .insert(10, vec![path("signup", "omitted")])
            .update(20, vec![path("signup", "fresh"), path("login", "fresh"), path("odd", "unknown")])
            .update(30, vec![path("logout", "null").revokes()]);
        assert_eq!(bench.lines(BROKEN), NOWHERE);
    }

    #[test]
    fn writers_readers_and_a_needy_schema_break_drop_writes() {
        let mut bench = bench()
            .contract(Contract::DropWrites)
            .update(10, vec![path("a", "fresh"), path("b", "null")])
            .update(20, vec![path("c", "supplied").revokes()])
            .read(0, 150, ReadKind::Guard);
        bench.schema.models[0].properties[0].nullable = Some(false);
        assert_eq!(bench.lines(BROKEN), [11, 21, 150, 190]);
    }

    #[test]
    fn each_stage_of_drop_writes_asks_for_what_comes_before_it() {
        let at = |stage| {
            let mut bench = bench().contract(Contract::DropWrites).update(10, vec![path("a", "fresh")]).read(
                0,
                150,
                ReadKind::Guard,
            );
            bench.column().stage = Some(stage);
            bench
        };
        assert_eq!(at(Stage::ReadsStopped).lines(BROKEN), [150]);
        assert_eq!(at(Stage::WritesStopped).lines(BROKEN), [11, 150]);
        assert_eq!(at(Stage::ColumnIgnored).lines(BROKEN), [11, 150, 190]);
        let unmapped = |stage| {
            let mut bench = bench().contract(Contract::DropWrites);
            bench.column().stage = Some(stage);
            bench.schema.models[0].source = ModelSource::Sql;
            bench.lines(BROKEN)
        };
        assert_eq!(unmapped(Stage::ColumnIgnored), NOWHERE);
        assert_eq!(unmapped(Stage::ColumnDropped), [190]);
    }

    #[test]
    fn clearing_whole_entities_tests_and_seeds_keep_drop_writes() {
        let bench = bench()
            .contract(Contract::DropWrites)
            .update(10, vec![path("logout", "null").revokes()])
            .insert(20, vec![path("signup", "omitted")])
            .site_in(Scope::Seed, Operation::Insert, 30, vec![path("seed", "supplied")])
            .update(40, vec![path("touch", "preserved").revokes()])
            .of_whole_entity()
            .read(1, 150, ReadKind::Service);
        assert_eq!(bench.lines(BROKEN), NOWHERE);
    }

    #[test]
    fn without_a_contract_nothing_is_broken() {
        let bench = bench().update(10, vec![path("a", "fresh"), path("b", "preserved")]).missing("c", 70);
        assert_eq!(bench.lines(BROKEN), NOWHERE);
    }
}
