//! Tests of dates and ages.

use crate::pii::entity::Entity;
use crate::pii::scan::scan;
use crate::pii::span::settle;

fn found(text: &str, entity: Entity) -> Vec<&str> {
    let mut spans = vec![];
    scan(text, &mut spans);
    settle(&mut spans);
    spans.retain(|span| span.entity == entity);
    spans.iter().map(|span| &text[span.start..span.end]).collect()
}

#[test]
fn dates_of_birth_have_a_word_for_birth_near() {
    for (text, date) in [
        ("I was born on 12 March 1985 in Leeds", "12 March 1985"),
        ("DOB: 03/12/1985", "03/12/1985"),
        ("date of birth 1985-03-12", "1985-03-12"),
        ("geboren am 12.3.1985", "12.3.1985"),
        ("Geburtsdatum: 12. März 1985", "12. März 1985"),
        ("née le 1er février 1990 à Lyon", "1er février 1990"),
        ("nacida el 5 de mayo de 1990", "5 de mayo de 1990"),
        ("nato il 5 maggio 1990", "5 maggio 1990"),
        ("data de nascimento 05/05/1990", "05/05/1990"),
        ("geboortedatum 5 mei 1990", "5 mei 1990"),
        ("born March 5, 1990", "March 5, 1990"),
    ] {
        assert_eq!(found(text, Entity::DATE_OF_BIRTH), [date], "{text}");
    }
    assert_eq!(found("the meeting of 12.3.1985", Entity::DATE_OF_BIRTH), Vec::<&str>::new());
    assert_eq!(found("born on 31.6.1985", Entity::DATE_OF_BIRTH), Vec::<&str>::new());
}

#[test]
fn ages_are_told_from_durations() {
    for (text, age) in [
        ("I'm 34 years old", "34"),
        ("a 64-year-old man", "64"),
        ("she is aged 21", "21"),
        ("when he was 64 he left", "64"),
        ("i'm 34 and live here", "34"),
        ("my brother just turned 60", "60"),
        ("Sie ist 34 Jahre alt", "34"),
        ("j'ai 34 ans.", "34"),
        ("tengo 34 años y vivo aquí", "34"),
        ("ho 34 anni", "34"),
    ] {
        assert_eq!(found(text, Entity::AGE), [age], "{text}");
    }
    for text in [
        "I'm 34 minutes late",
        "34 years ago",
        "il a 34 ans de prison",
        "max-age=3600",
        "aged 400 years",
        "turned 60%",
        "page 34 of it",
    ] {
        assert_eq!(found(text, Entity::AGE), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn dates_count_in_prose_and_not_in_logs() {
    for (text, date) in [
        ("the band was founded in 1977. Since then", "1977"),
        ("the Civil Rights Act of 2001 protects", "2001"),
        ("Date: 2012-10-01 00:46:43\nName: x", "2012-10-01 00:46:43"),
        ("we met on 12 March 2021 there", "12 March 2021"),
        ("Today is 5/20/2021", "5/20/2021"),
        ("back in March 2021 we", "March 2021"),
        ("am 3.5.2021 kam", "3.5.2021"),
    ] {
        assert_eq!(found(text, Entity::DATE_TIME), [date], "{text}");
    }
    for text in [
        "2026-11-21T08:19:03.123Z INFO started",
        "\"date\": \"2026-11-21\"",
        "Date: Sat, 21 Nov 2026 08:19:03 GMT",
        "Nov 21 08:19:03 host kernel: up",
        "in 2000 ms it had 1999 tokens",
        "May 20, 2026: v9.0.31",
        "copyright (c) 2021-2022",
        "version 2021.03.04",
        "in 2048 steps",
    ] {
        assert_eq!(found(text, Entity::DATE_TIME), Vec::<&str>::new(), "{text}");
    }
}
