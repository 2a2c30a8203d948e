use super::*;

fn lines(text: &str) -> (Vec<String>, Vec<String>) {
    let module = lower(FileId(0), text);
    let column = |column: &ColumnDecl| {
        let mapped = if column.name == column.property { String::new() } else { format!(">{}", column.name) };
        let nullable = if column.nullable == Some(true) { "?" } else { "" };
        let list = if column.list { "[]" } else { "" };
        let default = column.default.as_ref().map(|default| format!(" = {default}")).unwrap_or_default();
        let relation = column.relation.as_ref().map(|relation| format!(" -> {relation}")).unwrap_or_default();
        format!("{}{mapped}{nullable}{list}{default}{relation}", column.property)
    };
    let tables = module.tables.iter().map(|table| {
        let columns: Vec<String> = table.columns.iter().map(column).collect();
        format!("{}={}: {}", table.model.as_deref().unwrap_or("?"), table.name, columns.join(", "))
    });
    (tables.collect(), module.gaps.iter().map(|gap| format!("{}: {}", gap.line, gap.why)).collect())
}

#[test]
fn a_model_is_a_table_with_its_columns_and_relations() {
    let (tables, gaps) = lines(
        "generator client {\n  provider = \"prisma-client-js\"\n}\n\
         /// A user\nmodel User {\n  id        Int      @id @default(autoincrement())\n  hashedRt String? @map(\"hashed_rt\") // rt\n\n  \
         role Role @default(USER)\n  posts Post[] @relation(\"a\")\n  team Team? @relation(fields: [teamId], references: [id], onDelete: Cascade)\n  \
         geo Unsupported(\"circle\")?\n  tags String[] @default([\"a\", \"b\"])\n  at DateTime @default(dbgenerated(\"now()\")) @updatedAt @db.Timestamptz(3)\n  \
         touched DateTime @updatedAt\n  @@unique([a, b])\n  @@map(\"users\")\n}\n\nenum Role {\n  USER @map(\"u\")\n  ADMIN\n}\n\nview V {\n  a Json\n  @@ignore\n}",
    );
    assert_eq!(gaps, Vec::<String>::new());
    assert_eq!(
        tables,
        [
            "User=users: id = autoincrement(), hashedRt>hashed_rt?, role = USER, posts[] -> Post, team? -> Team, geo?, \
             tags[] = [\"a\", \"b\"], at = dbgenerated(\"now()\"), touched = @updatedAt",
            "V=V: a",
        ]
    );
}

#[test]
fn attributes_may_span_lines_and_name_their_arguments() {
    let (tables, gaps) = lines(
        "model A {\r\n  token String?\r\n    @map(name: \"tok\")\r\n    @default(value: \"x\", map: \"df\")\r\n  b B @relation(\r\n    fields: [bId],\r\n    references: [id]\r\n  )\r\n  bId Int\r\n  @@map(name: \"as\")\r\n}",
    );
    assert_eq!((tables, gaps), (vec!["A=as: token>tok? = \"x\", b -> B, bId".to_owned()], vec![]));
}

#[test]
fn what_is_broken_is_a_gap_and_the_rest_is_read() {
    let (tables, gaps) = lines(
        "model A {\n  id Int\n  ???\n  b String\n}\nnonsense here\nmodel B {\n  x Int\n\nmodel C {\n  y Int\n}\nmodul D {\n}\n",
    );
    assert_eq!(tables, ["A=A: id, b", "B=B: x", "C=C: y"]);
    assert_eq!(
        gaps.iter().map(|gap| gap.split(':').next().unwrap()).collect::<Vec<_>>(),
        ["3", "6", "7", "13"],
        "{gaps:?}"
    );
}

#[test]
fn the_span_of_a_property_is_its_name() {
    let text = "model User {\n  é String\n  accessToken String?\n}";
    let module = lower(FileId(0), text);
    let span = module.tables[0].columns[1].span;
    assert_eq!(&text[span.start as usize..span.end as usize], "accessToken");
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "(model|enum|[A-Za-z]| |\n|\\{|\\}|@|@@map|\\(|\\)|\\[|\\]|\"|\\\\|\\?|:|,|é|//|/\\*){0,80}") {
        let _ = lower(FileId(0), &text);
    }
}
