//! Tests of other people, and what they hold the column to.

use super::*;
use crate::source::FileId;

const DROP: &[Contract] = &[Contract::DropWrites];
const WRITE: &[Contract] = &[Contract::WriteConsistently];
const NOTHING: &[Contract] = &[];

/// The contracts that a test file holds `users.access_token` to.
fn held(path: &str, text: &str) -> Vec<Contract> {
    let language = match path.rsplit('.').next() {
        Some("rs") => Language::Rust,
        Some("sql") => Language::Sql,
        _ => Language::TypeScript,
    };
    let file = SourceFile::new(path.to_owned(), text.to_owned(), language, Scope::Test);
    let module = crate::frontend::lower(FileId(0), &file, &crate::source::Macros::default());
    let rules = crate::rules::load(&[]).unwrap();
    let names = Names {
        whole: "users.access_token".into(),
        columns: vec!["access_token".into(), "accessToken".into()],
        tables: vec!["users".into(), "User".into()],
    };
    let both = [Contract::WriteConsistently, Contract::DropWrites];
    let is_held = |contract: &Contract| names.may_stand_in(&file) && holds(&module, &file, &rules, &names, *contract);
    both.into_iter().filter(is_held).collect()
}

/// A body of a test in TypeScript, over rows of `User`.
fn of_test(body: &str) -> Vec<Contract> {
    of_file(&format!("it('finds a user, reads one', async () => {{\n{body}\n}});"))
}

fn of_file(text: &str) -> Vec<Contract> {
    held(
        "test/x.spec.ts",
        &format!("import {{ User }} from '../src/user.entity';\nlet users: Repository<User>;\n{text}"),
    )
}

/// A body of a Rust test.
fn of_rust(body: &str) -> Vec<Contract> {
    held("tests/x.rs", &format!("use app::users;\n#[test]\nfn t() {{\n{body}\n}}"))
}

fn of_sql(text: &str) -> Vec<Contract> {
    held("test/x.sql", text)
}

/// Each text holds the column to `wanted`.
fn each(of: impl Fn(&str) -> Vec<Contract>, wanted: &[Contract], texts: &[&str]) {
    let wrong: Vec<&&str> = texts.iter().filter(|text| of(text) != wanted).collect();
    assert!(wrong.is_empty(), "not {wanted:?}: {wrong:#?}");
}

#[test]
fn a_row_that_is_read_and_whose_column_has_a_value_holds_the_writes() {
    each(
        of_test,
        WRITE,
        &[
            "const user = await users.findOneByOrFail({ id: 1 });\nexpect(user.accessToken).toBe(res.body.accessToken);",
            "const user = await users.findOneByOrFail({\n  id: 1,\n});\nexpect(user.accessToken).not.toBeNull();",
            "const user = await ds\n  .getRepository(User)\n  .findOneByOrFail({ id: 1 });\nexpect(\n  user.accessToken,\n).toEqual(token);",
            "const user = await users.findOneBy({ id: 1 });\nexpect(user).toMatchObject({ accessToken: token });",
            "expect(await users.findOneBy({ id: 1 })).toEqual(expect.objectContaining({ accessToken: token }));",
            "await user.reload();\nexpect(user.accessToken).toBe(token);",
            "const user = await login();\nawait user.reload();\nexpect(user.accessToken).toBe(token);",
            "const user = await users.findOneBy({ id: 1 });\nuser!.accessToken.should.equal(token);",
            "const user = await users.findOneBy({ id: 1 });\nassert.strictEqual(user!.accessToken, token);",
            "const user = await users.findOneBy({ id: 1 });\nexpect(user.accessToken).to.exist;",
            "const user = await users.findOneBy({ id: 1 });\nexpect(user.accessToken).to.not.be.null;",
            "const user = await users.findOneBy({ id: 1 });\nexpect(user).to.have.property('accessToken', token);",
            "const { accessToken } = await prisma.user.findUnique({ where });\nexpect(accessToken).toBeTruthy();",
            "expect((await users.findOne({ id }))!.accessToken).toBe(token);",
            "for (const u of await users.find()) {\n  expect(u.accessToken).toBeTruthy();\n}",
            "for (const u of await users.find()) expect(u.accessToken).toBeTruthy();",
            "const all = await users.find();\nexpect(all.every((u) => u.accessToken !== null)).toBe(true);",
            "const all = await users.find();\nexpect(all.some((u) => u.accessToken === null)).toBe(false);",
            "User.findOne({ id }, (err, user) => { expect(user.accessToken).to.equal(token); });",
            "users.findOneBy({ id }).then((user) => { expect(user.accessToken).toBe(token); });",
            "const rows = await db.query('SELECT * FROM users');\nexpect(rows[0].access_token).not.toBeNull();",
            "const row = await knex('users').where({ id }).first();\nexpect(row.access_token).toBe(token);",
            "const user = await User.findByPk(1);\nexpect(user.get('accessToken')).toBe(token);",
        ],
    );
    let before = "let user: User | null;\nbeforeEach(async () => { user = await users.findOneBy({ id: 1 }); });\n\
                  it('x', () => { expect(user!.accessToken).not.toBeNull(); });";
    assert_eq!(of_file(before), WRITE);
    let through = "const row = async (id) => users.findOneBy({ id });\n\
                   it('x', async () => { const user = await row(1); expect(user.accessToken).toBe(token); });";
    assert_eq!(of_file(through), WRITE);
}

