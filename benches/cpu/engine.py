"""OpenVINO and ONNX Runtime behind one interface, and as processes that stay: `python engine.py ENGINE PRECISION ONNX INPUT THREADS`.

The process answers as `models/examples/resident.rs` does: `ready` first, then for a line `run` the milliseconds of one tile, and for a line
`scores FILE` the word `written` once FILE has the tensor `output`. INPUT is a safetensors file with the tensor `input`, without a batch axis.
"""

import sys
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file


class OpenVino:
    """A network in OpenVINO, one request at a time."""

    def __init__(self, onnx: Path, precision: str, threads: int) -> None:
        import openvino

        hints = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
        self.request = openvino.Core().compile_model(onnx, "CPU", hints).create_infer_request()
        self.tensor = openvino.Tensor

    def run(self, batch: np.ndarray) -> np.ndarray:
        """The scores of a batch, valid until the next call."""
        self.request.set_input_tensor(self.tensor(batch, shared_memory=True))
        self.request.infer()
        return self.request.get_output_tensor().data


class OnnxRuntime:
    """A network in ONNX Runtime on its CPU provider, which has no bf16."""

    def __init__(self, onnx: Path, precision: str, threads: int) -> None:
        import onnxruntime

        assert precision == "f32", precision
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def run(self, batch: np.ndarray) -> np.ndarray:
        """The scores of a batch."""
        return self.session.run(None, {self.input: batch})[0]


ENGINES = {"openvino": OpenVino, "onnxruntime": OnnxRuntime}


def main() -> None:
    name, precision, onnx, tile, threads = sys.argv[1:]
    engine = ENGINES[name](Path(onnx), precision, int(threads))
    batch = load_file(tile)["input"][None]
    print("ready", flush=True)
    for line in sys.stdin:
        match line.split():
            case ["run"]:
                start = time.perf_counter()
                engine.run(batch)
                print((time.perf_counter() - start) * 1e3, flush=True)
            case ["scores", path]:
                save_file({"output": np.array(engine.run(batch)[0], np.float32)}, path)
                print("written", flush=True)


if __name__ == "__main__":
    main()
