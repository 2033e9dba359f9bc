"""Writes operators.safetensors and operators.json: what PyTorch computes for single operators, planar and volumetric.

    pip install numpy torch onnx onnxruntime safetensors
    python make_operators.py

operators.json lists the cases: `name`, `rank` and `op`, the latter as serde reads `swath_models::Op`; of an operator of two inputs also the
operator `before` it, which makes one of them of the case's input, and their order, `inputs`. The tensors of a case are
`{name}.input` and `{name}.output`, (channels, [depth,] height, width), and the operator's own: `{name}.weight`, `{name}.bias`,
`{name}.running_mean`, `{name}.running_var`, `{name}.codewords`, `{name}.scale`. All are f32; outputs are computed in f64 from the f32 inputs and rounded once.

Resizings that PyTorch does not have come from onnxruntime, in f32; their lengths are such that no rounding decides which value is nearest.
"""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper
from safetensors.numpy import save_file
from torch.nn import functional as F

RANKS = {"planar": 2, "volumetric": 3}

random = np.random.default_rng(20240229)
cases = []
tensors = {}


def normal(*shape, scale=1.0):
    return (scale * random.standard_normal(shape)).astype(np.float32)


def axes(values, neutral):
    """One value per axis as `Axes` has it; planar operators have the neutral value along z."""
    values = [neutral] * (3 - len(values)) + list(values)
    return dict(zip("zyx", values))


def padding(pairs):
    return axes([{"before": b, "after": a} for b, a in pairs], {"before": 0, "after": 0})


def double(array):
    """A batch of one in f64."""
    return torch.from_numpy(array).double()[None]


def outer(pairs):
    """(before, after) per axis, slowest first, as torch's `pad` wants them: fastest first."""
    return [n for pair in reversed(pairs) for n in pair]


def case(name, rank, op, x, y, **parameters):
    y = y[0].float().numpy() if isinstance(y, torch.Tensor) else y[0]
    cases.append({"name": name, "rank": rank, "op": op})
    for part, array in {"input": x, **parameters, "output": y}.items():
        assert f"{name}.{part}" not in tensors and array.dtype == np.float32
        tensors[f"{name}.{part}"] = np.ascontiguousarray(array)


def filled(value, length):
    return list(value) if isinstance(value, (tuple, list)) else [value] * length


def pairs_of(value, length):
    """A number, or a (before, after) pair per axis."""
    return [(n, n) for n in filled(value, length)] if not isinstance(value, list) else value


