"""The two models of the API's contract, with the parameter names they were trained with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Optional

from illuminator.convert.checkpoint import Checkpoint
from illuminator.convert.errors import ConvertError
from illuminator.convert.plan import Plan, Shape, layers_in, matrix, untie, whole_number

EMBEDDING = "token_embedding.weight"
HEAD = "output_projection.weight"
BLOCKS = "transformer_blocks."

LARGE = "illuminator-4.9b"
PRACTICAL = "illuminator-practical"

#: Heads of the models as they were published; a checkpoint of other sizes must say its own.
_LARGE_HEADS = {3328: 32, 4096: 32}
_PRACTICAL_HEADS = {768: 12}

_LARGE_CONTEXT = 4096
_ROPE_BUFFER = ".attention.rope.inv_freq"
_DEFAULT_THETA = 10000.0


def is_large(names: Mapping[str, Any]) -> bool:
    """Whether they are those of `illuminator-4.9b`."""
    return EMBEDDING in names and f"{BLOCKS}0.attention.w_q.weight" in names


def is_practical(names: Mapping[str, Any]) -> bool:
    """Whether they are those of `illuminator-practical`."""
    return EMBEDDING in names and f"{BLOCKS}0.attention.w_qkv.weight" in names


def plan_large(checkpoint: Checkpoint) -> Plan:
    """`illuminator-4.9b`: RMSNorm, grouped queries, SwiGLU, interleaved rotation, tied head."""
    notes = list(checkpoint.notes)
    facts = checkpoint.facts
    tensors, frequencies = _without_buffers(checkpoint.tensors, notes)
    tensors, is_tied = untie(tensors, HEAD, EMBEDDING, notes)
    vocabulary, width = matrix(tensors, EMBEDDING, LARGE)
    layers = layers_in(tensors, BLOCKS)
    inner, _ = matrix(tensors, f"{BLOCKS}0.feed_forward.w1.weight", LARGE)
    keys, _ = matrix(tensors, f"{BLOCKS}0.attention.w_k.weight", LARGE)
    head_dim, theta = _rotation(frequencies)
    heads = _heads(facts, width, _LARGE_HEADS, width // head_dim if head_dim else None)
    head_dim = width // heads
    if keys % head_dim:
        raise ConvertError(
            f"{BLOCKS}0.attention.w_k.weight has {keys} rows, which are no whole number of heads "
            f"of {head_dim} ({width} / {heads} heads): check --heads."
        )
    kv_heads = whole_number(facts, "n_kv_heads", "num_key_value_heads") or keys // head_dim
    context = _context(facts, _LARGE_CONTEXT, notes)
    config = {
        "architectures": ["IlluminatorForCausalLM"],
        "model_type": "illuminator",
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
        "max_position_embeddings": context,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": theta,
        "rope_interleaved": True,
        "embedding_multiplier": math.sqrt(width),
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": is_tied,
    }
    expected: dict[str, Shape] = {EMBEDDING: (vocabulary, width), "final_norm.weight": (width,)}
    for number in range(layers):
        block = f"{BLOCKS}{number}"
        expected |= {
            f"{block}.attention.w_q.weight": (width, width),
            f"{block}.attention.w_k.weight": (kv_heads * head_dim, width),
            f"{block}.attention.w_v.weight": (kv_heads * head_dim, width),
            f"{block}.attention.w_o.weight": (width, width),
            f"{block}.feed_forward.w1.weight": (inner, width),
            f"{block}.feed_forward.w2.weight": (width, inner),
            f"{block}.feed_forward.w3.weight": (inner, width),
            f"{block}.norm1.weight": (width,),
            f"{block}.norm2.weight": (width,),
        }
    if not is_tied:
        expected[HEAD] = (vocabulary, width)
    return Plan(LARGE, config, tensors, expected, notes)


def plan_practical(checkpoint: Checkpoint) -> Plan:
    """`illuminator-practical`: LayerNorm, GELU, learned positions, fused projections, tied head."""
    notes = list(checkpoint.notes)
    facts = checkpoint.facts
    tensors, is_tied = untie(checkpoint.tensors, HEAD, EMBEDDING, notes)
    vocabulary, width = matrix(tensors, EMBEDDING, PRACTICAL)
    layers = layers_in(tensors, BLOCKS)
    inner, _ = matrix(tensors, f"{BLOCKS}0.feed_forward.linear1.weight", PRACTICAL)
    heads = _heads(facts, width, _PRACTICAL_HEADS, None)
    positions = tensors.get("position_encoding.pe")
    given = whole_number(facts, "max_seq_length", "max_position_embeddings")
    context = int(positions.shape[-2]) if positions is not None and positions.dim() >= 2 else given
    config = {
        "architectures": ["IlluminatorPracticalForCausalLM"],
        "model_type": "illuminator-practical",
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "head_dim": width // heads,
        "max_position_embeddings": context or 1,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
        "attention_bias": True,
        "mlp_bias": True,
        "tie_word_embeddings": is_tied,
    }
    expected: dict[str, Shape] = {
        EMBEDDING: (vocabulary, width),
        "position_encoding.pe": (1, context or 1, width),
        "layer_norm.weight": (width,),
        "layer_norm.bias": (width,),
    }
    for number in range(layers):
        block = f"{BLOCKS}{number}"
        expected |= {
            f"{block}.attention.w_qkv.weight": (3 * width, width),
            f"{block}.attention.w_qkv.bias": (3 * width,),
            f"{block}.attention.w_o.weight": (width, width),
            f"{block}.attention.w_o.bias": (width,),
            f"{block}.feed_forward.linear1.weight": (inner, width),
            f"{block}.feed_forward.linear1.bias": (inner,),
            f"{block}.feed_forward.linear2.weight": (width, inner),
            f"{block}.feed_forward.linear2.bias": (width,),
            f"{block}.norm1.weight": (width,),
            f"{block}.norm1.bias": (width,),
            f"{block}.norm2.weight": (width,),
            f"{block}.norm2.bias": (width,),
        }
    if not is_tied:
        expected[HEAD] = (vocabulary, width)
    return Plan(PRACTICAL, config, tensors, expected, notes)


def _without_buffers(
    tensors: Mapping[str, Any], notes: list[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters, and the rotation's frequencies, which `rope_theta` stands for."""
    frequencies = {name: value for name, value in tensors.items() if name.endswith(_ROPE_BUFFER)}
    if frequencies:
        notes.append(f"{len(frequencies)} buffers {_ROPE_BUFFER[1:]} became rope_theta")
    return {name: value for name, value in tensors.items() if name not in frequencies}, frequencies


