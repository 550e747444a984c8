//! The functions that a condition may call, what they take and give.
//!
//! What a reader could get wrong: the interpreter knows more functions than these. What is not in this table is refused at load, so
//! that nothing is offered whose cost is not bounded or whose meaning could change with the library.

use super::types::Type;
use crate::signals::table::nearest;

/// How a function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `f(x)`
    Global,
    /// `x.f(y)`
    Member,
    /// Either.
    Both,
}

struct Function {
    name: &'static str,
    style: Style,
    /// Arguments, the value it is called on included.
    arguments: usize,
    accepts: fn(&[Type]) -> bool,
    returns: Type,
    /// What to write, for messages.
    usage: &'static str,
}

#[rustfmt::skip]
static FUNCTIONS: [Function; 10] = [
    Function { name: "size", style: Style::Both, arguments: 1, accepts: sized, returns: Type::Int, usage: "size(modalities)" },
    Function { name: "startsWith", style: Style::Member, arguments: 2, accepts: texts, returns: Type::Bool, usage: "model.startsWith('gpt-')" },
    Function { name: "endsWith", style: Style::Member, arguments: 2, accepts: texts, returns: Type::Bool, usage: "model.endsWith('-mini')" },
    Function { name: "contains", style: Style::Member, arguments: 2, accepts: texts, returns: Type::Bool, usage: "app.contains('batch')" },
    Function { name: "matches", style: Style::Both, arguments: 2, accepts: texts, returns: Type::Bool, usage: "user.matches('^svc-')" },
    Function { name: "int", style: Style::Global, arguments: 1, accepts: scalar, returns: Type::Int, usage: "int(tags.level)" },
    Function { name: "uint", style: Style::Global, arguments: 1, accepts: scalar, returns: Type::Uint, usage: "uint(tags.level)" },
    Function { name: "double", style: Style::Global, arguments: 1, accepts: scalar, returns: Type::Double, usage: "double(turns)" },
    Function { name: "string", style: Style::Global, arguments: 1, accepts: printable, returns: Type::Text, usage: "string(turns)" },
    Function { name: "bool", style: Style::Global, arguments: 1, accepts: truth, returns: Type::Bool, usage: "bool(tags.urgent)" },
];

/// Macros are expanded by the parser; one that is still a call was written with the wrong number of arguments.
#[rustfmt::skip]
static MACROS: [(&str, &str); 7] = [
    ("has", "has(tags.team)"),
    ("exists", "modalities.exists(m, m == 'image')"),
    ("exists_one", "modalities.exists_one(m, m != 'text')"),
    ("existsOne", "modalities.existsOne(m, m != 'text')"),
    ("all", "modalities.all(m, m == 'text')"),
    ("map", "tags.map(k, tags[k])"),
    ("filter", "modalities.filter(m, m != 'text')"),
];

/// What people write who know another language.
static FOREIGN: [(&str, &str); 6] = [
    ("len", "size"),
    ("length", "size"),
    ("count", "size"),
    ("any", "exists"),
    ("includes", "contains"),
    ("match", "matches"),
];

/// The type of a call, or what is wrong with it. `arguments` begins with the value that a member call is made on.
pub(super) fn resolve(name: &str, member: bool, arguments: &[Type]) -> Result<Type, String> {
    let Some(function) = FUNCTIONS.iter().find(|function| function.name == name) else {
        return Err(unknown(name));
    };
    let style_fits = match function.style {
        Style::Both => true,
        Style::Global => !member,
        Style::Member => member,
    };
    if !style_fits || arguments.len() != function.arguments {
        return Err(format!("`{name}` is written like this: {}", function.usage));
    }
    if !(function.accepts)(arguments) {
        let given: Vec<String> = arguments.iter().map(Type::to_string).collect();
        return Err(format!("`{name}` does not take {}: write for example {}", given.join(" and "), function.usage));
    }
    Ok(function.returns.clone())
}

/// Whether the name means something here.
pub(super) fn is_known(name: &str) -> bool {
    is_function(name) || MACROS.iter().any(|(macro_name, _)| *macro_name == name)
}

/// Whether it can be called; a macro was expanded before, or is written wrongly.
fn is_function(name: &str) -> bool {
    FUNCTIONS.iter().any(|function| function.name == name)
}

/// What is wrong with a name that cannot be called, before anything is known of its arguments.
pub(super) fn refuse(name: &str) -> Option<String> {
    (!is_function(name)).then(|| unknown(name))
}

fn unknown(name: &str) -> String {
    if let Some((_, usage)) = MACROS.iter().find(|(macro_name, _)| *macro_name == name) {
        return format!("`{name}` is written like this: {usage}");
    }
    let names = FUNCTIONS.iter().map(|function| function.name).chain(MACROS.iter().map(|(name, _)| *name));
    let meant = FOREIGN.iter().find(|(foreign, _)| *foreign == name).map(|(_, ours)| *ours);
    match meant.or_else(|| nearest(name, names.clone())) {
        Some(near) => format!("unknown function `{name}`; did you mean `{near}`?"),
        None => format!("unknown function `{name}`: there are {}", names.collect::<Vec<_>>().join(", ")),
    }
}

fn sized(arguments: &[Type]) -> bool {
    arguments.iter().all(|t| matches!(t, Type::Text | Type::Bytes | Type::List(_) | Type::Map(..) | Type::Any))
}

fn texts(arguments: &[Type]) -> bool {
    arguments.iter().all(Type::is_text)
}

fn scalar(arguments: &[Type]) -> bool {
    arguments.iter().all(|t| t.is_number() || t.is_text())
}

fn printable(arguments: &[Type]) -> bool {
    arguments.iter().all(|t| t.is_number() || t.is_text() || t.is_bool())
}

fn truth(arguments: &[Type]) -> bool {
    arguments.iter().all(|t| t.is_text() || t.is_bool())
}
