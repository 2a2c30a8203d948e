//! A text dump of a module, for tests and for people who read a front end's work.
//!
//! Input: a [`Module`]. Output: one line a statement, import, export, field and column; expressions in prefix notation
//! (`(call this.users.find id)`), members with a dot. A name that is no local says what it is: `import:x`, `global:x`,
//! `fn:x`, `class:X`.

use std::fmt::Write;

use crate::ir::{
    Binding, Class, ClassKind, ColumnDecl, Conflict, Decorator, Entry, Export, ExprId, ExprKind, Function, FunctionId,
    Import, Imported, Item, Kept, Missing, Module, Param, Place, SqlOutput, SqlStatement, SqlText, SqlValue,
    SqlValueKind, Stmt, Table, TableChange, TypeRef,
};

/// How deep expressions are printed.
const DEPTH_LIMIT: usize = 100;

/// The module as indented text.
pub fn dump(module: &Module) -> String {
    let mut dump = Dump { module, out: String::new(), indent: 0, depth: 0 };
    for import in &module.imports {
        dump.line(&import_line(import));
    }
    for class in &module.classes {
        dump.class(class);
    }
    for (at, function) in module.functions.iter().enumerate() {
        dump.function(FunctionId::of(at), function);
    }
    for export in &module.exports {
        let line = dump.export(export);
        dump.line(&line);
    }
    for table in &module.tables {
        dump.table(table);
    }
    for gap in &module.gaps {
        dump.line(&format!("gap line {}: {}", gap.line, gap.why));
    }
    dump.out
}

struct Dump<'m> {
    module: &'m Module,
    out: String,
    indent: usize,
    depth: usize,
}

