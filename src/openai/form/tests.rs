//! Forms in pieces of every size.

use super::*;
use proptest::prelude::*;

const PYTHON: &[u8] = b"--7863edc8\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--7863edc8\r\n\
    Content-Disposition: form-data; name=\"file\"; filename=\"x.jsonl\"\r\nContent-Type: application/octet-stream\r\n\r\n\
    {}\r\n\r\n--7863edc8--\r\n";

/// Parts with their content.
type Parts = Vec<(Part, Vec<u8>)>;

/// The parts, and whether the form came to its end.
fn read(form: &mut Form, pieces: &[&[u8]]) -> Result<(Parts, bool), Error> {
    let mut parts: Parts = vec![];
    let mut open = false;
    for piece in pieces {
        form.feed(piece);
        while let Some(event) = form.event()? {
            match event {
                Event::Part(part) => {
                    assert!(!std::mem::replace(&mut open, true));
                    parts.push((part, vec![]));
                }
                Event::Data(data) => {
                    assert!(open && !data.is_empty());
                    parts.last_mut().unwrap().1.extend_from_slice(&data);
                }
                Event::PartEnd => assert!(std::mem::replace(&mut open, false)),
                Event::End => assert!(!open && form.is_done()),
            }
        }
    }
    Ok((parts, form.is_done()))
}

fn named(name: &str, filename: Option<&str>, content: &[u8]) -> (Part, Vec<u8>) {
    (Part { name: name.into(), filename: filename.map(Into::into) }, content.to_vec())
}

#[test]
fn what_an_sdk_sends_is_read_wherever_it_is_cut() {
    let expected = vec![named("purpose", None, b"batch"), named("file", Some("x.jsonl"), b"{}\r\n")];
    for at in 0..=PYTHON.len() {
        let (first, second) = PYTHON.split_at(at);
        let found = read(&mut Form::new("7863edc8"), &[first, second]).unwrap();
        assert_eq!(found, (expected.clone(), true), "cut at {at}");
    }
    let bytes: Vec<&[u8]> = PYTHON.chunks(1).collect();
    assert_eq!(read(&mut Form::new("7863edc8"), &bytes).unwrap(), (expected, true));
}

#[test]
fn forms_that_are_written_in_other_ways() {
    let odd = b"a preamble\r\n--b \t\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n--b\r\n\
        content-disposition: form-data; name=y\r\n\r\n--b\r\n--\r\n--b-- an epilogue";
    let found = read(&mut Form::new("b"), &[odd]).unwrap();
    assert_eq!(found, (vec![named("x", None, b""), named("y", None, b"--b\r\n--")], true));
}

#[test]
fn what_breaks_off_has_no_end() {
    for length in 0..PYTHON.len() - 4 {
        let (_, done) = read(&mut Form::new("7863edc8"), &[&PYTHON[..length]]).unwrap();
        assert!(!done, "{length} bytes passed for a whole form");
    }
}

#[test]
fn what_is_no_form_is_refused() {
    let no_name = b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--";
    let garbage = b"--bx\r\n\r\n";
    let long = [&b"--b\r\n"[..], &[b'x'; LONGEST_HEADERS + 10]].concat();
    for wrong in [&no_name[..], garbage, &long] {
        let error = read(&mut Form::new("b"), &[wrong]).unwrap_err();
        assert_eq!(error.kind, Kind::InvalidRequest);
    }
}

#[test]
fn the_boundary_is_in_the_content_type() {
    let node = "multipart/form-data; boundary=----formdata-undici-069670771140";
    assert_eq!(boundary(node).as_deref(), Some("----formdata-undici-069670771140"));
    assert_eq!(boundary("Multipart/Form-Data;charset=utf-8; Boundary=\"a b\"").as_deref(), Some("a b"));
    for none in
        ["application/json", "multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=x"]
    {
        assert_eq!(boundary(none), None, "{none}");
    }
    assert_eq!(boundary(&format!("multipart/form-data; boundary={}", "x".repeat(71))), None);
}

proptest! {
    /// Whatever the content and the pieces: what goes in comes out.
    #[test]
    fn any_content_in_any_pieces(
        contents in prop::collection::vec(prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b'q'), any::<u8>()], 0..60), 0..4),
        cuts in prop::collection::vec(0usize..400, 0..8),
    ) {
        prop_assume!(contents.iter().all(|content| memmem::find(&[b"\r\n", &content[..], b"\r\n"].concat(), b"\r\n--q").is_none()));
        let mut whole = vec![];
        for (number, content) in contents.iter().enumerate() {
            whole.extend(format!("--q\r\nContent-Disposition: form-data; name=\"{number}\"\r\n\r\n").into_bytes());
            whole.extend(content);
            whole.extend(b"\r\n");
        }
        whole.extend(b"--q--\r\n");
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(whole.len())).chain([0, whole.len()]).collect();
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &whole[pair[0]..pair[1]]).collect();
        let expected: Vec<_> = contents.iter().enumerate().map(|(n, content)| named(&n.to_string(), None, content)).collect();
        prop_assert_eq!(read(&mut Form::new("q"), &pieces).unwrap(), (expected, true));
    }

    /// Nothing makes it panic.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b'q'), any::<u8>()], 0..300), size in 1usize..40) {
        let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
        let _ = read(&mut Form::new("q"), &pieces);
    }
}
