//! Who writes this token column, with what, on which code path, and does the live database agree?
//!
//! The modules stand in the order of the pipeline; each uses only those above it.

pub mod source;

pub mod ir;
pub mod rules;

pub mod config;

pub mod discover;
pub mod frontend;
pub mod summary;

pub mod graph;

pub mod schema;
pub mod sites;

pub mod provenance;

pub mod probe;

pub mod contract;

pub mod report;
