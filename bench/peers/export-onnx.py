#!/usr/bin/env python3
"""Writes a model folder as a 4-bit ONNX model, as onnxruntime-genai's model builder makes it (round to nearest, blocks of 32).

    python3 export-onnx.py --venv VENV --model BF16_FOLDER --provider cpu|webgpu --out FOLDER

The builder needs PyTorch and others (6 GB): they go into the virtual environment VENV, made at the first call. The folder
is one that transformers.js reads: `onnx/model_q4.onnx` in one file, config.json and the tokenizer beside it. Activations
are f32 for WebGPU too: f16 is many times slower on software adapters, and works everywhere only so.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

PACKAGES = [
    "onnxruntime-genai==0.18.0",
    "onnxruntime==1.32.0",
    "onnx==1.23.2",
    "onnx_ir==1.1.0",
    "torch==2.15.0",
    "transformers==5.24.0",
]
# One file, and the width of heads as a number: transformers.js reads it there, the builder leaves it open.
MERGE = """
import json, onnx, pathlib, sys
built, out = map(pathlib.Path, sys.argv[1:])
model = onnx.load(built / "model.onnx")
decoder = json.loads((built / "genai_config.json").read_text())["model"]["decoder"]
for value in [*model.graph.input, *model.graph.output]:
    for dim in value.type.tensor_type.shape.dim:
        if dim.dim_param == "kv_cache_dim":
            dim.dim_value = decoder["head_size"]
onnx.save_model(model, out)
"""


def interpreter(venv: pathlib.Path) -> str:
    python = venv / "bin" / "python"
    whole = venv / "whole"
    if not whole.exists():
        shutil.rmtree(venv, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--no-cache-dir"]
        subprocess.run([*pip, *PACKAGES], check=True)
        whole.touch()
    return str(python)


def export(python: str, model: pathlib.Path, provider: str, out: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory() as work:
        built = pathlib.Path(work) / "built"
        options = ["--extra_options", "use_webgpu_fp32=true"] if provider == "webgpu" else []
        builder = [python, "-m", "onnxruntime_genai.models.builder", "-p", "int4", "-e", provider]
        places = ["-i", str(model), "-o", str(built), "-c", str(pathlib.Path(work) / "cache")]
        subprocess.run([*builder, *places, *options], check=True, stdout=subprocess.DEVNULL)
        (out / "onnx").mkdir(parents=True)
        merged = [str(built), str(out / "onnx" / "model_q4.onnx")]
        subprocess.run([python, "-c", MERGE, *merged], check=True)
        for file in model.glob("*.json"):
            shutil.copy(file, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("venv", "model", "out"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    parser.add_argument("--provider", choices=["cpu", "webgpu"], required=True)
    asked = parser.parse_args()
    try:
        export(interpreter(asked.venv), asked.model, asked.provider, asked.out)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(map(str, error.cmd[:4]))} … ended with code {error.returncode}")


if __name__ == "__main__":
    main()
