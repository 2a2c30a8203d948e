use super::*;

struct Tree(tempfile::TempDir);

impl Tree {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE_NAME), text).unwrap();
        Self(folder)
    }

    fn load(&self) -> Result<Config, ConfigError> {
        load(&self.0.path().join(FILE_NAME), self.0.path())
    }
}

fn loaded(text: &str) -> Config {
    Tree::new(text).load().unwrap()
}

/// The error without the folder before `tokendrift.toml`.
fn error(text: &str) -> String {
    let tree = Tree::new(text);
    let error = tree.load().unwrap_err().to_string();
    error.replace(&format!("{}/", tree.0.path().display()), "")
}

const COLUMN: &str = "[[column]]\ntable = \"users\"\ncolumn = \"access_token\"\n";

#[test]
fn every_key_of_the_file_is_understood() {
    let tree = Tree::new(
        r#"
[audit]
exclude = ["legacy/**"]
rules = ["./packs"]
max-token-life = "15m"

[[column]]
table = "public.users"
column = "access_token"
contract = "write-consistently"
decision = "docs/adr.md"
form = "hashed"

[[column.cohort]]
name = "client"
by = "signup_client"
path.web = "web"
path.mobile = ["mobile", "App"]

[[database]]
name = "replica"
url-env = "REPLICA_URL"
require-replica = true
budget = "2m"

[[database]]
name = "local"
url-env = "LOCAL_URL"
"#,
    );
    std::fs::create_dir_all(tree.0.path().join("packs")).unwrap();
    std::fs::create_dir_all(tree.0.path().join("docs")).unwrap();
    std::fs::write(tree.0.path().join("docs/adr.md"), "# decided").unwrap();
    let config = tree.load().unwrap();
    assert_eq!(config.shown.as_deref(), Some("tokendrift.toml"));
    assert_eq!(config.exclude, ["legacy/**"]);
    assert!(config.rules[0].is_dir());
    assert_eq!(config.max_token_life, Some(900));
    let [column] = config.columns.as_slice() else { panic!("{config:?}") };
    assert_eq!(column.name(), "users.access_token");
    assert_eq!((column.contract, column.form), (Some(Contract::WriteConsistently), Some(StoredForm::Hashed)));
    assert_eq!((column.decision.as_deref(), column.decision_exists), (Some("docs/adr.md"), Some(true)));
    assert_eq!((column.line, column.contract_line, column.decision_line), (Some(7), Some(10), Some(11)));
    let cohort = &column.cohorts[0];
    assert_eq!((cohort.name.as_str(), cohort.by.as_str(), cohort.line), ("client", "signup_client", 14));
    let expected = vec![
        ("web".to_owned(), vec!["web".to_owned()]),
        ("mobile".to_owned(), vec!["mobile".to_owned(), "App".to_owned()]),
    ];
    assert_eq!(cohort.path, expected);
    let [replica, local] = config.databases.as_slice() else { panic!("{config:?}") };
    assert_eq!((replica.budget_ms, replica.require_replica, replica.line), (120_000, true, 20));
    assert_eq!((local.budget_ms, local.require_replica, local.url_env.as_str()), (30_000, false, "LOCAL_URL"));
}

#[test]
fn a_decision_that_is_not_there_is_told_apart_from_none() {
    assert_eq!(loaded(&format!("{COLUMN}decision = \"gone.md\"")).columns[0].decision_exists, Some(false));
    assert_eq!(loaded(COLUMN).columns[0].decision_exists, None);
    assert!(loaded("").columns.is_empty());
}

