//! The tagger as shipped, on sentences written for it.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::pii::entity::Entity;

fn tagged(text: &str) -> Vec<Span> {
    let mut found = vec![];
    tag(text, &mut found);
    found
}

/// `PERSON Anna Berg; LOCATION Oslo`.
fn read(text: &str) -> String {
    let mut line = String::new();
    for span in tagged(text) {
        let name = span.entity.about().map_or("?", |about| about.name);
        let separator = if line.is_empty() { "" } else { "; " };
        write!(line, "{separator}{name} {}", &text[span.start..span.end]).unwrap();
    }
    line
}

#[track_caller]
fn finds(text: &str, entity: Entity, what: &str) {
    let name = entity.about().map_or("?", |about| about.name);
    let found = read(text);
    assert!(found.split("; ").any(|find| find == format!("{name} {what}")), "{text:?}: {found}");
}

#[test]
fn the_shipped_weights_can_be_read() {
    assert!(Model::shipped().is_some());
}

#[test]
fn people_in_prose_and_in_lower_case() {
    for (text, who) in [
        ("Hello, my name is Katharina Vogel and I lost my card.", "Katharina Vogel"),
        ("hi, my name is katharina vogel and i lost my card", "katharina vogel"),
        ("Dr. Okonkwo will see you now.", "Okonkwo"),
        ("Please ask Yuki Tanaka to call me back.", "Yuki Tanaka"),
        ("Could you tell Sigríður Jónsdóttir that I am late?", "Sigríður Jónsdóttir"),
        ("Меня зовут Ольга Смирнова, я живу в Самаре.", "Ольга Смирнова"),
        ("Ονομάζομαι Ελένη Παπαδοπούλου και μένω στην Πάτρα.", "Ελένη Παπαδοπούλου"),
        ("Bonjour, je m'appelle Amélie Rousseau.", "Amélie Rousseau"),
        ("Ich heiße Jürgen Schäfer und wohne in Kassel.", "Jürgen Schäfer"),
        ("Me llamo Lucía Fernández y vivo en Sevilla.", "Lucía Fernández"),
        ("thanks rajesh, see you tomorrow", "rajesh"),
        ("The account belongs to Siobhan O'Sullivan.", "Siobhan O'Sullivan"),
        ("Met vriendelijke groet,\nPieter de Vries", "Pieter de Vries"),
    ] {
        finds(text, Entity::PERSON, who);
    }
}

#[test]
fn places_organizations_and_addresses() {
    finds("We moved from Tampere to Porto last year.", Entity::LOCATION, "Tampere");
    finds("We moved from Tampere to Porto last year.", Entity::LOCATION, "Porto");
    finds("is there a branch in ljubljana?", Entity::LOCATION, "ljubljana");
    finds("She works for Brightpath Analytics GmbH in Graz.", Entity::ORGANIZATION, "Brightpath Analytics GmbH");
    finds("Please send it to 42 Willow Lane, thanks.", Entity::STREET_ADDRESS, "42 Willow Lane");
    finds("I live at Lindenstraße 17 in Bremen.", Entity::STREET_ADDRESS, "Lindenstraße 17");
    finds("Ship it to P.O. Box 771, please.", Entity::STREET_ADDRESS, "P.O. Box 771");
}

#[test]
fn ages_groups_titles_and_years() {
    finds("My father is 71 years old.", Entity::AGE, "71");
    finds("She is Norwegian.", Entity::NRP, "Norwegian");
    finds("Is Mrs. Keller in today?", Entity::TITLE, "Mrs.");
    finds("The company was founded in 1987 by two friends.", Entity::DATE_TIME, "1987");
}

#[test]
fn household_names_are_public_and_others_are_not() {
    let public = |text: &str| tagged(text).iter().map(|span| span.public).collect::<Vec<_>>();
    assert_eq!(public("We flew to Portugal."), [true], "{}", read("We flew to Portugal."));
    assert_eq!(public("She works for Google."), [true], "{}", read("She works for Google."));
    assert_eq!(public("We flew to Innsbruck."), [false], "{}", read("We flew to Innsbruck."));
}

#[test]
fn nothing_in_code_and_plain_questions() {
    for text in [
        "let handler = Router::new().route(\"/v1/models\", get(list_models));",
        "\"created_at\": \"2025-11-02T08:15:00Z\", \"model\": \"large-v3\"",
        "FROM rust:1.95-slim AS build",
        "if (user.name === undefined) { return null; }",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "SELECT id, total FROM orders WHERE status = 'open' ORDER BY id DESC;",
        "2025-11-02 08:15:00 ERROR worker::queue: connection to 10.0.0.3:5432 refused",
        "How do I reverse a linked list?",
        "what is the difference between a list and a tuple",
        "Explain why the sky is blue, in three sentences.",
        "Mix the flour with two eggs and bake it for 40 minutes.",
        "Solve 3x + 7 = 22 for x.",
        "I forgot my password, please help me.",
        "THIS IS NOT WHAT I ORDERED",
    ] {
        assert_eq!(read(text), "", "{text:?}");
    }
}

#[test]
fn a_name_is_found_wherever_a_block_ends() {
    for words in 0..2 * BLOCK {
        let text = format!("{}my name is Katharina Vogel.", "please wait, ".repeat(words / 3));
        assert!(read(&text).ends_with("PERSON Katharina Vogel"), "after {words} words: {}", read(&text));
    }
}

#[test]
fn finds_are_in_order_and_sure_of_themselves_within_bounds() {
    let found = tagged("Anna Berg, Oslo, and Paul Roth, Wien, met John Fox in Rome in 1999.");
    assert!(found.len() > 4);
    assert!(found.windows(2).all(|pair| pair[0].end <= pair[1].start));
    assert!(found.iter().all(|span| (LEAST..=MOST).contains(&span.score)));
}

#[test]
fn long_texts_of_any_kind_are_read_to_their_end() {
    for piece in ["a", "A", "7", "@", "_", ".,", "Anna ", "汉", "é", "\u{301}", "'", "\n", "Anna, "] {
        let text = piece.repeat(20_000);
        let found = tagged(&text);
        assert!(found.iter().all(|span| text.get(span.start..span.end).is_some()), "{piece:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_tagged_on_character_boundaries(text in any::<String>()) {
        for span in tagged(&text) {
            prop_assert!(span.start < span.end);
            prop_assert!(text.get(span.start..span.end).is_some());
        }
    }

    #[test]
    fn words_of_any_script_are_tagged_on_character_boundaries(
        words in prop::collection::vec("[A-ZÄa-zäéßΑ-Ωα-ωА-я汉Ωא-ת0-9'’.,\\-\n_@İ ]{1,9}", 1..80)
    ) {
        let text = words.concat();
        let found = tagged(&text);
        prop_assert!(found.windows(2).all(|pair| pair[0].end <= pair[1].start));
        prop_assert!(found.iter().all(|span| text.get(span.start..span.end).is_some_and(|find| !find.is_empty())));
    }
}
