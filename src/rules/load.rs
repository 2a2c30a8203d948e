//! TOML -> [`Rules`]: the packs that are built in, then those in the folders that a configuration names.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::rules::{Entry, EntryKind, Pack, Rules, Target, Write};

/// A pack that cannot be used: which file and line, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct PackError {
    pub file: String,
    pub line: u32,
    pub message: String,
}

/// A pack that comes with the program.
struct BuiltIn {
    id: &'static str,
    toml: &'static str,
    page: &'static str,
}

macro_rules! built_in {
    ($($id:literal),* $(,)?) => {
        &[$(BuiltIn {
            id: $id,
            toml: include_str!(concat!("../../rules/", $id, ".toml")),
            page: include_str!(concat!("../../rules/", $id, ".md")),
        }),*]
    };
}

/// Sorted by id, which is the order of the rows too.
const BUILT_IN: &[BuiltIn] = built_in![
    "auth-js",
    "better-auth",
    "browser",
    "controllers",
    "crypto",
    "diesel",
    "drizzle",
    "express",
    "fp",
    "graphql",
    "injection",
    "javascript",
    "jwt",
    "keystone",
    "knex",
    "kysely",
    "meteor",
    "mikro-orm",
    "mongodb",
    "mongoose",
    "nestjs",
    "nextjs",
    "node-sql",
    "oauth",
    "objection",
    "prisma",
    "remix",
    "rust-builders",
    "rust-crypto",
    "rust-sql",
    "rust-std",
    "rust-web",
    "sea-orm",
    "sea-query",
    "sequelize",
    "sql-functions",
    "sqlx",
    "stores",
    "sveltekit",
    "tests",
    "trpc",
    "typeorm",
    "users",
    "validation",
];

/// The ids of the built-in packs, sorted.
pub fn ids() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|pack| pack.id)
}

/// What there is to read about a built-in pack, as Markdown.
pub fn page(id: &str) -> Option<&'static str> {
    BUILT_IN.iter().find(|pack| pack.id == id).map(|pack| pack.page)
}

/// The built-in packs and every `*.toml` in `folders`, by name.
///
/// # Errors
/// The first pack that cannot be used: a folder or file that cannot be read, broken TOML, a key or value that no row has, an
/// id that is not the file's name or is taken.
pub fn load(folders: &[PathBuf]) -> Result<Rules, PackError> {
    let mut packs: Vec<Pack> = Vec::new();
    for built_in in BUILT_IN {
        let file = format!("rules/{}.toml", built_in.id);
        packs.push(read(&file, built_in.id, built_in.toml, &packs)?);
    }
    for folder in folders {
        for path in pack_files(folder)? {
            let file = path.display().to_string();
            let text = std::fs::read_to_string(&path).map_err(|error| PackError {
                file: file.clone(),
                line: 1,
                message: format!("cannot be read: {error}"),
            })?;
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            packs.push(read(&file, &name, &text, &packs)?);
        }
    }
    Ok(Rules::new(packs))
}

fn pack_files(folder: &Path) -> Result<Vec<PathBuf>, PackError> {
    let failed = |message: String| PackError { file: folder.display().to_string(), line: 1, message };
    let entries = std::fs::read_dir(folder)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed(format!("this folder of rule packs cannot be read: {error}")))?;
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    if files.is_empty() {
        return Err(failed("this folder has no rule packs; a pack is a file `<id>.toml`".to_owned()));
    }
    files.sort();
    Ok(files)
}

