//! Who is asking, what he may use, and how much of it is left.
//!
//! What a reader could get wrong: the [`Directory`] belongs to the configuration and is built anew by each reload; what has been used
//! (meters, purses) stands in [`Accounts`] under the names of tenant and app, outside the snapshot, so that a reload resets nothing.

pub mod accounts;
pub mod calendar;
pub mod directory;
pub mod key;
pub mod meter;
pub mod purse;
pub mod shed;
pub mod tokens;

pub use accounts::Accounts;
pub use directory::{App, Directory, Known, Tenant, Unknown};
pub use meter::{Meter, Places, Refusal, Standing};
pub use purse::{Budget, Purse, Reservation};
pub use shed::Member;
