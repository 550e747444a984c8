//! Token figures read from answers.
