#!/usr/bin/env python3
"""Measures what bases, presets and views gain: the table in docs/accuracy.md.

    python3 infra/scripts/accuracy.py FOLDER [HOST…]

FOLDER has the image data sets clothing, hymenoptera and stl10-shaped (those that are missing are left out); HOST is the command of
the one-process host, `dotnet services/Standalone/bin/Release/net10.0/Distributed.Standalone.dll` by default. Data sets are measured
side by side where there are processors for it; nothing but Python's standard library is needed.
"""
import json
import math
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOST = ["dotnet", str(ROOT / "services/Standalone/bin/Release/net10.0/Distributed.Standalone.dll")]
BASE = ["--backbone", "mlnet-resnet18"]
VARIANTS = [
    ("demo", []),
    ("demo, accurate", ["--preset", "accurate"]),
    ("demo, 2 blocks", ["--blocks", "2"]),
    ("demo, 4 blocks", ["--blocks", "4"]),
    ("mlnet-resnet18, fast", [*BASE, "--preset", "fast"]),
    ("mlnet-resnet18", BASE),
    ("mlnet-resnet18, flip", [*BASE, "--flip", "true"]),
    ("mlnet-resnet18, five crops", [*BASE, "--crops", "five"]),
    ("mlnet-resnet18, crop share 0.875", [*BASE, "--crop-share", "0.875"]),
    ("mlnet-resnet18, 288 px", [*BASE, "--input-size", "288"]),
    ("mlnet-resnet18, accurate", [*BASE, "--preset", "accurate"]),
    ("mlnet-resnet18 + demo", [*BASE, "--join-backbone", "demo"]),
]
AGAINST = "mlnet-resnet18"


def mcnemar(one, other):
    """The two-sided p-value of the exact test, and how many each alone has right."""
    first = sum(a and not b for a, b in zip(one, other))
    second = sum(b and not a for a, b in zip(one, other))
    count = first + second
    tail = sum(math.comb(count, k) for k in range(min(first, second) + 1)) / 2**count
    return min(1.0, 2 * tail), first, second


def measure(host, name, dataset, folder):
    """The result and the images that were right, of each variant."""
    found = {}
    for title, options in VARIANTS:
        command = [*host, "run", "--json", "--volume", folder, "--dataset", dataset, "--precision", "fp32", "--report", "false", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{name}, {title}: {done.stderr[-500:]}")
        result = json.loads(done.stdout)
        predictions = next(Path(folder, "runs", result["runId"]).glob("predictions.*.json"))
        rows = json.loads(predictions.read_text())
        found[title] = (result, [row["label"] == row["predicted"] for row in sorted(rows, key=lambda row: row["image"])])
        print(f"{name}, {title}: {result['testAccuracy']:.3f}", file=sys.stderr, flush=True)
    return found


def main(folder, *host):
    sets = [("sample", "sample"), ("clothing", "clothing")]
    sets += [(name, str(Path(folder, name).resolve())) for name in ("hymenoptera", "stl10-shaped") if Path(folder, name).is_dir()]
    with tempfile.TemporaryDirectory() as volumes, ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // 4)) as pool:
        measured = list(
            pool.map(lambda one: (one[0], measure(host or HOST, *one, str(Path(volumes, one[0])))), sets)
        )
    print("| data set | base | px | features | accuracy | 95 % interval | against " + AGAINST + " | p |")
    print("|---|---|---|---|---|---|---|---|")
    for name, found in measured:
        baseline = found[AGAINST][1]
        for index, (title, (result, right)) in enumerate(found.items()):
            p, better, worse = mcnemar(right, baseline)
            against = "" if title == AGAINST else f"+{better} −{worse}"
            shown = f"{name} ({result['testImages']:,} test images)" if index == 0 else ""
            print(
                f"| {shown} | {title} | {result['inputSize']} | {result['featureSize']:,} | {result['testAccuracy']:.3f} "
                f"| {result['testAccuracyLow']:.3f}–{result['testAccuracyHigh']:.3f} | {against} | {'' if title == AGAINST else f'{p:.3f}'} |"
            )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit("usage: accuracy.py FOLDER [HOST…]")
    main(*sys.argv[1:])
