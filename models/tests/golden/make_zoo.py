"""Writes zoo.safetensors and zoo.json: what independent PyTorch implementations compute for the networks of the zoo, and their state dicts.

    pip install numpy torch torchvision segmentation_models_pytorch monai safetensors
    python make_zoo.py [NETWORK ...]

Networks of torchvision, segmentation_models_pytorch and MONAI are the libraries' own. The others have no implementation that is still kept;
they are defined here (some in the scripts beside) from their papers and the authors' Caffe files, with the names of these. 3 bands, 4 classes.

Weights and inputs are not stored: every tensor is filled from its name by the generator of make_fcn_resnet50.py (u in [-1, 1)):

    `input`                          u
    `weight` of one axis             1 + 0.25 u
    `weight` of several              u * sqrt(6 / product of all axes but the first)
    `running_var`                    1 + 0.5 u
    `codewords`                      u
    `scale`                          0.02 u
    others                           0.1 u

zoo.safetensors, all f32; `fc6` and `fc7` of VGG-16 have 128 channels instead of 4096, which are nine tenths of all weights:
    {network}.{height}x{width}       (256)   of the logits (4, height, width) in C order, values k * 2654435761 modulo their number; computed in f64
                                             (f32 for the larger networks). Volumes: {depth}x{height}x{width}
zoo.json, by network:
    tensors, values                          how many
    hash                                     FNV-1a 64 of the lines "name axis axis ...\\n", sorted, in hexadecimal
What is only for training (`num_batches_tracked`, `aux_classifier.`) does not count.
"""

import json
import sys
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
from make_fcn_resnet50 import FcnResNet50, uniform
from make_networks import FcnResNet18, FcnSmall
from monai.networks.nets import BasicUNet
from monai.networks.nets import UNet as MonaiUNet
from safetensors.numpy import load_file, save_file
from torch import nn
from torch.nn import functional as F
from torchvision.models import resnet50, resnet101, segmentation
from torchvision.ops import FeaturePyramidNetwork

CLASSES = 4
SAMPLES = 256
NARROW = 128
PIECE = 1 << 18
CAFFE_VGG = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]


@lru_cache(maxsize=8)
def large(name, shape):
    return filled(name, shape)


def fill(name, shape):
    """The largest tensors are the same in several networks."""
    return large(name, shape) if np.prod(shape) > 10_000_000 else filled(name, shape)


def filled(name, shape):
    count, part = int(np.prod(shape)), name.split(".")[-1]
    if part in ("input", "codewords"):
        scale, shift = 1.0, 0.0
    elif part == "weight" and len(shape) == 1:
        scale, shift = 0.25, 1.0
    elif part == "weight":
        scale, shift = np.sqrt(6.0 / np.prod(shape[1:])), 0.0
    elif part == "running_var":
        scale, shift = 0.5, 1.0
    else:
        scale, shift = 0.02 if part == "scale" else 0.1, 0.0
    values = np.empty(count, np.float32)
    # In pieces that stay in the processor's caches.
    for start in range(0, count, PIECE):
        u = uniform(name, min(PIECE, count - start), start)
        values[start : start + PIECE] = shift + scale * u
    return values.reshape(shape)


def resize(x, like, align_corners=False):
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=align_corners)


class Vgg(nn.Module):
    """The convolutions of a Caffe VGG-16 as `conv1_1` and so on; the forward pass is the networks'."""

    classifier = 4096
    """Channels of `fc6` and `fc7`, where there are such."""

    def __init__(self, bn=None, dilation5=1, padding=True, first_padding=None):
        super().__init__()
        channels = 3
        self.bn = bn
        for stage, (width, count) in enumerate(CAFFE_VGG, 1):
            dilation = dilation5 if stage == 5 else 1
            for place in range(1, count + 1):
                pad = dilation if padding else 0
                if (stage, place) == (1, 1) and first_padding is not None:
                    pad = first_padding
                self.add_module(f"conv{stage}_{place}", nn.Conv2d(channels, width, 3, padding=pad, dilation=dilation))
                if bn:
                    self.add_module(bn.format(f"{stage}_{place}"), nn.BatchNorm2d(width))
                channels = width

    def stage(self, x, stage):
        for place in range(1, CAFFE_VGG[stage - 1][1] + 1):
            x = getattr(self, f"conv{stage}_{place}")(x)
            if self.bn:
                x = getattr(self, self.bn.format(f"{stage}_{place}"))(x)
            x = F.relu(x)
        return x


