//! What stands in for each `{slot}` of a template.
//!
//! What a reader could get wrong: a slot writes into the draft itself, because one slot may be several finds (`{formal}` is a title and a person).

use tidegate::pii::tagger::label::Label;

use crate::generate::{Case, Draft};
use crate::names::mangle;
use crate::places;

/// Shares in a hundred of names made up, and of slots that leave the sentence's locale.
const MADE_UP: usize = 35;
const FOREIGN: usize = 25;

/// False for a slot that is not known.
pub fn fill(draft: &mut Draft<'_>, slot: &str) -> bool {
    let home = draft.locale;
    if draft.random.percent(FOREIGN) {
        draft.another();
    }
    let known = person(draft, slot) || places::fill(draft, slot) || moment(draft, slot) || plain(draft, slot);
    draft.locale = home;
    known
}

fn person(draft: &mut Draft<'_>, slot: &str) -> bool {
    match slot {
        "first" => {
            let name = first(draft);
            draft.marked(&name, Label::Person);
        }
        "last" => {
            let name = last(draft);
            draft.marked(&name, Label::Person);
        }
        "full" => {
            let name = full(draft);
            draft.marked(&name, Label::Person);
        }
        "person" => {
            let name = match draft.random.below(4) {
                0 => first(draft),
                1 => last(draft),
                _ => full(draft),
            };
            draft.marked(&name, Label::Person);
        }
        "UPPERFULL" => {
            let name = full(draft).to_uppercase();
            draft.marked(&name, Label::Person);
        }
        "initial" => {
            let name = format!("{}.", initial(draft));
            draft.plain(&name);
        }
        "formal" => formal(draft, "honorific_en"),
        "formalde" => formal(draft, "honorific_de"),
        "formalfr" => formal(draft, "honorific_fr"),
        "formales" => formal(draft, "honorific_es"),
        "honor" => {
            let title = word(draft, "honorific");
            draft.marked(&title, Label::Title);
        }
        "job" => {
            let job = job(draft);
            let job = if draft.random.percent(60) { job.to_lowercase() } else { job };
            draft.marked(&job, Label::Title);
        }
        "nrp" => {
            let group = word(draft, "nation");
            let group = if draft.random.percent(25) { group.to_lowercase() } else { group };
            draft.marked(&group, Label::Group);
        }
        "nrps" => {
            let group = match draft.random.below(3) {
                0 => format!("{}s", word(draft, "nation")),
                _ => word(draft, "nations"),
            };
            let group = if draft.random.percent(30) { group.to_lowercase() } else { group };
            draft.marked(&group, Label::Group);
        }
        "age" => {
            let age = draft.random.between(1, 99).to_string();
            draft.marked(&age, Label::Age);
        }
        _ => return false,
    }
    true
}

fn formal(draft: &mut Draft<'_>, kind: &str) {
    let title = word(draft, kind);
    draft.marked(&title, Label::Title);
    draft.plain(" ");
    let name = if draft.random.percent(70) { last(draft) } else { full(draft) };
    draft.marked(&name, Label::Person);
}

fn job(draft: &mut Draft<'_>) -> String {
    match draft.random.below(5) {
        0 => word(draft, "job"),
        1 => word(draft, "job_alone"),
        2 => word(draft, "job_who"),
        _ => {
            let job = format!("{} {}", word(draft, "job_what"), word(draft, "job_who"));
            capital(&job)
        }
    }
}

pub fn word(draft: &mut Draft<'_>, kind: &str) -> String {
    draft.random.pick(draft.names.words(kind)).clone()
}

fn from_list(draft: &mut Draft<'_>, kind: &str) -> String {
    let list = draft.locale.list(kind);
    let one = draft.random.pick(list);
    if draft.random.percent(MADE_UP) {
        let other = draft.random.pick(list);
        return mangle(&mut draft.random, one, other);
    }
    one.clone()
}

pub fn first(draft: &mut Draft<'_>) -> String {
    from_list(draft, "first")
}

pub fn last(draft: &mut Draft<'_>) -> String {
    from_list(draft, "last")
}

fn initial(draft: &mut Draft<'_>) -> String {
    let name = first(draft);
    name.chars().next().map(String::from).unwrap_or_default()
}

