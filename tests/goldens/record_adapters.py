"""Record what PEFT and transformers make of an adapter on the golden models.

For `llama` and `phi` the folder NAME-adapter/ is written beside this script: a LoRA adapter as PEFT saves it
(`adapter_config.json`, `adapter_model.safetensors`), and `merged.safetensors`:

- weights after `merge_and_unload` under HF's names: Q, K, output and the feed-forward part's last matrix of layer 1;
- `logits` (tokens, vocab_size) f32 of the base with the adapter, not merged, for the longest prompt of NAME.safetensors.

Run `python record_adapters.py`; `--check` compares with the folders that are there instead of writing. See README.md.
"""

import argparse
import json
import tempfile
from pathlib import Path

import gguf
import numpy
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.numpy import load_file, save_file

import record

HERE = Path(__file__).parent
TARGETS = {
    "llama": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "phi": ["q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2"],
}
RANK = 2
LONGEST = len(record.PROMPTS) - 1
MERGED = tuple(f"{part}.weight" for part in ["q_proj", "k_proj", "o_proj", "dense", "down_proj", "fc2"])


def unpermute(weight: numpy.ndarray, heads: int) -> numpy.ndarray:
    """The inverse of `record.permute`."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def load_base(name: str, arch: str, model: torch.nn.Module) -> torch.nn.Module:
    """The golden model, its weights read from NAME.gguf."""
    config = model.config
    tensors = {t.name: t.data.astype(numpy.float32) for t in gguf.GGUFReader(HERE / f"{name}.gguf").tensors}
    state = {}
    for hf_name, tensor in model.state_dict().items():
        state[hf_name] = find(hf_name, tensors, config, arch)
        assert state[hf_name].shape == tuple(tensor.shape), hf_name
    model.load_state_dict({key: torch.from_numpy(numpy.ascontiguousarray(value)) for key, value in state.items()})
    return model.eval()


def find(hf_name: str, tensors: dict[str, numpy.ndarray], config, arch: str) -> numpy.ndarray:
    """One of HF's tensors out of the GGUF file's."""
    module, kind = hf_name.rsplit(".", 1)
    ends = {"model.embed_tokens": "token_embd", "lm_head": "output", "model.norm": "output_norm"}
    ends["model.final_layernorm"] = "output_norm"
    if module in ends:
        return tensors[f"{ends[module]}.{kind}"]
    _, _, layer, *rest = module.split(".")
    part = rest[-1]
    names = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output", "dense": "attn_output"}
    names |= {"gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down", "fc1": "ffn_up", "fc2": "ffn_down"}
    names |= {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
    if arch == "phi2" and part in ("q_proj", "k_proj", "v_proj"):
        return numpy.split(tensors[f"blk.{layer}.attn_qkv.{kind}"], 3)["qkv".index(part[0])]
    tensor = tensors[f"blk.{layer}.{names[part]}.{kind}"]
    if arch == "llama" and part in ("q_proj", "k_proj"):
        return unpermute(tensor, config.num_attention_heads if part == "q_proj" else config.num_key_value_heads)
    return tensor


def train_nothing(model: PeftModel) -> None:
    """Numbers for A and B that change the logits clearly."""
    generator = torch.Generator().manual_seed(7)
    for name, parameter in sorted(model.named_parameters()):
        if "lora_" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.15


def record_adapter(name: str, check: bool) -> None:
    arch, _, model = record.golden_models()[name]
    model = load_base(name, arch, model)
    prompts = load_file(HERE / f"{name}.safetensors")
    for i in range(len(record.PROMPTS)):
        base = record.logits(model, prompts[f"tokens.{i}"].tolist()).numpy()
        numpy.testing.assert_allclose(base, prompts[f"logits.{i}"], rtol=1e-4, atol=1e-4)
    config = LoraConfig(r=RANK, lora_alpha=3, lora_dropout=0.05, target_modules=TARGETS[name], task_type="CAUSAL_LM")
    model.name_or_path = f"hangtag/golden-{name}"
    adapted = get_peft_model(model, config)
    train_nothing(adapted)
    adapted.eval()
    with torch.inference_mode():
        tokens = torch.tensor([prompts[f"tokens.{LONGEST}"].tolist()])
        arrays = {"logits": adapted(input_ids=tokens, use_cache=False).logits[0].numpy()}
    assert abs(arrays["logits"] - prompts[f"logits.{LONGEST}"]).max() > 0.5, "the adapter changes little"
    folder = HERE / f"{name}-adapter"
    with tempfile.TemporaryDirectory() as saved:
        adapted.save_pretrained(saved)
        files = {file: (Path(saved) / file).read_bytes() for file in ["adapter_config.json", "adapter_model.safetensors"]}
    merged = adapted.merge_and_unload()
    for key, tensor in merged.state_dict().items():
        if "layers.1." in key and key.endswith(MERGED):
            arrays[key] = tensor.numpy()
    if check:
        for key, old in load_file(folder / "merged.safetensors").items():
            numpy.testing.assert_allclose(arrays[key], old, rtol=1e-4, atol=1e-4, err_msg=f"{name} {key}")
    else:
        folder.mkdir(exist_ok=True)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        save_file({key: numpy.ascontiguousarray(value) for key, value in arrays.items()}, folder / "merged.safetensors")
        (folder / "merged.safetensors").chmod(0o644)
    print(name, json.loads(files["adapter_config.json"])["target_modules"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the recorded files instead of writing them")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    for name in TARGETS:
        record_adapter(name, check)


if __name__ == "__main__":
    main()