def bilinear_weight(channels, kernel):
    """The kernel of bilinear interpolation, each channel by itself (Long et al.)."""
    factor = (kernel + 1) // 2
    center = factor - 1 if kernel % 2 else factor - 0.5
    line = 1 - (torch.arange(kernel, dtype=torch.float64) - center).abs() / factor
    weight = torch.zeros(channels, channels, kernel, kernel, dtype=torch.float64)
    for channel in range(channels):
        weight[channel, channel] = line[:, None] * line
    return weight


class FcnVgg16(Vgg):
    def __init__(self, stride, bilinear=False):
        super().__init__(first_padding=100)
        self.stride, self.bilinear = stride, bilinear
        width = self.classifier
        self.fc6, self.fc7 = nn.Conv2d(512, width, 7), nn.Conv2d(width, width, 1)
        self.score_fr = nn.Conv2d(width, CLASSES, 1)
        ups = {32: {"upscore": 32}, 16: {"upscore2": 2, "upscore16": 16}, 8: {"upscore2": 2, "upscore_pool4": 2, "upscore8": 8}}
        self.ups = ups[stride]
        if not bilinear:
            for name, factor in self.ups.items():
                self.add_module(name, nn.ConvTranspose2d(CLASSES, CLASSES, 2 * factor, factor, bias=False))
        if stride < 32:
            self.score_pool4 = nn.Conv2d(512, CLASSES, 1)
        if stride < 16:
            self.score_pool3 = nn.Conv2d(256, CLASSES, 1)

    def up(self, x, name):
        factor = self.ups[name]
        if self.bilinear:
            return F.conv_transpose2d(x, bilinear_weight(CLASSES, 2 * factor).to(x.dtype), stride=factor)
        return getattr(self, name)(x)

    def forward(self, image):
        x, pools = image, {}
        for stage in range(1, 6):
            x = F.max_pool2d(self.stage(x, stage), 2, 2, ceil_mode=True)
            pools[stage] = x
        x = self.score_fr(F.relu(self.fc7(F.relu(self.fc6(x)))))

        def fuse(x, scores, at):
            return x + scores[:, :, at : at + x.shape[2], at : at + x.shape[3]]

        if self.stride == 32:
            x, at = self.up(x, "upscore"), 19
        else:
            x = fuse(self.up(x, "upscore2"), self.score_pool4(pools[4]), 5)
            if self.stride == 16:
                x, at = self.up(x, "upscore16"), 27
            else:
                x = fuse(self.up(x, "upscore_pool4"), self.score_pool3(pools[3]), 9)
                x, at = self.up(x, "upscore8"), 31
        return x[:, :, at : at + image.shape[2], at : at + image.shape[3]]


class SegNet(Vgg):
    def __init__(self):
        super().__init__(bn="conv{}_bn")
        channels = 512
        for stage in range(5, 0, -1):
            width, count = CAFFE_VGG[stage - 1]
            for place in range(count, 0, -1):
                out = width if place > 1 else CAFFE_VGG[stage - 2][0] if stage > 1 else CLASSES
                self.add_module(f"conv{stage}_{place}_D", nn.Conv2d(channels, out, 3, padding=1))
                if (stage, place) != (1, 1):
                    self.add_module(f"conv{stage}_{place}_D_bn", nn.BatchNorm2d(out))
                channels = out

    def forward(self, x):
        kept = []
        for stage in range(1, 6):
            x = self.stage(x, stage)
            size = x.shape
            x, indices = F.max_pool2d(x, 2, 2, return_indices=True)
            kept.append((size, indices))
        for stage in range(5, 0, -1):
            size, indices = kept.pop()
            x = F.max_unpool2d(x, indices, 2, 2, output_size=size[2:])
            for place in range(CAFFE_VGG[stage - 1][1], 0, -1):
                x = getattr(self, f"conv{stage}_{place}_D")(x)
                if (stage, place) != (1, 1):
                    x = F.relu(getattr(self, f"conv{stage}_{place}_D_bn")(x))
        return x


