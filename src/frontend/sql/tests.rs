use super::*;
use crate::ir::{Conflict, SqlValue, SqlValueKind};

fn value(value: &SqlValue) -> String {
    let list = |values: &[SqlValue]| values.iter().map(self::value).collect::<Vec<_>>().join(", ");
    match &value.kind {
        SqlValueKind::Null => "null".to_owned(),
        SqlValueKind::Default => "default".to_owned(),
        SqlValueKind::Text(text) => format!("'{text}'"),
        SqlValueKind::Literal(text) => text.clone(),
        SqlValueKind::Placeholder(number) => format!("#{number}"),
        SqlValueKind::Named(name) => format!(":{name}"),
        SqlValueKind::Hole(number) => format!("${{{number}}}"),
        SqlValueKind::Column(name) => name.clone(),
        SqlValueKind::Excluded(name) => format!("excluded.{name}"),
        SqlValueKind::Call { name, args } => format!("{name}({})", list(args)),
        SqlValueKind::OfRows(rows, at) => format!("{}[{at}]", self::value(rows)),
        SqlValueKind::Coalesce(args) => format!("coalesce[{}]", list(args)),
        SqlValueKind::Case(args) => format!("case[{}]", list(args)),
        SqlValueKind::Concat(args) => format!("concat[{}]", list(args)),
        SqlValueKind::Opaque(text) => format!("<{text}>"),
    }
}

fn sets(sets: &[(String, SqlValue)]) -> String {
    sets.iter().map(|(name, to)| format!("{name}={}", value(to))).collect::<Vec<_>>().join(" ")
}

/// One line a statement; reads only where `reads`.
fn lines(sql: &SqlText, reads: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for statement in &sql.statements {
        match statement {
            SqlStatement::Insert { table, columns, rows, conflict, .. } => {
                let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
                let rows: Vec<String> =
                    rows.iter().map(|row| row.iter().map(value).collect::<Vec<_>>().join(", ")).collect();
                let conflict = match conflict {
                    None => String::new(),
                    Some(Conflict::Nothing) => " | nothing".to_owned(),
                    Some(Conflict::Replace) => " | replace".to_owned(),
                    Some(Conflict::Update(to)) => format!(" | {}", sets(to)),
                };
                lines.push(format!("insert {table} ({}) [{}]{conflict}", names.join(", "), rows.join("] [")));
            }
            SqlStatement::Update { table, sets: to, .. } => lines.push(format!("update {table} {}", sets(to))),
            SqlStatement::Delete { table, .. } => lines.push(format!("delete {table}")),
            SqlStatement::Select { tables, columns, .. } if reads => {
                lines.push(format!("select {} ({})", tables.join(", "), columns.join(", ")));
            }
            SqlStatement::Select { .. } => {}
        }
    }
    lines
}

fn parts(template: &str) -> Vec<(&str, u32)> {
    let mut found = Vec::new();
    let mut rest = template;
    let mut at = 0;
    while let Some(hole) = rest.find("${") {
        found.push((&rest[..hole], at));
        let end = rest[hole..].find('}').unwrap() + hole + 1;
        at += u32::try_from(end).unwrap();
        rest = &rest[end..];
    }
    found.push((rest, at));
    found
}

fn of(template: &str) -> SqlText {
    parse(&parts(template), FileId(0)).unwrap()
}

/// The writes of a template without gap.
fn writes(template: &str) -> String {
    let sql = of(template);
    assert_eq!(sql.gap, None, "{template}");
    lines(&sql, false).join("; ")
}

