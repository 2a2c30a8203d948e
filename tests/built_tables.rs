//! Tables that code builds: what the audit and `init` know of their columns.

use crate::command::{audit_json, tokendrift, write_files};

/// Where a column is declared, whether it may be NULL, and its default.
fn declared(files: &[(&str, &str)], column: &str) -> (String, Option<bool>, Option<String>) {
    let tree = tempfile::tempdir().expect("a temporary folder");
    write_files(tree.path(), files);
    let run = audit_json(tree.path(), &["--column", column]);
    assert!(run.code < 2, "{}", run.stderr);
    let column = &run.report()["columns"][0];
    let place = format!("{}:{}", column["model"]["file"].as_str().unwrap_or_default(), column["model"]["line"]);
    (place, column["nullable"].as_bool(), column["default"].as_str().map(str::to_owned))
}

fn at(place: &str, nullable: bool, default: Option<&str>) -> (String, Option<bool>, Option<String>) {
    (place.to_owned(), Some(nullable), default.map(str::to_owned))
}

const EXAMPLE: (&str, &str) =
    ("docs/api.js", "module.exports = { users: { properties: { apikey: { type: 'string' } } } };");

const MODEL: (&str, &str) = (
    "server/user.model.js",
    "async function createUserTable(knex) {
  const hasTable = await knex.schema.hasTable('users');
  if (!hasTable) {
    await knex.schema.createTable('users', table => {
      table.increments('id').primary();
      table.string('apikey');
      table
        .string('session_token')
        .unique()
        .notNullable()
        .defaultTo('none');
      table.string('old_token').notNullable();
    });
  }
}
module.exports = { createUserTable };
",
);

#[test]
fn knex_declares_columns_wherever_it_builds_the_table() {
    assert_eq!(declared(&[EXAMPLE, MODEL], "users.apikey"), at("server/user.model.js:6", true, None));
    assert_eq!(declared(&[MODEL], "users.session_token"), at("server/user.model.js:8", false, Some("'none'")));
    let checked = "exports.up = (db) => db.schema.hasTable('users').then((there) => {
  if (!there) return db.schema.createTable('users', function (t) { t.string('apikey').notNullable(); });
});
exports.down = (db) => db.schema.dropTable('users');
";
    assert_eq!(
        declared(&[("migrations/1_users.js", checked)], "users.apikey"),
        at("migrations/1_users.js:2", false, None)
    );
}

#[test]
fn what_migrations_change_of_a_table_counts_and_what_undoes_them_does_not() {
    let change = (
        "server/migrations/2_tokens.js",
        "exports.up = async function (knex) {
  await knex.schema.alterTable('users', (t) => {
    t.renameColumn('old_token', 'mail_token');
    t.dropNullable('apikey');
    t.dropColumn('session_token');
  });
  await knex.schema.table('users', (t) => { t.string('reset_token').nullable(); });
};
exports.down = async function (knex) {
  await knex.schema.alterTable('users', (t) => { t.setNullable('apikey'); t.dropColumn('mail_token'); });
};
",
    );
    let files = [MODEL, change];
    assert_eq!(declared(&files, "users.apikey"), at("server/user.model.js:6", false, None));
    assert_eq!(declared(&files, "users.mail_token"), at("server/user.model.js:12", false, None));
    assert_eq!(declared(&files, "users.reset_token"), at("server/migrations/2_tokens.js:7", true, None));
    let tree = tempfile::tempdir().expect("a temporary folder");
    write_files(tree.path(), &files);
    let gone = audit_json(tree.path(), &["--column", "users.session_token"]);
    assert_eq!(gone.code, 2, "{}", gone.stdout);
}

#[test]
fn kysely_declares_columns_by_calls_and_by_types() {
    let migration = (
        "src/migrations/1.ts",
        "import { Kysely, sql } from 'kysely';
export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.createTable('session')
    .addColumn('id', 'serial', (col) => col.primaryKey())
    .addColumn('refresh_token', 'text')
    .addColumn('access_token', 'text', (c) => c.notNull().defaultTo('x'))
    .execute();
}
export async function down(db: Kysely<any>): Promise<void> {
  await db.schema.dropTable('session').execute();
}
",
    );
    assert_eq!(declared(&[migration], "session.refresh_token"), at("src/migrations/1.ts:5", true, None));
    assert_eq!(declared(&[migration], "session.access_token"), at("src/migrations/1.ts:6", false, Some("'x'")));
    let later = (
        "src/migrations/2.ts",
        "import { Kysely } from 'kysely';
export const up = (db: Kysely<any>) => db.schema.alterTable('session').renameColumn('refresh_token', 'renewal_token').execute();
",
    );
    assert_eq!(declared(&[migration, later], "session.renewal_token"), at("src/migrations/1.ts:5", true, None));
    let types = [
        (
            "src/session.table.ts",
            "import { ColumnType, Generated } from 'kysely';
export interface SessionTable {
  id: Generated<number>;
  refresh_token: string | null;
  csrf_token: Generated<string>;
  token_at: ColumnType<Date, string | undefined, null>;
}
",
        ),
        (
            "src/database.ts",
            "import { SessionTable } from './session.table';\nexport interface Database { session: SessionTable }\n",
        ),
        (
            "src/db.ts",
            "import { Kysely } from 'kysely';\nimport { Database } from './database';\nexport const db = new Kysely<Database>({});\n",
        ),
    ];
    assert_eq!(declared(&types, "session.refresh_token"), at("src/session.table.ts:4", true, None));
    assert_eq!(declared(&types, "session.csrf_token"), at("src/session.table.ts:5", false, Some("Generated")));
    assert_eq!(declared(&types, "session.token_at"), at("src/session.table.ts:6", false, None));
}