impl Dump<'_> {
    fn line(&mut self, text: &str) {
        let indent = self.indent * 2;
        let text = text.trim_end();
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "{:indent$}{text}", "");
    }

    fn class(&mut self, class: &Class) {
        let mut head = format!("{} {}", kind_word(class.kind), class.name);
        if !class.type_params.is_empty() {
            let _ = write!(head, "<{}>", class.type_params.join(", "));
        }
        if !class.extends.is_empty() {
            let _ = write!(head, " extends {}", self.types(&class.extends));
        }
        if let Some(call) = class.extends_call {
            let _ = write!(head, " extends {}", self.expr(call));
        }
        if !class.implements.is_empty() {
            let _ = write!(head, " implements {}", self.types(&class.implements));
        }
        if class.open {
            head.push_str(" open");
        }
        head.push_str(&self.decorators(&class.decorators));
        self.line(&head);
        self.indent += 1;
        for field in &class.fields {
            let mut line = String::from(if field.is_static { "static " } else { "" });
            line.push_str(&field.name);
            line.push_str(if field.optional { "?" } else { "" });
            if let Some(ty) = &field.ty {
                let _ = write!(line, ": {}", self.ty(ty));
            }
            if let Some(init) = field.init {
                let _ = write!(line, " = {}", self.expr(init));
            }
            line.push_str(&self.decorators(&field.decorators));
            self.line(&line);
        }
        self.indent -= 1;
    }

    fn function(&mut self, id: FunctionId, function: &Function) {
        let class = function.class.map(|id| format!("{}.", self.module.class(id).name)).unwrap_or_default();
        let mut head = format!("#{} {:?} {class}{}", id.0, function.kind, function.name);
        let params: Vec<String> = function.params.iter().map(|param| self.param(param)).collect();
        let _ = write!(head, "({})", params.join(", "));
        if let Some(ty) = &function.returns {
            let _ = write!(head, ": {}", self.ty(ty));
        }
        if function.is_static {
            head.push_str(" static");
        }
        if let Some(parent) = function.parent {
            let _ = write!(head, " in #{}", parent.0);
        }
        head.push_str(&self.decorators(&function.decorators));
        self.line(&head);
        self.body(&function.body);
    }

    fn param(&mut self, param: &Param) -> String {
        let mut text = String::from(if param.rest { "..." } else { "" });
        text.push_str(&param.name);
        text.push_str(if param.optional { "?" } else { "" });
        if let Some(ty) = &param.ty {
            let _ = write!(text, ": {}", self.ty(ty));
        }
        text.push_str(&self.decorators(&param.decorators));
        text
    }

    fn body(&mut self, body: &[Stmt]) {
        self.indent += 1;
        if self.indent < DEPTH_LIMIT {
            for statement in body {
                self.statement(statement);
            }
        } else if !body.is_empty() {
            self.line("...");
        }
        self.indent -= 1;
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Assign { target, value, .. } => {
                let line = format!("{} = {}", self.place(target), self.expr(*value));
                self.line(&line);
            }
            Stmt::Expr(id) => {
                let line = self.expr(*id);
                self.line(&line);
            }
            Stmt::If { cond, then, otherwise } => {
                let line = format!("if {}", self.expr(*cond));
                self.line(&line);
                self.body(then);
                if !otherwise.is_empty() {
                    self.line("else");
                    self.body(otherwise);
                }
            }
            Stmt::Loop { body } => {
                self.line("loop");
                self.body(body);
            }
            Stmt::Return(value) => self.leave("return", *value),
            Stmt::Throw(value) => self.leave("throw", *value),
            Stmt::Try { body, catch, finally } => {
                for (word, part) in [("try", body), ("catch", catch), ("finally", finally)] {
                    if word == "try" || !part.is_empty() {
                        self.line(word);
                        self.body(part);
                    }
                }
            }
        }
    }

    fn leave(&mut self, word: &str, value: Option<ExprId>) {
        let value = value.map(|id| self.expr(id)).unwrap_or_default();
        self.line(&format!("{word} {value}"));
    }

    fn place(&mut self, place: &Place) -> String {
        match place {
            Place::Local(id) => self.binding(&Binding::Local(*id)),
            Place::Field { base, name, .. } => format!("{}.{name}", self.expr(*base)),
            Place::Index { base, index } => format!("{}[{}]", self.expr(*base), self.expr(*index)),
        }
    }

    fn binding(&self, binding: &Binding) -> String {
        match binding {
            Binding::Local(id) => self.module.locals.get(id.at()).map_or("?", |local| &local.name).to_owned(),
            Binding::Function(id) => format!("fn:{}", self.module.function(*id).name),
            Binding::Class(id) => format!("class:{}", self.module.class(*id).name),
            Binding::Import(id) => {
                let import = self.module.imports.get(id.at());
                let name = import.map(|import| if import.local.is_empty() { &import.module } else { &import.local });
                format!("import:{}", name.map_or("?", String::as_str))
            }
            Binding::Global(name) => format!("global:{name}"),
        }
    }

    fn exprs(&mut self, ids: &[ExprId]) -> String {
        let mut text = String::new();
        for id in ids {
            let _ = write!(text, " {}", self.expr(*id));
        }
        text
    }

    fn expr(&mut self, id: ExprId) -> String {
        if self.depth >= DEPTH_LIMIT {
            return "...".to_owned();
        }
        self.depth += 1;
        let text = self.expr_text(id);
        self.depth -= 1;
        text
    }

    fn expr_text(&mut self, id: ExprId) -> String {
        match &self.module.expr(id).kind {
            ExprKind::Text(text) => format!("{text:?}"),
            ExprKind::Number(text) => text.clone(),
            ExprKind::Bool(value) => value.to_string(),
            ExprKind::Null => "null".to_owned(),
            ExprKind::Undefined => "undefined".to_owned(),
            ExprKind::This => "this".to_owned(),
            ExprKind::Super => "super".to_owned(),
            ExprKind::Name(binding) => self.binding(binding),
            ExprKind::Field { base, name, .. } => format!("{}.{name}", self.expr(*base)),
            ExprKind::Index { base, index } => format!("{}[{}]", self.expr(*base), self.expr(*index)),
            ExprKind::Element(base) => format!("(element {})", self.expr(*base)),
            ExprKind::Rest { base, except } => format!("(rest {} [{}])", self.expr(*base), except.join(", ")),
            ExprKind::Subset(base, Kept::Some) => format!("(subset {})", self.expr(*base)),
            ExprKind::Subset(base, Kept::There) => format!("(there {})", self.expr(*base)),
            ExprKind::Object(entries) => {
                let entries: Vec<String> = entries.iter().map(|entry| self.entry(entry)).collect();
                format!("{{{}}}", entries.join(", "))
            }
            ExprKind::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| self.item(item)).collect();
                format!("[{}]", items.join(", "))
            }
            ExprKind::Call(call) => {
                let word = if call.is_new { "new" } else { "call" };
                let mut text = format!("({word} {}", self.expr(call.callee));
                if !call.type_args.is_empty() {
                    let _ = write!(text, "<{}>", self.types(&call.type_args));
                }
                for arg in &call.args {
                    let spread = if arg.spread { "..." } else { "" };
                    let _ = write!(text, " {spread}{}", self.expr(arg.value));
                }
                text + ")"
            }
            ExprKind::Cond { cond, then, otherwise } => format!("(?{})", self.exprs(&[*cond, *then, *otherwise])),
            ExprKind::Fallback { left, right, when } => {
                let word = match when {
                    Missing::Nullish => "??",
                    Missing::Falsy => "||",
                    Missing::Undefined => "default",
                };
                format!("({word}{})", self.exprs(&[*left, *right]))
            }
            ExprKind::And { left, right } => format!("(&&{})", self.exprs(&[*left, *right])),
            ExprKind::Not(operand) => format!("(! {})", self.expr(*operand)),
            ExprKind::Compare { left, right, equal } => {
                format!("({}{})", if *equal { "==" } else { "!=" }, self.exprs(&[*left, *right]))
            }
            ExprKind::Is { value, shape } => format!("(is {shape:?} {})", self.expr(*value)),
            ExprKind::Concat(operands) => format!("(concat{})", self.exprs(operands)),
            ExprKind::Closure(id) => format!("(closure #{})", id.0),
            ExprKind::Sql(sql) => format!("(sql {}{})", sql_text(sql), self.exprs(&sql.holes)),
            ExprKind::Opaque { why, operands } => format!("(opaque {why:?}{})", self.exprs(operands)),
        }
    }

    fn entry(&mut self, entry: &Entry) -> String {
        match entry {
            Entry::Named { key, value, .. } => format!("{key}: {}", self.expr(*value)),
            Entry::Computed { key, value } => format!("[{}]: {}", self.expr(*key), self.expr(*value)),
            Entry::Spread(id) => format!("...{}", self.expr(*id)),
        }
    }

    fn item(&mut self, item: &Item) -> String {
        match item {
            Item::One(id) => self.expr(*id),
            Item::Spread(id) => format!("...{}", self.expr(*id)),
            Item::Each(id) => format!("each {}", self.expr(*id)),
        }
    }

    fn types(&mut self, types: &[TypeRef]) -> String {
        types.iter().map(|ty| self.ty(ty)).collect::<Vec<_>>().join(", ")
    }

    /// A type as written; bound to something in the file or imported, it says to what.
    fn ty(&mut self, ty: &TypeRef) -> String {
        if self.depth >= DEPTH_LIMIT {
            return "...".to_owned();
        }
        self.depth += 1;
        let mut text = match &ty.binding {
            Binding::Global(_) => ty.name.clone(),
            binding if ty.name == "typeof" => format!("typeof {}", self.binding(binding)),
            Binding::Class(_) => format!("class:{}", ty.name),
            Binding::Import(_) => format!("import:{}", ty.name),
            binding => self.binding(binding),
        };
        if !ty.args.is_empty() {
            let _ = write!(text, "<{}>", self.types(&ty.args));
        }
        self.depth -= 1;
        text
    }

    fn decorators(&mut self, decorators: &[Decorator]) -> String {
        let mut text = String::new();
        for decorator in decorators {
            let args: Vec<String> = decorator.args.iter().map(|id| self.expr(*id)).collect();
            let _ = write!(text, " @{}({})", decorator.name, args.join(", "));
        }
        text
    }

    fn export(&mut self, export: &Export) -> String {
        match export {
            Export::Named { name, binding } => format!("export {name} = {}", self.binding(binding)),
            Export::Value { name, value } => format!("export {name} = {}", self.expr(*value)),
            Export::From { name, from, module } => format!("export {name} = {} from {module:?}", imported(from)),
            Export::All { module } => format!("export * from {module:?}"),
        }
    }

    fn table(&mut self, table: &Table) {
        let model = table.model.as_ref().map(|model| format!(" model {model}")).unwrap_or_default();
        let change = match table.change {
            TableChange::Create => "create",
            TableChange::Alter => "alter",
            TableChange::Drop => "drop",
        };
        self.line(&format!("{change} table {}{model}", table.name));
        self.indent += 1;
        for column in &table.columns {
            self.line(&column_line(column));
        }
        for dropped in &table.dropped {
            self.line(&format!("drop {dropped}"));
        }
        self.indent -= 1;
    }
}

