#!/usr/bin/env bash
# Interrupts a study so many times at random moments, once with kill -9, and compares its rows and reports, byte by byte, with those of
# a study left alone. Usage: tests/study-interruptions.sh [INTERRUPTIONS, default 10] [STUDY, default controls] [SIZE, default smoke]
# ENGRAM names the program; otherwise it is built.
set -eu
cd "$(dirname "$0")/.."
interruptions=${1:-10} study=${2:-controls} size=${3:-smoke}
if [ -z "${ENGRAM:-}" ]; then
  dotnet build -c Release -v q --nologo src/Engram.Cli
  ENGRAM=$PWD/artifacts/bin/Engram.Cli/release/engram
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
run() { "$ENGRAM" study run "$study" --size "$size" --runs "$folder/$1" --processes 1; }

began=$(date +%s)
run alone >"$folder/alone.log" 2>&1
seconds=$(($(date +%s) - began))
echo "left alone: $seconds s, $(tail -n 1 "$folder/alone.log")"

killed=$((RANDOM % interruptions + 1))
hit=0
for i in $(seq "$interruptions"); do
  # A process group of its own, as a terminal gives one, in which Ctrl-C reaches every process; in the background of a script it is ignored.
  setsid env --default-signal=INT "$ENGRAM" study run "$study" --size "$size" --runs "$folder/stopped" --processes 1 >"$folder/stopped.log" 2>&1 &
  process=$!
  # Anywhere in what is left to do: each call begins with reading the texts, and goes on where the last one was stopped.
  wait_ms=$((500 + RANDOM * (seconds * 1000 / interruptions) / 32768))
  sleep "$((wait_ms / 1000)).$(printf %03d $((wait_ms % 1000)))"
  signal=INT
  [ "$i" -ne "$killed" ] || signal=KILL
  if kill -s "$signal" -- "-$process" 2>/dev/null; then hit=$((hit + 1)); fi
  code=0
  wait "$process" || code=$?
  models=$(ls "$folder/stopped/models" 2>/dev/null | wc -l)
  rows=$(cat "$folder/stopped/results/$study"/measurements*.jsonl 2>/dev/null | wc -l)
  echo "interruption $i: SIG$signal after $wait_ms ms, exit code $code, $models models begun, $rows rows"
done
run stopped >"$folder/stopped.log" 2>&1
echo "to the end: $(tail -n 1 "$folder/stopped.log")"

for runs in alone stopped; do
  "$ENGRAM" study report "$study" --size "$size" --runs "$folder/$runs" >/dev/null
done
for file in measurements.jsonl "report-$size.md" "report-$size.html"; do
  cmp "$folder/alone/results/$study/$file" "$folder/stopped/results/$study/$file"
done
echo "$hit interruptions, one of them SIGKILL: rows and reports are equal, byte for byte"
