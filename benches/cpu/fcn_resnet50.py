"""FCN-ResNet50 with skip fusion as ONNX, from the weights of a model folder of `swath model new fcn_resnet50`."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

OPSET = 17
# Blocks of each of ResNet-50's stages.
STAGES = [3, 4, 6, 3]


class Builder:
    """Nodes and weights of a graph that grows; a value is its name."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}

    def push(self, operator: str, inputs: list[str], **attributes) -> str:
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants[name] = value
        return name

    def tensor(self, name: str) -> str:
        return self.constant(name, self.weights[name])

    def conv(self, x: str, name: str, stride: int = 1) -> str:
        kernel = self.weights[f"{name}.weight"].shape[2:]
        parts = [part for part in ("weight", "bias") if f"{name}.{part}" in self.weights]
        inputs = [x] + [self.tensor(f"{name}.{part}") for part in parts]
        pads = [side // 2 for side in kernel] * 2
        return self.push("Conv", inputs, kernel_shape=kernel, strides=[stride, stride], pads=pads)

    def batch_norm(self, x: str, name: str) -> str:
        parts = ("weight", "bias", "running_mean", "running_var")
        return self.push("BatchNormalization", [x] + [self.tensor(f"{name}.{part}") for part in parts], epsilon=1e-5)

    def conv_bn(self, x: str, conv: str, bn: str, stride: int = 1) -> str:
        return self.batch_norm(self.conv(x, conv, stride), bn)

    def relu(self, x: str) -> str:
        return self.push("Relu", [x])

    def bottleneck(self, x: str, name: str, stride: int) -> str:
        y = self.relu(self.conv_bn(x, f"{name}.conv1", f"{name}.bn1"))
        y = self.relu(self.conv_bn(y, f"{name}.conv2", f"{name}.bn2", stride))
        y = self.conv_bn(y, f"{name}.conv3", f"{name}.bn3")
        if f"{name}.downsample.0.weight" in self.weights:
            x = self.conv_bn(x, f"{name}.downsample.0", f"{name}.downsample.1", stride)
        return self.relu(self.push("Add", [y, x]))

    def head(self, x: str, name: str, sizes: str) -> str:
        attributes = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        return self.push("Resize", [self.conv(x, name), "", "", sizes], **attributes)


def export(model: Path, path: Path, side: int) -> None:
    """Writes the network that gives probabilities for one square tile of `side` pixels."""
    g = Builder(load_file(model / "weights.safetensors"))
    bands, classes = g.weights["conv1.weight"].shape[1], g.weights["head8.bias"].shape[0]
    x = g.relu(g.conv_bn("input", "conv1", "bn1", 2))
    x = g.push("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    maps = []
    for stage, blocks in enumerate(STAGES, 1):
        for block in range(blocks):
            x = g.bottleneck(x, f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1)
        maps.append(x)
    sizes = g.constant("sizes", np.array([1, classes, side, side], np.int64))
    score8, score16, score32 = (g.head(x, f"head{stride}", sizes) for x, stride in zip(maps[1:], (8, 16, 32)))
    logits = g.push("Add", [g.push("Add", [score8, score16]), score32])
    probabilities = g.push("Softmax", [logits], axis=1)
    assert g.constants.keys() - {sizes} == g.weights.keys(), "the weights are not those of an FCN-ResNet50"

    def value(name: str, channels: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, side, side])

    tensors = [numpy_helper.from_array(array, name) for name, array in g.constants.items()]
    graph = helper.make_graph(g.nodes, "fcn_resnet50", [value("input", bands)], [value(probabilities, classes)], tensors)
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(network, full_check=True)
    onnx.save(network, path)
