"""Check folders that `hangtag export` wrote of a golden model with its adapter against other implementations.

`python check_export.py NAME SAFETENSORS_DIR Q4_0_DIR GPTQ_DIR` loads the first with transformers and compares its logits with
those recorded by record_adapters.py and its tokens with NAME.safetensors, and compares the weights of the third, unpacked as
AutoGPTQ does it, with those that the Python package gguf reads from the second. It loads the adapter that a fourth folder
may hold with PEFT.
"""

import json
import sys
from pathlib import Path

import gguf
import numpy
import torch
from peft import PeftModel
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

import record
import record_adapters

HERE = Path(__file__).parent


def unpack(tensors: dict[str, numpy.ndarray], module: str) -> numpy.ndarray:
    """(out, in) f32 of a matrix in GPTQ's form: scales[g] * (q - (zero + 1)), nibbles from the lowest."""
    nibbles = lambda words, axis: numpy.concatenate(
        [numpy.expand_dims(words.view(numpy.uint32) >> (4 * i) & 15, axis + 1) for i in range(8)], axis + 1
    )
    qweight, scales = tensors[f"{module}.qweight"], tensors[f"{module}.scales"].astype(numpy.float32)
    q = nibbles(qweight, 0).reshape(qweight.shape[0] * 8, -1).astype(numpy.float32)
    zeros = nibbles(tensors[f"{module}.qzeros"], 1).reshape(scales.shape).astype(numpy.float32) + 1
    group = tensors[f"{module}.g_idx"]
    return (scales[group] * (q - zeros[group])).T


def check_gptq(name: str, q4_0: Path, gptq: Path) -> None:
    arch, _, model = record.golden_models()[name]
    quantised = load_file(gptq / "model.safetensors")
    reader = gguf.GGUFReader(next(q4_0.glob("*.gguf")))
    tensors = {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in reader.tensors}
    modules = sorted(key.removesuffix(".qweight") for key in quantised if key.endswith(".qweight"))
    assert len(modules) == 2 * len(record_adapters.TARGETS[name])
    for module in modules:
        expected = record_adapters.find(f"{module}.weight", tensors, model.config, arch)
        numpy.testing.assert_array_equal(unpack(quantised, module), expected, err_msg=module)


def check_safetensors(name: str, folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompts = load_file(HERE / f"{name}.safetensors")
    for i, text in enumerate(record.PROMPTS):
        assert tokenizer(text).input_ids == prompts[f"tokens.{i}"].tolist(), text
        assert tokenizer.decode(tokenizer(text).input_ids) == text
    expected = load_file(HERE / f"{name}-adapter" / "merged.safetensors")["logits"]
    found = record.logits(model, prompts[f"tokens.{record_adapters.LONGEST}"].tolist()).numpy()
    off = abs(found - expected).max()
    print(f"{name}: logits differ by at most {off:.4f}, their standard deviation is {expected.std():.2f}")
    assert off < 0.02 * expected.std()


def check_adapter(name: str, folder: Path) -> None:
    arch, _, model = record.golden_models()[name]
    adapted = PeftModel.from_pretrained(record_adapters.load_base(name, arch, model), folder).eval()
    prompts = load_file(HERE / f"{name}.safetensors")
    expected = load_file(HERE / f"{name}-adapter" / "merged.safetensors")["logits"]
    with torch.inference_mode():
        tokens = torch.tensor([prompts[f"tokens.{record_adapters.LONGEST}"].tolist()])
        found = adapted(input_ids=tokens, use_cache=False).logits[0].numpy()
    numpy.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def main() -> None:
    name, safetensors, q4_0, gptq, *adapter = sys.argv[1:]
    assert json.loads((Path(gptq) / "config.json").read_text())["quantization_config"]["quant_method"] == "gptq"
    check_safetensors(name, Path(safetensors))
    check_gptq(name, Path(q4_0), Path(gptq))
    for folder in adapter:
        check_adapter(name, Path(folder))


if __name__ == "__main__":
    main()