#[test]
fn a_row_that_is_read_and_whose_column_has_none_holds_that_nothing_is_written() {
    each(
        of_test,
        DROP,
        &[
            "const user = await users.findOneBy({ id: 1 });\nexpect(user.accessToken).toBeNull();",
            "const user = await users.findOneBy({ id: 1 });\nexpect(user.accessToken).to.be.undefined;",
            "const user = await users.findOneBy({ id: 1 });\nexpect(user.accessToken).to.be.null;",
            "const user = await users.findOneBy({ id: 1 });\nexpect(user.accessToken).to.not.exist;",
            "const user = await users.findOneBy({ id: 1 });\nexpect(user.accessToken).toBe(null);",
            "const user = await users.findOneBy({ id: 1 });\nexpect(user.accessToken).not.toBeDefined();",
            "const user = await users.findOneBy({ id: 1 });\nexpect(user).toMatchObject({ accessToken: null });",
            "const user = await users.findOneBy({ id: 1 });\nassert.equal(user.accessToken, null);",
            "const user = await users.findOneBy({ id: 1 });\nexpect(user.accessToken === null).toBe(true);",
            "await users.update(id, { accessToken: null });\nexpect((await users.findOneBy({ id })).accessToken).toBeNull();",
            "expect(await users.count({ where: { accessToken: Not(IsNull()) } })).toBe(0);",
            "expect(await prisma.user.count({ where: { accessToken: { not: null } } })).toBe(0);",
            "expect(await users.findOneBy({ accessToken: Not(IsNull()) })).toBeNull();",
            "const n = await knex('users').whereNotNull('access_token').count();\nexpect(n).toBe(0);",
        ],
    );
}

#[test]
fn where_no_row_without_a_value_is_found_each_has_one() {
    each(
        of_test,
        WRITE,
        &[
            "const missing = await users.count({\n  where: {\n    accessToken: IsNull(),\n  },\n});\nexpect(missing).toBe(0);",
            "const [{ n }] = await ds.query('SELECT count(*) AS n FROM users WHERE access_token IS NULL');\nexpect(Number(n)).toBe(0);",
            "const rows = await ds.query(`\n  SELECT id\n  FROM users\n  WHERE access_token IS NULL\n`);\nexpect(rows).toEqual([]);",
            "const orphans = await users.find({\n  select: { id: true },\n  where: { accessToken: IsNull(), refreshToken: Not(IsNull()) },\n});\nexpect(orphans).toHaveLength(0);",
            "expect(await users.existsBy({ accessToken: IsNull() })).toBe(false);",
            "const rows = await users.findBy({ accessToken: IsNull() });\nexpect(rows.length).toBe(0);",
            "const row = await prisma.user.findFirst({ where: { accessToken: null } });\nexpect(row).toBeNull();",
            "const rows = await db.select().from(users).where(isNull(users.accessToken));\nexpect(rows).toHaveLength(0);",
            "const n = await users.createQueryBuilder('u').where('u.access_token IS NULL').getCount();\nexpect(n).toBe(0);",
            "const [row] = await ds.query(`SELECT count(*) AS n FROM users WHERE (refresh_token IS NOT NULL) AND (access_token IS NULL OR access_token = '')`);\nexpect(Number(row.n)).toBe(0);",
        ],
    );
}

