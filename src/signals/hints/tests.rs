//! Hints from headers and bodies, what is refused and how it is said, and which of the two wins.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.append("authorization", HeaderValue::from_static("Bearer sk-none"));
    for (name, value) in pairs {
        let name: HeaderName = format!("x-tidegate-{name}").parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn from_headers(pairs: &[(&str, &str)]) -> Hints {
    Hints::from_headers(&headers(pairs)).unwrap()
}

fn header_error(pairs: &[(&str, &str)]) -> String {
    let error = Hints::from_headers(&headers(pairs)).unwrap_err();
    assert_eq!(error.kind, Kind::InvalidRequest);
    format!("{}: {error}", error.param.as_deref().unwrap())
}

fn body_error(object: &str) -> String {
    let error = Hints::from_body(object.as_bytes()).unwrap_err();
    assert_eq!(error.kind, Kind::InvalidRequest);
    format!("{}: {error}", error.param.as_deref().unwrap())
}

#[test]
fn every_header_is_read() {
    let all = from_headers(&[
        ("placement", "only-edge"),
        ("privacy", " Local-Only "),
        ("cache", "off"),
        ("mode", "progressive"),
        ("deadline-ms", "2500"),
        ("app", "search"),
        ("user", "zoë"),
        ("tags", "team=search, tier = gold,"),
        ("tags", "empty="),
    ]);
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let expected = Hints {
        placement: Some(PlacementHint::OnlyEdge),
        privacy: Some(PrivacyHint::LocalOnly),
        cache: Some(CacheHint::Off),
        mode: Some(ModeHint::Progressive),
        deadline_ms: Some(2_500),
        app: Some("search".into()),
        user: Some("zoë".into()),
        tags: vec![tag("team", "search"), tag("tier", "gold"), tag("empty", "")],
    };
    assert_eq!(all, expected);
    let object = r#"{"placement": "only-edge", "privacy": "local-only", "cache": "off", "deadline_ms": 2500, "app": "search",
        "user": "zoë", "tags": {"team": "search", "tier": "gold", "empty": ""}, "mode": "progressive"}"#;
    let mut in_body = Hints::from_body(object.as_bytes()).unwrap();
    in_body.tags.sort();
    let mut expected = expected;
    expected.tags.sort();
    assert_eq!(in_body, expected);
    assert_eq!(
        Hints::from_body(br#"{"tags": "a=1,b=2", "deadline_ms": "10"}"#.as_slice()).unwrap_err().kind,
        Kind::InvalidRequest
    );
    assert_eq!(Hints::from_body(br#"{"tags": "a=1,b=2"}"#).unwrap().tags, [tag("a", "1"), tag("b", "2")]);
}

#[test]
fn absent_hints_are_absent() {
    assert_eq!(from_headers(&[]), Hints::default());
    assert_eq!(from_headers(&[("app", ""), ("user", "  "), ("tags", "")]), Hints::default());
    assert_eq!(from_headers(&[("cache", "off"), ("cache", "off")]).cache, Some(CacheHint::Off));
    assert_eq!(Hints::from_body(b"null").unwrap(), Hints::default());
    assert_eq!(Hints::from_body(b"{}").unwrap(), Hints::default());
}

#[test]
fn every_word_of_the_contract_is_known() {
    for hint in PlacementHint::ALL {
        assert_eq!(from_headers(&[("placement", hint.name())]).placement, Some(hint));
    }
    for hint in PrivacyHint::ALL {
        assert_eq!(from_headers(&[("privacy", hint.name())]).privacy, Some(hint));
    }
    for hint in CacheHint::ALL {
        assert_eq!(from_headers(&[("cache", hint.name())]).cache, Some(hint));
    }
}

#[test]
fn bad_headers_are_refused_with_the_remedy() {
    let seventeen: Vec<String> = (0..17).map(|i| format!("k{i}=v")).collect();
    let messages = [
        header_error(&[("placement", "edge")]),
        header_error(&[("placement", "")]),
        header_error(&[("privacy", "${PRIVACY}")]),
        header_error(&[("privacy", &"x".repeat(50))]),
        header_error(&[("cache", "on")]),
        header_error(&[("deadline-ms", "0")]),
        header_error(&[("deadline-ms", "86400001")]),
        header_error(&[("deadline-ms", "1s")]),
        header_error(&[("mode", "fast")]),
        header_error(&[("app", &"x".repeat(129))]),
        header_error(&[("user", "a\tb")]),
        header_error(&[("tags", "team")]),
        header_error(&[("tags", "=x")]),
        header_error(&[("tags", "a=1,a=2")]),
        header_error(&[("tags", &seventeen.join(","))]),
        header_error(&[("placement", "only-edge"), ("placement", "only-cloud")]),
        header_error(&[("privcy", "local-only")]),
        header_error(&[("frobnicate", "1")]),
    ];
    insta::assert_snapshot!(messages.join("\n"), @r#"
    x-tidegate-placement: x-tidegate-placement is `edge`: it must be one of only-edge, prefer-edge, prefer-cloud, only-cloud
    x-tidegate-placement: x-tidegate-placement is ``: it must be one of only-edge, prefer-edge, prefer-cloud, only-cloud
    x-tidegate-privacy: x-tidegate-privacy is `${PRIVACY}`: it must be one of local-only, no-retention, retained
    x-tidegate-privacy: x-tidegate-privacy is `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…`: it must be one of local-only, no-retention, retained
    x-tidegate-cache: x-tidegate-cache is `on`: it must be one of off, refresh
    x-tidegate-deadline-ms: x-tidegate-deadline-ms must be a whole number of milliseconds from 1 to 86400000
    x-tidegate-deadline-ms: x-tidegate-deadline-ms must be a whole number of milliseconds from 1 to 86400000
    x-tidegate-deadline-ms: x-tidegate-deadline-ms must be a whole number of milliseconds from 1 to 86400000
    x-tidegate-mode: x-tidegate-mode is `fast`: it must be one of progressive
    x-tidegate-app: x-tidegate-app is longer than 128 characters
    x-tidegate-user: x-tidegate-user holds a control character
    x-tidegate-tags: x-tidegate-tags must be written k=v,k=v: a part has no `=`
    x-tidegate-tags: x-tidegate-tags must be written k=v,k=v: a key is empty
    x-tidegate-tags: x-tidegate-tags names the same key twice
    x-tidegate-tags: x-tidegate-tags holds more than 16 tags
    x-tidegate-placement: x-tidegate-placement is given twice with two values: send it once
    x-tidegate-privcy: there is no header x-tidegate-privcy; did you mean x-tidegate-privacy?
    x-tidegate-frobnicate: there is no header x-tidegate-frobnicate: there are x-tidegate-placement, x-tidegate-privacy, x-tidegate-cache, x-tidegate-deadline-ms, x-tidegate-mode, x-tidegate-app, x-tidegate-user, x-tidegate-tags
    "#);
    let mut latin = headers(&[]);
    latin.append("x-tidegate-user", HeaderValue::from_bytes(b"zo\xeb").unwrap());
    insta::assert_snapshot!(Hints::from_headers(&latin).unwrap_err(), @r#"x-tidegate-user is not valid UTF-8"#);
}

#[test]
fn bad_bodies_are_refused_with_the_remedy() {
    let messages = [
        body_error(r#""only-edge""#),
        body_error(r#"{"privacy": "local-only", "privacy": "retained"}"#),
        body_error(r#"{"privcy": "local-only"}"#),
        body_error(r#"{"zebra": 1}"#),
        body_error(r#"{"privacy": 1}"#),
        body_error(r#"{"placement": "edge"}"#),
        body_error(r#"{"deadline_ms": 1.5}"#),
        body_error(r#"{"deadline_ms": -1}"#),
        body_error(r#"{"deadline_ms": "100"}"#),
        body_error(r#"{"mode": "fast"}"#),
        body_error(r#"{"tags": ["a"]}"#),
        body_error(r#"{"tags": {"a": 1}}"#),
        body_error(r#"{"user": "a\nb"}"#),
        body_error("{"),
    ];
    insta::assert_snapshot!(messages.join("\n"), @r#"
    tidegate: tidegate must be an object with each key once
    tidegate: tidegate must be an object with each key once
    tidegate: there is no `privcy` in tidegate; did you mean `privacy`?
    tidegate: there is no `zebra` in tidegate: there are placement, privacy, cache, deadline_ms, mode, app, user, tags
    tidegate.privacy: tidegate.privacy must be a string
    tidegate.placement: tidegate.placement is `edge`: it must be one of only-edge, prefer-edge, prefer-cloud, only-cloud
    tidegate.deadline_ms: tidegate.deadline_ms must be a whole number of milliseconds from 1 to 86400000
    tidegate.deadline_ms: tidegate.deadline_ms must be a whole number of milliseconds from 1 to 86400000
    tidegate.deadline_ms: tidegate.deadline_ms must be a whole number of milliseconds from 1 to 86400000
    tidegate.mode: tidegate.mode is `fast`: it must be one of progressive
    tidegate.tags: tidegate.tags must be an object of strings or k=v,k=v
    tidegate.tags: tidegate.tags must hold strings only
    tidegate.user: tidegate.user holds a control character
    tidegate: tidegate must be an object with each key once
    "#);
}

#[test]
fn messages_do_not_repeat_names_that_may_be_a_persons() {
    let long = format!("ann.example{}", "x".repeat(150));
    for error in [header_error(&[("user", &long)]), header_error(&[("tags", &format!("owner={long}"))])] {
        assert!(!error.contains("ann"), "{error}");
    }
}

#[test]
fn the_header_wins_except_where_the_body_is_tighter() {
    let placed = |hint| Hints { placement: Some(hint), ..Hints::default() };
    let merged = |header: Hints, body: Hints| header.merge(body).unwrap();
    use PlacementHint::*;
    for (header, body, expected) in [
        (PreferEdge, PreferCloud, PreferEdge),
        (PreferEdge, OnlyCloud, OnlyCloud),
        (OnlyEdge, PreferCloud, OnlyEdge),
        (OnlyEdge, OnlyEdge, OnlyEdge),
    ] {
        assert_eq!(merged(placed(header), placed(body)).placement, Some(expected));
    }
    insta::assert_snapshot!(placed(OnlyEdge).merge(placed(OnlyCloud)).unwrap_err(), @r#"x-tidegate-placement is only-edge and tidegate.placement is only-cloud: nothing can serve both"#);

    let private = |hint| Hints { privacy: hint, ..Hints::default() };
    use PrivacyHint::*;
    for (a, b, expected) in [
        (Some(Retained), Some(LocalOnly), Some(LocalOnly)),
        (Some(NoRetention), Some(Retained), Some(NoRetention)),
        (None, Some(NoRetention), Some(NoRetention)),
        (None, None, None),
    ] {
        assert_eq!(merged(private(a), private(b)).privacy, expected);
        assert_eq!(merged(private(b), private(a)).privacy, expected);
    }

    let header = from_headers(&[("app", "a"), ("tags", "x=1"), ("deadline-ms", "5"), ("cache", "refresh")]);
    let body =
        Hints::from_body(br#"{"app": "b", "user": "u", "tags": "x=2,y=3", "deadline_ms": 9, "cache": "off"}"#).unwrap();
    let both = merged(header, body);
    assert_eq!((both.app.as_deref(), both.user.as_deref(), both.deadline_ms), (Some("a"), Some("u"), Some(5)));
    assert_eq!(both.tags, [("x".to_owned(), "1".to_owned()), ("y".to_owned(), "3".to_owned())]);
    assert_eq!(both.cache, Some(CacheHint::Off));

    let many = |prefix: &str| {
        let list: Vec<String> = (0..10).map(|i| format!("{prefix}{i}=v")).collect();
        from_headers(&[("tags", &list.join(","))])
    };
    insta::assert_snapshot!(many("a").merge(many("b")).unwrap_err(), @r#"x-tidegate-tags and tidegate.tags hold more than 16 tags together"#);
}

proptest::proptest! {
    /// Bounds hold whatever is sent, and nothing panics.
    #[test]
    fn what_is_accepted_keeps_to_the_bounds(body in "\\PC{0,80}", app in "\\PC{0,140}", tags in "[a-c=, ]{0,40}") {
        let _ = Hints::from_body(body.as_bytes());
        let object = serde_json::json!({"app": app, "tags": tags}).to_string();
        if let Ok(hints) = Hints::from_body(object.as_bytes()) {
            proptest::prop_assert!(hints.app.is_none_or(|app| (1..=MAX_VALUE).contains(&app.chars().count())));
            proptest::prop_assert!(hints.tags.len() <= MAX_TAGS);
            for (i, (key, _)) in hints.tags.iter().enumerate() {
                proptest::prop_assert!(!key.is_empty() && hints.tags[..i].iter().all(|(other, _)| other != key));
            }
        }
    }
}
