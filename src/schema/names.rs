//! The ways in which one name is written in tables and in code.

/// Words of a name: `accessToken`, `access_token`, `AccessToken` and `access-token` are `access token`. A run of capitals is
/// one word up to the last, which starts the next: `OAuthToken` is `o auth token`.
pub fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = Vec::new();
    let mut is_new = true;
    for (at, letter) in letters.iter().enumerate() {
        if !letter.is_alphanumeric() {
            is_new = true;
            continue;
        }
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        let after = letters.get(at + 1);
        if letter.is_uppercase() {
            let follows_small = before.is_some_and(|c| c.is_lowercase() || c.is_numeric());
            let starts_small = before.is_some_and(|c| c.is_uppercase()) && after.is_some_and(|c| c.is_lowercase());
            is_new |= follows_small || starts_small;
        }
        if is_new {
            words.push(String::new());
            is_new = false;
        }
        if let Some(word) = words.last_mut() {
            word.extend(letter.to_lowercase());
        }
    }
    words
}

pub(crate) fn snake(name: &str) -> String {
    words(name).join("_")
}

pub(crate) fn pascal(name: &str) -> String {
    words(name).iter().map(|word| capital(word)).collect()
}

pub(crate) fn camel(name: &str) -> String {
    let words = words(name);
    let rest = words.iter().skip(1).map(|word| capital(word));
    words.first().cloned().into_iter().chain(rest).collect()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// What all ways of writing a name have in common.
pub(crate) fn fold(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

pub(crate) fn plural(word: &str) -> String {
    let ends = |ending: &str| word.ends_with(ending);
    let before_y = word.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    if let Some(stem) = before_y {
        format!("{stem}ies")
    } else if ends("s") && !ends("ss") && !["us", "is", "as"].iter().any(|ending| ends(ending)) {
        // Plural already, as the `inflection` of Sequelize and the rules of Mongoose have it: `users`.
        word.to_owned()
    } else if ends("s") || ends("x") || ends("z") || ends("ch") || ends("sh") {
        format!("{word}es")
    } else {
        format!("{word}s")
    }
}

fn singular(word: &str) -> String {
    if let Some(stem) = word.strip_suffix("ies").filter(|stem| stem.len() > 1) {
        return format!("{stem}y");
    }
    let is_es = ["sses", "xes", "zes", "ches", "shes"].iter().any(|ending| word.ends_with(ending));
    if is_es {
        return word.strip_suffix("es").unwrap_or(word).to_owned();
    }
    let is_plural = word.ends_with('s') && !word.ends_with("ss") && !word.ends_with("us");
    if is_plural { word.strip_suffix('s').unwrap_or(word).to_owned() } else { word.to_owned() }
}

/// The table's name without its schema.
pub(crate) fn bare(table: &str) -> &str {
    table.rsplit('.').next().unwrap_or(table)
}

/// The names under which files may mention a column and its table, without repetition: the column's, then the table's and
/// its model's.
pub fn names(table: &str, column: &str) -> Vec<String> {
    let table = bare(table);
    let model = singular(table);
    let mut found: Vec<String> = Vec::new();
    let forms = [
        column.to_owned(),
        snake(column),
        camel(column),
        table.to_owned(),
        snake(table),
        camel(table),
        pascal(table),
        snake(&model),
        camel(&model),
        pascal(&model),
    ];
    for form in forms {
        if !form.is_empty() && !found.contains(&form) {
            found.push(form);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_looked_for_under_all_ways_of_writing_it() {
        assert_eq!(
            names("public.users", "access_token"),
            ["access_token", "accessToken", "users", "Users", "user", "User"]
        );
        assert_eq!(
            names("oauth_identities", "RefreshToken"),
            [
                "RefreshToken",
                "refresh_token",
                "refreshToken",
                "oauth_identities",
                "oauthIdentities",
                "OauthIdentities",
                "oauth_identity",
                "oauthIdentity",
                "OauthIdentity"
            ]
        );
    }

    #[test]
    fn words_end_where_capitals_begin() {
        assert_eq!(snake("OAuthToken2Hash"), "o_auth_token2_hash");
        assert_eq!(snake("userID"), "user_id");
        assert_eq!(camel("access-token"), "accessToken");
        assert_eq!(fold("access_Token"), fold("accessToken"));
        assert_eq!(singular("addresses"), "address");
        assert_eq!(singular("status"), "status");
        assert_eq!(plural("entity"), "entities");
        assert_eq!(plural("users"), "users");
        assert_eq!(plural("address"), "addresses");
        assert_eq!(plural("status"), "statuses");
    }
}