#[test]
fn what_does_not_come_out_of_the_database_holds_nothing() {
    each(
        of_test,
        NOTHING,
        &[
            "const res = await request(app).get('/users/first');\nexpect(res.body.accessToken).toBeDefined();",
            "const res = await fetch('/login');\nconst body = await res.json();\nexpect(body.accessToken).toBeDefined();",
            "const body = await (await fetch('/login')).json();\nexpect(body.accessToken).toBeDefined();",
            "const pair = await loginAsFirstUser();\nexpect(pair.accessToken).toBeTruthy();",
            "const pair = await service.refresh();\nexpect(pair.accessToken).toBe('x');",
            "const pair = await loginOne(app);\nexpect(pair.accessToken).toBeTruthy();",
            "const { data } = await client.query({ query: LOGIN });\nexpect(data.accessToken).toBeTruthy();",
            "const user = new User({ accessToken: 'x' });\nexpect(user.accessToken).toBe('x');",
            "const user = await prisma.user.create({ data: { accessToken: 'x' } });\nexpect(user.accessToken).toBe('x');",
            "const all = [{ accessToken: 'x' }];\nexpect(all.find((u) => u.id).accessToken).toBe('x');",
            "const n = await sessions.count();\nexpect(n).toBe(0);\nexpect(pair.accessToken).toBe('x');",
            "const user = await users.findOneBy({ id: 1, accessToken });\nexpect(user.refreshToken).toBe('x');",
            "const accessToken = new URL(url).searchParams.get('accessToken'); // query\nexpect(accessToken).toBeTruthy();",
            "const user = await users.findOneBy({ id });\nexpect(user.name).toBe('x'); // accessToken",
            "const user = await users.findOneBy({ id });\nexpect(user.accessToken).not.toBe(before.accessToken);",
            "const user = await users.findOneBy({ id });\nconst t = user.accessToken;",
            "expect(users.update).toHaveBeenCalledWith(1, { accessToken: 'x' });",
            "jest.spyOn(users, 'findOneBy').mockResolvedValue({ accessToken: 'x' } as User);\nconst u = await users.findOneBy({ id });\nexpect(u.accessToken).toBe('x');",
            "const repo = { findOne: jest.fn().mockResolvedValue({ accessToken: 'x' }) };\nconst user = await service.findOne(1);\nexpect(user.accessToken).toBe('x');",
            "prismaMock.user.findUnique.mockResolvedValue(row);\nconst user = await prisma.user.findUnique({ where });\nexpect(user.accessToken).toBe('x');",
        ],
    );
    let parameter = "it('finds the user by mail', (user) => {\n});\nit('b', () => {\n  const user = new User();\n  \
                     user.accessToken = 'x';\n  expect(user.accessToken).toBe('x');\n});";
    assert_eq!(of_file(parameter), NOTHING);
    let automock = "import { service } from './service';\njest.mock('./service');\nit('x', async () => { const u = await service.findOne(1); expect(u.accessToken).toBe('x'); });";
    assert_eq!(of_file(automock), NOTHING);
}

