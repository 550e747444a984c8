//! Error answers as upstreams really write them, and what must not come down with them.

use super::*;

fn fault(status: u16, body: &str) -> Error {
    classify(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes())
}

fn error_object(error: &Error) -> Value {
    serde_json::from_slice::<Value>(&error.upstream.as_ref().unwrap().body).unwrap()["error"].clone()
}

#[test]
fn a_bad_request_is_passed_through_and_tried_nowhere_else() {
    let error = fault(
        400,
        r#"{"error":{"message":"bad top_p","type":"invalid_request_error","param":"top_p","code":null,"innererror":{"x":1}}}"#,
    );
    assert_eq!((error.kind, error.retry), (Kind::UpstreamRefused, Retry::Never));
    let object = error_object(&error);
    assert_eq!(object["param"], "top_p");
    assert_eq!(object["innererror"]["x"], 1, "unknown members survive");
}

#[test]
fn integer_codes_become_null_and_missing_members_appear() {
    let object = error_object(&fault(400, r#"{"error":{"code":400,"message":"no","type":"BadRequestError"}}"#));
    assert_eq!(object["code"], Value::Null);
    assert_eq!(object["param"], Value::Null);
}

#[test]
fn a_context_that_is_too_long_may_fit_elsewhere() {
    let error =
        fault(400, r#"{"error":{"code":400,"message":"too long","type":"exceed_context_size_error","n_ctx":8192}}"#);
    assert_eq!(error.retry, Retry::NextTarget);
    assert_eq!(error_object(&error)["code"], "context_length_exceeded");
}

#[test]
fn shapes_other_than_openais_are_normalised() {
    assert_eq!(error_object(&fault(422, r#"{"error":"Unprocessable"}"#))["message"], "Unprocessable");
    assert_eq!(
        error_object(&fault(422, r#"{"object":"error","message":"flat","type":"x","code":422}"#))["message"],
        "flat"
    );
    assert_eq!(
        error_object(&fault(502, "<html>Bad Gateway</html>"))["message"],
        "the upstream answered 502 without saying why"
    );
}

#[test]
fn rate_limits_carry_their_pause() {
    let mut headers = HeaderMap::new();
    headers.insert("retry-after-ms", "1500".parse().unwrap());
    let error = classify(StatusCode::TOO_MANY_REQUESTS, &headers, b"{}");
    assert_eq!(error.retry, Retry::SameAfter(Duration::from_millis(1500)));
    let quota = fault(429, r#"{"error":{"message":"pay","type":"x","code":"insufficient_quota"}}"#);
    assert_eq!(quota.retry, Retry::NextTarget);
}

#[test]
fn refused_credentials_are_the_operators_matter() {
    let error = fault(401, r#"{"error":{"message":"Incorrect API key provided: sk-abcdef123456"}}"#);
    assert_eq!(error.retry, Retry::NextTarget);
    let object = error_object(&error);
    assert_eq!(object["code"], "upstream_credentials");
    assert!(!object["message"].as_str().unwrap().contains("sk-"));
}

#[test]
fn keys_and_addresses_do_not_come_down() {
    let said = "key sk-proj-abcdef1234 at http://10.0.0.7:8080/v1 (node 10.0.0.7:8080, gpu-3.lab:8000, [::1]:80) failed, error:404";
    let scrubbed = scrub(said);
    for private in ["sk-proj", "10.0.0.7", "gpu-3", "::1"] {
        assert!(!scrubbed.contains(private), "{scrubbed}");
    }
    assert_eq!(
        scrub("This model's maximum context length is 4096 tokens."),
        "This model's maximum context length is 4096 tokens."
    );
    assert!(scrub(&"long ".repeat(1000)).chars().count() <= LONGEST_MESSAGE + 1);
}