#[test]
fn an_insert_gives_each_column_a_value_a_row() {
    assert_eq!(
        writes("INSERT INTO public.users (id, \"accessToken\", n) VALUES ($1, $3::text, 'x'), (?, NULL, DEFAULT)"),
        "insert users (id, accessToken, n) [#0, #2, 'x'] [#0, null, default]"
    );
    assert_eq!(
        writes("INSERT INTO users VALUES (1, -2.5, true, :tok, @tok, $tok)"),
        "insert users () [1, -2.5, true, :tok, :tok, :tok]"
    );
    assert_eq!(writes("INSERT INTO users DEFAULT VALUES"), "insert users () []");
    assert_eq!(writes("INSERT INTO users SET a = ?, b = ?"), "insert users (a, b) [#0, #1]");
    assert_eq!(writes("insert into users (a) values (\"x\")"), "insert users (a) ['x']");
}

#[test]
fn question_marks_count_over_the_whole_text() {
    assert_eq!(
        writes(
            "SELECT '?' FROM x WHERE a = ?; UPDATE u SET a = ? /* ? */, b = ? WHERE c = ?; INSERT INTO v (a) VALUES (?)"
        ),
        "update u a=#1 b=#2; insert v (a) [#4]"
    );
}

#[test]
fn an_insert_from_a_query_is_its_projection() {
    assert_eq!(
        writes("INSERT INTO users_new (id, token) SELECT id, COALESCE(u.token, 'x') FROM users u WHERE id = 1"),
        "insert users_new (id, token) [users.id, coalesce[users.token, 'x']]"
    );
    assert_eq!(writes("INSERT INTO b (x, y) SELECT * FROM a"), "insert b (x, y) [<*>, <*>]");
    assert_eq!(writes("INSERT INTO b (x) SELECT 1 UNION ALL SELECT $1"), "insert b (x) [1] [#0]");
    assert_eq!(
        writes("INSERT INTO t (a, b) SELECT * FROM UNNEST($1::text[], $2::text[])"),
        "insert t (a, b) [unnest(#0), unnest(#1)]"
    );
    assert_eq!(
        writes("INSERT INTO t (a, b, c) SELECT x.b, a, $3 FROM UNNEST($1::text[], $2::text[]) AS x(a, b)"),
        "insert t (a, b, c) [unnest(#1), unnest(#0), #2]"
    );
    assert_eq!(writes("INSERT INTO t (a) SELECT UNNEST($1::text[])"), "insert t (a) [unnest(#0)]");
    assert_eq!(
        writes("WITH n AS (SELECT $1 AS tok, id FROM v) INSERT INTO t (a, b) SELECT tok, id FROM n"),
        "insert t (a, b) [#0, v.id]"
    );
}

#[test]
fn what_happens_on_conflict_is_told() {
    assert_eq!(
        writes(
            "INSERT INTO users AS u (id, token) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET \
             token = EXCLUDED.token, old = u.token, other = COALESCE(excluded.other, users.other) WHERE u.id > 3"
        ),
        "insert users (id, token) [#0, #1] | token=excluded.token old=token other=coalesce[excluded.other, other]"
    );
    assert_eq!(writes("INSERT INTO u (a) VALUES (1) ON CONFLICT DO NOTHING"), "insert u (a) [1] | nothing");
    assert_eq!(
        writes("INSERT INTO `u` (`a`, `b`) VALUES (?, ?) ON DUPLICATE KEY UPDATE `a` = VALUES(`a`), b = IFNULL(b, ?)"),
        "insert u (a, b) [#0, #1] | a=excluded.a b=coalesce[b, #2]"
    );
    assert_eq!(
        writes("INSERT INTO u (a) VALUES (?) AS new ON DUPLICATE KEY UPDATE a = new.a"),
        "insert u (a) [#0] | a=excluded.a"
    );
    assert_eq!(writes("REPLACE INTO u (a) VALUES (?)"), "insert u (a) [#0] | replace");
    assert_eq!(writes("INSERT OR REPLACE INTO u (a) VALUES (?1)"), "insert u (a) [#0] | replace");
    assert_eq!(writes("INSERT OR IGNORE INTO u (a) VALUES (?2)"), "insert u (a) [#1] | nothing");
    assert_eq!(writes("INSERT IGNORE INTO u (a) VALUES (?)"), "insert u (a) [#0] | nothing");
}

