"""Builds small ONNX models, one per form of an operator, with a random input and ONNX Runtime's output for it.

Writes `onnx/*.onnx` and `onnx/golden.safetensors` (tensors `{model}.input` and `{model}.output`) beside this script, and
`onnx/refused/*.onnx`: models that must not be imported, `onnx/hostile/*.onnx` among them: those that are made to hurt. Needs numpy, onnx, onnxruntime, safetensors and torch.
"""

import shutil
import zlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

FOLDER = Path(__file__).parent / "onnx"
REFUSED = FOLDER / "refused"
HOSTILE = FOLDER / "hostile"
FREE = ("n", 3, "h", "w")
GOLDEN = {}


class Model:
    """Nodes and constants of one model; every method returns the name of its output."""

    def __init__(self, name, opset=17, shape=FREE, run=(1, 3, 5, 7), ir=8):
        self.name, self.opset, self.shape, self.run, self.ir = name, opset, shape, run, ir
        self.random = np.random.RandomState(zlib.crc32(name.encode()) % 2**31)
        self.nodes, self.constants, self.metadata = [], [], {}
        self.old_inputs = False

    def op(self, operator, *inputs, outputs=1, named=True, **attributes):
        number = len(self.nodes)
        names = [f"v{number}" if i == 0 else f"v{number}_{i}" for i in range(outputs)]
        domain = attributes.pop("domain", "")
        node = helper.make_node(operator, list(inputs), names, name=f"/{operator.lower()}/{number}" if named else "", domain=domain, **attributes)
        self.nodes.append(node)
        return names[0] if outputs == 1 else names

    def weight(self, *shape):
        return self.const(self.random.normal(0, 0.5, shape).astype(np.float32))

    def const(self, values, dtype=None):
        array = np.asarray(values, dtype=dtype)
        self.constants.append(numpy_helper.from_array(array, f"c{len(self.constants)}"))
        return self.constants[-1].name

    def ints(self, *values):
        return self.const(np.array(values, np.int64))

    def scalar(self, value):
        return self.const(np.array(value, np.int64 if isinstance(value, int) else np.float32))

    def conv(self, x, channels, out, kernel=3, **attributes):
        sizes = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        weight = self.weight(out, channels // attributes.get("group", 1), *sizes)
        return self.op("Conv", x, weight, self.weight(out), **attributes)

    def proto(self, *outputs):
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)]
        if self.old_inputs:
            inputs += [helper.make_tensor_value_info(c.name, c.data_type, list(c.dims)) for c in self.constants]
        infos = [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs]
        graph = helper.make_graph(self.nodes, self.name, inputs, infos, self.constants)
        imports = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=self.ir)
        helper.set_model_props(model, self.metadata)
        return model

    def save(self, *outputs):
        golden(self.name, self.proto(*outputs).SerializeToString(), self.run, self.random)

    def refuse(self, *outputs, folder=REFUSED):
        (folder / f"{self.name}.onnx").write_bytes(self.proto(*outputs).SerializeToString())


def golden(name, model, run, random):
    path = FOLDER / f"{name}.onnx"
    path.write_bytes(model)
    x = random.normal(0, 1, run).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    GOLDEN[f"{name}.input"] = x
    GOLDEN[f"{name}.output"] = session.run([session.get_outputs()[0].name], {session.get_inputs()[0].name: x})[0]


