"""Writes blocks.gguf with the Python package gguf: blocks of every type, and what that package makes of them.

For each type T: tensor `T` (blocks), tensor `T.f32` (gguf.quants.dequantize of them). For the types that are written:
tensor `T.of_source`, gguf.quants.quantize of tensor `source`.
"""

from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

ROWS, COLUMNS = 3, 512
# Where a block's f16 scales are, as byte offsets; the other bytes may be anything.
SCALES = {Type.Q4_K: (0, 2), Type.Q5_K: (0, 2), Type.Q6_K: (208,)}


def random_blocks(rng: np.random.Generator, kind: Type) -> np.ndarray:
    block_size, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (ROWS * COLUMNS // block_size, block_bytes), dtype=np.uint8)
    for at in SCALES[kind]:
        scales = rng.normal(0, 0.01, (len(blocks), 1)).astype(np.float16)
        blocks[:, at : at + 2] = scales.view(np.uint8)
    return blocks.reshape(ROWS, -1)


def main() -> None:
    rng = np.random.default_rng(2)
    source = rng.normal(0, 1, (ROWS, COLUMNS)).astype(np.float32)
    source[0, :32] = 0  # a block without a scale
    source[0, 32:64] = 0.75  # one without a range
    source[1] *= 1e-6  # scales that are subnormal in f16
    writer = gguf.GGUFWriter(Path(__file__).with_name("blocks.gguf"), "golden")
    writer.add_tensor("source", source)
    for kind in (Type.F16, Type.BF16, Type.Q4_0, Type.Q4_1, Type.Q8_0):
        blocks = gguf.quants.quantize(source, kind)
        writer.add_tensor(f"{kind.name}.of_source", blocks, raw_dtype=kind)
        writer.add_tensor(f"{kind.name}.f32", gguf.quants.dequantize(blocks, kind).astype(np.float32))
    for kind in SCALES:
        blocks = random_blocks(rng, kind)
        writer.add_tensor(kind.name, blocks, raw_dtype=kind)
        writer.add_tensor(f"{kind.name}.f32", gguf.quants.dequantize(blocks, kind).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main()
