//! The language-neutral program: what every front end lowers to and every later stage reads. Data only.
//!
//! Input: nothing (types). Output: a [`Module`] a file.
//!
//! Invariants: every node keeps its [`Span`]; what a front end cannot lower is [`ExprKind::Opaque`] with a reason, never
//! absent; `await`, `?`, casts, `.clone()`, non-null marks and parentheses vanish at lowering; assignments inside
//! expressions become statements before them; patterns become one assignment a name.
//!
//! Worked example: `const { id, ...rest } = await find(x ?? null)` is
//! ```text
//! %0 = Call find(Fallback(x, Null, Nullish));  id = Field(%0, id);  rest = Rest(%0, [id])
//! ```

mod dump;
mod imports;
mod sql;
mod table;
mod triggers;

pub use dump::dump;
pub use imports::{Export, Import, Imported, WHOLE};
pub use sql::{Conflict, SqlOutput, SqlPart, SqlStatement, SqlText, SqlValue, SqlValueKind, WHOLE_ROW};
pub use table::{ColumnDecl, Table, TableChange};
pub use triggers::{Assigned, Assignment, By, Routines, Trigger};

use std::collections::BTreeSet;

use crate::source::{FileId, Gap, Span};

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);
        impl $name {
            pub fn of(at: usize) -> Self { Self(u32::try_from(at).unwrap_or(u32::MAX)) }
            pub fn at(self) -> usize { self.0 as usize }
        }
    };
}

index!(/// An expression: index into [`Module::exprs`].
    ExprId);
index!(/// A local variable or parameter: index into [`Module::locals`].
    LocalId);
index!(/// A function, method or closure: index into [`Module::functions`]; 0 is the module's own body.
    FunctionId);
index!(/// A class, interface, struct, trait or object type: index into [`Module::classes`].
    ClassId);
impl ClassId {
    /// Of a function that is no method: the class that its `this` is of is told by whoever calls it, if at all.
    pub const UNTOLD: Self = Self(u32::MAX);
}

index!(/// An import: index into [`Module::imports`].
    ImportId);

/// One lowered file.
#[derive(Clone, Debug)]
pub struct Module {
    pub file: FileId,
    pub exprs: Vec<Expr>,
    pub locals: Vec<Local>,
    /// `functions[0]` is the body of the module itself, named `<module>`.
    pub functions: Vec<Function>,
    pub classes: Vec<Class>,
    pub imports: Vec<Import>,
    pub exports: Vec<Export>,
    /// What the file says about database tables: Prisma models, `CREATE TABLE`, `ALTER TABLE`.
    pub tables: Vec<Table>,
    pub gaps: Vec<Gap>,
    /// A call may change the variable that it is given or called on (`&mut`).
    pub lends: bool,
    /// Members and elements that are handed to a call so that they may change: `&mut ctx.user`; in TypeScript those of what is there:
    /// `ctx.user`, but not `ctx?.user`.
    pub lent: BTreeSet<ExprId>,
    /// What type parameters of the file's functions and classes extend: `T extends User`.
    pub bounds: Vec<(String, TypeRef)>,
}

impl Module {
    /// An empty module: no code but an empty body.
    pub fn new(file: FileId) -> Self {
        let span = Span { file, start: 0, end: 0 };
        let body = Function::new("<module>", FunctionKind::Module, span);
        Self {
            file,
            exprs: Vec::new(),
            locals: Vec::new(),
            functions: vec![body],
            classes: Vec::new(),
            imports: Vec::new(),
            exports: Vec::new(),
            tables: Vec::new(),
            gaps: Vec::new(),
            lends: false,
            lent: BTreeSet::new(),
            bounds: Vec::new(),
        }
    }

    pub fn add(&mut self, kind: ExprKind, span: Span) -> ExprId {
        self.exprs.push(Expr { kind, span });
        ExprId::of(self.exprs.len() - 1)
    }

    pub fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.at()]
    }

    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[id.at()]
    }

    pub fn class(&self, id: ClassId) -> &Class {
        &self.classes[id.at()]
    }
}

#[derive(Clone, Debug)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

/// A variable. Which function declares it tells a captured variable from an own one.
#[derive(Clone, Debug)]
pub struct Local {
    pub name: String,
    pub function: FunctionId,
    pub ty: Option<TypeRef>,
    pub span: Span,
}

/// What a name in the source stands for after lexical scoping.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binding {
    Local(LocalId),
    Function(FunctionId),
    Class(ClassId),
    Import(ImportId),
    /// Declared nowhere in the file: a builtin, a global.
    Global(String),
}

