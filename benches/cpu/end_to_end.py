"""Labels a scene with Swath and with a Python pipeline around OpenVINO, in turn, and prints a table: `make bench-end-to-end SCENE=...`.

    python end_to_end.py SWATH FOLDER SCENE THREADS ROUNDS PRECISION...

SWATH is the program, FOLDER where model and labels are kept, SCENE has red, green and blue as its first bands. A PRECISION is f32 or bf16.
"""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio

from networks import fcn
from pipeline import OVERLAP, TILE
from table import print_row

# Share of labels that have to be those of Swath's f32: the rest lies where tiles are cut otherwise, or between classes of like score.
EQUAL = 0.95
HEADER = ["pipeline", "precision", "tile", "overlap", "s", "Mpx/s", "peak GiB", "time / python", "labels as swath f32"]


@dataclass
class Pipeline:
    """What to run, and how it went."""

    name: str
    precision: str
    tile: int
    overlap: int
    command: list[str]
    labels: Path
    seconds: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    """Peak resident sets in KiB."""

    def run(self) -> None:
        print(f"{self.name} {self.precision}, tile {self.tile}", file=sys.stderr, flush=True)
        measure = [sys.executable, str(Path(__file__).with_name("measure.py"))]
        process = subprocess.run(measure + self.command, stdout=subprocess.PIPE, text=True)
        if process.returncode:
            sys.exit(f"{self.name} {self.precision} failed: {' '.join(self.command)}")
        *output, figures = process.stdout.splitlines()
        figures = json.loads(figures)
        # Their own figures, which leave out what they spend on loading and compiling the network.
        self.seconds.append(json.loads(output[-1])["seconds"])
        self.peaks.append(figures["peak_kib"])


def main() -> None:
    swath, path, scene, threads, rounds, *precisions = sys.argv[1:]
    folder = Path(path)
    network = fcn(Path(swath), folder, TILE)
    common = [scene, "--model", str(network.model), "--bands", "1,2,3", "--blend", "hann", "--threads", threads]

    def segment(precision: str, tile: int, overlap: int) -> Pipeline:
        labels = folder / f"swath_{precision}_{tile}.tif"
        flags = ["--tile", str(tile), "--overlap", str(overlap), "--precision", precision, "--overwrite", "--json", "--output", str(labels)]
        return Pipeline("swath", precision, tile, overlap, [swath, "--quiet", "segment", *common, *flags], labels)

    def python(precision: str) -> Pipeline:
        labels = folder / f"python_{precision}.tif"
        script = str(Path(__file__).with_name("pipeline.py"))
        command = [sys.executable, script, precision, str(network.onnx), scene, str(labels), threads]
        return Pipeline("python", precision, TILE, OVERLAP, command, labels)

    def planned(precision: str) -> Pipeline:
        command = [swath, "--quiet", "plan", "--json", *common, "--precision", precision]
        plan = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        return segment(precision, plan["tile"]["width"], plan["overlap"]["width"])

    pipelines = [
        pipeline
        for precision in precisions
        for pipeline in (segment(precision, TILE, OVERLAP), python(precision), planned(precision))
    ]
    for _ in range(int(rounds)):
        for pipeline in pipelines:
            pipeline.run()
    with rasterio.open(scene) as source:
        pixels = source.width * source.height
        print(f"{source.width} x {source.height} pixels, {threads} threads, fastest of {rounds} in turn\n")
    show(pipelines, pixels)


def show(pipelines: list[Pipeline], pixels: int) -> None:
    """Prints the table."""
    expected = read(pipelines[0].labels)
    python = {pipeline.precision: pipeline for pipeline in pipelines if pipeline.name == "python"}
    print_row(HEADER)
    print_row(["---"] * len(HEADER))
    for pipeline in pipelines:
        seconds = min(pipeline.seconds)
        figures = [f"{seconds:.1f}", f"{pixels / seconds / 1e6:.2f}", f"{max(pipeline.peaks) / 2**20:.2f}"]
        ratio, equal = seconds / min(python[pipeline.precision].seconds), (read(pipeline.labels) == expected).mean()
        if equal < EQUAL:
            sys.exit(f"{pipeline.name} {pipeline.precision}: only {equal:.2%} of the labels are those of Swath's f32")
        tiles = [str(pipeline.tile), str(pipeline.overlap)]
        print_row([pipeline.name, pipeline.precision, *tiles, *figures, f"{ratio:.2f}", f"{equal:.2%}"])


def read(labels: Path) -> np.ndarray:
    with rasterio.open(labels) as source:
        return source.read(1)


if __name__ == "__main__":
    main()
