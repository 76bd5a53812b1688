"""Opens a checkpoint without running what is in it, and finds the tensors among the rest."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from illuminator.convert.errors import ConvertError, listed

#: Where trainers put the state dict, in the order in which they are looked for.
_KEYS = ("model_state_dict", "state_dict", "model", "module", "net", "weights")

#: Where they put the sizes of the model.
_FACTS = ("config", "hparams", "hyper_parameters", "model_args", "model_config")

#: Put before every name by DistributedDataParallel, torch.compile and Lightning.
_PREFIXES = ("module.", "_orig_mod.", "_forward_module.")

_DEEPEST = 3


@dataclass
class Checkpoint:
    """Tensors by name, and what the file says of the model beside them."""

    tensors: dict[str, Any]
    facts: dict[str, Any]
    notes: list[str]


def load(path: Path, key: Optional[str] = None) -> Checkpoint:
    """Reads a file of ``torch.save``, or the shards that an ``….index.json`` names.

    Raises:
        ConvertError: It is something else, or holds no tensors.
    """
    if path.name.endswith(".index.json"):
        whole: dict[str, Any] = {}
        for shard in _shards(path):
            whole.update(_open(shard))
    else:
        whole = _open(path)
    return found(whole, str(path), key)


def found(whole: Mapping[str, Any], where: str, key: Optional[str] = None) -> Checkpoint:
    """The tensors among all that a checkpoint holds.

    Raises:
        ConvertError: There are none, or not under that key.
    """
    notes: list[str] = []
    state = _state_of(whole, where, key)
    others = [name for name, value in state.items() if not _is_tensor(value)]
    if others:
        notes.append(f"no tensors, left out: {', '.join(others)}")
    tensors = {name: value for name, value in state.items() if _is_tensor(value)}
    for prefix in _outer_prefixes(tensors):
        tensors = {name[len(prefix) :]: value for name, value in tensors.items()}
        notes.append(f"{prefix!r} was taken off every name")
    return Checkpoint(tensors, _facts_of(whole), notes)


def without_prefix(checkpoint: Checkpoint, prefix: str) -> Optional[Checkpoint]:
    """The same with shorter names, where every name has the prefix."""
    if not checkpoint.tensors or not all(name.startswith(prefix) for name in checkpoint.tensors):
        return None
    tensors = {name[len(prefix) :]: value for name, value in checkpoint.tensors.items()}
    notes = [*checkpoint.notes, f"{prefix!r} was taken off every name"]
    return Checkpoint(tensors, checkpoint.facts, notes)


def _shards(index: Path) -> list[Path]:
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ConvertError(f"{index} is no index of shards: {error!r}") from None
    strange = [name for name in names if Path(str(name)).name != name]
    if strange:
        raise ConvertError(f"{index} names files outside its folder:\n{listed(strange)}")
    return [index.with_name(name) for name in sorted(names)]


def _open(path: Path) -> dict[str, Any]:
    torch = require_torch()
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise ConvertError(f"{path} cannot be read: {error.strerror or error}") from None
    if start[8:10] == b'{"':
        raise ConvertError(f"{path} is a safetensors file already: serve its folder as it is.")
    is_zip = zipfile.is_zipfile(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Mapped into memory where the format allows it: 20 GB are not needed twice.
            whole = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except Exception as error:  # noqa: BLE001 - a broken file makes the reader raise anything
        raise ConvertError(_why_not(path, str(error) or repr(error))) from None
    if not isinstance(whole, Mapping):
        raise ConvertError(f"{path} holds a {type(whole).__name__}: expected a state dict.")
    return dict(whole)


def _why_not(path: Path, why: str) -> str:
    if "TorchScript" in why:
        return (
            f"{path} is a TorchScript archive: load it with torch.jit.load and save its "
            "state_dict() with torch.save."
        )
    if "Weights only load failed" in why or "Unsupported" in why or "GLOBAL" in why:
        named = next((part for part in why.split() if part.count(".") >= 1 and "GLOBAL" in why), "")
        return (
            f"{path} holds Python objects beside tensors{f' ({named})' if named else ''}, and to "
            "open them would run whatever the file says: it is not opened. Where you trust it, "
            "load it in Python and save only the tensors: torch.save(model.state_dict(), 'x.pt')."
        )
    return f"{path} is no checkpoint of torch.save: {why.strip().splitlines()[0] if why else '?'}"


def require_torch() -> Any:  # noqa: ANN401 - a module that may be missing
    """The module torch.

    Raises:
        ConvertError: It is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise ConvertError(
            f"Conversion needs torch and safetensors ({error}): "
            "pip install 'illuminator-sdk[convert]'"
        ) from None
    return torch


def _is_tensor(value: object) -> bool:
    torch = require_torch()
    return isinstance(value, torch.Tensor)


def _state_of(whole: Mapping[str, Any], where: str, key: Optional[str]) -> Mapping[str, Any]:
    if key is not None:
        inner: Any = whole
        for part in key.split("."):
            inner = inner.get(part) if isinstance(inner, Mapping) else None
        if isinstance(inner, Mapping) and any(map(_is_tensor, inner.values())):
            return inner
        raise ConvertError(f"{where} has no tensors under {key!r}. {_keys_of(whole)}")
    state: Optional[Mapping[str, Any]] = whole
    for _ in range(_DEEPEST):
        if state is None or any(map(_is_tensor, state.values())):
            break
        inner = [state[name] for name in _KEYS if isinstance(state.get(name), Mapping)]
        state = inner[0] if inner else None
    if state is None or not any(map(_is_tensor, state.values())):
        raise ConvertError(
            f"{where} has no tensors where they are usually found ({', '.join(_KEYS)}). "
            f"{_keys_of(whole)} Name the place with --key."
        )
    return state


def _keys_of(whole: Mapping[str, Any]) -> str:
    return f"It has: {', '.join(map(str, list(whole)[:20])) or 'nothing'}."


def _outer_prefixes(tensors: Iterable[str]) -> list[str]:
    names, taken = list(tensors), []
    while names:
        prefix = next((one for one in _PREFIXES if all(n.startswith(one) for n in names)), None)
        if prefix is None:
            break
        taken.append(prefix)
        names = [name[len(prefix) :] for name in names]
    return taken


def facts_in(given: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes of a model in a configuration, which may hold them under ``model_config``."""
    inner = given.get("model_config")
    flat = {**given, **inner} if isinstance(inner, Mapping) else given
    return {
        name: value
        for name, value in flat.items()
        if isinstance(value, (int, float, str, bool)) and not isinstance(name, int)
    }


def _facts_of(whole: Mapping[str, Any]) -> dict[str, Any]:
    facts = facts_in(whole)
    for name in _FACTS:
        value = whole.get(name)
        if isinstance(value, Mapping):
            facts.update(facts_in(value))
    return facts
