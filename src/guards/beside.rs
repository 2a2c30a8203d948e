//! Who asks for the status of the user beside a guard: what stands in front of handlers and verifies nothing, and the handlers themselves.
//!
//! Worked example: `Active`, an extractor that begins with `CurrentUser` and asks `is_active`, asks on the routes whose handlers take it; of
//! `CurrentUser`, which other handlers take as well, nothing is asked there.

use std::collections::BTreeSet;

use crate::graph::Graph;
use crate::guards::chain::Link;
use crate::guards::claims::Seeds;
use crate::guards::routes::{EVERYWHERE, Protected};
use crate::guards::shapes::Shapes;
use crate::guards::status::{Asked, asked};
use crate::schema::Schema;
use crate::summary::FunctionRef;

/// What a guard goes through, what stands for it where it is registered, and the handlers that it is known to run before.
#[derive(Default)]
pub(super) struct Way {
    pub functions: BTreeSet<FunctionRef>,
    pub seeds: Seeds,
    pub links: BTreeSet<Link>,
    pub handlers: BTreeSet<FunctionRef>,
}

/// What is asked beside the guards.
pub(super) struct Beside<'s, 'a> {
    graph: &'s Graph<'a>,
    schema: &'s Schema,
    /// By what may run before any handler.
    pub everywhere: Asked,
    /// By what is known to run before some.
    before: Vec<(Asked, BTreeSet<FunctionRef>)>,
}

impl<'s, 'a> Beside<'s, 'a> {
    /// `is_guard`: what verifies itself; `further`: what asks in the place of guards.
    pub(super) fn find(
        (graph, schema): (&'s Graph<'a>, &'s Schema),
        (shapes, protected): (&Shapes, &Protected),
        is_guard: impl Fn(&FunctionRef) -> bool,
        further: impl Iterator<Item = FunctionRef>,
    ) -> Self {
        let everywhere = asked(graph, schema, &Seeds::default(), further);
        let mut found = Self { graph, schema, everywhere, before: Vec::new() };
        for function in shapes.functions().filter(|function| !is_guard(function)) {
            let own = found.by(function);
            if own.is_empty() {
                continue;
            }
            let routes = protected.by(function, shapes.of(graph, function).as_ref());
            if routes.handlers.is_empty() || routes.names.iter().any(|name| name == EVERYWHERE) {
                found.everywhere = found.everywhere.and(&own);
            } else {
                found.before.push((own, routes.handlers.into_iter().collect()));
            }
        }
        found
    }

    /// What is asked on every route of a guard that stands before these handlers; all that is asked anywhere where they are not known.
    pub(super) fn on(&self, handlers: &BTreeSet<FunctionRef>) -> Asked {
        if handlers.is_empty() {
            return self.before.iter().fold(Asked::default(), |all, (asked, _)| all.and(asked));
        }
        let mut all = Asked::default();
        for handler in handlers {
            let in_front = self.before.iter().filter(|(_, before)| before.contains(handler));
            let mut here = in_front.fold(Asked::default(), |all, (asked, _)| all.and(asked));
            if here.is_empty() {
                here = self.by(*handler);
            }
            if here.is_empty() {
                return Asked::default();
            }
            all = all.and(&here);
        }
        all
    }

    fn by(&self, function: FunctionRef) -> Asked {
        asked(self.graph, self.schema, &Seeds::default(), std::iter::once(function))
    }
}