def convolutions():
    for pad in ["SAME_UPPER", "SAME_LOWER", "VALID"]:
        m = Model(f"conv_{pad.lower()}")
        m.save(m.conv("x", 3, 4, kernel=(4, 3), auto_pad=pad, dilations=[1, 2] if pad == "VALID" else [1, 1]))
    for pad in ["SAME_UPPER", "SAME_LOWER"]:
        m = Model(f"conv_{pad.lower()}_strided", shape=(1, 3, 5, 8), run=(1, 3, 5, 8))
        m.save(m.conv("x", 3, 4, auto_pad=pad, strides=[2, 3]))
    m = Model("conv_grouped_strided", run=(1, 4, 9, 7), shape=("n", 4, "h", "w"))
    m.save(m.conv("x", 4, 6, kernel=(3, 2), group=2, strides=[2, 1], pads=[1, 0, 2, 1], dilations=[2, 1]))
    m = Model("conv_no_bias_unnamed")
    m.save(m.op("Conv", "x", m.weight(2, 3, 1, 1), named=False))
    m = Model("conv_3d", shape=("n", 2, "d", "h", "w"), run=(1, 2, 5, 5, 4))
    x = m.conv("x", 2, 3, kernel=(3, 3, 3), pads=[1, 1, 1, 1, 1, 1])
    x = m.op("MaxPool", m.op("Relu", x), kernel_shape=[1, 2, 2], strides=[1, 2, 2])
    m.save(m.op("Softmax", m.conv(x, 3, 2, kernel=(3, 1, 1), dilations=[2, 1, 1], pads=[2, 0, 0, 2, 0, 0]), axis=1))
    m = Model("conv_transpose_2x2")
    m.save(m.op("ConvTranspose", "x", m.weight(3, 2, 2, 2), m.weight(2), strides=[2, 2]))
    m = Model("conv_transpose_padded")
    attributes = dict(strides=[2, 3], pads=[1, 0, 1, 2], output_padding=[1, 2], dilations=[1, 2], group=3)
    m.save(m.op("ConvTranspose", "x", m.weight(3, 2, 3, 3), **attributes))
    for pad in ["SAME_UPPER", "SAME_LOWER"]:
        m = Model(f"conv_transpose_{pad.lower()}")
        m.save(m.op("ConvTranspose", "x", m.weight(3, 2, 3, 4), strides=[2, 3], auto_pad=pad))
    m = Model("conv_transpose_output_shape", shape=(1, 3, 5, 7))
    m.save(m.op("ConvTranspose", "x", m.weight(3, 2, 3, 3), strides=[2, 2], output_shape=[10, 14]))
    m = Model("conv_transpose_3d", shape=("n", 2, "d", "h", "w"), run=(1, 2, 3, 4, 5))
    m.save(m.op("ConvTranspose", "x", m.weight(2, 2, 2, 2, 2), strides=[2, 2, 2]))


def norms_and_activations():
    for name, opset in [("batch_norm_9", 9), ("batch_norm_15", 15)]:
        m = Model(name, opset=opset)
        variance = m.const(m.random.uniform(0.5, 2, 3).astype(np.float32))
        x = m.op("BatchNormalization", "x", m.weight(3), m.weight(3), m.weight(3), variance, epsilon=0.01)
        m.save(m.op("LeakyRelu", x, alpha=0.2))
    m = Model("sigmoid_relu")
    m.save(m.op("Sigmoid", m.op("Relu", "x")))
    m = Model("clip_attributes", opset=10)
    m.save(m.op("Clip", m.op("Clip", "x", min=-0.5, max=0.75), max=0.5))
    m = Model("clip_inputs")
    m.save(m.op("Clip", m.op("Clip", "x", m.scalar(-0.5), m.scalar(0.75)), "", m.scalar(0.5)))
    m = Model("softmax_13", opset=13)
    m.save(m.op("Softmax", "x", axis=-3))
    m = Model("softmax_11_transposed", opset=11)
    x = m.op("Transpose", "x", perm=[0, 3, 2, 1])
    m.save(m.op("Transpose", m.op("Softmax", x, axis=3), perm=[0, 3, 2, 1]))
    m = Model("dropout_identity_cast", opset=13)
    x = m.op("Dropout", "x", m.scalar(0.5), m.const(np.array(False)))
    m.save(m.op("Cast", m.op("Identity", x), to=TensorProto.FLOAT))


    m = Model("instance_norm")
    m.save(m.op("InstanceNormalization", "x", m.weight(3), m.weight(3), epsilon=0.01))
    for opset in [18, 21]:
        m = Model(f"group_norm_{opset}", opset=opset, shape=("n", 4, "h", "w"), run=(1, 4, 5, 7))
        count = 2 if opset == 18 else 4
        m.save(m.op("GroupNormalization", "x", m.weight(count), m.weight(count), num_groups=2, epsilon=0.01))
    m = Model("prelu")
    m.save(m.op("PRelu", m.op("PRelu", "x", m.weight(3, 1, 1)), m.weight(1)))
    m = Model("hard_activations")
    x = m.op("HardSwish", m.op("HardSigmoid", "x", alpha=1 / 6))
    m.save(m.op("HardSigmoid", x, alpha=0.3, beta=0.4))


