//! Tokens of a prompt, estimated from its bytes; exact figures come from the upstream's usage.
//!
//! Four bytes a token is right for English and code, and wrong by a factor of two where it hurts: it sees half of the tokens of
//! figures, 0.6 to 0.7 of Chinese, Japanese, Korean and Arabic, and three times as many where a client escapes every letter that
//! is not ASCII. Weighing bytes by their kind (`openai/weigh.rs`) mends that at one table look-up a byte. Estimate over cl100k's true count, medians
//! (one text each for the languages other than English):
//!
//! | text | bytes / 4 | weighed |
//! | --- | --- | --- |
//! | MMLU, MATH, router prompts (441) | 1.13, 0.79, 1.11 | 1.09, 0.94, 1.03 |
//! | Rust, TypeScript, Markdown, JSON over HTTP (202) | 1.04, 0.98, 1.00, 0.84 | 1.20, 1.18, 1.05, 1.11 |
//! | figures (20) | 0.49 | 1.08 |
//! | Chinese, Japanese, Korean, Arabic, Hindi, Thai | 0.70, 0.63, 0.60, 0.64, 0.67, 0.83 | 1.14, 1.01, 0.94, 0.99, 1.05, 1.35 |
//! | German, French, Russian | 0.94, 0.94, 1.08 | 0.88, 0.92, 1.72 |
//!
//! What a reader could get wrong: it is an estimate for a guard (does the prompt fit?) and for rules, not for bills. It errs to
//! more tokens where it can, and newer tokenizers (o200k) need fewer than the one it was measured on.

use crate::openai::weigh::{PARTS, weigh};

/// Bytes of JSON-escaped text per token where only the length is known.
const BYTES_PER_TOKEN: u64 = 4;

/// Tokens that a chat template adds to each message (role, separators).
const TOKENS_PER_MESSAGE: u64 = 4;

/// Estimated tokens of `text_bytes` bytes of text in `messages` messages, where the text itself is not at hand.
pub fn estimate(text_bytes: usize, messages: u32) -> u64 {
    (text_bytes as u64).div_ceil(BYTES_PER_TOKEN).saturating_add(overhead(messages))
}

/// Estimated tokens of a prompt's pieces (JSON-escaped, with or without their quotes) in `messages` messages.
pub fn estimate_pieces<'b>(pieces: impl IntoIterator<Item = &'b [u8]>, messages: u32) -> u64 {
    let parts = pieces.into_iter().map(weigh).fold(0, u64::saturating_add);
    parts.div_ceil(PARTS).saturating_add(overhead(messages))
}

fn overhead(messages: u32) -> u64 {
    u64::from(messages) * TOKENS_PER_MESSAGE
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts with their tokens by cl100k.
    #[rustfmt::skip]
    const COUNTED: [(&str, u64); 7] = [
        ("The committee met on Tuesday to review the proposal, which had been circulated among the members two weeks earlier. Several of them raised concerns about the cost of the new building and asked whether the existing one could be extended instead. After a long discussion it was agreed that an architect should be asked for an estimate before the next meeting.", 65),
        ("Der Ausschuss traf sich am Dienstag, um den Vorschlag zu prüfen, der zwei Wochen zuvor unter den Mitgliedern verteilt worden war. Mehrere von ihnen äußerten Bedenken wegen der Kosten des neuen Gebäudes und fragten, ob das bestehende nicht erweitert werden könne.", 71),
        ("委员会星期二开会审议了两周前在成员中散发的提案。其中几位对新大楼的费用表示关切,并询问是否可以扩建现有的大楼。经过长时间的讨论,大家同意在下次会议之前请一位建筑师进行估算。", 91),
        ("委員会は火曜日に会合を開き、二週間前に委員に配布された提案を検討した。何人かは新しい建物の費用について懸念を示し、代わりに既存の建物を拡張できないかと尋ねた。", 95),
        ("위원회는 화요일에 모여 2주 전에 위원들에게 배포된 제안서를 검토했다. 그중 몇몇은 새 건물의 비용에 대해 우려를 표하고 기존 건물을 대신 확장할 수 있는지 물었다.", 93),
        ("اجتمعت اللجنة يوم الثلاثاء لمراجعة الاقتراح الذي تم توزيعه على الأعضاء قبل أسبوعين. وأعرب العديد منهم عن قلقهم بشأن تكلفة المبنى الجديد وتساءلوا عما إذا كان من الممكن توسيع المبنى القائم بدلاً من ذلك.", 144),
        ("Комитет собрался во вторник, чтобы рассмотреть предложение, которое было разослано членам двумя неделями ранее. Несколько из них выразили обеспокоенность стоимостью нового здания и спросили, нельзя ли расширить существующее.", 96),
    ];

    /// As a client writes it that escapes all that is not ASCII.
    fn escaped(text: &str) -> String {
        text.encode_utf16()
            .map(|u| if u < 128 { char::from(u as u8).to_string() } else { format!("\\u{u:04x}") })
            .collect()
    }

    #[test]
    fn estimates_stay_near_the_true_count() {
        for (text, tokens) in COUNTED {
            for text in [text.to_owned(), escaped(text)] {
                let ratio = estimate_pieces([text.as_bytes()], 0) as f64 / tokens as f64;
                assert!((0.85..1.8).contains(&ratio), "{ratio:.2}: {text}");
            }
        }
        let figures: Vec<String> = (0..200).map(|i| (f64::from(i * 7919 % 100_000) / 100.0).to_string()).collect();
        let ratio = estimate_pieces([figures.join(",").as_bytes()], 0) as f64 / 795.0;
        assert!((0.9..1.3).contains(&ratio), "{ratio:.2}");
    }

    #[test]
    fn pieces_add_up_and_messages_count() {
        assert_eq!(estimate_pieces([], 0), 0);
        assert_eq!(estimate_pieces([b"".as_slice()], 3), 12);
        assert_eq!(
            estimate_pieces([b"hello ".as_slice(), b"world"], 0),
            estimate_pieces([b"hello world".as_slice()], 0)
        );
        assert_eq!(estimate(9, 2), 3 + 8);
        // Cut-off escapes are no reason to panic: a piece is valid JSON, but nothing here relies on it.
        for cut in [r"\", r"\u", r"a\u00", r"\\\"] {
            estimate_pieces([cut.as_bytes()], 0);
        }
        assert!(estimate(usize::MAX, u32::MAX) > 0);
    }
}
