#!/usr/bin/env bash
# A model of your own, from labelled products to a package for the page:
#
#   docs/own-model.sh BASE PRODUCTS.jsonl FOLDER [hangtag train options]
#   docs/own-model.sh hf:microsoft/phi-2 products.jsonl my-model
#
# BASE is hf:OWNER/NAME, a folder of transformers, a GGUF file or a known name. docs/own-model.md has what it costs.
set -euo pipefail
base=${1:?BASE, such as hf:microsoft/phi-2}
products=${2:?PRODUCTS.jsonl, as hangtag dataset from-csv writes it}
folder=${3:?FOLDER for everything that is made}
shift 3
step() { printf '\n== %s (%(%H:%M:%S)T)\n' "$1" -1; }

step "the products"
hangtag dataset check "$products"
hangtag dataset split "$products" --out "$folder/data"

step "training"
hangtag train --base "$base" --data "$folder/data/train.jsonl" --val "$folder/data/val.jsonl" --out "$folder/adapter" \
  --set run.memory_gb=15 --set run.recompute=true --set data.sequences=4 --set data.length=2048 --set data.max_prefix_tokens=1536 "$@"

export_model() {
  rm -rf "$folder/model"
  hangtag export --base "$base" --adapter "$folder/adapter" --out "$folder/model" --format q4_0 --shard-size 64MiB
}
step "merging and rounding to 4 bits"
export_model

step "how sure it may be, on products that it was not trained on; merged again with that"
hangtag evaluate --model "$folder/model" --data "$folder/data/val.jsonl" --fit-confidence "$folder/adapter/confidence.json"
export_model

step "how good it is, on products that it never saw"
hangtag evaluate --model "$folder/model" --data "$folder/data/test.jsonl" --report "$folder/report.html"

step "one text"
hangtag extract --model "$folder/model" --features "Brand, Color, Size, Material" "Nike Air Max 90, white leather, EU 42"

step "done: $folder/model is for the page and for hangtag --model, $folder/report.html is for you"
