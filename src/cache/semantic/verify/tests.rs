//! Pairs written for this test with the side they belong to, and what must hold for all texts.
//!
//! What a reader could get wrong: a pair in `SAME` must only be likelier than the near misses; whether it is served is a matter of the threshold.

use proptest::prelude::*;

use super::features::at;
use super::*;

fn probability(a: &str, b: &str) -> f64 {
    Verifier::builtin().probability(&Question::prepare(a), &Question::prepare(b))
}

fn bar() -> f64 {
    Verifier::builtin().threshold(0.01)
}

/// The same but for case, punctuation, politeness, contraction or the way a number is written.
const EQUAL: [(&str, &str); 12] = [
    ("How do I reset my password?", "how do i reset my password"),
    ("What's the capital of Peru?", "What is the capital of Peru?"),
    ("Please list five rivers in Chile.", "List 5 rivers in Chile"),
    ("I can't open the door", "I cannot open the door!"),
    ("Convert 1,500 meters to miles", "convert 1500 meters to miles"),
    ("Hello, where is my order?", "Where is my order?"),
    ("Set a timer for twenty-five minutes", "set a timer for 25 minutes, please"),
    ("What does `git stash` do?", "what does `git stash` do"),
    ("Why doesn't my printer work?", "Why does not my printer work"),
    ("¿Cómo puedo cambiar la contraseña de mi cuenta?", "cómo puedo cambiar la contraseña de mi cuenta"),
    ("two thirds of 90", "2/3 of 90"),
    ("Who's the mayor of Bergen?", "who is the mayor of Bergen"),
];

/// The same in other words.
const SAME: [(&str, &str); 14] = [
    ("How do I reset my password?", "How can I reset my password?"),
    ("What is the capital of Peru?", "Tell me what the capital of Peru is"),
    ("flights from Oslo to Rome on May 3", "find flights on May 3 from Oslo to Rome"),
    ("How do I sort a list in Python?", "What is the way to sort a list in Python?"),
    ("How long does it take to boil an egg?", "How much time does it take to boil an egg?"),
    ("What are the symptoms of asthma?", "Which symptoms does asthma have?"),
    ("How do I delete my account?", "How do I remove my account?"),
    ("Can I bring a laptop on the plane?", "Am I allowed to bring a laptop on the plane?"),
    ("What is the colour of the sky on Mars?", "what is the color of the sky on mars"),
    ("If it rains, is the match cancelled?", "Is the match cancelled if it rains?"),
    ("Could you explain how vaccines work?", "How do vaccines work?"),
    (
        "Tom has 3 apples and buys four more. How many apples does he have?",
        "Tom has three apples and buys 4 more. How many apples does Tom have?",
    ),
    ("Turn off the lights in the kitchen", "switch off the kitchen lights"),
    ("What's the cheapest way to ship a parcel to Japan?", "What is the cheapest way of shipping a parcel to Japan?"),
];

/// One thing changed: another answer.
const OTHER: [(&str, &str); 40] = [
    (
        "Tom has 3 apples and buys four more. How many apples does he have?",
        "Tom has 3 apples and buys five more. How many apples does he have?",
    ),
    (
        "Tom has 3 apples and 5 pears. How many pears are left if he eats 2 apples?",
        "Tom has 5 apples and 3 pears. How many pears are left if he eats 2 apples?",
    ),
    ("Set a timer for 25 minutes", "Set a timer for 35 minutes"),
    ("What is 12% of 340?", "What is 14% of 340?"),
    ("Who won the election in 1998?", "Who won the election in 1996?"),
    ("What is the dose of ibuprofen for a 6 year old?", "What is the dose of ibuprofen for a 9 year old?"),
    ("Convert 30 miles to km", "Convert 30 km to miles"),
    ("What is the capital of Peru?", "What is the capital of Chile?"),
    ("What's the weather in Lyon on Monday?", "What's the weather in Lyon on Friday?"),
    ("Remind me to call Anna at noon", "Remind me to call Peter at noon"),
    ("flights from Oslo to Rome on May 3", "flights from Rome to Oslo on May 3"),
    ("translate this letter from Dutch to Polish", "translate this letter from Polish to Dutch"),
    ("Is it safe to eat raw salmon?", "Is it not safe to eat raw salmon?"),
    ("How do I enable notifications?", "How do I disable notifications?"),
    ("How do I increase the font size?", "How do I decrease the font size?"),
    ("Should I stretch before running?", "Should I stretch after running?"),
    ("lasagna recipe with mushrooms", "lasagna recipe without mushrooms"),
    ("What is the cheapest phone with a good camera?", "What is the most expensive phone with a good camera?"),
    ("Why does my cat sleep all day?", "Where does my cat sleep all day?"),
    ("When was the bridge built?", "Why was the bridge built?"),
    ("How do I install nginx on Debian?", "How do I uninstall nginx on Debian?"),
    ("How do I sort a list in Python?", "How do I sort a list in Ruby?"),
    ("How do I read a CSV file in Go?", "How do I write a CSV file in Go?"),
    ("What is new in Kotlin 1.9.20?", "What is new in Kotlin 2.0.20?"),
    ("What does `git stash` do?", "What does `git reset` do?"),
    ("How do you say \"thank you\" in Korean?", "How do you say \"good night\" in Korean?"),
    ("How many calories are in an apple?", "How many vitamins are in an apple?"),
    ("Play songs by Adele on Spotify", "Play songs by Drake on Spotify"),
    ("Did Sony buy Canon?", "Did Canon buy Sony?"),
    ("Is Madrid bigger than Rome?", "Is Rome bigger than Madrid?"),
    ("Turn on the lights in the kitchen", "Turn off the lights in the kitchen"),
    ("Can dogs eat grapes?", "Can cats eat grapes?"),
    ("Show all orders above 100 euros", "Show all orders below 100 euros"),
    ("How much is 50 dollars in yen?", "How much is 50 euros in yen?"),
    ("What are the side effects of aspirin?", "What are the benefits of aspirin?"),
    ("Which is the highest mountain in Africa?", "Which is the highest mountain in Asia?"),
    ("How do I undo the last commit in git?", "How do I undo the last merge in git?"),
    ("Recommend a red wine for fish", "Recommend a white wine for fish"),
    ("Solve x^2 + 3x = 10", "Solve x^2 - 3x = 10"),
    ("¿Cómo puedo cambiar la contraseña de mi cuenta?", "¿Cómo puedo cambiar el correo de mi cuenta?"),
];

