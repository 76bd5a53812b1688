"""What a family of models wants of its tensors, and whether a checkpoint has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from illuminator.convert.errors import ConvertError, listed

Shape = tuple[int, ...]


@dataclass
class Plan:
    """A checkpoint that was understood.

    Attributes:
        name: Of the family, for people.
        config: For ``config.json``.
        tensors: To be written, by the names they get.
        expected: Shapes by name; ``None``: the family's are not known here.
        notes: What was left out or assumed.
    """

    name: str
    config: dict[str, Any]
    tensors: dict[str, Any]
    expected: Optional[dict[str, Shape]]
    notes: list[str] = field(default_factory=list)


def check(plan: Plan) -> None:
    """Holds the tensors against what is expected of them.

    Raises:
        ConvertError: Names every tensor that is missing, too many, or of another shape.
    """
    if plan.expected is None:
        return
    found = {name: tuple(tensor.shape) for name, tensor in plan.tensors.items()}
    wrong = [
        f"{name}: {shape_of(found[name])}, expected {shape_of(shape)}"
        for name, shape in plan.expected.items()
        if name in found and found[name] != shape
    ]
    missing = [
        f"{name} {shape_of(shape)}" for name, shape in plan.expected.items() if name not in found
    ]
    extra = [f"{name} {shape_of(found[name])}" for name in found if name not in plan.expected]
    faults = [
        f"{title}:\n{listed(names)}"
        for title, names in (
            ("missing", missing),
            ("not expected", extra),
            ("of a wrong shape", wrong),
        )
        if names
    ]
    if faults:
        raise ConvertError(
            f"The tensors are not those of {plan.name} with this configuration.\n"
            + "\n".join(faults)
        )


def shape_of(shape: Shape) -> str:
    """``[2, 3]``."""
    return f"[{', '.join(map(str, shape))}]"


def matrix(tensors: Mapping[str, Any], name: str, family: str) -> Shape:
    """The shape of a tensor that tells sizes.

    Raises:
        ConvertError: It is missing, or no matrix.
    """
    tensor = tensors.get(name)
    if tensor is None:
        raise ConvertError(f"The checkpoint looks like {family}, but has no {name}.")
    if tensor.dim() != 2:
        shape = shape_of(tuple(tensor.shape))
        raise ConvertError(f"{name} is {shape}: expected a matrix.")
    return tuple(tensor.shape)


def layers_in(tensors: Mapping[str, Any], prefix: str) -> int:
    """How many layers there are, from names like ``prefix`` + ``0.…``.

    Raises:
        ConvertError: There are none, or some in between are missing.
    """
    numbers = {
        int(part)
        for name in tensors
        if name.startswith(prefix) and (part := name[len(prefix) :].split(".")[0]).isdigit()
    }
    if not numbers:
        raise ConvertError(f"There is no layer: no tensor is called {prefix}0.…")
    absent = sorted(set(range(max(numbers) + 1)) - numbers)
    if absent:
        raise ConvertError(
            f"Of {max(numbers) + 1} layers these are missing:\n"
            + listed(f"{prefix}{number}" for number in absent)
        )
    return len(numbers)


def is_same(one: Any, other: Any) -> bool:  # noqa: ANN401 - tensors
    """Whether two tensors hold the same numbers."""
    if one is other:
        return True
    return one.shape == other.shape and one.dtype == other.dtype and bool((one == other).all())


def untie(
    tensors: dict[str, Any], head: str, embedding: str, notes: list[str]
) -> tuple[dict[str, Any], bool]:
    """Drops an output head that is only the embedding once more.

    Returns:
        The tensors, and whether the head is tied.
    """
    if head not in tensors:
        return tensors, True
    if embedding not in tensors or not is_same(tensors[head], tensors[embedding]):
        return tensors, False
    notes.append(f"{head} is {embedding} again (tied): written once")
    return {name: tensor for name, tensor in tensors.items() if name != head}, True


def whole_number(facts: Mapping[str, Any], *names: str) -> Optional[int]:
    """A size under any of its names.

    Raises:
        ConvertError: It is no size.
    """
    for name in names:
        value = facts.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConvertError(f"{name} is {value!r}: expected a whole number of at least 1.")
        return value
    return None
