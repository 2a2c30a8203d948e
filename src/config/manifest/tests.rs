use super::*;

fn map(manifests: &[(&str, &str)], root: &str, files: &[&str]) -> ModuleMap {
    let manifests: Vec<Manifest> =
        manifests.iter().map(|(path, text)| Manifest { path: (*path).into(), text: (*text).into() }).collect();
    let mut files = files.to_vec();
    files.sort_unstable();
    let (map, gaps) = module_map(&manifests, root, &files);
    assert_eq!(gaps, vec![]);
    map
}

fn paths(config: &TsConfig) -> Vec<(&str, Vec<&str>)> {
    config.paths.iter().map(|(p, c)| (p.as_str(), c.iter().map(String::as_str).collect())).collect()
}

#[test]
fn base_url_and_paths_are_relative_to_the_root() {
    let text = r#"{"compilerOptions": {"baseUrl": "./src", "paths": {"@db/*": ["./db/*", "../gen/*"], "@db": ["db/index"], "@db/deep/*": ["x/*"]}}}"#;
    let map = map(&[("api/tsconfig.json", text)], "", &[]);
    let [config] = map.tsconfigs.as_slice() else { panic!("{map:?}") };
    assert_eq!((config.folder.as_str(), config.base_url.as_deref()), ("api", Some("api/src")));
    assert_eq!(
        paths(config),
        vec![
            ("@db", vec!["api/src/db/index"]),
            ("@db/deep/*", vec!["api/src/x/*"]),
            ("@db/*", vec!["api/src/db/*", "api/gen/*"]),
        ]
    );
}