def pools():
    for ceil in [0, 1]:
        m = Model(f"max_pool_ceil{ceil}")
        m.save(m.op("MaxPool", "x", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0], ceil_mode=ceil))
        m = Model(f"average_pool_inside_ceil{ceil}", opset=19)
        m.save(m.op("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=ceil))
    m = Model("average_pool_with_padding")
    m.save(m.op("AveragePool", "x", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 1, 0, 1], count_include_pad=1))
    m = Model("max_pool_same", shape=(1, 3, 5, 7))
    m.save(m.op("MaxPool", "x", kernel_shape=[2, 3], strides=[2, 2], auto_pad="SAME_UPPER"))
    m = Model("average_pool_same_lower")
    m.save(m.op("AveragePool", "x", kernel_shape=[2, 4], auto_pad="SAME_LOWER"))
    m = Model("squeeze_excite")
    gate = m.op("Sigmoid", m.conv(m.op("GlobalAveragePool", "x"), 3, 3, kernel=1))
    m.save(m.op("Mul", "x", gate))
    m = Model("max_pool_3d", shape=("n", 2, "d", "h", "w"), run=(1, 2, 5, 5, 4))
    m.save(m.op("MaxPool", "x", kernel_shape=[2, 2, 2], strides=[2, 2, 2], ceil_mode=1))


    m = Model("max_unpool", shape=(1, 3, 6, 8), run=(1, 3, 6, 8))
    window = dict(kernel_shape=[2, 2], strides=[2, 2])
    y, indices = m.op("MaxPool", "x", outputs=2, **window)
    m.save(m.op("MaxUnpool", m.op("Sigmoid", y), indices, **window))
    m = Model("max_unpool_to_shape")
    y, indices = m.op("MaxPool", "x", outputs=2, **window)
    m.save(m.op("MaxUnpool", y, indices, m.op("Shape", "x"), **window))
    m = Model("max_unpool_3d", shape=("n", 2, "d", "h", "w"), run=(1, 2, 5, 4, 6))
    window = dict(kernel_shape=[2, 1, 2], strides=[2, 2, 3])
    y, indices = m.op("MaxPool", "x", outputs=2, **window)
    m.save(m.op("MaxUnpool", y, indices, m.op("Shape", "x"), **window))
    for opset in [13, 18]:
        m = Model(f"reduce_mean_{opset}", opset=opset)
        y = m.op("ReduceMean", "x", m.ints(-1, 2)) if opset == 18 else m.op("ReduceMean", "x", axes=[2, 3])
        m.save(m.op("Mul", "x", y))


def arithmetic():
    m = Model("sum_and_product")
    a, b = m.conv("x", 3, 4, pads=[1] * 4), m.conv("x", 3, 4, kernel=1)
    m.save(m.op("Sub", m.op("Add", a, b), m.op("Mul", a, b)))
    m = Model("broadcast_channels")
    m.save(m.op("Mul", "x", m.conv("x", 3, 1, kernel=1)))
    m = Model("scalar_constants")
    x = m.op("Add", "x", m.scalar(0.5))
    x = m.op("Sub", m.scalar(1.0), x)
    x = m.op("Div", m.op("Mul", m.scalar(3.0), x), m.scalar(4.0))
    m.save(m.op("Sub", x, m.const(np.full((1, 1, 1, 1), 0.25, np.float32))))
    m = Model("channel_constants", ir=3, opset=9)
    m.old_inputs = True
    x = m.op("Sub", "x", m.weight(3, 1, 1))
    x = m.op("Div", x, m.const(np.array([0.5, 2, 3], np.float32).reshape(1, 3, 1, 1)))
    m.save(m.op("Sub", m.weight(3, 1, 1), m.op("Mul", m.weight(1, 3, 1, 1), x)))


def channels():
    m = Model("concat")
    m.save(m.op("Concat", "x", m.conv("x", 3, 2, kernel=1), "x", axis=1))
    m = Model("slice_9", opset=9)
    m.save(m.op("Slice", "x", axes=[1, 2], starts=[1, 0], ends=[3, 2**63 - 1]))
    m = Model("slice_crops", shape=(1, 3, 5, 7), run=(1, 3, 5, 7))
    y = m.op("Slice", "x", m.ints(1), m.ints(4), m.ints(2))
    y = m.op("Slice", y, m.ints(2), m.ints(-1), m.ints(3))
    m.save(m.op("Concat", y, m.conv("x", 3, 2, kernel=(3, 4)), axis=1))
    m = Model("slice_crops_channels", shape=(1, 3, 5, 7), run=(1, 3, 5, 7))
    m.save(m.op("Slice", "x", m.ints(1, 0, 2), m.ints(3, 2, 7), m.ints(1, 2, 3)))
    m = Model("slice_13_reversed", opset=13)
    m.save(m.op("Slice", "x", m.ints(-1), m.ints(-(2**62)), m.ints(1), m.ints(-1)))
    m = Model("gather_list")
    m.save(m.op("Gather", "x", m.ints(2, 0, 1), axis=1))
    m = Model("gather_scalar")
    m.save(m.op("Gather", "x", m.scalar(-1), axis=1))
    m = Model("split_attribute", opset=11)
    a, b = m.op("Split", "x", outputs=2, axis=1, split=[1, 2])
    m.save(m.op("Concat", b, a, axis=1))
    m = Model("split_input", opset=13)
    a, b = m.op("Split", "x", m.ints(2, 1), outputs=2, axis=-3)
    m.save(m.op("Mul", a, b))
    m = Model("split_num_outputs", opset=18)
    m.save(m.op("Split", "x", outputs=2, axis=1, num_outputs=2)[0])


def axes():
    m = Model("channels_last", opset=13, shape=("n", "h", "w", 3), run=(1, 5, 7, 3))
    x = m.op("Transpose", m.op("Sub", "x", m.weight(3)), perm=[0, 3, 1, 2])
    x = m.op("Transpose", m.conv(x, 3, 2, pads=[1] * 4), perm=[0, 2, 3, 1])
    m.save(m.op("Softmax", m.op("Add", x, m.weight(2)), axis=-1))
    m = Model("channels_last_fixed", opset=13, shape=(1, 5, 7, 3), run=(1, 5, 7, 3))
    x = m.op("Transpose", m.op("Mul", "x", m.scalar(0.5)), perm=[0, 3, 1, 2])
    m.save(m.op("Transpose", m.conv(x, 3, 2), perm=[0, 2, 3, 1]))
    m = Model("squeeze_11", opset=11)
    m.save(m.op("Squeeze", m.conv("x", 3, 1), axes=[1]))
    m = Model("squeeze_unsqueeze_13", opset=13)
    x = m.op("Squeeze", m.conv("x", 3, 1), m.ints(-3))
    m.save(m.conv(m.op("Unsqueeze", x, m.ints(1)), 1, 2))
    m = Model("reshape_fixed", shape=(1, 3, 5, 7))
    m.save(m.op("Reshape", m.conv("x", 3, 1, kernel=1), m.ints(1, 5, 7)))
    m = Model("reshape_by_shape")
    y = m.conv("x", 3, 1, kernel=1)
    shape = m.op("Shape", y)
    height, width = (m.op("Unsqueeze", m.op("Gather", shape, m.scalar(i)), m.ints(0)) for i in (2, 3))
    m.save(m.op("Reshape", y, m.op("Concat", m.ints(0), height, width, axis=0)))


def resizes():
    coordinates = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]
    for opset, mode in [(11, c) for c in coordinates] + [(19, "half_pixel_symmetric")]:
        m = Model(f"resize_{opset}_linear_{mode}", opset=opset)
        m.save(m.op("Resize", "x", m.const(np.zeros(0, np.float32)), m.const([1, 1, 2, 2], np.float32), mode="linear", coordinate_transformation_mode=mode))
    for nearest in ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]:
        for mode in ["half_pixel", "asymmetric"]:
            m = Model(f"resize_13_{nearest}_{mode}", opset=13)
            attributes = dict(coordinate_transformation_mode=mode, nearest_mode=nearest)
            m.save(m.op("Resize", "x", "", m.const([1, 1, 2, 3], np.float32), **attributes))
    m = Model("resize_10", opset=10)
    m.save(m.op("Resize", "x", m.const([1, 1, 3, 2], np.float32)))
    m = Model("resize_10_linear", opset=10)
    m.save(m.op("Resize", "x", m.const([1, 1, 2, 2], np.float32), mode="linear"))
    m = Model("resize_18_axes", opset=18)
    m.save(m.op("Resize", "x", "", m.const([3, 2], np.float32), axes=[3, 2], mode="linear"))
    m = Model("resize_fixed_sizes", shape=(1, 3, 5, 7))
    m.save(m.op("Resize", "x", "", "", m.ints(1, 3, 11, 13), mode="linear"))
    m = Model("resize_fixed_smaller", shape=(1, 3, 8, 6), run=(1, 3, 8, 6))
    m.save(m.op("Resize", "x", "", m.const([1, 1, 0.5, 0.5], np.float32), mode="linear"))
    m = Model("resize_align_corners_fraction")
    m.save(m.op("Resize", "x", "", m.const([1, 1, 1.5, 0.5], np.float32), mode="linear", coordinate_transformation_mode="align_corners"))
    m = Model("resize_like")
    small = m.op("MaxPool", "x", kernel_shape=[3, 2], strides=[3, 2])
    lengths = m.op("Slice", m.op("Shape", "x"), m.ints(2), m.ints(4), m.ints(0))
    first = m.op("Slice", m.op("Shape", small), m.ints(0), m.ints(2), m.ints(0))
    m.save(m.op("Resize", small, "", "", m.op("Concat", first, lengths, axis=0), mode="linear"))
    m = Model("resize_by_half")
    shape = m.op("Cast", m.op("Shape", "x", start=2), to=TensorProto.FLOAT)
    half = m.op("Cast", m.op("Floor", m.op("Div", shape, m.scalar(2.0))), to=TensorProto.INT64)
    m.save(m.op("Resize", "x", "", "", m.op("Concat", m.ints(1, 3), half, axis=0), mode="linear"))
    m = Model("resize_channels_last", shape=("n", "h", "w", 2), run=(1, 5, 7, 2))
    twice = m.op("Mul", m.op("Slice", m.op("Shape", "x"), m.ints(1), m.ints(3)), m.ints(2, 2))
    x = m.op("Transpose", "x", perm=[0, 3, 1, 2])
    sizes = m.op("Concat", m.op("Slice", m.op("Shape", x), m.ints(0), m.ints(2)), twice, axis=0)
    m.save(m.op("Resize", x, "", "", sizes, coordinate_transformation_mode="asymmetric", nearest_mode="floor"))
    m = Model("resize_3d", shape=("n", 1, "d", "h", "w"), run=(1, 1, 3, 4, 5))
    m.save(m.op("Resize", "x", "", m.const([1, 1, 2, 3, 2], np.float32), mode="linear"))
    m = Model("upsample_7", opset=7)
    m.save(m.op("Upsample", "x", scales=[1.0, 1.0, 2.0, 3.0]))
    m = Model("upsample_9_linear", opset=9)
    m.save(m.op("Upsample", "x", m.const([1, 1, 2, 2], np.float32), mode="linear"))
    m = Model("upsample_9_scales_from_shapes", opset=9)
    scales = [m.const([1], np.float32), m.const([1], np.float32)]
    for axis in (2, 3):
        length = m.op("Cast", m.op("Gather", m.op("Shape", "x"), m.ints(axis)), to=TensorProto.FLOAT)
        scales.append(m.op("Div", m.op("Floor", m.op("Mul", length, m.scalar(2.0))), length))
    m.save(m.op("Upsample", "x", m.op("Concat", *scales, axis=0)))