/// One pack, checked; `name` is what its id must be, `before` the packs whose ids are taken.
fn read(file: &str, name: &str, text: &str, before: &[Pack]) -> Result<Pack, PackError> {
    let failed =
        |offset: usize, message: String| PackError { file: file.to_owned(), line: line(text, offset), message };
    let mut pack: Pack = toml::from_str(text).map_err(|error: toml::de::Error| {
        let offset = error.span().map_or(0, |span| span.start);
        failed(offset, with_closest(error.message()))
    })?;
    let places: Places = toml::from_str(text).unwrap_or_default();
    let id = places.id.as_ref().map_or(0, |id| id.span().start);
    if pack.id != name {
        return Err(failed(id, format!("the id `{}` is not the file's name: write `id = \"{name}\"`", pack.id)));
    }
    if let Some(taken) = before.iter().find(|other| other.id == pack.id) {
        return Err(failed(id, format!("there is a pack `{}` already ({}): rename this one", taken.id, taken.summary)));
    }
    let of = if pack.entity.is_empty() && pack.model.is_empty() { "" } else { name };
    pack.entity.iter_mut().for_each(|row| of.clone_into(&mut row.pack));
    pack.model.iter_mut().for_each(|row| of.clone_into(&mut row.pack));
    pack.nested.iter_mut().for_each(|row| of.clone_into(&mut row.pack));
    pack.write.iter_mut().for_each(|row| of.clone_into(&mut row.pack));
    pack.adapter.iter_mut().for_each(|row| of.clone_into(&mut row.pack));
    pack.lend.iter_mut().for_each(|row| name.clone_into(&mut row.pack));
    pack.interceptor.iter_mut().for_each(|row| of.clone_into(&mut row.pack));
    pack.read.iter_mut().for_each(|row| of.clone_into(&mut row.pack));
    pack.hook.iter_mut().for_each(|row| of.clone_into(&mut row.pack));
    pack.subscriber.iter_mut().for_each(|row| of.clone_into(&mut row.pack));
    pack.transform.iter_mut().for_each(|row| of.clone_into(&mut row.pack));
    let writes = pack.write.iter().map(wrong_write).zip(&places.write);
    let entries = pack.entry.iter().map(wrong_entry).zip(&places.entry);
    match writes.chain(entries).find_map(|(wrong, place)| Some((wrong?, place.span().start))) {
        Some((wrong, at)) => Err(failed(at, wrong.to_owned())),
        None => Ok(pack),
    }
}

/// Where things stand in the text of a pack.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Places {
    id: Option<toml::Spanned<IgnoredAny>>,
    write: Vec<toml::Spanned<IgnoredAny>>,
    entry: Vec<toml::Spanned<IgnoredAny>>,
}

/// What a row lacks that its `on` asks for.
fn wrong_write(row: &Write) -> Option<&'static str> {
    match row.on {
        Target::Type if row.types.is_empty() => Some("a write on = \"type\" needs `types`: the receiver's classes"),
        Target::Argument if row.entity.is_empty() => {
            Some("a write on = \"argument\" needs `entity`: the argument that names the entity")
        }
        Target::Chain if row.entity.is_empty() && row.types.is_empty() => {
            Some("a write on = \"chain\" needs `entity` or `types`: what names the entity")
        }
        _ => None,
    }
}

/// What a row lacks that its `kind` asks for.
fn wrong_entry(row: &Entry) -> Option<&'static str> {
    match row.kind {
        EntryKind::Decorator if row.path.is_none() => {
            Some("an entry of kind = \"decorator\" needs `path`: the method decorator")
        }
        EntryKind::Call if row.path.is_none() || row.handler.is_none() => Some(
            "an entry of kind = \"call\" needs `path` and `handler`: the registering call and its arguments that are run",
        ),
        EntryKind::Extends if row.path.is_none() || row.method.is_empty() => Some(
            "an entry of kind = \"extends\" needs `path` and `method`: the base class and the methods that are run",
        ),
        EntryKind::File if row.file.is_empty() => Some("an entry of kind = \"file\" needs `file`: globs of paths"),
        _ => None,
    }
}

/// The 1-based line of a byte offset.
fn line(text: &str, offset: usize) -> u32 {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    u32::try_from(memchr::memchr_iter(b'\n', before).count()).map_or(u32::MAX, |count| count.saturating_add(1))
}