#[test]
fn init_proposes_columns_of_tables_that_code_builds() {
    let types = [
        ("src/session.table.ts", "export interface SessionTable { refresh_token: string | null }\n"),
        (
            "src/database.ts",
            "import { SessionTable } from './session.table';\nexport interface Database { session: SessionTable }\n",
        ),
        (
            "src/db.ts",
            "import { Kysely } from 'kysely';\nimport { Database } from './database';\nexport const db = new Kysely<Database>({});\n",
        ),
    ];
    for (files, columns) in
        [(&[EXAMPLE, MODEL][..], &["apikey", "session_token", "old_token"][..]), (&types[..], &["refresh_token"][..])]
    {
        let tree = tempfile::tempdir().expect("a temporary folder");
        write_files(tree.path(), files);
        let run = tokendrift(["init", "--print", tree.path().to_str().expect("a path in UTF-8")]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        for column in columns {
            assert!(run.stdout.contains(&format!("column = \"{column}\"")), "{}", run.stdout);
        }
    }
}

#[test]
fn a_column_that_a_sequelize_migration_renames_goes_by_its_new_name() {
    let files = [(
        "migrations/1-users.js",
        "module.exports = {
  up: async (queryInterface, Sequelize) => {
    await queryInterface.createTable('Users', { token: { type: Sequelize.STRING, allowNull: false } });
    await queryInterface.renameColumn('Users', 'token', 'accessToken');
  },
  down: async (queryInterface) => queryInterface.renameColumn('Users', 'accessToken', 'token'),
};
",
    )];
    assert_eq!(declared(&files, "Users.accessToken"), at("migrations/1-users.js:3", false, None));
}

#[test]
fn the_insert_of_a_map_is_no_write_of_a_seaorm_model() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_files(
        folder.path(),
        &[
            (
                "src/sessions.rs",
                "use sea_orm::entity::prelude::*;\n#[derive(Clone, Debug, DeriveEntityModel)]\n#[sea_orm(table_name = \"sessions\")]\n\
                 pub struct Model {\n    #[sea_orm(primary_key)]\n    pub id: i32,\n    pub refresh: Option<String>,\n}\n",
            ),
            (
                "src/main.rs",
                "mod sessions;\npub fn remember(row: &mut Map, value: String) {\n    row.insert(\"refresh\".to_owned(), Value::String(value));\n}\n\
                 pub async fn keep(db: &Db, row: impl IntoActiveModel<sessions::ActiveModel>) {\n    row.into_active_model().insert(db).await;\n}\n",
            ),
        ],
    );
    let report = audit_json(folder.path(), &["--no-config", "--column", "sessions.refresh"]).report();
    let gaps: Vec<_> = report["gaps"].as_array().into_iter().flatten().map(|gap| gap["line"].clone()).collect();
    assert!(!gaps.contains(&3.into()), "{report}");
    assert_eq!(report["columns"][0]["write_sites"][0]["line"], 6, "{report}");
}

#[test]
fn random_bytes_as_text_that_a_path_answers_with_are_a_token_that_it_discards() {
    let tree = tempfile::tempdir().expect("a temporary folder");
    let model = "model User {\n  id Int @id\n  accessToken String? @map(\"access_token\")\n  @@map(\"users\")\n}\n";
    let code = "import { Controller, Post, Body } from '@nestjs/common';\nimport { PrismaClient } from '@prisma/client';\n\
        import { randomBytes } from 'crypto';\nconst prisma = new PrismaClient();\nconst issue = () => randomBytes(32).toString('hex');\n\
        @Controller('auth')\nexport class AuthController {\n  @Post('mobile')\n  async mobile(@Body() dto: { id: number }) {\n    const token = issue();\n    \
        await prisma.user.update({ where: { id: dto.id }, data: { accessToken: token } });\n    return { token };\n  }\n  @Post('web')\n  \
        async web(@Body() dto: { id: number }) {\n    const token = issue();\n    \
        const user = await prisma.user.findUnique({ where: { id: dto.id } });\n    \
        await prisma.user.update({ where: { id: dto.id }, data: { accessToken: user.accessToken } });\n    return { token };\n  }\n}\n";
    write_files(tree.path(), &[("schema.prisma", model), ("src/auth.controller.ts", code)]);
    let report = audit_json(tree.path(), &["--no-config", "--column", "users.access_token"]).report();
    let found: Vec<&str> =
        report["findings"].as_array().into_iter().flatten().filter_map(|finding| finding["check"].as_str()).collect();
    assert!(found.contains(&"discarded-token"), "{report}");
}
