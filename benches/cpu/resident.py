"""Processes that keep a network in memory and run it when told to, timed in turn so that a machine that drifts hits all of them alike."""

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

# Runs in a turn: the first finds other engines' values in the caches, and is not counted.
WARM_UP, COUNTED = 1, 2
# Thread pools of the engine before go on spinning for a while.
PAUSE = 0.15
# What scores may differ by from Swath's f32, relative to their standard deviation: at most, or in the mean where single scores near a class's
# border change.
TOLERANCE = {"f32": (np.max, 1e-3), "bf16": (np.mean, 0.05)}
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Engine:
    """What to start, what it is called in the table, and what is known of it so far."""

    name: str
    precision: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    in_the_mean: bool = False
    """Whether single scores may differ by more, and only their mean may not."""
    milliseconds: list[float] = field(default_factory=list)
    """Of all runs that count."""
    processor: list[float] = field(default_factory=list)
    """Milliseconds that its threads were running in each of them, which others on the machine hardly change."""
    others: list[float] = field(default_factory=list)
    """How many CPUs were busy with other processes in each of them."""
    difference: float = 0.0
    """The largest difference of a score from Swath's f32."""
    process: subprocess.Popen[str] = field(init=False)

    def start(self) -> None:
        environment = os.environ | self.environment
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment
        )

    def expect(self, answer: str) -> None:
        if self.answer() != answer:
            sys.exit(f"{self.name} {self.precision}: did not answer `{answer}`: {' '.join(self.command)}")

    def answer(self) -> str:
        return self.process.stdout.readline().strip()

    def run(self) -> float:
        self.process.stdin.write("run\n")
        return float(self.answer())

    def scores(self, path: Path) -> np.ndarray:
        self.process.stdin.write(f"scores {path}\n")
        self.expect("written")
        return load_file(path)["output"]

    def turn(self) -> None:
        """Runs a few times and notes how long the later runs took."""
        time.sleep(PAUSE)
        for _ in range(WARM_UP):
            self.run()
        for _ in range(COUNTED):
            machine, own, running = machine_ticks(), process_ticks(self.process.pid), running_ns(self.process.pid)
            milliseconds = self.run()
            foreign = machine_ticks() - machine - (process_ticks(self.process.pid) - own)
            self.milliseconds.append(milliseconds)
            self.processor.append((running_ns(self.process.pid) - running) / 1e6)
            self.others.append(max(foreign, 0) / TICKS / (milliseconds / 1e3))

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait()

    @property
    def minimum(self) -> float:
        return min(self.milliseconds)

    @property
    def median(self) -> float:
        return statistics.median(self.milliseconds)


def machine_ticks() -> int:
    """Ticks that all CPUs have been busy."""
    with open("/proc/stat") as file:
        user, nice, system, _idle, _wait, interrupts, soft, stolen = (int(n) for n in file.readline().split()[1:9])
    return user + nice + system + interrupts + soft + stolen


def process_ticks(pid: int) -> int:
    """Ticks that a process has been busy."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def running_ns(pid: int) -> int:
    """Nanoseconds that all threads of a process have been running."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def time_in_turn(engines: list[Engine], rounds: int, folder: Path) -> None:
    """Starts all engines, holds their scores against those of the first one, and times them in turn. A wrong engine ends the program."""
    for engine in engines:
        engine.start()
    for engine in engines:
        engine.expect("ready")
    expected = engines[0].scores(folder / "scores.safetensors")
    for engine in engines[1:]:
        differences = np.abs(engine.scores(folder / "scores.safetensors") - expected)
        engine.difference = float(differences.max())
        measure, tolerance = TOLERANCE[engine.precision]
        measure = np.mean if engine.in_the_mean else measure
        # NaN is not within the tolerance.
        if not measure(differences) <= tolerance * expected.std():
            sys.exit(f"{engine.name} {engine.precision}: scores differ by {engine.difference:g} from Swath's")
    for _ in range(rounds):
        for engine in engines:
            engine.turn()
    for engine in engines:
        engine.stop()