class DeconvNet(Vgg):
    def __init__(self):
        super().__init__(bn="bn{}")
        width = self.classifier
        self.fc6, self.bnfc6 = nn.Conv2d(512, width, 7), nn.BatchNorm2d(width)
        self.fc7, self.bnfc7 = nn.Conv2d(width, width, 1), nn.BatchNorm2d(width)
        self.add_module("fc6-deconv", nn.ConvTranspose2d(width, 512, 7))
        self.add_module("fc6-deconv-bn", nn.BatchNorm2d(512))
        channels = 512
        for stage in range(5, 0, -1):
            width, count = CAFFE_VGG[stage - 1]
            for place in range(1, count + 1):
                out = CAFFE_VGG[stage - 2][0] if place == count and stage > 1 else width
                self.add_module(f"deconv{stage}_{place}", nn.ConvTranspose2d(channels, out, 3, padding=1))
                self.add_module(f"debn{stage}_{place}", nn.BatchNorm2d(out))
                channels = out
        self.add_module("seg-score", nn.Conv2d(64, CLASSES, 1))

    def forward(self, x):
        kept = []
        for stage in range(1, 6):
            x = self.stage(x, stage)
            size = x.shape
            x, indices = F.max_pool2d(x, 2, 2, return_indices=True)
            kept.append((size, indices))
        x = F.relu(self.bnfc6(self.fc6(x)))
        x = F.relu(self.bnfc7(self.fc7(x)))
        x = F.relu(getattr(self, "fc6-deconv-bn")(getattr(self, "fc6-deconv")(x)))
        for stage in range(5, 0, -1):
            size, indices = kept.pop()
            x = F.max_unpool2d(x, indices, 2, 2, output_size=size[2:])
            for place in range(1, CAFFE_VGG[stage - 1][1] + 1):
                x = F.relu(getattr(self, f"debn{stage}_{place}")(getattr(self, f"deconv{stage}_{place}")(x)))
        return getattr(self, "seg-score")(x)


class UNet(nn.Module):
    """The paper's, and what became usual."""

    def __init__(self, widths=(16, 32, 64, 128, 256), valid=False, norm="batch", bilinear=False, dims=2):
        super().__init__()
        self.valid, self.dims = valid, dims
        conv = nn.Conv2d if dims == 2 else nn.Conv3d
        transposed = nn.ConvTranspose2d if dims == 2 else nn.ConvTranspose3d
        norms = {
            "batch": nn.BatchNorm2d if dims == 2 else nn.BatchNorm3d,
            "instance": partial(nn.InstanceNorm2d, affine=True),
            None: None,
        }

        def block(inputs, width):
            layers = []
            for channels in (inputs, width):
                layers.append(conv(channels, width, 3, padding=0 if valid else 1, bias=norm != "batch"))
                layers += [norms[norm](width)] if norm else []
                layers.append(nn.ReLU())
            return nn.Sequential(*layers)

        def up(inputs, width):
            if bilinear:
                return nn.Sequential(nn.Identity(), conv(inputs, width, 1))
            return transposed(inputs, width, 2, stride=2)

        self.bilinear = bilinear
        self.down = nn.ModuleList(block(*pair) for pair in zip((3, *widths), widths))
        steps = widths[-2::-1]
        self.up = nn.ModuleList(up(*pair) for pair in zip(widths[::-1], steps))
        self.dec = nn.ModuleList(block(2 * width, width) for width in steps)
        self.head = conv(widths[0], CLASSES, 1)

    def forward(self, x):
        pool = F.max_pool2d if self.dims == 2 else F.max_pool3d
        x = self.down[0](x)
        levels = []
        for block in self.down[1:]:
            levels.append(x)
            x = block(pool(x, 2))
        at = 4  # where the coarser level lies in the finer: the middle for extents that every pooling halves
        for up, dec in zip(self.up, self.dec):
            finer = levels.pop()
            x = up(resize(x, finer) if self.bilinear else x)
            if self.valid:
                finer = finer[:, :, at : at + x.shape[2], at : at + x.shape[3]]
                at = 2 * (at + 4)
            x = dec(torch.cat([finer, x], 1))
        return self.head(x)


