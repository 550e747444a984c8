//! Tests of dates and ages.
