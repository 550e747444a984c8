//! A stored answer told again: as JSON, or as the events of a stream.
