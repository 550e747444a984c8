//! Who is asking, what he may use, and how much of it is left.
//!
//! What a reader could get wrong: what has been used survives reloads (`Ledgers of use` are kept by name, outside the snapshot).
