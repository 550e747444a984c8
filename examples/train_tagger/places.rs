//! Slots of places, organisations and addresses.
//!
//! What a reader could get wrong: an address with its town in one go is one find; a town on a line or after "in" is one of its own.

use tidegate::pii::tagger::label::Label;

use crate::generate::Draft;
use crate::names::mangle;
use crate::slots::{first, last, word};

/// False for a slot that is not known.
pub fn fill(draft: &mut Draft<'_>, slot: &str) -> bool {
    match slot {
        "city" => {
            let name = city(draft);
            let name = if draft.random.percent(8) { name.to_uppercase() } else { name };
            draft.marked(&name, Label::Place);
        }
        "country" => {
            let name = country(draft);
            draft.marked(&name, Label::Place);
        }
        "state" => {
            let name = word(draft, "state");
            draft.marked(&name, Label::Place);
        }
        "place" => {
            let name = match draft.random.below(8) {
                0..=3 => city(draft),
                4 | 5 => country(draft),
                6 => word(draft, "region"),
                _ => word(draft, "continent"),
            };
            draft.marked(&name, Label::Place);
        }
        "org" => {
            let name = organization(draft);
            draft.marked(&name, Label::Organization);
        }
        "brand" => {
            let name = word(draft, "brand");
            draft.marked(&name, Label::Organization);
        }
        "zip" => {
            let code = code(draft);
            draft.marked(&code, Label::Zip);
        }
        "street" => mark(draft, street),
        "streetname" => mark(draft, street_name),
        "apt" => mark(draft, apartment),
        "post" => mark(draft, code),
        "pobox" => mark(draft, box_number),
        "addr" => mark(draft, address),
        "lines" => mark(draft, lines),
        "UPPERLINES" => mark(draft, |draft| lines(draft).to_uppercase()),
        _ => return false,
    }
    true
}

fn mark(draft: &mut Draft<'_>, make: fn(&mut Draft<'_>) -> String) {
    let text = make(draft);
    draft.marked(&text, Label::Address);
}

pub fn city(draft: &mut Draft<'_>) -> String {
    let own = draft.locale.list("city");
    let one = match draft.random.below(10) {
        0..=3 if !own.is_empty() => draft.random.pick(own).clone(),
        0..=7 => word(draft, "city"),
        _ => word(draft, "town"),
    };
    if draft.random.percent(25) {
        let other = if own.is_empty() { word(draft, "town") } else { draft.random.pick(own).clone() };
        return mangle(&mut draft.random, &one, &other);
    }
    one.trim().to_owned()
}

fn country(draft: &mut Draft<'_>) -> String {
    if draft.random.percent(75) { word(draft, "country").trim().to_owned() } else { word(draft, "country_more") }
}

fn capital(text: &str) -> String {
    let mut signs = text.chars();
    signs.next().map(|first| first.to_uppercase().chain(signs).collect()).unwrap_or_default()
}

fn organization(draft: &mut Draft<'_>) -> String {
    let own = draft.locale.list("firm");
    let glued = |draft: &mut Draft<'_>| capital(&format!("{}{}", word(draft, "firm_start"), word(draft, "firm_end")));
    match draft.random.below(16) {
        0 | 1 if !own.is_empty() => draft.random.pick(own).clone(),
        0..=2 => glued(draft),
        3 => format!("{} {}", glued(draft), word(draft, "firm_suffix")),
        4 => format!("{} {}", glued(draft), word(draft, "firm_kind")),
        5 => format!("{}-{}", last(draft), last(draft)),
        6 => format!("{}, {} and {}", last(draft), last(draft), last(draft)),
        7 => format!("{} {}", last(draft), word(draft, "firm_suffix")),
        8 => format!("{} {}", last(draft), word(draft, "firm_kind")),
        9 => format!("{} {}", word(draft, "firm_word"), word(draft, "firm_kind")),
        10 => format!("{} {} {}", word(draft, "firm_word"), word(draft, "firm_kind"), word(draft, "firm_suffix")),
        11 => format!("{} {}", city(draft), word(draft, "firm_kind")),
        12 => match draft.random.below(3) {
            0 => format!("University of {}", city(draft)),
            1 => format!("Bank of {}", city(draft)),
            _ => format!("{} & {}", last(draft), last(draft)),
        },
        13 => {
            let size = draft.random.between(2, 4);
            (0..size).map(|_| char::from(b'A' + draft.random.below(26) as u8)).collect()
        }
        14 => format!("{} {}", word(draft, "firm_word"), word(draft, "firm_word")),
        _ => word(draft, "brand"),
    }
}

