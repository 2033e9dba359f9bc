"""What a batch of many small scenes costs beyond the network, and whether memory grows with their number: `make bench-batch`.

    python bench.py SWATH FOLDER SCENES

A generated scene of 256 x 256 pixels, copied SCENES times, is labelled by the bundled network's twin with random weights: one scene at a time with one
thread, so that all that is not network is overhead, and two at a time. The peak of memory is that of a tenth of the scenes and of all.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path


def run(swath: str, *args: str) -> str:
    return subprocess.run([swath, "--quiet", *args], check=True, capture_output=True, text=True).stdout


def batch(swath: str, folder: Path, scenes: int, jobs: int) -> tuple[dict, int]:
    """Labels so many scenes; returns the summary and the peak of memory in KiB."""
    output = folder / "out"
    shutil.rmtree(output, ignore_errors=True)
    manifest = folder / "list.txt"
    manifest.write_text("".join(f"scenes/{number}.tif\n" for number in range(scenes)))
    flags = ["--model", str(folder / "model"), "--output", str(output), "--jobs", str(jobs), "--threads", "1", "--max-memory", "2GiB", "--json"]
    command = [swath, "--quiet", "batch", str(manifest), "--progress", "none", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"the batch failed: {text}")
    return json.loads(text), usage.ru_maxrss


def main() -> None:
    swath, folder, scenes = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "scenes").mkdir(parents=True)
    run(swath, "demo", "--only-scene", "--size", "256", "--output", str(folder / "demo"))
    run(swath, "model", "new", "fcn_small", "--bands", "4", "--classes", "6", "--seed", "1", "--output", str(folder / "model"))
    for number in range(scenes):
        shutil.copy(folder / "demo" / "scene.tif", folder / "scenes" / f"{number}.tif")
    print("| scenes | jobs | s | network s | ms a scene beyond the network | peak MiB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for count, jobs in [(scenes // 10, 1), (scenes, 1), (scenes, 2)]:
        summary, peak = batch(swath, folder, count, jobs)
        seconds, network = summary["seconds"], summary["network_seconds"]
        beyond = f"{1000 * (seconds - network) / count:.1f}" if jobs == 1 else "-"
        print(f"| {count} | {jobs} | {seconds:.1f} | {network:.1f} | {beyond} | {peak / 1024:.0f} |", flush=True)
    started = time.perf_counter()
    run(swath, "batch", str(folder / "list.txt"), "--progress", "none", "--model", str(folder / "model"), "--output", str(folder / "out"), "--jobs", "2", "--threads", "1", "--max-memory", "2GiB")
    print(f"\nrun again, all skipped: {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