#[test]
fn an_update_tells_whose_column_a_value_is() {
    assert_eq!(
        writes("UPDATE users u SET token = u.token, a = s.token, b = $1 FROM sessions s WHERE s.user_id = u.id"),
        "update users token=token a=sessions.token b=#0"
    );
    assert_eq!(writes("UPDATE u SET (a, b) = ($2, NULL), c = DEFAULT"), "update u a=#1 b=null c=default");
    assert_eq!(writes("UPDATE u SET (a, b) = ROW(1, b)"), "update u a=1 b=b");
    assert_eq!(writes("UPDATE u SET (a, b) = (SELECT x, $1 FROM v)"), "update u a=v.x b=#0");
    assert_eq!(
        writes("UPDATE u SET token = v.token FROM (VALUES ($1, $2), ($3, $4)) AS v(id, token) WHERE u.id = v.id"),
        "update u token=case[#1, #3]"
    );
    assert_eq!(writes("UPDATE u JOIN v ON u.id = v.id SET v.x = 1, u.y = v.z"), "update u y=v.z; update v x=1");
    assert_eq!(writes("update only users set a = 1 where id = ?"), "update users a=1");
}

#[test]
fn values_are_reduced() {
    assert_eq!(
        writes(
            "UPDATE u SET a = CASE WHEN x THEN NULL WHEN y THEN 'b' END, b = 'x' || b || $1, c = CONCAT(c, '-', $2), \
             d = gen_random_uuid(), e = now() AT TIME ZONE 'utc', f = CAST($3 AS text), g = (SELECT max(x) FROM v), \
             h = n + 1, i = NULLIF($4, ''), j = encode(digest($5, 'sha256'), 'hex'), k = IF(a, b, $6), \
             l = CURRENT_TIMESTAMP, m = trim($7), n = ((n)), o = E'it''s'"
        ),
        "update u a=case[null, 'b', null] b=concat['x', b, #0] c=concat[c, '-', #1] d=gen_random_uuid() e=now() f=#2 \
         g=<(SELECT max(x) FROM v)> h=<n + 1> i=nullif(#3, '') j=encode(digest(#4, 'sha256'), 'hex') k=case[b, #5] \
         l=current_timestamp() m=trim(#6) n=n o='it's'"
    );
}

#[test]
fn substitutions_are_values_or_names_by_where_they_stand() {
    assert_eq!(
        writes("UPDATE users SET token = ${t}, b = '${b}', c = 'Bearer ${c}', d = ${d}::text WHERE id = ${id} ${more}"),
        "update users token=${0} b=${1} c=concat['Bearer ', ${2}] d=${3}"
    );
    assert_eq!(writes("INSERT INTO users (a, b) VALUES ${rows}"), "insert users (a, b) [${0}[0], ${0}[1]]");
    let sql = of("INSERT INTO users ${row} ON CONFLICT DO NOTHING");
    assert_eq!(lines(&sql, false), ["insert users (${0}) [${0}] | nothing"]);
    let sql = of("update ${users} set ${users.token} = ${t} where ${users.id} = ${id}");
    assert_eq!(lines(&sql, true), ["update ${0} ${1}=${2}"]);
    assert!(sql.gap.unwrap().contains("${1}"));
    let sql = of("UPDATE users SET ${sets} WHERE id = 1");
    assert_eq!(lines(&sql, false), ["update users ${0}=${0}"]);
    assert_eq!(writes("UPDATE users SET token = $${n} WHERE id = 1"), "update users token=<$${0}>");
    assert_eq!(writes("DELETE FROM users WHERE id IN ${ids}"), "delete users");
}