pub fn full(draft: &mut Draft<'_>) -> String {
    let (given, family) = (first(draft), last(draft));
    match draft.random.below(24) {
        0 | 1 => format!("{given} {}. {family}", initial(draft)),
        2 | 3 => format!("{given} {} {family}", initial(draft)),
        4 => format!("{given} {} {family}", first(draft)),
        5 => format!("{given} {family}-{}", last(draft)),
        6 => format!("{given}-{} {family}", first(draft)),
        7 => format!("{}. {family}", initial(draft)),
        8 => format!("{given} {family} {}", last(draft)),
        9 => format!("{family} {given}"),
        _ if draft.locale.code == "hu_HU" && draft.random.percent(60) => format!("{family} {given}"),
        _ => format!("{given} {family}"),
    }
}

fn year(draft: &mut Draft<'_>) -> String {
    if draft.random.percent(85) { draft.random.between(1930, 2030) } else { draft.random.between(1500, 1930) }
        .to_string()
}

fn moment(draft: &mut Draft<'_>, slot: &str) -> bool {
    let text = match slot {
        "year" => year(draft),
        "weekday" => {
            let list = draft.names.words("weekday");
            let end = if draft.random.percent(80) { 7 } else { list.len() };
            list[draft.random.below(end)].clone()
        }
        "month" => month(draft),
        "date" => date(draft),
        _ => return false,
    };
    draft.marked(&text, Label::Date);
    true
}

fn month(draft: &mut Draft<'_>) -> String {
    let kind = if draft.random.percent(80) { "month" } else { "month_other" };
    let month = word(draft, kind);
    let short = draft.random.percent(20) && month.is_ascii() && month.len() > 4;
    if short { month[..3].to_owned() } else { month }
}

fn date(draft: &mut Draft<'_>) -> String {
    let day = draft.random.between(1, 28);
    let number = draft.random.between(1, 12);
    let year = year(draft);
    let (hour, minute) = (draft.random.below(24), draft.random.below(60));
    match draft.random.below(14) {
        0 => format!("{} {day}, {year}", month(draft)),
        1 => format!("{day} {} {year}", month(draft)),
        2 => format!("{day}. {} {year}", month(draft)),
        3 => format!("{} {day}", month(draft)),
        4 => format!("{day} {}", month(draft)),
        5 => format!("{day:02}.{number:02}.{year}"),
        6 => format!("{number}/{day}/{year}"),
        7 => format!("{day:02}/{number:02}/{}", &year[2..]),
        8 => format!("{year}-{number:02}-{day:02}"),
        9 => format!("{year}-{number:02}-{day:02} {hour:02}:{minute:02}:{:02}", draft.random.below(60)),
        10 => format!("{} {year}", month(draft)),
        11 => format!("{} {day}th, {year}", month(draft)),
        12 => format!("{day:02}-{number:02}-{year}"),
        _ => format!("{day}th of {}", month(draft)),
    }
}

fn digits(draft: &mut Draft<'_>, count: usize) -> String {
    (0..count).map(|_| char::from(b'0' + draft.random.below(10) as u8)).collect()
}

fn hex(draft: &mut Draft<'_>, count: usize) -> String {
    (0..count).map(|_| char::from(*draft.random.pick(b"0123456789abcdef"))).collect()
}

fn identifier(draft: &mut Draft<'_>) -> String {
    let one = word(draft, "ident");
    let separator = *draft.random.pick(&["", "", "_", "_", "-", "."]);
    if draft.random.percent(50) { one } else { format!("{one}{separator}{}", word(draft, "ident")) }
}

fn capital(text: &str) -> String {
    let mut signs = text.chars();
    signs.next().map(|first| first.to_uppercase().chain(signs).collect()).unwrap_or_default()
}