#[test]
fn unknown_keys_and_words_name_line_and_closest_name() {
    for (text, line, parts) in [
        ("[audti]\n".to_owned(), 1, vec!["`audti`", "`audit`?"]),
        ("[audit]\nexcludes = []".to_owned(), 2, vec!["`excludes`", "`exclude`?"]),
        ("\n[[column]]\ntabel = \"x\"".to_owned(), 3, vec!["`tabel`", "`table`?", "`cohort`"]),
        (format!("{COLUMN}[[column.cohort]]\nnmae = \"x\""), 5, vec!["`nmae`", "`name`?"]),
        ("[[database]]\nrequire_replica = true".to_owned(), 2, vec!["`require-replica`?"]),
        (format!("{COLUMN}contract = \"write-consistent\""), 4, vec!["`write-consistent`", "`write-consistently`?"]),
        (format!("{COLUMN}contract = \"zzz\""), 4, vec!["`drop-writes`"]),
        (format!("{COLUMN}form = \"hash\""), 4, vec!["`hash`", "`hashed`?", "`encrypted`"]),
    ] {
        let error = error(&text);
        assert!(error.starts_with(&format!("tokendrift.toml:{line}: unknown ")), "{error}");
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
}

#[test]
fn a_wrong_value_says_what_to_write() {
    for (text, line, part) in [
        ("[column]\ntable = \"x\"".to_owned(), 1, "[[column]]"),
        ("[[column]\n".to_owned(), 1, "not TOML"),
        ("[audit]\nexclude = \"a\"".to_owned(), 2, "expected a list"),
        ("[audit]\nexclude = [\"ok\", \"a{b\"]".to_owned(), 2, "`a{b` is no glob"),
        ("[audit]\nrules = [\"./gone\"]".to_owned(), 2, "./gone"),
        ("[audit]\nmax-token-life = 15".to_owned(), 2, "\"15m\""),
        ("[audit]\nmax-token-life = \"1500ms\"".to_owned(), 2, "whole seconds"),
        ("[[column]]\ntable = \"users\"".to_owned(), 1, "no `column`"),
        ("[[column]]\ncolumn = \"x\"".to_owned(), 1, "no `table`"),
        ("[[column]]\ntable = \" \"\ncolumn = \"x\"".to_owned(), 2, "`table` is empty"),
        ("[[column]]\ntable = \"public.\"\ncolumn = \"x\"".to_owned(), 1, "no table's name"),
        ("[[column]]\ntable = 5".to_owned(), 2, "expected a string here, found an integer"),
        (format!("{COLUMN}\n{COLUMN}"), 5, "line 1"),
        (format!("{COLUMN}decision = \"\""), 4, "`decision` is empty"),
        (format!("{COLUMN}[[column.cohort]]\nname = \"x\""), 4, "by = "),
        (format!("{COLUMN}[[column.cohort]]\nname = \"x\"\nby = \"y\"\npath.web.v1 = \"a\""), 7, "path.\"web.x\""),
        (format!("{COLUMN}[[column.cohort]]\nname = \"x\"\nby = \"y\"\npath.web = []"), 7, "path.web"),
        (format!("{COLUMN}[[column.cohort]]\nname = \"x\"\nby = \"y\"\npath.web = [1]"), 7, "path.web"),
        (format!("{COLUMN}{0}{0}", "[[column.cohort]]\nname = \"x\"\nby = \"y\"\n"), 7, "second cohort `x`"),
        ("[[database]]\nname = \"a\"".to_owned(), 1, "no `url-env`"),
        (format!("{0}{0}", "[[database]]\nname = \"a\"\nurl-env = \"A\"\n"), 4, "`a`"),
    ] {
        let error = error(&text);
        assert!(error.starts_with(&format!("tokendrift.toml:{line}: ")) && error.contains(part), "{error}");
    }
}

#[test]
fn durations_have_a_unit_and_are_above_zero() {
    let budget = |word: &str| {
        let tree = Tree::new(&format!("[[database]]\nname = \"a\"\nurl-env = \"A\"\nbudget = \"{word}\""));
        tree.load().map(|config| config.databases[0].budget_ms)
    };
    for (word, ms) in [("500ms", 500), ("30s", 30_000), ("15m", 900_000), ("2h", 7_200_000), ("7d", 604_800_000)] {
        assert_eq!(budget(word).unwrap(), ms);
    }
    for word in ["", "30", "s", "-1s", "0s", "1.5h", "30 sec", "99999999999999999999d", "18446744073709551615d", "ü"] {
        assert!(budget(word).is_err(), "{word}");
    }
}

#[test]
fn no_error_shows_a_url() {
    let url = "postgres://app:hunter2@db.example/app";
    for line in [
        format!("url = \"{url}\""),
        format!("database-url = \"{url}\""),
        format!("password = \"{url}\""),
        format!("url-env = \"{url}\""),
        format!("url-env = {url}"),
        format!("url-env = \"{url}"),
        format!("require-replica = \"{url}\""),
        format!("budget = \"{url}\""),
        format!("\"{url}\" = 1"),
        format!("name = [\"{url}\"]"),
    ] {
        let error = error(&format!("[[database]]\n{line}\n"));
        assert!(!error.contains("hunter2") && !error.contains("db.example"), "{error}");
        assert!(error.starts_with("tokendrift.toml:"), "{error}");
    }
    let error = error(&format!("{COLUMN}contract = \"{url}\""));
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_literal_url_gets_an_error_that_teaches() {
    let error = error("[[database]]\nname = \"replica\"\nurl = \"x\"\n");
    assert!(error.starts_with("tokendrift.toml:3: ") && error.contains("never goes into the file"), "{error}");
    assert!(error.contains("url-env = \"REPLICA_URL\""), "{error}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let gone = load(&folder.path().join("gone.toml"), folder.path()).unwrap_err().to_string();
    assert!(gone.contains("gone.toml") && gone.contains("no such file"), "{gone}");
    let is_folder = load(folder.path(), folder.path()).unwrap_err().to_string();
    assert!(is_folder.contains("it is a folder"), "{is_folder}");
    std::fs::write(folder.path().join("latin.toml"), b"# \xe9").unwrap();
    let latin = load(&folder.path().join("latin.toml"), folder.path()).unwrap_err().to_string();
    assert!(latin.contains("not UTF-8"), "{latin}");
}

#[test]
fn the_nearest_configuration_up_to_the_repository_counts() {
    let tree = Tree::new("");
    let inside = tree.0.path().join("repo/a/b");
    std::fs::create_dir_all(&inside).unwrap();
    std::fs::write(inside.join("x.ts"), "").unwrap();
    let top = std::fs::canonicalize(tree.0.path()).unwrap();
    assert_eq!(find(&inside.join("x.ts")), Some(top.join(FILE_NAME)));
    std::fs::create_dir(tree.0.path().join("repo/.git")).unwrap();
    assert_eq!(find(&inside), None);
    std::fs::write(tree.0.path().join("repo/a").join(FILE_NAME), "").unwrap();
    assert_eq!(find(&inside), Some(top.join("repo/a").join(FILE_NAME)));
}

#[test]
fn globs_are_relative_to_the_configurations_folder() {
    let tree = Tree::new("[audit]\nexclude = [\"api/gen/**\", \"web/**\", \"*.gen.ts\"]");
    let api = tree.0.path().join("api");
    std::fs::create_dir(&api).unwrap();
    let config = load(&tree.0.path().join(FILE_NAME), &api).unwrap();
    assert_eq!(config.exclude, ["/gen/**", "*.gen.ts"]);
    assert_eq!(config.shown.as_deref(), Some("../tokendrift.toml"));
}

#[test]
fn selected_columns_keep_what_the_file_says_of_them() {
    let mut config = loaded(&format!("{COLUMN}contract = \"drop-writes\"\n[[column]]\ntable = \"a\"\ncolumn = \"b\""));
    let flag = |name| column_from_flag(name).unwrap();
    config.select(vec![]);
    assert_eq!(config.columns.len(), 2);
    config.select(vec![flag("x.y"), flag("users.access_token"), flag("x.y")]);
    let names: Vec<String> = config.columns.iter().map(Column::name).collect();
    assert_eq!(names, ["x.y", "users.access_token"]);
    assert_eq!(config.columns[1].contract, Some(Contract::DropWrites));
}

#[test]
fn users_and_the_allowed_share_of_null_are_checked() {
    let user = |text: &str| loaded(&format!("{COLUMN}max-null-ratio = 0.05\n[column.user]\n{text}")).columns.remove(0);
    let column = user("table = \"auth.members\"\nby = \"member\"\nactive = \"status = 'on'\"\n");
    let users = column.users.unwrap();
    assert_eq!((users.schema.as_deref(), users.table.as_deref()), (Some("auth"), Some("members")));
    assert_eq!((users.by.as_deref(), users.key, column.max_null_ratio), (Some("member"), None, Some(0.05)));
    assert_eq!(user("active = \"enabled\"\n").users.unwrap().table, None);
    for (text, said) in [
        ("max-null-ratio = \"5%\"\n", "tokendrift.toml:4"),
        ("max-null-ratio = 5\n", "from 0 to 1"),
        ("max-null-ratio = nan\n", "from 0 to 1"),
        ("[column.user]\nby = \"member\"\n", "names no table"),
        ("[column.user]\ntable = \"\"\n", "`table` is empty"),
        ("[column.user]\ntabel = \"users\"\n", "table"),
    ] {
        let why = error(&format!("{COLUMN}{text}"));
        assert!(why.contains(said), "{why}");
    }
}
