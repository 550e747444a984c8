//! The types of CEL expressions as far as rules need them, and which of them go together.
//!
//! What a reader could get wrong: `Any` is the element of an empty or mixed list; it goes with everything here, and what does not
//! fit at run time makes the condition `Failed`, not wrong.

use std::fmt;

use crate::signals::table::ValueType;

/// The type of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Null,
    List(Box<Type>),
    Map(Box<Type>, Box<Type>),
    Any,
}

impl Type {
    pub fn is_number(&self) -> bool {
        matches!(self, Type::Int | Type::Uint | Type::Double)
    }

    pub fn is_any(&self) -> bool {
        *self == Type::Any
    }

    pub fn is_bool(&self) -> bool {
        matches!(self, Type::Bool | Type::Any)
    }

    pub fn is_text(&self) -> bool {
        matches!(self, Type::Text | Type::Any)
    }

    /// `==` between the two can hold. Numbers compare across their types.
    pub fn equates(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Any, _) | (_, Type::Any) => true,
            (Type::List(a), Type::List(b)) => a.equates(b),
            (Type::Map(k, v), Type::Map(l, w)) => k.equates(l) && v.equates(w),
            (a, b) => a == b || (a.is_number() && b.is_number()),
        }
    }

    /// `<` between the two is defined.
    pub fn orders(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Any, b) => !matches!(b, Type::List(_) | Type::Map(..) | Type::Null),
            (a, Type::Any) => Type::Any.orders(a),
            (Type::List(_) | Type::Map(..) | Type::Null, _) => false,
            (a, b) => a.equates(b),
        }
    }

    /// The type that holds both.
    pub fn join(self, other: Type) -> Type {
        match (self, other) {
            (a, b) if a == b => a,
            (Type::List(a), Type::List(b)) => Type::list(if a.is_any() { *b } else { a.join(*b) }),
            (Type::Map(k, v), Type::Map(l, w)) => Type::map(k.join(*l), v.join(*w)),
            _ => Type::Any,
        }
    }

    pub fn list(element: Type) -> Type {
        Type::List(Box::new(element))
    }

    pub fn map(key: Type, value: Type) -> Type {
        Type::Map(Box::new(key), Box::new(value))
    }
}

impl From<ValueType> for Type {
    fn from(value: ValueType) -> Type {
        match value {
            ValueType::Bool => Type::Bool,
            ValueType::Int => Type::Int,
            ValueType::Double => Type::Double,
            ValueType::Text => Type::Text,
            ValueType::TextList => Type::list(Type::Text),
            ValueType::TextMap => Type::map(Type::Text, Type::Text),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::Uint => f.write_str("uint"),
            Type::Double => f.write_str("double"),
            Type::Text => f.write_str("string"),
            Type::Bytes => f.write_str("bytes"),
            Type::Null => f.write_str("null"),
            Type::List(element) if element.is_any() => f.write_str("list"),
            Type::List(element) => write!(f, "list({element})"),
            Type::Map(key, value) if key.is_any() && value.is_any() => f.write_str("map"),
            Type::Map(key, value) => write!(f, "map({key}, {value})"),
            Type::Any => f.write_str("any"),
        }
    }
}