class Dilated(Vgg):
    def __init__(self, context):
        super().__init__(dilation5=2, padding=False)
        width = self.classifier
        self.fc6, self.fc7 = nn.Conv2d(512, width, 7, dilation=4), nn.Conv2d(width, width, 1)
        self.add_module("fc-final", nn.Conv2d(width, CLASSES, 1))
        self.context = context
        channels = CLASSES
        for name, factor, dilation in self.layers() if context else []:
            padding = 33 if name == "ctx_conv1_1" else 0
            self.add_module(name, nn.Conv2d(channels, factor * CLASSES, 3, padding=padding, dilation=dilation))
            channels = factor * CLASSES
        if context:
            self.ctx_final = nn.Conv2d(channels, CLASSES, 1)

    @staticmethod
    def layers():
        names = ["ctx_conv1_1", "ctx_conv1_2", "ctx_conv2_1", "ctx_conv3_1", "ctx_conv4_1", "ctx_conv5_1", "ctx_fc1"]
        return zip(names, (2, 2, 4, 8, 16, 32, 32), (1, 1, 2, 4, 8, 16, 1))

    def forward(self, image):
        x = F.pad(image, (186,) * 4, mode="reflect")
        for stage in range(1, 6):
            x = self.stage(x, stage)
            if stage <= 3:
                x = F.max_pool2d(x, 2, 2, ceil_mode=True)
        x = getattr(self, "fc-final")(F.relu(self.fc7(F.relu(self.fc6(x)))))
        if self.context:
            for name, _, _ in self.layers():
                x = F.relu(getattr(self, name)(x))
            x = self.ctx_final(x)
        x = F.interpolate(x, scale_factor=8, mode="bilinear", align_corners=False)
        return x[:, :, : image.shape[2], : image.shape[3]]


class LargeFov(Vgg):
    """VGG-16 up to the fifth stage at stride 8."""

    def __init__(self):
        super().__init__(dilation5=2)

    @staticmethod
    def enlarge(scores, image):
        """Scores lie on every eighth pixel; coinciding corners, as the authors' Interp layer has them."""
        size = [8 * (side - 1) + 1 for side in scores.shape[2:]]
        x = F.interpolate(scores, size=size, mode="bilinear", align_corners=True)
        return x[:, :, : image.shape[2], : image.shape[3]]

    def features(self, x):
        for stage in range(1, 6):
            x = self.stage(x, stage)
            x = F.max_pool2d(x, 3, 2, 1, ceil_mode=True) if stage <= 3 else F.max_pool2d(x, 3, 1, 1)
        return x


class DeepLabV1(LargeFov):
    def __init__(self):
        super().__init__()
        self.fc6 = nn.Conv2d(512, 1024, 3, padding=12, dilation=12)
        self.fc7, self.fc8 = nn.Conv2d(1024, 1024, 1), nn.Conv2d(1024, CLASSES, 1)

    def forward(self, image):
        x = F.avg_pool2d(self.features(image), 3, 1, 1)
        return self.enlarge(self.fc8(F.relu(self.fc7(F.relu(self.fc6(x))))), image)


class DeepLabV2(LargeFov):
    def __init__(self):
        super().__init__()
        for branch, rate in enumerate((6, 12, 18, 24), 1):
            self.add_module(f"fc6_{branch}", nn.Conv2d(512, 1024, 3, padding=rate, dilation=rate))
            self.add_module(f"fc7_{branch}", nn.Conv2d(1024, 1024, 1))
            self.add_module(f"fc8_{branch}", nn.Conv2d(1024, CLASSES, 1))

    def forward(self, image):
        x = self.features(image)
        scores = []
        for branch in range(1, 5):
            fc6, fc7, fc8 = (getattr(self, f"{layer}_{branch}") for layer in ("fc6", "fc7", "fc8"))
            scores.append(fc8(F.relu(fc7(F.relu(fc6(x))))))
        return self.enlarge(sum(scores), image)


class Backbone(nn.Module):
    """A torchvision ResNet as a part, giving the maps after the stem and each stage."""

    def __init__(self, make, **options):
        super().__init__()
        net = make(weights=None, **options)
        for name, child in net.named_children():
            if name not in ("avgpool", "fc"):
                self.add_module(name, child)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        maps = [x]
        x = self.maxpool(x)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            maps.append(x)
        return maps


def dilate(stage, rate):
    """All blocks of a stage at stride 1 with the same dilation, or one for each."""
    rates = rate if isinstance(rate, (list, tuple)) else [rate] * len(stage)
    for block, rate in zip(stage, rates):
        block.conv2.stride, block.conv2.dilation, block.conv2.padding = (1, 1), (rate, rate), (rate, rate)
        if block.downsample is not None:
            block.downsample[0].stride = (1, 1)


class DeepLabV2ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = Backbone(resnet101)
        dilate(self.backbone.layer3, 2)
        dilate(self.backbone.layer4, 4)
        self.aspp = nn.Module()
        for branch, rate in enumerate((6, 12, 18, 24)):
            self.aspp.add_module(f"c{branch}", nn.Conv2d(2048, CLASSES, 3, padding=rate, dilation=rate))

    def forward(self, image):
        x = self.backbone(image)[-1]
        return resize(sum(conv(x) for conv in self.aspp.children()), image)


