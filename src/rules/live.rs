//! The rows that can be about a tree at all: those whose library it mentions.

use std::collections::BTreeSet;

use crate::rules::{CallPattern, Handed, Pack, Rules};

impl Rules {
    /// Without the rows about modules that are neither imported nor named by what another row gives: no path of the tree can
    /// fit them. `is_imported` is asked for the part of a module's name that the row writes out.
    #[must_use]
    pub fn of_tree(mut self, is_imported: impl Fn(&str) -> bool) -> Self {
        let mut given: BTreeSet<String> = BTreeSet::new();
        loop {
            let is_live = |pattern: &CallPattern| {
                let known = |module: &str| given.iter().any(|given| given.starts_with(module)) || is_imported(module);
                pattern.module().is_none_or(known)
            };
            let more: BTreeSet<String> = self.packs.iter().flat_map(|pack| modules_given(pack, &is_live)).collect();
            if more == given {
                self.packs.iter_mut().for_each(|pack| keep(pack, &is_live));
                return Self::new(self.packs);
            }
            given = more;
        }
    }
}

macro_rules! keep {
    ($pack:ident, $is_live:ident, $($rows:ident),*) => {
        $($pack.$rows.retain(|row| $is_live(&row.call));)*
    };
}

fn keep(pack: &mut Pack, is_live: &impl Fn(&CallPattern) -> bool) {
    keep!(
        pack,
        is_live,
        model,
        migration,
        write,
        sql,
        read,
        many,
        mint,
        pass,
        receiver,
        answer,
        callback,
        leave,
        mount,
        verify,
        consult,
        harmless,
        foreign,
        life,
        web,
        demand,
        interceptor,
        context,
        prefix,
        versioning,
        nesting,
        collector,
        method,
        keep
    );
    pack.entry.retain(|row| row.path.as_ref().is_none_or(is_live));
    pack.provide.retain(|row| is_live(&row.inject));
    pack.guard.retain(|row| row.path.as_ref().is_none_or(is_live));
}

/// The modules of the types that live rows give.
fn modules_given(pack: &Pack, is_live: &impl Fn(&CallPattern) -> bool) -> BTreeSet<String> {
    let receivers = pack.receiver.iter().filter(|row| is_live(&row.call)).map(|row| row.gives.as_str());
    let handed = pack.callback.iter().filter(|row| is_live(&row.call)).flat_map(|row| &row.params);
    let handed = handed.filter_map(|handed| match handed {
        Handed::Type(text) => Some(text.as_str()),
        _ => None,
    });
    receivers.chain(handed).flat_map(modules_in).collect()
}

/// `typeorm#Repository<app#User>` -> `typeorm`, `app`.
fn modules_in(ty: &str) -> impl Iterator<Item = String> {
    ty.split(['<', '>', ',', ' ']).filter_map(|part| part.split_once('#')).map(|(module, _)| module.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::rules;

    #[test]
    fn rows_of_libraries_that_a_tree_does_not_mention_are_left_out() {
        let all = rules::load(&[]).unwrap();
        let of_nest = all.clone().of_tree(|module| module == "@nestjs/jwt");
        assert!(of_nest.mints_matching("@nestjs/jwt#JwtService.sign").next().is_some());
        assert!(all.mints_matching("jsonwebtoken#sign").next().is_some());
        assert!(of_nest.mints_matching("jsonwebtoken#sign").next().is_none());
        // What belongs to no module stays.
        assert!(of_nest.mints_matching("global#Math.random").next().is_some());
    }

    #[test]
    fn rows_of_what_another_row_gives_stay() {
        let pack: rules::Pack = toml::from_str(
            "id = 'x'\nsummary = 'x'\n\
             receiver = [{ call = 'kit#pool', gives = 'drivers#Client<$0>' }, { call = 'drivers#Client.admin', gives = 'core#Admin' }]\n\
             mint = [{ call = 'core#Admin.token', what = 'a token' }]",
        )
        .unwrap();
        let rules = rules::Rules::new(vec![pack]);
        let live = |mentioned: &str| rules.clone().of_tree(|module| module == mentioned);
        assert_eq!(live("kit").mints_matching("core#Admin.token").count(), 1);
        assert_eq!(live("else").mints_matching("core#Admin.token").count(), 0);
    }
}
