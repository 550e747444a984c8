//! Names of secrets: what the words of an identifier (`DB_PASSWORD`, `clientSecret`, `x-api-key`) say about its value.
//!
//! What a reader could get wrong: the last word decides. `token_count`, `password_hash` and `secretName` name something else, and `key` alone names
//! anything.

use smallvec::SmallVec;

use super::words::Words;

/// What a name promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Chosen by people: short, with words in it.
    Password,
    /// Drawn by a program.
    Secret,
    /// The same, without a word that says of what: `token`, `STRIPE_KEY`.
    Token,
    /// Drawn by a program if it looks very much like it: `key`, `some_key`.
    Perhaps,
    /// User and password in base64.
    Auth,
}

static PASSWORDS: Words = Words::new(
    "password passwd passwort pwd pass pw passphrase passcode kennwort contrasena senha wachtwoord clave psk userpass userpassword dbpass dbpassword mypassword",
);
static SECRETS: Words = Words::new(
    "secret apikey apitoken authtoken accesskey secretkey accesstoken refreshtoken idtoken clientsecret credential credentials authkey privatekey \
    appsecret apisecret webhooksecret jwtsecret tokensecret bottoken authorization",
);
/// Words in front of `key` or `token` that make it a secret.
static OF_SECRETS: Words = Words::new(
    "api secret access private auth encryption signing master account license service shared subscription storage admin app application client \
    consumer session jwt hmac aes webhook deploy security server user refresh bearer id bot personal integration publish publishing write read registry \
    oauth oauth2 integrations csrf xsrf device push management rest live prod production security sas root team org cloud host",
);
/// Words in front of them that make it something that anybody may see.
static OF_OTHERS: Words = Words::new(
    "cache primary public foreign partition sort idempotency row dedup object s3 hash map index unique lookup group publishable page next \
    continuation pagination sync cancellation syntax cursor previous prev first last current parse special stop start pad eos bos unk mask image input output \
    max min total per routing sharding range data json dict config translation i18n locale answer turn up",
);
/// Words behind a name that leave its meaning.
static TRAILING: Words = Words::new(
    "value text plain plaintext raw confirm confirmation again repeat new old current prod production dev staging live test base string default env admin root",
);

/// What the identifier `name` promises. `before`: the word in front of it, where it is not joined.
pub(super) fn kind(name: &str, before: &str) -> Option<Kind> {
    let words = words(name);
    let mut rest = words.as_slice();
    while let [front @ .., last] = rest
        && !front.is_empty()
        && TRAILING.has(last)
    {
        rest = front;
    }
    let (last, front) = rest.split_last()?;
    let qualifier = front.last().copied().unwrap_or(before);
    let ends = |suffix: &str| {
        last.len() >= suffix.len()
            && last.get(last.len() - suffix.len()..).is_some_and(|end| end.eq_ignore_ascii_case(suffix))
    };
    if PASSWORDS.has(last) || ends("password") || ends("passwd") || ends("passwort") {
        return Some(Kind::Password);
    }
    if SECRETS.has(last) {
        return Some(Kind::Secret);
    }
    let key = last.eq_ignore_ascii_case("key");
    let token = last.eq_ignore_ascii_case("token");
    match () {
        () if last.eq_ignore_ascii_case("auth") => Some(Kind::Auth),
        () if (key || token) && OF_OTHERS.has(qualifier) => None,
        () if (key || token) && OF_SECRETS.has(qualifier) => Some(Kind::Secret),
        () if token => Some(if front.is_empty() { Kind::Token } else { Kind::Secret }),
        () if key && !front.is_empty() && !name.bytes().any(|byte| byte.is_ascii_lowercase()) => Some(Kind::Token),
        () if key => Some(Kind::Perhaps),
        () if ends("secret") || ends("token") || ends("apikey") => Some(Kind::Secret),
        () => None,
    }
}

/// The words of an identifier, without the digits that end them: snake, kebab, dotted and camel case.
fn words(name: &str) -> SmallVec<[&str; 8]> {
    let bytes = name.as_bytes();
    let mut words: SmallVec<[&str; 8]> = SmallVec::new();
    let mut from = 0;
    for (at, pair) in bytes.windows(2).enumerate() {
        let [last, this] = *pair else { continue };
        if !this.is_ascii_alphanumeric()
            || !last.is_ascii_alphanumeric()
            || (this.is_ascii_uppercase() && last.is_ascii_lowercase())
        {
            words.push(name.get(from..=at).unwrap_or_default());
            from = at + 1;
        }
    }
    words.push(name.get(from..).unwrap_or_default());
    let stems = words.into_iter().map(|word| word.trim_end_matches(|sign: char| !sign.is_ascii_alphabetic()));
    stems.filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_decides() {
        for (name, expected) in [
            ("DB_PASSWORD", Some(Kind::Password)),
            ("passwordConfirm", Some(Kind::Password)),
            ("password1", Some(Kind::Password)),
            ("clientSecret", Some(Kind::Secret)),
            ("x-api-key", Some(Kind::Secret)),
            ("SECRET_KEY_BASE", Some(Kind::Secret)),
            ("apikey", Some(Kind::Secret)),
            ("token", Some(Kind::Token)),
            ("key", Some(Kind::Perhaps)),
            ("ACME_KEY", Some(Kind::Token)),
            ("password_hash", None),
            ("max_tokens", None),
            ("nextPageToken", None),
            ("cache_key", None),
            ("keyboard", None),
            ("secretary", None),
        ] {
            assert_eq!(kind(name, ""), expected, "{name}");
        }
        assert_eq!(kind("key", "api"), Some(Kind::Secret));
    }
}
