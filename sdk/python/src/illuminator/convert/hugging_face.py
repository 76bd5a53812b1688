"""State dicts that have Hugging Face's names already; `config.json` says what they should be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from illuminator.convert.checkpoint import Checkpoint
from illuminator.convert.errors import ConvertError
from illuminator.convert.plan import Plan, Shape, is_same, whole_number

_HEAD = "lm_head.weight"

#: Computed from the configuration; old versions saved them.
_BUFFERS = re.compile(r"(^|\.)(rotary_emb\.inv_freq|attn\.(masked_)?bias)$")


@dataclass(frozen=True)
class _Decoder:
    """How a family differs from Llama in the names of its tensors."""

    qkv_bias: bool = False
    norms: tuple[str, ...] = ("input_layernorm", "post_attention_layernorm")
    #: "head": a norm over each query and key; "full": over all of them at once.
    query_key_norm: Optional[str] = None


_SANDWICH = (
    "input_layernorm",
    "post_attention_layernorm",
    "pre_feedforward_layernorm",
    "post_feedforward_layernorm",
)

_DECODERS: Mapping[str, _Decoder] = {
    "LlamaForCausalLM": _Decoder(),
    "MistralForCausalLM": _Decoder(),
    "Qwen2ForCausalLM": _Decoder(qkv_bias=True),
    "Qwen3ForCausalLM": _Decoder(query_key_norm="head"),
    "SmolLM3ForCausalLM": _Decoder(),
    "GraniteForCausalLM": _Decoder(),
    "Gemma2ForCausalLM": _Decoder(norms=_SANDWICH),
    "Gemma3ForCausalLM": _Decoder(norms=_SANDWICH, query_key_norm="head"),
    "Olmo2ForCausalLM": _Decoder(
        norms=("post_attention_layernorm", "post_feedforward_layernorm"), query_key_norm="full"
    ),
}

_GPT2 = "GPT2LMHeadModel"


def plan_hugging_face(checkpoint: Checkpoint, config: Mapping[str, Any]) -> Plan:
    """Tensors as they are, held against the configuration where the family is known here.

    Raises:
        ConvertError: The configuration names no architecture or lacks a size.
    """
    given = config.get("architectures")
    if not isinstance(given, list) or not given or not isinstance(given[0], str):
        raise ConvertError('The configuration names no "architectures": is it a config.json?')
    name = given[0]
    notes = list(checkpoint.notes)
    tensors = {key: value for key, value in checkpoint.tensors.items() if not _BUFFERS.search(key)}
    if len(tensors) < len(checkpoint.tensors):
        count = len(checkpoint.tensors) - len(tensors)
        notes.append(f"{count} buffers left out: the configuration says the same")
    expected: Optional[dict[str, Shape]] = None
    if name in _DECODERS:
        expected = dict(_decoder(config, _DECODERS[name]))
        embedding = "model.embed_tokens.weight"
    elif name == _GPT2:
        base = "transformer." if any(key.startswith("transformer.") for key in tensors) else ""
        expected = dict(_gpt2(config, base))
        embedding = f"{base}wte.weight"
    else:
        notes.append(f"the tensors of {name} are not known here: names and shapes are unchecked")
        return Plan(name, dict(config), tensors, None, notes)
    return _with_head(Plan(name, dict(config), tensors, expected, notes), embedding)


def _with_head(plan: Plan, embedding: str) -> Plan:
    """A tied head is not written; one of its own is expected. A silent configuration is told."""
    head, first = plan.tensors.get(_HEAD), plan.tensors.get(embedding)
    is_same_again = head is not None and first is not None and is_same(head, first)
    is_tied = plan.config.get("tie_word_embeddings")
    if is_tied is None:
        # Families differ in their default: the tensors do not lie.
        is_tied = plan.config["tie_word_embeddings"] = head is None or is_same_again
    if not is_tied:
        if plan.expected is not None:
            plan.expected[_HEAD] = plan.expected[embedding]
        return plan
    if head is not None and not is_same_again:
        raise ConvertError(
            f"The configuration ties the head to the embedding, but {_HEAD} and {embedding} "
            'differ: set "tie_word_embeddings": false in it if the head is the model\'s own.'
        )
    if head is not None:
        del plan.tensors[_HEAD]
        plan.notes.append(f"{_HEAD} is {embedding} again (tied): written once")
    return plan


def _size(config: Mapping[str, Any], *names: str) -> int:
    value = whole_number(config, *names)
    if value is None:
        raise ConvertError(f'The configuration has no "{names[0]}".')
    return value


def _decoder(config: Mapping[str, Any], family: _Decoder) -> Iterator[tuple[str, Shape]]:
    width, inner = _size(config, "hidden_size"), _size(config, "intermediate_size")
    heads = _size(config, "num_attention_heads")
    head_dim = whole_number(config, "head_dim") or width // heads
    queries = heads * head_dim
    keys = (whole_number(config, "num_key_value_heads") or heads) * head_dim
    has_bias = bool(config.get("attention_bias"))
    yield "model.embed_tokens.weight", (_size(config, "vocab_size"), width)
    yield "model.norm.weight", (width,)
    for number in range(_size(config, "num_hidden_layers")):
        layer = f"model.layers.{number}"
        for norm in family.norms:
            yield f"{layer}.{norm}.weight", (width,)
        for part, rows in (("q", queries), ("k", keys), ("v", keys)):
            yield f"{layer}.self_attn.{part}_proj.weight", (rows, width)
            if has_bias or family.qkv_bias:
                yield f"{layer}.self_attn.{part}_proj.bias", (rows,)
        yield f"{layer}.self_attn.o_proj.weight", (width, queries)
        if has_bias:
            yield f"{layer}.self_attn.o_proj.bias", (width,)
        if family.query_key_norm is not None:
            is_full = family.query_key_norm == "full"
            yield f"{layer}.self_attn.q_norm.weight", (queries if is_full else head_dim,)
            yield f"{layer}.self_attn.k_norm.weight", (keys if is_full else head_dim,)
        for part, shape in (
            ("gate", (inner, width)),
            ("up", (inner, width)),
            ("down", (width, inner)),
        ):
            yield f"{layer}.mlp.{part}_proj.weight", shape
            if config.get("mlp_bias"):
                yield f"{layer}.mlp.{part}_proj.bias", shape[:1]


def _gpt2(config: Mapping[str, Any], base: str) -> Iterator[tuple[str, Shape]]:
    width = _size(config, "n_embd")
    inner = whole_number(config, "n_inner") or 4 * width
    yield f"{base}wte.weight", (_size(config, "vocab_size"), width)
    yield f"{base}wpe.weight", (_size(config, "n_positions"), width)
    norms = [f"{base}ln_f"]
    for number in range(_size(config, "n_layer")):
        layer = f"{base}h.{number}"
        norms += [f"{layer}.ln_1", f"{layer}.ln_2"]
        # Conv1D: the input is the first dimension.
        for part, shape in (
            ("attn.c_attn", (width, 3 * width)),
            ("attn.c_proj", (width, width)),
            ("mlp.c_fc", (width, inner)),
            ("mlp.c_proj", (inner, width)),
        ):
            yield f"{layer}.{part}.weight", shape
            yield f"{layer}.{part}.bias", shape[1:]
    for norm in norms:
        yield f"{norm}.weight", (width,)
        yield f"{norm}.bias", (width,)
