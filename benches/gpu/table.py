"""Prints what `check.sh` measured as a section for benches/RESULTS.md: `python table.py FOLDER`."""

import json
import os
import statistics
import sys
from datetime import date
from pathlib import Path

folder = Path(sys.argv[1])


def lines(name: str) -> list[dict]:
    """The JSON objects of a file, one a line; none if it is missing."""
    path = folder / name
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")] if path.exists() else []


def first(value: object, key: str) -> object:
    """What is called so, wherever it is."""
    if isinstance(value, dict):
        if key in value:
            return value[key]
        value = list(value.values())
    if isinstance(value, list):
        return next((found for found in (first(part, key) for part in value) if found is not None), None)
    return None


swath, pytorch = lines("swath.jsonl"), lines("pytorch.jsonl")
print(f"## CUDA ({date.today()})\n")
print(f"{os.environ.get('CARD') or 'no card'}, commit {os.environ.get('COMMIT', 'unknown')}", end="")
print("".join(f", PyTorch {row['torch']} with cuDNN {row['cudnn']}" for row in pytorch if "torch" in row) + ". FCN-ResNet50, six classes.")
print("The floor is 55 us for a tile of 512 x 512: 43 GFLOP at 790 TFLOP/s.\n")
print("| engine | precision | tile | batch | kernels ms | with pixels up and labels down ms | tiles/s | Mpx/s | share of the floor | / best PyTorch |")
print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
for row in swath + [row for row in pytorch if "engine" in row]:
    if "error" in row:
        print(f"| {row['engine']} | bf16 | {row['tile']} | - | failed: {row['error']} | - | - | - | - | - |")
        continue
    best = min((other["kernels_ms"] / other["batch"] for other in pytorch if other.get("tile") == row["tile"] and "kernels_ms" in other), default=None)
    ratio = "-" if best is None else f"{row['kernels_ms'] / row['batch'] / best:.2f}"
    floor = 55e-3 * row["batch"] * (row["tile"] / 512) ** 2 / row["kernels_ms"]
    stitched = f"{row['stitched_ms']:.3f}" if "stitched_ms" in row else "-"
    cells = [row["engine"], row["precision"], row["tile"], row["batch"], f"{row['kernels_ms']:.3f}", stitched]
    cells += [f"{row['tiles_per_s']:.0f}", f"{row['mpx_per_s']:.0f}", f"{floor:.2f}", ratio]
    print("| " + " | ".join(map(str, cells)) + " |")
for row in lines("end_to_end.json"):
    timings = row["timings"]
    print(f"\nFrom a file on disk to a COG: {timings['total_s']:.2f} s, the network computed {timings['network_mpx_per_s']:.0f} Mpx/s", end="")
    busy = folder / "busy.log"
    samples = [int(s) for s in busy.read_text().split() if s.isdigit()] if busy.exists() else []
    working = samples[next((i for i, s in enumerate(samples) if s), len(samples)) :]
    print(f", the card was busy for {statistics.mean(working):.0f} % of it by nvidia-smi." if working else ".")
    stages = ", ".join(f"{name} {stage['busy_s']:.2f} s" for name, stage in timings["stages"].items())
    print(f"Time of the stages: {stages}.")
agreement = folder / "agreement.json"
if agreement.exists():
    accuracy = first(json.loads(agreement.read_text()), "accuracy")
    print(f"\nLabels that agree with those of the processor in f32, 2048 x 2048 pixels: {accuracy}")
print("\n    make gpu-check")
