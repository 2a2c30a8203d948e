use std::path::{Path, PathBuf};

use super::*;
use crate::source::{Language, Scope};

struct Tree(tempfile::TempDir);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            tree.write(path, text.as_bytes());
        }
        tree
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let full = self.path(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, bytes).unwrap();
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn discover(&self) -> SourceSet {
        discover(self.0.path(), &[], &[]).unwrap()
    }
}

fn paths(set: &SourceSet) -> Vec<&str> {
    set.iter().map(|(_, file)| file.path.as_str()).collect()
}

fn gap_paths(set: &SourceSet) -> Vec<&str> {
    set.gaps.iter().map(|gap| gap.path.as_str()).collect()
}

#[test]
fn files_come_sorted_with_language_and_scope() {
    let tree = Tree::new(&[
        ("src/b.ts", "export {}"),
        ("src/a.tsx", ""),
        ("src/a.spec.ts", ""),
        ("src/checks.ts", "import { test } from \"vitest\""),
        ("prisma/schema.prisma", ""),
        ("db/seed/dump.sql", ""),
        ("README.md", ""),
        ("src/types.d.ts", ""),
    ]);
    let set = tree.discover();
    let got: Vec<_> = set.iter().map(|(_, file)| (file.path.as_str(), file.language, file.scope)).collect();
    assert_eq!(
        got,
        vec![
            ("db/seed/dump.sql", Language::Sql, Scope::Seed),
            ("prisma/schema.prisma", Language::Prisma, Scope::Production),
            ("src/a.spec.ts", Language::TypeScript, Scope::Test),
            ("src/a.tsx", Language::Tsx, Scope::Production),
            ("src/b.ts", Language::TypeScript, Scope::Production),
            ("src/checks.ts", Language::TypeScript, Scope::Test),
        ]
    );
    assert_eq!((set.tally.files, set.tally.declarations, set.tally.bytes), (6, 1, 38));
    assert_eq!(set.gaps, vec![]);
}

#[test]
fn the_folders_above_the_root_say_nothing_about_scope() {
    let tree = Tree::new(&[("tests/fixtures/app/src/a.ts", "")]);
    let set = discover(&tree.path("tests/fixtures/app"), &[], &[]).unwrap();
    assert_eq!(set.iter().map(|(_, file)| file.scope).collect::<Vec<_>>(), [Scope::Production]);
}

#[test]
fn ignore_files_count_without_a_repository_too() {
    let tree = Tree::new(&[
        (".gitignore", "dist/\n"),
        (".tokendriftignore", "old.ts\n"),
        (".ignore", "older.ts\n"),
        ("dist/a.js", ""),
        ("old.ts", ""),
        ("older.ts", ""),
        ("new.ts", ""),
        ("lib/dist-info/a.ts", ""),
        ("node_modules/x/a.js", ""),
        ("web/.next/a.js", ""),
        ("coverage/a.js", ""),
        ("coverage/lcov.info", ""),
        ("src/coverage/policy.ts", ""),
        (".hidden/a.ts", ""),
    ]);
    assert_eq!(paths(&tree.discover()), ["lib/dist-info/a.ts", "new.ts", "src/coverage/policy.ts"]);
}

#[test]
fn an_ignore_file_beyond_the_tree_or_the_repository_counts_for_nothing() {
    let tree = Tree::new(&[(".gitignore", "*\n"), ("loose/a.ts", ""), ("repo/a.ts", ""), ("repo/sub/b.ts", "")]);
    assert_eq!(paths(&discover(&tree.path("loose"), &[], &[]).unwrap()), ["a.ts"]);
    std::fs::create_dir(tree.path("repo/.git")).unwrap();
    tree.write("repo/.gitignore", b"c.ts\n");
    tree.write("repo/sub/c.ts", b"");
    assert_eq!(paths(&discover(&tree.path("repo/sub"), &[], &[]).unwrap()), ["b.ts"]);
}

