//! Symbolic values: what an expression can be, in terms of the parameters of the function it stands in.

use std::sync::Arc;

use crate::ir::{ClassId, ExprId, FunctionId, ImportId, Kept, LocalId, Missing, Shape, SqlText, TypeRef};
use crate::source::{FileId, Span};
use crate::summary::shared::one;

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
    /// How many values lie nested below; bounded, so that no walk over a value (nor its drop) can overflow the stack.
    depth: u16,
    /// Whether a parameter or a variable of another function lies in it, so that substitution can change it.
    open: bool,
}

const DEEPEST: u16 = 400;

impl Value {
    /// A value; one that is nested too deeply becomes [`ValueKind::Opaque`].
    pub fn new(kind: ValueKind, span: Span) -> Shared {
        let mut depth = 0;
        let mut open =
            matches!(kind, ValueKind::Param(..) | ValueKind::Captured(..) | ValueKind::Leaves(..) | ValueKind::This(_));
        // What a closure that is handed over makes can be made of them too.
        if let ValueKind::Call(call) = &kind {
            open |= call.args.iter().any(|arg| matches!(arg.value.kind, ValueKind::Function(_)));
        }
        kind.each(&mut |inner| {
            depth = depth.max(inner.depth + 1);
            open |= inner.open;
        });
        if depth > DEEPEST {
            let kind = ValueKind::Opaque("nested too deeply", Vec::new());
            return Arc::new(Self { kind, span, depth: 0, open: false });
        }
        one(Self { kind, span, depth, open })
    }

    /// Whether a parameter or a variable of another function lies in it.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Key `name` of `base`, looked up where `base` is an object known here.
    pub fn field(base: &Shared, name: &str, span: Span) -> Shared {
        match &base.kind {
            ValueKind::Object { base: below, entries } => Self::field_of_entries(below.as_ref(), entries, name, span),
            // `null.x` throws: nothing comes of it.
            ValueKind::Null | ValueKind::Undefined => Self::new(ValueKind::Either(Vec::new()), span),
            // `false.x` is undefined.
            ValueKind::Bool(_) => Self::new(ValueKind::Undefined, span),
            _ => Self::new(ValueKind::Field(Arc::clone(base), name.to_owned()), span),
        }
    }

    fn field_of_entries(below: Option<&Shared>, entries: &[Slot], name: &str, span: Span) -> Shared {
        let Some((last, before)) = entries.split_last() else {
            return below.map_or_else(|| Self::new(ValueKind::Undefined, span), |below| Self::field(below, name, span));
        };
        let rest = || Self::field_of_entries(below, before, name, span);
        match last {
            Slot::Named { key, value, .. } if key == name => Arc::clone(value),
            Slot::Named { .. } => rest(),
            Slot::Computed { value, .. } => Self::new(ValueKind::Either(vec![rest(), Arc::clone(value)]), span),
            Slot::Spread(inner) => {
                let left = Self::field(inner, name, span);
                if matches!(left.kind, ValueKind::Undefined) {
                    return rest();
                }
                Self::new(ValueKind::Fallback { left, right: rest(), when: Missing::Undefined }, span)
            }
        }
    }

    /// `left` where it is there, else `right`: one of them where that is plain.
    pub fn fallback(left: Shared, right: Shared, when: Missing, span: Span) -> Shared {
        match &left.kind {
            ValueKind::Undefined => right,
            ValueKind::Object { .. } | ValueKind::Array(_) | ValueKind::Function(_) | ValueKind::Class(_) => left,
            _ => Self::new(ValueKind::Fallback { left, right, when }, span),
        }
    }

    /// Whether it can be an object of a class that is not written out here.
    fn may_be_instance(&self) -> bool {
        matches!(
            self.kind,
            ValueKind::Param(..)
                | ValueKind::Call(_)
                | ValueKind::Captured(..)
                | ValueKind::After { .. }
                | ValueKind::Element(_)
                | ValueKind::Index(..)
        )
    }

