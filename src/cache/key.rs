//! What an answer is found by: BLAKE3 over its scope and its request in one spelling.
//!
//! What a reader could get wrong: the scope comes first and each of its parts is written with its length, so that no text of a request can
//! pass for a part of another scope.

use std::fmt;

/// BLAKE3's `derive_key` context of a cache key.
const CONTEXT: &str = "tidegate 2026 cache key v1";

/// The place of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub [u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever reads a log need not be able to tell which requests were alike.
        f.write_str("Key")
    }
}

impl Key {
    /// As operators name it: 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// `None`: it is no key.
    pub fn parse(text: &str) -> Option<Key> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.trim(), &mut bytes).ok().map(|()| Key(bytes))
    }
}

/// Everything that an answer depends on besides the request's text: who may be given it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Within<'w> {
    /// The route as configured, with the models and upstreams that there are.
    pub route: &'w [u8],
    pub tenant: &'w str,
    /// The tenant as configured.
    pub tenant_as: &'w [u8],
    /// The tier in force.
    pub privacy: &'w str,
    pub endpoint: &'w str,
    /// Where the request wants to run; empty: it does not say.
    pub placement: &'w str,
    /// Where who asks makes a difference.
    pub app: Option<&'w str>,
    pub user: Option<&'w str>,
    /// What a rule reads, though no model is told of it: the name that was asked for, which may be an alias; the form; the deadline.
    pub model: Option<&'w str>,
    pub stream: Option<bool>,
    pub deadline_ms: Option<u64>,
    /// Where they make a difference.
    pub tags: &'w [(String, String)],
    /// Name and value of headers that go up and may change an answer.
    pub headers: &'w [(&'w str, &'w [u8])],
}

impl Within<'_> {
    pub fn scope(&self) -> Scope {
        let parts = [self.route, self.tenant.as_bytes(), self.tenant_as, self.privacy.as_bytes()];
        let more = [self.endpoint.as_bytes(), self.placement.as_bytes()];
        let mut scope = parts.into_iter().chain(more).fold(Scope::default(), Scope::with);
        for (name, who) in [(&b"app"[..], self.app), (b"user", self.user), (b"model", self.model)] {
            if let Some(who) = who {
                scope = scope.with(name).with(who.as_bytes());
            }
        }
        if let Some(stream) = self.stream {
            scope = scope.with(b"stream").with(&[u8::from(stream)]);
        }
        if let Some(ms) = self.deadline_ms {
            scope = scope.with(b"deadline").with(&ms.to_le_bytes());
        }
        for (key, value) in self.tags {
            scope = scope.with(b"tag").with(key.as_bytes()).with(value.as_bytes());
        }
        for (name, value) in self.headers {
            scope = scope.with(b"header").with(name.as_bytes()).with(value);
        }
        scope.with(b"request")
    }
}

/// [`Within`], hashed.
#[derive(Debug, Clone)]
pub struct Scope(blake3::Hasher);

impl Default for Scope {
    fn default() -> Self {
        Scope(blake3::Hasher::new_derive_key(CONTEXT))
    }
}

impl Scope {
    /// One more part; parts are told apart by their order.
    #[must_use]
    pub fn with(mut self, part: &[u8]) -> Scope {
        self.0.update(&(part.len() as u64).to_le_bytes()).update(part);
        self
    }

    /// The scope of what surrounds a question.
    pub fn around(&self, request: &[u8]) -> u128 {
        let key = self.clone().with(b"around").key(request);
        let mut first = [0; 16];
        first.copy_from_slice(key.0.get(..16).unwrap_or(&[0; 16]));
        u128::from_le_bytes(first)
    }

    /// The key of a request within it.
    pub fn key(&self, request: &[u8]) -> Key {
        Key(*self.0.clone().update(request).finalize().as_bytes())
    }
}

