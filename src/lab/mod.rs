//! The fault lab: simulated model servers over real sockets that fail on demand, a load, a script of faults, and a timeline of what the gateway
//! made of it. Used by the tests and by `tidegate demo --chaos`; no part of it serves a request.
//!
//! From below: `wire` (a server that misbehaves), `prefix` (a node's KV cache), `model` and `saying` (what servers are like and say), `fault` (what can
//! go wrong), `node` (one server and its handle), `dns` (a name server whose answers change). What a reader could get wrong: everything here is simulated
//! and says so; real are the sockets and the gateway.

pub mod dns;
pub mod fault;
pub mod model;
pub mod node;
pub mod prefix;
mod saying;
pub mod wire;

pub use fault::{Fault, Pause};
pub use model::{Character, Kind};
pub use node::Node;