class DeepLabV3Cascade(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = Backbone(resnet50)
        for number, rate in ((4, 2), (5, 4), (6, 8), (7, 16)):
            if number > 4:
                # A copy of the last stage, whose first block has nothing to widen any more.
                stage = resnet50(weights=None).layer4
                stage[0].conv1 = nn.Conv2d(2048, 512, 1, bias=False)
                stage[0].downsample = None
                self.backbone.add_module(f"layer{number}", stage)
            dilate(getattr(self.backbone, f"layer{number}"), [rate, 2 * rate, rate])
        self.classifier = nn.Conv2d(2048, CLASSES, 1)

    def forward(self, image):
        x = self.backbone(image)[-1]
        for number in (5, 6, 7):
            x = getattr(self.backbone, f"layer{number}")(x)
        return resize(self.classifier(x), image)


class ResidualUnit(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(F.relu(x))))


class RefineBlock(nn.Module):
    def __init__(self, inputs, width, coarser=None):
        super().__init__()
        self.reduce = nn.Conv2d(inputs, width, 3, padding=1, bias=False)
        paths = [width] + ([coarser] if coarser else [])
        self.adapt = nn.ModuleList(nn.Sequential(ResidualUnit(path), ResidualUnit(path)) for path in paths)
        if coarser:
            self.fuse = nn.ModuleList(nn.Conv2d(path, width, 3, padding=1, bias=False) for path in paths)
        self.pool = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.output = nn.Sequential(ResidualUnit(width))

    def forward(self, x, coarser=None):
        x = self.adapt[0](self.reduce(x))
        if coarser is not None:
            x = self.fuse[0](x)
            x = x + resize(self.fuse[1](self.adapt[1](coarser)), x)
        x = F.relu(x)
        path = x
        for conv in self.pool:
            path = conv(F.max_pool2d(path, 5, 1, 2))
            x = x + path
        return self.output(x)


class RefineNet(nn.Module):
    def __init__(self, make):
        super().__init__()
        self.backbone = Backbone(make)
        self.refine4 = RefineBlock(2048, 512)
        self.refine3 = RefineBlock(1024, 256, 512)
        self.refine2 = RefineBlock(512, 256, 256)
        self.refine1 = RefineBlock(256, 256, 256)
        self.output = nn.Sequential(ResidualUnit(256), ResidualUnit(256))
        self.classifier = nn.Conv2d(256, CLASSES, 3, padding=1)

    def forward(self, image):
        _, s4, s8, s16, s32 = self.backbone(image)
        x = self.refine3(s16, self.refine4(s32))
        x = self.refine1(s4, self.refine2(s8, x))
        return resize(self.classifier(self.output(x)), image)


class GlobalConvolution(nn.Module):
    def __init__(self, inputs, kernel=15):
        super().__init__()
        column, row = {"kernel_size": (kernel, 1), "padding": (kernel // 2, 0)}, {"kernel_size": (1, kernel), "padding": (0, kernel // 2)}
        self.conv_l1, self.conv_l2 = nn.Conv2d(inputs, CLASSES, **column), nn.Conv2d(CLASSES, CLASSES, **row)
        self.conv_r1, self.conv_r2 = nn.Conv2d(inputs, CLASSES, **row), nn.Conv2d(CLASSES, CLASSES, **column)

    def forward(self, x):
        return self.conv_l2(self.conv_l1(x)) + self.conv_r2(self.conv_r1(x))


class BoundaryRefinement(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(CLASSES, CLASSES, 3, padding=1)
        self.conv2 = nn.Conv2d(CLASSES, CLASSES, 3, padding=1)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x)))


class Gcn(nn.Module):
    def __init__(self, make):
        super().__init__()
        self.backbone = Backbone(make)
        for number, inputs in enumerate((2048, 1024, 512, 256), 1):
            self.add_module(f"gcm{number}", GlobalConvolution(inputs))
        for number in range(1, 10):
            self.add_module(f"brm{number}", BoundaryRefinement())

    def forward(self, image):
        s2, s4, s8, s16, s32 = self.backbone(image)
        scores = [
            getattr(self, f"brm{number}")(getattr(self, f"gcm{number}")(x)) for number, x in enumerate((s32, s16, s8, s4), 1)
        ]
        x = scores[0]
        for number, finer in enumerate(scores[1:], 5):
            x = getattr(self, f"brm{number}")(resize(x, finer) + finer)
        x = self.brm8(resize(x, s2))
        return self.brm9(resize(x, image))


