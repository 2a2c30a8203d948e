//! What a file is for, by its path below the root and by what it imports.

use crate::source::{Language, Scope};

const TEST_FOLDERS: [&str; 10] =
    ["__tests__", "__test__", "__mocks__", "test", "tests", "e2e", "spec", "specs", "cypress", "playwright"];
const TEST_FOLDER_ENDS: [&str; 8] =
    ["-tests", "-e2e", "test-utils", "test_utils", "testutils", "test-helpers", "test_helpers", "test_support"];
/// Between the name and the extension: `a.spec.ts`, `app.e2e-spec.ts`, `login.cy.ts`.
const TEST_PARTS: [&str; 8] = ["spec", "test", "e2e", "e2e-spec", "e2e-test", "int-spec", "cy", "mock"];
const SEED_FOLDERS: [&str; 6] = ["seed", "seeds", "seeder", "seeders", "fixtures", "__fixtures__"];
const SEED_PARTS: [&str; 3] = ["seed", "seeder", "fixture"];
const SEED_FILES: [&str; 8] =
    ["seed", "seeds", "seeder", "seeders", "seed-database", "seed-db", "seed-data", "database-seeder"];
/// Outside the application's own sources a `seed-users.ts` fills the database; among them these do, and `seed-phrase.ts` is a feature.
const SEED_PURPOSES: [&str; 10] =
    ["demo", "dev", "development", "local", "test", "example", "examples", "users", "user", "script"];
const MIGRATION_FOLDERS: [&str; 2] = ["migrations", "migration"];
const SCRIPT_FOLDERS: [&str; 2] = ["scripts", "script"];
/// Scripts only outside the application's own sources, where `tools` may be a feature.
const OUTER_SCRIPT_FOLDERS: [&str; 2] = ["bin", "tools"];
const APPLICATION_FOLDERS: [&str; 3] = ["src", "app", "lib"];

/// `path` is relative to the root: what the folders above are called says nothing.
pub(crate) fn by_path(path: &str, language: Language) -> Scope {
    let path = path.to_ascii_lowercase();
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", &path));
    let folders: Vec<&str> = folders.split('/').filter(|folder| !folder.is_empty()).collect();
    let parts: Vec<&str> = name.split('.').collect();
    let stem = parts.first().copied().unwrap_or("");
    let inner = parts.get(1..parts.len().saturating_sub(1)).unwrap_or_default();
    let below = |names: &[&str]| folders.iter().any(|folder| names.contains(folder));
    let marked = |words: &[&str]| inner.iter().any(|part| words.contains(part));

    let test_folder = |folder: &&str| TEST_FOLDER_ENDS.iter().any(|end| folder.ends_with(end));
    if marked(&TEST_PARTS) || below(&TEST_FOLDERS) || folders.iter().any(test_folder) {
        Scope::Test
    } else if marked(&SEED_PARTS) || below(&SEED_FOLDERS) || is_seed(&folders, stem, inner.is_empty()) {
        Scope::Seed
    } else if marked(&["migration"]) || below(&MIGRATION_FOLDERS) || (language == Language::Sql && is_numbered(stem)) {
        Scope::Migration
    } else if below(&SCRIPT_FOLDERS) || in_outer_script_folder(&folders) {
        Scope::Script
    } else {
        Scope::Production
    }
}

fn is_seed(folders: &[&str], stem: &str, is_plain: bool) -> bool {
    if SEED_FILES.contains(&stem) {
        return true;
    }
    let is_outside = !folders.iter().any(|folder| APPLICATION_FOLDERS.contains(folder));
    let purpose = stem.strip_prefix("seed").and_then(|rest| rest.strip_prefix(['-', '_', ' ']));
    let fills = purpose.is_some_and(|purpose| is_outside || SEED_PURPOSES.contains(&purpose));
    is_plain && (fills || is_outside && stem.starts_with("populat"))
}

fn in_outer_script_folder(folders: &[&str]) -> bool {
    folders
        .iter()
        .take_while(|folder| !APPLICATION_FOLDERS.contains(folder))
        .any(|folder| OUTER_SCRIPT_FOLDERS.contains(folder))
}

/// `0001_init`, `20240101120000_add_users`, `v12__users`: how migration tools name their files wherever they put them.
fn is_numbered(stem: &str) -> bool {
    let versioned = stem.strip_prefix(['v', 'u']);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    if let Some(rest) = versioned.filter(|rest| digits(rest) > 0) {
        return rest.contains("__");
    }
    let count = digits(stem);
    count >= 3 && matches!(stem.as_bytes().get(count), Some(b'_' | b'-'))
}