/// Slots that are nothing to find, or that other recognizers find.
fn plain(draft: &mut Draft<'_>, slot: &str) -> bool {
    let lower_names = draft.case;
    let text = match slot {
        "num" => {
            let size = draft.random.between(1, 5);
            digits(draft, size)
        }
        "small" => draft.random.between(1, 20).to_string(),
        "small2" => format!("{:02}", draft.random.between(1, 28)),
        "num5" => digits(draft, 5),
        "money" => {
            let amount = draft.random.between(1, 9000);
            match draft.random.below(5) {
                0 => format!("${amount}"),
                1 => format!("${amount}.{:02}", draft.random.below(100)),
                2 => format!("{amount} euros"),
                3 => format!("€{amount}"),
                _ => format!("{amount},{:02} €", draft.random.below(100)),
            }
        }
        "time" => match draft.random.below(3) {
            0 => format!("{}:{:02}", draft.random.between(1, 23), draft.random.below(60)),
            1 => format!("{} pm", draft.random.between(1, 12)),
            _ => format!("{}am", draft.random.between(1, 12)),
        },
        "phone" => phone(draft),
        "ssn" => format!("{}-{}-{}", digits(draft, 3), digits(draft, 2), digits(draft, 4)),
        "ip" => format!(
            "{}.{}.{}.{}",
            draft.random.below(256),
            draft.random.below(256),
            draft.random.below(256),
            draft.random.below(256)
        ),
        "day2" => draft.random.between(1, 28).to_string(),
        "email" => format!("{}@{}.com", first(draft).to_lowercase().replace(' ', "."), word(draft, "ident")),
        "url" => format!("https://www.{}{}.com/", word(draft, "ident"), word(draft, "firm_end")),
        "card" => digits(draft, 16),
        "id" => match draft.random.below(4) {
            0 => format!("#{}", digits(draft, 6)),
            1 => digits(draft, 8),
            2 => format!("{}-{}", hex(draft, 3).to_uppercase(), digits(draft, 5)),
            _ => format!("INV{}", digits(draft, 7)),
        },
        "product" => word(draft, "product"),
        "pron" => (*draft.random.pick(&["he", "she", "they"])).to_owned(),
        "Pron" => (*draft.random.pick(&["He", "She", "They"])).to_owned(),
        "ident" => identifier(draft),
        "Ident" => match draft.random.below(3) {
            0 => capital(&word(draft, "ident")),
            1 => format!("{}{}", capital(&word(draft, "ident")), capital(&word(draft, "ident"))),
            _ => format!("{} {}", capital(&word(draft, "ident")), capital(&word(draft, "ident"))),
        },
        "IDENT" => format!("{}_{}", word(draft, "ident"), word(draft, "ident")).to_uppercase(),
        "uuid" => {
            format!("{}-{}-4{}-a{}-{}", hex(draft, 8), hex(draft, 4), hex(draft, 3), hex(draft, 3), hex(draft, 12))
        }
        "hex" => {
            let size = *draft.random.pick(&[7, 32, 40, 40, 64]);
            hex(draft, size)
        }
        "hex6" => hex(draft, 6),
        "b64" => {
            let signs = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            let size = draft.random.between(20, 44);
            (0..size).map(|_| char::from(*draft.random.pick(signs))).collect()
        }
        "float" => {
            let size = draft.random.between(1, 16);
            format!("{}.{}", draft.random.below(100), digits(draft, size))
        }
        "iso" => {
            let end = *draft.random.pick(&["Z", "", ".123Z", "+00:00"]);
            let between = *draft.random.pick(&["T", "T", " "]);
            let (year, month, day) =
                (draft.random.between(2015, 2027), draft.random.between(1, 12), draft.random.between(1, 28));
            let (hour, minute) = (draft.random.below(24), draft.random.below(60));
            format!("{year}-{month:02}-{day:02}{between}{hour:02}:{minute:02}:00{end}")
        }
        _ => return false,
    };
    if lower_names == Case::LowerNames {
        draft.example.text.push_str(&text);
    } else {
        draft.plain(&text);
    }
    true
}

/// Forms of telephone numbers: a digit for each `9`.
const PHONES: [&str; 24] = [
    "+9 999 999 9999",
    "+99 999 9999999",
    "+99 (9)99 999 99 99",
    "+99 99 999 99 99",
    "+999 99 999 999",
    "+1-999-999-9999x999",
    "(999) 999-9999",
    "(999)999-9999x9999",
    "999-999-9999",
    "999.999.9999x999",
    "999 999 999",
    "999 999 9999",
    "0999 99 99 99",
    "099 999 99 99",
    "0999 999 99 99",
    "99 999999",
    "999 9999",
    "99.99.99.99.99",
    "099 9999 9999",
    "(09) 9999 9999",
    "9999999999",
    "99999999",
    "99 99 99 99",
    "+999999999999",
];

fn phone(draft: &mut Draft<'_>) -> String {
    let form = *draft.random.pick(&PHONES);
    form.chars().map(|sign| if sign == '9' { char::from(b'0' + draft.random.below(10) as u8) } else { sign }).collect()
}
