//! Tokens of code hosting, package registries, build services and what watches over programs.
//!
//! What a reader could get wrong: GitHub's checksum is not asked for: it would leave out a token with one wrong letter, which its owner wants hidden as well.

use super::token::{Signs, Token, drawn, look, sure, tokens};
use crate::pii::entity::Entity;
use crate::pii::scan::Anchor;

tokens! {
    // Code hosting.
    "ghp_" Alnum 36..256 sure API_KEY;
    "gho_" Alnum 36..256 sure API_KEY;
    "ghu_" Alnum 36..256 sure API_KEY;
    "ghs_" Dotted 36..601 sure API_KEY;
    "ghr_" Alnum 36..256 sure API_KEY;
    "github_pat_" Url 50..256 sure API_KEY;
    "glpat-" Dotted 20..301 sure API_KEY;
    "glptt-" Hex 40..41 sure API_KEY;
    "gldt-" Url 20..65 sure API_KEY;
    "glrt-" Dotted 20..65 sure API_KEY;
    "glcbt-" Url 20..65 sure API_KEY;
    "glrtr-" Url 20..65 sure API_KEY;
    "glimt-" Url 20..65 sure API_KEY;
    "glagent-" Url 40..65 sure API_KEY;
    "gloas-" Url 40..71 sure API_KEY;
    "glsoat-" Url 20..65 sure API_KEY;
    "glft-" Url 20..65 sure API_KEY;
    "glffct-" Url 20..65 sure API_KEY;
    "GR1348941" Url 20..61 sure API_KEY;
    "ATBB" Alnum 28..41 sure API_KEY;
    "ATATT3" Equals 100..301 sure API_KEY;
    "ATCTT3" Equals 100..301 sure API_KEY;
    "BBDC-" Base64 40..51 sure API_KEY;
    "sgp_" Hex 40..91 sure API_KEY;
    // Packages.
    "CLOJARS_" Lower 60..61 sure API_KEY;
    "npm_" Alnum 36..37 sure API_KEY;
    "pypi-AgE" Url 50..301 sure API_KEY;
    "rubygems_" Hex 48..49 sure API_KEY;
    "cio" Alnum 32..33 drawn API_KEY;
    "oy2" Lower 43..44 sure API_KEY;
    "dckr_pat_" Url 24..41 sure API_KEY;
    "dckr_oat_" Url 24..61 sure API_KEY;
    "AKCp" Alnum 60..91 sure API_KEY;
    "cmVmdGtu" Alnum 50..71 sure API_KEY;
    // Build and quality.
    "API-" Upper 26..34 drawn API_KEY;
    "pnu_" Lower 36..37 sure API_KEY;
    "pnb_" Lower 36..37 sure API_KEY;
    "pat." Dotted 56..90 drawn API_KEY;
    "sat." Dotted 56..90 drawn API_KEY;
    "CCIPAT_" Url 60..91 sure API_KEY;
    "CCIPRJ_" Url 60..91 sure API_KEY;
    "bkua_" Hex 40..41 sure API_KEY;
    "bkpat_" Alnum 30..71 sure API_KEY;
    "sqp_" Hex 40..41 sure API_KEY;
    "squ_" Hex 40..41 sure API_KEY;
    "sqa_" Hex 40..41 sure API_KEY;
    "snyk_" Dotted 36..121 sure API_KEY;
    "codecov_" Alnum 30..71 drawn API_KEY;
    "drone_" Alnum 32..41 drawn API_KEY;
    // Watching.
    "sntrys_" Dotted 40..401 sure API_KEY;
    "sntryu_" Hex 64..65 sure API_KEY;
    "glsa_" Url 41..42 sure API_KEY;
    "glc_" Base64 32..401 sure API_KEY;
    "eyJrIjoi" Base64 60..401 sure API_KEY;
    "NRAK-" Upper 27..28 sure API_KEY;
    "NRJS-" Hex 19..20 sure API_KEY;
    "NRII-" Url 32..33 sure API_KEY;
    "NRRA-" Hex 42..43 sure API_KEY;
    "NRIQ-" Url 32..41 sure API_KEY;
    "dt0c01." Dotted 80..101 sure API_KEY;
    "dt0s01." Dotted 80..101 sure API_KEY;
    "ddp_" Alnum 36..61 sure API_KEY;
    "lsv2_pt_" Url 40..61 sure API_KEY;
    "lsv2_sk_" Url 40..61 sure API_KEY;
    "ls__" Hex 32..33 sure API_KEY;
    "phx_" Alnum 40..61 sure API_KEY;
    "phc_" Alnum 40..61 sure API_KEY;
    "HCAIK_" Lower 20..71 sure API_KEY;
    "hcaik_" Lower 20..71 sure API_KEY;
}