def conv(name, rank, inputs, outputs, extent, kernel, stride=1, pad=0, dilation=1, groups=1, bias=True):
    """`pad`: a number, or a list of (before, after) per axis."""
    n = RANKS[rank]
    kernel, stride, dilation, pad = filled(kernel, n), filled(stride, n), filled(dilation, n), pairs_of(pad, n)
    x, weight, b = normal(inputs, *extent), normal(outputs, inputs // groups, *kernel, scale=0.3), normal(outputs)
    function = F.conv2d if n == 2 else F.conv3d
    y = function(
        F.pad(double(x), outer(pad)),
        torch.from_numpy(weight).double(),
        torch.from_numpy(b).double() if bias else None,
        stride=stride,
        dilation=dilation,
        groups=groups,
    )
    op = {
        "op": "conv",
        "out_channels": outputs,
        "kernel": axes(kernel, 1),
        "stride": axes(stride, 1),
        "padding": padding(pad),
        "dilation": axes(dilation, 1),
        "groups": groups,
        "bias": bias,
    }
    case(name, rank, op, x, y, weight=weight, **({"bias": b} if bias else {}))


def conv_transpose(name, rank, inputs, outputs, extent, kernel, stride=1, pad=0, extra=0, dilation=1, groups=1, bias=True):
    """`pad`: a number, or a list of (before, after) per axis, then without `extra`: what is cut off the full result."""
    n = RANKS[rank]
    kernel, stride, dilation, extra = filled(kernel, n), filled(stride, n), filled(dilation, n), filled(extra, n)
    x, weight, b = normal(inputs, *extent), normal(inputs, outputs // groups, *kernel, scale=0.3), normal(outputs)
    function = F.conv_transpose2d if n == 2 else F.conv_transpose3d
    cut = isinstance(pad, list)
    y = function(
        double(x),
        torch.from_numpy(weight).double(),
        torch.from_numpy(b).double() if bias else None,
        stride=stride,
        padding=0 if cut else pad,
        output_padding=extra,
        dilation=dilation,
        groups=groups,
    )
    if cut:
        assert not any(extra)
        y = F.pad(y, [-n for n in outer(pad)])
    op = {
        "op": "conv_transpose",
        "out_channels": outputs,
        "kernel": axes(kernel, 1),
        "stride": axes(stride, 1),
        "padding": padding(pairs_of(pad, n)),
        "output_padding": axes(extra, 0),
        "dilation": axes(dilation, 1),
        "groups": groups,
        "bias": bias,
    }
    case(name, rank, op, x, y, weight=weight, **({"bias": b} if bias else {}))


def pool(name, rank, kind, extent, kernel, stride, pad=0):
    """`pad` as a list of (before, after) per axis only for the maximum."""
    n = RANKS[rank]
    kernel, stride, pairs = filled(kernel, n), filled(stride, n), pairs_of(pad, n)
    x = normal(3, *extent)
    if kind == "max":
        x -= 3  # mostly negative, so that padding taken for zeros would win
        function = F.max_pool2d if n == 2 else F.max_pool3d
        y = function(F.pad(double(x), outer(pairs), value=-np.inf), kernel, stride)
    else:
        function = F.avg_pool2d if n == 2 else F.avg_pool3d
        y = function(double(x), kernel, stride, pad, count_include_pad=kind == "average_with_padding")
    op = {"op": "pool", "kind": kind, "kernel": axes(kernel, 1), "stride": axes(stride, 1), "padding": padding(pairs)}
    case(name, rank, op, x, y)


def resize_op(interpolation, coordinates, to):
    to = {"to": "extent", "extent": axes(to, 1)}
    return {"op": "resize", "interpolation": interpolation, "coordinates": coordinates, "to": to}


def resize(name, rank, interpolation, coordinates, extent, to):
    """The resizings that PyTorch has."""
    mode = {
        ("linear", "half_pixel"): {"mode": "bilinear" if rank == "planar" else "trilinear", "align_corners": False},
        ("linear", "align_corners"): {"mode": "bilinear" if rank == "planar" else "trilinear", "align_corners": True},
        ("nearest_floor", "asymmetric"): {"mode": "nearest"},
        ("nearest_prefer_ceil", "half_pixel"): {"mode": "nearest-exact"},
    }[interpolation, coordinates]
    x = normal(2, *extent)
    case(name, rank, resize_op(interpolation, coordinates, to), x, F.interpolate(double(x), size=to, **mode))


def resize_onnx(name, rank, interpolation, coordinates, extent, to):
    """The resizings that only ONNX has."""
    nearest = {"nearest_floor": "floor", "nearest_prefer_floor": "round_prefer_floor", "nearest_prefer_ceil": "round_prefer_ceil"}
    x = normal(2, *extent)
    node = helper.make_node(
        "Resize",
        ["x", "", "", "sizes"],
        ["y"],
        mode="linear" if interpolation == "linear" else "nearest",
        nearest_mode=nearest.get(interpolation, "ceil"),
        coordinate_transformation_mode=coordinates,
    )
    sizes = helper.make_tensor("sizes", TensorProto.INT64, [len(to) + 2], [1, 2, *to])
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in [("x", (1, 2, *extent)), ("y", (1, 2, *to))]]
    graph = helper.make_graph([node], "resize", values[:1], values[1:], [sizes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    (y,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x[None]})
    case(name, rank, resize_op(interpolation, coordinates, to), x, y)


def pad(name, rank, fill, extent, pairs):
    mode = {"constant": "constant", "edge": "replicate", "reflect": "reflect"}[fill["fill"]]
    x = normal(2, *extent)
    value = {"value": fill["value"]} if mode == "constant" else {}
    y = F.pad(double(x), outer(pairs), mode=mode, **value)
    case(name, rank, {"op": "pad", "padding": padding(pairs), "fill": fill}, x, y)


def simple(name, op, function, channels=3, scale=1.0):
    """An operator without parameters, in both ranks."""
    for rank, extent in [("planar", (5, 7)), ("volumetric", (3, 5, 4))]:
        x = normal(channels, *extent, scale=scale)
        case(f"{name}_{rank}", rank, op, x, function(double(x)))


def per_channel(name, op, function, parts):
    """An operator with one value per channel and part, in both ranks."""
    for rank, extent in [("planar", (4, 7)), ("volumetric", (3, 2, 5))]:
        x = normal(5, *extent)
        parameters = {part: 0.5 + np.abs(normal(5)) if part == "running_var" else normal(5) for part in parts}
        y = function(double(x), *[torch.from_numpy(p).double() for p in parameters.values()])
        case(f"{name}_{rank}", rank, op, x, y, **parameters)


def two_inputs(name, rank, before, inputs, op, extent, function, x=None):
    """An operator of two inputs: the case's own, and what `before` makes of it; `inputs` says which comes first."""
    x = normal(2, *extent) if x is None else x
    case(name, rank, op, x, function(double(x)))
    cases[-1] |= {"before": before, "inputs": inputs}


def max_unpool(name, rank, extent, kernel, stride, ties=False):
    n = RANKS[rank]
    kernel, stride = filled(kernel, n), filled(stride, n)
    x = normal(3, *extent)
    if ties:  # whole numbers, many of them equal
        x = np.round(x)
    pool, unpool = (F.max_pool2d, F.max_unpool2d) if n == 2 else (F.max_pool3d, F.max_unpool3d)

    def function(x):
        values, indices = pool(x, kernel, stride, return_indices=True)
        return unpool(values, indices, kernel, stride, output_size=extent)

    sizes = {"kernel": axes(kernel, 1), "stride": axes(stride, 1)}
    before = {"op": "pool", "kind": "max", **sizes, "padding": padding([(0, 0)] * n)}
    two_inputs(name, rank, before, ["before", "input"], {"op": "max_unpool", **sizes}, extent, function, x)


def crop(name, rank, extent, to, before=None):
    """`before`: positions cut off per axis; none is the middle."""
    first = before or [(n - m) // 2 for n, m in zip(extent, to)]
    place = {"place": "middle"} if before is None else {"place": "after", "before": axes(before, 0)}
    like = resize_op("nearest_floor", "asymmetric", to)
    slices = (slice(None), slice(None), *[slice(b, b + n) for b, n in zip(first, to)])
    op = {"op": "crop", "place": place}
    two_inputs(name, rank, like, ["input", "before"], op, extent, lambda x: x[slices])


def bins(name, rank, extent, to):
    function = F.adaptive_avg_pool2d if RANKS[rank] == 2 else F.adaptive_avg_pool3d
    x = normal(3, *extent)
    case(name, rank, {"op": "adaptive_average_pool", "bins": axes(to, 1)}, x, function(double(x), to))


def encoding(name, rank, extent, codewords, channels):
    """The sums of Zhang et al. 2018, section 3.1, written out."""
    x, words, scale = normal(channels, *extent), normal(codewords, channels, scale=0.5), normal(codewords)
    residuals = double(x).flatten(2).mT[:, :, None] - torch.from_numpy(words).double()
    weights = (residuals.square().sum(-1) * torch.from_numpy(scale).double()).softmax(-1)
    sums = (residuals * weights[..., None]).sum(1)  # (1, codewords, channels)
    y = sums.reshape(1, codewords, *[1] * (RANKS[rank] - 1), channels)
    case(name, rank, {"op": "encoding", "codewords": codewords, "channels": channels}, x, y, codewords=words, scale=scale)


def normalisations():
    affine = {"op": "instance_norm", "epsilon": 1e-5, "affine": True}
    per_channel("instance_norm", affine, lambda x, w, b: F.instance_norm(x, weight=w, bias=b), ["weight", "bias"])
    plain = {"op": "instance_norm", "epsilon": 1e-3, "affine": False}
    simple("instance_norm_plain", plain, lambda x: F.instance_norm(x, eps=1e-3))
    for groups in [1, 5]:
        op = {"op": "group_norm", "groups": groups, "epsilon": 1e-5}
        per_channel(f"group_norm_{groups}", op, lambda x, w, b, groups=groups: F.group_norm(x, groups, w, b), ["weight", "bias"])
    for rank, extent in [("planar", (9, 11)), ("volumetric", (3, 4, 5))]:
        x, w, b = 3 + normal(6, *extent), normal(6), normal(6)
        y = F.group_norm(double(x), 3, torch.from_numpy(w).double(), torch.from_numpy(b).double())
        case(f"group_norm_3_{rank}", rank, {"op": "group_norm", "groups": 3, "epsilon": 1e-5}, x, y, weight=w, bias=b)
    l2 = {"op": "l2_norm", "epsilon": 1e-10}
    per_channel("l2_norm", l2, lambda x, w: (F.normalize(x, dim=1).movedim(1, -1) * w).movedim(-1, 1), ["weight"])


def activations():
    def activation(name, function):
        simple(name, {"op": "activation", "function": name}, function, scale=3.0)

    activation("hard_sigmoid", F.hardsigmoid)
    activation("hard_swish", F.hardswish)
    activation("silu", F.silu)
    per_channel("prelu", {"op": "prelu", "slopes": "per_channel"}, F.prelu, ["weight"])
    for rank, extent in [("planar", (4, 7)), ("volumetric", (3, 2, 5))]:
        x, w = normal(5, *extent), normal(1)
        y = F.prelu(double(x), torch.from_numpy(w).double())
        case(f"prelu_shared_{rank}", rank, {"op": "prelu", "slopes": "shared"}, x, y, weight=w)


def pieces():
    max_unpool("max_unpool_k2s2", "planar", (6, 8), 2, 2)
    max_unpool("max_unpool_k2s2_odd", "planar", (7, 9), 2, 2)
    max_unpool("max_unpool_ties", "planar", (10, 12), 2, 2, ties=True)
    max_unpool("max_unpool_gaps", "planar", (9, 11), 2, 3)
    max_unpool("max_unpool3_k2s2_odd", "volumetric", (5, 4, 7), 2, 2, ties=True)
    max_unpool("max_unpool3_in_plane", "volumetric", (3, 5, 6), (1, 2, 3), (1, 2, 3))
    crop("crop_middle", "planar", (9, 8), (6, 4))
    crop("crop_after", "planar", (9, 8), (4, 5), (3, 0))
    crop("crop3_middle", "volumetric", (5, 6, 7), (2, 6, 4))
    crop("crop3_after", "volumetric", (5, 6, 7), (2, 3, 4), (3, 1, 0))
    bins("bins_3x2", "planar", (5, 7), (3, 2))
    bins("bins_6", "planar", (13, 9), (6, 6))
    bins("bins_more_than_positions", "planar", (3, 4), (6, 6))
    bins("bins3", "volumetric", (4, 5, 7), (3, 2, 3))
    encoding("encoding", "planar", (6, 7), 4, 5)
    encoding("encoding_wide", "planar", (16, 17), 3, 18)
    encoding("encoding3", "volumetric", (3, 4, 5), 4, 5)
    for rank, extent in [("planar", (1, 5)), ("volumetric", (1, 1, 5))]:
        x = normal(4, *extent)
        y = double(x).reshape(1, 4, 5).mT.reshape(1, 5, *extent[:-1], 4)
        case(f"turn_{rank}", rank, {"op": "turn", "channels": 5, "width": 4}, x, y)


def convolutions():
    conv("conv_1x1", "planar", 5, 4, (7, 6), 1)
    conv("conv_1x1_stride2", "planar", 5, 4, (7, 6), 1, stride=2, bias=False)
    conv("conv_3x3", "planar", 3, 4, (9, 7), 3, pad=1)
    conv("conv_3x3_unpadded", "planar", 3, 4, (9, 7), 3)
    conv("conv_3x3_stride2", "planar", 3, 4, (9, 8), 3, stride=2, pad=1, bias=False)
    conv("conv_3x3_dilated", "planar", 3, 4, (11, 9), 3, pad=3, dilation=3)
    conv("conv_7x7_stride2", "planar", 3, 8, (15, 13), 7, stride=2, pad=3, bias=False)
    conv("conv_grouped", "planar", 6, 9, (7, 5), 3, pad=1, groups=3)
    conv("conv_depthwise", "planar", 6, 6, (7, 9), 3, pad=1, groups=6, bias=False)
    conv("conv_depthwise_multiplier", "planar", 4, 8, (7, 5), 5, stride=2, pad=2, groups=4)
    conv("conv_2x2", "planar", 3, 5, (7, 6), 2)
    conv("conv_4x4_stride4", "planar", 3, 5, (13, 9), 4, stride=4)
    conv("conv_asymmetric", "planar", 3, 4, (11, 13), (3, 5), stride=(2, 1), pad=[(1, 0), (0, 3)], dilation=(2, 1))
    conv("conv_padded_after", "planar", 3, 4, (8, 6), 3, stride=2, pad=[(0, 1), (0, 1)])
    conv("conv_wide_padding", "planar", 2, 3, (1, 2), 3, pad=4)
    conv("conv_many_channels", "planar", 17, 21, (9, 11), 3, pad=1)
    conv("conv_one_output", "planar", 33, 1, (5, 6), 1)
    conv("conv3_1x1x1", "volumetric", 5, 4, (3, 4, 5), 1)
    conv("conv3_3x3x3", "volumetric", 3, 4, (5, 7, 6), 3, pad=1)
    conv("conv3_stride2", "volumetric", 3, 4, (5, 7, 6), 3, stride=2, pad=1, bias=False)
    conv("conv3_dilated", "volumetric", 2, 3, (7, 6, 5), 3, pad=2, dilation=2)
    conv("conv3_grouped", "volumetric", 4, 6, (4, 5, 3), 3, pad=1, groups=2)
    conv("conv3_depthwise", "volumetric", 5, 5, (4, 5, 3), 3, pad=1, groups=5, bias=False)
    conv("conv3_in_plane", "volumetric", 3, 4, (3, 6, 7), (1, 3, 3), stride=(1, 2, 2), pad=[(0, 0), (1, 1), (1, 1)])
    conv("conv3_asymmetric", "volumetric", 2, 3, (5, 6, 7), (2, 3, 1), stride=(1, 2, 3), pad=[(1, 0), (0, 2), (1, 1)])


def transposed_convolutions():
    conv_transpose("conv_transpose_k2s2", "planar", 4, 3, (5, 7), 2, stride=2)
    conv_transpose("conv_transpose_k3s2", "planar", 4, 3, (5, 7), 3, stride=2, pad=1, extra=1, bias=False)
    conv_transpose("conv_transpose_k4s2", "planar", 4, 3, (5, 7), 4, stride=2, pad=1)
    conv_transpose("conv_transpose_k3s1", "planar", 4, 3, (5, 7), 3, pad=1)
    conv_transpose("conv_transpose_k2s3_gaps", "planar", 2, 3, (4, 5), 2, stride=3)
    conv_transpose("conv_transpose_extra_beyond", "planar", 2, 3, (4, 5), 3, stride=2, extra=1)
    conv_transpose("conv_transpose_grouped", "planar", 6, 4, (5, 3), 3, stride=2, pad=1, groups=2)
    conv_transpose("conv_transpose_depthwise", "planar", 3, 3, (5, 4), 4, stride=2, pad=1, groups=3, bias=False)
    conv_transpose("conv_transpose_dilated", "planar", 3, 4, (5, 7), 3, stride=2, pad=2, extra=1, dilation=2)
    conv_transpose("conv_transpose_asymmetric", "planar", 3, 2, (5, 4), (3, 4), stride=(2, 3), pad=[(1, 0), (0, 2)])
    conv_transpose("conv_transpose3_k2s2", "volumetric", 4, 3, (3, 2, 4), 2, stride=2)
    conv_transpose("conv_transpose3_k3s2", "volumetric", 3, 4, (3, 2, 4), 3, stride=2, pad=1, extra=1, bias=False)
    conv_transpose("conv_transpose3_k4s2", "volumetric", 2, 3, (3, 2, 4), 4, stride=2, pad=1)
    conv_transpose("conv_transpose3_in_plane", "volumetric", 3, 2, (3, 4, 5), (1, 2, 2), stride=(1, 2, 2))
    conv_transpose("conv_transpose3_grouped_dilated", "volumetric", 4, 6, (3, 3, 2), 3, stride=2, pad=1, dilation=2, groups=2)


def poolings():
    for kind in ["max", "average_with_padding", "average_inside"]:
        pool(f"{kind}_k3s2p1", "planar", kind, (9, 8), 3, 2, 1)
        pool(f"{kind}_k2s2_odd", "planar", kind, (7, 9), 2, 2)
        pool(f"{kind}3_k3s2p1", "volumetric", kind, (5, 6, 7), 3, 2, 1)
        pool(f"{kind}3_k2s2_odd", "volumetric", kind, (5, 4, 7), 2, 2)
        pool(f"{kind}3_in_plane", "volumetric", kind, (3, 5, 6), (1, 2, 3), (1, 2, 1))
    pool("max_k5s1p2", "planar", "max", (6, 7), 5, 1, 2)
    pool("max_padded_after", "planar", "max", (6, 5), 3, 2, [(0, 1), (0, 1)])
    pool("average_inside_k3s1p1", "planar", "average_inside", (5, 4), 3, 1, 1)


def resizings():
    for coordinates, short in [("half_pixel", "half"), ("align_corners", "corners")]:
        resize(f"linear_{short}_double", "planar", "linear", coordinates, (5, 7), (10, 14))
        resize(f"linear_{short}_up", "planar", "linear", coordinates, (5, 7), (13, 17))
        resize(f"linear_{short}_down", "planar", "linear", coordinates, (13, 9), (5, 4))
        resize(f"linear_{short}_mixed", "planar", "linear", coordinates, (13, 1), (1, 6))
        resize(f"linear3_{short}_double", "volumetric", "linear", coordinates, (3, 2, 4), (6, 4, 8))
        resize(f"linear3_{short}_mixed", "volumetric", "linear", coordinates, (3, 7, 4), (7, 3, 9))
    for interpolation, coordinates, short in [
        ("nearest_floor", "asymmetric", "nearest_floor"),
        ("nearest_prefer_ceil", "half_pixel", "nearest_exact"),
    ]:
        resize(f"{short}_double", "planar", interpolation, coordinates, (5, 3), (10, 6))
        resize(f"{short}_up", "planar", interpolation, coordinates, (5, 7), (13, 17))
        resize(f"{short}_down", "planar", interpolation, coordinates, (13, 8), (5, 4))
        resize(f"{short}3", "volumetric", interpolation, coordinates, (3, 7, 2), (7, 3, 4))
    resize_onnx("linear_asymmetric_up", "planar", "linear", "asymmetric", (5, 7), (13, 17))
    resize_onnx("linear_asymmetric_down", "planar", "linear", "asymmetric", (13, 9), (5, 4))
    resize_onnx("linear3_asymmetric", "volumetric", "linear", "asymmetric", (3, 5, 4), (6, 3, 8))
    for interpolation in ["nearest_floor", "nearest_prefer_floor", "nearest_prefer_ceil", "nearest_ceil"]:
        for coordinates, short in [("half_pixel", "half"), ("asymmetric", "asymmetric"), ("align_corners", "corners")]:
            # Along height every position is whole or a tie, exact in f32; along width none is, but for the ends.
            extent, to = {"half": ((8, 5), (4, 12)), "asymmetric": ((4, 5), (8, 13)), "corners": ((6, 5), (11, 12))}[short]
            resize_onnx(f"{interpolation}_{short}_onnx", "planar", interpolation, coordinates, extent, to)


def main():
    convolutions()
    transposed_convolutions()
    poolings()
    resizings()
    for fill in [{"fill": "constant", "value": 0.0}, {"fill": "constant", "value": -1.5}, {"fill": "edge"}, {"fill": "reflect"}]:
        name = "pad_zero" if fill.get("value") == 0 else f"pad_{fill['fill']}"
        pad(name, "planar", fill, (5, 4), [(2, 1), (0, 3)])
        pad(f"{name}3", "volumetric", fill, (3, 4, 5), [(1, 2), (0, 3), (4, 0)])
    simple("relu", {"op": "activation", "function": "relu"}, torch.relu)
    simple("leaky_relu", {"op": "activation", "function": "leaky_relu", "slope": 0.01}, lambda x: F.leaky_relu(x, 0.01))
    simple("sigmoid", {"op": "activation", "function": "sigmoid"}, torch.sigmoid, scale=20.0)
    simple("clip", {"op": "activation", "function": "clip", "min": -0.5, "max": 1.0}, lambda x: x.clamp(-0.5, 1.0))
    simple("clip_below", {"op": "activation", "function": "clip", "min": 0.25, "max": None}, lambda x: x.clamp(min=0.25))
    simple("clip_above", {"op": "activation", "function": "clip", "min": None, "max": 0.25}, lambda x: x.clamp(max=0.25))
    simple("softmax", {"op": "softmax"}, lambda x: x.softmax(1), channels=6)
    simple("softmax_large", {"op": "softmax"}, lambda x: x.softmax(1), scale=200.0)  # overflows without subtracting the maximum
    pools = {4: F.adaptive_avg_pool2d, 5: F.adaptive_avg_pool3d}
    simple("global_average_pool", {"op": "global_average_pool"}, lambda x: pools[x.ndim](x, 1))
    simple("channels", {"op": "channels", "start": 1, "count": 2}, lambda x: x[:, 1:3], channels=5)
    per_channel("affine", {"op": "affine"}, lambda x, w, b: (x.movedim(1, -1) * w + b).movedim(-1, 1), ["weight", "bias"])
    for name, epsilon in [("batch_norm", 1e-5), ("batch_norm_large_epsilon", 1e-3)]:
        per_channel(
            name,
            {"op": "batch_norm", "epsilon": epsilon},
            lambda x, w, b, m, v, epsilon=epsilon: F.batch_norm(x, m, v, w, b, eps=epsilon),
            ["weight", "bias", "running_mean", "running_var"],
        )
    normalisations()
    activations()
    pieces()
    folder = Path(__file__).parent
    (folder / "operators.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    save_file(tensors, folder / "operators.safetensors")
    for name in ["operators.json", "operators.safetensors"]:
        print(f"{name}: {(folder / name).stat().st_size} bytes")
    print(f"{len(cases)} cases")


if __name__ == "__main__":
    main()
