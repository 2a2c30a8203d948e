//! What generated constructors and builders make: `X::new(a, b)` and `X::builder().a(1).build()` of a struct that derives them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::graph::{Graph, Type};
use crate::ir::ClassId;
use crate::rules::Maker;
use crate::source::Span;
use crate::summary::{CallValue, ClassRef, Shared, Slot, Value, ValueKind};

/// Longer chains of setters are cut.
const LONGEST: usize = 80;

/// A setter's name and what it is given.
type Setter = (String, Shared);

impl<'a> Graph<'a> {
    /// The structs whose decorators write functions for them.
    pub(super) fn find_makers(&self) -> BTreeMap<ClassRef, Vec<&'a Maker>> {
        let mut found: BTreeMap<ClassRef, Vec<&Maker>> = BTreeMap::new();
        if self.rules.maker().next().is_none() {
            return found;
        }
        for (file, unit) in self.units() {
            for (at, decorators) in unit.summary.class_decorators.iter().enumerate() {
                for path in decorators.iter().filter_map(|decorator| self.callee_path(decorator)) {
                    let class = ClassRef { file, id: ClassId::of(at) };
                    let rows: Vec<&'a Maker> = self.rules.maker().filter(|row| row.decorator.matches(&path)).collect();
                    if !rows.is_empty() {
                        found.entry(class).or_default().extend(rows);
                    }
                }
            }
        }
        found
    }

    /// What a call of a generated function makes, as a new object.
    pub(super) fn made_by_derive(&self, call: &CallValue) -> Option<Shared> {
        if self.makers.is_empty() {
            return None;
        }
        let method = call.method()?;
        let receiver = call.receiver()?;
        let span = call.site.span;
        if let Some((class, row)) = self.maker_of(receiver, |row| row.make.as_deref() == Some(method)) {
            return self.positional(class, row, call, span);
        }
        if !self.rules.maker().any(|row| row.finish.as_deref() == Some(method)) {
            return None;
        }
        let (class, row, setters) = self.builder(receiver)?;
        (row.finish.as_deref() == Some(method)).then(|| self.filled(class, &setters, row, span))?
    }

    /// Whether a value is a generated builder that is not finished: its methods are setters.
    pub(super) fn is_builder(&self, value: &Shared) -> bool {
        !self.makers.is_empty() && self.builder(value).is_some()
    }

    /// The struct that a builder is for, and what was set so far, the last first.
    fn builder(&self, value: &Shared) -> Option<(ClassRef, &'a Maker, Vec<Setter>)> {
        let mut setters: Vec<Setter> = Vec::new();
        let mut at = Arc::clone(value);
        for _ in 0..LONGEST {
            let (call, before) = match &at.kind {
                ValueKind::Call(call) => (Arc::clone(call), None),
                ValueKind::After { call, arg: None, before } => (Arc::clone(call), Some(Arc::clone(before))),
                ValueKind::After { before, .. } => {
                    at = Arc::clone(before);
                    continue;
                }
                ValueKind::Captured(..) | ValueKind::Leaves(..) => {
                    at = self.expand(&at).filter(|next| !Arc::ptr_eq(next, &at))?;
                    continue;
                }
                // `if x { builder = builder.a(x) }`: what one way sets may be set.
                ValueKind::Cond { then, otherwise, .. } => {
                    let (class, row, mut found) = self.builder(then)?;
                    let (_, _, other) = self.builder(otherwise)?;
                    found.extend(other);
                    setters.extend(found);
                    return Some((class, row, setters));
                }
                _ => return None,
            };
            let receiver = call.receiver()?;
            let method = call.method()?;
            if before.is_none()
                && let Some((class, row)) = self.started_by(receiver, method)
            {
                return Some((class, row, setters));
            }
            if let Some(arg) = call.args.first() {
                setters.push((method.to_owned(), Arc::clone(&arg.value)));
            }
            at = before.unwrap_or_else(|| Arc::clone(receiver));
        }
        None
    }

    /// `X::builder()`, `XBuilder::default()`.
    fn started_by(&self, receiver: &Shared, method: &str) -> Option<(ClassRef, &'a Maker)> {
        if let Some(found) = self.maker_of(receiver, |row| row.start.as_deref() == Some(method)) {
            return Some(found);
        }
        if !matches!(method, "default" | "new" | "create_empty") {
            return None;
        }
        let path = self.path(receiver)?;
        let name = path.rsplit(['#', '.']).next()?;
        let mut fits = self.makers.iter().filter_map(|(class, rows)| {
            let declared = &self.class(*class)?.name;
            let named = |row: &&&'a Maker| {
                row.suffix.as_deref().is_some_and(|suffix| name.strip_suffix(suffix) == Some(declared.as_str()))
            };
            rows.iter().find(named).map(|row| (*class, *row))
        });
        fits.next()
    }

    fn maker_of(&self, receiver: &Shared, fits: impl Fn(&Maker) -> bool) -> Option<(ClassRef, &'a Maker)> {
        let class = match &receiver.kind {
            ValueKind::Class(class) => *class,
            ValueKind::Import(..) | ValueKind::Field(..) => match self.type_of(receiver) {
                Type::Object(class) => class,
                _ => return None,
            },
            _ => return None,
        };
        // `Self` in an `impl` of another file extends the struct.
        let line = self.lineage(class);
        line.iter().find_map(|class| Some((*class, *self.makers.get(class)?.iter().find(|row| fits(row))?)))
    }

    /// `X::new(a, b)`: the fields in their order, without those that have a value of their own.
    fn positional(&self, class: ClassRef, row: &Maker, call: &CallValue, span: Span) -> Option<Shared> {
        let declared = self.class(class)?;
        let mut args = call.args.iter();
        let mut setters: Vec<Setter> = Vec::new();
        for field in declared.fields.iter().filter(|field| !field.is_static) {
            if row.own.as_deref().is_some_and(|own| field.decorators.iter().any(|decorator| decorator.name == own)) {
                continue;
            }
            let Some(arg) = args.next() else { break };
            setters.push((field.name.clone(), Arc::clone(&arg.value)));
        }
        self.filled(class, &setters, row, span)
    }

    /// A new object with what was set; what was not set has its default.
    fn filled(&self, class: ClassRef, setters: &[Setter], row: &Maker, span: Span) -> Option<Shared> {
        let declared = self.class(class)?;
        let inits = &self.unit(class.file)?.summary.fields;
        let entries = declared.fields.iter().filter(|field| !field.is_static).map(|field| {
            let sets = |name: &str| {
                let bare = row.prefixes.iter().find_map(|prefix| name.strip_prefix(prefix.as_str()));
                name == field.name || bare == Some(field.name.as_str())
            };
            let mut given = setters.iter().filter(|(name, _)| sets(name)).map(|(_, value)| value);
            let value = match (given.next(), given.next()) {
                (Some(only), None) => Arc::clone(only),
                (Some(first), Some(second)) => {
                    let values = [first, second].into_iter().chain(given).cloned().collect();
                    Value::new(ValueKind::Either(values), span)
                }
                (None, _) => inits
                    .get(&(class.id, field.name.clone()))
                    .cloned()
                    .unwrap_or_else(|| Value::new(ValueKind::Undefined, span)),
            };
            Slot::Named { key: field.name.clone(), key_span: value.span, value }
        });
        let entries = entries.collect();
        let callee = Value::new(ValueKind::Class(class), span);
        let site = crate::summary::CallSite {
            function: crate::summary::FunctionRef { file: span.file, id: crate::ir::FunctionId(0) },
            expr: crate::ir::ExprId(u32::MAX),
            span,
        };
        let made = CallValue { site, callee, args: Vec::new(), is_new: true, type_args: Vec::new() };
        let base = Some(Value::new(ValueKind::Call(Arc::new(made)), span));
        Some(Value::new(ValueKind::Object { base, entries }, span))
    }
}