#[test]
fn writes_inside_common_table_expressions_and_merge_arms_count() {
    assert_eq!(
        writes(
            "WITH gone AS (DELETE FROM a RETURNING id), made AS (INSERT INTO b (x) SELECT id FROM gone RETURNING *) \
             UPDATE c SET y = $1 FROM made"
        ),
        "delete a; insert b (x) [gone.id]; update c y=#0"
    );
    assert_eq!(writes("WITH x AS (UPDATE u SET a = 1 RETURNING *) SELECT * FROM x"), "update u a=1");
    assert_eq!(
        writes(
            "MERGE INTO users u USING (SELECT $1 AS id, $2 AS token) s ON u.id = s.id WHEN MATCHED THEN UPDATE SET \
             token = s.token, a = u.a WHEN NOT MATCHED THEN INSERT (id, token) VALUES (s.id, s.token)"
        ),
        "update users token=#1 a=a; insert users (id, token) [#0, #1]"
    );
}

#[test]
fn reads_name_tables_and_columns() {
    let sql =
        of("WITH x AS (SELECT id FROM a) SELECT u.*, count(*) FROM users u JOIN x ON x.id = u.id WHERE token = $1");
    assert_eq!(lines(&sql, true), ["select a, users (*, id, token)"]);
    let sql = of("UPDATE users SET a = 1 WHERE refresh_token = $1");
    assert_eq!(lines(&sql, true), ["update users a=1", "select users (refresh_token)"]);
    let sql = of("delete from users where token = ?");
    assert_eq!(lines(&sql, true), ["delete users", "select users (token)"]);
}

#[test]
fn spans_are_bytes_of_the_file() {
    let file = "x.query(`\n  INSERT INTO users (é, token)\n  VALUES (${f(1)}, 'ü', $2)`)";
    let start = file.find('`').unwrap() + 1;
    let hole = file.find("${").unwrap();
    let after = file.find('}').unwrap() + 1;
    let end = file.rfind('`').unwrap();
    let at = |offset: usize| u32::try_from(offset).unwrap();
    let sql = parse(&[(&file[start..hole], at(start)), (&file[after..end], at(after))], FileId(7)).unwrap();
    let text = |span: crate::source::Span| &file[span.start as usize..span.end as usize];
    let [SqlStatement::Insert { span, columns, rows, .. }] = sql.statements.as_slice() else { panic!("{sql:?}") };
    assert_eq!(span.file, FileId(7));
    assert_eq!(text(*span), file[start..end].trim());
    assert_eq!(columns.iter().map(|(_, span)| text(*span)).collect::<Vec<_>>(), ["é", "token"]);
    assert_eq!(rows[0].iter().map(|value| text(value.span)).collect::<Vec<_>>(), ["${f(1)}", "'ü'", "$2"]);
}

#[test]
fn what_does_not_parse_is_a_gap_with_what_a_light_reading_tells() {
    let sql =
        of("INSERT INTO users (a, token, b) VALUES (?, ?, f(%s)) ON CONFLICT %s DO UPDATE SET token = NULL, a = ?");
    assert!(sql.gap.is_some());
    assert_eq!(lines(&sql, false), ["insert users (a, token, b) [#0, #1, <f(%s)>] | token=null a=#2"]);
    let sql = of("UPDATE users SET token = %s, b = :b, c = ${c}, d = 'x' WHERE %s");
    assert!(sql.gap.is_some());
    assert_eq!(lines(&sql, false), ["update users token=<%s> b=:b c=${0} d='x'"]);
}

#[test]
fn a_query_that_does_not_parse_still_names_what_it_may_read() {
    let sql = of("SELECT token, \"a\" FROM users WHERE %s = ? JOIN b");
    assert!(sql.gap.is_some());
    let [SqlStatement::Select { tables, columns, .. }] = sql.statements.as_slice() else { panic!("{sql:?}") };
    assert_eq!(tables, &["b", "users"]);
    assert!(columns.contains(&"token".to_owned()) && columns.contains(&"a".to_owned()));
}