fn code(draft: &mut Draft<'_>) -> String {
    let own = draft.locale.list("post");
    if !own.is_empty() && draft.random.percent(60) {
        return draft.random.pick(own).clone();
    }
    let size = *draft.random.pick(&[4, 5, 5, 5, 6]);
    (0..size).map(|_| char::from(b'0' + draft.random.below(10) as u8)).collect()
}

fn number(draft: &mut Draft<'_>) -> String {
    let top = *draft.random.pick(&[99, 400, 9999, 99999]);
    let number = draft.random.between(1, top);
    if draft.random.percent(8) {
        format!("{number}{}", draft.random.pick(&["a", "b", "c", "A", "B"]))
    } else {
        number.to_string()
    }
}

fn street_name(draft: &mut Draft<'_>) -> String {
    let own = draft.locale.list("street");
    if !own.is_empty() && draft.random.percent(55) {
        return draft.random.pick(own).clone();
    }
    let stem = match draft.random.below(4) {
        0 => first(draft),
        1 => city(draft),
        _ => last(draft),
    };
    match draft.random.below(12) {
        0 => format!("{stem}strasse"),
        1 => format!("{stem}straat"),
        2 => format!("{stem}katu"),
        3 => format!("{stem}gata"),
        4 => format!("rue {stem}"),
        5 => format!("Via {stem}"),
        6 => format!("ul. {stem}"),
        7 => format!("Calle {stem}"),
        _ => format!("{stem} {}", word(draft, "street_type")),
    }
}

fn street(draft: &mut Draft<'_>) -> String {
    let own = draft.locale.list("line");
    if !own.is_empty() && draft.random.percent(45) {
        return draft.random.pick(own).clone();
    }
    let (name, number) = (street_name(draft), number(draft));
    match draft.random.below(8) {
        0 => format!("{number}, {name}"),
        1 | 2 => format!("{name} {number}"),
        3 => format!("{number} {name} {}", draft.random.between(1, 300)),
        4 => format!("{name} {number}, {}", apartment(draft)),
        _ => format!("{number} {name}"),
    }
}

fn apartment(draft: &mut Draft<'_>) -> String {
    format!("{} {}", word(draft, "apt_type"), draft.random.between(1, 999))
}

fn box_number(draft: &mut Draft<'_>) -> String {
    let number = draft.random.between(1, 9999);
    match draft.random.below(6) {
        0 => format!("PO Box {number}"),
        1 => format!("P.O. Box {number}"),
        2 => format!("Postfach {number}"),
        3 => format!("BP {number}"),
        4 => format!(
            "PSC {number}, Box {}\nAPO {} {}",
            draft.random.between(1, 9999),
            draft.random.pick(&["AA", "AE", "AP"]),
            code(draft)
        ),
        _ => format!(
            "Unit {number} Box {}\nDPO {} {}",
            draft.random.between(1, 9999),
            draft.random.pick(&["AA", "AE", "AP"]),
            code(draft)
        ),
    }
}

fn address(draft: &mut Draft<'_>) -> String {
    let own = draft.locale.list("whole");
    let street = street(draft);
    match draft.random.below(12) {
        0 | 1 if !own.is_empty() => draft.random.pick(own).replace("\\n", "\n"),
        2 if !own.is_empty() => draft.random.pick(own).replace("\\n", ", "),
        3 => box_number(draft),
        0 => format!("{street}, {}", apartment(draft)),
        1 | 2 => format!("{street}, {} {}", code(draft), city(draft)),
        4 => format!("{street} {} {} {}", apartment(draft), city(draft), country(draft)),
        5 => format!("{street} {}\n{}\n {} {}", apartment(draft), city(draft), country(draft), code(draft)),
        6 => format!("{street}, {}, {} {}", city(draft), word(draft, "state"), code(draft)),
        7 => format!("{street}\n{}, {} {}", city(draft), word(draft, "state"), code(draft)),
        8 => format!("{street} {}, {}, {} {}", apartment(draft), city(draft), country(draft), code(draft)),
        9 => format!("{street} {} {}", apartment(draft), city(draft)),
        _ => street,
    }
}

fn lines(draft: &mut Draft<'_>) -> String {
    let own = draft.locale.list("whole");
    if !own.is_empty() && draft.random.percent(50) {
        return draft.random.pick(own).replace("\\n", "\n");
    }
    let street = street(draft);
    match draft.random.below(3) {
        0 => format!("{street}\n{} {}", code(draft), city(draft)),
        1 => format!("{street}\n{}\n{} {}", apartment(draft), city(draft), code(draft)),
        _ => format!("{street}\n{}, {} {}", city(draft), word(draft, "state"), code(draft)),
    }
}
