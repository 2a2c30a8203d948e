//! The order of what a function does: which calls, branches and exits follow one another.

use crate::summary::Shared;

/// A step of a function. Loops are run once.
#[derive(Clone, Debug)]
pub enum Flow {
    /// Index into the calls of the function's summary.
    Call(u32),
    Branch(Box<Branch>),
    Try(Box<Tried>),
    /// What is returned, where anything is.
    Return(Option<Shared>),
    Throw,
}

/// What runs where a condition holds, and where it fails.
#[derive(Clone, Debug)]
pub struct Branch {
    pub cond: Shared,
    pub then: Vec<Flow>,
    pub otherwise: Vec<Flow>,
}

/// What runs, and what runs where that throws.
#[derive(Clone, Debug)]
pub struct Tried {
    pub body: Vec<Flow>,
    pub catch: Vec<Flow>,
}

/// The conditions at which one way throws.
pub fn throwing(steps: &[Flow]) -> Vec<&Shared> {
    let mut found = Vec::new();
    for step in steps {
        match step {
            Flow::Branch(branch) => {
                let ways = [&branch.then, &branch.otherwise];
                if ways.iter().any(|way| matches!(way.last(), Some(Flow::Throw))) {
                    found.push(&branch.cond);
                }
                found.extend(ways.into_iter().flat_map(|way| throwing(way)));
            }
            Flow::Try(tried) => found.extend([&tried.body, &tried.catch].into_iter().flat_map(|way| throwing(way))),
            Flow::Call(_) | Flow::Return(_) | Flow::Throw => {}
        }
    }
    found
}