#[test]
fn the_same_words_are_the_same_question() {
    for (a, b) in EQUAL {
        assert!(probability(a, b) >= bar(), "{a} / {b}: {}", probability(a, b));
    }
}

#[test]
fn one_thing_changed_is_not_served() {
    assert!(bar() < 1.0, "a bar that nothing passes proves nothing");
    let served: Vec<String> =
        OTHER.iter().filter(|(a, b)| probability(a, b) >= bar()).map(|(a, b)| format!("{a} / {b}")).collect();
    assert!(served.is_empty(), "{served:#?}");
}

#[test]
fn other_words_are_likelier_than_other_questions() {
    let worst = |p: f64| OTHER.iter().filter(|(a, b)| probability(a, b) >= p).count();
    let likelier = SAME.iter().filter(|(a, b)| worst(probability(a, b)) * 10 <= OTHER.len()).count();
    assert!(likelier * 4 >= SAME.len() * 3, "{likelier} of {}", SAME.len());
}

#[test]
fn long_texts_code_and_other_languages_are_not_guessed_at() {
    let long = "word ".repeat(MAX_BYTES / 5 + 1);
    assert_eq!(probability(&long, &long), 0.0);
    assert_eq!(probability("", ""), 0.0);
    assert_eq!(probability("Fix this:\n```\nlet a = 1;\n```", "Fix this:\n```\nlet a = 2;\n```"), 0.0);
    assert_eq!(probability("Wie wird das Wetter in der Stadt?", "Wie ist das Wetter in der Stadt?"), 0.0);
}

#[test]
fn why_names_what_differs() {
    let why = |a: &str, b: &str| Verifier::builtin().why(&Question::prepare(a), &Question::prepare(b)).as_str();
    assert_eq!(why("Set a timer for 25 minutes", "Set a timer for 35 minutes"), "number");
    assert_eq!(why("What is the capital of Peru?", "What is the capital of Chile?"), "name");
    assert_eq!(why("Is it safe?", "Is it not safe?"), "negation");
    assert_eq!(why("How do I enable sync?", "How do I disable sync?"), "opposite");
    assert_eq!(why("How do I reset it?", "how do I reset it"), "same");
}

#[test]
fn what_is_no_model_decides_nothing() {
    let none = Verifier::new(b"TGV2 but nothing else");
    assert_eq!(
        none.probability(&Question::prepare("How are bees born?"), &Question::prepare("How is a bee born?")),
        0.0
    );
    assert_eq!(none.threshold(0.5), 1.0);
    let bytes = include_bytes!("weights.bin");
    for cut in [0, 3, 9, bytes.len() / 2, bytes.len() - 1] {
        assert!(Forest::parse(&bytes[..cut]).is_none(), "{cut}");
    }
    assert_eq!(Forest::parse(bytes).expect("a model").write(), bytes);
}

#[test]
fn a_product_of_probabilities_stays_below_both_and_finite() {
    let odds = |p: f64| (p / (1.0 - p)).ln();
    for (one, two) in [(0.5, 0.5), (0.9, 0.2), (0.999, 0.7)] {
        assert!((forest::product(odds(one), odds(two)) - odds(one * two)).abs() < 1e-9, "{one} {two}");
    }
    for (one, two) in [(40.0, 45.0), (800.0, 900.0), (-800.0, 3.0), (-60.0, -70.0)] {
        let both = forest::product(one, two);
        assert!(both.is_finite() && both <= f64::min(one, two), "{one} {two}: {both}");
    }
}

