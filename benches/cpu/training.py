"""Times a step of training in Swath, in candle and in PyTorch in turn, on the same weights and batch, and prints a table: `make bench-training`.

    python training.py TRAINING FOLDER THREADS ROUNDS

TRAINING is the example of that name, FOLDER where weights and batches are kept. A step is forward, cross-entropy and Dice, backward and AdamW on a
batch of 8 x 256 x 256. The last line is the ratio of minimum times, Swath's over the faster one of PyTorch's in f32.
"""

import sys
from importlib.metadata import version
from pathlib import Path

import torch
from resident import COUNTED, Engine, time_in_turn
from safetensors.torch import save_file
from table import print_row
from training_step import BATCH, NETWORKS, SIDE

# Keeps freed blocks in the process: PyTorch's own allocator gives large ones back to the system after every step.
KEPT = {"MALLOC_MMAP_THRESHOLD_": str(2**32), "MALLOC_TRIM_THRESHOLD_": str(2**35), "MALLOC_TOP_PAD_": str(2**30)}
HEADER = ["network", "engine", "precision", "min ms", "median ms", "crops/s", "/ candle", "/ PyTorch f32", "difference"]


def main() -> None:
    training, path, threads, rounds = sys.argv[1:]
    folder = Path(path)
    print(f"{threads} threads; PyTorch {version('torch')}; {rounds} rounds of {COUNTED} steps, candle's of as many\n")
    print_row(HEADER)
    print_row(["---"] * len(HEADER))
    ratios = []
    for network, build in NETWORKS.items():
        torch.manual_seed(1)
        weights, batch = folder / f"{network}.safetensors", folder / "batch.safetensors"
        save_file({name: tensor.float() for name, tensor in build(2).state_dict().items() if tensor.ndim}, weights)
        tensors = {"input": torch.randn(BATCH, 3, SIDE, SIDE), "targets": torch.randint(0, 2, (BATCH, SIDE, SIDE)).float()}
        save_file(tensors, batch)

        def swath(engine: str) -> list[str]:
            return [training, network, engine, str(weights), str(batch), threads]

        def pytorch(mode: str) -> list[str]:
            script = str(Path(__file__).with_name("training_step.py"))
            return [sys.executable, script, network, mode, str(weights), str(batch), threads]

        engines = [
            Engine("swath", "f32", swath("fused")),
            Engine("candle", "f32", swath("candle")),
            Engine("PyTorch", "f32", pytorch("contiguous"), KEPT),
            Engine("PyTorch, channels last", "f32", pytorch("channels_last"), KEPT),
            Engine("PyTorch, channels last, default malloc", "f32", pytorch("channels_last")),
            Engine("PyTorch, channels last", "bf16", pytorch("bf16"), KEPT),
        ]
        time_in_turn(engines, int(rounds), folder)
        fastest = min(engine.minimum for engine in engines if engine.name.startswith("PyTorch") and engine.precision == "f32")
        for engine in engines:
            times = [engine.minimum, engine.median]
            figures = [f"{time:.0f}" for time in times] + [f"{BATCH / engine.minimum * 1e3:.1f}"]
            figures += [f"{engine.minimum / peer:.2f}" for peer in (engines[1].minimum, fastest)]
            print_row([network, engine.name, engine.precision, *figures, f"{engine.difference:.1e}"])
        ratios.append(f"{network} {engines[0].minimum / fastest:.2f}")
    print("\nswath/pytorch", *ratios)


if __name__ == "__main__":
    main()
