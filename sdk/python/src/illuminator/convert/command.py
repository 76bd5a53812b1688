"""The command ``illuminator-convert``."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from illuminator._version import __version__
from illuminator.convert.conversion import convert
from illuminator.convert.errors import ConvertError
from illuminator.convert.folder import DEFAULT_SHARD_BYTES, DTYPES

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def _size(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]B)?", text.strip(), re.IGNORECASE)
    if not found or float(found[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a size such as 5GB or 500MB")
    return max(1, int(float(found[1]) * _UNITS[(found[2] or "").upper()]))


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number of at least 1")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="illuminator-convert",
        description="Writes a PyTorch checkpoint as the folder of safetensors that "
        "illuminator serve loads. Nothing in the checkpoint is run.",
        epilog="Known by their names: illuminator-4.9b and illuminator-practical. Models with "
        "Hugging Face's names need --config.",
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT.pt", type=Path)
    parser.add_argument("out", metavar="OUT", type=Path, help="the folder to make")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the model's config.json; of the contract's models a file with n_heads and so on",
    )
    parser.add_argument(
        "--tokenizer", type=Path, metavar="FOLDER", help="copy tokenizer.json and what goes with it"
    )
    parser.add_argument("--dtype", choices=DTYPES, help="of the numbers (default: as they are)")
    parser.add_argument("--heads", type=_count, metavar="N", help="query heads, if nothing says it")
    parser.add_argument("--context", type=_count, metavar="N", help="longest context, likewise")
    parser.add_argument("--key", metavar="NAME", help="where the tensors are: ema.state_dict")
    parser.add_argument(
        "--max-shard-size",
        type=_size,
        metavar="SIZE",
        default=DEFAULT_SHARD_BYTES,
        help="most bytes of a file (default: 5GB)",
    )
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command: 0 done, 1 failed, 2 a wrong command line."""
    given = _parser().parse_args(arguments)
    try:
        done = convert(
            given.checkpoint,
            given.out,
            config=given.config,
            tokenizer=given.tokenizer,
            dtype=given.dtype,
            heads=given.heads,
            context=given.context,
            key=given.key,
            shard_bytes=given.max_shard_size,
            say=_say,
        )
    except ConvertError as error:
        print(f"illuminator-convert: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"illuminator-convert: {place}{error.strerror or error}", file=sys.stderr)
        return 1
    for note in done.notes:
        _say(f"note: {note}")
    print(f"{done.folder}: {done.family}, {done.parameters:,} parameters")
    print(f"serve it: illuminator serve --model {done.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