def _rotation(frequencies: Mapping[str, Any]) -> tuple[int, float]:
    """Width of a head (0: not told) and base of the rotation.

    Raises:
        ConvertError: The frequencies are not those of one base.
    """
    if not frequencies:
        return 0, _DEFAULT_THETA
    name, first = next(iter(frequencies.items()))
    values = [float(value) for value in first.flatten()]
    half = len(values)
    theta = values[1] ** -half if half > 1 and 0 < values[1] < 1 else _DEFAULT_THETA
    # Kept in 32 or fewer bits: 9999.998 was 10000.
    rounded = float(f"{theta:.3g}")
    theta = rounded if math.isclose(theta, rounded, rel_tol=5e-3) else theta
    for other, given in frequencies.items():
        found = [float(value) for value in given.flatten()]
        plain = [theta ** (-place / half) for place in range(half)]
        if len(found) != half or not all(
            math.isclose(a, b, rel_tol=1e-2) for a, b in zip(found, plain)
        ):
            raise ConvertError(
                f"{other} does not hold the frequencies of a rotation of base {theta:g} over "
                f"{2 * half} numbers, as {name} lets expect: it cannot be told as rope_theta."
            )
    return 2 * half, theta


def _heads(
    facts: Mapping[str, Any], width: int, published: Mapping[int, int], told: Optional[int]
) -> int:
    """Number of query heads: no tensor's shape has it.

    Raises:
        ConvertError: Nobody says it, or it cannot be.
    """
    heads = whole_number(facts, "n_heads", "num_attention_heads", "num_heads") or told
    heads = heads or published.get(width)
    if heads is None:
        raise ConvertError(
            f"Nothing says how many heads share the width of {width}: pass --heads, or --config "
            'with a JSON file that has "n_heads".'
        )
    if width % heads:
        raise ConvertError(f"{heads} heads cannot share a width of {width}: check --heads.")
    return heads


def _context(facts: Mapping[str, Any], usual: int, notes: list[str]) -> int:
    context = whole_number(facts, "max_seq_length", "max_position_embeddings", "context_length")
    if context is None:
        notes.append(f"nothing says the context's length: taken to be {usual} (--context)")
    return context or usual
