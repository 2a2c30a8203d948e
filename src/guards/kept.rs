//! What a function keeps in a field and asks again: `req.user = await find(id); if (!req.user) return res.sendStatus(401)`.

use crate::guards::held::Held;
use crate::guards::miss::Run;
use crate::ir::{ExprId, ExprKind, Place};

impl Run<'_, '_, '_> {
    /// What is given back within `Ok`, whoever was found: `Ok(StatusCode::NO_CONTENT)`, `Ok(())`.
    pub(super) fn as_success(&self, value: ExprId, held: Held) -> Held {
        let expr = self.module.expr(value);
        if !self.is_rust || !matches!(held, Held::Answer | Held::No) {
            return held;
        }
        let text = &self.walk.graph.sources.get(expr.span.file).text;
        let within = text.get(..expr.span.start as usize).is_some_and(|text| text.trim_end().ends_with("Ok("));
        let own = self.walk.graph.sources.text(expr.span).trim();
        if within && (held == Held::Answer || own == "()" || own.is_empty()) { Held::Same } else { held }
    }

    pub(super) fn keep(&mut self, target: &Place, held: Held) {
        let Place::Field { base, name, .. } = target else { return };
        let Some(base) = self.path_of(*base, 4) else { return };
        let path = [base, name.clone()].join(".");
        // What was kept below it is gone.
        let below = format!("{path}.");
        self.way.kept.retain(|other, _| !other.starts_with(&below));
        // `req.user = same ? user : null`
        if held.tells() || held == Held::No && self.way.seen || self.way.kept.contains_key(&path) {
            self.way.kept.insert(path, held);
        }
    }

    /// What a field was set to before.
    pub(super) fn kept(&self, id: ExprId) -> Option<Held> {
        if self.way.kept.is_empty() {
            return None;
        }
        self.way.kept.get(&self.path_of(id, 5)?).copied()
    }

    /// A name, or a key of one: `req.user`, whether written `req?.user` or `req!.user`.
    fn path_of(&self, id: ExprId, fuel: u8) -> Option<String> {
        let fuel = fuel.checked_sub(1)?;
        let expr = self.module.expr(id);
        match &expr.kind {
            ExprKind::Name(_) | ExprKind::This => Some(self.walk.graph.sources.text(expr.span).to_owned()),
            ExprKind::Field { base, name, .. } => Some([self.path_of(*base, fuel)?, name.clone()].join(".")),
            _ => None,
        }
    }
}
