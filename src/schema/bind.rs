//! Configured columns -> the properties that stand for them.

use crate::config::Column;
use crate::ir::Module;
use crate::rules::Rules;
use crate::schema::mentions::{mentioned, used};
use crate::schema::names::{bare, fold};
use crate::schema::{Model, ModelId, ModelSource, Property, TrackedColumn, UnknownColumn};

/// Names less alike than this are not offered as meant.
const ALIKE: f64 = 0.6;
/// At most so many are offered.
const OFFERED: usize = 3;

/// How exactly a name must agree, the strictest first.
type Agree = fn(&str, &str) -> bool;

const EXACT: Agree = |a, b| a == b;
const ANY_CASE: Agree = |a, b| a.eq_ignore_ascii_case(b);
const FOLDED: Agree = |a, b| fold(a) == fold(b);

/// Everything that is known of tables when columns are bound.
pub(crate) struct Binder<'a> {
    /// Prisma models, entities, and tables that SQL alone knows.
    pub(crate) models: Vec<Model>,
    /// What migrations leave of every table, to fill in what models do not say.
    pub(crate) migrated: Vec<Model>,
    pub(crate) modules: &'a [&'a Module],
    pub(crate) rules: &'a Rules,
}

impl Binder<'_> {
    /// Binds one column; may add a model for a table that only statements name.
    pub(crate) fn bind(&mut self, column: &Column, config: usize) -> Result<TrackedColumn, UnknownColumn> {
        let table = bare(&column.table);
        let candidates = self.models_of(table);
        let bindings = bindings(&self.models, &candidates, &column.column);
        if let Some((first, property)) = bindings.first().copied() {
            return Ok(self.tracked(column, config, bindings, first, property));
        }
        if let Some(open) = candidates.iter().find(|at| self.models.get(**at).is_some_and(|model| model.open))
            && let Some(property) = used(self.modules, &column.column)
            && let Some(model) = self.models.get_mut(*open)
        {
            model.properties.push(property);
            let (id, at) = (ModelId(*open), model.properties.len() - 1);
            return Ok(self.tracked(column, config, vec![(id, at)], id, at));
        }
        if candidates.is_empty()
            && let Some(model) = mentioned(self.modules, self.rules, table, &column.column)
        {
            let bindings = vec![(ModelId(self.models.len()), 0)];
            let name = model.table.clone();
            self.models.push(model);
            let column = column.column.clone();
            return Ok(TrackedColumn { table: name, column, config, bindings, nullable: None, default: None });
        }
        if let Some(found) = self.bind_unmapped(column, config, table) {
            return Ok(found);
        }
        Err(self.unknown(column, !candidates.is_empty()))
    }

    /// A column that the database has and no model of its table maps.
    fn bind_unmapped(&mut self, column: &Column, config: usize, table: &str) -> Option<TrackedColumn> {
        let of_table = |model: &&Model| ANY_CASE(&model.table, table);
        let has = |property: &Property| ANY_CASE(&property.column, &column.column);
        let model = self.migrated.iter().filter(of_table).find(|model| model.properties.iter().any(has))?.clone();
        let at = model.properties.iter().position(has)?;
        let id = ModelId(self.models.len());
        self.models.push(model);
        Some(self.tracked(column, config, vec![(id, at)], id, at))
    }

    /// The models of a table: by the table's name, else by the model's, each more loosely in turn.
    fn models_of(&self, table: &str) -> Vec<usize> {
        let by = |name: fn(&Model) -> &str, agree: Agree| -> Vec<usize> {
            let all = self.models.iter().enumerate();
            all.filter(|(_, model)| agree(bare(name(model)), table)).map(|(at, _)| at).collect()
        };
        let table_of: fn(&Model) -> &str = |model| &model.table;
        let name_of: fn(&Model) -> &str = |model| &model.name;
        [EXACT, ANY_CASE, FOLDED]
            .into_iter()
            .flat_map(|agree| [by(table_of, agree), by(name_of, agree)])
            .find(|found| !found.is_empty())
            .unwrap_or_default()
    }

    fn tracked(
        &mut self,
        column: &Column,
        config: usize,
        bindings: Vec<(ModelId, usize)>,
        first: ModelId,
        property: usize,
    ) -> TrackedColumn {
        self.spell_as_configured(column, &bindings);
        let bound = |(model, property): &(ModelId, usize)| self.models.get(model.0)?.properties.get(*property);
        let table = self.models.get(first.0).map_or_else(|| column.table.clone(), |model| model.table.clone());
        let name = bound(&(first, property)).map_or_else(|| column.column.clone(), |found| found.column.clone());
        let of_table = self.migrated.iter().filter(|model| ANY_CASE(&model.table, &table));
        let migrated: Vec<&Property> =
            of_table.flat_map(|model| &model.properties).filter(|property| ANY_CASE(&property.column, &name)).collect();
        let declared = || bindings.iter().filter_map(bound).chain(migrated.iter().copied());
        let nullable = declared().find_map(|property| property.nullable);
        // What an entity or a call leaves to the library's default, the database may have been told otherwise.
        let in_code =
            bindings.iter().all(|(id, _)| self.models.get(id.0).is_some_and(|model| is_spelled_in_code(model.source)));
        let is_required = in_code && migrated.iter().any(|property| property.nullable == Some(false));
        let nullable = if is_required { Some(false) } else { nullable };
        let default = declared().find_map(|property| property.default.clone());
        if is_required {
            for (model, property) in &bindings {
                let property = self.models.get_mut(model.0).and_then(|model| model.properties.get_mut(*property));
                if let Some(property) = property {
                    property.nullable = Some(false);
                }
            }
        }
        TrackedColumn { table, column: name, config, bindings, nullable, default }
    }

    /// A column whose name an entity leaves to a naming strategy is called what the configuration calls it, if that is the
    /// same name in other spelling.
    fn spell_as_configured(&mut self, column: &Column, bindings: &[(ModelId, usize)]) {
        for (model, property) in bindings {
            let Some(model) = self.models.get_mut(model.0).filter(|model| is_spelled_in_code(model.source)) else {
                continue;
            };
            let Some(property) = model.properties.get_mut(*property) else { continue };
            if property.column == property.name && FOLDED(&property.column, &column.column) {
                property.column.clone_from(&column.column);
            }
        }
    }

    fn unknown(&self, column: &Column, is_table_known: bool) -> UnknownColumn {
        let wanted = format!("{}.{}", bare(&column.table), column.column).to_lowercase();
        let columns = self.models.iter().flat_map(|model| {
            let stored = model.properties.iter().filter(|property| property.relation.is_none());
            stored.map(|property| (&property.column, format!("{}.{}", model.table, property.column)))
        });
        let mut scored: Vec<(f64, String)> = columns
            .map(|(bare, name)| {
                let score = strsim::normalized_damerau_levenshtein(&wanted, &name.to_lowercase());
                // The column of another table is likely the one meant, however little the tables sound alike.
                (if FOLDED(bare, &column.column) { score.max(ALIKE) } else { score }, name)
            })
            .filter(|(score, _)| *score >= ALIKE)
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        scored.dedup_by(|a, b| a.1 == b.1);
        UnknownColumn {
            table: column.table.clone(),
            column: column.column.clone(),
            at: None,
            is_table_known,
            closest: scored.into_iter().take(OFFERED).map(|(_, name)| name).collect(),
        }
    }
}

