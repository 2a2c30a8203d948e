//! What is written to a tracked column, per code path.

mod path;

pub use path::{
    ColumnTrace, Confidence, EntryPoint, Hop, Meaning, MissingWrite, Origin, Path, ReadKind, ReadSite, Step, WriteSite,
};
