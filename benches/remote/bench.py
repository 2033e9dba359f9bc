"""Labels a scene from disk, from a slow server, and from the same server through GDAL's /vsicurl/, in turn: `make bench-remote SCENE=... MODEL=...`.

    python bench.py SWATH FOLDER SCENE MODEL THREADS ROUNDS MILLISECONDS

Labels are kept in FOLDER; each request to the server takes MILLISECONDS. The labels must be the same bytes from everywhere.
"""

import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from slow_server import SlowServer, serve

HEADER = ["scene from", "s", "/ disk", "requests", "MB"]


@dataclass
class Way:
    """How the scene is reached, and how that went."""

    name: str
    scene: str
    seconds: list[float] = field(default_factory=list)
    requests: int = 0
    bytes: int = 0

    def run(self, server: SlowServer, swath: str, folder: Path, flags: list[str]) -> bytes:
        """Labels the scene and returns the label raster's bytes."""
        labels = folder / "labels.tif"
        server.take()
        start = time.perf_counter()
        subprocess.run([swath, "--quiet", "segment", self.scene, *flags, "--overwrite", "--output", str(labels)], check=True, stdout=subprocess.DEVNULL)
        self.seconds.append(time.perf_counter() - start)
        self.requests, self.bytes = server.take()
        return labels.read_bytes()


def main() -> None:
    swath, folder, scene, model, threads, rounds, milliseconds = sys.argv[1:]
    path = Path(scene)
    flags = ["--model", model, "--threads", threads]
    with serve(path.parent, int(milliseconds) / 1000) as server:
        url = server.url(path.name)
        ways = [Way("disk", scene), Way("HTTP", url), Way("/vsicurl/", f"/vsicurl/{url}")]
        for _ in range(int(rounds)):
            expected = None
            for way in ways:
                print(way.name, file=sys.stderr, flush=True)
                labels = way.run(server, swath, Path(folder), flags)
                expected = expected or labels
                if labels != expected:
                    sys.exit(f"{way.name}: other labels than from disk")
    print(f"{path.name}, {threads} threads, {milliseconds} ms a request, fastest of {rounds} in turn\n")
    disk = min(ways[0].seconds)
    for row in [HEADER, ["---"] * len(HEADER)]:
        print("| " + " | ".join(row) + " |")
    for way in ways:
        seconds = min(way.seconds)
        cells = [way.name, f"{seconds:.2f}", f"{seconds / disk:.3f}", str(way.requests), f"{way.bytes / 1e6:.1f}"]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
