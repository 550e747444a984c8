//! Text to vector: static token vectors distilled from all-MiniLM-L6-v2.
