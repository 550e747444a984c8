//! The configuration: the file's types, how it is loaded, everything that is wrong with it, its schema.
//!
//! The way of a file: text → [`document`] (a tree with positions) → [`interpolate`] (`${NAME}`) → [`decode`] (into [`file`]'s
//! types, `file:PATH` secrets read) → [`check`] (what the types cannot say) → [`load::Loaded`]. Each stage adds to one list of
//! [`problem`]s, so that an operator sees all of them at once.
//!
//! What a reader could get wrong: a value that came from the environment or from a secret's file never appears in a message.

pub mod attach;
mod check;
pub mod decode;
pub mod document;
pub mod file;
pub mod interpolate;
pub mod load;
pub mod price_list;
pub mod problem;
pub mod scalar;
pub mod schema;
pub mod watch;

pub use load::{ConditionCheck, Judges, Loaded, Lookup, load, parse};
pub use problem::{Problem, Problems};
