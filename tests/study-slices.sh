#!/usr/bin/env bash
# Runs a study as two slices in two processes at the same time on one folder, as a job array does, and once in one process, and compares
# rows and reports byte by byte. Usage: tests/study-slices.sh [STUDY, default controls] [SIZE, default smoke]
# ENGRAM names the program; otherwise it is built.
set -eu
cd "$(dirname "$0")/.."
study=${1:-controls} size=${2:-smoke}
if [ -z "${ENGRAM:-}" ]; then
  dotnet build -c Release -v q --nologo src/Engram.Cli
  ENGRAM=$PWD/artifacts/bin/Engram.Cli/release/engram
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$ENGRAM" study run "$study" --size "$size" --runs "$folder/whole" --processes 1 2>/dev/null
for slice in 1 2; do
  # What a job of samples/slurm/studies.sbatch runs.
  "$ENGRAM" study run "$study" --size "$size" --runs "$folder/slices" --slice "$slice/2" --processes 1 2>"$folder/$slice.log" &
  processes="${processes:-} $!"
done
for process in $processes; do wait "$process"; done
for runs in whole slices; do
  "$ENGRAM" study report "$study" --size "$size" --runs "$folder/$runs" >/dev/null
done
for file in measurements.jsonl "report-$size.md" "report-$size.html"; do
  cmp "$folder/whole/results/$study/$file" "$folder/slices/results/$study/$file"
done
echo "two slices in two processes and one process: rows and reports are equal, byte for byte"