#[test]
fn places_of_features_are_those_of_their_names() {
    let named = [
        (at::COSINE, "cosine"),
        (at::NUMBER_CLASH, "number_clash"),
        (at::NUMBER_NOUN, "number_noun"),
        (at::NUMBER_SOFT, "number_soft"),
        (at::NUMBER_MORE, "number_more"),
        (at::NEGATION, "negation"),
        (at::REVERSED, "reversed"),
        (at::IDENTICAL, "identical"),
        (at::KINDS, "name_clash"),
        (at::CODE_CLASH, "code_clash"),
    ];
    for (place, name) in named {
        assert_eq!(features::name(place), name);
    }
}

/// What of the numbers differs: replaced, on one side only, replaced where "half" and the like count, more often on either side.
fn numbers(a: &str, b: &str) -> [f32; 4] {
    let found = Verifier::features(&Question::prepare(a), &Question::prepare(b));
    [at::NUMBER_CLASH, at::NUMBER_ALONE, at::NUMBER_SOFT, at::NUMBER_MORE].map(|place| found[place])
}

#[test]
fn numbers_have_their_equals_in_other_spellings() {
    for (a, b) in [
        ("She paid $5 for 1,000 beads.", "For one thousand beads she paid 5 dollars."),
        ("Half of the 60 pots are full.", "Of sixty pots, 50% are full."),
        ("Lena has twice as many as 7 others.", "Lena has two times as many as seven others."),
        ("One in five of the 40 doors is green.", "A fifth of the 40 doors are green."),
        ("A third of 90 is red.", "One third of ninety is red."),
        ("It weighs 14.30 tons at 25 percent.", "At a quarter it weighs 14.3 tons."),
        ("He split 8 plums among 4 boys, so each of the 4 got some.", "8 plums were split among four boys."),
        ("Ola picks a dozen pears.", "Ola picks 12 pears."),
    ] {
        assert_eq!(numbers(a, b), [0.0; 4], "{a} / {b}");
    }
}

#[test]
fn a_replaced_number_is_found_however_much_is_reworded() {
    let told = "A baker fills 12 trays with 9 buns each and sells 70 buns. How many are left?";
    for other in [
        "After selling 70 buns, how many does a baker keep who filled twelve trays, each with 8 buns?",
        "If 71 buns of 12 trays holding nine apiece are sold, what number remains with the baker?",
    ] {
        assert_eq!(numbers(told, other)[0], 1.0, "{other}");
        assert!(probability(told, other) < bar(), "{other}");
    }
    assert_eq!(numbers("He eats half a loaf.", "He eats 0.3 of a loaf.")[2], 1.0);
    assert_eq!(numbers("Take 3 of 3 cups and 5 jars.", "Take 3 of 5 cups and 5 jars.")[3], 1.0);
}

#[test]
fn a_stricter_bound_has_a_higher_threshold() {
    let verifier = Verifier::builtin();
    assert_eq!(verifier.threshold(0.0), 1.0);
    assert!(verifier.threshold(0.01) >= verifier.threshold(0.05));
    assert!(verifier.threshold(0.05) >= verifier.threshold(0.2));
}

#[test]
fn a_question_is_small() {
    let question = Question::prepare(
        "How do I get from the airport to the city centre by bus when it is late at night and I have only 20 euros?",
    );
    assert!(question.bytes() < 1_500, "{}", question.bytes());
}

proptest! {
    #[test]
    fn nothing_panics_and_all_is_a_probability(a in ".{0,200}", b in ".{0,200}") {
        let p = probability(&a, &b);
        prop_assert!((0.0..=1.0).contains(&p), "{p}");
        let _ = Verifier::builtin().why(&Question::prepare(&a), &Question::prepare(&b));
    }

    #[test]
    fn either_may_be_the_stored_one(pair in 0..SAME.len() + OTHER.len()) {
        let (a, b) = SAME.iter().chain(&OTHER).nth(pair).copied().unwrap_or_default();
        prop_assert!((probability(a, b) - probability(b, a)).abs() < 0.2, "{a} / {b}");
    }

    #[test]
    fn case_space_and_marks_do_not_matter(words in proptest::collection::vec("[a-z]{4,9}", 1..12)) {
        let (plain, loud) = (words.join(" "), format!("  {}?! ", words.join("  ").to_uppercase()));
        prop_assert!(probability(&plain, &loud) >= 0.9 || Question::prepare(&plain).is_refused);
    }

    #[test]
    fn another_number_is_never_served(word in "[a-z]{4,9}", one in 2_u32..5_000, two in 2_u32..5_000) {
        prop_assume!(one != two);
        let text = |number: u32| format!("what is the price of {number} {word} boxes?");
        prop_assert!(probability(&text(one), &text(two)) < bar());
    }
}
