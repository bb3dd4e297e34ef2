"""Record the loss of PEFT's adapters on a few products, and its gradient of every low-rank factor.

For `llama` and `phi`, with the adapter in NAME-adapter/, `gradients.safetensors` is written beside it:

- the products, tokenised in the parts that a prompt has: `prefix.P`, `suffix.P.F` and `answer.P.F` (tokens) i32 of feature F of
  product P;
- `loss` (1) f32: the cross-entropy of an answer's token, averaged over all tokens of all answers;
- the loss's gradient of each factor, under the name and in the shape that PEFT saves it with, f32.

Each pair of a product and a feature is a sequence of its own here, without padding or packing, and transformers' own model, PEFT's
own adapter and PyTorch's own automatic differentiation do the rest. `crates/train/src/gradient_tests.rs` holds our backward pass to it.

Run `python record_gradients.py`; `--check` compares with the files that are there instead of writing. See README.md.
"""

import argparse
from pathlib import Path

import numpy
import torch
from peft import PeftModel
from safetensors.numpy import load_file, save_file

import record
import record_adapters

HERE = Path(__file__).parent
PRODUCTS = [
    (
        "Linen shirt with long sleeves, color blue, size M. Brand: Nordlys.",
        {"Brand": "Nordlys", "Color": "blue", "Sole": "none"},
    ),
    ("Table lamp of brass, height 38 cm", {"Material": "brass", "Height": "38 cm"}),
]


def tokenised(pre_tokenizer: str) -> list[tuple[list[int], list[tuple[list[int], list[int]]]]]:
    """For each product its prefix, and for each feature the tokens of its line and of its answer."""
    tokens, merges = record.train_tokenizer(pre_tokenizer)

    def ids(text: str) -> list[int]:
        return record.tokenize(tokens, merges, pre_tokenizer, text)

    return [
        (ids(f"### Product\n{text}\n"), [(ids(f"### {name}\n"), ids(f"{value}\n")) for name, value in features.items()])
        for text, features in PRODUCTS
    ]


def loss(model: PeftModel, products) -> torch.Tensor:
    """Mean cross-entropy of the answers' tokens."""
    total, count = torch.zeros(()), 0
    for prefix, features in products:
        for suffix, answer in features:
            logits = model(input_ids=torch.tensor([prefix + suffix + answer]), use_cache=False).logits[0]
            before = len(prefix) + len(suffix) - 1
            predicted = logits[before : before + len(answer)]
            total = total + torch.nn.functional.cross_entropy(predicted, torch.tensor(answer), reduction="sum")
            count += len(answer)
    return total / count


def record_gradients(name: str, check: bool) -> None:
    arch, pre_tokenizer, model = record.golden_models()[name]
    base = record_adapters.load_base(name, arch, model)
    folder = HERE / f"{name}-adapter"
    # `eval` as `load_base` left it: without dropout.
    adapted = PeftModel.from_pretrained(base, folder, is_trainable=True).eval()
    products = tokenised(pre_tokenizer)
    mean = loss(adapted, products)
    mean.backward()
    arrays = {"loss": mean.detach().reshape(1).numpy()}
    for p, (prefix, features) in enumerate(products):
        arrays[f"prefix.{p}"] = numpy.array(prefix, numpy.int32)
        for f, (suffix, answer) in enumerate(features):
            arrays[f"suffix.{p}.{f}"] = numpy.array(suffix, numpy.int32)
            arrays[f"answer.{p}.{f}"] = numpy.array(answer, numpy.int32)
    saved = load_file(folder / "adapter_model.safetensors")
    for parameter, tensor in adapted.named_parameters():
        if tensor.requires_grad:
            key = parameter.replace(".default", "")
            arrays[key] = tensor.grad.numpy()
            assert arrays[key].shape == saved[key].shape and abs(arrays[key]).max() > 1e-4, key
    assert saved.keys() <= arrays.keys()
    path = folder / "gradients.safetensors"
    if check:
        old = load_file(path)
        assert old.keys() == arrays.keys()
        for key, value in old.items():
            numpy.testing.assert_allclose(arrays[key], value, rtol=1e-4, atol=1e-6, err_msg=f"{name} {key}")
    else:
        save_file({key: numpy.ascontiguousarray(value) for key, value in arrays.items()}, path)
        path.chmod(0o644)
    print(name, f"loss {mean.item():.4f}", f"{len(saved)} gradients")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the recorded files instead of writing them")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    for name in record_adapters.TARGETS:
        record_gradients(name, check)


if __name__ == "__main__":
    main()
