"""Times Swath, ONNX Runtime and OpenVINO in turn on the same weights and tiles, and prints a table: `make bench-cpu`.

    python bench.py SWATH RESIDENT FOLDER THREADS ROUNDS

SWATH is the program, RESIDENT the example of that name, FOLDER where models, tiles and ONNX files are kept. The last line is the ratio of minimum
times, Swath's over OpenVINO's, for a tile of 512 x 512 of FCN-ResNet50.
"""

import importlib.metadata
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

from safetensors.numpy import save_file

from networks import Network, fcn, imported
from resident import COUNTED, Engine, time_in_turn
from table import print_row

# How Swath computes by default, and how it does where tiles have to agree to the bit.
SWATH = [("swath", "f32", "winograd"), ("swath", "bf16", "winograd"), ("swath direct", "f32", "direct")]
PEERS = [("onnxruntime", "f32"), ("openvino", "f32"), ("openvino", "bf16")]
# Networks of the real data: name, file in `weights`, tile.
TRAINED = [
    ("cloud U-Net (separable)", "cloud_unet/landsatbiomeRGBISWIR7.onnx", (6, 512, 512)),
    ("buildings U-Net", "buildings/unet.onnx", (3, 512, 512)),
    ("MeshNet (volumes)", "meshnet/meshnet11_gwm.onnx", (1, 64, 64, 64)),
]
HEADER = ["network", "tile", "engine", "precision", "min ms", "median ms", "Mpx/s", "/ onnxruntime", "/ openvino", "difference"]


@dataclass
class Bench:
    """What is the same for all networks."""

    resident: str
    folder: Path
    threads: str

    def swath(self, network: Network, isa: str | None = None) -> list[Engine]:
        """Swath with the best instructions of the processor, or with others."""
        environment = {"SWATH_ISA": isa} if isa else {}
        engines = []
        for name, precision, convolutions in SWATH:
            command = [self.resident, str(network.model), str(self.tile), precision, convolutions, self.threads]
            engines.append(Engine(f"{name}, {isa}" if isa else name, precision, command, environment))
        return engines

    def peers(self, network: Network) -> list[Engine]:
        """The engines that Swath is held against."""
        script = str(Path(__file__).with_name("engine.py"))
        files = [str(network.onnx), str(self.tile)]
        return [Engine(*peer, [sys.executable, script, *peer, *files, self.threads]) for peer in PEERS]

    @property
    def tile(self) -> Path:
        """Where the tile of the network that is being timed lies."""
        return self.folder / "tile.safetensors"

    def time(self, network: Network, rounds: int, with_avx2: bool = False) -> dict[tuple[str, str], Engine]:
        """Times all engines on a network, and prints their rows."""
        say(f"{network.name} {tile_name(network)}: {rounds} rounds")
        save_file({"input": network.tile()}, self.tile)
        engines = self.swath(network) + self.peers(network) + (self.swath(network, "avx2") if with_avx2 else [])
        time_in_turn(engines, rounds, self.folder)
        by_name = {(engine.name, engine.precision): engine for engine in engines}
        for engine in engines:
            print_row(row(network, engine, by_name))
        return by_name


def tile_name(network: Network) -> str:
    return " x ".join(str(length) for length in network.shape[1:])


def row(network: Network, engine: Engine, engines: dict[tuple[str, str], Engine]) -> list[str]:
    """An engine's figures; the ratios are of minimum times, to the other engine at the same precision if it has that."""

    def ratio(peer: str) -> str:
        other = engines.get((peer, engine.precision))
        return f"{engine.minimum / other.minimum:.2f}" if other else ""

    speed = network.pixels / engine.minimum / 1e3
    figures = [f"{engine.minimum:.1f}", f"{engine.median:.1f}", f"{speed:.2f}", ratio("onnxruntime"), ratio("openvino")]
    return [network.name, tile_name(network), engine.name, engine.precision, *figures, f"{engine.difference:.1e}"]


def say(message: str) -> None:
    """What is not part of the result."""
    print(message, file=sys.stderr, flush=True)


def processor() -> tuple[str, set[str]]:
    """The processor's name and features."""
    with open("/proc/cpuinfo") as file:
        facts = dict(line.split(":", 1) for line in file if ":" in line)
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    return facts.get("model name", "unknown processor"), set(facts.get("flags", "").split())


def available_gib() -> float:
    """Memory that is free."""
    with open("/proc/meminfo") as file:
        facts = dict(line.split(":") for line in file)
    return int(facts["MemAvailable"].split()[0]) / 2**20


def has_bf16() -> bool:
    """Whether OpenVINO computes in bf16 on this processor, rather than in f32 when it is asked to."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def main() -> None:
    swath, resident, path, threads, rounds = sys.argv[1:]
    bench, program, folder = Bench(resident, Path(path), threads), Path(swath), Path(path)
    few = max(1, int(rounds) // 2)
    name, features = processor()
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in ("onnxruntime", "openvino"))
    print(f"{name}, {threads} threads; {versions}; {rounds} rounds of {COUNTED} runs ({few} or 1 after the first network)\n")
    print_row(HEADER)
    print_row(["---"] * len(HEADER))
    if not has_bf16():
        say("OpenVINO has no bf16 on this processor: its bf16 rows are computed in f32")
    if "avx512f" not in features:
        say("no AVX-512 on this processor: no rows for AVX2 beside it")
    engines = bench.time(fcn(program, folder, 512), int(rounds), with_avx2="avx512f" in features)
    others = statistics.mean(busy for engine in engines.values() for busy in engine.others)
    for side, turns in ((256, few), (1024, few), (2048, 1)):
        if available_gib() < side / 200:
            say(f"SKIPPED FCN-ResNet50 {side} x {side}: {available_gib():.1f} GiB of free memory are too few for all engines at once")
        else:
            bench.time(fcn(program, folder, side), turns)
    for name, file, shape in TRAINED:
        network = imported(program, folder, name, file, shape)
        if network:
            bench.time(network, few)
        else:
            say(f"SKIPPED {name}: no real data; set SWATH_DATA")
    print(f"\nIn the first rows, other processes kept {others:.1f} CPUs busy.")
    ratios = " ".join(
        f"{precision} {engines['swath', precision].minimum / engines['openvino', precision].minimum:.2f}"
        for precision in ("f32", "bf16")
    )
    print(f"swath/openvino {ratios}")


if __name__ == "__main__":
    main()
