//! Server-sent events: frames found in a byte stream that may be split anywhere.
