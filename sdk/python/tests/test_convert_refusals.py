"""What is wrong with a checkpoint is named, and nothing is left behind."""

from __future__ import annotations

import argparse
import os
import pickle
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from illuminator.convert import ConvertError, convert
from illuminator.convert.command import _size, main
from tiny_models import large, numbers, practical, read, safetensors, torch

FAULTS = [
    (
        "missing",
        {"transformer_blocks.1.norm2.weight": None},
        "transformer_blocks.1.norm2.weight [48]",
    ),
    ("not expected", {"transformer_blocks.0.attention.w_q.bias": 48}, "w_q.bias [48]"),
    ("of a wrong shape", {"final_norm.weight": 47}, "final_norm.weight: [47], expected [48]"),
]


@pytest.mark.parametrize(("title", "change", "told"), FAULTS, ids=[one[0] for one in FAULTS])
def test_tensors_that_are_wrong_are_named(
    title: str, change: Mapping[str, Optional[int]], told: str, save: Any, tmp_path: Path
) -> None:
    state = large()
    for name, length in change.items():
        if length is None:
            del state[name]
        else:
            state[name] = numbers(length)
    with pytest.raises(ConvertError) as refused:
        convert(save(state), tmp_path / "out")
    assert f"{title}:\n  " in str(refused.value)
    assert told in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_all_faults_are_told_at_once_and_long_lists_are_cut(save: Any, tmp_path: Path) -> None:
    state = large(layers=12)
    for layer in range(12):
        del state[f"transformer_blocks.{layer}.norm1.weight"]
    state["surplus"] = numbers(2)
    with pytest.raises(ConvertError) as refused:
        convert(save(state), tmp_path / "out")
    told = str(refused.value)
    assert "and 4 more" in told
    assert "not expected:\n  surplus [2]" in told


def test_a_layer_in_between_is_missed(save: Any, tmp_path: Path) -> None:
    state = {n: one for n, one in large(layers=3).items() if "transformer_blocks.1." not in n}
    with pytest.raises(ConvertError, match=r"Of 3 layers these are missing:\n  .*blocks\.1"):
        convert(save(state), tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "how many heads share the width of 24: pass --heads"),
        ({"heads": 5}, "5 heads cannot share a width of 24"),
    ],
)
def test_heads_are_never_guessed(
    options: Mapping[str, Any], told: str, save: Any, tmp_path: Path
) -> None:
    with pytest.raises(ConvertError, match=told):
        convert(save(practical()), tmp_path / "out", **options)


def test_what_would_run_code_is_not_opened(tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.system, (f"touch {ran}",))

    torch.save({"model": Evil()}, tmp_path / "evil.pt")
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Evil()))
    for name in ("evil.pt", "evil.pkl"):
        with pytest.raises(ConvertError, match=r"not opened|no checkpoint"):
            convert(tmp_path / name, tmp_path / "out")
    whole = torch.nn.Linear(2, 2)
    torch.save(whole, tmp_path / "module.pt")
    with pytest.raises(ConvertError, match=r"model\.state_dict\(\)"):
        convert(tmp_path / "module.pt", tmp_path / "out")
    assert not ran.exists()


def test_what_is_no_checkpoint_is_told_of(save: Any, tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="cannot be read: No such file"):
        convert(tmp_path / "none.pt", tmp_path / "out")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(ConvertError, match=r"no checkpoint of torch\.save"):
        convert(tmp_path / "text.pt", tmp_path / "out")
    (tmp_path / "empty.pt").write_bytes(b"")
    with pytest.raises(ConvertError):
        convert(tmp_path / "empty.pt", tmp_path / "out")
    safetensors.save_file({"x": numbers(2)}, tmp_path / "x.pt")
    with pytest.raises(ConvertError, match="safetensors file already"):
        convert(tmp_path / "x.pt", tmp_path / "out")
    with pytest.raises(ConvertError, match="It has: epoch, weights_of_mine"):
        convert(save({"epoch": 3, "weights_of_mine": {"a": 1}}), tmp_path / "out")
    with pytest.raises(ConvertError, match="holds a list"):
        convert(save([1, 2]), tmp_path / "out")
    with pytest.raises(ConvertError, match="--config"):
        convert(save({"some.weight": numbers(2)}), tmp_path / "out")


@settings(deadline=None, max_examples=150)
@given(data=st.data(), is_zip=st.booleans())
def test_broken_files_are_refused_in_words(data: st.DataObject, *, is_zip: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.pt"
        torch.save({"model": large(layers=1)}, path, _use_new_zipfile_serialization=is_zip)
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
        try:
            convert(path, Path(folder) / "out")
        except ConvertError:
            assert not (Path(folder) / "out").exists()


def test_a_place_that_is_taken_is_left_alone(save: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    convert(save(large()), out)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    with pytest.raises(ConvertError, match="there already"):
        convert(save(large()), out)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_the_command(save: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = str(save(practical())), str(tmp_path / "out")
    assert main([path, out, "--heads", "3", "--dtype", "bfloat16", "--max-shard-size", "1MB"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{out}: illuminator-practical, ")
    assert f"illuminator serve --model {out}" in said.out
    assert "note: no tokenizer" in said.err
    assert read(tmp_path / "out")[0]["torch_dtype"] == "bfloat16"
    assert main([path, out, "--heads", "3"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[-1].startswith("illuminator-convert: ")
    with pytest.raises(SystemExit) as stopped:
        main([path])
    assert stopped.value.code == 2
    with pytest.raises(SystemExit):
        main([path, out, "--heads", "none"])


def test_sizes_are_read_as_people_write_them() -> None:
    assert [_size(text) for text in ("5GB", "1.5 mb", "200", "3KB")] == [
        5_000_000_000,
        1_500_000,
        200,
        3000,
    ]
    for text in ("", "0", "GB", "5 GiB", "-1GB"):
        with pytest.raises(argparse.ArgumentTypeError):
            _size(text)
