//! The answers of `GET /v1/models`.
