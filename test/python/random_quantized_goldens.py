"""The checkpoints of random_goldens.py, packed as the hub's quantized folders are: GPTQ, AWQ, compressed-tensors, FP8 and
MLX, in random bits, groups, orders and scale types, some modules left as they are. The codes are random; the reference is
transformers in float32 on the weights that they stand for. Used as random_goldens.py is:

    python test/python/random_quantized_goldens.py OUT --count 10 [--form gptq …]
"""

import argparse
import json
import os
import random
import shutil
import sys

import numpy as np
import random_goldens as plain
import torch

FLOATS = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32}
FAMILIES = ["llama", "qwen2", "qwen3", "mistral", "phi3", "gemma2", "gemma3", "granite", "olmo2", "smollm3"]


def packed(codes: np.ndarray, bits: int) -> torch.Tensor:
    """[n, m] → [n, ceil(m · bits / 32)]: lowest bits first, zeros at the end."""
    per = 32 // bits
    wide = -(-codes.shape[1] // per) * per
    padded = np.zeros((codes.shape[0], wide), np.uint32)
    padded[:, : codes.shape[1]] = codes
    words = np.zeros((codes.shape[0], wide // per), np.uint32)
    for i in range(per):
        words |= padded[:, i::per] << np.uint32(bits * i)
    return torch.from_numpy(words.view(np.int32).copy())


class Matrix:
    """Random codes of a matrix with a scale and a zero for each group of columns."""

    def __init__(self, g: np.random.Generator, shape: tuple, spread: float, bits: int, size: int, dtype: str):
        rows, columns = shape
        self.codes = g.integers(0, 2**bits, shape)
        self.groups = np.arange(columns) // size
        self.count = -(-columns // size)
        self.zeros = g.integers(2 ** (bits - 1) - 2, 2 ** (bits - 1) + 2, (rows, self.count))
        scales = spread / 2 ** (bits - 1) * (0.5 + g.random((rows, self.count)))
        self.scales = torch.from_numpy(scales).to(FLOATS[dtype])

    def values(self) -> torch.Tensor:
        steps = self.codes - self.zeros[:, self.groups]
        return torch.from_numpy(steps).float() * self.scales.float()[:, self.groups]


def gptq(r, g, shape, spread, settings):
    rows, columns = shape
    bits = settings["bits"]
    if columns % 32 or rows % 8:
        return None
    size = columns if settings["group_size"] == -1 else min(settings["group_size"], columns)
    m = Matrix(g, shape, spread, bits, size, settings["scales"])
    if settings["sym"]:
        m.zeros[:] = 2 ** (bits - 1)
    tensors = {}
    if settings["desc_act"]:
        m.groups = g.permutation(m.groups)
        tensors["g_idx"] = torch.from_numpy(m.groups.astype(np.int32))
    elif r.random() < 0.5:
        tensors["g_idx"] = torch.from_numpy(m.groups.astype(np.int32))
    v1 = settings.get("checkpoint_format", "gptq") == "gptq"
    words = packed(m.codes, bits).numpy().T
    tensors["qweight"] = torch.from_numpy(words.copy())
    tensors["qzeros"] = packed(m.zeros.T - (1 if v1 else 0), bits)
    tensors["scales"] = m.scales.T.contiguous()
    return m.values(), tensors


def awq(r, g, shape, spread, settings):
    rows, columns = shape
    if rows % 8:
        return None
    size = columns if settings["group_size"] == -1 else settings["group_size"]
    if columns % size:
        return None
    m = Matrix(g, shape, spread, 4, size, settings["scales"])
    order = [0, 2, 4, 6, 1, 3, 5, 7]

    def pack(lines: np.ndarray) -> torch.Tensor:
        by = lines.reshape(lines.shape[0], -1, 8)[:, :, order]
        return packed(by.reshape(lines.shape[0], -1), 4)

    tensors = {"qweight": pack(m.codes.T), "qzeros": pack(m.zeros.T), "scales": m.scales.T.contiguous()}
    return m.values(), tensors


def compressed(r, g, shape, spread, settings):
    rows, columns = shape
    weights = settings["config_groups"]["group_0"]["weights"]
    bits, size = weights["num_bits"], weights.get("group_size") or columns
    if settings["format"] == "float-quantized":
        return floats(r, g, shape, spread, {"scales": settings["scales"]}, "weight_scale", r.choice(["row", "all"]))
    m = Matrix(g, shape, spread, bits, size, settings["scales"])
    middle = 2 ** (bits - 1)
    if weights["symmetric"]:
        m.zeros[:] = middle
    if settings["format"] == "int-quantized":
        tensors = {"weight": torch.from_numpy((m.codes - middle).astype(np.int8)), "weight_scale": m.scales}
        return m.values(), tensors
    tensors = {"weight_packed": packed(m.codes, bits), "weight_scale": m.scales}
    tensors["weight_shape"] = torch.tensor([rows, columns], dtype=torch.int64)
    if not weights["symmetric"]:
        tensors["weight_zero_point"] = torch.from_numpy(packed(m.zeros.T, bits).numpy().T.copy())
    return m.values(), tensors


def floats(r, g, shape, spread, settings, name, by):
    rows, columns = shape
    stored = torch.from_numpy(g.uniform(-1, 1, shape) * 300).to(torch.float8_e4m3fn)
    high, wide = {"row": (1, columns), "all": shape, "block": settings.get("block")}[by]
    parts = (-(-rows // high), -(-columns // wide))
    scales = torch.from_numpy(spread / 300 * (0.5 + g.random(parts))).to(FLOATS[settings["scales"]])
    each = scales.float()[np.arange(rows) // high][:, np.arange(columns) // wide]
    stored_scales = scales.reshape(()) if by == "all" and r.random() < 0.5 else scales
    return stored.float() * each, {"weight": stored, name: stored_scales}


def fp8(r, g, shape, spread, settings):
    block = settings.get("weight_block_size")
    if block:
        return floats(r, g, shape, spread, {"scales": settings["scales"], "block": block}, "weight_scale_inv", "block")
    return floats(r, g, shape, spread, settings, "weight_scale", r.choice(["row", "all"]))


def mlx(r, g, shape, spread, settings):
    bits, size = settings["bits"], settings["group_size"]
    if shape[1] % size:
        return None
    m = Matrix(g, shape, spread, bits, size, settings["scales"])
    biases = (-m.zeros * m.scales.double().numpy()).astype(np.float32)
    biases = torch.from_numpy(biases).to(m.scales.dtype)
    values = torch.from_numpy(m.codes).float() * m.scales.float()[:, m.groups] + biases.float()[:, m.groups]
    words = packed(m.codes, bits).numpy().view(np.uint32)
    return values, {"weight": torch.from_numpy(words.copy()), "scales": m.scales, "biases": biases}


PACK = {"gptq": gptq, "awq": awq, "compressed-tensors": compressed, "fp8": fp8, "mlx": mlx}


def settings_of(form: str, r: random.Random) -> dict:
    group = r.choice([32, 64, 128, -1])
    scales = {"scales": r.choice(list(FLOATS))}
    if form == "gptq":
        own = {"quant_method": form, "bits": r.choice([4, 8]), "group_size": group, "sym": r.random() < 0.5}
        own |= {"desc_act": r.random() < 0.4} | r.choice([{}, {"checkpoint_format": "gptq"}, {"checkpoint_format": "gptq_v2"}])
        return own | scales
    if form == "awq":
        return {"quant_method": form, "bits": 4, "group_size": group, "version": r.choice(["gemm", "GEMM"]), "zero_point": True} | scales
    if form == "fp8":
        block = r.choice([None, [128, 128], [32, 64], [3, 5]])
        return {"quant_method": form} | ({"weight_block_size": block} if block else {}) | scales
    if form == "mlx":
        return {"bits": r.choice([4, 8]), "group_size": max(group, 32)} | scales
    kind = r.choice(["pack-quantized", "pack-quantized", "int-quantized", "float-quantized"])
    bits = 8 if kind != "pack-quantized" else r.choice([4, 8])
    weights = {"num_bits": bits, "type": "float" if kind == "float-quantized" else "int"}
    weights |= {"symmetric": kind != "pack-quantized" or r.random() < 0.5, "strategy": "channel", "group_size": None}
    if kind == "pack-quantized" and group > 0:
        weights |= {"strategy": "group", "group_size": group}
    groups = {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": None}}
    return {"quant_method": form, "format": kind, "config_groups": groups} | scales


def build(form: str, number: int, folder: str) -> str:
    r = random.Random(f"{form}-{number}-packed")
    g = np.random.default_rng(r.randrange(2**32))
    family = r.choice(FAMILIES)
    sizes = {"hidden_size": r.choice([64, 96, 128, 160, 192, 256]), "intermediate_size": r.choice([64, 96, 160, 192, 256, 384])}
    heads = r.choice([1, 2, 4, 8])
    sizes |= {"num_attention_heads": heads, "num_key_value_heads": r.choice([n for n in (1, 2, 4) if heads % n == 0])}
    if family != "phi3":
        sizes["head_dim"] = r.choice([8, 16, 24, 32, 40, 64, 128])
    else:
        sizes["rope_parameters"] = {"rope_type": "default", "rope_theta": 10000.0}
    real = plain.configuration
    plain.configuration = lambda a, b: real(a, b) | sizes
    try:
        plain.build(family, number, folder)
    finally:
        plain.configuration = real
    with open(os.path.join(folder, "golden.json")) as file:
        listed = json.load(file)["tensors"]
    with open(os.path.join(folder, "config.json")) as file:
        config = json.load(file)
    settings = settings_of(form, r)
    dense, stored = {}, {}
    for name, (dtype, shape, spread, centre) in listed.items():
        value = torch.from_numpy(plain.numbers(name, shape, spread, centre)).to(plain.DTYPES[dtype])
        path = name.removesuffix(".weight")
        is_linear = len(shape) == 2 and "layers." in name
        wanted = is_linear or (form == "mlx" and len(shape) == 2)
        made = PACK[form](r, g, tuple(shape), spread, settings) if wanted and r.random() < 0.85 else None
        if made is None:
            dense[name] = stored[name] = value
            continue
        dense[name] = made[0]
        stored |= {f"{path}.{part}": tensor.contiguous() for part, tensor in made[1].items()}
    plain.write_weights(folder, dense, 1)
    plain.write_golden(folder, family, number, {}, config)
    settings.pop("scales")
    config["quantization" if form == "mlx" else "quantization_config"] = settings
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file, indent=1)
    plain.write_weights(folder, stored, r.choice([1, 3]))
    return family


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--form", nargs="*", default=list(PACK))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for number in range(options.first, options.first + options.count):
        for form in options.form:
            folder = os.path.join(options.out, f"{form}-{number}")
            try:
                build(form, number, folder)
            except Exception as error:
                shutil.rmtree(folder, ignore_errors=True)
                print(f"{form}-{number}: {type(error).__name__}: {error}"[:400], file=sys.stderr)


if __name__ == "__main__":
    main()
