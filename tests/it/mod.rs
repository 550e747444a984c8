//! One file per behaviour.
