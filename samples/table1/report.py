#!/usr/bin/env python3
"""Tables of what table1.sh has scored.

    samples/table1/report.py OUTPUT [JSON]

OUTPUT is the folder of table1.sh. The table of headline metrics goes to the standard output, all metrics to the file JSON if named.
"""

import glob
import json
import os
import sys

MEMORIES = ("on", "off", "shuffled", "random")
KEYS = ("task", "metric", "value", "standard_error", "items", "shots", "shots_asked", "memory", "published", "truncated", "data", "version")


def chances(output):
    """What a guesser is expected to score in each task, from its samples: right options over options."""
    shares = {}
    for path in glob.glob(f"{output}/*.jsonl"):
        for line in open(path, encoding="utf-8"):
            sample = json.loads(line)
            if sample["memory"] == "on" and sample.get("options"):
                golds = len(sample["gold"]) if isinstance(sample["gold"], list) else 1
                shares.setdefault(sample["task"], {})[sample["index"]] = golds / len(sample["options"])
    return {task: sum(of.values()) / len(of) for task, of in shares.items()}


def percent(result):
    if result is None:
        return ""
    if result["value"] is None:
        return "not run"
    value = f"{100 * result['value']:.1f}"
    return f"{value} ± {100 * result['standard_error']:.1f}" if result["standard_error"] else value


def main(output, target=None):
    rows = []
    for path in sorted(glob.glob(f"{output}/*.json")):
        rows += [{key: row.get(key) for key in KEYS} for row in json.load(open(path, encoding="utf-8"))["results"]]
    headline = {}
    for row in rows:
        headline.setdefault(row["task"], row["metric"])
    chance = chances(output)
    print("| task | metric | shots | items | cut | chance | memory " + " | ".join(MEMORIES) + " |")
    print("|---|---|---:|---:|---:|---:|" + "---:|" * len(MEMORIES))
    for task in sorted(headline):
        of = {row["memory"]: row for row in rows if (row["task"], row["metric"]) == (task, headline[task])}
        on = of["on"]
        shots = f"{on['shots']}" if on["shots"] == on["shots_asked"] else f"{on['shots']} of {on['shots_asked']}"
        guess = f"{100 * chance[task]:.1f}" if task in chance else ""
        cells = [task, on["metric"], shots, f"{on['items']:,}", f"{on['truncated']:,}", guess]
        print("| " + " | ".join(cells + [percent(of.get(memory)) for memory in MEMORIES]) + " |")
    if target:
        rows.sort(key=lambda row: (row["task"], row["metric"], row["memory"]))
        with open(target + ".part", "w", encoding="utf-8") as file:
            file.write("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
        os.replace(target + ".part", target)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
