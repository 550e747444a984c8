//! The model file: read and written, little-endian, sorted, so that the same model is the same bytes.
//!
//! What a reader could get wrong: a file is someone's upload or a half-written copy until it is read through; nothing in it is trusted
//! before it is checked.

use super::features::COUNT;
use super::table::{Entry, MOST_HEADS, WEIGHT_UNIT};
use super::{CalibrationPoint, Head};

/// The last digit is the version of the features and of the words' hash.
const MAGIC: &[u8; 8] = b"TGMODEL1";
/// More than any training makes: what claims to have more is no model.
const MOST_WORDS: usize = 4_000_000;

/// What a file says.
pub(crate) struct Contents {
    pub heads: Vec<Head>,
    pub calibration: Vec<CalibrationPoint>,
    pub entries: Vec<Entry>,
}

pub(crate) fn write(contents: &Contents) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend([contents.heads.len() as u8, COUNT as u8]);
    out.extend((contents.calibration.len() as u16).to_le_bytes());
    out.extend((contents.entries.len() as u32).to_le_bytes());
    for head in &contents.heads {
        let numbers = [head.bias, head.scale].into_iter().chain(head.weights).chain(head.centres);
        numbers.for_each(|number| out.extend(number.to_le_bytes()));
    }
    for point in &contents.calibration {
        [point.threshold, point.cloud_share, point.quality].iter().for_each(|number| out.extend(number.to_le_bytes()));
    }
    for entry in &contents.entries {
        out.extend(entry.hash.to_le_bytes());
        out.extend(entry.weight.to_le_bytes());
        entry.heads.iter().take(contents.heads.len()).for_each(|head| out.extend(head.to_le_bytes()));
    }
    out
}

pub(crate) fn read(bytes: &[u8]) -> Result<Contents, String> {
    let mut reader = Bytes { bytes, at: 0 };
    let read = contents(&mut reader).and_then(|contents| match reader.at == bytes.len() {
        true => Ok(contents),
        false => Err("more follows where it should end"),
    });
    read.map_err(|what| {
        format!("no model of this version: {what} (byte {}); train it again with `tidegate train routing`", reader.at)
    })
}

fn contents(reader: &mut Bytes) -> Result<Contents, &'static str> {
    if reader.take::<8>()? != *MAGIC {
        return Err("it does not begin as one");
    }
    let [heads, features] = reader.take::<2>()?;
    if heads == 0 || usize::from(heads) > MOST_HEADS || usize::from(features) != COUNT {
        return Err("its numbers of heads and features are others");
    }
    let points = u16::from_le_bytes(reader.take()?);
    let words = u32::from_le_bytes(reader.take()?) as usize;
    if words > MOST_WORDS {
        return Err("it claims to have too many words");
    }
    let heads = (0..heads).map(|_| head(reader)).collect::<Result<Vec<Head>, _>>()?;
    let calibration = (0..points).map(|_| point(reader)).collect::<Result<Vec<CalibrationPoint>, _>>()?;
    let mut entries: Vec<Entry> = Vec::with_capacity(words.min(reader.bytes.len()));
    for _ in 0..words {
        let hash = u32::from_le_bytes(reader.take()?);
        let weight = u16::from_le_bytes(reader.take()?);
        if weight == 0 || weight > WEIGHT_UNIT || entries.last().is_some_and(|last| last.hash >= hash) {
            return Err("its words are out of order or range");
        }
        let mut by_head = [0; MOST_HEADS];
        for weight in by_head.iter_mut().take(heads.len()) {
            *weight = i16::from_le_bytes(reader.take()?);
        }
        entries.push(Entry { hash, weight, heads: by_head });
    }
    Ok(Contents { heads, calibration, entries })
}

fn head(reader: &mut Bytes) -> Result<Head, &'static str> {
    let mut head =
        Head { bias: reader.number()?, scale: reader.number()?, weights: [0.0; COUNT], centres: [0.0; COUNT] };
    for number in head.weights.iter_mut().chain(&mut head.centres) {
        *number = reader.number()?;
    }
    Ok(head)
}

fn point(reader: &mut Bytes) -> Result<CalibrationPoint, &'static str> {
    Ok(CalibrationPoint { threshold: reader.number()?, cloud_share: reader.number()?, quality: reader.number()? })
}

struct Bytes<'f> {
    bytes: &'f [u8],
    at: usize,
}

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()).ok_or("it ends too early")?;
        self.at += N;
        Ok(*taken)
    }

    /// A finite number that no sum of which overflows.
    fn number(&mut self) -> Result<f32, &'static str> {
        let number = f32::from_le_bytes(self.take()?);
        if number.abs() < 1e9 { Ok(number) } else { Err("a number is out of range") }
    }
}