    /// The callee of `base.name(..)`: what an object that is written out holds under the name; else a field, so that what the
    /// method is called on stays visible with all that was assigned to it.
    pub fn method(base: &Shared, name: &str, span: Span) -> Shared {
        let is_held = |slot: &Slot| matches!(slot, Slot::Named { key, .. } if key == name);
        // `Object.assign(user, changes)` is the user still.
        let is_changed = |entries: &[Slot]| {
            let held = |slot: &Slot| match slot {
                Slot::Spread(inner) => {
                    matches!(&inner.kind, ValueKind::Object { entries, .. } if entries.iter().any(is_held))
                }
                slot => is_held(slot),
            };
            let first = matches!(entries.first(), Some(Slot::Spread(inner)) if inner.may_be_instance());
            first && !entries.iter().any(held)
        };
        match &base.kind {
            ValueKind::Object { base: None, entries } if !is_changed(entries) => Self::field(base, name, span),
            ValueKind::Object { entries, .. } if entries.iter().any(is_held) => Self::field(base, name, span),
            _ => Self::new(ValueKind::Field(Arc::clone(base), name.to_owned()), span),
        }
    }

    /// One element of `base`.
    pub fn element(base: &Shared, span: Span) -> Shared {
        let ValueKind::Array(members) = &base.kind else {
            return Self::new(ValueKind::Element(Arc::clone(base)), span);
        };
        let is_empty = |member: &&Member| matches!(member, Member::Spread(list) if matches!(&list.kind, ValueKind::Array(none) if none.is_empty()));
        let each: Vec<Shared> = members
            .iter()
            .filter(|member| !is_empty(member))
            .map(|member| match member {
                Member::One(value) | Member::Each(value) => Arc::clone(value),
                Member::Spread(inner) => Self::element(inner, span),
            })
            .collect();
        match <[Shared; 1]>::try_from(each) {
            Ok([only]) => only,
            Err(each) if each.is_empty() => Self::new(ValueKind::Undefined, span),
            Err(each) => Self::new(ValueKind::Either(each), span),
        }
    }

    /// One element of an array; anything else as it is.
    pub fn element_or_self(value: &Shared) -> Shared {
        if matches!(value.kind, ValueKind::Array(_)) { Self::element(value, value.span) } else { Arc::clone(value) }
    }

    /// What stood there before calls were handed it: each registration that names `const check = expressjwt({ .. })` may change it.
    pub fn before_calls(value: &Shared) -> &Shared {
        let mut at = value;
        while let ValueKind::After { before, .. } = &at.kind {
            at = before;
        }
        at
    }

    /// The list whose elements these are, where each had fields assigned: by a loop, or by a closure that was run with each.
    pub fn changed_from(&self) -> Option<&Shared> {
        let ValueKind::Array(members) = &self.kind else { return None };
        let [Member::Each(element)] = members.as_slice() else { return None };
        let mut at = element;
        while let ValueKind::Object { base: Some(base), .. } | ValueKind::After { before: base, .. } = &at.kind {
            at = base;
        }
        match &at.kind {
            ValueKind::Element(of) | ValueKind::Index(of, _) if !Arc::ptr_eq(at, element) => Some(of),
            _ => None,
        }
    }

    /// Element `index` of `base`, looked up where the index is a number and the array is known.
    pub fn index(base: &Shared, index: &Shared, span: Span) -> Shared {
        if let (ValueKind::Array(members), ValueKind::Number(number)) = (&base.kind, &index.kind)
            && let Ok(at) = number.parse::<usize>()
        {
            let known = members.iter().take(at + 1).all(|member| matches!(member, Member::One(_)));
            if let (true, Some(Member::One(value))) = (known, members.get(at)) {
                return Arc::clone(value);
            }
            if known && at >= members.len() {
                return Self::new(ValueKind::Undefined, span);
            }
            return Self::element(base, span);
        }
        Self::new(ValueKind::Index(Arc::clone(base), Arc::clone(index)), span)
    }
}

