//! The configuration: the file's types, how it is loaded, everything that is wrong with it, its schema.

pub mod file;
pub mod scalar;
