//! How a phone number is written: groups of digits with what stands between them, brackets, an extension.
//!
//! What a reader could get wrong: nothing here looks further than `REACH` bytes, and a number ends only where what follows cannot be a part of it;
//! `12.5.2021` and `10.0.0.1` have groups too and are refused by [`Written::is_other`].

use std::ops::Range;

use smallvec::SmallVec;

/// No number is written longer than that, in bytes.
const REACH: usize = 40;
/// Fifteen digits of E.164, an exit code, a trunk prefix.
const DIGITS: usize = 20;
const GROUPS: usize = 12;
/// The longest extension.
const EXTENSION: usize = 6;

/// A group of digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    start: usize,
    end: usize,
    /// How many digits there are up to its end.
    total: usize,
    /// What stands in front of it: a space for spaces, `)` for a bracket (and maybe more), otherwise the sign; 0 for the first.
    separator: u8,
    /// In brackets.
    bracketed: bool,
}

#[derive(Debug)]
pub(super) struct Written {
    start: usize,
    pub(super) plus: bool,
    pub(super) double_zero: bool,
    /// The length of the exit code in front of the country's code (`00`, `011`).
    pub(super) exit_digits: usize,
    digits: SmallVec<[u8; DIGITS]>,
    pub(super) groups: SmallVec<[Group; GROUPS]>,
    /// Behind the last group more is glued on, so that the number cannot end there.
    glued: bool,
}

/// The first digit of the next word that a number could begin with, from `at` on and before `end`.
pub(super) fn next(text: &[u8], at: usize, end: usize) -> Option<usize> {
    (at..end).find(|&at| is_digit(text, at) && may_begin(text, at))
}

/// The end of the group of digits at `at`.
pub(super) fn behind(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_digit()).count().max(1)
}

/// Nothing in front that it would be a part of.
fn may_begin(text: &[u8], at: usize) -> bool {
    let back = |steps: usize| at.checked_sub(steps).and_then(|at| text.get(at)).copied().unwrap_or(b' ');
    match back(1) {
        byte if byte.is_ascii_alphanumeric() => false,
        b'_' | b'$' | b'%' | b'@' | b'#' | b'\\' | b'<' | b'>' | b'&' => false,
        // `,5`, `x.5`, `a/5`, `b-5` continue something; `x: -5`, `(.5)` are no phone numbers either.
        b'.' | b',' => back(2) == b' ' && back(1) == b',',
        b'/' | b'-' => back(2) == b' ' && back(1) == b'-',
        b'(' => !back(2).is_ascii_alphanumeric() || back(2).is_ascii_digit(),
        b'=' => !back(2).is_ascii_punctuation(),
        b'+' => !back(2).is_ascii_alphanumeric() && back(2) != b'+',
        // The brackets' number has been read from its beginning, `(0) 30` too; euro, pound, yen end in these bytes.
        b')' => false,
        b' ' => back(2) != b')' || !back(3).is_ascii_digit(),
        0xac | 0xa3 | 0xa5 => false,
        _ => true,
    }
}

fn is_digit(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(u8::is_ascii_digit)
}

/// Reads the number whose first digit is at `first`; `None` where there is no such thing.
pub(super) fn read(text: &[u8], first: usize) -> Option<Written> {
    let closed = text.get(behind(text, first)) == Some(&b')');
    let bracket = closed && first.checked_sub(1).is_some_and(|at| text.get(at) == Some(&b'('));
    let outer = if bracket { first - 1 } else { first };
    let plus = outer.checked_sub(1).is_some_and(|at| text.get(at) == Some(&b'+'));
    let start = if plus { outer - 1 } else { outer };
    let mut written = Written {
        start,
        plus,
        double_zero: false,
        exit_digits: 0,
        digits: SmallVec::new(),
        groups: SmallVec::new(),
        glued: false,
    };
    let (mut at, mut separator, mut open) = (first, 0, bracket);
    while at - first < REACH && written.groups.len() < GROUPS {
        let end = behind(text, at);
        let digits = text.get(at..end).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
        if written.digits.len() + digits.len() > DIGITS {
            written.glued = separator != b' ';
            break;
        }
        if open && text.get(end) != Some(&b')') {
            break;
        }
        // `+49 (0)30`: a trunk prefix that is dialled at home only.
        let trunk = open && digits == b"0" && !written.groups.is_empty();
        if !trunk {
            written.digits.extend_from_slice(digits);
        }
        written.groups.push(Group { start: at, end, total: written.digits.len(), separator, bracketed: open });
        let Some(next) = separated(text, end, open) else {
            written.glued = is_glued(text, end);
            break;
        };
        (at, separator, open) = next;
    }
    written.exit_digits =
        [&b"00"[..], b"011"].into_iter().find(|exit| written.digits.starts_with(exit)).map_or(0, <[u8]>::len);
    written.double_zero = written.exit_digits > 0;
    Some(written)
}

