//! Nearest neighbours within a scope.
