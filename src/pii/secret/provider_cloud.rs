//! Tokens of clouds, hosting, content delivery and infrastructure.
//!
//! What a reader could get wrong: ranges of lengths exclude their end, and count what is behind the prefix.

use super::token::{Signs, Token, drawn, look, sure, tokens};
use crate::pii::entity::Entity;
use crate::pii::scan::Anchor;

tokens! {
    // Amazon.
    "AKIA" Upper 16..17 sure API_KEY;
    "ASIA" Upper 16..17 sure API_KEY;
    "ABIA" Upper 16..17 sure API_KEY;
    "ACCA" Upper 16..17 sure API_KEY;
    "ABSK" Base64 100..301 sure API_KEY;
    "bedrock-api-key-" Base64 60..2001 sure API_KEY;
    "FwoGZXIvYXdzE" Base64 100..2001 sure API_KEY;
    "IQoJb3JpZ2luX2Vj" Base64 100..3001 sure API_KEY;
    // Google.
    "AIza" Url 35..36 sure API_KEY;
    "ya29." Url 40..601 sure API_KEY;
    "GOCSPX-" Url 24..41 sure API_KEY;
    "1//0" Url 40..201 sure API_KEY;
    "GOOG1" Upper 24..63 sure API_KEY;
    // Microsoft.
    "AccountKey=" Base64 44..91 sure API_KEY behind;
    "SharedAccessKey=" Base64 43..91 sure API_KEY behind;
    "&sig=" Path 40..71 drawn API_KEY behind;
    "?sig=" Path 40..71 drawn API_KEY behind;
    "AzureWebJobsStorage=" Path 300..302 sure API_KEY behind;
    // Others.
    "A3T" Upper 17..18 drawn API_KEY;
    "sha256~" Url 43..44 drawn API_KEY;
    "ico-" Alnum 32..33 drawn API_KEY;
    "dnkey-" Equals 60..90 sure API_KEY;
    "4b1d" Alnum 38..39 drawn API_KEY;
    "tk-us-" Url 48..49 drawn API_KEY;
    "dop_v1_" Hex 64..65 sure API_KEY;
    "doo_v1_" Hex 64..65 sure API_KEY;
    "dor_v1_" Hex 64..65 sure API_KEY;
    "LTAI" Alnum 16..27 drawn API_KEY;
    "AKID" Alnum 32..37 drawn API_KEY;
    "HRKU-" Url 36..81 sure API_KEY;
    "nfp_" Alnum 36..51 sure API_KEY;
    "vcp_" Alnum 24..71 drawn API_KEY;
    "vck_" Alnum 24..71 drawn API_KEY;
    "vca_" Alnum 24..71 drawn API_KEY;
    "vci_" Alnum 24..71 drawn API_KEY;
    "v1.0-" Url 150..201 sure API_KEY;
    "rnd_" Alnum 28..41 drawn API_KEY;
    "fo1_" Url 40..61 sure API_KEY;
    "fm2_" Base64 100..2001 sure API_KEY;
    "fm1_" Base64 100..2001 sure API_KEY;
    "FlyV1" Base64 100..2001 sure API_KEY;
    "pul-" Hex 40..41 sure API_KEY;
    "tskey-" Url 20..101 drawn API_KEY;
    "hvs." Url 24..301 sure API_KEY;
    "hvb." Url 90..401 sure API_KEY;
    "hvr." Url 24..301 sure API_KEY;
    "napi_" Alnum 40..91 sure API_KEY;
    "pscale_tkn_" Dotted 32..65 sure API_KEY;
    "pscale_oauth_" Dotted 32..65 sure API_KEY;
    "pscale_pw_" Dotted 32..65 sure API_KEY;
    "sbp_" Hex 40..41 sure API_KEY;
    "sb_secret_" Url 20..61 sure API_KEY;
    "dapi" Hex 32..35 sure API_KEY;
    "dose" Hex 32..35 sure API_KEY;
    "dp.pt." Alnum 40..45 sure API_KEY;
    "dp.st." Dotted 40..81 sure API_KEY;
    "dp.sa." Alnum 40..45 sure API_KEY;
    "dp.ct." Alnum 40..45 sure API_KEY;
    "CMVT." Dotted 40..91 sure API_KEY;
    "ops_eyJ" Base64 200..2001 sure API_KEY;
    "AGE-SECRET-KEY-1" Upper 58..59 sure PRIVATE_KEY;
    "cfut_" Url 36..61 sure API_KEY;
    "cfat_" Url 36..61 sure API_KEY;
    "SCW" Upper 17..18 drawn API_KEY;
    "linode_" Hex 64..65 sure API_KEY;
}
