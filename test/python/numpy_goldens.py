"""Logits and greedy tokens of tiny models, by NumPy in float64: the reference that the engine has no part in. The two models
of the API's contract, and Phi-3 with what the reference checkpoints lack: a part of each head turned, and longrope. Weights
are a function of their names, so that the test writes the same checkpoint without a file of them.

    pip install numpy && python test/python/numpy_goldens.py > test/goldens/numpy.json
"""

import json
import math

import numpy as np
from hashed_numbers import hashed

LARGE = {
    "architectures": ["IlluminatorForCausalLM"],
    "model_type": "illuminator",
    "vocab_size": 67,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 12,
    "max_position_embeddings": 64,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "rope_interleaved": True,
    "embedding_multiplier": math.sqrt(48),
    "attention_bias": False,
    "mlp_bias": False,
    "tie_word_embeddings": True,
}
PRACTICAL = {
    "architectures": ["IlluminatorPracticalForCausalLM"],
    "model_type": "illuminator-practical",
    "vocab_size": 61,
    "hidden_size": 40,
    "intermediate_size": 72,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "head_dim": 20,
    "max_position_embeddings": 32,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
    "attention_bias": True,
    "mlp_bias": True,
    "tie_word_embeddings": True,
}
PHI = {
    "architectures": ["Phi3ForCausalLM"],
    "model_type": "phi3",
    "vocab_size": 59,
    "hidden_size": 36,
    "intermediate_size": 52,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "num_key_value_heads": 1,
    "head_dim": 12,
    "max_position_embeddings": 64,
    "original_max_position_embeddings": 32,
    "partial_rotary_factor": 0.5,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "rope_scaling": {"type": "longrope", "short_factor": [1.0, 1.25, 2.0], "long_factor": [2.0, 4.0, 8.0]},
    "sliding_window": None,
    "tie_word_embeddings": False,
}


def numbers(name: str, *shape: int) -> np.ndarray:
    """Hashed numbers in (-0.4, 0.4), as float32; norms about 1."""
    value = hashed(name, shape) * 0.4
    if "norm" in name and name.endswith("weight"):
        value = value + 1
    return value.astype(np.float32).astype(np.float64)