#[test]
fn extends_is_followed_and_each_path_stays_relative_to_the_file_that_says_it() {
    let map = map(
        &[
            ("tsconfig.base.json", r#"{"compilerOptions": {"baseUrl": ".", "paths": {"@lib/*": ["libs/*/src"]}}}"#),
            ("apps/web/tsconfig.json", r#"{"extends": "../../tsconfig.base"}"#),
            ("apps/api/tsconfig.json", r#"{"extends": ["@acme/tsconfig/base.json", "./gone.json"]}"#),
            ("apps/loop/tsconfig.json", r#"{"extends": "./tsconfig.json", "compilerOptions": {"baseUrl": "."}}"#),
            ("packages/conf/package.json", r#"{"name": "@acme/tsconfig"}"#),
            ("packages/conf/base.json", r#"{"compilerOptions": {"paths": {"~/*": ["${configDir}/src/*"]}}}"#),
        ],
        "",
        &[],
    );
    let got: Vec<_> = map.tsconfigs.iter().map(|c| (c.folder.as_str(), c.base_url.as_deref(), paths(c))).collect();
    assert_eq!(
        got,
        vec![
            ("apps/api", None, vec![("~/*", vec!["apps/api/src/*"])]),
            ("apps/loop", Some("apps/loop"), vec![]),
            ("apps/web", Some(""), vec![("@lib/*", vec!["libs/*/src"])]),
            ("", Some(""), vec![("@lib/*", vec!["libs/*/src"])]),
        ]
    );
}

#[test]
fn a_base_that_was_not_read_is_asked_for() {
    let manifests = [
        Manifest {
            path: "a/tsconfig.json".into(),
            text: r#"{"extends": ["../conf/base", "expo/base", "@x/c"]}"#.into(),
        },
        Manifest { path: "c/package.json".into(), text: r#"{"name": "@x/c"}"#.into() },
    ];
    assert_eq!(
        unread_bases(&manifests),
        vec!["c", "c.json", "c/tsconfig.json", "conf/base", "conf/base.json", "conf/base/tsconfig.json"]
    );
}

#[test]
fn a_tsconfig_above_the_root_counts_for_what_is_inside() {
    let text = r#"{"compilerOptions": {"baseUrl": "./", "paths": {"@/*": ["src/*"], "@all/*": ["./*"], "@other/*": ["other/*"]}}}"#;
    let map = map(&[("api/tsconfig.json", text), ("web/tsconfig.json", text)], "api/src", &[]);
    let [config] = map.tsconfigs.as_slice() else { panic!("{map:?}") };
    assert_eq!((config.folder.as_str(), config.base_url.as_deref()), ("", None));
    assert_eq!(paths(config), vec![("@all/src/*", vec!["*"]), ("src/*", vec!["*"]), ("@/*", vec!["*"])]);
}

#[test]
fn configurations_of_one_folder_are_one() {
    let map = map(
        &[
            ("tsconfig.app.json", r#"{"compilerOptions": {"paths": {"@/*": ["./app/*"], "~/*": ["./x/*"]}}}"#),
            ("tsconfig.json", r#"{"compilerOptions": {"paths": {"@/*": ["./src/*"]}}, "references": []}"#),
        ],
        "",
        &[],
    );
    assert_eq!(paths(&map.tsconfigs[0]), vec![("@/*", vec!["src/*", "app/*"]), ("~/*", vec!["x/*"])]);
}

fn main_of(package: &str, files: &[&str]) -> Option<String> {
    let map = map(&[("p/package.json", &format!(r#"{{"name": "p", {package}}}"#))], "", files);
    map.packages["p"].main.clone()
}

#[test]
fn the_entry_of_a_package_that_was_not_built_is_its_source() {
    for (package, files, main) in [
        (r#""main": "./index.ts""#, ["p/index.ts"], "p/index.ts"),
        (r#""main": "dist/index.js""#, ["p/src/index.ts"], "p/src/index.ts"),
        (r#""main": "dist/index.js""#, ["p/index.ts"], "p/index.ts"),
        (r#""main": "./dist/src/main""#, ["p/src/main.ts"], "p/src/main.ts"),
        (r#""main": "dist/cjs/server.cjs.js""#, ["p/src/server.tsx"], "p/src/server.tsx"),
        (r#""main": "dist/bundle.umd.js""#, ["p/src/index.ts"], "p/src/index.ts"),
        (r#""main": "lib""#, ["p/lib/index.js"], "p/lib/index.js"),
        (r#""source": "code/a.ts", "main": "dist/b.js""#, ["p/code/a.ts"], "p/code/a.ts"),
        (r#""types": "./src/t.ts", "main": "dist/b.js""#, ["p/src/t.ts"], "p/src/t.ts"),
        (r#""exports": "./dist/e.mjs""#, ["p/src/e.ts"], "p/src/e.ts"),
        (
            r#""exports": {"import": {"types": "./dist/e.d.ts", "default": "./dist/e.js"}}"#,
            ["p/src/e.ts"],
            "p/src/e.ts",
        ),
        (r#""exports": {".": ["./gone.js", "./e.js"]}"#, ["p/e.js"], "p/e.js"),
        (r#""main": "dist/gone.js""#, ["p/src/other.ts"], "p/dist/gone.js"),
    ] {
        assert_eq!(main_of(package, &files).as_deref(), Some(main), "{package} {files:?}");
    }
    assert_eq!(main_of(r#""main": "../../out.js""#, &["p/a.ts"]), None);
}

#[test]
fn exports_lead_to_sources_and_keep_one_star() {
    let text = r##"{"name": "p", "exports": {".": "./src/i.ts", "./a": {"import": "./dist/a.js"}, "./f/*": "./dist/f/*.js",
        "./t/*": "./src/t/*.ts", "./all/*": "./*", "./no": null, "./x/*/*": "./x/*/*"},
        "imports": {"#db": "./dist/db.js", "#m/*": "./src/*.js", "#ext": "pg"}}"##;
    let files = ["p/src/a.ts", "p/src/db.ts", "p/src/f/x.tsx", "p/src/i.ts", "p/src/t/y.ts"];
    let map = map(&[("p/package.json", text)], "", &files);
    let exports: Vec<_> = map.packages["p"].exports.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        exports,
        vec![("./a", "p/src/a.ts"), ("./all/*", "p/*"), ("./f/*", "p/src/f/*"), ("./t/*", "p/src/t/*.ts")]
    );
    assert_eq!(paths(&map.tsconfigs[0]), vec![("#db", vec!["p/src/db.ts"]), ("#m/*", vec!["p/src/*"])]);
}

#[test]
fn of_two_packages_with_one_name_the_one_nearer_to_the_root_counts() {
    let map = map(&[("a/b/package.json", r#"{"name": "p"}"#), ("z/package.json", r#"{"name": "p"}"#)], "", &[]);
    assert_eq!(map.packages["p"].folder, "z");
}

#[test]
fn what_does_not_parse_is_a_gap_and_what_has_odd_types_is_passed_over() {
    let manifests = [
        Manifest { path: "r/a/tsconfig.json".into(), text: "{\n\"a\": }".into() },
        Manifest {
            path: "r/tsconfig.json".into(),
            text: r#"{"extends": 5, "compilerOptions": {"baseUrl": [], "paths": {"a": "b", "c": [1]}}}"#.into(),
        },
        Manifest { path: "r/package.json".into(), text: r#"{"name": 1, "exports": 7, "imports": []}"#.into() },
        Manifest { path: "r/b/package.json".into(), text: "[]".into() },
    ];
    let (map, gaps) = module_map(&manifests, "r", &[]);
    assert_eq!(map, ModuleMap::default());
    assert_eq!(gaps.iter().map(|gap| (gap.path.as_str(), gap.line)).collect::<Vec<_>>(), vec![("a/tsconfig.json", 2)]);
}

#[test]
fn a_long_chain_of_extends_ends() {
    let manifests: Vec<Manifest> = (0..5_000)
        .map(|at| Manifest {
            path: format!("tsconfig.{at}.json"),
            text: format!(r#"{{"extends": ["./tsconfig.{}.json", "./tsconfig.{}.json"]}}"#, at + 1, at + 2),
        })
        .collect();
    assert_eq!(module_map(&manifests, "", &[]).0, ModuleMap::default());
}
