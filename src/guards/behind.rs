//! What runs behind guards and asks in their place.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::Graph;
use crate::guards::chain::Link;
use crate::guards::claims::Seeds;
use crate::guards::configs::Configured;
use crate::guards::order::Orders;
use crate::guards::root::Root;
use crate::guards::routes;
use crate::guards::shapes::Shapes;
use crate::guards::status::{self, Asked};
use crate::guards::walk::Walk;
use crate::guards::{Proof, Short, ShortBy};
use crate::ir::Param;
use crate::schema::Schema;
use crate::summary::{CallSite, FunctionRef};

/// What is asked behind the guards, told once for each that runs there.
pub(super) struct Behind<'s, 'g, 'a> {
    graph: &'g Graph<'a>,
    schema: &'s Schema,
    shapes: &'s Shapes<'g>,
    /// What stands for each guard where it is registered: itself, or the calls that run it by its name.
    links: BTreeMap<FunctionRef, BTreeSet<Link>>,
    wanted: BTreeSet<Link>,
    orders: Option<Orders>,
    known: BTreeMap<FunctionRef, Option<Proof>>,
    /// Those of which it is not told: they look somebody up, and may let in who is not found.
    may_ask: BTreeSet<FunctionRef>,
    /// Where they ask.
    pub functions: BTreeSet<FunctionRef>,
}

impl<'s, 'g, 'a> Behind<'s, 'g, 'a> {
    pub(super) fn new(
        graph: &'g Graph<'a>,
        schema: &'s Schema,
        shapes: &'s Shapes<'g>,
        roots: &BTreeMap<FunctionRef, Root>,
        configured: &[Configured],
    ) -> Self {
        let calls = configured.iter().filter_map(|config| config.call).map(Link::Call);
        let links: BTreeMap<FunctionRef, BTreeSet<Link>> = roots
            .iter()
            .map(|(function, root)| {
                let by_name = routes::links(graph, *function, root.shape.as_ref());
                (*function, if by_name.is_empty() { BTreeSet::from([Link::Function(*function)]) } else { by_name })
            })
            .collect();
        let wanted = links.values().flatten().copied().chain(calls).collect();
        let (known, may_ask, functions) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { graph, schema, shapes, links, wanted, orders: None, known, may_ask, functions }
    }

    /// What is asked wherever a guard is registered, by what runs behind it.
    pub(super) fn asked(&mut self, guard: FunctionRef) -> BTreeSet<Proof> {
        self.asked_behind(&self.links(guard))
    }

    /// What is asked wherever the result of a call is registered.
    pub(super) fn asked_by_call(&mut self, guard: CallSite) -> BTreeSet<Proof> {
        self.asked_behind(&BTreeSet::from([Link::Call(guard)]))
    }

    fn asked_behind(&mut self, guard: &BTreeSet<Link>) -> BTreeSet<Proof> {
        let orders = self.take_orders();
        let found = orders.behind(guard, true, &mut |function| self.asks(function));
        self.orders = Some(orders);
        found
    }

    fn take_orders(&mut self) -> Orders {
        self.orders.take().unwrap_or_else(|| Orders::find(self.graph, self.shapes, &self.wanted))
    }

    /// The links that stand for a guard.
    pub(super) fn links(&self, guard: FunctionRef) -> BTreeSet<Link> {
        self.links.get(&guard).cloned().unwrap_or_default()
    }

    /// What middleware asks of the user's status wherever a guard is registered in front of it: `get(path, auth, requireActive, handler)`.
    pub(super) fn status(&mut self, guard: &BTreeSet<Link>) -> Asked {
        let orders = self.take_orders();
        let asked = |function: FunctionRef| {
            let own = std::iter::once(function);
            Some(status::asked(self.graph, self.schema, &Seeds::default(), own)).filter(|asked| !asked.is_empty())
        };
        let found = orders.behind(guard, false, &mut { asked });
        self.orders = Some(orders);
        found.into_iter().fold(Asked::default(), |all, asked| all.and(&asked))
    }

    /// Whether it is not told of a function that it lets in whom it does not find.
    pub(super) fn may_ask(&self, function: FunctionRef) -> bool {
        self.may_ask.contains(&function)
    }

    /// What a function asks about who is handed to it.
    pub(super) fn asks(&mut self, function: FunctionRef) -> Option<Proof> {
        if let Some(known) = self.known.get(&function) {
            return known.clone();
        }
        // Of a request what names the bearer, not what its sender says of anybody: `find(req.params.id)`.
        let rows = || self.graph.rules.bearer();
        let is_said = |param: &Param| {
            let names =
                param.decorators.iter().map(|decorator| &decorator.name).chain(param.ty.iter().map(|ty| &ty.name));
            names.into_iter().any(|name| rows().any(|row| row.is_said(name.rsplit('.').next().unwrap_or(name))))
        };
        let params = (0..).zip(&self.graph.function(function)?.params).filter(|(_, param)| !is_said(param));
        let claims = params.map(|(at, _)| (at, Vec::new())).collect();
        let mut walk = Walk::new(self.graph, self.schema);
        walk.answers = self.shapes.of(self.graph, function).is_none();
        walk.seeds.without = rows().flat_map(|row| row.said.iter().cloned()).collect();
        walk.run_to_first_proof(function, &Root { claims, ..Root::default() });
        let is_open = |short: &Short| matches!(short.why, ShortBy::GoesOn | ShortBy::ForSome | ShortBy::Pending);
        let proof = walk.proofs.into_iter().next();
        if proof.is_some() {
            self.functions.extend(walk.functions);
        } else if walk.short.iter().any(is_open) {
            self.may_ask.insert(function);
        }
        self.known.insert(function, proof.clone());
        proof
    }
}