/// Adds the closest of the names that serde says it expected.
fn with_closest(message: &str) -> String {
    let message = message.trim_end();
    let Some((head, expected)) = message.split_once(", expected ") else { return message.to_owned() };
    let quoted = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let Some(typed) = quoted(head).pop() else { return message.to_owned() };
    let closest = quoted(expected)
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&typed, &name), name))
        .min()
        .filter(|(distance, name)| *distance <= name.len().max(typed.len()) / 2);
    match closest {
        Some((_, name)) => format!("{head}: write `{name}`? Known here: {expected}"),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: &str = "[[write]]\ncall = \".update\"\non = \"model\"\nrow = \"0.data\"\noperation = \"update\"\n";

    fn read_mine(text: &str) -> Result<Pack, String> {
        read("my/mine.toml", "mine", text, &[]).map_err(|error| error.to_string())
    }

    fn mine(rows: &str) -> Result<Pack, String> {
        read_mine(&format!("id = \"mine\"\nsummary = \"Mine.\"\n\n{rows}"))
    }

    #[test]
    fn the_built_in_packs_load_and_are_sorted() {
        let rules = load(&[]).unwrap();
        let ids: Vec<&str> = ids().collect();
        assert_eq!(rules.packs.iter().map(|pack| pack.id.as_str()).collect::<Vec<_>>(), ids);
        assert!(ids.is_sorted());
        assert!(rules.write().any(|row| row.call.matches("typeorm#Repository.save")));
    }

    #[test]
    fn calls_are_known_in_the_ways_that_programs_write_them() {
        let rules = load(&[]).unwrap();
        let mints = [
            "node:crypto#default.randomBytes",
            "global#crypto.randomUUID",
            "crypto#webcrypto.getRandomValues",
            "nanoid#customAlphabet()",
            "jsonwebtoken#default.sign",
            "jose#SignJWT().setProtectedHeader().sign",
            "@nestjs/jwt#JwtService.signAsync",
            "?.jwtService.sign",
            "googleapis#google.auth.OAuth2().getToken",
            "google-auth-library#OAuth2Client.refreshAccessToken",
            "arctic#GitHub().validateAuthorizationCode",
            "openid-client#BaseClient.callback",
            "client-oauth2#default().code.getToken",
        ];
        for path in mints {
            assert!(rules.mint().any(|row| row.call.matches(path)), "{path}");
        }
        let passes = [
            "crypto#createHash().update().digest",
            "crypto#createHash().update().update().digest",
            "crypto#createHmac().update",
            "crypto#createCipheriv().final",
            "bcryptjs#default.hash",
            "@noble/hashes/sha256#sha256",
            "crypto-js#default.AES.encrypt",
            "fp-ts/lib/TaskEither#right",
            "fp-ts#either.right",
            "arctic#GitHub().validateAuthorizationCode().accessToken",
            "typeorm#Repository.create",
            "?.toString",
        ];
        for path in passes {
            assert!(rules.pass().any(|row| row.call.matches(path)), "{path}");
        }
        for path in ["jsonwebtoken#verify", "global#Date.now", "global#fetch", "bcrypt#genSalt"] {
            assert!(!rules.mint().any(|row| row.call.matches(path)), "{path}");
        }
    }

    #[test]
    fn only_issuers_hand_in_fresh_parameters() {
        let rules = load(&[]).unwrap();
        let validates = |module: &str, name: &str| {
            let strategies = rules
                .entry()
                .filter(|row| row.path.as_ref().is_some_and(|path| path.matches("@nestjs/passport#PassportStrategy")));
            let fitting: Vec<bool> =
                strategies.filter(|row| row.is_from(module)).map(|row| row.hands_in_fresh(name)).collect();
            assert_eq!(fitting.len(), 1, "{module}");
            fitting[0]
        };
        assert!(validates("passport-google-oauth20", "accessToken"));
        assert!(validates("passport-github2", "refresh_token"));
        assert!(validates("./custom.strategy", "_accessToken"));
        assert!(!validates("passport-google-oauth20", "profile"));
        assert!(!validates("passport-http-bearer", "accessToken"));
        assert!(!validates("passport-jwt", "accessToken"));
    }

    #[test]
    fn every_file_of_rules_is_registered_and_explained_by_an_example() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let expected: Vec<String> = ids().flat_map(|id| [format!("{id}.md"), format!("{id}.toml")]).collect();
        assert_eq!(names, expected);
        for id in ids() {
            let page = page(id).unwrap();
            assert!(page.starts_with("# ") && page.contains("//~ ") && page.contains("<!-- column: "), "{id}");
        }
        assert_eq!(page("nothing"), None);
    }

    #[test]
    fn packs_of_a_folder_come_last_and_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for id in ["b", "a"] {
            let text = format!("id = \"{id}\"\nsummary = \"A pack.\"\n{WRITE}");
            std::fs::write(folder.path().join(format!("{id}.toml")), text).unwrap();
        }
        std::fs::write(folder.path().join("notes.txt"), "not a pack").unwrap();
        let rules = load(&[folder.path().to_owned()]).unwrap();
        let last: Vec<&str> = rules.packs.iter().rev().take(2).map(|pack| pack.id.as_str()).collect();
        assert_eq!(last, ["b", "a"]);
    }

    #[test]
    fn a_folder_without_packs_and_one_that_is_not_there_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let error = load(&[folder.path().to_owned()]).unwrap_err().to_string();
        assert!(error.contains("has no rule packs"), "{error}");
        let error = load(&[folder.path().join("nothing")]).unwrap_err().to_string();
        assert!(error.contains("nothing:1: this folder of rule packs cannot be read"), "{error}");
    }

    #[test]
    fn an_id_must_be_the_files_name_and_free() {
        let error = read_mine("summary = \"Mine.\"\nid = \"yours\"\n").unwrap_err();
        assert_eq!(error, "my/mine.toml:2: the id `yours` is not the file's name: write `id = \"mine\"`");
        let taken = [mine("").unwrap()];
        let error = read("my/mine.toml", "mine", "id = \"mine\"\nsummary = \"\"", &taken).unwrap_err().to_string();
        assert!(error.starts_with("my/mine.toml:1: there is a pack `mine` already"), "{error}");
    }

    #[test]
    fn unknown_keys_and_values_name_their_line_and_the_closest() {
        let error = mine(&format!("{WRITE}requries = \"0\"\n")).unwrap_err();
        assert!(error.starts_with("my/mine.toml:9: unknown field `requries`: write `requires`?"), "{error}");
        let error = mine(&WRITE.replace("\"update\"", "\"updat\"")).unwrap_err();
        assert!(error.starts_with("my/mine.toml:8: unknown variant `updat`: write `update`?"), "{error}");
        let error = mine("[[zzzzzzzz]]\n").unwrap_err();
        assert!(error.starts_with("my/mine.toml:4: unknown field `zzzzzzzz`, expected one of"), "{error}");
    }

    #[test]
    fn paths_are_checked_where_they_stand() {
        let error = mine(&WRITE.replace(".update", "update")).unwrap_err();
        assert!(error.starts_with("my/mine.toml:5: `update` is no callable path"), "{error}");
        let error = mine(&WRITE.replace("0.data", "data")).unwrap_err();
        assert!(error.starts_with("my/mine.toml:7: `data` is no argument path"), "{error}");
        let error = mine("[[receiver]]\ncall = \".x\"\ngives = \"Repository\"\n").unwrap_err();
        assert!(error.starts_with("my/mine.toml:6: `Repository` is no callable path"), "{error}");
        let error = mine("[[entry]]\nkind = \"file\"\nfile = [\"app/[\"]\n").unwrap_err();
        assert!(error.starts_with("my/mine.toml:6: `app/[` is no glob"), "{error}");
    }

    #[test]
    fn a_row_needs_what_its_kind_asks_for() {
        let error = mine(&format!("{WRITE}\n{}", WRITE.replace("model", "type"))).unwrap_err();
        assert!(error.starts_with("my/mine.toml:10: a write on = \"type\" needs `types`"), "{error}");
        let error = mine("[[entry]]\nkind = \"call\"\npath = \".get\"\n").unwrap_err();
        assert!(error.starts_with("my/mine.toml:4: an entry of kind = \"call\" needs"), "{error}");
    }

    #[test]
    fn broken_toml_names_its_line() {
        let error = mine("[[write]\n").unwrap_err();
        assert!(error.starts_with("my/mine.toml:4: "), "{error}");
    }
}