/// Whether a script exports both ways of a migration, whatever tool runs it.
pub(crate) fn exports_a_migration(text: &str) -> bool {
    let exports = |name: &str| {
        let forms = ["export const ", "export function ", "export async function ", "exports.", "export let "];
        forms.iter().any(|form| {
            memchr::memmem::find_iter(text.as_bytes(), form).any(|at| {
                let rest = text.get(at + form.len()..).and_then(|rest| rest.strip_prefix(name));
                rest.is_some_and(|rest| rest.starts_with(|c: char| !c.is_alphanumeric() && c != '_' && c != '$'))
            })
        })
    };
    exports("down") && exports("up")
}

/// Whether a script imports a test runner's own module.
pub(crate) fn imports_a_test_runner(text: &str) -> bool {
    const RUNNERS: [&str; 5] = ["vitest", "@jest/globals", "node:test", "@playwright/test", "bun:test"];
    RUNNERS.iter().any(|runner| {
        memchr::memmem::find_iter(text.as_bytes(), runner.as_bytes()).any(|at| {
            let quote = at.checked_sub(1).and_then(|before| text.as_bytes().get(before));
            let closing = text.as_bytes().get(at + runner.len());
            let before = text.get(..at.saturating_sub(1)).unwrap_or("").trim_end();
            matches!(quote, Some(b'"' | b'\''))
                && quote == closing
                && ["from", "import", "import(", "require("].iter().any(|word| before.ends_with(word))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_below_the_root_says_what_a_file_is_for() {
        use Scope::{Migration, Production, Script, Seed, Test};
        for (path, scope) in [
            ("src/users/users.service.ts", Production),
            ("src/users/users.service.spec.ts", Test),
            ("test/app.e2e-spec.ts", Test),
            ("app.e2e-spec.ts", Test),
            ("packages/app-tests/e2e/x.ts", Test),
            ("apps/web-e2e/x.ts", Test),
            ("src/__mocks__/x.ts", Test),
            ("Tests/x.ts", Test),
            ("src/modules/test-results/x.ts", Production),
            ("src/modules/latest/x.ts", Production),
            ("src/contests/x.ts", Production),
            ("src/test.ts", Production),
            ("src/spectrum.ts", Production),
            ("prisma/seed.ts", Seed),
            ("prisma/seed/users.ts", Seed),
            ("db/seeds/dump.sql", Seed),
            ("src/users.seed.ts", Seed),
            ("test/fixtures/x.ts", Test),
            ("src/seed-phrase.service.ts", Production),
            ("src/seed-phrase.ts", Production),
            ("src/seed-demo.ts", Seed),
            ("seed-spans.mts", Seed),
            ("prisma/seed copy.ts", Seed),
            ("prisma/populate.ts", Seed),
            ("src/populate.ts", Production),
            ("src/migrations/1-a.ts", Migration),
            ("db/migration/x.sql", Migration),
            ("src/a.migration.ts", Migration),
            ("drizzle/0001_init.sql", Migration),
            ("db/V12__users.sql", Migration),
            ("db/20240101-users.sql", Migration),
            ("sql/users.sql", Production),
            ("sql/v1.sql", Production),
            ("sql/123.sql", Production),
            ("src/immigration/x.ts", Production),
            ("scripts/heal.ts", Script),
            ("scripts/seed.ts", Seed),
            ("bin/www.js", Script),
            ("tools/x.ts", Script),
            ("src/chat/tools/x.ts", Production),
            ("packages/a/src/bin/server.ts", Production),
            ("", Production),
        ] {
            let is_sql = path.split('.').next_back() == Some("sql");
            let language = if is_sql { Language::Sql } else { Language::TypeScript };
            assert_eq!(by_path(path, language), scope, "{path}");
        }
    }

    #[test]
    fn a_migration_goes_both_ways() {
        for text in [
            "export const up = async (db) => {};\nexport const down = async (db) => {};",
            "exports.up = k => k.schema; exports.down = function (k) {}",
            "export async function up(db: Kysely<any>) {}\nexport async function down() {}",
        ] {
            assert!(exports_a_migration(text), "{text}");
        }
        for text in ["export const up = 1;", "export const upload = 1; export const download = 2;", "up(); down();"] {
            assert!(!exports_a_migration(text), "{text}");
        }
    }

    #[test]
    fn a_test_runner_counts_only_when_imported() {
        for text in [
            "import { it } from 'vitest';",
            "import{it}from\"@jest/globals\"",
            "const t = require('node:test')",
            "await import( '@playwright/test' )",
            "import 'vitest'",
        ] {
            assert!(imports_a_test_runner(text), "{text}");
        }
        for text in ["import x from 'vitest/config'", "// vitest", "const name = 'vitest'", "vitest", "'vitest'", ""] {
            assert!(!imports_a_test_runner(text), "{text}");
        }
    }
}