/// A label to purge by: the first eight bytes of its BLAKE3.
pub fn label(name: &str) -> u64 {
    let hash = blake3::hash(name.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(hash.as_bytes().get(..8).unwrap_or(&[0; 8]));
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Owned, so that proptest can make one.
    #[derive(Debug, Clone)]
    struct Drawn {
        texts: [String; 6],
        app: Option<String>,
        user: Option<String>,
        model: Option<String>,
        form: (Option<bool>, Option<u64>),
        tags: Vec<(String, String)>,
        headers: Vec<(String, String)>,
        request: Vec<u8>,
    }

    fn drawn() -> impl Strategy<Value = Drawn> {
        let word = || "[a-c]{0,3}";
        let pairs = || prop::collection::vec((word(), word()), 0..3);
        let texts = [word(), word(), word(), word(), word(), word()];
        let who = (prop::option::of(word()), prop::option::of(word()), prop::option::of(word()));
        let form = (prop::option::of(any::<bool>()), prop::option::of(0..3u64));
        let all = (texts, who, form, pairs(), pairs(), word());
        all.prop_map(|(texts, (app, user, model), form, tags, headers, request)| Drawn {
            texts,
            app,
            user,
            model,
            form,
            tags,
            headers,
            request: request.into_bytes(),
        })
    }

    impl Drawn {
        fn key(&self) -> (Key, u128) {
            let [route, tenant, tenant_as, privacy, endpoint, placement] = &self.texts;
            let headers: Vec<_> = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
            let within = Within {
                route: route.as_bytes(),
                tenant,
                tenant_as: tenant_as.as_bytes(),
                privacy,
                endpoint,
                placement,
                app: self.app.as_deref(),
                user: self.user.as_deref(),
                model: self.model.as_deref(),
                stream: self.form.0,
                deadline_ms: self.form.1,
                tags: &self.tags,
                headers: &headers,
            };
            (within.scope().key(&self.request), within.scope().around(&self.request))
        }

        /// One thing changed.
        fn varied(&self, which: usize, to: &str) -> Drawn {
            let mut other = self.clone();
            match which {
                0..=5 => other.texts[which] = to.into(),
                6 => other.app = Some(to.into()),
                7 => other.user = Some(to.into()),
                8 => other.tags.push((to.into(), String::new())),
                9 => other.headers.push((to.into(), String::new())),
                10 => other.model = Some(to.into()),
                11 => other.form.0 = Some(to.len() > 1),
                12 => other.form.1 = Some(to.len() as u64),
                _ => other.request = to.as_bytes().to_vec(),
            }
            other
        }
    }

    proptest! {
        #[test]
        fn whatever_differs_keeps_answers_apart(one in drawn(), which in 0usize..14, to in "[a-c]{0,3}", other in drawn()) {
            let varied = one.varied(which, &to);
            let same = |a: &Drawn, b: &Drawn| format!("{a:?}") == format!("{b:?}");
            prop_assert_eq!(same(&one, &varied), one.key() == varied.key());
            prop_assert_eq!(same(&one, &varied), one.key().1 == varied.key().1);
            prop_assert_eq!(same(&one, &other), one.key() == other.key());
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let scope = |parts: &[&str]| parts.iter().fold(Scope::default(), |scope, part| scope.with(part.as_bytes()));
        assert_ne!(scope(&["ab", "c"]).key(b"x"), scope(&["a", "bc"]).key(b"x"));
        assert_ne!(scope(&["a", ""]).key(b"x"), scope(&["", "a"]).key(b"x"));
        assert_ne!(scope(&["a"]).key(b"x"), scope(&["a", "x"]).key(b""));
        assert_eq!(scope(&["a"]).key(b"x"), scope(&["a"]).key(b"x"));
        let key = scope(&["a"]).key(b"x");
        assert_eq!(Key::parse(&key.hex()), Some(key));
        assert_eq!(Key::parse("12"), None);
        assert_ne!(label("a"), label("b"));
    }
}
