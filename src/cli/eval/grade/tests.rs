//! Answers as models write them, right and wrong ones.

use serde_json::json;

use super::*;

fn passes(expected: &Value, check: Option<Value>, answer: &str) -> bool {
    let written = check.map(|check| serde_json::from_value(check).unwrap());
    Check::of(Some(expected), written).unwrap().passes(answer)
}

#[test]
fn choices_are_found_where_they_are_settled_on() {
    for right in [
        "B",
        "(B)",
        "b.",
        "B) because",
        "B because it is",
        "B: 42",
        "**B**",
        "The answer is **B**.",
        "The correct answer is (b).",
        "Answer: B",
        "answer:\nB",
        "A is tempting, but the answer is (B)",
        "First, answer: A. No: the answer is B",
        "answer is option B",
        "The answer must be B, as A answers nothing",
        "Let us see.\n\nA dog barks, so\n\nB",
        "So $\\boxed{B}$ it is, as answer A fails",
        "\\boxed{\\text{B}}",
        "I am sure that it is (B)",
        "<think>The answer is A, or C?</think>\nB",
    ] {
        assert!(passes(&json!("B"), None, right), "{right}");
    }
    for wrong in ["A", "", "Because of B", "Both", "The answer is A", "b'c", "<think>The answer is B, but", "answers B"]
    {
        assert!(!passes(&json!("B"), None, wrong), "{wrong}");
    }
    assert!(!passes(&json!("A"), None, "A dog is an animal"));
    assert!(!passes(&json!("I"), None, "I do not know"));
    assert!(!passes(&json!("A"), None, "The answer is a dog"));
    assert!(passes(&json!("A"), None, "The answer is A because"));
    assert!(passes(&json!(["A", "C"]), None, "C.") && !passes(&json!(["A", "C"]), None, "A dog. B."));
}

#[test]
fn numbers_are_compared_as_numbers() {
    for right in [
        "42",
        "It is 42.",
        "17 + 25 = 42",
        "$42.00",
        "42.0 km",
        "the total is 42%",
        "between 10 and 42",
        "10-42",
        "\\boxed{42} (as in step 3)",
        "Step 1: 17\nStep 2: 25\n#### 42\nas 1 said",
        "The answer is 42 (see step 3).",
        "The answer is 6 * 7 = 42.",
        "**Answer:** 42\n\nChecked 2 times.",
        "The final answer is $42$. I used 3 steps.",
        "4.2e1",
        "<think>maybe 43</think>42",
    ] {
        assert!(passes(&json!(42), None, right), "{right}");
        assert!(passes(&json!("42"), None, right), "{right}");
    }
    assert!(passes(&json!("1,234"), None, "that makes 1234"));
    assert!(passes(&json!(1_234_567.5), None, "1,234,567.5 in all"));
    assert!(passes(&json!(1234), None, "1{,}234"));
    assert!(passes(&json!(-3), None, "x = -3"));
    assert!(passes(&json!(-3), None, "x = −3"));
    assert!(passes(&json!(3), None, "5-3"), "no sign");
    assert!(passes(&json!(0.75), None, "so 3/4"));
    assert!(passes(&json!("3/4"), None, "0.75"));
    assert!(passes(&json!(2026), None, "on 1/2/2026"));
    assert!(passes(&json!(2), None, "2 atoms in H2O4"), "digits in words are none");
    assert!(passes(&json!([7, 8]), None, "8") && !passes(&json!([7, 8]), None, "9"));
    for wrong in ["", "43", "42 or rather 43", "forty-two", "4,2", "<think>42", "420"] {
        assert!(!passes(&json!(42), None, wrong), "{wrong}");
    }
    let near = json!({"type": "number", "tolerance": 0.01});
    assert!(passes(&json!(2.5049), Some(near.clone()), "about 2.5"));
    assert!(!passes(&json!(2.5049), Some(near), "about 2.6"));
    assert!(passes(&json!(1e15), None, "1000000000000001"), "large ones are compared in proportion");
}

