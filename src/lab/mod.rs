//! The fault lab: simulated model servers over real sockets that fail on demand, a load, a script of faults, and a timeline of what the gateway
//! made of it. Used by the tests and by `tidegate demo --chaos`; no part of it serves a request.
//!
//! From below: `wire` (a server that misbehaves), `prefix` (a node's KV cache), `model` and `saying` (what servers are like and say), `fault` (what can
//! go wrong), `node` (one server and its handle), `dns` (a name server whose answers change), `client`,
//! `load` and `tally` (who asks, and what came of it), `script`, `timeline` and `watch` (what happens when, and what the gateway does then). What a reader could get wrong: everything here is simulated
//! and says so; real are the sockets and the gateway. Of clocks only a server's can be wrong (`Node::set_clock`: its `date`
//! and the dates it asks to wait for): the gateway's own cannot be moved from outside, and what it decides by time takes the time as an argument.

pub mod client;
pub mod dns;
pub mod fault;
pub mod load;
pub mod model;
pub mod node;
pub mod prefix;
mod saying;
pub mod script;
pub mod tally;
pub mod timeline;
pub mod watch;
pub mod wire;

pub use fault::{Fault, Pause};
pub use model::{Character, Kind};
pub use node::Node;
