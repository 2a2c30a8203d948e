//! One function at a time, executed symbolically: what it calls, returns and assigns, in terms of its parameters.

mod value;

pub use value::{Argument, CallSite, CallValue, ClassRef, FunctionRef, Member, Shared, Slot, Value, ValueKind};