#[test]
fn texts_are_contained_as_words() {
    assert!(passes(&json!("Oslo"), None, "The capital is Oslo."));
    assert!(!passes(&json!("Oslo"), None, "Osloites live there"));
    assert!(passes(&json!(["New York", "NYC"]), None, "it's new-york"));
    assert!(passes(&json!("C++"), None, "written in c++.") && !passes(&json!("C++"), None, "written in C."));
    assert!(passes(&json!("x^2 + 1"), None, "It is  X^2 +\n1.") && !passes(&json!("x^2 + 1"), None, "x^2 + 12"));
    assert!(passes(&json!("room 3"), None, "Room 3, on the left") && !passes(&json!("room 3"), None, "room 3.5"));
    assert!(!passes(&json!("3 rooms"), None, "1.3 rooms") && passes(&json!("3 rooms"), None, "has 3 rooms"));
    assert!(passes(&json!(true), None, "That is true."));
    assert!(passes(&json!("größe"), None, "Die GRÖSSE? Nein: Größe."));
}

#[test]
fn exact_ones_are_exact_but_for_their_wrapping() {
    let exact = || Some(json!({"type": "exact"}));
    for right in ["  oslo. ", "\"Oslo\"", "**Oslo**", "Oslo"] {
        assert!(passes(&json!("Oslo"), exact(), right), "{right}");
    }
    for wrong in ["It is Oslo", "Oslo!", ""] {
        assert!(!passes(&json!("Oslo"), exact(), wrong), "{wrong}");
    }
    assert!(!passes(&json!("-3"), exact(), "3") && !passes(&json!("C++"), exact(), "C"));
    let regex = json!({"type": "regex", "value": "^[0-9]{4}$"});
    assert!(passes(&json!(null), Some(regex.clone()), "2024"));
    assert!(!passes(&json!(null), Some(regex), "in 2024"));
}

#[test]
fn json_is_compared_as_values() {
    let check = || Some(json!({"type": "json"}));
    let wanted = json!({"a": 1, "b": [2]});
    assert!(passes(&wanted, check(), "Here:\n```json\n{\"b\": [2.0], \"a\": 1}\n```"));
    assert!(passes(&wanted, None, "The \"object\" [as asked]: {\"b\": [2], \"a\": 1}"));
    assert!(!passes(&wanted, check(), "{\"a\": 1}"));
    assert!(!passes(&wanted, check(), "{\"a\": 1, \"b\": [2], \"c\": 3}"));
    assert!(!passes(&wanted, check(), "none"));
    assert!(passes(&json!([1, 2]), check(), "{} [1, 2]") && passes(&json!(7), check(), "7"));
}

#[test]
fn what_cannot_be_checked_is_told() {
    let of = |expected: Option<Value>, check: Option<Value>| {
        Check::of(expected.as_ref(), check.map(|check| serde_json::from_value(check).unwrap())).unwrap_err()
    };
    assert!(of(None, None).contains("neither `expected` nor `check`"));
    assert!(of(Some(json!("")), None).contains("not empty"));
    assert!(of(Some(json!([])), None).contains("not empty"));
    assert!(of(None, Some(json!({"type": "regex", "value": "("}))).contains("no valid regex"));
    assert!(of(None, Some(json!({"type": "number", "value": "many"}))).contains("a number"));
    assert!(of(None, Some(json!({"type": "number", "value": 1, "tolerance": -1}))).contains("below 0"));
    assert!(of(None, Some(json!({"type": "choice", "value": "AB"}))).contains("a letter"));
}

#[test]
fn any_answer_is_read_without_a_panic() {
    let pieces = [
        "",
        "(",
        "(é",
        "\\boxed{",
        "answer",
        "answer is",
        "-",
        ",",
        "1,",
        "/",
        "1/0",
        "1e",
        "é1",
        "**",
        "}",
        "####",
        "\u{202f}3",
        "(B",
        "9".repeat(400).leak(),
    ];
    for a in pieces {
        for b in pieces {
            for c in pieces {
                let text = format!("{a}{b}{c}");
                for expected in [json!("B"), json!(3), json!("é"), json!("3 é"), json!({"a": 1}), json!("(")] {
                    let _ = passes(&expected, None, &text);
                }
            }
        }
    }
}
