//! Tests of phone numbers.