#[test]
fn globs_leave_files_and_folders_out() {
    let tree = Tree::new(&[
        ("a.ts", ""),
        ("a.gen.ts", ""),
        ("legacy/x/b.ts", ""),
        ("src/legacy/c.ts", ""),
        ("src/d.gen.ts", ""),
        ("src/e/f.ts", ""),
    ]);
    let left = |globs: &[&str]| {
        let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
        paths(&discover(&tree.path(""), &[], &globs).unwrap()).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(left(&["legacy/**", "*.gen.ts"]), ["a.ts", "src/e/f.ts", "src/legacy/c.ts"]);
    assert_eq!(left(&["legacy", "/a.ts"]), ["a.gen.ts", "src/d.gen.ts", "src/e/f.ts"]);
    assert_eq!(left(&["./src/e/", "src/*.ts", "**/legacy/**"]), ["a.gen.ts", "a.ts"]);
    let error = discover(&tree.path(""), &[], &["a{".to_owned()]).unwrap_err().to_string();
    assert!(error.contains("`a{`"), "{error}");
}

#[test]
fn what_is_too_large_minified_or_binary_is_counted_and_not_read() {
    let tree = Tree::new(&[("a.ts", "x")]);
    let huge = std::fs::File::create(tree.path("generated.ts")).unwrap();
    huge.set_len(200_000_000).unwrap();
    tree.write("bundle.js", "x();".repeat(2_000).as_bytes());
    tree.write("vendor/jquery.min.js", b"x");
    tree.write("dump.sql", "insert ".repeat(2_000).as_bytes());
    tree.write("video.ts", b"G@\0\x11");
    tree.write("wide.sql", b"\xFF\xFEs\0q\0l\0");
    let started = std::time::Instant::now();
    let set = tree.discover();
    assert!(started.elapsed().as_secs() < 5, "the 200 MB were read");
    assert_eq!(paths(&set), ["a.ts", "dump.sql"]);
    let tally = &set.tally;
    assert_eq!((tally.files, tally.oversized, tally.minified, tally.binary), (2, 1, 2, 2));
    assert_eq!(gap_paths(&set), ["generated.ts", "wide.sql"]);
    assert!(set.gaps[0].why.contains("200.0 MB"), "{:?}", set.gaps);
}

#[test]
fn a_file_with_a_picture_in_a_literal_is_read_and_a_minified_one_that_mentions_a_name_is_told() {
    let code = "export class A {\n  set(accessToken) {\n    this.token = accessToken;\n  }\n}\n";
    let tree = Tree::new(&[("service.ts", &format!("const LOGO = 'data:{}';\n{code}", "A1b+".repeat(5_000)))]);
    tree.write("bundle.js", format!("{}a.accessToken=1;", "f(\"x\");".repeat(2_000)).as_bytes());
    tree.write("other.js", "f(\"x\");".repeat(2_000).as_bytes());
    tree.write("vendor/lib.min.js", b"a.accessToken=1");
    let set = tree.discover();
    assert_eq!((paths(&set), set.tally.minified), (vec!["service.ts"], 3));
    let gaps = minified_mentions(&tree.path(""), &set, &["access_token".to_owned(), "accessToken".to_owned()]);
    let gaps: Vec<String> = gaps.iter().map(|gap| format!("{}: {}", gap.path, gap.why)).collect();
    assert_eq!(
        gaps,
        [
            "bundle.js: not read: it is minified, and mentions accessToken",
            "vendor/lib.min.js: not read: it is minified, and mentions accessToken"
        ]
    );
}

#[test]
fn a_file_at_the_limit_is_read_and_one_byte_more_is_not() {
    let tree = Tree::new(&[]);
    let line = format!("{}\n", "a".repeat(99));
    let limit = usize::try_from(read::MAX_BYTES).unwrap();
    let mut text = line.repeat(limit / 100);
    tree.write("at.ts", text.as_bytes());
    text.push('a');
    tree.write("over.ts", text.as_bytes());
    assert_eq!(paths(&tree.discover()), ["at.ts"]);
}

#[test]
fn what_is_not_utf8_is_read_all_the_same_and_a_byte_order_mark_is_no_text() {
    let tree = Tree::new(&[("mark.ts", "\u{feff}let a")]);
    tree.write("latin.ts", b"let a\nlet b = '\xe9'\n");
    let set = tree.discover();
    let texts: Vec<&str> = set.iter().map(|(_, file)| file.text.as_str()).collect();
    assert_eq!(texts, ["let a\nlet b = '\u{fffd}'\n", "let a"]);
    assert_eq!(set.tally.lossy, 1);
    assert_eq!(set.gaps.iter().map(|gap| (gap.path.as_str(), gap.line)).collect::<Vec<_>>(), [("latin.ts", 2)]);
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_and_one_that_leads_out_or_nowhere_is_a_gap() {
    use std::os::unix::fs::symlink;
    let outside = Tree::new(&[("x/a.ts", "")]);
    let tree = Tree::new(&[("src/a.ts", "")]);
    symlink(tree.path("src"), tree.path("src/loop")).unwrap();
    symlink("self", tree.path("self")).unwrap();
    symlink("gone", tree.path("broken.ts")).unwrap();
    symlink(tree.path("src/a.ts"), tree.path("again.ts")).unwrap();
    symlink(outside.path("x"), tree.path("shared")).unwrap();
    symlink(outside.path("x/a.ts"), tree.path("out.ts")).unwrap();
    let set = tree.discover();
    assert_eq!(paths(&set), ["src/a.ts"]);
    assert_eq!(gap_paths(&set), ["broken.ts", "out.ts", "shared"]);
    let links: Vec<(&str, &str)> =
        set.modules.links.iter().map(|(link, target)| (link.as_str(), target.as_str())).collect();
    assert_eq!(links, [("again.ts", "src/a.ts")], "one that holds itself leads nowhere");
    assert_eq!(set.tally.unreadable, 1);
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_not_opened_and_is_a_gap() {
    let tree = Tree::new(&[("src/a.ts", "")]);
    let made = std::process::Command::new("mkfifo").arg(tree.path("src/pipe.ts")).status();
    if made.is_ok_and(|status| status.success()) {
        let set = tree.discover();
        assert_eq!(paths(&set), ["src/a.ts"]);
        assert_eq!(gap_paths(&set), ["src/pipe.ts"]);
        assert_eq!(set.tally.unreadable, 1);
        assert!(discover(&tree.path(""), &[tree.path("src/pipe.ts")], &[]).is_err());
    }
}

#[test]
fn a_path_that_is_not_there_names_the_closest_one() {
    let tree = Tree::new(&[("src/a.ts", "")]);
    let error = discover(&tree.path("scr"), &[], &[]).unwrap_err().to_string();
    assert!(error.contains("does not exist; did you mean `src`?"), "{error}");
    let error = discover(&tree.path(""), &[tree.path("zzzzzz")], &[]).unwrap_err().to_string();
    assert!(error.contains("does not exist; give an existing file or folder"), "{error}");
    let other = Tree::new(&[("a.ts", "")]);
    let error = discover(&tree.path(""), &[other.path("a.ts")], &[]).unwrap_err().to_string();
    assert!(error.contains("outside"), "{error}");
}

#[test]
fn a_tree_without_sources_is_an_error_that_says_what_was_there() {
    let tree = Tree::new(&[("README.md", ""), ("a.d.ts", ""), ("b.min.js", ""), ("main.go", "")]);
    let error = discover(&tree.path(""), &[], &[]).unwrap_err();
    assert!(matches!(error, DiscoverError::Nothing { .. }));
    let error = error.to_string();
    assert!(
        error.contains("1 minified, 1 declarations only, 1 in a language that is not read")
            && error.contains(".prisma"),
        "{error}"
    );
    let empty = Tree::new(&[]);
    assert!(matches!(discover(&empty.path(""), &[], &[]), Err(DiscoverError::Nothing { .. })));
}

#[test]
fn inputs_may_be_files_and_may_overlap() {
    let tree = Tree::new(&[
        (".gitignore", "built/\n"),
        ("a/x.ts", ""),
        ("a/b/y.ts", ""),
        ("c/z.ts", ""),
        ("built/w.ts", ""),
        ("built/v.ts", ""),
    ]);
    let inputs = ["a", "a/b", "a/b/y.ts", "built/w.ts"].map(|path| tree.path(path));
    let set = discover(&tree.path(""), &inputs, &[]).unwrap();
    assert_eq!(paths(&set), ["a/b/y.ts", "a/x.ts", "built/w.ts"]);
    assert_eq!(set.tally.files, 3);
}

#[test]
fn manifests_in_and_above_the_root_say_where_modules_are() {
    let tree = Tree::new(&[
        ("api/tsconfig.json", r#"{"extends": "../conf/base.json", "compilerOptions": {"baseUrl": "./"}}"#),
        ("conf/base.json", r#"{"compilerOptions": {"paths": {"@/*": ["src/*"]}}}"#),
        ("api/src/lib/package.json", r#"{"name": "@acme/lib", "main": "dist/index.js"}"#),
        ("api/src/lib/index.ts", ""),
        ("api/src/broken/tsconfig.json", "{"),
        ("api/src/node_modules/x/package.json", r#"{"name": "x"}"#),
        ("package.json", r#"{"name": "root", "private": true}"#),
    ]);
    std::fs::create_dir(tree.path(".git")).unwrap();
    let set = discover(&tree.path("api/src"), &[], &[]).unwrap();
    let [config] = set.modules.tsconfigs.as_slice() else { panic!("{:?}", set.modules) };
    assert_eq!(config.folder, "");
    let expected = [("src/*", "*"), ("@/*", "*")].map(|(pattern, path)| (pattern.to_owned(), vec![path.to_owned()]));
    assert_eq!(config.paths, expected);
    assert_eq!(set.modules.packages.keys().collect::<Vec<_>>(), ["@acme/lib"]);
    assert_eq!(set.modules.packages["@acme/lib"].main.as_deref(), Some("lib/index.ts"));
    assert_eq!(gap_paths(&set), ["broken/tsconfig.json"]);
}

#[test]
fn a_line_of_an_ignore_file_that_cannot_be_used_is_a_gap() {
    let tree = Tree::new(&[(".gitignore", "a{b\n*.gen.ts\nx{y\n"), ("a.gen.ts", ""), ("b.ts", "")]);
    let set = tree.discover();
    assert_eq!(paths(&set), ["b.ts"]);
    assert_eq!(gap_paths(&set), [".gitignore", ".gitignore"]);
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let tree = Tree::new(&[]);
    for at in 0..200 {
        tree.write(&format!("d{}/f{at}.ts", at % 7), b"let a");
    }
    tree.write("d1/bad.ts", b"\xff");
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let set = pool.install(|| tree.discover());
        (paths(&set).join(" "), set.gaps, set.tally)
    };
    assert_eq!(with(1), with(4));
}

#[test]
fn a_deep_tree_is_walked_to_its_end() {
    let tree = Tree::new(&[]);
    let deep = "d/".repeat(400);
    std::fs::create_dir_all(tree.path(&deep)).unwrap();
    std::fs::write(Path::new(&tree.path(&deep)).join("a.ts"), "").unwrap();
    assert_eq!(tree.discover().tally.files, 1);
}

#[test]
fn several_paths_share_the_nearest_folder_above_them() {
    let tree = Tree::new(&[("p/a/x.ts", ""), ("p/b/y.ts", ""), ("p/bb/z.ts", "")]);
    let top = std::fs::canonicalize(tree.path("")).unwrap();
    let root = |paths: &[&str]| {
        common_root(&paths.iter().map(|path| tree.path(path)).collect::<Vec<_>>()).map(|(root, _)| root).unwrap()
    };
    assert_eq!(root(&["p/a"]), top.join("p/a"));
    assert_eq!(root(&["p/a/x.ts"]), top.join("p/a"));
    assert_eq!(root(&["p/b", "p/bb"]), top.join("p"));
    assert_eq!(root(&["p/a/x.ts", "p", "p/b/y.ts"]), top.join("p"));
    assert!(matches!(common_root(&[tree.path("gone")]), Err(DiscoverError::Missing { .. })));
}
