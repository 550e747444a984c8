//! Tests of phone numbers: numbers reserved for fiction and examples, or made up.

use super::plan::PLANS;
use super::{is_planned, pattern};
use crate::pii::entity::Entity;
use crate::pii::scan::scan;
use crate::pii::span::settle;

fn phones(text: &str) -> Vec<&str> {
    let mut spans = vec![];
    scan(text, &mut spans);
    settle(&mut spans);
    spans.retain(|span| span.entity == Entity::PHONE_NUMBER);
    spans.iter().map(|span| &text[span.start..span.end]).collect()
}

#[test]
fn international_numbers_need_no_words() {
    for number in [
        "+442079460958",
        "+44 20 7946 0958",
        "+44 (0)20 7946 0958",
        "+1-212-555-0134",
        "+1 (212) 555-0134",
        "+49 30 23125-000",
        "+33 1 99 00 12 34",
        "+41 (0)62 585 51 90",
        "+683 7012",
        "+1-604-555-0172x565",
    ] {
        assert_eq!(phones(&format!("It was {number}, I think.")), [number]);
    }
    assert_eq!(phones("ring 0044 20 7946 0958 now"), ["0044 20 7946 0958"]);
    assert_eq!(phones("offset +0200 and +12 and +999 1234 5678"), Vec::<&str>::new());
}

#[test]
fn what_is_written_as_a_phone_number_needs_no_words() {
    for number in [
        "(212) 555-0134",
        "(212)555-0134",
        "212-555-0134",
        "212.555.0134",
        "212.555.0134x459",
        "1-212-555-0134",
        "01.99.00.12.34",
        "(030) 23125 000",
        "090-1234-5678",
        "0917 123 4567",
    ] {
        assert_eq!(phones(&format!("She left {number} there")), [number]);
    }
}

#[test]
fn national_numbers_are_found_by_words_in_several_languages() {
    for (text, number) in [
        ("my phone number is 555 0134", "555 0134"),
        ("Meine Telefonnummer ist 0341 8387176.", "0341 8387176"),
        ("appelez-moi au téléphone 06 39 98 12 34", "06 39 98 12 34"),
        ("mi teléfono: 612345678", "612345678"),
        ("Mobile: 0490 39 07 81", "0490 39 07 81"),
        ("call me at 78 651 450 please", "78 651 450"),
        ("fax (72) 754-186", "(72) 754-186"),
        ("655 437 108 office", "655 437 108"),
        ("call 212-555-0134 ext. 12", "212-555-0134 ext. 12"),
        ("Fax: 0171-123 45 67", "0171-123 45 67"),
        ("whatsapp 11 2345 6789", "11 2345 6789"),
    ] {
        assert_eq!(phones(text), [number], "{text}");
    }
}

#[test]
fn dates_addresses_amounts_and_counts_are_no_phone_numbers() {
    for text in [
        "call on 2021-05-12 10:30",
        "phone call of 12.05.2021",
        "call me between 2010-2014",
        "the call returned 1700000000",
        "tel 10.0.0.17",
        "phone 1.234.567",
        "call costs 1234567.89",
        "call about order 12345678",
        "at 1726890000123 ms",
        "id 550e8400-e29b-41d4-a716-446655440000",
        "version 1.2.3.4.5",
        "const PI: f64 = 3.141592653589793;",
        "(function(1234567))",
        "$5551234567 phone",
    ] {
        assert_eq!(phones(text), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn two_numbers_are_two() {
    assert_eq!(phones("tel 030 23125 000, fax 030 23125 001"), ["030 23125 000", "030 23125 001"]);
    assert_eq!(phones("+442079460958 +442079460959"), ["+442079460958", "+442079460959"]);
}

#[test]
fn every_plan_compiles_and_stands_in_order() {
    assert!(PLANS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    assert!((0..PLANS.len()).all(|place| pattern(place).is_some()));
    assert!(PLANS.len() > 200);
    assert!(
        is_planned(b"442079460958") && is_planned(b"4402079460958") && !is_planned(b"9991234567") && !is_planned(b"")
    );
}
