//! Symbolic values: what an expression can be, in terms of the parameters of the function it stands in.

use std::sync::Arc;

use crate::ir::{ClassId, ExprId, FunctionId, ImportId, LocalId, Missing, SqlText, TypeRef};
use crate::source::{FileId, Span};

/// A function of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionRef {
    pub file: FileId,
    pub id: FunctionId,
}

/// A class, interface or object type of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassRef {
    pub file: FileId,
    pub id: ClassId,
}

/// Shared: values form a graph without cycles in which sub-values recur.
pub type Shared = Arc<Value>;

/// A symbolic value and the source it was read from.
#[derive(Clone, Debug)]
pub struct Value {
    pub kind: ValueKind,
    pub span: Span,
}

impl Value {
    pub fn new(kind: ValueKind, span: Span) -> Shared {
        Arc::new(Self { kind, span })
    }
}

#[derive(Clone, Debug)]
pub enum ValueKind {
    Text(String),
    Number(String),
    Bool(bool),
    Null,
    Undefined,
    /// The nth parameter of a function; for a rest parameter all that it takes.
    Param(FunctionRef, u32),
    /// A variable of a function around this closure.
    Captured(FunctionRef, LocalId),
    /// What a closure leaves in a variable of the function around it.
    Leaves(FunctionRef, LocalId),
    /// The instance that a method (or a closure in it) runs on.
    This(ClassRef),
    Super(ClassRef),
    Function(FunctionRef),
    Class(ClassRef),
    Import(FileId, ImportId),
    Global(String),
    Field(Shared, String),
    Index(Shared, Shared),
    Element(Shared),
    Rest(Shared, Arc<[String]>),
    Subset(Shared),
    /// Entries in order, a later one wins; `base` is what stood there before fields were assigned.
    Object {
        base: Option<Shared>,
        entries: Vec<Slot>,
    },
    Array(Vec<Member>),
    Call(Arc<CallValue>),
    /// What a call made of one of its arguments (`None`: of its receiver) by assigning to its fields.
    After {
        call: Arc<CallValue>,
        arg: Option<u32>,
        before: Shared,
    },
    Cond {
        cond: Shared,
        then: Shared,
        otherwise: Shared,
    },
    Fallback {
        left: Shared,
        right: Shared,
        when: Missing,
    },
    And(Shared, Shared),
    Not(Shared),
    Compare {
        left: Shared,
        right: Shared,
        equal: bool,
    },
    /// One of these, no condition known: loops, `try`.
    Either(Vec<Shared>),
    Concat(Vec<Shared>),
    Sql(Arc<SqlText>, Vec<Shared>),
    Opaque(&'static str, Vec<Shared>),
}

#[derive(Clone, Debug)]
pub enum Slot {
    Named { key: String, key_span: Span, value: Shared },
    Computed { key: Shared, value: Shared },
    Spread(Shared),
}

#[derive(Clone, Debug)]
pub enum Member {
    One(Shared),
    Spread(Shared),
    /// Any number of this.
    Each(Shared),
}

/// A call as it is written in one function; substitution of parameters makes new ones of the same `site`.
#[derive(Clone, Debug)]
pub struct CallValue {
    pub site: CallSite,
    pub callee: Shared,
    pub args: Vec<Argument>,
    pub is_new: bool,
    pub type_args: Vec<TypeRef>,
}

#[derive(Clone, Debug)]
pub struct Argument {
    pub value: Shared,
    pub spread: bool,
}

/// Where a call is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallSite {
    pub function: FunctionRef,
    pub expr: ExprId,
    pub span: Span,
}
