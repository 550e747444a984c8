//! A file of nodes: a URL a line, with `weight=N` and `drain` behind it, `#` for remarks.
//!
//! What a reader could get wrong: one bad line refuses the whole file, as a configuration would be, so that a file that is half written or
//! mistyped changes nothing.

use crate::config::file::WEIGHTS;
use crate::upstream::node::Address;

use super::thousandths;

/// A node of the file.
#[derive(Debug)]
pub(super) struct Line {
    pub address: Address,
    /// Thousandths.
    pub weight: u32,
    pub drain: bool,
}

/// Reads the whole file. `base`: the path that all nodes of the pool have.
pub(super) fn read(text: &str, base: &str) -> Result<Vec<Line>, &'static str> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).map(|line| one(line, base)).collect()
}

fn one(line: &str, base: &str) -> Result<Line, &'static str> {
    let mut words = line.split_whitespace();
    let url = words.next().unwrap_or_default();
    let (address, path) = Address::parse(url).map_err(|_| "the file of nodes has a line that begins with no URL")?;
    if !path.is_empty() && path != base {
        return Err("the file of nodes has a URL with another path than the pool's");
    }
    let mut line = Line { address, weight: thousandths(1.0), drain: false };
    for word in words {
        match word.split_once('=') {
            None if word == "drain" => line.drain = true,
            Some(("weight", number)) => {
                let weight = number.parse().ok().filter(|weight| WEIGHTS.contains(weight));
                line.weight = thousandths(weight.ok_or("the file of nodes has a weight that is not 0.01 to 1000")?);
            }
            _ => return Err("the file of nodes has a word that is neither `weight=N` nor `drain`"),
        }
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_one_bad_one_refuses_the_file() {
        let text = "# the lab\nhttp://10.0.0.1:8080\n\n  http://10.0.0.2:8080/v1 weight=2.5 drain # out for repair\n";
        let nodes = read(text, "/v1").unwrap();
        let seen: Vec<_> = nodes.iter().map(|line| (line.address.port, line.weight, line.drain)).collect();
        assert_eq!(seen, [(8080, 1000, false), (8080, 2500, true)]);
        assert!(read("", "").unwrap().is_empty());
        for wrong in ["10.0.0.1:80", "http://a:1 weight=0", "http://a:1 weight", "http://a:1 wait", "http://a:1/other"]
        {
            assert!(read(&format!("http://ok:1\n{wrong}\n"), "").is_err(), "{wrong}");
        }
    }
}
