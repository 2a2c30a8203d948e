//! First drafts of files that belong to the audited project: its configuration, the test that pins a contract, the decision record.
//!
//! Input: the [`Facts`](crate::contract::Facts) of an audit and its [`Judgement`](crate::contract::Judgement); for a configuration the models of the whole tree too. Output: the text
//! of a file.
//!
//! Invariants: pure; everything said in a draft is a fact of the audit, with its place; what nobody has decided is left to people,
//! as a comment that says what there is to decide; no literal of the audited code and no live value is copied.
//!
//! Worked example: a tree whose `users.access_token` is stored by two logins and written back by a third gets a `[[column]]` with
//! `contract = "write-consistently"` and a comment that names the three.

mod columns;
mod configuration;
mod decision;
mod pin;
mod practice;
mod template;

pub use columns::{Candidate, candidates};
pub use configuration::{Proposed, configuration};
pub use decision::decision;
pub use pin::{PinError, PinRequest, Runner, pin, pin_file};
