"""Where the time of labelling a generated CT of 512 x 512 x 300 voxels with MeshNet goes, stage by stage.

    python3 benches/volumes/stages.py SWATH FOLDER DATA [DEPTH]

SWATH is the binary, FOLDER is made, DATA holds `weights/meshnet`; numpy and onnx are needed. The volume is that of `stitch.py`, brought from 0.8 x 0.8 x 1.5 mm to
1.5 mm and its scores back; tiles are 128 voxels that share half with their neighbours, and those that the plan chooses with `--blend crop`, which share only
what the network's halo asks for. `outside the network` is the share of the run, by the clock, in which the network's threads did not compute.
"""

import json
import subprocess
import sys
from pathlib import Path

from stitch import measure, write_volume

VOLUME = {
    "axes": "SAR",
    "spacing": [1.5] * 3,
    "labels": "scores",
    "intensity": [{"type": "clip", "minimum": -160, "maximum": 240}, {"type": "min-max", "minimum": -160, "maximum": 240}],
}
HALVES = ["--tile", 128, "--overlap", 64, "--blend", "gaussian"]


def main():
    swath, folder, data = (Path(argument) for argument in sys.argv[1:4])
    depth = int(sys.argv[4]) if len(sys.argv) > 4 else 300
    folder.mkdir(parents=True, exist_ok=True)
    volume, model = folder / f"ct_{depth}.nii.gz", folder / "meshnet_ct"
    if not volume.exists():
        write_volume(volume, depth)
    if not model.exists():
        command = [swath, "model", "import", data / "weights/meshnet/meshnet11_gwm.onnx", "--bands", "ct", "--scaling", "none"]
        command += ["--classes", "other,white,grey", "--scores", "logits", "--output", model, "--volume", json.dumps(VOLUME)]
        subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    for options in (HALVES, ["--blend", "crop"]):
        options = [*options, "--max-memory", "8GiB", "--overwrite", "--json", "--timings"]
        turn = measure([swath, "segment", volume, "--model", model, "--output", folder / "stages.nii.gz", *options])
        timings = json.loads(turn.output)["timings"]
        print(f"{' '.join(map(str, options[:-5]))}: {timings['total_s']:.1f} s, {turn.gib:.2f} GiB")
        for name, stage in timings["stages"].items():
            print(f"  {name:10} {stage['busy_s']:7.2f} s on {stage['threads']} threads, {100 * stage['share']:5.1f} % of the run")
        print(f"  outside the network: {100 * (1 - timings['network_share']):.1f} %", flush=True)


if __name__ == "__main__":
    main()
