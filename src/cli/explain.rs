//! `explain ID`: the page of a check or of a rule pack.

use tokendrift::config::closest;
use tokendrift::{contract, rules};

use crate::cli::args::ExplainArgs;
use crate::cli::{Exit, Ran};

pub(crate) fn run(args: &ExplainArgs) -> Result<Ran, String> {
    let page = contract::page(&args.id).or_else(|| rules::page(&args.id)).ok_or_else(|| {
        let (checks, packs) =
            (contract::CHECKS.iter().map(|check| check.id).collect::<Vec<_>>(), rules::ids().collect::<Vec<_>>());
        let all: Vec<&str> = checks.iter().chain(&packs).copied().collect();
        let meant = closest(&args.id, &all).map_or_else(String::new, |id| format!("; did you mean `{id}`?"));
        format!(
            "no check and no rule pack is called `{}`{meant}\nchecks: {}\nrule packs: {}",
            args.id,
            checks.join(", "),
            packs.join(", ")
        )
    })?;
    Ok(Ran::text(Exit::Clean, page.to_owned()))
}
