//! Secrets in every dress, and what stands in their place in documentation. Tokens are put together at run time: no scanner of secrets finds one here.

use crate::pii::entity::Entity;
use crate::pii::scan::scan;
use crate::pii::span::settle;

const SECRETS: [Entity; 6] =
    [Entity::PRIVATE_KEY, Entity::JWT, Entity::API_KEY, Entity::PASSWORD, Entity::URL_CREDENTIALS, Entity::SECRET];

/// The secrets found, in order.
fn found(text: &str) -> Vec<(Entity, String)> {
    let mut spans = vec![];
    scan(text, &mut spans);
    settle(&mut spans);
    let secrets = spans.iter().filter(|span| SECRETS.contains(&span.entity));
    secrets.map(|span| (span.entity, text[span.start..span.end].to_owned())).collect()
}

/// Something that looks drawn at random, the same in each run: tokens are put together here, so that no scanner takes this file for a leak.
fn drawn(signs: &str, length: usize) -> String {
    let signs: Vec<char> = signs.chars().collect();
    let mut state = (length as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        signs[(state >> 33) as usize % signs.len()]
    };
    (0..length).map(|_| next()).collect()
}

const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEX: &str = "0123456789abcdef";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

#[test]
fn tokens_of_providers_are_found_wherever_they_stand() {
    for (prefix, signs, length) in [
        ("AKIA", UPPER, 16),
        ("AIza", ALNUM, 35),
        ("ghp_", ALNUM, 36),
        ("glpat-", ALNUM, 20),
        ("sk_live_", ALNUM, 24),
        ("sk-", ALNUM, 48),
        ("sk-tg-", ALNUM, 40),
        ("sk-ant-api03-", ALNUM, 95),
        ("hf_", ALNUM, 34),
        ("npm_", ALNUM, 36),
        ("dop_v1_", HEX, 64),
        ("dapi", HEX, 32),
        ("shpat_", HEX, 32),
    ] {
        let token = format!("{prefix}{}", drawn(signs, length));
        for text in
            [token.clone(), format!("is {token} valid?"), format!("x=\"{token}\","), format!("line\\n{token}\\n")]
        {
            assert_eq!(found(&text), [(Entity::API_KEY, token.clone())], "{text}");
        }
        assert_eq!(found(&format!("x{token}")), [], "{token}");
    }
}

#[test]
fn tokens_of_several_parts() {
    let numbers = drawn("123456789", 12);
    for token in [
        format!("xox{}-{numbers}-{}", 'b', drawn(ALNUM, 24)),
        format!("{}:AA{}", drawn("123456789", 10), drawn(ALNUM, 33)),
        format!("MTA{}.{}.{}", drawn(ALNUM, 21), drawn(ALNUM, 6), drawn(ALNUM, 38)),
        format!("SG.{}.{}", drawn(ALNUM, 22), drawn(ALNUM, 43)),
        format!("{}.atlasv1.{}", drawn(ALNUM, 14), drawn(ALNUM, 67)),
        format!("{}-us12", drawn(HEX, 32)),
        format!("SK{}", drawn(HEX, 32)),
        format!("a1B8Q~{}", drawn(ALNUM, 34)),
        format!("pat{}.{}", drawn(ALNUM, 14), drawn(HEX, 64)),
    ] {
        assert_eq!(found(&format!("({token})")), [(Entity::API_KEY, token.clone())], "{token}");
    }
    let hook = format!("T{}/B{}/{}", drawn(UPPER, 8), drawn(UPPER, 9), drawn(ALNUM, 24));
    assert_eq!(found(&format!("https://hooks.slack.com/services/{hook}")), [(Entity::API_KEY, hook)]);
}

