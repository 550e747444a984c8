//! Who asks what: conversations of several turns, many with the same system prompts, that start at random and pause between turns.
//!
//! What a reader could get wrong: text is slices of one buffer of noise, so that the gateway's own hashing sees real bytes; what a node's
//! cache sees is computed from the same slices' names and lengths.

use std::sync::OnceLock;

use super::Time;
use super::machine::BLOCK;
use crate::upstream::prefix::Blocks;

/// Bytes of a token.
const BYTES: usize = 4;
const NOISE: usize = 1 << 20;

/// The shape of the traffic.
#[derive(Debug, Clone, Copy)]
pub struct Traffic {
    pub conversations: usize,
    /// New conversations in a second.
    pub rate: f64,
    /// Different system prompts; 0: each conversation has its own beginning.
    pub systems: usize,
    /// Tokens of the shortest and the longest system prompt.
    pub system: (u64, u64),
    /// Turns of the shortest and the longest conversation.
    pub turns: (u64, u64),
    /// Tokens of a question.
    pub question: (u64, u64),
    pub answer: (u64, u64),
    /// Mean pause between an answer and the next question, seconds.
    pub pause: f64,
}

impl Traffic {
    /// Conversations that share 80 system prompts, some of which are asked for much more often than others.
    pub fn shared() -> Traffic {
        Traffic {
            conversations: 600,
            rate: 3.5,
            systems: 80,
            system: (500, 4000),
            turns: (3, 9),
            question: (30, 400),
            answer: (50, 350),
            pause: 8.0,
        }
    }

    /// Single questions, each with a beginning of its own.
    pub fn unshared() -> Traffic {
        Traffic { systems: 0, turns: (1, 1), conversations: 2500, rate: 16.0, ..Traffic::shared() }
    }
}

/// A request of a conversation.
#[derive(Debug)]
pub(super) struct Turn {
    /// Where in the noise each piece begins, and its bytes.
    pieces: Vec<(usize, usize)>,
    /// Hashes of its full blocks as a node computes them.
    pub chain: Vec<u64>,
    /// Tokens of its answer.
    pub answer: u64,
}

impl Turn {
    pub fn tokens(&self) -> u64 {
        self.pieces.iter().map(|(_, bytes)| (bytes / BYTES) as u64).sum()
    }

    pub fn blocks(&self) -> Blocks {
        let noise = noise();
        let text = |(place, (at, bytes)): (usize, &(usize, usize))| {
            let speaker = if place == 0 { 0 } else { 1 + u8::from(place % 2 == 0) };
            (speaker, noise.get(*at..at + bytes).unwrap_or_default())
        };
        Blocks::of(self.pieces.iter().enumerate().map(text))
    }
}

#[derive(Debug)]
pub(super) struct Conversations {
    traffic: Traffic,
    starts: Vec<Time>,
    all: Vec<Conversation>,
}

#[derive(Debug)]
struct Conversation {
    /// Its own, so that its questions are the same whatever else happens first.
    dice: Dice,
    pieces: Vec<(usize, usize)>,
    left: u64,
    answer: u64,
}

impl Conversations {
    pub fn new(traffic: Traffic, seed: u64) -> Conversations {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let systems: Vec<(usize, usize)> = (0..traffic.systems).map(|_| dice.piece(traffic.system)).collect();
        let mut at = 0.0;
        let mut starts = Vec::new();
        let mut all = Vec::new();
        for _ in 0..traffic.conversations {
            at += dice.exponential(1.0 / traffic.rate);
            starts.push((at * 1e6) as Time);
            // The popular ones are asked for much more often: the product of two even draws.
            let place = (dice.even() * dice.even() * systems.len() as f64) as usize;
            let first = systems.get(place).copied().unwrap_or_else(|| dice.piece(traffic.system));
            let left = dice.between(traffic.turns);
            all.push(Conversation { dice: Dice(dice.next()), pieces: vec![first], left, answer: 0 });
        }
        Conversations { traffic, starts, all }
    }

    /// When each begins.
    pub fn starts(&self) -> &[Time] {
        &self.starts
    }

    /// The next request of that conversation.
    pub fn turn(&mut self, number: usize) -> Option<Turn> {
        let conversation = self.all.get_mut(number)?;
        conversation.left = conversation.left.checked_sub(1)?;
        let question = conversation.dice.piece(self.traffic.question);
        conversation.pieces.push(question);
        conversation.answer = conversation.dice.between(self.traffic.answer);
        let pieces = conversation.pieces.clone();
        Some(Turn { chain: chain(&pieces), pieces, answer: conversation.answer })
    }

    /// The blocks of a finished turn, its answer included.
    pub fn with_answer(&mut self, number: usize, asked: Vec<u64>) -> Vec<u64> {
        let Some(conversation) = self.all.get_mut(number) else { return asked };
        let (at, _) = conversation.dice.piece((1, 1));
        conversation.pieces.push((at, BYTES * usize::try_from(conversation.answer).unwrap_or(0)));
        chain(&conversation.pieces)
    }

    /// The pause until its next turn, if it has one.
    pub fn next(&mut self, number: usize) -> Option<Time> {
        let pause = self.traffic.pause;
        let conversation = self.all.get_mut(number)?;
        (conversation.left > 0).then(|| (conversation.dice.exponential(pause) * 1e6) as Time)
    }
}

/// A block's hash is made from what it ends with and from the block before.
fn chain(pieces: &[(usize, usize)]) -> Vec<u64> {
    let mut chain = Vec::new();
    let (mut hash, mut filled) = (7u64, 0u64);
    for &(at, bytes) in pieces {
        let tokens = (bytes / BYTES) as u64;
        let mut done = 0;
        while tokens - done >= BLOCK - filled {
            done += BLOCK - filled;
            filled = 0;
            hash = mix(mix(hash, at as u64), done);
            chain.push(hash);
        }
        if tokens > done {
            filled += tokens - done;
            hash = mix(mix(hash, at as u64), tokens);
        }
    }
    chain
}

fn mix(a: u64, b: u64) -> u64 {
    let x = (a ^ b.wrapping_mul(0xFF51_AFD7_ED55_8CCD)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x ^ (x >> 29)
}

fn noise() -> &'static [u8] {
    static NOISE_BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    NOISE_BYTES.get_or_init(|| {
        let mut dice = Dice(42);
        (0..(NOISE + (64 << 10)) / 8).flat_map(|_| dice.next().to_le_bytes()).collect()
    })
}

/// Numbers that look random and are the same everywhere (splitmix64).
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    /// From 0 to 1.
    fn even(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.even()).ln()
    }

    fn between(&mut self, (least, most): (u64, u64)) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// Where a new piece of so many tokens stands in the noise, and its bytes.
    fn piece(&mut self, tokens: (u64, u64)) -> (usize, usize) {
        let bytes = usize::try_from(self.between(tokens)).unwrap_or(0) * BYTES;
        (usize::try_from(self.next() % (NOISE as u64 - (16 << 10))).unwrap_or(0), bytes)
    }
}
