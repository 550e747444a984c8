//! Whether two questions have the same answer, as a calibrated probability.
