#!/usr/bin/env bash
# Records what training does to its files, cuts the recording so many times at random places, with what was not flushed lost or written in part, resumes every disk that is left and compares with a run left
# alone: with tables in memory and, for every table optimizer, mapped. Usage: tests/machine-crash.sh [CUTS per kind of run, default 50: 200 in all]
set -eu
cd "$(dirname "$0")/.."
ENGRAM_TEST_CUTS=${1:-50} dotnet run -c Release --project tests/Engram.Torch.Tests -- -noColor -showLiveOutput \
  -method Engram.Torch.Tests.Crashes.MachineCrashTests.Whatever_the_disk_kept_the_run_resumes_to_the_same_losses
