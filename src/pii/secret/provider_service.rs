//! Tokens of payment, shops, messages, mail and work.
//!
//! What a reader could get wrong: keys that are made to be shown (`pk_live_`, `pk_test_`) are no secrets.

use super::token::{Signs, Token, drawn, look, sure, tokens};
use crate::pii::entity::Entity;
use crate::pii::scan::Anchor;

tokens! {
    // Payment and shops.
    "sm_aat_" Alnum 16..17 sure API_KEY;
    "sm_pat_" Alnum 16..17 sure API_KEY;
    "p8e-" Lower 32..33 drawn API_KEY;
    "sk_live_" Alnum 16..251 sure API_KEY;
    "rk_live_" Alnum 16..251 sure API_KEY;
    "sk_test_" Alnum 16..251 sure API_KEY;
    "rk_test_" Alnum 16..251 sure API_KEY;
    "whsec_" Base64 24..81 sure API_KEY;
    "EAAA" Url 56..71 drawn API_KEY;
    "sq0atp-" Url 22..23 sure API_KEY;
    "sq0csp-" Url 43..44 sure API_KEY;
    "sq0idp-" Url 22..23 sure API_KEY;
    "access_token$production$" Path 40..61 sure API_KEY;
    "access_token$sandbox$" Path 40..61 sure API_KEY;
    "A21AA" Url 60..121 drawn API_KEY;
    "access-production-" Url 36..37 sure API_KEY;
    "access-sandbox-" Url 36..37 sure API_KEY;
    "access-development-" Url 36..37 sure API_KEY;
    "shpat_" Hex 32..33 sure API_KEY;
    "shpca_" Hex 32..33 sure API_KEY;
    "shppa_" Hex 32..33 sure API_KEY;
    "shpss_" Hex 32..33 sure API_KEY;
    "rzp_live_" Alnum 14..15 sure API_KEY;
    "rzp_test_" Alnum 14..15 sure API_KEY;
    "FLWSECK-" Url 30..51 sure API_KEY;
    "FLWSECK_TEST-" Url 12..51 sure API_KEY;
    "cdp_" Url 30..61 drawn API_KEY;
    // Messages.
    "EAAC" Alnum 100..400 drawn API_KEY;
    "EAAM" Alnum 100..400 drawn API_KEY;
    "AAAAAAAAAAAAAAAAAAAAA" Path 60..140 drawn API_KEY;
    "xoxb-" Url 20..251 sure API_KEY;
    "xoxp-" Url 20..251 sure API_KEY;
    "xoxa-" Url 20..251 sure API_KEY;
    "xoxr-" Url 20..251 sure API_KEY;
    "xoxs-" Url 20..251 sure API_KEY;
    "xoxo-" Url 20..251 sure API_KEY;
    "xoxc-" Url 20..251 sure API_KEY;
    "xoxd-" Path 20..601 sure API_KEY;
    "xoxe-" Url 20..251 sure API_KEY;
    "xoxe." Dotted 20..251 sure API_KEY;
    "xapp-" Url 20..251 sure API_KEY;
    "xwfp-" Url 20..251 sure API_KEY;
    "hooks.slack.com/services/" Path 35..61 sure API_KEY behind;
    "hooks.slack.com/workflows/" Path 35..91 sure API_KEY behind;
    "hooks.slack.com/triggers/" Path 30..91 sure API_KEY behind;
    "discord.com/api/webhooks/" Path 70..131 sure API_KEY behind;
    "discordapp.com/api/webhooks/" Path 70..131 sure API_KEY behind;
    "webhook.office.com/webhookb2/" Path 80..221 sure API_KEY behind;
    "EAACEdEose0cBA" Alnum 20..301 sure API_KEY;
    // Mail.
    "SG." Dotted 40..81 drawn API_KEY;
    "key-" Hex 32..33 drawn API_KEY;
    "xkeysib-" Url 60..101 sure API_KEY;
    "xsmtpsib-" Url 60..101 sure API_KEY;
    "re_" Url 24..41 drawn API_KEY;
    "MG." Dotted 60..81 drawn API_KEY;
    "PMAK-" Url 55..71 sure API_KEY;
    "mlsn." Hex 64..65 sure API_KEY;
    // Work.
    "rdme_" Lower 70..71 sure API_KEY;
    "fio-u-" Equals 64..65 sure API_KEY;
    "sl." Equals 130..1200 drawn API_KEY;
    "duffel_test_" Url 43..44 sure API_KEY;
    "lin_api_" Alnum 32..51 sure API_KEY;
    "lin_oauth_" Alnum 32..71 sure API_KEY;
    "ntn_" Alnum 40..61 sure API_KEY;
    "secret_" Alnum 43..44 drawn API_KEY;
    "figd_" Url 36..61 sure API_KEY;
    "figo_" Url 36..61 sure API_KEY;
    "dG9rO" Base64 40..81 sure API_KEY;
    "pdt_" Alnum 20..41 drawn API_KEY;
    "pat-na1-" Uuid 36..37 sure API_KEY;
    "pat-eu1-" Uuid 36..37 sure API_KEY;
    "patn1-" Url 30..61 drawn API_KEY;
    "typeform_" Url 40..71 sure API_KEY;
    "tfp_" Url 40..81 drawn API_KEY;
    "EZAK" Alnum 54..55 sure API_KEY;
    "EZTK" Alnum 54..55 sure API_KEY;
    "duffel_live_" Url 43..44 sure API_KEY;
    "shippo_live_" Hex 40..41 sure API_KEY;
    "SSWS" Alnum 40..51 sure API_KEY;
    "pk.eyJ" Dotted 60..201 sure API_KEY;
    "sk.eyJ" Dotted 60..201 sure API_KEY;
    "CFPAT-" Url 43..44 sure API_KEY;
    "sdk-" Uuid 36..37 sure API_KEY;
    "api-" Uuid 36..37 sure API_KEY;
    "mob-" Uuid 36..37 sure API_KEY;
    "t1." Dotted 80..301 drawn API_KEY;
    "y0_" Url 50..71 drawn API_KEY;
    "AQVN" Url 35..39 drawn API_KEY;
    "IGQV" Url 60..251 drawn API_KEY;
}
