//! What lowering makes of Rust.
