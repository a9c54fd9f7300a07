#!/bin/sh
# Trains a small model on sequences of 256 tokens, extends it to 2,048, and measures both by position. Usage: run.sh NOVELS FOLDER
# NOVELS: any folder of long texts. `engram` must be on the path.
set -e
novels=$1 folder=$2
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder" && cd "$folder"
engram data prepare "$novels" --output data --vocabulary-size 2048
engram plan quickstart-engram --data data --set hidden_size=96 --set embedding_scale=9.797958971132712 --set num_hidden_layers=3 \
  --set num_attention_heads=4 --set qk_rope_head_dim=16 --set kv_lora_rank=32 --set moe_intermediate_size=64 --set n_routed_experts=8 \
  --set shared_expert_intermediate_size=128 --set max_position_embeddings=4096 --write config.json
engram train --config config.json --data data --run base --steps 600 --batch-size 8 --length 256 --validation-sequences 32 --validate-every 200 --threads 1
engram train --init base/model --extend-context 2048 --original-context 256 --data data --run longer --steps 120 --batch-size 1 --length 2048 \
  --learning-rate 0.002 --warmup 5 --validation-sequences 4 --threads 1
engram eval loss --model longer/model --also base/model --data data --length 2048 --limit 60 --by-position --bins 32 \
  --svg "$here/positions.svg" --html positions.html --threads 1 --json > "$here/positions.json"