/// The property of each model that a column's name stands for: the database's name before the code's, exactly before
/// loosely.
fn bindings(models: &[Model], candidates: &[usize], column: &str) -> Vec<(ModelId, usize)> {
    let by = |name: fn(&Property) -> &str, agree: Agree| -> Vec<(ModelId, usize)> {
        let find = |at: &usize| {
            let properties = &models.get(*at)?.properties;
            let is_it = |property: &Property| property.relation.is_none() && agree(name(property), column);
            Some((ModelId(*at), properties.iter().position(is_it)?))
        };
        candidates.iter().filter_map(find).collect()
    };
    let column_of: fn(&Property) -> &str = |property| &property.column;
    let name_of: fn(&Property) -> &str = |property| &property.name;
    let mut found: Vec<(ModelId, usize)> = Vec::new();
    for agree in [EXACT, ANY_CASE, FOLDED] {
        for (model, property) in [by(column_of, agree), by(name_of, agree)].concat() {
            if !found.iter().any(|(known, _)| *known == model) {
                found.push((model, property));
            }
        }
    }
    found.sort_unstable();
    found
}

/// Whether a library may store a property under a name of its own making.
fn is_spelled_in_code(source: ModelSource) -> bool {
    matches!(source, ModelSource::Entity | ModelSource::Call)
}