def pads():
    m = Model("pad_constant_10", opset=10)
    m.save(m.op("Pad", "x", pads=[0, 0, 1, 2, 0, 0, 0, 3], value=0.5))
    m = Model("pad_reflect_11", opset=11)
    m.save(m.op("Pad", "x", m.ints(0, 0, 2, 1, 0, 0, 1, 3), mode="reflect"))
    m = Model("pad_edge_13", opset=13)
    m.save(m.op("Pad", "x", m.ints(0, 0, 2, 0, 0, 0, 1, 1), mode="edge"))
    m = Model("pad_axes_18", opset=18)
    m.save(m.op("Pad", "x", m.ints(1, 2, 0, 3), m.scalar(-1.0), m.ints(-1, 2)))
    m = Model("pad_as_pytorch_writes_it")
    zeros = m.op("ConstantOfShape", m.ints(4), value=helper.make_tensor("z", TensorProto.INT64, [1], [0]))
    pairs = m.op("Reshape", m.op("Concat", m.ints(1, 2, 3, 0), zeros, axis=0), m.ints(-1, 2))
    swapped = m.op("Transpose", m.op("Slice", pairs, m.ints(-1), m.ints(-(2**63) + 1), m.ints(0), m.ints(-1)), perm=[1, 0])
    m.save(m.op("Pad", "x", m.op("Cast", m.op("Reshape", swapped, m.ints(-1)), to=TensorProto.INT64), mode="constant"))


