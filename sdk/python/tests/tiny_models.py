"""Checkpoints of tiny models with random numbers, and what is in a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed [needs torch]")
safetensors = pytest.importorskip("safetensors.torch", reason="no safetensors [needs torch]")

State = dict[str, Any]


def numbers(*shape: int, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, generator=generator)


def large(
    width: int = 48, heads: int = 4, kv_heads: int = 2, layers: int = 2, inner: int = 96
) -> State:
    """A tiny `illuminator-4.9b` as it is trained: with the rotation's buffers."""
    size = width // heads
    state: State = {"token_embedding.weight": numbers(64, width)}
    for layer in range(layers):
        block = f"transformer_blocks.{layer}"
        state |= {
            f"{block}.attention.w_q.weight": numbers(width, width, seed=layer),
            f"{block}.attention.w_k.weight": numbers(kv_heads * size, width, seed=layer),
            f"{block}.attention.w_v.weight": numbers(kv_heads * size, width, seed=layer + 9),
            f"{block}.attention.w_o.weight": numbers(width, width, seed=layer + 9),
            f"{block}.attention.rope.inv_freq": 1.0
            / (10000 ** (torch.arange(0, size, 2).float() / size)),
            f"{block}.feed_forward.w1.weight": numbers(inner, width, seed=layer),
            f"{block}.feed_forward.w2.weight": numbers(width, inner, seed=layer),
            f"{block}.feed_forward.w3.weight": numbers(inner, width, seed=layer + 9),
            f"{block}.norm1.weight": numbers(width, seed=layer),
            f"{block}.norm2.weight": numbers(width, seed=layer + 9),
        }
    return state | {"final_norm.weight": numbers(width, seed=3)}


def practical(width: int = 24, layers: int = 2, inner: int = 40, context: int = 16) -> State:
    """A tiny `illuminator-practical`, with the tied head that its state dict repeats."""
    embedding = numbers(50, width)
    state: State = {
        "token_embedding.weight": embedding,
        "position_encoding.pe": numbers(1, context, width),
    }
    for layer in range(layers):
        block = f"transformer_blocks.{layer}"
        for part, rows, columns in (
            ("attention.w_qkv", 3 * width, width),
            ("attention.w_o", width, width),
            ("feed_forward.linear1", inner, width),
            ("feed_forward.linear2", width, inner),
        ):
            state[f"{block}.{part}.weight"] = numbers(rows, columns, seed=layer)
            state[f"{block}.{part}.bias"] = numbers(rows, seed=layer)
        for norm in ("norm1", "norm2"):
            state[f"{block}.{norm}.weight"] = numbers(width, seed=layer)
            state[f"{block}.{norm}.bias"] = numbers(width, seed=layer + 1)
    return state | {
        "layer_norm.weight": numbers(width),
        "layer_norm.bias": numbers(width, seed=1),
        "output_projection.weight": embedding,
    }


def read(folder: Path) -> tuple[Mapping[str, Any], State]:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tensors: State = {}
    for file in sorted(folder.glob("*.safetensors")):
        tensors |= safetensors.load_file(file)
    return config, tensors


def same(found: State, wanted: State) -> bool:
    return found.keys() == wanted.keys() and all(
        torch.equal(found[name], wanted[name]) for name in wanted
    )


def parameters(state: State, *without: str) -> State:
    return {name: one for name, one in state.items() if not name.endswith(without or ("\0",))}


def llama(tmp_path: Path, **config: Any) -> tuple[State, Path]:
    state = {
        "model.embed_tokens.weight": numbers(8, 4),
        "model.norm.weight": numbers(4),
        "model.layers.0.input_layernorm.weight": numbers(4),
        "model.layers.0.post_attention_layernorm.weight": numbers(4),
        **{f"model.layers.0.self_attn.{p}_proj.weight": numbers(4, 4) for p in "qkvo"},
        "model.layers.0.mlp.gate_proj.weight": numbers(6, 4),
        "model.layers.0.mlp.up_proj.weight": numbers(6, 4),
        "model.layers.0.mlp.down_proj.weight": numbers(4, 6),
    }
    sizes = {
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": 4,
        "intermediate_size": 6,
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "vocab_size": 8,
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**sizes, **config}), encoding="utf-8")
    return state, path
