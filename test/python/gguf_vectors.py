"""Prints test/goldens/gguf.json: some blocks of every type, and their numbers (F32) by the `gguf` package of llama.cpp.

    pip install gguf && python test/python/gguf_vectors.py >test/goldens/gguf.json
"""

import base64
import json

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize

TYPES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", "MXFP4"]
# Where each block has F16 numbers, and where an exponent.
HALVES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": [],
}

random = np.random.default_rng(8)
vectors = {}
for name in TYPES:
    block, size = GGML_QUANT_SIZES[Type[name]]
    blocks = random.integers(0, 256, (512 // block if block == 256 else 3, size), dtype=np.uint8)
    for at in HALVES[name]:
        scales = random.uniform(-0.02, 0.02, len(blocks)).astype(np.float16)
        blocks[:, at : at + 2] = scales.view(np.uint8).reshape(-1, 2)
    if name == "MXFP4":
        blocks[:, 0] = random.integers(115, 130, len(blocks))
    numbers = dequantize(blocks, Type[name]).reshape(-1)
    vectors[name] = {key: base64.b64encode(of.tobytes()).decode() for key, of in [("blocks", blocks), ("numbers", numbers)]}
print(json.dumps(vectors, indent=2))
