//! Error answers as upstreams really write them, and what must not come down with them.

use proptest::prelude::*;
use serde_json::json;

use super::private::LONGEST_MESSAGE;
use super::*;

const OWN_KEY: &str = "Zx81PlainTokenAlpha77";
const OWN_HOST: &str = "gpu-7.rack.example";

fn private() -> Private {
    Private::for_test(OWN_KEY, OWN_HOST)
}

fn scrub(text: &str) -> String {
    private().scrub(text)
}

fn fault(status: u16, body: &str) -> Error {
    classify(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes(), &private())
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
    let error = classify(StatusCode::TOO_MANY_REQUESTS, &headers, b"{}", &private());
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
    assert!(scrub(&"long ".repeat(1000)).len() <= LONGEST_MESSAGE + 3);
}

/// Messages as servers, proxies and client libraries really write them.
#[test]
fn an_address_is_hidden_wherever_it_stands() {
    for (said, told) in [
        (
            "read tcp 10.42.0.1:53211->10.42.0.7:8080: read: connection reset by peer",
            "read tcp ***->***: read: connection reset by peer",
        ),
        (
            "HTTPConnectionPool(host='10.0.0.5', port=8080): Max retries exceeded",
            "HTTPConnectionPool(host='***', port=8080): Max retries exceeded",
        ),
        ("dial 10.1.2.3:8080/v1/chat/completions refused", "dial ***/v1/chat/completions refused"),
        ("cannot connect\n10.1.2.3:8080\nretry", "cannot connect\n***\nretry"),
        ("tried 10.1.2.3:8080,10.1.2.4:8080 both down", "tried ***,*** both down"),
        ("upstream=10.42.0.7:8080;retry=no", "upstream=***;retry=no"),
        ("connect ECONNREFUSED \"10.1.2.3:8080\"", "connect ECONNREFUSED \"***\""),
        ("Connect call failed ('10.0.0.5', 8080)", "Connect call failed ('***', 8080)"),
        ("no such host gpu-9.internal.corp in zone", "no such host *** in zone"),
        ("node gpu-7.rack.example is down", "node *** is down"),
        ("node GPU-7.Rack.Example:8080/v1 is down", "node ***/v1 is down"),
        ("dial [fd00::7]:8080", "dial [***"),
        ("peer fe80::1%eth0, fd00:1:2:3:4:5:6:7.", "peer ***%eth0, ***."),
        ("from ip-10-42-0-7.ec2", "from ***.ec2"),
        ("invalid token Zx81PlainTokenAlpha77 for this", "invalid token *** for this"),
        ("bad header Authorization: Bearer Zx81PlainTokenAlpha77", "bad header Authorization: Bearer ***"),
        ("Authorization:Basic dXNlcjpwYXNz", "Authorization:Basic ***"),
        ("{\"Authorization\": \"bearer abc123\"}", "{\"Authorization\": \"bearer ***\"}"),
        ("connect to http://gpu1:80/v1, then https://[fd00::7]/x.", "connect to ***, then ***."),
    ] {
        assert_eq!(scrub(said), told, "{said}");
    }
}

#[test]
fn what_says_what_is_wrong_is_left_alone() {
    for harmless in [
        "This model's maximum context length is 4096 tokens. max_tokens:4096, requested 5.5",
        "vLLM 0.10.1 with torch 2.7.1+cu128, CUDA 12.8.0 at 12:30 or 12:30:45 on 2025-08-07",
        "model llama3.1:8b is not qwen2.5-coder:32b-instruct nor gpt-4.1-mini-2025-04-14",
        "error:404 at line:42, column:17; status:503",
        "std::vec and std::abc::def, task-based, risk-free, disk-full, api-version, key-value",
        "See https://platform.openai.com/account/api-keys, the Basic plan, basic authentication",
        "Bearer token is missing; a.b.c, e.g. 1.5e-3, 3..5, 10%",
        "'messages[0].content[1].image_url' must be a string; uuid 9b2f0c1e-3d4a-4c8b-9a51-0f7e6d5c4b3a",
    ] {
        assert_eq!(scrub(harmless), harmless);
    }
}