def storage():
    values = np.random.RandomState(3).normal(0, 0.5, (2, 3, 1, 1)).astype(np.float16)
    for name, data_type, kept in [("float_data", TensorProto.FLOAT, values), ("double_data", TensorProto.DOUBLE, values), ("float16", TensorProto.FLOAT16, values)]:
        m = Model(f"store_{name}")
        weight = helper.make_tensor("w", data_type, kept.shape, kept.ravel().astype(np.float64 if data_type == TensorProto.DOUBLE else np.float32))
        m.constants.append(weight)
        m.save(m.op("Conv", "x", m.op("Cast", "w", to=TensorProto.FLOAT)))
    m = Model("store_external")
    y = m.op("Conv", "x", m.weight(2, 3, 1, 1), m.weight(2))
    model = m.proto(y)
    onnx.save(model, FOLDER / "store_external.onnx", save_as_external_data=True, location="store_external.bin", size_threshold=0)
    golden(m.name, (FOLDER / "store_external.onnx").read_bytes(), m.run, m.random)
    m = Model("metadata_and_dead_nodes")
    m.metadata = {"class_names": "a, b"}
    y = m.op("Relu", "x")
    m.op("NonZero", y)
    m.save(y)


class Fpn(torch.nn.Module):
    """Everything that PyTorch's exporter does around `Resize` and `Pad`."""

    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, 2, 1, bias=False), torch.nn.BatchNorm2d(4), torch.nn.ReLU6())
        self.deep = torch.nn.Sequential(torch.nn.Conv2d(4, 6, 3, 2, 1), torch.nn.SiLU())
        self.lateral, self.top = torch.nn.Conv2d(4, 5, 1), torch.nn.Conv2d(6, 5, 1)
        self.pool = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Conv2d(6, 5, 1))
        self.head = torch.nn.Conv2d(5, 2, 3)

    def forward(self, x):
        c1 = self.stem(x)
        c2 = self.deep(c1)
        context = F.interpolate(self.pool(c2), size=c2.shape[-2:], mode="bilinear", align_corners=False)
        p2 = self.top(c2) + context
        p1 = self.lateral(c1) + F.interpolate(p2, size=c1.shape[-2:], mode="nearest")
        y = self.head(F.pad(p1, (1, 1, 1, 1), mode="reflect"))
        y = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=True)
        return F.interpolate(y, size=x.shape[-2:], mode="bilinear", align_corners=False).softmax(1)


