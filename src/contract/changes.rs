//! The two change lists: what to edit so that every path stores the token, and what to edit so that none writes it.

use std::collections::BTreeSet;

use crate::contract::Change;
use crate::contract::case::Case;
use crate::contract::helper::{Helper, Token};
use crate::contract::practice::{Stance, Write};
use crate::provenance::Origin;
use crate::rules::Operation;

/// One edit a deviating write and helper, sorted by place.
pub(crate) fn to_write(case: &Case<'_>) -> Vec<Change> {
    let mut changes: BTreeSet<Change> = BTreeSet::new();
    let stored = stored(case);
    for practice in &case.practices {
        if let Some(missing) = practice.missing {
            let edit = format!("store the token that {} mints here in {}", missing.function, case.name);
            changes.insert(Change { at: missing.span, edit });
        }
        for write in &practice.writes {
            if let Some(edit) = store(case, *write, practice.stance, &stored) {
                changes.insert(Change { at: write.site.value, edit });
            }
        }
    }
    changes.into_iter().collect()
}

/// What paths store in the column, in the words of the rows that make it.
fn stored<'a>(case: &Case<'a>) -> BTreeSet<&'a str> {
    let fresh = case.writes.iter().filter(|write| write.path.meaning.origins().contains(&Origin::Fresh));
    fresh.flat_map(|write| &write.path.mints).map(|mint| mint.what.as_str()).collect()
}

fn store<'a>(case: &Case<'a>, write: Write<'a>, stance: Stance, stored: &BTreeSet<&str>) -> Option<String> {
    let property = case.property(write.site.model);
    // A path that goes on with the stored value tells by itself what it is about; what another happens to mint may be for anything.
    let keeps = matches!(stance, Stance::Keeps | Stance::Fills | Stance::Partly);
    let mints = &write.path.mints;
    let mint =
        mints.iter().find(|mint| stored.contains(mint.what.as_str())).or_else(|| mints.first().filter(|_| keeps));
    let is_told = !matches!(stance, Stance::Missing | Stance::Unknown | Stance::Stores);
    if mint.is_none() && !mints.is_empty() && is_told {
        return Some(if stored.is_empty() {
            format!("say first what belongs in `{property}`: no path stores a token that it makes there")
        } else {
            format!("make what other paths store in `{property}` here too: what this one mints reaches it on none")
        });
    }
    let minted = mint
        .map_or_else(|| "the fresh token".to_owned(), |mint| format!("the token minted at {}", case.place(mint.span)));
    Some(match stance {
        Stance::Keeps => {
            let helper = Helper::of(case, write);
            match helper.token {
                Token::NoParameter | Token::NotHandedIn => format!(
                    "pass {minted} to `{}` and write it as `{property}` instead of the stored value",
                    helper.function
                ),
                Token::AtHand => format!("write {minted} as `{property}` instead of the stored value"),
            }
        }
        Stance::Fills => format!("write {minted} as `{property}` even where a value is stored already"),
        Stance::Partly => format!("write {minted} as `{property}` on every branch"),
        Stance::Clears => format!("write {minted} as `{property}` instead of NULL"),
        Stance::Supplies => format!("write {minted} as `{property}` instead of what the caller hands in"),
        Stance::Omits | Stance::Generates => format!("set `{property}` to {minted} here, or update the row with it"),
        Stance::Missing | Stance::Unknown | Stance::Stores => return None,
    })
}

/// Readers first, then writers, then the column itself: the order in which the edits are safe to ship.
pub(crate) fn to_drop(case: &Case<'_>) -> Vec<Change> {
    let reads: BTreeSet<Change> = case
        .reads()
        .map(|read| Change { at: read.span, edit: format!("stop reading {} in `{}`", case.name, read.function) })
        .collect();
    let writes: BTreeSet<Change> = case
        .writes
        .iter()
        .filter(|write| write.names_column() && !write.path.meaning.origins().contains(&Origin::Omitted))
        .map(|write| Change {
            at: write.site.value,
            edit: format!(
                "drop the key `{}` from this {}",
                case.property(write.site.model),
                operation(write.site.operation)
            ),
        })
        .collect();
    let declared: BTreeSet<Change> = case
        .declarations()
        .filter_map(|property| {
            let edit = match (property.nullable, &property.default) {
                (Some(false), Some(_)) => "make the column nullable and remove its default",
                (Some(false), None) => "make the column nullable",
                (_, Some(_)) => "remove the column's default",
                (_, None) => return None,
            };
            Some(Change { at: property.span, edit: edit.to_owned() })
        })
        .collect();
    [reads, writes, declared].into_iter().flatten().collect()
}

fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Insert => "insert",
        Operation::Update => "update",
        Operation::UpsertCreate => "upsert's create part",
        Operation::UpsertUpdate => "upsert's update part",
        Operation::Save => "save",
    }
}

#[cfg(test)]
mod tests {
    use crate::contract::bench::{bench, bench_with, path};
    use crate::provenance::ReadKind;

    #[test]
    fn to_write_the_helper_gets_the_token_and_the_missing_path_a_write() {
        let texts = [(50, "return this.tokens.generateRefreshToken(user.id);"), (60, "update(id, user.accessToken)")];
        let web = path("web", "preserved")
            .through("AuthV1Service.login", 50)
            .through("Tokens.generateRefreshToken", 60)
            .trail(60, "user.accessToken");
        let bench = bench_with(&texts).update(10, vec![path("mobile", "fresh"), web]).missing("job", 70);
        let verdict = bench.judge().verdicts.remove(0);
        let edits: Vec<&str> = verdict.to_write.iter().map(|change| change.edit.as_str()).collect();
        assert_eq!(
            edits,
            [
                "pass the token minted at src/app.ts:100 to `Tokens.generateRefreshToken` and write it as `accessToken` \
                 instead of the stored value",
                "store the token that jobService mints here in users.access_token",
            ]
        );
    }

    #[test]
    fn to_drop_readers_go_first_then_writers_then_the_declaration() {
        let mut bench = bench()
            .update(10, vec![path("a", "fresh"), path("b", "preserved")])
            .insert(20, vec![path("c", "omitted")])
            .read(0, 150, ReadKind::Guard)
            .read(1, 150, ReadKind::Service);
        bench.schema.models[0].properties[0].default = Some("''".into());
        let verdict = bench.judge().verdicts.remove(0);
        let edits: Vec<&str> = verdict.to_drop.iter().map(|change| change.edit.as_str()).collect();
        assert_eq!(
            edits,
            [
                "stop reading users.access_token in `Reader.read`",
                "drop the key `accessToken` from this update",
                "remove the column's default",
            ]
        );
    }
}