class L2Norm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return x / (x.square().sum(1, keepdim=True) + 1e-10).sqrt() * self.weight[:, None, None]


class ParseNet(LargeFov):
    def __init__(self):
        super().__init__()
        self.fc6 = nn.Conv2d(512, 1024, 3, padding=12, dilation=12)
        self.fc7 = nn.Conv2d(1024, 1024, 1)
        self.fc7_norm, self.pool6_norm = L2Norm(1024), L2Norm(1024)
        self.fc8 = nn.Conv2d(2048, CLASSES, 1)

    def forward(self, image):
        x = F.relu(self.fc7(F.relu(self.fc6(self.features(image)))))
        mean = self.pool6_norm(x.mean((2, 3), keepdim=True))
        scores = self.fc8(torch.cat([self.fc7_norm(x), mean.expand(-1, -1, *x.shape[2:])], 1))
        return self.enlarge(scores, image)


class Encoding(nn.Module):
    def __init__(self, channels, codewords):
        super().__init__()
        self.codewords = nn.Parameter(torch.zeros(codewords, channels))
        self.scale = nn.Parameter(torch.zeros(codewords))

    def forward(self, x):
        residuals = x.flatten(2).transpose(1, 2)[:, :, None] - self.codewords  # (1, positions, codewords, channels)
        weights = (self.scale * residuals.square().sum(-1)).softmax(-1)
        return (weights[..., None] * residuals).sum(1)


class EncModule(nn.Module):
    def __init__(self, channels, codewords):
        super().__init__()
        self.encoding = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            Encoding(channels, codewords),
            nn.BatchNorm1d(codewords),
            nn.ReLU(),
        )
        self.fc = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.Sigmoid())

    def forward(self, x):
        gamma = self.fc(self.encoding(x).mean(1)[:, :, None, None])
        return F.relu(x + x * gamma)


class EncNet(nn.Module):
    def __init__(self, make):
        super().__init__()
        self.pretrained = Backbone(make, replace_stride_with_dilation=[False, True, True])
        self.head = nn.Module()
        self.head.conv5 = nn.Sequential(nn.Conv2d(2048, 512, 3, padding=1, bias=False), nn.BatchNorm2d(512), nn.ReLU())
        self.head.encmodule = EncModule(512, 32)
        self.head.conv6 = nn.Sequential(nn.Dropout2d(0.1), nn.Conv2d(512, CLASSES, 1))

    def forward(self, image):
        x = self.head.conv5(self.pretrained(image)[-1])
        return resize(self.head.conv6(self.head.encmodule(x)), image, align_corners=True)


class GnRelu(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(inputs, 128, 3, padding=1, bias=False), nn.GroupNorm(32, 128), nn.ReLU())

    def forward(self, x):
        return self.block(x)


class PaNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Module()
        self.backbone.body = Backbone(resnet50)
        self.backbone.fpn = FeaturePyramidNetwork([256, 512, 1024, 2048], 256)
        self.neck = nn.Module()
        self.neck.down = nn.ModuleList(nn.Conv2d(256, 256, 3, 2, 1) for _ in range(3))
        self.neck.merge = nn.ModuleList(nn.Conv2d(256, 256, 3, 1, 1) for _ in range(3))
        self.head = nn.Module()
        self.head.seg_blocks = nn.ModuleList()
        for steps in (3, 2, 1, 0):
            block = nn.Module()
            block.block = nn.ModuleList(GnRelu(256 if step == 0 else 128) for step in range(max(steps, 1)))
            self.head.seg_blocks.append(block)
        self.head.scores = nn.Conv2d(128, CLASSES, 1)

    def forward(self, image):
        maps = self.backbone.body(image)[1:]
        pyramid = list(self.backbone.fpn({str(i): x for i, x in enumerate(maps)}).values())
        path = [pyramid[0]]
        for down, merge, x in zip(self.neck.down, self.neck.merge, pyramid[1:]):
            path.append(F.relu(merge(F.relu(down(path[-1])) + x)))
        total = 0
        for steps, block, x in zip((3, 2, 1, 0), self.head.seg_blocks, path[::-1]):
            for part in block.block:
                x = part(x)
                if steps:
                    x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            total = total + x
        return resize(self.head.scores(total), image)


def fcn_resnet50():
    net = FcnResNet50(CLASSES)
    return net, lambda x: net.logits(x)[0]


def torchvision_net(name):
    net = getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=CLASSES, aux_loss=True)
    return net, lambda x: net(x)["out"]


