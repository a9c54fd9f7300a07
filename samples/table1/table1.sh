#!/usr/bin/env bash
# Scores a model on every task of the paper's Table 1 that has files, whole files, the smallest first, and goes on where it was
# interrupted. Usage: samples/table1/table1.sh MODEL DATA_ROOT OUTPUT [MEMORY, default on,off,shuffled,random]
# OUTPUT/TASK.jsonl has every item, OUTPUT/TASK.json the results of a task once it is whole. TASKS names other tasks or another order,
# ENGRAM the program; otherwise it is built.
set -eu
model=$(realpath "$1") root=$(realpath "$2") memory=${4:-on,off,shuffled,random}
mkdir -p "$3"
output=$(realpath "$3")
cd "$(dirname "$0")/../.."
if [ -z "${ENGRAM:-}" ]; then
  dotnet build -c Release -v q --nologo src/Engram.Cli
  ENGRAM=$PWD/artifacts/bin/Engram.Cli/release/engram
fi
# By requests and tokens: choices before written answers, few rows before many.
tasks=${TASKS:-"ceval mmlu_pro triviaqa popqa drop winogrande piqa race_middle race_high arc_challenge hellaswag humaneval ccpm arc_easy c3
  agieval agieval_texts cruxeval_i cruxeval_o mbpp mmlu mmlu_redux cmmlu gsm8k math mgsm bbh"}
for task in $tasks; do
  [ -e "$output/$task.json" ] && continue
  echo "$(date -u +%H:%M) $task" >&2
  if "$ENGRAM" eval "$model" --tasks "$task" --data-root "$root" --memory "$memory" --run-code --threads 1 --json \
    --samples "$output/$task.jsonl" --resume >"$output/$task.json.part"; then
    mv "$output/$task.json.part" "$output/$task.json"
  elif [ $? -eq 130 ]; then
    exit 130
  else
    failed="${failed:-} $task"
  fi
done
[ -z "${failed:-}" ] || { echo "failed:$failed" >&2; exit 1; }