#[test]
fn what_documentation_writes_in_a_tokens_place_is_none() {
    for text in [
        "glpat-xxxxxxxxxxxxxxxxxxxx",
        "AKIAIOSFODNN7EXAMPLE",
        "sk-...",
        "sk-learn-and-more-words-here",
        "xoxb-your-token-goes-here",
        "hf_hub_download_from_the_hub_again",
        "task-force-one-two-three-four-five",
        "sk-1234567890abcdef1234567890abcdef",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn web_tokens_have_a_header_that_decodes() {
    let header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
    let token = format!("{header}.{}.{}", drawn(ALNUM, 60), drawn(ALNUM, 43));
    assert_eq!(found(&format!("Authorization: Bearer {token}.")), [(Entity::JWT, token.clone())]);
    assert_eq!(found(&format!("{token}, {token}")).len(), 2);
    assert_eq!(found(&format!("{header}.x.y")), []);
    assert_eq!(found(&format!("eyJmb28iOiJiYXIifQ.{}.{}", drawn("abc", 60), drawn("abc", 43))), []);
}

#[test]
fn key_blocks_are_found_whole_cut_off_and_escaped() {
    for label in
        ["RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "PGP PRIVATE KEY BLOCK"]
    {
        for line in ["\n", "\\n", "\r\n"] {
            let body = format!("{}{line}{}", drawn(ALNUM, 64), drawn(ALNUM, 30));
            let open = format!("-----BEGIN {label}-----{line}{body}");
            let whole = format!("{open}{line}-----END {label}-----");
            assert_eq!(found(&format!("key: \"{whole}\" thanks")), [(Entity::PRIVATE_KEY, whole.clone())]);
            assert_eq!(found(&open), [(Entity::PRIVATE_KEY, open.clone())]);
            assert_eq!(found(&format!("{whole}\n{whole}")).len(), 2);
            assert_eq!(found(&format!("{open}\n{whole}")).len(), 2);
        }
    }
    for text in [
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAzzzzzzzzzzzzz\n-----END PUBLIC KEY-----",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "starts_with(\"-----BEGIN RSA PRIVATE KEY-----\")",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn a_name_gives_its_value_away() {
    for value in [drawn(ALNUM, 32), drawn(HEX, 40), format!("{}==", drawn(ALNUM, 22))] {
        for text in [
            format!("API_KEY={value}"),
            format!("export STRIPE_SECRET=\"{value}\""),
            format!("clientSecret: '{value}'"),
            format!("{{\"access_token\":\"{value}\",\"expires_in\":1}}"),
            format!("{{\\\"access_token\\\": \\\"{value}\\\"}}"),
            format!("- name: AUTH_TOKEN\n  value: {value}"),
            format!("my api key is {value}, what now?"),
            format!("the secret key for staging is {value}"),
            format!("x-api-key: {value}"),
            format!("const token: string = '{value}';"),
            format!("Authorization: token {value}"),
        ] {
            assert_eq!(found(&text), [(Entity::SECRET, value.clone())], "{text}");
        }
    }
}

#[test]
fn passwords_in_settings_and_sentences() {
    for (text, password) in [
        ("password: hunter2", "hunter2"),
        ("DB_PASSWORD=s3cr3t-w0rd", "s3cr3t-w0rd"),
        ("\"password\": \"swordfish\"", "swordfish"),
        ("my password is Tr0ub4dor&3.", "Tr0ub4dor&3"),
        ("Mein Passwort lautet Sommer2024!", "Sommer2024!"),
        ("mot de passe : ete2024", "ete2024"),
        ("la contraseña es Verano#22", "Verano#22"),
        ("**Password:** `pa55w0rd-x`", "pa55w0rd-x"),
        ("Server=db;User Id=sa;Password=Ab12-cd34;", "Ab12-cd34"),
        ("密码：abc12345", "abc12345"),
        ("curl -u admin:s3cr3t-w0rd https://example.org", "s3cr3t-w0rd"),
        ("machine example.org login me password ab12cd", "ab12cd"),
        ("Authorization: Basic amFuZTpzM2NyM3QtdzByZA==", "amFuZTpzM2NyM3QtdzByZA=="),
        ("connect(user='x', password=\"ab12cd\")", "ab12cd"),
        ("user=x&password=ab12cd&y=1", "ab12cd"),
        ("user.setPassword(\"ab12cd\");", "ab12cd"),
        ("mysql -u root -pAb12-cd34 db", "Ab12-cd34"),
        ("sshpass -p 'Ab12-cd34' ssh me@host", "Ab12-cd34"),
        ("passphrase = \"four words of mine 7\"", "four words of mine 7"),
        ("| password | Ab12-cd34 |", "Ab12-cd34"),
    ] {
        assert_eq!(found(text), [(Entity::PASSWORD, password.to_owned())], "{text}");
    }
}

#[test]
fn names_without_a_secret_behind_them() {
    for text in [
        "password = getpass()",
        "password: str",
        "password=$DB_PASSWORD",
        "password: ${{ secrets.DB }}",
        "\"password\": {\"type\": \"string\"}",
        "The password is incorrect.",
        "Your password must be long.",
        "password: changeme",
        "api_key = os.environ[\"API_KEY\"]",
        "token = lexer.next_token()",
        "self.password = password",
        "const token = process.env.TOKEN;",
        "max_tokens: 4096",
        "the key difference: speed or quality?",
        "sort_key = \"created_at\"",
        "SECRET_FILE=/run/secrets/db",
        "Authorization: Bearer <token>",
        "basic understanding of it",
        "bearer of this letter",
        "login(user=user, password=password)",
        "access_token_url='https://example.org/oauth/access_token'",
        "docker run -u 1000:1000 x",
        "pub const ERROR_PASSWORD: u32 = 86u32;",
        "pass: *const c_char,",
        "\"checksum\": \"9f86d081884c7d659a2feaa0c55ad0159f86d081\"",
        "cache_key: 9f86d081884c7d659a2feaa0c55ad015",
        "Passwort vergessen?",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}
