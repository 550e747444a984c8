//! Names of secrets: what the words of an identifier (`DB_PASSWORD`, `clientSecret`, `x-api-key`) say about its value.
//!
//! What a reader could get wrong: the last word decides. `token_count`, `password_hash` and `secretName` name something else, and `key` alone names
//! anything.

use smallvec::SmallVec;

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

const PASSWORDS: &str = "password passwd passwort pwd pass pw passphrase passcode kennwort contrasena senha wachtwoord clave psk userpass userpassword dbpass dbpassword mypassword";
const SECRETS: &str = "secret apikey apitoken authtoken accesskey secretkey accesstoken refreshtoken idtoken clientsecret credential credentials authkey privatekey \
    appsecret apisecret webhooksecret jwtsecret tokensecret bottoken authorization";
/// Words in front of `key` or `token` that make it a secret.
const OF_SECRETS: &str = "api secret access private auth encryption signing master account license service shared subscription storage admin app application client \
    consumer session jwt hmac aes webhook deploy security server user refresh bearer id bot personal integration publish publishing write read registry \
    oauth oauth2 integrations csrf xsrf device push management rest live prod production security sas root team org cloud host";
/// Words in front of them that make it something that anybody may see.
const OF_OTHERS: &str = "cache primary public foreign partition sort idempotency row dedup object s3 hash map index unique lookup group publishable page next \
    continuation pagination sync cancellation syntax cursor previous prev first last current parse special stop start pad eos bos unk mask image input output \
    max min total per routing sharding range data json dict config translation i18n locale answer turn up";
/// Words behind a name that leave its meaning.
const TRAILING: &str = "value text plain plaintext raw confirm confirmation again repeat new old current prod production dev staging live test base string default env admin root";

/// What the identifier `name` promises. `before`: the word in front of it, where it is not joined.
pub(super) fn kind(name: &str, before: &str) -> Option<Kind> {
    let words = words(name);
    let mut rest = words.as_slice();
    while let [front @ .., last] = rest
        && !front.is_empty()
        && (last.is_empty() || is_in(TRAILING, last))
    {
        rest = front;
    }
    let (last, front) = rest.split_last()?;
    let qualifier = front.last().map_or(before, |word| word.as_str());
    let last = last.as_str();
    if is_in(PASSWORDS, last) || last.ends_with("password") || last.ends_with("passwd") || last.ends_with("passwort") {
        return Some(Kind::Password);
    }
    if is_in(SECRETS, last) {
        return Some(Kind::Secret);
    }
    match last {
        "auth" => Some(Kind::Auth),
        "key" | "token" | "keys" if is_in(OF_OTHERS, qualifier) => None,
        "key" | "token" if is_in(OF_SECRETS, qualifier) => Some(Kind::Secret),
        "token" => Some(if front.is_empty() { Kind::Token } else { Kind::Secret }),
        "key" if !front.is_empty() && !name.bytes().any(|byte| byte.is_ascii_lowercase()) => Some(Kind::Token),
        "key" => Some(Kind::Perhaps),
        _ if last.ends_with("secret") => Some(Kind::Secret),
        _ if last.ends_with("token") || last.ends_with("apikey") => Some(Kind::Secret),
        _ => None,
    }
}

fn is_in(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|known| known.eq_ignore_ascii_case(word))
}

/// The words of an identifier in small letters, without the digits that end them: snake, kebab, dotted and camel case.
fn words(name: &str) -> SmallVec<[String; 6]> {
    let mut words: SmallVec<[String; 6]> = SmallVec::new();
    let mut word = String::new();
    let mut last = ' ';
    for sign in name.chars() {
        let is_border = !sign.is_alphanumeric() || (sign.is_uppercase() && last.is_lowercase());
        if is_border && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if sign.is_alphabetic() {
            word.extend(sign.to_lowercase());
        }
        last = sign;
    }
    words.push(word);
    words
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
