//! Which headers go on, in both directions.
//!
//! What a reader could get wrong: lists of what is *dropped*; everything else is passed on, as a client of the OpenAI API expects. The client's key,
//! cookies and where he came from never go up; the provider's account, cookies and server never come down.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, DATE,
    EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SERVER,
    SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT, VIA,
};

/// Headers for the upstream. `decoded`: the gateway reads the answer, so it must come uncompressed.
pub fn upwards(client: &HeaderMap, decoded: bool) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(client.len() + 2);
    for (name, value) in client {
        if !(is_dropped_upwards(name) || decoded && name == ACCEPT_ENCODING) {
            headers.append(name, value.clone());
        }
    }
    drop_nominated(client, &mut headers);
    headers
}

/// Headers that go up and may change an answer (`openai-beta`, an operator's own): an answer is kept for those who send the same.
pub fn that_matter(client: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    client.iter().filter(|(name, _)| !is_common(name) && !is_neutral(name) && !is_dropped_upwards(name))
}

/// Nothing in these headers changes an answer, or says how it is to be come by.
pub fn are_usual(client: &HeaderMap) -> bool {
    let is_usual = |name: &HeaderName| {
        is_common(name)
            || *name != CACHE_CONTROL
                && !name.as_str().starts_with("x-tidegate-")
                && (is_neutral(name) || is_dropped_upwards(name))
    };
    client.keys().all(is_usual)
}

/// What nearly every request has; looked at first, because it is quick.
fn is_common(name: &HeaderName) -> bool {
    [HOST, CONTENT_TYPE, CONTENT_LENGTH, ACCEPT, USER_AGENT, AUTHORIZATION, ACCEPT_ENCODING, CONNECTION].contains(name)
}

/// What goes up and changes no answer: languages of error pages, traces, what browsers add.
fn is_neutral(name: &HeaderName) -> bool {
    const NEUTRAL: [&str; 17] = [
        "accept-language",
        "cache-control",
        "pragma",
        "dnt",
        "priority",
        "traceparent",
        "tracestate",
        "upgrade-insecure-requests",
        "idempotency-key",
        "b3",
        "x-amzn-trace-id",
        "x-cloud-trace-context",
        "sentry-trace",
        "uber-trace-id",
        "x-correlation-id",
        "newrelic",
        "x-newrelic-id",
    ];
    let name = name.as_str();
    NEUTRAL.contains(&name) || ["sec-", "x-b3-", "x-datadog-", "x-envoy-"].iter().any(|prefix| name.starts_with(prefix))
}

/// Headers for the client, out of an upstream's answer.
pub fn downwards(upstream: HeaderMap) -> HeaderMap {
    let mut headers = upstream;
    let nominated = nominated(&headers);
    for name in DROPPED_DOWNWARDS.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
    for name in nominated {
        headers.remove(name);
    }
    headers
}

/// RFC 9110 7.6.1, and what each hop sets anew.
static HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

static DROPPED_DOWNWARDS: [HeaderName; 9] = [
    CONTENT_LENGTH,
    DATE,
    SERVER,
    SET_COOKIE,
    VIA,
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("openai-project"),
    HeaderName::from_static("access-control-allow-origin"),
];

/// Beginnings of headers that identity-aware proxies add.
const WHOSE: [&str; 9] = [
    "x-auth-request-",
    "x-goog-authenticated-user-",
    "x-goog-iap-",
    "x-amzn-oidc-",
    "x-ms-client-principal",
    "x-user",
    "x-remote-user",
    "x-authenticated-",
    "cf-",
];

fn is_dropped_upwards(name: &HeaderName) -> bool {
    if HOP_BY_HOP.contains(name) {
        return true;
    }
    if [AUTHORIZATION, COOKIE, HOST, CONTENT_LENGTH, EXPECT, FORWARDED, VIA].contains(name) {
        return true;
    }
    let name = name.as_str();
    // Accounts belong to keys, and the key is the gateway's.
    matches!(name, "x-api-key" | "api-key" | "openai-organization" | "openai-project" | "x-real-ip" | "x-request-id")
        // Who the client is, as proxies in front say it, and where he came from.
        || matches!(name, "from" | "referer" | "origin" | "remote-user" | "baggage" | "true-client-ip" | "x-client-ip")
        || WHOSE.iter().any(|prefix| name.starts_with(prefix))
        || name.starts_with("x-tidegate-")
        || name.starts_with("x-forwarded-")
        || name.starts_with("x-stainless-")
}

/// `Connection: x-foo` makes `x-foo` hop-by-hop too.
fn drop_nominated(of: &HeaderMap, headers: &mut HeaderMap) {
    for name in nominated(of) {
        headers.remove(name);
    }
}

fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    let lists = headers.get_all(CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    let names = lists.flat_map(|list| list.split(',')).map(str::trim);
    names
        .filter(|n| !n.eq_ignore_ascii_case("keep-alive") && !n.eq_ignore_ascii_case("close"))
        .filter_map(|n| n.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&str, &str)]) -> HeaderMap {
        headers.iter().map(|(n, v)| (n.parse::<HeaderName>().unwrap(), v.parse().unwrap())).collect()
    }

    #[test]
    fn the_clients_key_and_whereabouts_stay_here() {
        let client = map(&[
            ("authorization", "Bearer sk-client"),
            ("x-api-key", "k"),
            ("cookie", "c"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-tidegate-app", "a"),
            ("x-auth-request-email", "a@b.example"),
            ("referer", "https://intranet.example/a"),
            ("cf-connecting-ip", "192.0.2.1"),
            ("accept-encoding", "gzip"),
            ("connection", "keep-alive, x-private"),
            ("x-private", "1"),
            ("user-agent", "OpenAI/Python"),
            ("openai-beta", "assistants=v2"),
        ]);
        let up = upwards(&client, true);
        let mut names: Vec<_> = up.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["openai-beta", "user-agent"]);
        assert!(upwards(&client, false).contains_key("accept-encoding"));
    }

    #[test]
    fn the_providers_account_does_not_come_down() {
        let down = downwards(map(&[
            ("openai-organization", "org-1"),
            ("set-cookie", "a=b"),
            ("server", "llama.cpp"),
            ("content-type", "application/json"),
            ("x-ratelimit-remaining-requests", "9"),
            ("transfer-encoding", "chunked"),
        ]));
        let mut names: Vec<_> = down.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "x-ratelimit-remaining-requests"]);
    }
}
