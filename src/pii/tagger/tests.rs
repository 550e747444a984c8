//! The tagger as shipped.