impl ValueKind {
    /// Calls `visit` with every direct sub-value.
    pub fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a Shared)) {
        match self {
            Self::Text(_)
            | Self::Number(_)
            | Self::Bool(_)
            | Self::Null
            | Self::Undefined
            | Self::Param(..)
            | Self::Captured(..)
            | Self::This(_)
            | Self::Super(_)
            | Self::Function(_)
            | Self::Class(_)
            | Self::Import(..)
            | Self::Module(_)
            | Self::Global(_)
            | Self::Stored { .. } => {}
            Self::Field(base, _)
            | Self::Element(base)
            | Self::Rest(base, _)
            | Self::Subset(base, _)
            | Self::Not(base)
            | Self::Leaves(_, _, base)
            | Self::Is(base, _) => visit(base),
            Self::Index(left, right)
            | Self::And(left, right)
            | Self::Fallback { left, right, .. }
            | Self::Compare { left, right, .. } => {
                visit(left);
                visit(right);
            }
            Self::Cond { cond, then, otherwise } => {
                visit(cond);
                visit(then);
                visit(otherwise);
            }
            Self::Object { base, entries } => {
                base.iter().for_each(&mut *visit);
                for entry in entries {
                    match entry {
                        Slot::Named { value, .. } | Slot::Spread(value) => visit(value),
                        Slot::Computed { key, value } => {
                            visit(key);
                            visit(value);
                        }
                    }
                }
            }
            Self::Array(members) => {
                for member in members {
                    let (Member::One(value) | Member::Spread(value) | Member::Each(value)) = member;
                    visit(value);
                }
            }
            Self::Call(call) => call.each(visit),
            Self::After { call, before, .. } => {
                call.each(visit);
                visit(before);
            }
            Self::Either(values) | Self::Concat(values) | Self::Sql(_, values) | Self::Opaque(_, values) => {
                values.iter().for_each(visit);
            }
        }
    }
}

impl CallValue {
    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a Shared)) {
        visit(&self.callee);
        self.args.iter().for_each(|arg| visit(&arg.value));
    }

    /// What a method is called on.
    pub fn receiver(&self) -> Option<&Shared> {
        match &self.callee.kind {
            ValueKind::Field(base, _) => Some(base),
            _ => None,
        }
    }

    /// The method's name, of a method call.
    pub fn method(&self) -> Option<&str> {
        match &self.callee.kind {
            ValueKind::Field(_, name) => Some(name),
            _ => None,
        }
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
    /// A variable of a function around, as the named closure reads it.
    Captured(FunctionRef, LocalId),
    /// What the named closure leaves in a variable of the function around it, which held the value before; where it may never run,
    /// either of them.
    Leaves(FunctionRef, LocalId, Shared),
    /// The instance that a method (or a closure in it) runs on.
    This(ClassRef),
    Super(ClassRef),
    Function(FunctionRef),
    Class(ClassRef),
    Import(FileId, ImportId),
    /// All exports of a file of the tree, where no import of the file at hand names it: `export * as users from './users'`.
    Module(FileId),
    Global(String),
    Field(Shared, String),
    Index(Shared, Shared),
    Element(Shared),
    Rest(Shared, Arc<[String]>),
    Subset(Shared, Kept),
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
    Is(Shared, Shape),
    /// One of these, no condition known: loops, `try`.
    Either(Vec<Shared>),
    Concat(Vec<Shared>),
    Sql(Arc<SqlText>, Vec<Shared>),
    /// What a column of the written row holds before the write: `COALESCE($1, access_token)`.
    Stored {
        table: String,
        column: String,
    },
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

impl Member {
    /// The element, or the list of elements.
    pub fn value(&self) -> &Shared {
        let (Self::One(value) | Self::Spread(value) | Self::Each(value)) = self;
        value
    }
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
