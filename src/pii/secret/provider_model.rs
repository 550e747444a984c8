//! Tokens of model providers and of what is built around models, Tidegate's own among them.
//!
//! What a reader could get wrong: `sk-` is short and shared by dozens of providers; what follows it must look drawn at random.

use super::token::{Signs, Token, drawn, look, sure, tokens};
use crate::pii::entity::Entity;
use crate::pii::scan::Anchor;

tokens! {
    // Every provider that imitates the first: OpenAI, DeepSeek, Moonshot, OpenRouter, LiteLLM, Tidegate.
    "sk-" Url 20..301 drawn API_KEY;
    "sk-ant-" Url 40..161 sure API_KEY;
    "sk_" Lower 40..61 drawn API_KEY;
    "sess-" Alnum 40..41 drawn API_KEY;
    // Others.
    "hf_" Alnum 30..41 drawn API_KEY;
    "api_org_" Alnum 30..41 drawn API_KEY;
    "r8_" Alnum 30..41 drawn API_KEY;
    "gsk_" Alnum 40..61 sure API_KEY;
    "pplx-" Alnum 40..61 sure API_KEY;
    "xai-" Alnum 60..91 sure API_KEY;
    "fw_" Alnum 20..41 drawn API_KEY;
    "tgp_v1_" Url 30..61 sure API_KEY;
    "csk-" Lower 40..61 sure API_KEY;
    "nvapi-" Url 50..81 sure API_KEY;
    "tvly-" Url 20..61 drawn API_KEY;
    "fc-" Hex 32..33 drawn API_KEY;
    "jina_" Url 50..81 sure API_KEY;
    "pa-" Url 40..51 drawn API_KEY;
    "pcsk_" Url 40..91 sure API_KEY;
    "sk-or-v1-" Hex 64..65 sure API_KEY;
    "esecret_" Lower 30..71 sure API_KEY;
    "AQ." Url 40..81 drawn API_KEY;
    "pk-lf-" Uuid 36..37 sure API_KEY;
    "sk-lf-" Uuid 36..37 sure API_KEY;
    "dckr_" Url 30..61 drawn API_KEY;
    "upstage_" Alnum 30..61 drawn API_KEY;
    "zpka_" Url 30..81 sure API_KEY;
    "apify_api_" Alnum 30..51 sure API_KEY;
    "e2b_" Hex 40..41 sure API_KEY;
    "bb_live_" Url 26..61 sure API_KEY;
}