class Groups(torch.nn.Module):
    """A normalisation of groups, which PyTorch writes by reshapes, and the sum of a stack."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.GroupNorm(4, 8))
        self.other = torch.nn.Conv2d(3, 8, 1)
        for parameter in self.norm[1].parameters():
            torch.nn.init.uniform_(parameter)

    def forward(self, x):
        return torch.stack([F.relu(self.norm(x)), self.other(x), self.norm[0](x)]).sum(0)


def exported():
    torch.manual_seed(0)
    network = Fpn().eval()
    for opset in [11, 17]:
        path = FOLDER / f"pytorch_fpn_{opset}.onnx"
        free = {0: "n", 2: "h", 3: "w"}
        torch.onnx.export(network, torch.zeros(1, 3, 16, 24), str(path), opset_version=opset, dynamic_axes={"x": free}, input_names=["x"], dynamo=False)
        golden(path.stem, path.read_bytes(), (1, 3, 11, 13), np.random.RandomState(opset))
    path = FOLDER / "pytorch_groups_17.onnx"
    free = {0: "n", 2: "h", 3: "w"}
    torch.onnx.export(Groups().eval(), torch.zeros(1, 3, 8, 8), str(path), opset_version=17, dynamic_axes={"x": free}, input_names=["x"], dynamo=False)
    golden(path.stem, path.read_bytes(), (1, 3, 6, 9), np.random.RandomState(1))


def refused():
    m = Model("unknown_operator")
    m.refuse(m.op("LogSoftmax", "x", axis=1, named=False))
    m = Model("other_domain")
    m.refuse(m.op("Gelu", "x", domain="com.microsoft"))
    m = Model("several_outputs")
    m.refuse(m.op("Relu", "x"), m.op("Sigmoid", "x"))
    m = Model("softmax_over_width")
    m.refuse(m.op("Softmax", "x"))
    m = Model("softmax_11_flattens", opset=11)
    m.refuse(m.op("Softmax", "x", axis=1))
    m = Model("divides_tensors")
    m.refuse(m.op("Div", m.op("Relu", "x"), "x"))
    m = Model("constant_image")
    m.refuse(m.op("Add", "x", m.weight(1, 3, 5, 7)))
    m = Model("constant_adds_channels", shape=("n", 1, "h", "w"))
    m.refuse(m.op("Add", "x", m.weight(3, 1, 1)))
    m = Model("resize_cubic")
    m.refuse(m.op("Resize", "x", "", m.const([1, 1, 2, 2], np.float32), mode="cubic"))
    m = Model("resize_fraction")
    m.refuse(m.op("Resize", "x", "", m.const([1, 1, 0.5, 0.5], np.float32), mode="linear"))
    m = Model("resize_free_to_constant")
    m.refuse(m.op("Resize", "x", "", "", m.ints(1, 3, 16, 16), mode="linear"))
    m = Model("resize_pytorch_to_one", shape=(1, 3, 5, 4))
    m.refuse(m.op("Resize", "x", "", "", m.ints(1, 3, 10, 1), mode="linear", coordinate_transformation_mode="pytorch_half_pixel"))
    m = Model("resize_shape_plus_one")
    m.refuse(m.op("Resize", "x", "", "", m.op("Add", m.op("Shape", "x"), m.ints(0, 0, 1, 1)), mode="linear"))
    m = Model("resize_channels")
    m.refuse(m.op("Resize", "x", "", m.const([1, 2, 2, 2], np.float32)))
    m = Model("same_strided_free")
    m.refuse(m.conv("x", 3, 2, auto_pad="SAME_UPPER", strides=[2, 2]))
    m = Model("conv_channels")
    m.refuse(m.op("Conv", "x", m.weight(2, 4, 1, 1)))
    m = Model("conv_transposed_space")
    m.refuse(m.conv(m.op("Transpose", "x", perm=[0, 1, 3, 2]), 3, 2))
    m = Model("output_transposed_space")
    m.refuse(m.op("Transpose", "x", perm=[0, 1, 3, 2]))
    m = Model("pool_dilated")
    m.refuse(m.op("MaxPool", "x", kernel_shape=[2, 2], dilations=[2, 2]))
    m = Model("pool_ceil_beyond")
    m.refuse(m.op("MaxPool", "x", kernel_shape=[1, 1], strides=[2, 2], ceil_mode=1))
    m = Model("pool_indices")
    y, indices = m.op("MaxPool", "x", outputs=2, kernel_shape=[2, 2])
    m.refuse(m.op("Mul", y, m.op("Cast", indices, to=TensorProto.FLOAT)))
    window = dict(kernel_shape=[2, 2], strides=[2, 2])
    m = Model("unpool_free")
    m.refuse(m.op("MaxUnpool", *m.op("MaxPool", "x", outputs=2, **window), **window))
    m = Model("unpool_not_covered", shape=(1, 3, 5, 7))
    m.refuse(m.op("MaxUnpool", *m.op("MaxPool", "x", outputs=2, **window), **window))
    m = Model("unpool_other_window", shape=(1, 3, 6, 8))
    m.refuse(m.op("MaxUnpool", *m.op("MaxPool", "x", outputs=2, **window), kernel_shape=[2, 2], strides=[3, 3]))
    m = Model("unpool_overlapping", shape=(1, 3, 5, 7))
    window = dict(kernel_shape=[3, 3], strides=[2, 2])
    m.refuse(m.op("MaxUnpool", *m.op("MaxPool", "x", outputs=2, **window), **window))
    m = Model("unpool_without_indices", shape=(1, 3, 6, 8))
    m.refuse(m.op("MaxUnpool", "x", m.ints(0), **window))
    m = Model("groups_left", shape=("n", 4, "h", "w"))
    m.refuse(m.op("Relu", m.op("Reshape", "x", m.ints(0, 2, -1))))
    m = Model("stack_left")
    m.refuse(m.op("Relu", m.op("Unsqueeze", "x", m.ints(0))))
    m = Model("mean_over_channels")
    m.refuse(m.op("ReduceMean", "x", axes=[1]))
    m = Model("crop")
    m.refuse(m.op("Slice", "x", m.ints(1), m.ints(-1), m.ints(2)))
    m = Model("pad_channels")
    m.refuse(m.op("Pad", "x", m.ints(0, 1, 0, 0, 0, 0, 0, 0)))
    m = Model("pad_negative")
    m.refuse(m.op("Pad", "x", m.ints(0, 0, -1, 0, 0, 0, 0, 0)))
    m = Model("reshape_flattens")
    m.refuse(m.op("Reshape", "x", m.ints(0, 3, -1)))
    m = Model("batch_of_two", shape=(2, 3, "h", "w"))
    m.refuse(m.op("Relu", "x"))
    m = Model("half_fixed", shape=("n", 3, 7, "w"))
    m.refuse(m.op("Relu", "x"))
    m = Model("two_axes", shape=("n", 3))
    m.refuse(m.op("Relu", "x"))
    m = Model("old_opset", opset=6)
    m.refuse(m.op("Relu", "x"))
    m = Model("nan_weight")
    m.refuse(m.op("Mul", "x", m.scalar(float("nan"))))
    m = Model("divides_by_zero")
    m.refuse(m.op("Div", "x", m.scalar(0.0)))
    m = Model("external_outside")
    tensor = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2, 3, 1, 1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../store_external.bin")
    m.constants.append(tensor)
    m.refuse(m.op("Conv", "x", "w"))
    m = Model("casts_to_integers")
    m.refuse(m.op("Cast", "x", to=TensorProto.UINT8))


def hostile():
    """Short files that claim much; `hostile_onnx.rs` has more. The fuzz target starts from them."""
    m = Model("doubled_stack")
    value = m.op("Unsqueeze", "x", m.ints(0))
    for _ in range(34):
        value = m.op("Concat", value, value, axis=0)
    m.refuse(m.op("ReduceSum", value, m.ints(0), keepdims=0), folder=HOSTILE)
    m = Model("doubled_shape")
    value = m.ints(0)
    for _ in range(34):
        value = m.op("Concat", value, value, axis=0)
    m.refuse(m.op("Reshape", "x", value), folder=HOSTILE)
    m = Model("picked_channels", shape=("n", 1 << 24, "h", "w"))
    m.refuse(m.op("Slice", "x", m.ints(0), m.ints(1 << 40), m.ints(1), m.ints(2)), folder=HOSTILE)
    m = Model("long_side", shape=(1, 1, 1 << 40, 1))
    m.refuse(m.op("Slice", "x", m.ints(1), m.ints(1 << 40), m.ints(2)), folder=HOSTILE)
    m = Model("many_groups")
    m.refuse(m.op("ConvTranspose", "x", m.weight(3, 4, 1, 1), group=(1 << 63) - 1), folder=HOSTILE)
    m = Model("long_output_shape", shape=(1, 1, 1 << 40, 1))
    m.refuse(m.op("ConvTranspose", "x", m.weight(1, 1, 3, 1), output_shape=[1, 1], strides=[1 << 24, 1], dilations=[1 << 24, 1]), folder=HOSTILE)
    m = Model("long_dims_of_nothing")
    value = m.op("Constant", value=onnx.TensorProto(data_type=TensorProto.FLOAT, dims=[0, 1 << 40, 1 << 40]))
    m.refuse(m.op("Reshape", "x", m.op("Flatten", value)), folder=HOSTILE)


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    REFUSED.mkdir(parents=True)
    HOSTILE.mkdir()
    for build in [convolutions, norms_and_activations, pools, arithmetic, channels, axes, resizes, pads, storage, exported, refused, hostile]:
        build()
    save_file(GOLDEN, FOLDER / "golden.safetensors")
    (FOLDER / "golden.safetensors").chmod(0o644)
