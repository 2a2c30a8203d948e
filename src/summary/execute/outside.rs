//! Which variables of functions around a closure changes.

use std::collections::{BTreeMap, BTreeSet};

use crate::ir::{Binding, ExprId, ExprKind, FunctionId, LocalId, Module, Place, Stmt};

/// Variables of functions around that a closure assigns, them, their fields or fields of their elements, or hands to a function that it
/// was given.
pub(super) fn assigned_outside(module: &Module, id: FunctionId) -> Vec<LocalId> {
    let mut visit = Visit { module, id, elements: BTreeMap::new(), found: BTreeSet::new() };
    visit.statements(&module.function(id).body);
    visit.found.into_iter().collect()
}

struct Visit<'m> {
    module: &'m Module,
    id: FunctionId,
    /// Own variables that hold an element of a list outside.
    elements: BTreeMap<LocalId, LocalId>,
    found: BTreeSet<LocalId>,
}

impl Visit<'_> {
    fn statements(&mut self, statements: &[Stmt]) {
        for statement in statements {
            if let Stmt::Expr(value) | Stmt::Return(Some(value)) | Stmt::Assign { value, .. } = statement {
                self.handed(*value);
            }
            match statement {
                Stmt::Assign { target, value, .. } => self.assigned(target, *value),
                Stmt::If { then, otherwise, .. } => {
                    self.statements(then);
                    self.statements(otherwise);
                }
                Stmt::Loop { body } => self.statements(body),
                Stmt::Try { body, catch, finally } => {
                    self.statements(body);
                    self.statements(catch);
                    self.statements(finally);
                }
                Stmt::Expr(_) | Stmt::Return(_) | Stmt::Throw(_) => {}
            }
        }
    }

    fn handed(&mut self, value: ExprId) {
        let ExprKind::Call(call) = &self.module.expr(value).kind else { return };
        let variable = |at: ExprId| match self.module.expr(at).kind {
            ExprKind::Name(Binding::Local(local)) => Some(local),
            _ => None,
        };
        if variable(call.callee).is_some() {
            let variables = call.args.iter().filter_map(|arg| variable(arg.value));
            self.found.extend(variables.filter(|local| is_outside(self.module, self.id, *local)));
        }
    }

    fn assigned(&mut self, target: &Place, value: ExprId) {
        let changed = match target {
            Place::Local(local) => {
                if let ExprKind::Index { base, .. } = self.module.expr(value).kind
                    && let Some(list) = root(self.module, base).filter(|list| self.is_outside(*list))
                    && !self.module.lends
                {
                    self.elements.insert(*local, list);
                }
                Some(*local)
            }
            Place::Field { base, .. } | Place::Index { base, .. } => {
                root(self.module, *base).map(|local| self.elements.get(&local).copied().unwrap_or(local))
            }
        };
        self.found.extend(changed.filter(|local| self.is_outside(*local)));
    }

    fn is_outside(&self, local: LocalId) -> bool {
        is_outside(self.module, self.id, local)
    }
}

fn is_outside(module: &Module, id: FunctionId, local: LocalId) -> bool {
    module.locals.get(local.at()).is_some_and(|local| local.function != id)
}

/// The variable that a chain of fields starts from.
pub(super) fn root(module: &Module, mut at: ExprId) -> Option<LocalId> {
    for _ in 0..20 {
        match &module.expr(at).kind {
            ExprKind::Name(Binding::Local(local)) => return Some(*local),
            ExprKind::Field { base, .. } => at = *base,
            _ => return None,
        }
    }
    None
}