/// What stands between the end of a group and the next one: where that begins, the sign, whether it is in brackets.
fn separated(text: &[u8], end: usize, open: bool) -> Option<(usize, u8, bool)> {
    let mut at = end;
    let mut sign = 0;
    if open {
        if text.get(at) != Some(&b')') {
            return None;
        }
        at += 1;
        sign = b')';
    }
    let mut bracket = false;
    for _ in 0..4 {
        match text.get(at)? {
            b' ' => sign = if sign == 0 { b' ' } else { sign },
            byte @ (b'-' | b'.' | b'/') if matches!(sign, 0 | b' ' | b')') => sign = *byte,
            b'(' if !bracket => bracket = true,
            0xc2 if text.get(at + 1) == Some(&0xa0) => {
                sign = if sign == 0 { b' ' } else { sign };
                at += 1;
            }
            0xe2 if text.get(at + 1) == Some(&0x80) && matches!(text.get(at + 2), Some(0x89 | 0xaf | 0x90..=0x95)) => {
                let space = matches!(text.get(at + 2), Some(0x89 | 0xaf));
                sign = if space { b' ' } else { b'-' };
                at += 2;
            }
            byte if byte.is_ascii_digit() && (sign != 0 || bracket) => {
                return Some((at, if sign == 0 { b'(' } else { sign }, bracket));
            }
            _ => return None,
        }
        at += 1;
    }
    (is_digit(text, at) && sign != 0).then_some((at, sign, bracket))
}

/// A letter, a sign and a digit: the word goes on.
fn is_glued(text: &[u8], end: usize) -> bool {
    let next = |ahead: usize| text.get(end + ahead).copied().unwrap_or(b' ');
    match next(0) {
        b'x' | b'X' => !next(1).is_ascii_digit(),
        b'_' | b'@' | b'%' | b'=' => true,
        b'-' | b'/' | b':' | b'.' | b',' => next(1).is_ascii_alphanumeric(),
        byte => byte.is_ascii_alphanumeric() || byte >= 0xc3,
    }
}

impl Written {
    /// The digits of the first so many groups.
    pub(super) fn digits(&self, groups: usize) -> &[u8] {
        let total = self.group(groups).map_or(0, |group| group.total);
        self.digits.get(..total).unwrap_or_default()
    }

    fn group(&self, count: usize) -> Option<&Group> {
        count.checked_sub(1).and_then(|last| self.groups.get(last))
    }

    fn length(&self, place: usize) -> usize {
        self.groups.get(place).map_or(0, |group| group.end - group.start)
    }

    /// From the sign or bracket in front to the last digit of so many groups, or of the extension behind them.
    pub(super) fn range(&self, text: &[u8], groups: usize) -> Range<usize> {
        let Some(last) = self.group(groups) else { return self.start..self.start };
        let end = if last.bracketed { last.end + 1 } else { last.end };
        let end = if groups == self.groups.len() { extension(text, end).unwrap_or(end) } else { end };
        self.start..end.min(text.len())
    }

    /// Whether the number can end behind so many groups: at the very end, or where a space follows.
    fn may_end(&self, groups: usize) -> bool {
        match self.groups.get(groups) {
            None => !self.glued,
            Some(next) => next.separator == b' ',
        }
    }

    /// How many groups a national number of at most `most` digits has: as many as fit together.
    pub(super) fn national_groups(&self, most: usize) -> Option<usize> {
        let mut groups = 1;
        let mut sign_at = 0;
        for (place, group) in self.groups.iter().enumerate().skip(1) {
            // `555-0134 12`: behind a hyphen a space ends it, but for one behind an area code (`0171-123 45 67`).
            let area = sign_at == 1 && self.digits.starts_with(b"0");
            if group.total > most || (group.separator == b' ' && sign_at > 0 && !area) {
                break;
            }
            sign_at = if matches!(group.separator, b'-' | b'.') { place } else { sign_at };
            groups = place + 1;
        }
        (1..=groups).rev().find(|groups| self.may_end(*groups) && self.digits(*groups).len() <= most)
    }

