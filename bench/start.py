#!/usr/bin/env python3
"""What it takes to begin: two or more programs in turns, time to their first byte of output and to their end, and their peak memory.

    bench/start.py ROUNDS PROGRAM ... -- PROGRAM ... [-- ...]

For example, the ahead-of-time sample and the command with the same model and the same 16 tokens:

    bench/start.py 9 Generate MODEL "The horse" 16 -- engram generate --model MODEL --prompt "The horse" --max-new-tokens 16
"""

import os
import statistics
import subprocess
import sys
import time


def run(command):
    begun = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    byte = os.read(child.stdout.fileno(), 1)
    first = time.monotonic() - begun
    while os.read(child.stdout.fileno(), 1 << 16):
        pass
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0 or not byte:
        sys.exit(f"{command}: exit code {child.returncode}")
    return first, time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    if len(sys.argv) < 3 or not sys.argv[1].isdigit():
        sys.exit(__doc__)
    commands, rounds = [[]], int(sys.argv[1])
    for argument in sys.argv[2:]:
        if argument == "--":
            commands.append([])
        else:
            commands[-1].append(argument)
    results = [[] for _ in commands]
    for turn in range(rounds + 1):
        for i in range(len(commands)):
            arm = (i + turn) % len(commands)
            results[arm].append(run(commands[arm]))
    print(f"load average {os.getloadavg()[0]:.2f}; medians of {rounds} rounds in turns after one that is not counted")
    for command, values in zip(commands, results):
        first, end, cpu, peak = (statistics.median(column) for column in zip(*values[1:]))
        name = os.path.basename(command[0])
        print(f"{name:12} first byte after {first * 1e3:6.0f} ms, end after {end * 1e3:6.0f} ms, processor time {cpu * 1e3:6.0f} ms, at most {peak:6.1f} MiB")


main()
