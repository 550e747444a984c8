//! Addresses of people and machines: what is found, and what only looks like one. Values are made up or published specimens.

use crate::pii::entity::Entity;
use crate::pii::scan::scan;
use crate::pii::span::settle;

/// What is found of these types, in order.
fn found(text: &str, entities: &[Entity]) -> Vec<String> {
    let mut spans = vec![];
    scan(text, &mut spans);
    settle(&mut spans);
    let wanted = spans.iter().filter(|span| entities.contains(&span.entity));
    wanted.map(|span| text[span.start..span.end].to_owned()).collect()
}

fn one(text: &str, entity: Entity) -> String {
    found(text, &[entity]).join(" ")
}

#[test]
fn an_address_is_found_without_what_surrounds_it() {
    for (text, address) in [
        ("Write to jane.doe+news@mail.example.org.", "jane.doe+news@mail.example.org"),
        ("<o'neil@example.ie>", "o'neil@example.ie"),
        ("'jane@example.org'", "jane@example.org"),
        ("mailto:jane@example.org?subject=x", "jane@example.org"),
        ("email=jane_d@example.co.uk&x=1", "jane_d@example.co.uk"),
        ("https://example.org/unsubscribe/jane@example.org/now", "jane@example.org"),
        ("jörg@müller.example", "jörg@müller.example"),
        ("用户@例子.公司", "用户@例子.公司"),
        ("我的邮箱是jane@example.cn谢谢", "jane@example.cn"),
        ("user@xn--80ak6aa92e.xn--p1ai", "user@xn--80ak6aa92e.xn--p1ai"),
        ("\"jane doe\"@example.org", "\"jane doe\"@example.org"),
        ("?to=jane%40example.org&x", "jane%40example.org"),
        ("see **jane@example.org**", "jane@example.org"),
    ] {
        assert_eq!(one(text, Entity::EMAIL_ADDRESS), address, "{text}");
    }
}

#[test]
fn not_every_at_sign_is_an_address() {
    for text in [
        "npm@1.2.3",
        "left-pad@^1.3.0",
        "git@github.com:owner/name.git",
        "@decorator.call",
        "user@host",
        "icon@2x.png",
        "mail me@ example.org",
        "x@v1.2.0-rc.one",
        "info@example.",
        "deploy@web.example.org:/srv/app",
        "https://jane:s3cr3t-w0rd@example.org/",
        "a@b.c",
        "uses: actions/checkout@v4.1.1",
        "x @ y.com",
    ] {
        assert_eq!(one(text, Entity::EMAIL_ADDRESS), "", "{text}");
    }
}

#[test]
fn ip_addresses_are_found_with_their_prefix_and_zone() {
    for (text, address) in [
        ("from 93.184.216.34.", "93.184.216.34"),
        ("http://93.184.216.34:8080/x", "93.184.216.34"),
        ("net 91.20.0.0/16,", "91.20.0.0/16"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("[2001:db8::1]:8080", "2001:db8::1"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.1"),
        ("6e40:4041:c617:e898:c11:40d2:c669:2eb4", "6e40:4041:c617:e898:c11:40d2:c669:2eb4"),
        ("my ip is 2.3.4.5", "2.3.4.5"),
    ] {
        assert_eq!(one(text, Entity::IP_ADDRESS), address, "{text}");
    }
}

#[test]
fn versions_paths_and_nobodys_addresses_are_none() {
    for text in [
        "version 91.0.4472.124",
        "v1.2.3.4",
        "pkg==10.20.30.40",
        "Chrome/91.0.4472.124",
        "1.2.3.4",
        "127.0.0.1:80",
        "0.0.0.0:8002",
        "255.255.255.0",
        "300.1.1.1",
        "10.1.2.3.4",
        "10.20.30.40-beta",
        "std::fmt",
        "::1",
        "a[1::2]",
        "12:34:56",
        "fe::de",
        "aa:bb:cc:dd:ee:ff",
    ] {
        assert_eq!(one(text, Entity::IP_ADDRESS), "", "{text}");
    }
}

#[test]
fn hardware_addresses_in_all_three_writings() {
    for address in
        ["00:1A:2B:3C:4D:5E", "00-1a-2b-3c-4d-5e", "0012.3456.789a", "AA:BB:CC:DD:EE:FF", "AA-BB-CC-DD-EE-FF"]
    {
        assert_eq!(one(&format!("at {address}."), Entity::MAC_ADDRESS), address);
    }
    for text in ["00:00:00:00:00:00", "FF:FF:FF:FF:FF:FF", "ZZ:ZZ:ZZ:ZZ:ZZ:ZZ", "10:2F:33-AC-29-C3", "00:1A:2B:3C:4D"] {
        assert_eq!(one(text, Entity::MAC_ADDRESS), "", "{text}");
    }
}

#[test]
fn credentials_in_urls_are_user_and_password() {
    for (text, credentials) in [
        ("postgres://app:s3cr3t-w0rd@db.example.org:5432/x", "app:s3cr3t-w0rd"),
        ("redis://:t0p-s3cr3t@cache:6379", ":t0p-s3cr3t"),
        ("https://jane:p@ssw0rd9@example.org/a@b", "jane:p@ssw0rd9"),
        ("mysql://jane:ab/cd#12@db/x", "jane:ab/cd#12"),
    ] {
        assert_eq!(one(text, Entity::URL_CREDENTIALS), credentials, "{text}");
    }
    for text in [
        "https://user:password@example.org",
        "https://${USER}:${PASS}@example.org",
        "http://localhost:8080/@x",
        "https://example.org:443/a:b@c",
        "http://a:<password>@example.org",
        "postgres://postgres:postgres@localhost/x",
        "https://medium.com/@jane",
    ] {
        assert_eq!(one(text, Entity::URL_CREDENTIALS), "", "{text}");
    }
}

#[test]
fn addresses_of_currencies_have_checksums() {
    // The first block's reward, the example of BIP 173 and BIP 350, that of EIP-55: known to everybody.
    let known = [
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh",
    ];
    for address in known {
        assert_eq!(one(&format!("send to {address}, please"), Entity::CRYPTO), address);
        // One sign changed.
        let last = address.chars().last().unwrap();
        let other = if last == '4' { '5' } else { '4' };
        let broken = format!("{}{}", &address[..address.len() - 1], if last == 'd' { 'D' } else { other });
        assert_eq!(one(&format!("send to {broken}, please"), Entity::CRYPTO), "", "{broken}");
    }
}