    /// Dates, addresses of machines, amounts and decimal numbers.
    pub(super) fn is_other(&self, groups: usize) -> bool {
        let lengths: SmallVec<[usize; GROUPS]> = (0..groups).map(|place| self.length(place)).collect();
        let signs: SmallVec<[u8; GROUPS]> =
            self.groups.iter().take(groups).skip(1).map(|group| group.separator).collect();
        let all = |sign: u8| !signs.is_empty() && signs.iter().all(|other| *other == sign);
        let same = signs.windows(2).all(|pair| pair.first() == pair.last());
        let area = self.groups.first().is_some_and(|group| group.bracketed);
        match *lengths {
            _ if area || self.plus => false,
            // A date, and maybe hours behind it.
            [4, 1..=2, 1..=2, ..] | [1..=2, 1..=2, 4, ..] if same || groups > 3 => {
                !all(b' ') || self.is_year(lengths[0] == 4)
            }
            [4, 1..=2, 1..=2] | [1..=2, 1..=2, 2 | 4] if same => !all(b' '),
            [4, 4] if all(b'-') => self.is_year(true),
            [1..=3, 1..=3, 1..=3, 1..=3] if all(b'.') => true,
            [_, 1..=2] if all(b'.') => true,
            // 1.234.567 and 1 234 567 are counts, 555.123.4567 is none.
            [1..=3, 3] if all(b'.') => true,
            [1..=2, 3, 3] if all(b'.') => true,
            _ => false,
        }
    }

    fn is_year(&self, in_front: bool) -> bool {
        let group = if in_front { self.groups.first() } else { self.groups.get(2) };
        let century =
            group.map(|group| group.total - (group.end - group.start)).and_then(|from| self.digits.get(from..from + 2));
        matches!(century, Some(b"19" | b"20"))
    }

    /// Written as phone numbers are and nothing else is.
    pub(super) fn is_unmistakable(&self, groups: usize) -> bool {
        let shape: SmallVec<[(usize, u8); GROUPS]> =
            self.groups.iter().take(groups).map(|group| (group.end - group.start, group.separator)).collect();
        let from = |place: usize, digit: u8| {
            let group = self.groups.get(place);
            let at = group.map_or(0, |group| group.total - (group.end - group.start));
            self.digits.get(at).is_some_and(|found| *found >= digit)
        };
        let area = self.groups.first().is_some_and(|group| group.bracketed);
        match *shape {
            // North America: (212) 555-0134, 212-555-0134, 212.555.0134, 1-212-555-0134.
            [(3, _), (3, b')'), (4, b'-' | b'.' | b' ')] if area => from(0, b'2'),
            [(3, _), (3, b'-'), (4, b'-')] | [(3, _), (3, b'.'), (4, b'.')] => from(0, b'2'),
            [(1, _), (3, b'-'), (3, b'-'), (4, b'-')] => from(1, b'2') && self.digits.starts_with(b"1"),
            [(1, _), (3, b' '), (3, b')' | b'-'), (4, b'-' | b' ')] => {
                self.groups.get(1).is_some_and(|group| group.bracketed) && from(1, b'2')
            }
            // France: 01.84.17.61.18.
            [(2, _), (2, a), (2, b), (2, c), (2, d)]
                if a == b && b == c && c == d && matches!(a, b'.' | b' ' | b'-') =>
            {
                self.digits.starts_with(b"0") && self.digits.get(1) != Some(&b'0')
            }
            // Leading zero and three groups or more, ten or eleven digits: 090-1234-5678, 0917 123 4567, 0216 123 45 67.
            [_, _, (_, first), ..]
                if first != b'.'
                    && !area
                    && shape.iter().all(|(length, _)| (2..=4).contains(length))
                    && shape.iter().skip(1).all(|(_, sign)| *sign == first) =>
            {
                matches!(self.digits(groups).len(), 10 | 11)
                    && self.digits.starts_with(b"0")
                    && self.digits.get(1) != Some(&b'0')
            }
            // An area code in brackets that begins with the trunk prefix: (030) 1234567, (01632) 960 001.
            [(3..=6, _), (3..=9, b')'), ..] if area => self.digits.starts_with(b"0") && self.digits(groups).len() >= 8,
            _ => false,
        }
    }
}

/// The end of an extension that begins behind `end`: `x123`, `ext. 12`, `#4`.
fn extension(text: &[u8], end: usize) -> Option<usize> {
    const WORDS: &[&[u8]] =
        &[b"extension", b"ext.", b"ext", b"x", b"app.", b"durchwahl", b"poste", b"anexo", b"interno", b"int."];
    let spaces =
        |at: usize| at + text.get(at..).unwrap_or_default().iter().take(2).take_while(|byte| **byte == b' ').count();
    let at = spaces(if text.get(end) == Some(&b',') { end + 1 } else { end });
    let rest = text.get(at..)?;
    let word =
        WORDS.iter().find(|word| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))?;
    let from = spaces(at + word.len());
    let from = if text.get(from) == Some(&b':') { spaces(from + 1) } else { from };
    let to = from + text.get(from..)?.iter().take(EXTENSION + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let stops = !text.get(to).is_some_and(u8::is_ascii_alphanumeric);
    (to > from && to - from <= EXTENSION && stops).then_some(to)
}