#[test]
fn prose_and_other_text_is_no_sql() {
    for text in
        ["Update your profile", "Select a file", "hello", "", "  ", "WITH", "(select one)", "Create user (admin)"]
    {
        assert!(parse(&[(text, 0)], FileId(0)).is_none(), "{text}");
    }
    assert!(parse(&[], FileId(0)).is_none());
    assert!(parse(&[("Delete ", 0), (" from ", 20), ("?", 40)], FileId(0)).is_none());
}

/// The writes of a file, and its gaps as `line: why`.
fn file(text: &str) -> (Vec<String>, Vec<String>) {
    let module = lower(FileId(0), text);
    let mut found = Vec::new();
    for stmt in &module.functions[0].body {
        let crate::ir::Stmt::Expr(id) = stmt else { panic!("{stmt:?}") };
        let crate::ir::ExprKind::Sql(sql) = &module.expr(*id).kind else { panic!() };
        found.extend(lines(sql, false));
    }
    (found, module.gaps.iter().map(|gap| format!("{}: {}", gap.line, gap.why)).collect())
}

/// The tables that a file declares, one line a statement.
fn tables(text: &str) -> Vec<String> {
    let module = lower(FileId(0), text);
    assert_eq!(module.gaps, []);
    let column = |column: &crate::ir::ColumnDecl| {
        let nullable = match column.nullable {
            None => "",
            Some(true) => " null",
            Some(false) => " not null",
        };
        let default = column.default.as_ref().map_or_else(String::new, |default| format!(" = {default}"));
        format!("{} {}{nullable}{default}", column.name, column.ty)
    };
    module
        .tables
        .iter()
        .map(|table| {
            let columns: Vec<String> = table.columns.iter().map(column).collect();
            let mut parts = vec![format!("{:?} {}: {}", table.change, table.name, columns.join(", "))];
            parts.extend(table.dropped.iter().map(|dropped| format!("-{dropped}")));
            parts.extend(table.renamed.iter().map(|(from, to)| format!("{from}>{to}")));
            parts.extend(table.renamed_to.iter().map(|to| format!("=> {to}")));
            parts.join(" ")
        })
        .collect()
}

#[test]
fn ddl_tells_columns_nullability_and_defaults() {
    assert_eq!(
        tables(
            "CREATE TABLE IF NOT EXISTS public.\"users\" (\n  id SERIAL PRIMARY KEY,\n  \"accessToken\" TEXT,\n  n int NOT NULL DEFAULT 0,\n  \
             t varchar(20) DEFAULT 'x', CONSTRAINT c CHECK (n > 1));\n\
             CREATE TABLE b (a uuid, c bigint GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (a));"
        ),
        [
            "Create users: id SERIAL not null = SERIAL, accessToken TEXT null, n INT not null = 0, t VARCHAR(20) null = 'x'",
            "Create b: a UUID not null, c BIGINT null = GENERATED ALWAYS AS IDENTITY",
        ]
    );
    assert_eq!(
        tables(
            "ALTER TABLE users ADD COLUMN token text NOT NULL DEFAULT 'x', DROP COLUMN old;\n\
             ALTER TABLE users ALTER COLUMN a SET NOT NULL, ALTER COLUMN b DROP NOT NULL, ALTER COLUMN c SET DEFAULT 3, ALTER COLUMN d DROP DEFAULT;\n\
             ALTER TABLE ONLY users RENAME COLUMN a TO b;\nALTER TABLE users RENAME TO people;\nDROP TABLE IF EXISTS x, y;\n\
             ALTER TABLE `u` MODIFY COLUMN `t` TEXT NULL, CHANGE `a` `b` INT NOT NULL;\nRENAME TABLE a TO b;"
        ),
        [
            "Alter users: token TEXT not null = 'x' -old",
            "Alter users: a  not null, b  null, c  = 3, d  = ",
            "Alter users:  a>b",
            "Alter users:  => people",
            "Drop x: ",
            "Drop y: ",
            "Alter u: t TEXT null, b INT not null a>b",
            "Alter a:  => b",
        ]
    );
    assert_eq!(
        tables(
            "CREATE TABLE `u` (`id` INT UNSIGNED NOT NULL AUTO_INCREMENT, `t` TEXT CHARACTER SET utf8mb4) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;"
        ),
        ["Create u: id INT UNSIGNED not null = AUTO_INCREMENT, t TEXT null"]
    );
}

