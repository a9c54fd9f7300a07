#!/usr/bin/env bash
# Kills a short training run without warning (SIGKILL) so many times, every other time while it writes a checkpoint, resumes it each time,
# and compares it with a run that was left alone: metrics, model files, validation loss; with tables in memory and, for every table optimizer, mapped. Usage: tests/kill-resume.sh [KILLS, default 20]
set -eu
cd "$(dirname "$0")/.."
ENGRAM_TEST_KILLS=${1:-20} dotnet run -c Release --project tests/Engram.Torch.Tests -- -noColor -showLiveOutput \
  -method Engram.Torch.Tests.Training.KilledRunTests.Killed_at_any_moment_and_resumed_it_equals_the_run_left_alone
