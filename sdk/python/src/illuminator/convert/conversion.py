"""The conversion as a whole: open, understand, check, write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

from illuminator.convert.checkpoint import Checkpoint, facts_in, load, without_prefix
from illuminator.convert.contract_models import (
    is_large,
    is_practical,
    plan_large,
    plan_practical,
)
from illuminator.convert.errors import ConvertError, listed
from illuminator.convert.folder import DEFAULT_SHARD_BYTES, DTYPES, Say, write_folder
from illuminator.convert.hugging_face import plan_hugging_face
from illuminator.convert.plan import Plan, check

PathLike = Union[str, Path]


@dataclass(frozen=True)
class Conversion:
    """What was written.

    Attributes:
        family: What the checkpoint was found to be.
        parameters: Numbers in all tensors.
        folder: Where they are now.
        files: In it.
        notes: What was left out or assumed.
    """

    family: str
    parameters: int
    folder: Path
    files: tuple[Path, ...]
    notes: tuple[str, ...]


def convert(
    checkpoint: PathLike,
    out: PathLike,
    *,
    config: Optional[PathLike] = None,
    tokenizer: Optional[PathLike] = None,
    dtype: Optional[str] = None,
    heads: Optional[int] = None,
    context: Optional[int] = None,
    key: Optional[str] = None,
    shard_bytes: int = DEFAULT_SHARD_BYTES,
    say: Optional[Say] = None,
) -> Conversion:
    """Writes a checkpoint as a folder of safetensors.

    Args:
        checkpoint: A file of ``torch.save``, or the ``….index.json`` of several.
        out: The folder to make.
        config: ``config.json`` of a model with Hugging Face's names; of the contract's models,
            a file with ``n_heads``, ``n_kv_heads`` and ``max_seq_length``, as they are trained by.
        tokenizer: A folder with ``tokenizer.json``, which is copied with what belongs to it.
        dtype: ``float32``, ``float16`` or ``bfloat16``; absent: each tensor keeps its own.
        heads: Number of query heads, where the checkpoint does not say it.
        context: Longest context, where the checkpoint does not say it.
        key: Where in the file the tensors are, as in ``ema.state_dict``.
        shard_bytes: Most bytes of a file.
        say: Hears what is going on.

    Raises:
        ConvertError: See its message.
    """
    if dtype is not None and dtype not in DTYPES:
        raise ConvertError(f"dtype is {dtype!r}: expected one of {', '.join(DTYPES)}.")
    if shard_bytes < 1:
        raise ConvertError(f"shard_bytes is {shard_bytes}: expected at least 1.")
    told = say or _nobody
    told(f"opening {checkpoint}")
    given = None if config is None else _json(Path(config))
    plan = _understood(load(Path(checkpoint), key), given, heads, context)
    check(plan)
    if tokenizer is not None:
        plan.config.update(_token_ids(Path(tokenizer)))
    else:
        plan.notes.append("no tokenizer: put its tokenizer.json into the folder (--tokenizer)")
    files = write_folder(
        plan,
        Path(out),
        dtype=dtype,
        tokenizer=None if tokenizer is None else Path(tokenizer),
        shard_bytes=shard_bytes,
        say=told,
    )
    parameters = sum(int(tensor.numel()) for tensor in plan.tensors.values())
    return Conversion(plan.name, parameters, Path(out), tuple(files), tuple(plan.notes))


def _nobody(line: str) -> None:
    """Hears what nobody asked to hear."""


def _understood(
    checkpoint: Checkpoint,
    config: Optional[Mapping[str, Any]],
    heads: Optional[int],
    context: Optional[int],
) -> Plan:
    # Lightning calls the model `model.`; so does Hugging Face, for good.
    for candidate in (checkpoint, without_prefix(checkpoint, "model.")):
        if candidate is None or not (
            is_large(candidate.tensors) or is_practical(candidate.tensors)
        ):
            continue
        candidate.facts.update(facts_in(config or {}))
        if heads is not None:
            candidate.facts["n_heads"] = heads
        if context is not None:
            candidate.facts["max_seq_length"] = context
        is_first = is_large(candidate.tensors)
        return plan_large(candidate) if is_first else plan_practical(candidate)
    if config is None:
        raise ConvertError(
            "The names are not those of illuminator-4.9b or illuminator-practical. Where they are "
            "Hugging Face's, pass the model's config.json with --config. The first are:\n"
            + listed(checkpoint.tensors)
        )
    if heads is not None or context is not None:
        raise ConvertError("--heads and --context are for the contract's models: see --config.")
    doubled = without_prefix(checkpoint, "model.")
    if doubled is not None and all(
        name.startswith(("model.", "lm_head.", "transformer.")) for name in doubled.tensors
    ):
        checkpoint = doubled
    return plan_hugging_face(checkpoint, config)


def _json(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConvertError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(value, dict):
        raise ConvertError(f"{path} holds a {type(value).__name__}: expected an object.")
    return value


def _token_ids(tokenizer: Path) -> dict[str, int]:
    """Ids of the first and last token of a text, where the tokenizer's files tell them."""
    folder = tokenizer if tokenizer.is_dir() else tokenizer.parent
    settings, vocabulary = folder / "tokenizer_config.json", folder / "tokenizer.json"
    if not settings.is_file() or not vocabulary.is_file():
        return {}
    known = _json(vocabulary)
    model = known.get("model")
    inner = model.get("vocab") if isinstance(model, Mapping) else None
    ids: dict[str, Any] = dict(inner) if isinstance(inner, Mapping) else {}
    ids |= {one["content"]: one["id"] for one in known.get("added_tokens") or []}
    found: dict[str, int] = {}
    for name, token in _json(settings).items():
        text = token.get("content") if isinstance(token, Mapping) else token
        if name in {"bos_token", "eos_token", "pad_token"} and text in ids:
            found[f"{name}_id"] = int(ids[text])
    return found
