//! Tiers beyond memory: sealed entries on disk and in a shared Redis or Valkey.