fn kind_word(kind: ClassKind) -> &'static str {
    match kind {
        ClassKind::Class => "class",
        ClassKind::Interface => "interface",
        ClassKind::ObjectType => "type",
        ClassKind::Alias => "alias",
        ClassKind::Enum => "enum",
    }
}

fn import_line(import: &Import) -> String {
    let local = if import.local.is_empty() { "-" } else { &import.local };
    format!("import {local} = {} from {:?}", imported(&import.what), import.module)
}

fn imported(what: &Imported) -> String {
    match what {
        Imported::Named(name) => name.clone(),
        Imported::Default => "default".to_owned(),
        Imported::Namespace => "*".to_owned(),
    }
}

fn column_line(column: &ColumnDecl) -> String {
    let mut text = column.name.clone();
    if column.property != column.name {
        let _ = write!(text, " ({})", column.property);
    }
    let _ = write!(text, ": {}{}", column.ty, if column.list { "[]" } else { "" });
    match column.nullable {
        Some(true) => text.push_str(" null"),
        Some(false) => text.push_str(" not null"),
        None => {}
    }
    if let Some(default) = &column.default {
        let _ = write!(text, " default {default:?}");
    }
    if let Some(relation) = &column.relation {
        let _ = write!(text, " relation {relation}");
    }
    text
}

