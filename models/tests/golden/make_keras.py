"""Writes keras/: small models as Keras saves them to HDF5, what they compute, and HDF5 files that are refused.

    pip install h5py keras numpy safetensors torch
    KERAS_BACKEND=torch python make_keras.py

Weights, moving statistics and inputs are random, of a fixed seed. For every model NAME.h5, values.safetensors holds, all f32:
    NAME.input     (bands, height, width)
    NAME.output    (channels, height, width)   what Keras computes on PyTorch
"""

import os
import shutil
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import h5py
import keras
import numpy as np
from keras import layers
from safetensors.numpy import save_file

OUT = Path(__file__).parent / "keras"


def layers_of_all_kinds():
    """Every layer that is read, for any extent that is a multiple of 4."""
    x = image = keras.Input((None, None, 3), name="image")
    x = layers.Rescaling([0.5, 0.25, 2.0], offset=[0.1, 0.0, -0.1], name="rescaling")(x)
    x = layers.Conv2D(6, 3, padding="same", dilation_rate=2, activation="relu", name="dilated")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = fine = layers.ReLU(max_value=6.0, name="relu6")(x)
    x = layers.MaxPooling2D(2, name="max_pool")(x)
    x = layers.ZeroPadding2D(((0, 1), (2, 0)), name="pad")(x)
    x = layers.Conv2D(8, (2, 3), padding="valid", use_bias=False, groups=2, name="grouped")(x)
    x = layers.BatchNormalization(scale=False, epsilon=1e-2, name="norm_without_scale")(x)
    x = layers.LeakyReLU(negative_slope=0.1, name="leaky")(x)
    x = layers.SeparableConv2D(8, 3, padding="same", depth_multiplier=2, activation="sigmoid", name="separable")(x)
    x = coarse = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=1, name="depthwise")(x)
    x = layers.AveragePooling2D(2, name="mean_pool")(x)
    x = layers.Conv2D(8, 4, padding="same", activation="silu", name="even")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear", name="bilinear")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True, name="mean")(x)
    x = layers.Multiply(name="gated")([x, gate])
    x = layers.Dropout(0.5, name="dropout")(x)
    x = layers.Add(name="sum")([x, coarse, coarse])
    x = layers.Conv2DTranspose(5, 3, strides=2, padding="same", name="up_same")(x)
    x = layers.Concatenate(name="concat")([x, fine])
    x = layers.Conv2D(4, 1, name="head")(x)
    x = layers.Softmax(name="softmax")(x)
    return keras.Model(image, x, name="all_kinds")


def strided():
    """`same` padding with strides, which depends on the extent: 13 x 10."""
    x = image = keras.Input((13, 10, 2), name="image")
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="conv")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="max_pool")(x)
    x = layers.Conv2DTranspose(4, 2, strides=2, padding="valid", name="up")(x)
    x = layers.UpSampling2D(2, name="nearest")(x)
    x = layers.Activation("sigmoid", name="scores")(x)
    return keras.Model(image, x, name="strided")


def one_layer():
    """A sequential model, which the refused files are made of."""
    return keras.Sequential([
        keras.Input((None, None, 3)),
        layers.Conv2D(3, 3, padding="same", activation="softmax", use_bias=False, name="first"),
    ], name="one_layer")  # fmt: skip


def randomise(model, rng):
    for variable in model.variables:
        value = rng.normal(0.0, 0.4, variable.shape)
        variable.assign(np.abs(value) + 0.5 if "variance" in variable.path else value)


def save(name, model, shape, values, rng):
    randomise(model, rng)
    path = OUT / f"{name}.h5"
    model.save(path)
    image = rng.normal(size=(1, *shape)).astype(np.float32)
    output = keras.ops.convert_to_numpy(model(image, training=False))
    values[f"{name}.input"] = np.ascontiguousarray(image[0].transpose(2, 0, 1))
    values[f"{name}.output"] = np.ascontiguousarray(output[0].transpose(2, 0, 1)).astype(np.float32)


def refused():
    """Files that lead elsewhere, or hold what is not read."""
    base = OUT / "one_layer.h5"
    with h5py.File(base) as file:
        names = []
        file["model_weights"].visit(lambda name: names.append(name))
        kernel = "model_weights/" + next(name for name in names if name.endswith("first/kernel") or name.endswith("first/kernel:0"))
        values = file[kernel][:]
        values_shape = values.shape

    def changed(name, change, **options):
        path = OUT / name
        shutil.copy(base, path)
        with h5py.File(path, "r+", **options) as file:
            del file[kernel]
            change(file)

    changed("external_link.h5", lambda file: file.__setitem__(kernel, h5py.ExternalLink("/etc/passwd", "/kernel")))
    changed("soft_link.h5", lambda file: file.__setitem__(kernel, h5py.SoftLink("/model_weights")))
    changed("external_storage.h5", lambda file: file.create_dataset(
        kernel, values_shape, "f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)]))  # fmt: skip
    changed("compressed.h5", lambda file: file.create_dataset(kernel, data=values, chunks=values_shape, compression="gzip"))
    changed("integers.h5", lambda file: file.create_dataset(kernel, data=values.astype("i4")))
    changed("misshapen.h5", lambda file: file.create_dataset(kernel, data=values[:, :, :, :2]))
    changed("chunked.h5", lambda file: file.create_dataset(kernel, data=values.astype(">f8"), chunks=(2, 2, 3, 2)))
    # Of three outputs two are written, or none.
    options = {"shape": values_shape, "dtype": "f4", "fillvalue": 1.5}
    changed("filled.h5", lambda file: file.create_dataset(kernel, chunks=(3, 3, 3, 2), **options).__setitem__(
        np.s_[..., :2], values[..., :2]))  # fmt: skip
    changed("unwritten.h5", lambda file: file.create_dataset(kernel, **options), libver="latest")
    with h5py.File(OUT / "filled.h5") as some, h5py.File(OUT / "unwritten.h5") as none:
        assert (some[kernel][..., :2] == values[..., :2]).all() and (some[kernel][..., 2] == 1.5).all()
        assert (none[kernel][:] == 1.5).all()
    changed("ten_gigabytes.h5", lambda file: file.create_dataset(kernel, (50_000, 50_000), "f4"))
    with h5py.File(OUT / "weights_only.h5", "w") as file:
        file.attrs["layer_names"] = [b"first"]
    latest = OUT / "latest.h5"
    with h5py.File(base) as source, h5py.File(latest, "w", libver="latest") as file:
        for key, value in source.attrs.items():
            file.attrs[key] = value
        for key in source:
            source.copy(key, file)
    lambda_model = keras.Sequential([keras.Input((None, None, 1)), layers.Lambda(lambda x: x + 1, name="code")])
    lambda_model.save(OUT / "lambda.h5")


def main():
    OUT.mkdir(exist_ok=True)
    rng = np.random.default_rng(7)
    keras.utils.set_random_seed(7)
    values = {}
    save("all_kinds", layers_of_all_kinds(), (12, 16, 3), values, rng)
    save("strided", strided(), (13, 10, 2), values, rng)
    save("one_layer", one_layer(), (5, 6, 3), values, rng)
    refused()
    save_file(values, OUT / "values.safetensors")
    os.chmod(OUT / "values.safetensors", 0o644)


if __name__ == "__main__":
    main()