#[test]
fn no_member_of_an_error_brings_anything_down() {
    let secret = "at 10.1.2.3:8080 with Zx81PlainTokenAlpha77";
    let body = json!({"error": {"message": secret, "type": secret, "param": secret, "code": secret, secret: {secret: [secret]}}, "id": secret});
    for (status, body) in
        [(400, body.to_string()), (500, body["error"].to_string()), (502, json!({"detail": secret}).to_string())]
    {
        let error = fault(status, &body);
        let told = String::from_utf8(error.upstream.as_ref().unwrap().body.to_vec()).unwrap();
        assert!(told.contains("***") && !told.contains("10.1.2.3") && !told.contains("Zx81"), "{told}");
    }
}

#[test]
fn what_is_said_to_be_good_and_is_none_has_failed() {
    let of = |endpoint, body: &str| unsound(endpoint, body.as_bytes(), &private());
    let kind = |body: &str| of(Endpoint::Chat, body).map(|error| (error.kind, error.retry));
    let failed = Some((Kind::UpstreamFailed, Retry::NextTarget));
    for body in [
        "",
        " ",
        "<html>502</html>",
        "{}",
        r#"{"error":{"message":"x","code":502}}"#,
        r#"{"object":"error","message":"x","code":500}"#,
        r#"{"choices":[],"error":{"message":"x"}}"#,
        r#"{"choices":[{"error":{"message":"x"}}]}"#,
        r#"{"choices":[{"message":"#,
    ] {
        assert_eq!(kind(body), failed, "{body}");
    }
    assert_eq!(kind(r#"{"error":{"message":"x","code":429}}"#), Some((Kind::RateLimited, Retry::NextTarget)));
    assert_eq!(kind(r#"{"error":{"message":"x","code":400}}"#), Some((Kind::UpstreamRefused, Retry::Never)));
    for body in [
        r#"{"choices":[{"message":{"content":"\"error\""}}],"error":null}"#,
        r#"{"choices":[]}"#,
        r#"{"usage":{"total_tokens":1}}"#,
    ] {
        assert_eq!(kind(body), None, "{body}");
    }
    for (endpoint, body) in [
        (Endpoint::Responses, r#"{"object":"response","output":[],"error":null}"#),
        (Endpoint::Responses, "{}"),
        (Endpoint::Embeddings, r#"{"data":[]}"#),
    ] {
        assert!(of(endpoint, body).is_none(), "{body}");
    }
    for (endpoint, body) in [
        (Endpoint::Responses, r#"{"error":{"message":"x"}}"#),
        (Endpoint::Responses, "<html>"),
        (Endpoint::Embeddings, r#"{"detail":"x"}"#),
    ] {
        assert!(of(endpoint, body).is_some(), "{body}");
    }
}

proptest! {
    /// Whatever stands around an address or the key.
    #[test]
    fn an_address_never_comes_out(before in "[ -~é\n]{0,12}", after in "[ -~é\n]{0,12}", a in 0u8.., b in 0u8.., c in 0u8.., d in 0u8.., port in prop::option::of(1u16..)) {
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        let address = format!("{a}.{b}.{c}.{d}");
        let told = scrub(&format!("{before}{address}{port}{after}"));
        prop_assert!(!told.contains(&address), "{told}");
    }

    #[test]
    fn the_own_key_and_host_never_come_out(before in "[ -~é\n]{0,12}", after in "[ -~é\n]{0,12}") {
        for own in [OWN_KEY, OWN_HOST] {
            let told = scrub(&format!("{before}{own}{after}{own}"));
            prop_assert!(!told.contains(own), "{told}");
        }
    }

    #[test]
    fn an_address_of_eight_groups_never_comes_out(before in "([ -~]{0,8}[ ,;=('\"@/\\[])?", after in "([ ,;)'\"\\]%/][ -~]{0,8})?", bits in any::<u128>()) {
        let address = std::net::Ipv6Addr::from(bits | 1).to_string();
        let told = scrub(&format!("{before}{address}{after}"));
        prop_assert!(!told.contains(&address), "{told}");
    }

    #[test]
    fn no_text_makes_it_fail(text in "\\PC{0,200}") {
        prop_assert!(scrub(&text).len() <= LONGEST_MESSAGE + 3);
    }
}
