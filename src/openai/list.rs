//! Lists that come in pages: what a client asks for (`after`, `limit`, `order`, `purpose`), and the page it gets.
//!
//! What a reader could get wrong: a page begins *behind* `after`; `has_more` is what makes an SDK ask for the next one, with the id of the
//! last entry.

use std::ops::RangeInclusive;

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::error::{Error, Kind, Result};

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub after: Option<String>,
    pub limit: usize,
    /// Oldest first; newest first is what a client gets that says nothing.
    pub ascending: bool,
    /// Files of this purpose only.
    pub purpose: Option<String>,
}

/// What stands in a list.
pub trait Listed: Serialize {
    fn id(&self) -> &str;
}

#[derive(Serialize)]
struct List<'a, T> {
    object: &'static str,
    data: &'a [T],
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
    has_more: bool,
}

impl Page {
    /// Reads a query. `limits`: what `limit` may be; `usual`: what it is when nothing is said.
    ///
    /// # Errors
    /// `limit` or `order` has a value that it cannot have.
    pub fn of_query(query: Option<&str>, limits: RangeInclusive<usize>, usual: usize) -> Result<Page> {
        let mut page = Page { after: None, limit: usual, ascending: false, purpose: None };
        for (name, value) in query.unwrap_or("").split('&').filter_map(|pair| pair.split_once('=')) {
            let value = value.replace('+', " ");
            let value = percent_decode_str(&value).decode_utf8_lossy();
            match name {
                _ if value.is_empty() => {}
                "after" => page.after = Some(value.into_owned()),
                "purpose" => page.purpose = Some(value.into_owned()),
                "limit" => {
                    let given = value.parse().ok().filter(|limit| limits.contains(limit));
                    let message =
                        || format!("`limit` must be a whole number from {} to {}", limits.start(), limits.end());
                    page.limit = given.ok_or_else(|| wrong(message(), "limit"))?;
                }
                "order" => {
                    page.ascending = match value.as_ref() {
                        "asc" => true,
                        "desc" => false,
                        _ => return Err(wrong("`order` must be `asc` or `desc`".into(), "order")),
                    }
                }
                _ => {}
            }
        }
        Ok(page)
    }
}

/// A page as a body.
pub fn body<T: Listed>(data: &[T], has_more: bool) -> Bytes {
    let (first_id, last_id) = (data.first().map(Listed::id), data.last().map(Listed::id));
    json(&List { object: "list", data, first_id, last_id, has_more })
}

/// An object of strings and numbers, which always serialises.
pub(super) fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).map(Bytes::from).unwrap_or_default()
}

fn wrong(message: String, param: &'static str) -> Error {
    Error::client(Kind::InvalidRequest, message).with_param(param)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Result<Page> {
        Page::of_query(Some(query), 1..=100, 20)
    }

    #[test]
    fn queries_are_read() {
        let usual = Page { after: None, limit: 20, ascending: false, purpose: None };
        assert_eq!(Page::of_query(None, 1..=100, 20).unwrap(), usual);
        assert_eq!(of("after=&unknown=1&limit=&x").unwrap(), usual);
        let all = Page { after: Some("file-tg 1/".into()), limit: 100, ascending: true, purpose: Some("batch".into()) };
        assert_eq!(of("after=file-tg+1%2F&limit=100&order=asc&purpose=batch").unwrap(), all);
        for (query, param) in
            [("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("order=up", "order")]
        {
            assert_eq!(of(query).unwrap_err().param.as_deref(), Some(param));
        }
    }

    #[derive(Serialize)]
    struct Thing(&'static str);

    impl Listed for Thing {
        fn id(&self) -> &str {
            self.0
        }
    }

    #[test]
    fn a_page_names_its_ends() {
        let page = body(&[Thing("a"), Thing("b")], true);
        assert_eq!(page, r#"{"object":"list","data":["a","b"],"first_id":"a","last_id":"b","has_more":true}"#);
        let empty = body::<Thing>(&[], false);
        assert_eq!(empty, r#"{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}"#);
    }
}
