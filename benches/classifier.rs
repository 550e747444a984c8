//! What the two prompt classifiers cost together: `cargo bench --bench classifier`.
//!
//! What a reader could get wrong: of a long prompt only head and tail are read, so throughput on 100 KB says how cheap the rest is to skip.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidegate::openai::Modalities;
use tidegate::openai::view::Source;
use tidegate::signals::classifier::{Circumstances, Classifier, Passage, score};

/// Prose with a number, an accent, quotes and line ends, no sentence twice within a kilobyte.
const PROSE: &str = r#"The committee met on a rainy evening in 1987 to settle how the northern harbour should be paid for. \"Nobody,\" said the treasurer,
 who had read every ledger twice, \"has asked what dredging costs once the river silts up again.\"\nHer estimate, 14.5 million, was above the
 whole reserve; the engineers, however, argued from older surveys that a second breakwater would keep currents out of the basin.\nA visitor
 from the café across the square wondered aloud whether fewer ships might not be cheaper still. Please compare both proposals, list the
 assumptions behind each of them, and say which one survives a decade of low traffic. Keep in mind that insurance premiums follow storm
 frequency, that the lighthouse is protected, and that tenants may leave with a notice of ninety days. If the figures contradict one another,
 explain where, and propose how an auditor would decide between them. Finally, draft two paragraphs for a general audience: plain words, no
 jargon, one vivid example, and an honest remark about everything that remains uncertain."#;

fn classifier(c: &mut Criterion) {
    let (difficulty, fresh) = (Classifier::difficulty(), Classifier::fresh_knowledge());
    let circumstances = Circumstances { turns: 1, has_tools: false, modalities: Modalities::TEXT };
    let prose = PROSE.replace('\n', "");
    let mut group = c.benchmark_group("classifier");
    for (name, bytes) in [("60 B", 60), ("1 KB", 1024), ("100 KB", 100_000)] {
        let mut text = prose.repeat(bytes / prose.len() + 1);
        text.truncate((0..=bytes).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default());
        let passage = Passage { source: Source::User, message: 0, text: text.as_bytes() };
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| score(Some(&difficulty), Some(&fresh), &circumstances, black_box(std::iter::once(passage))));
        });
    }
    group.finish();
}

criterion_group!(benches, classifier);
criterion_main!(benches);