def smp_net(kind, encoder):
    return getattr(smp, kind)(encoder, encoder_weights=None, in_channels=3, classes=CLASSES)


def monai_unet(dims):
    return MonaiUNet(
        spatial_dims=dims, in_channels=3, out_channels=CLASSES, channels=(16, 32, 64, 128, 256), strides=(2, 2, 2, 2), num_res_units=2
    )


FREE = [(64, 64), (65, 97)]
VOLUMES = [(32, 32, 32), (32, 48, 32)]

# Name, what makes it, sizes: the second no multiple of the stride where the network takes such; whether f32 must do.
NETWORKS = {
    "fcn32s_vgg16": (lambda: FcnVgg16(32), [(32, 32), (41, 57)], True),
    "fcn16s_vgg16": (lambda: FcnVgg16(16), [(32, 32), (41, 57)], True),
    "fcn8s_vgg16": (lambda: FcnVgg16(8), [(32, 32), (41, 57)], True),
    "fcn32s_vgg16_bilinear": (lambda: FcnVgg16(32, True), [(32, 32), (41, 57)], True),
    "fcn16s_vgg16_bilinear": (lambda: FcnVgg16(16, True), [(32, 32), (41, 57)], True),
    "fcn8s_vgg16_bilinear": (lambda: FcnVgg16(8, True), [(32, 32), (41, 57)], True),
    "torchvision_fcn_resnet50": (lambda: torchvision_net("fcn_resnet50"), FREE, True),
    "torchvision_fcn_resnet101": (lambda: torchvision_net("fcn_resnet101"), FREE, True),
    "fcn_small": (lambda: FcnSmall(CLASSES), FREE, False),
    "fcn_resnet18": (lambda: FcnResNet18(CLASSES), FREE, False),
    "fcn_resnet50": (fcn_resnet50, FREE, True),
    "segnet": (SegNet, FREE, False),
    "deconvnet": (DeconvNet, [(224, 224), (229, 240)], True),
    "unet": (UNet, [(64, 64), (48, 80)], False),
    "unet_paper": (lambda: UNet((64, 128, 256, 512, 1024), valid=True, norm=None), [(188, 204), (192, 208)], True),
    "unet_instance": (lambda: UNet(norm="instance"), [(64, 64), (48, 80)], False),
    "unet_bilinear": (lambda: UNet(bilinear=True), FREE, False),
    "unet_3d": (lambda: UNet(dims=3), VOLUMES, False),
    "monai_unet": (lambda: monai_unet(2), [(64, 64), (48, 80)], False),
    "monai_unet_3d": (lambda: monai_unet(3), VOLUMES, False),
    "monai_basic_unet": (lambda: BasicUNet(2, 3, CLASSES), FREE, False),
    "monai_basic_unet_3d": (lambda: BasicUNet(3, 3, CLASSES), [(32, 32, 32), (33, 37, 35)], False),
    **{
        f"smp_unet_{name}": (partial(smp_net, "Unet", encoder), FREE, name in ("resnet50", "resnet152", "xception"))
        for name, encoder in [
            ("resnet18", "resnet18"),
            ("resnet34", "resnet34"),
            ("resnet50", "resnet50"),
            ("resnet152", "resnet152"),
            ("vgg16", "vgg16"),
            ("vgg16_bn", "vgg16_bn"),
            ("mobilenet_v2", "mobilenet_v2"),
            ("xception", "xception"),
        ]
    },
    "smp_unet_efficientnet_b0": (lambda: smp_net("Unet", "efficientnet-b0"), [(64, 64), (66, 98)], False),
    "dilated_vgg16": (lambda: Dilated(False), [(192, 192), (189, 195)], True),
    "dilated_vgg16_context": (lambda: Dilated(True), [(192, 192), (189, 195)], True),
    "deeplabv1_vgg16": (DeepLabV1, FREE, True),
    "deeplabv2_vgg16": (DeepLabV2, FREE, True),
    "deeplabv2_resnet101": (DeepLabV2ResNet, FREE, True),
    "deeplabv3_cascade_resnet50": (DeepLabV3Cascade, FREE, True),
    "deeplabv3_resnet50": (lambda: torchvision_net("deeplabv3_resnet50"), FREE, True),
    "deeplabv3_resnet101": (lambda: torchvision_net("deeplabv3_resnet101"), FREE, True),
    "deeplabv3_mobilenet_v3_large": (lambda: torchvision_net("deeplabv3_mobilenet_v3_large"), FREE, True),
    **{
        f"smp_deeplabv3plus_{name}": (partial(smp_net, "DeepLabV3Plus", name), [(64, 64), (80, 112)], name.startswith("resnet1"))
        for name in ["resnet34", "resnet50", "resnet101", "mobilenet_v2"]
    },
    "refinenet_resnet50": (lambda: RefineNet(resnet50), FREE, True),
    "refinenet_resnet101": (lambda: RefineNet(resnet101), FREE, True),
    **{
        f"smp_pspnet_{name}": (partial(smp_net, "PSPNet", name), [(64, 64), (72, 104)], name.startswith("resnet1"))
        for name in ["resnet34", "resnet50", "resnet101"]
    },
    "gcn_resnet50": (lambda: Gcn(resnet50), FREE, True),
    "gcn_resnet101": (lambda: Gcn(resnet101), FREE, True),
    "parsenet_vgg16": (ParseNet, FREE, True),
    "encnet_resnet50": (lambda: EncNet(resnet50), FREE, True),
    "encnet_resnet101": (lambda: EncNet(resnet101), FREE, True),
    "smp_fpn_resnet34": (lambda: smp_net("FPN", "resnet34"), [(64, 64), (96, 32)], False),
    "smp_fpn_resnet50": (lambda: smp_net("FPN", "resnet50"), [(64, 64), (96, 32)], True),
    "smp_fpn_efficientnet_b0": (lambda: smp_net("FPN", "efficientnet-b0"), [(64, 64), (96, 32)], False),
    "panet_resnet50": (PaNet, [(64, 64), (96, 160)], True),
}