#[test]
fn a_section_that_undoes_a_migration_declares_nothing() {
    let file =
        "-- +goose Up\nCREATE TABLE a (x int);\n-- +goose Down\nDROP TABLE a;\n-- +goose Up\nCREATE TABLE b (x int);";
    assert_eq!(tables(file), ["Create a: x INT null", "Create b: x INT null"]);
    assert_eq!(
        tables("--migrate:up\nCREATE TABLE a (x int);\n--migrate:down\nDROP TABLE a;"),
        ["Create a: x INT null"]
    );
}

#[test]
fn one_bad_statement_is_one_gap_and_the_rest_counts() {
    let (writes, gaps) = file(
        "UPDATE u SET a = 1;\n\nINSERT INTO INTO;\nUPDATE u SET b = f(;\n\nDELETE FROM u;\nfrobnicate;\nGRANT ALL ON u TO v;",
    );
    assert_eq!(writes, ["update u a=1", "update u b=<f(>", "delete u"]);
    let lines: Vec<&str> = gaps.iter().map(|gap| gap.split(':').next().unwrap()).collect();
    assert_eq!(lines, ["3", "4", "7"]);
}

#[test]
fn a_table_that_does_not_parse_still_tells_its_columns() {
    let module =
        lower(FileId(0), "CREATE TABLE t (\n a text NOT NULL WEIRD %%, b int DEFAULT 3, PRIMARY KEY (a)\n) WEIRD;");
    let table = &module.tables[0];
    let columns: Vec<_> = table.columns.iter().map(|c| (c.name.as_str(), c.nullable, c.default.as_deref())).collect();
    assert_eq!(columns, [("a", Some(false), None), ("b", Some(true), Some("3"))]);
    assert_eq!(module.gaps.len(), 1);
}

#[test]
fn bodies_of_routines_and_triggers_write() {
    let (writes, gaps) = file(
        "CREATE OR REPLACE FUNCTION rotate(p_id int, IN p_token text) RETURNS void AS $body$\nDECLARE\n  v text;\nBEGIN\n  \
         IF p_id > 0 THEN\n UPDATE users SET token = p_token, b = v, c = users.d WHERE id = p_id RETURNING id INTO v;\n \
         ELSE INSERT INTO users (token) VALUES (p_token) ON CONFLICT (id) DO UPDATE SET token = EXCLUDED.token; END IF;\nEND;\n$body$ LANGUAGE plpgsql;",
    );
    assert_eq!(
        writes,
        ["update users token=:p_token b=:v c=d", "insert users (token) [:p_token] | token=excluded.token"]
    );
    assert_eq!(gaps, Vec::<String>::new());
    let (writes, gaps) = file(
        "CREATE TRIGGER t AFTER UPDATE OF a ON accounts BEGIN\n  UPDATE users SET token = NEW.a WHERE id = OLD.id;\n  SELECT 1;\nEND;\nDELETE FROM x;",
    );
    assert_eq!(writes, ["update users token=NEW.a", "delete x"]);
    assert_eq!(gaps, Vec::<String>::new());
    let (writes, gaps) = file("DO $$ BEGIN EXECUTE 'UPDATE ' || t || ' SET a = 1'; END $$;");
    assert_eq!((writes.len(), gaps.len()), (0, 1));
}

