"""Record what llama.cpp answers with the golden models and their adapters, as `hangtag export --format f32` merged them.

`python record_llama_cpp.py NAME EXPORT_DIR` writes NAME-adapter/llama_cpp.json beside this script: for each of 20 prompts its
token ids and the tokens that llama.cpp takes when it takes the likeliest each time, up to the step where, as transformers
and PEFT compute it without merging, the two likeliest logits are nearer than `record.MIN_GAP`. It stops if transformers takes
other tokens than llama.cpp. See README.md.
"""

import json
import sys
import urllib.request
from pathlib import Path

import torch
import xllamacpp
from peft import PeftModel

import record
import record_adapters

HERE = Path(__file__).parent
NUM_PROMPTS = 20


def prompts() -> list[str]:
    """Beginnings of descriptions and of answers."""
    lines = [line for line in record.CORPUS.splitlines() if len(line) > 20]
    cuts = [f"### Product\n{line[:length]}" for line in lines for length in (5, 11, 17, 30, 43)]
    return (record.PROMPTS + cuts + [f"{cut}\n### Size\n" for cut in cuts])[:NUM_PROMPTS]


def serve(export: Path) -> xllamacpp.Server:
    params = xllamacpp.CommonParams()
    params.model.path = str(next(export.glob("*.gguf")))
    params.n_ctx, params.n_parallel, params.warmup = 512, 1, False
    params.hostnames, params.port = ["127.0.0.1"], 0
    return xllamacpp.Server(params)


def llama_cpp(server: xllamacpp.Server, tokens: list[int], count: int) -> list[int]:
    request = {
        "prompt": tokens,
        "n_predict": count,
        "temperature": 0.0,
        "top_k": 1,
        "repeat_penalty": 1.0,
        "ignore_eos": False,
        "return_tokens": True,
        "cache_prompt": False,
    }
    # llama.cpp's own endpoint: that of the OpenAI API gives no token ids.
    body = json.dumps(request).encode()
    question = urllib.request.Request(f"{server.listening_address}/completion", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(question) as answer:
        return json.load(answer)["tokens"]


@torch.inference_mode()
def clear_tokens(model: torch.nn.Module, prompt: list[int]) -> list[int]:
    """The likeliest tokens one after the other, as long as they are clear and the text has not ended."""
    ids = list(prompt)
    while len(ids) < len(prompt) + record.NEW_TOKENS:
        top = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].topk(2)
        if top.values[0] - top.values[1] < record.MIN_GAP or top.indices[0] == 0:
            break
        ids.append(top.indices[0].item())
    return ids[len(prompt) :]


def main() -> None:
    name, export = sys.argv[1], Path(sys.argv[2])
    arch, pre_tokenizer, model = record.golden_models()[name]
    folder = HERE / f"{name}-adapter"
    model = PeftModel.from_pretrained(record_adapters.load_base(name, arch, model), folder).eval()
    tokens, merges = record.train_tokenizer(pre_tokenizer)
    server = serve(export)
    recorded = []
    for text in prompts():
        prompt = record.tokenize(tokens, merges, pre_tokenizer, text)
        expected = clear_tokens(model, prompt)
        answer = llama_cpp(server, prompt, max(len(expected), 1))[: len(expected)]
        if answer != expected:
            sys.exit(f"{name}, {text!r}: llama.cpp takes {answer}, transformers {expected}")
        recorded.append({"prompt": prompt, "answer": answer})
    lines = ",\n".join(json.dumps(one) for one in recorded)
    (folder / "llama_cpp.json").write_text(f"[\n{lines}\n]\n")
    print(name, [len(one["answer"]) for one in recorded])


if __name__ == "__main__":
    main()