def is_for_training(name):
    return name.endswith("num_batches_tracked") or name.startswith("aux_classifier.")


def made(make):
    """A network, and what computes its logits."""
    net = make()
    return net if isinstance(net, tuple) else (net, net)


def tensors(net):
    """The shapes of what is not only for training, by name."""
    return {name: tuple(tensor.shape) for name, tensor in net.state_dict().items() if not is_for_training(name)}


def hashed(lines):
    state = 0xCBF29CE484222325
    for byte in "".join(sorted(lines)).encode():
        state = (state ^ byte) * 0x100000001B3 % 2**64
    return f"{state:016x}"


def main():
    only = sys.argv[1:] or list(NETWORKS)
    folder = Path(__file__).parent
    golden_path, dicts_path = folder / "zoo.safetensors", folder / "zoo.json"
    golden = load_file(golden_path) if golden_path.exists() else {}
    dicts = json.loads(dicts_path.read_text()) if dicts_path.exists() else {}
    # What is made anew, or of no network any more, goes.
    kept = [name for name in NETWORKS if name not in only]
    golden = {name: values for name, values in golden.items() if name.split(".")[0] in kept}
    dicts = {name: entry for name, entry in dicts.items() if name in kept}
    for network in only:
        make, sizes, single = NETWORKS[network]
        shapes = tensors(made(make)[0])
        lines = [f"{name} {' '.join(map(str, shape))}\n" for name, shape in shapes.items()]
        count = sum(int(np.prod(shape)) for shape in shapes.values())
        dicts[network] = {"tensors": len(shapes), "values": count, "hash": hashed(lines)}
        Vgg.classifier, full = NARROW, Vgg.classifier
        net, run = made(make)
        Vgg.classifier = full
        values = {name: torch.from_numpy(fill(name, shape)) for name, shape in tensors(net).items()}
        missing = net.load_state_dict(values, strict=False).missing_keys
        assert all(is_for_training(name) for name in missing), missing
        net = net.eval() if single else net.eval().double()
        for size in sizes:
            image = torch.from_numpy(fill("input", (1, 3, *size)))
            with torch.inference_mode():
                logits = run(image if single else image.double())[0]
            flat = logits.flatten()
            sample = flat[[k * 2654435761 % len(flat) for k in range(SAMPLES)]].float().numpy()
            golden[f"{network}.{'x'.join(map(str, size))}"] = sample
            spread = (flat.max() - flat.min()).item()
            print(f"{network} {size} -> {tuple(logits.shape)}: {flat.min():.4g} to {flat.max():.4g}", flush=True)
            assert np.isfinite(sample).all() and logits.flatten(1).std(1).max() > 1e-3 * spread, network
        save_file(golden, golden_path)
        text = ",\n".join(f"{json.dumps(name)}: {json.dumps(dicts[name])}" for name in NETWORKS if name in dicts)
        dicts_path.write_text("{\n" + text + "\n}\n")
    for path in [dicts_path, golden_path]:
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