#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A string known at compile time. SQL text is [`ExprKind::Sql`].
    Text(String),
    /// A number or big integer as written.
    Number(String),
    Bool(bool),
    Null,
    /// `undefined`, `void 0`: kept apart from `null`, because ORMs treat it differently.
    Undefined,
    This,
    Super,
    Name(Binding),
    /// `base.name`, `base?.name`, `base['name']`.
    Field {
        base: ExprId,
        name: String,
        name_span: Span,
    },
    /// `base[index]` where the index is not a constant name (a constant integer: `index` is a `Number`).
    Index {
        base: ExprId,
        index: ExprId,
    },
    /// One element of an iterable: the variable of `for (x of base)`, the argument of `base.map(f)`.
    Element(ExprId),
    /// All keys of `base` but these: `const { a, ...rest } = base`.
    Rest {
        base: ExprId,
        except: Vec<String>,
    },
    /// A subset of the keys of `base` that is decided at run time: `Object.fromEntries(Object.entries(base).filter(f))`.
    Subset(ExprId, Kept),
    /// In source order; a later entry wins.
    Object(Vec<Entry>),
    Array(Vec<Item>),
    Call(Call),
    /// `cond ? then : otherwise`, a `switch` or `match` as a chain.
    Cond {
        cond: ExprId,
        then: ExprId,
        otherwise: ExprId,
    },
    /// `left ?? right`, `left || right`, a default value, `unwrap_or`.
    Fallback {
        left: ExprId,
        right: ExprId,
        when: Missing,
    },
    /// `left && right`: the right where the left holds.
    And {
        left: ExprId,
        right: ExprId,
    },
    Not(ExprId),
    /// `left == right` (`equal`) or `left != right`.
    Compare {
        left: ExprId,
        right: ExprId,
        equal: bool,
    },
    /// Whether a value is of a shape: `typeof value === 'string'`, `Array.isArray(value)`.
    Is {
        value: ExprId,
        shape: Shape,
    },
    /// A template or `+` on text.
    Concat(Vec<ExprId>),
    Closure(FunctionId),
    /// Text that is SQL; `holes` of the template are operands.
    Sql(Box<SqlText>),
    /// What the front end cannot say more about; the operands may flow into it.
    Opaque {
        why: &'static str,
        operands: Vec<ExprId>,
    },
}

/// Which keys a filter leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kept {
    /// Those whose values are there: `filter(([, value]) => value !== undefined)`.
    There,
    Some,
}

/// What a test at run time can tell a value to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    Text,
    Number,
    Bool,
    Function,
    /// Null and lists included.
    Object,
    List,
}

/// Which left values make a [`ExprKind::Fallback`] take the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Missing {
    /// `null` and `undefined`: `??`, `unwrap_or`, `COALESCE`.
    Nullish,
    /// Also `''`, `0`, `false`: `||`.
    Falsy,
    /// Only `undefined`: default parameters and default values in patterns.
    Undefined,
}

/// An entry of an object literal.
#[derive(Clone, Debug)]
pub enum Entry {
    /// `key: value`, shorthand, a method (value is a closure).
    Named {
        key: String,
        key_span: Span,
        value: ExprId,
    },
    /// `[key]: value` where the key is not a constant.
    Computed {
        key: ExprId,
        value: ExprId,
    },
    Spread(ExprId),
}

#[derive(Clone, Debug)]
pub enum Item {
    One(ExprId),
    Spread(ExprId),
    /// Any number of this: what `.map(f)` makes of each element.
    Each(ExprId),
}

#[derive(Clone, Debug)]
pub struct Call {
    /// `Field { base, name }` for a method call.
    pub callee: ExprId,
    pub args: Vec<Arg>,
    /// `new X(...)`, a struct literal `X { .. }` (one object argument).
    pub is_new: bool,
    /// `f<T>(...)`.
    pub type_args: Vec<TypeRef>,
}

#[derive(Clone, Copy, Debug)]
pub struct Arg {
    pub value: ExprId,
    pub spread: bool,
}

#[derive(Clone, Debug)]
pub enum Stmt {
    Assign {
        target: Place,
        value: ExprId,
        span: Span,
    },
    Expr(ExprId),
    If {
        cond: ExprId,
        then: Vec<Stmt>,
        otherwise: Vec<Stmt>,
    },
    /// The body runs any number of times; loop variables are assigned first in it.
    Loop {
        body: Vec<Stmt>,
    },
    Return(Option<ExprId>),
    Throw(Option<ExprId>),
    Try {
        body: Vec<Stmt>,
        catch: Vec<Stmt>,
        finally: Vec<Stmt>,
    },
}

