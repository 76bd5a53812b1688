"""Writes a model's folder: `config.json`, safetensors in one file or in shards, the tokenizer."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, Optional

from illuminator.convert.checkpoint import require_torch
from illuminator.convert.errors import ConvertError
from illuminator.convert.plan import Plan

#: What Hugging Face splits by.
DEFAULT_SHARD_BYTES = 5_000_000_000

DTYPES = ("float32", "float16", "bfloat16")

#: Copied where a tokenizer's folder has them.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "generation_config.json",
)

Say = Callable[[str], None]


def write_folder(
    plan: Plan,
    out: Path,
    *,
    dtype: Optional[str],
    tokenizer: Optional[Path],
    shard_bytes: int,
    say: Say,
) -> list[Path]:
    """Writes beside the place first and moves it there at the end: a failure leaves nothing.

    Raises:
        ConvertError: Something is there already, or the disk is too small.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConvertError(f"{out} is there already and not empty: choose another place.")
    out.parent.mkdir(parents=True, exist_ok=True)
    copied = _tokenizer_files(tokenizer)
    sizes = {name: _bytes_of(tensor, dtype) for name, tensor in plan.tensors.items()}
    free = shutil.disk_usage(out.parent).free
    if free < sum(sizes.values()):
        raise ConvertError(
            f"{out.parent} has {free:,} bytes left, but the tensors take {sum(sizes.values()):,}."
        )
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        _write_tensors(plan, work, sizes, dtype, shard_bytes, say)
        config = {**plan.config, "torch_dtype": _dtype_of(plan, dtype)}
        _write_json(work / "config.json", config)
        for file in copied:
            shutil.copyfile(file, work / file.name)
        work.chmod(0o755)
        if out.is_dir():
            out.rmdir()
        work.rename(out)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return sorted(out.iterdir())


def _tokenizer_files(tokenizer: Optional[Path]) -> list[Path]:
    if tokenizer is None:
        return []
    if tokenizer.is_file() and tokenizer.name == "tokenizer.json":
        return [tokenizer]
    files = [tokenizer / name for name in TOKENIZER_FILES if (tokenizer / name).is_file()]
    if not any(file.name == "tokenizer.json" for file in files):
        raise ConvertError(f"{tokenizer} has no tokenizer.json: expected a tokenizer's folder.")
    return files


def _shards_of(sizes: Mapping[str, int], most: int) -> list[list[str]]:
    """Names apart in order, so that no shard is larger unless one tensor is."""
    shards: list[list[str]] = [[]]
    filled = 0
    for name, size in sizes.items():
        if shards[-1] and filled + size > most:
            shards.append([])
            filled = 0
        shards[-1].append(name)
        filled += size
    return shards


def _write_tensors(
    plan: Plan,
    folder: Path,
    sizes: Mapping[str, int],
    dtype: Optional[str],
    shard_bytes: int,
    say: Say,
) -> None:
    try:
        from safetensors.torch import save_file
    except ImportError as error:
        raise ConvertError(
            f"Conversion needs safetensors ({error}): pip install 'illuminator-sdk[convert]'"
        ) from None
    shards = _shards_of(sizes, shard_bytes)
    weight_map: dict[str, str] = {}
    for number, names in enumerate(shards, 1):
        file = "model.safetensors"
        if len(shards) > 1:
            file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        say(f"writing {file}: {sum(sizes[name] for name in names):,} bytes")
        # Only one shard's tensors are in memory beside the mapped checkpoint.
        held = {name: _converted(plan.tensors[name], name, dtype) for name in names}
        save_file(held, folder / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(names, file)
    if len(shards) > 1:
        index = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": weight_map}
        _write_json(folder / "model.safetensors.index.json", index)


def _converted(tensor: Any, name: str, dtype: Optional[str]) -> Any:  # noqa: ANN401 - tensors
    """In its type, in order, and with memory of its own.

    Raises:
        ConvertError: A number is too large for the type.
    """
    torch = require_torch()
    made = tensor.detach()
    if made.is_sparse or made.is_quantized or not made.layout == torch.strided:
        raise ConvertError(f"{name} is sparse or quantized: convert it to a plain tensor first.")
    if dtype is not None and made.is_floating_point():
        before = made
        made = made.to(getattr(torch, dtype))
        if bool(torch.isfinite(before).all()) and not bool(torch.isfinite(made).all()):
            largest = float(before.abs().max())
            raise ConvertError(
                f"{name} has numbers of up to {largest:g}, more than {dtype} can hold: "
                "use bfloat16 or float32."
            )
    return made.clone(memory_format=torch.contiguous_format)


def _bytes_of(tensor: Any, dtype: Optional[str]) -> int:  # noqa: ANN401 - tensors
    torch = require_torch()
    size = tensor.element_size()
    if dtype is not None and tensor.is_floating_point():
        size = torch.finfo(getattr(torch, dtype)).bits // 8
    return int(tensor.numel() * size)


def _dtype_of(plan: Plan, dtype: Optional[str]) -> str:
    """Of most numbers, as `config.json` tells it."""
    if dtype is not None:
        return dtype
    counts: dict[str, int] = {}
    for tensor in plan.tensors.values():
        name = str(tensor.dtype).replace("torch.", "")
        counts[name] = counts.get(name, 0) + int(tensor.numel())
    return max(counts, key=lambda name: counts[name])


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
