//! frontend

pub mod prisma;
pub mod sql;