/// What an assignment writes to.
#[derive(Clone, Debug)]
pub enum Place {
    Local(LocalId),
    Field {
        base: ExprId,
        name: String,
        name_span: Span,
    },
    /// `base[index] = value` where the index is not a constant.
    Index {
        base: ExprId,
        index: ExprId,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FunctionKind {
    Module,
    Free,
    Method,
    Constructor,
    Getter,
    Setter,
    Closure,
    /// A signature: interface method, abstract method, overload.
    Signature,
}

#[expect(clippy::struct_excessive_bools, reason = "what its declaration says, each by itself")]
#[derive(Clone, Debug)]
pub struct Function {
    /// A closure assigned to a name or key takes that name; others are `<closure>`.
    pub name: String,
    pub kind: FunctionKind,
    pub is_static: bool,
    /// `this` in it is its own: no arrow function.
    pub binds_this: bool,
    /// The first parameter is what the method is called on: Rust's `self`.
    pub takes_self: bool,
    /// Compiled for tests only, in a file that is not.
    pub is_test: bool,
    /// The whole function.
    pub span: Span,
    /// Its name; its start where it has none.
    pub name_span: Span,
    /// The function around a closure.
    pub parent: Option<FunctionId>,
    pub class: Option<ClassId>,
    pub params: Vec<Param>,
    /// Destructuring of parameters and their defaults come first.
    pub body: Vec<Stmt>,
    pub returns: Option<TypeRef>,
    pub decorators: Vec<Decorator>,
}

impl Function {
    pub fn new(name: &str, kind: FunctionKind, span: Span) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            is_static: false,
            binds_this: false,
            takes_self: false,
            is_test: false,
            span,
            name_span: span,
            parent: None,
            class: None,
            params: Vec::new(),
            body: Vec::new(),
            returns: None,
            decorators: Vec::new(),
        }
    }
}

/// A parameter. A pattern has a local without a name (`%0`) that the body takes apart; a default value stands in the body
/// as `local = Fallback(local, default, Undefined)`.
#[derive(Clone, Debug)]
pub struct Param {
    pub local: LocalId,
    pub name: String,
    pub ty: Option<TypeRef>,
    pub rest: bool,
    /// `x?: T` or a default value.
    pub optional: bool,
    pub decorators: Vec<Decorator>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClassKind {
    Class,
    Interface,
    /// `type X = { ... }` or an inline object type.
    ObjectType,
    /// `type X = Y`: `extends[0]` is Y.
    Alias,
    /// An enum: constant members are fields with an `init`.
    Enum,
}

#[derive(Clone, Debug)]
pub struct Class {
    pub name: String,
    pub kind: ClassKind,
    pub span: Span,
    pub name_span: Span,
    pub type_params: Vec<String>,
    /// A class has at most one; an interface or an intersection type any number.
    pub extends: Vec<TypeRef>,
    /// `class X extends f(Y)`: the call.
    pub extends_call: Option<ExprId>,
    pub implements: Vec<TypeRef>,
    pub decorators: Vec<Decorator>,
    /// Constructor parameters with a visibility (`private readonly x: T`) are fields too.
    pub fields: Vec<FieldDecl>,
    pub methods: Vec<FunctionId>,
    /// An index signature, a mapped type: there may be more keys than `fields`.
    pub open: bool,
}

#[derive(Clone, Debug)]
pub struct FieldDecl {
    pub name: String,
    pub ty: Option<TypeRef>,
    pub init: Option<ExprId>,
    pub is_static: bool,
    pub optional: bool,
    pub decorators: Vec<Decorator>,
    /// Of its name.
    pub span: Span,
    /// Of its type as written; of its name where none is.
    pub type_span: Span,
}

/// `@name(args)`; `name` is dotted as written.
#[derive(Clone, Debug)]
pub struct Decorator {
    pub name: String,
    pub binding: Binding,
    pub args: Vec<ExprId>,
    pub span: Span,
}

/// A type as written, reduced to what resolves receivers.
///
/// `Promise<X>`, `Readonly<X>`, `X | null`, `X | undefined` are kept as `X`. A union of several others is `|` with the members
/// as `args`; an array is `Array`; a string literal type is its quoted text (`'user'`); `X['key']` is `[]` with
/// `[X, 'key']`; a tuple is `[,]`; a function type is `=>` with what it returns; `keyof X` is `keyof`; an inline object type
/// is bound to an anonymous class; `typeof x.y` is `typeof` bound to `x` with `['y']`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TypeRef {
    /// Dotted as written: `Prisma.UserUpdateInput`.
    pub name: String,
    /// What the first segment of the name stands for.
    pub binding: Binding,
    pub args: Vec<TypeRef>,
    pub span: Span,
}