fn sql_text(sql: &SqlText) -> String {
    let mut parts: Vec<String> = sql.statements.iter().map(sql_statement).collect();
    parts.extend(sql.gap.as_ref().map(|gap| format!("gap {gap:?}")));
    format!("`{}`", parts.join("; "))
}

fn sql_statement(statement: &SqlStatement) -> String {
    match statement {
        SqlStatement::Insert { table, columns, rows, conflict, .. } => {
            let columns: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
            let rows: Vec<String> = rows.iter().map(|row| format!("({})", sql_values(row))).collect();
            let conflict = match conflict {
                None => String::new(),
                Some(Conflict::Nothing) => " on conflict nothing".to_owned(),
                Some(Conflict::Replace) => " on conflict replace".to_owned(),
                Some(Conflict::Update(sets)) => format!(" on conflict set {}", sql_sets(sets)),
            };
            format!("insert {table}({}) {}{conflict}", columns.join(", "), rows.join(", "))
        }
        SqlStatement::Update { table, sets, .. } => format!("update {table} set {}", sql_sets(sets)),
        SqlStatement::Select { tables, columns, outputs, .. } => {
            let renamed = |output: &&SqlOutput| output.column.as_ref().is_none_or(|column| *column != output.name);
            let renamed = outputs.iter().filter(renamed).map(|output| {
                let column = output.column.as_deref().unwrap_or("opaque");
                format!(", {column} as {}", output.name)
            });
            format!("select {}{} from {}", columns.join(", "), renamed.collect::<String>(), tables.join(", "))
        }
        SqlStatement::Delete { table, .. } => format!("delete {table}"),
    }
}

fn sql_sets(sets: &[(String, SqlValue)]) -> String {
    sets.iter().map(|(name, value)| format!("{name} = {}", sql_value(value))).collect::<Vec<_>>().join(", ")
}

fn sql_values(values: &[SqlValue]) -> String {
    values.iter().map(sql_value).collect::<Vec<_>>().join(", ")
}

fn sql_value(value: &SqlValue) -> String {
    match &value.kind {
        SqlValueKind::Null => "null".to_owned(),
        SqlValueKind::Default => "default".to_owned(),
        SqlValueKind::Text(text) => format!("{text:?}"),
        SqlValueKind::Literal(text) => text.clone(),
        SqlValueKind::Placeholder(at) => format!("${at}"),
        SqlValueKind::Named(name) => format!(":{name}"),
        SqlValueKind::Hole(at) => format!("hole {at}"),
        SqlValueKind::Column(name) => name.clone(),
        SqlValueKind::Excluded(name) => format!("excluded.{name}"),
        SqlValueKind::Call { name, args } => format!("{name}({})", sql_values(args)),
        SqlValueKind::OfRows(list, at) => format!("{at} of rows {}", sql_value(list)),
        SqlValueKind::Coalesce(values) => format!("coalesce({})", sql_values(values)),
        SqlValueKind::Case(values) => format!("case({})", sql_values(values)),
        SqlValueKind::Concat(values) => format!("concat({})", sql_values(values)),
        SqlValueKind::Opaque(text) => format!("opaque {text:?}"),
    }
}