#[test]
fn counts_that_say_less_hold_nothing() {
    for asserted in [".not.toBe(0)", ".toBeGreaterThanOrEqual(0)", ".toBe(3)", ""] {
        let body =
            format!("const n = await users.count({{ where: {{ accessToken: IsNull() }} }});\nexpect(n){asserted};");
        assert_eq!(of_test(&body), NOTHING, "{asserted}");
    }
    each(
        of_test,
        NOTHING,
        &[
            "expect(await users.count({ where: { accessToken: IsNull(), id: -1 } })).toBe(0);",
            "const rows = await ds.query(`SELECT id FROM users WHERE access_token IS NULL AND id = -1`);\nexpect(rows).toEqual([]);",
            "const rows = await knex('users').whereNull('access_token').where('id', 7);\nexpect(rows).toHaveLength(0);",
        ],
    );
}

#[test]
fn what_does_not_run_holds_nothing() {
    let test =
        "async () => {\n  const user = await users.findOneBy({ id: 1 });\n  expect(user.accessToken).toBe(token);\n}";
    assert_eq!(of_file(&format!("it('x', {test});")), WRITE);
    for text in [
        format!("describe.skip('x', () => {{\n  it('y', {test});\n}});"),
        format!("it.skip('x', {test});"),
        format!("xit('x', {test});"),
        format!("it.skipIf(true)('x', {test});"),
        format!("it.fails('x', {test});"),
        format!("/*\nit('x', {test});\n*/"),
        "it.todo('accessToken is found and expect(count).toBe(0)');".to_owned(),
    ] {
        assert_eq!(of_file(&text), NOTHING, "{text}");
    }
    let rust = "let row = users::table.find(1).first::<User>(&mut c()).unwrap();\nassert!(row.access_token.is_some());";
    assert_eq!(of_rust(rust), WRITE);
    assert_eq!(held("tests/x.rs", &format!("use app::users;\n#[test]\n#[ignore]\nfn t() {{\n{rust}\n}}")), NOTHING);
    assert_eq!(held("tests/x.rs", &format!("use app::users;\nfn t() {{\n{rust}\n}}")), NOTHING);
}

#[test]
fn rust_tests_hold_it_in_whatever_layout() {
    for body in [
        "let n: i64 = users::table.filter(users::access_token.is_null()).count().get_result(&mut c()).unwrap();\nassert_eq!(n, 0);",
        "let n: i64 = users::table\n    .filter(users::access_token.is_null())\n    .count()\n    .get_result(&mut c())\n    .unwrap();\nassert_eq!(n, 0, \"some have none\");",
        "let row = users::table\n    .find(1)\n    .first::<User>(&mut c())\n    .unwrap();\nassert_eq!(\n    row.access_token.as_deref(),\n    Some(\"x\"),\n    \"it is {}\", 1\n);",
        "let row: User = users::table.find(1).first(&mut c()).unwrap();\nassert!(row.access_token.is_some());",
        "let row = sqlx::query!(\"SELECT access_token FROM users WHERE id = $1\", id)\n    .fetch_one(&pool)\n    .await\n    .unwrap();\nassert_eq!(row.access_token.as_deref(), Some(token));",
        "let missing: i64 = sqlx::query_scalar(\n    r#\"\n    SELECT count(*)\n    FROM users\n    WHERE access_token IS NULL\n    \"#,\n)\n.fetch_one(&pool)\n.await\n.unwrap();\nassert_eq!(missing, 0);",
        "let t: Option<String> = sqlx::query_scalar(\"SELECT access_token FROM users WHERE id = 1\").fetch_one(&pool).await.unwrap();\nassert_ne!(t, None);",
    ] {
        assert_eq!(of_rust(body), WRITE, "{body}");
    }
    for body in [
        "let row: User = users::table.find(1).first(&mut c()).unwrap();\nassert!(row.access_token.is_none());",
        "let row: User = users::table.find(1).first(&mut c()).unwrap();\nassert_eq!(row.access_token, None);",
    ] {
        assert_eq!(of_rust(body), DROP, "{body}");
    }
    for body in [
        "let body: Pair = users_api::login().json();\nassert!(!body.access_token.is_empty());",
        "let cfg = Config::load();\nassert_eq!(cfg.access_token, \"x\");",
        "let row: User = users::table.find(1).first(&mut c()).unwrap();\nassert_ne!(row.access_token.as_deref(), Some(\"old\"));",
        "let row: User = users::table.find(1).first(&mut c()).unwrap();\nassert_eq!(row.name, \"access_token\");",
    ] {
        assert_eq!(of_rust(body), NOTHING, "{body}");
    }
}