def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """[rows, heads, size] each, causal; keys and values are shared by groups of heads."""
    rows, heads, size = q.shape
    group = heads // k.shape[1]
    out = np.zeros_like(q)
    for head in range(heads):
        scores = q[:, head] @ k[:, head // group].T / math.sqrt(size)
        scores[np.triu_indices(rows, 1)] = -np.inf
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        out[:, head] = shares / shares.sum(axis=1, keepdims=True) @ v[:, head // group]
    return out.reshape(rows, heads * size)


def rotate(x: np.ndarray, theta: float) -> np.ndarray:
    """Dimensions 2i and 2i + 1 turn together."""
    rows, _, size = x.shape
    angles = np.outer(np.arange(rows), theta ** (-np.arange(0, size, 2) / size))[:, None]
    out = np.empty_like(x)
    out[..., 0::2] = x[..., 0::2] * np.cos(angles) - x[..., 1::2] * np.sin(angles)
    out[..., 1::2] = x[..., 1::2] * np.cos(angles) + x[..., 0::2] * np.sin(angles)
    return out


def large(ids: list) -> np.ndarray:
    width, inner, size = LARGE["hidden_size"], LARGE["intermediate_size"], LARGE["head_dim"]
    keys = LARGE["num_key_value_heads"] * size
    embedding = numbers("token_embedding.weight", LARGE["vocab_size"], width)

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        scale = 1 / np.sqrt((x**2).mean(axis=1, keepdims=True) + LARGE["rms_norm_eps"])
        return x * scale * numbers(f"{name}.weight", width)

    x = embedding[ids] * LARGE["embedding_multiplier"]
    for layer in range(LARGE["num_hidden_layers"]):
        block = f"transformer_blocks.{layer}"

        def project(h: np.ndarray, name: str, rows: int) -> np.ndarray:
            return h @ numbers(f"{block}.{name}.weight", rows, h.shape[1]).T

        h = norm(x, f"{block}.norm1")
        q = rotate(project(h, "attention.w_q", width).reshape(len(ids), -1, size), 10000.0)
        k = rotate(project(h, "attention.w_k", keys).reshape(len(ids), -1, size), 10000.0)
        v = project(h, "attention.w_v", keys).reshape(len(ids), -1, size)
        x = x + project(attend(q, k, v), "attention.w_o", width)
        h = norm(x, f"{block}.norm2")
        gate = project(h, "feed_forward.w1", inner)
        up = project(h, "feed_forward.w3", inner)
        x = x + project(gate / (1 + np.exp(-gate)) * up, "feed_forward.w2", width)
    return norm(x, "final_norm") @ embedding.T


def rotate_part(x: np.ndarray, scaling: dict, theta: float, scale: float) -> np.ndarray:
    """Of the first 2n dimensions i and i + n turn together; the others stay."""
    half = len(scaling["short_factor"])
    frequencies = theta ** (-np.arange(half) / half) / np.array(scaling["short_factor"])
    angles = np.outer(np.arange(len(x)), frequencies)[:, None]
    cos, sin = np.cos(angles) * scale, np.sin(angles) * scale
    low, high = x[..., :half], x[..., half : 2 * half]
    return np.concatenate(
        [low * cos - high * sin, high * cos + low * sin, x[..., 2 * half :]], axis=-1
    )


def phi(ids: list) -> np.ndarray:
    width, inner, size = PHI["hidden_size"], PHI["intermediate_size"], PHI["head_dim"]
    queries, keys = PHI["num_attention_heads"] * size, PHI["num_key_value_heads"] * size
    original = PHI["original_max_position_embeddings"]
    stretch = PHI["max_position_embeddings"] / original
    scale = math.sqrt(1 + math.log(stretch) / math.log(original))

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        factor = 1 / np.sqrt((x**2).mean(axis=1, keepdims=True) + PHI["rms_norm_eps"])
        return x * factor * numbers(f"{name}.weight", width)

    x = numbers("model.embed_tokens.weight", PHI["vocab_size"], width)[ids]
    for layer in range(PHI["num_hidden_layers"]):
        block = f"model.layers.{layer}"

        def project(h: np.ndarray, name: str, rows: int) -> np.ndarray:
            return h @ numbers(f"{block}.{name}.weight", rows, h.shape[1]).T

        h = norm(x, f"{block}.input_layernorm")
        qkv = project(h, "self_attn.qkv_proj", queries + 2 * keys).reshape(len(ids), -1, size)
        q, k, v = np.split(qkv, [queries // size, (queries + keys) // size], axis=1)
        q, k = (rotate_part(one, PHI["rope_scaling"], 10000.0, scale) for one in (q, k))
        x = x + project(attend(q, k, v), "self_attn.o_proj", width)
        h = norm(x, f"{block}.post_attention_layernorm")
        gate, up = np.split(project(h, "mlp.gate_up_proj", 2 * inner), 2, axis=1)
        x = x + project(gate / (1 + np.exp(-gate)) * up, "mlp.down_proj", width)
    return norm(x, "model.norm") @ numbers("lm_head.weight", PHI["vocab_size"], width).T


def practical(ids: list) -> np.ndarray:
    width, inner = PRACTICAL["hidden_size"], PRACTICAL["intermediate_size"]
    heads, context = PRACTICAL["num_attention_heads"], PRACTICAL["max_position_embeddings"]
    embedding = numbers("token_embedding.weight", PRACTICAL["vocab_size"], width)

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=1, keepdims=True)
        scale = 1 / np.sqrt((centred**2).mean(axis=1, keepdims=True) + PRACTICAL["layer_norm_eps"])
        return centred * scale * numbers(f"{name}.weight", width) + numbers(f"{name}.bias", width)

    x = embedding[ids] + numbers("position_encoding.pe", 1, context, width)[0, : len(ids)]
    for layer in range(PRACTICAL["num_hidden_layers"]):
        block = f"transformer_blocks.{layer}"

        def project(h: np.ndarray, name: str, rows: int) -> np.ndarray:
            weight = numbers(f"{block}.{name}.weight", rows, h.shape[1])
            return h @ weight.T + numbers(f"{block}.{name}.bias", rows)

        qkv = project(norm(x, f"{block}.norm1"), "attention.w_qkv", 3 * width)
        q, k, v = (part.reshape(len(ids), heads, -1) for part in np.split(qkv, 3, axis=1))
        x = x + project(attend(q, k, v), "attention.w_o", width)
        h = project(norm(x, f"{block}.norm2"), "feed_forward.linear1", inner)
        gelu = np.vectorize(lambda value: 0.5 * value * (1 + math.erf(value / math.sqrt(2))))(h)
        x = x + project(gelu, "feed_forward.linear2", width)
    return norm(x, "layer_norm") @ embedding.T


def golden(config: dict, logits) -> dict:
    prompts = []
    for length in (1, 19):
        ids = [(7 * i * i + 3 * i + 1) % config["vocab_size"] for i in range(length)]
        last = logits(ids)[-1]
        greedy, margins = [], []
        for _ in range(8):
            after = logits(ids + greedy)[-1]
            top = np.sort(after)[::-1]
            greedy.append(int(after.argmax()))
            margins.append(float(top[0] - top[1]))
        prompts.append(
            {
                "ids": ids,
                "last_logits": [round(float(value), 6) for value in last],
                "greedy": greedy,
                "least_margin": round(min(margins), 6),
            }
        )
    return {"config": config, "prompts": prompts}


if __name__ == "__main__":
    print(json.dumps([golden(LARGE, large), golden(PRACTICAL, practical), golden(PHI, phi)], indent=1))