#[test]
fn a_trigger_function_that_assigns_to_the_new_row_writes_the_triggers_table() {
    let function = "CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN NEW.token := gen_random_uuid(); RETURN NEW; END $$ LANGUAGE plpgsql;\n";
    let trigger = "CREATE TRIGGER t BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION public.f();";
    assert_eq!(
        file(&format!("{function}{trigger}")),
        (vec!["update users token=gen_random_uuid()".to_owned()], vec![])
    );
    let (writes, gaps) = file(function);
    assert_eq!(writes, Vec::<String>::new());
    assert_eq!(gaps, ["1: NEW.token is assigned for a trigger that this file does not create"]);
    let (writes, _) = file("CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW SET NEW.token = UUID();");
    assert_eq!(writes, ["update users token=uuid()"]);
}

proptest::proptest! {
    #[test]
    fn no_text_panics(start in "(SELECT|insert into|UPDATE|WITH|MERGE INTO|REPLACE INTO|DELETE FROM|CREATE TABLE|ALTER TABLE) ", text in "[a-z $?:@'\"`,;()=*\\\\é\n-]{0,60}", tail in "\\PC{0,20}") {
        let first = format!("{start}{text}");
        let _ = parse(&[(&first, 0), (&tail, 100)], FileId(0));
        let _ = lower(FileId(0), &format!("{first}{tail}"));
    }

    #[test]
    fn no_order_of_words_panics(words in proptest::collection::vec(proptest::sample::select(vec![
        "SELECT", "INSERT INTO", "UPDATE", "users", "SET", "token", "=", "(", ")", ",", "VALUES", "?", "NULL", "$1", "FROM", "WHERE",
        "ON CONFLICT DO UPDATE SET", "WITH", "AS", "CREATE TABLE", "ALTER TABLE", "ADD COLUMN", "DROP COLUMN", "CREATE TRIGGER t AFTER UPDATE ON",
        "BEGIN", "END", ";", "CREATE FUNCTION f() RETURNS trigger AS", "$$", "NEW.token :=", "text", "NOT NULL", "DEFAULT", "'x'", "MERGE INTO", "USING", "CASE", "UNNEST(", "\n",
    ]), 0..30)) {
        let text = words.join(" ");
        let _ = parse(&[(&text, 0)], FileId(0));
        let _ = lower(FileId(0), &text);
    }
}

#[test]
fn two_question_marks_stand_for_a_name() {
    let sql = of("UPDATE ?? SET ?? = ?, `x` = '??' WHERE ?? = ${id} AND a = ?");
    assert_eq!(lines(&sql, false), ["update ${1} ${2}=#2 x='??'"]);
    assert_eq!(sql.names, [0, 1, 3]);
    let SqlStatement::Update { span, sets, .. } = &sql.statements[0] else { panic!("{sql:?}") };
    assert_eq!((span.start, sets[0].1.span.start, sets[1].1.span.start), (0, 19, 28));
}

#[test]
fn a_query_tells_under_which_name_a_column_stands() {
    let outputs = |text: &str| {
        let sql = of(text);
        let [SqlStatement::Select { outputs, .. }] = sql.statements.as_slice() else { panic!("{sql:?}") };
        let shown = |name: &Option<String>| name.clone().unwrap_or_else(|| "-".to_owned());
        let one = |o: &crate::ir::SqlOutput| format!("{}: {}.{}", o.name, shown(&o.table), shown(&o.column));
        outputs.iter().map(one).collect::<Vec<_>>()
    };
    assert_eq!(
        outputs(
            "SELECT u.*, u.token AS t, t.name, email, count(*) AS token FROM users u JOIN teams t ON t.owner = u.id"
        ),
        ["*: users.*", "t: users.token", "name: teams.name", "email: -.email", "token: -.-"]
    );
    assert_eq!(outputs("SELECT token AS \"token!: String\" FROM users"), ["token: -.token"]);
    assert_eq!(outputs("SELECT ${columns} FROM users"), ["*: -.*"]);
}