#[test]
fn sql_tests_hold_what_their_assertions_say() {
    each(
        of_sql,
        WRITE,
        &[
            "SELECT is((SELECT count(*) FROM users WHERE access_token IS NULL), 0::bigint);",
            "SELECT is_empty($$SELECT id FROM users WHERE access_token IS NULL$$);",
            "SELECT is_empty(\n  'SELECT id\n   FROM users\n   WHERE access_token IS NULL'\n);",
            "SELECT results_eq($$ SELECT count(*) FROM users WHERE access_token IS NULL $$, $$ VALUES (0::bigint) $$);",
            "DO $$ BEGIN IF EXISTS (SELECT 1 FROM users WHERE access_token IS NULL) THEN RAISE EXCEPTION 'lost'; END IF; END $$;",
            "CREATE TABLE t (n int CHECK (n = 0)); INSERT INTO t SELECT count(*) FROM users WHERE access_token IS NULL;",
            "SELECT ok(NOT EXISTS (SELECT 1 FROM users WHERE access_token IS NULL), 'each has one');",
            "SELECT isnt((SELECT access_token FROM users WHERE id = 1), NULL, 'stored');",
            "SELECT is((SELECT access_token FROM users WHERE id = 1), 'x', 'stored');",
            "SELECT col_not_null('users', 'access_token');",
        ],
    );
    each(of_sql, WRITE, &["SELECT is_empty($$SELECT id FROM users WHERE role = 'user' AND access_token IS NULL$$);"]);
    each(
        of_sql,
        DROP,
        &[
            "SELECT hasnt_column('users', 'access_token', 'gone');",
            "SELECT is_empty($$SELECT id FROM users WHERE access_token IS NOT NULL$$);",
            "SELECT is((SELECT access_token FROM users WHERE id = 1), NULL, 'gone');",
        ],
    );
    each(
        of_sql,
        NOTHING,
        &[
            "SELECT is_empty($$SELECT id FROM users WHERE access_token IS NULL AND id = -1$$);",
            "SELECT is_empty($$SELECT id FROM users WHERE email = 'a@b.c' AND access_token IS NULL$$);",
            "/* users\nSELECT is_empty($$SELECT id FROM users WHERE access_token IS NULL$$);\n*/",
            "-- SELECT is_empty($$SELECT id FROM users WHERE access_token IS NULL$$);",
            "SELECT todo('later', 1);\nSELECT is_empty($$SELECT id FROM users WHERE access_token IS NULL$$);",
            "SELECT todo_start('later');\nSELECT plan(1);\nSELECT is_empty($$SELECT id FROM users WHERE access_token IS NULL$$);",
            "SELECT isnt_empty($$SELECT id FROM users WHERE access_token IS NULL$$);",
            "SELECT id FROM users WHERE access_token IS NULL;",
        ],
    );
}

#[test]
fn the_mark_of_a_pin_holds_its_contract_and_no_other() {
    let marked = |contract: &str| format!("// tokendrift-pin: users.access_token {contract}\nit('x', () => check());");
    assert_eq!(of_file(&marked("write-consistently")), WRITE);
    assert_eq!(of_file(&marked("drop-writes")), DROP);
    assert_eq!(of_file("// tokendrift-pin: users.refresh_token write-consistently\nit('x', () => check());"), NOTHING);
    assert_eq!(of_file("// tokendrift-pin: users.access_token drop-writes\nit.skip('x', () => check());"), NOTHING);
}
