#!/usr/bin/env bash
# Trains a small model whose table and optimizer state are larger than the memory it may use: mapped, in a memory control group with a limit, and once more in memory without one.
# The losses and the trained tables must be the same to the bit. Needs a built engram (dotnet build -c Release src/Engram.Cli), Linux, and the right to make a control group (root).
# Usage: tests/larger-than-memory.sh [LIMIT in MiB, default 1024] [UPDATES, default 4] [FOLDER, default a temporary one]
set -eu
limit=$(( ${1:-1024} << 20 )) updates=${2:-4}
root=$(cd "$(dirname "$0")/.." && pwd)
engram=$root/artifacts/bin/Engram.Cli/release/engram
[ -x "$engram" ] || { echo "$engram is missing: dotnet build -c Release src/Engram.Cli" >&2; exit 2; }

# A group of our own below the one we are in, version 2 or 1.
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  group=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/engram-$$ bound=memory.max peak=memory.peak swap=memory.swap.max
else
  group=/sys/fs/cgroup/memory$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)/engram-$$ bound=memory.limit_in_bytes peak=memory.max_usage_in_bytes swap=
fi
if ! mkdir "$group" 2>/dev/null || ! echo "$limit" 2>/dev/null > "$group/$bound"; then
  echo "skipped: no memory control group can be made at $group (needs root, and the memory controller delegated)"
  rmdir "$group" 2>/dev/null || true
  exit 0
fi
[ -z "$swap" ] || echo 0 > "$group/$swap" 2>/dev/null || true
work=${3:-$(mktemp -d)}
watcher=
trap '[ -z "$watcher" ] || kill "$watcher" 2>/dev/null || true; rmdir "$group" 2>/dev/null || true; [ $# -ge 3 ] || rm -rf "$work"' EXIT

# Words at random, so that nearly every n-gram of an update is a new one.
mkdir -p "$work/text"
awk 'BEGIN { srand(7); for (d = 0; d < 400; d++) { line = ""; for (i = 0; i < 1500; i++) { word = ""; for (j = 0; j < 4; j++) word = word sprintf("%c", 97 + int(rand() * 26)); line = line word " " } print line > sprintf("'"$work"'/text/%03d.txt", d) } }'
sed -e 's/"engram_layer_ids": .*/"engram_layer_ids": [1, 2],/' -e 's/"engram_n_heads": .*/"engram_n_heads": 8,/' -e 's/"engram_head_dim": .*/"engram_head_dim": 64,/' \
    -e 's/"engram_slots_per_order": .*/"engram_slots_per_order": [180000, 180000],/' "$root/src/Engram.Models/presets/tiny-engram.json" > "$work/config.json"
"$engram" data prepare "$work/text" --output "$work/data" --vocabulary-size 512 > /dev/null
train() { echo train --config "$work/config.json" --data "$work/data" --run "$work/$1" --tables "$1" --steps "$updates" --batch-size 16 --length 256 --checkpoint-every 5 --validation-sequences 8 --json; }

# The most that the working tables take on the disk: they are removed when the run has finished.
watch() {
  set +e
  local most=0 now length
  while sleep 0.5; do
    now=$(du -s -B1 "$work/mapped/tables" 2>/dev/null | cut -f1)
    length=$(du -s -B1 --apparent-size "$work/mapped/tables" 2>/dev/null | cut -f1)
    [ "${now:-0}" -le "$most" ] || { most=$now; echo "$most $length" > "$work/size"; }
  done
}
watch & watcher=$!
sh -c 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"' sh "$group" "$engram" $(train mapped) > "$work/mapped.json"
kill "$watcher"; watcher=
used=$(cat "$group/$peak")
"$engram" $(train memory) > "$work/memory.json"

losses() { sed 's/,"tokens_per_second":[^,}]*//' "$work/$1/metrics.jsonl"; }
value() { sed -n "s/.*\"$2\": *\([^,]*\),*/\1/p" "$work/$1.json"; }
read -r occupied length < "$work/size"
echo "limit of the control group   $limit bytes; most used in it: $used"
echo "tables, state and journals   $occupied bytes on the disk (files of $length), of which no more than the limit is in memory"
echo "validation loss              $(value mapped validation_loss) mapped under the limit, $(value memory validation_loss) in memory without one"
echo "tokens per second            $(value mapped tokens_per_second) mapped under the limit, $(value memory tokens_per_second) in memory without one"
[ "$occupied" -gt "$limit" ] || { echo "the tables occupy less than the limit: raise the number of updates" >&2; exit 1; }
[ "$used" -le "$limit" ] || { echo "the limit was not kept" >&2; exit 1; }
cmp <(losses mapped) <(losses memory)
for file in "$work"/memory/model/engram/layer-*.safetensors; do cmp "$file" "$work/mapped/model/engram/$(basename "$file")"; done
echo "$(losses mapped | wc -l) lines of losses and the trained tables are the same to the bit"
