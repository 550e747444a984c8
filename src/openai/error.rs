//! Errors as HTTP answers in the OpenAI shape: the one table.
