"""Writes small ONNX files of the kinds that people have, and the features that PyTorch computes with the same weights.

Needs Debian's python3-torch, python3-numpy and python3-onnx:  /usr/bin/python3 tests/Vision.Tests/Golden/make_onnx.py
"""

import json
import pathlib

import numpy
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

FOLDER = pathlib.Path(__file__).parent / "onnx"
SIZE = 32
MEAN = [0.485, 0.456, 0.406]
STD = [0.229, 0.224, 0.225]


def images(count, size=SIZE):
    """Bytes that a test can make again: [count, size, size, 3]."""
    n = numpy.arange(count * size * size * 3, dtype=numpy.uint64)
    return ((n * 2654435761 >> 13) & 255).astype(numpy.uint8).reshape(count, size, size, 3)


def normalised(pixels, mean=MEAN, std=STD):
    values = torch.from_numpy(pixels.astype(numpy.float64) / 255)
    values = (values - torch.tensor(mean, dtype=torch.float64)) / torch.tensor(std, dtype=torch.float64)
    return values.float().permute(0, 3, 1, 2).contiguous()


def randomise(network):
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return network.eval()


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        return torch.relu(x + self.second(self.first(x)))


class Residual(nn.Module):
    """What our kernels know: a stem, residual blocks, a mean, and a classifier that is to be removed."""

    def __init__(self):
        super().__init__()
        self.base = nn.Sequential(
            nn.Conv2d(3, 32, 7, 2, 3, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(3, 2, 1), Block(32), Block(32)
        )
        self.head = nn.Linear(32, 5)

    def features(self, x):
        return self.base(x).mean((2, 3))

    def forward(self, x):
        return self.head(self.features(x))


class Transformer(nn.Module):
    """One layer of a vision transformer: a class token before the patches."""

    def __init__(self, width=16, patch=8):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.Parameter(0.1 * torch.randn(1, (SIZE // patch) ** 2 + 1, width))
        self.qkv = nn.Linear(width, 3 * width)
        self.norm = nn.LayerNorm(width)
        self.pool = nn.Linear(width, width)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.position
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        return x + torch.softmax(q @ k.transpose(1, 2) / 4, -1) @ v


class Pooled(Transformer):
    def forward(self, x):
        hidden = super().forward(x)
        return hidden, torch.tanh(self.pool(hidden.mean(1)))


class Separable(nn.Module):
    """A convolutional network with layers that our kernels do not know."""

    def __init__(self):
        super().__init__()
        self.base = nn.Sequential(nn.Conv2d(3, 16, 4, 4), nn.Conv2d(16, 16, 7, padding=3, groups=16), nn.GELU(), nn.Conv2d(16, 24, 1))
        self.head = nn.Linear(24, 7)

    def features(self, x):
        return self.base(x).mean((2, 3))

    def forward(self, x):
        return self.head(self.features(x))


def export(network, name, outputs, axes):
    torch.onnx.export(
        network,
        torch.zeros(1, 3, SIZE, SIZE),
        FOLDER / name,
        input_names=["pixel_values"],
        output_names=outputs,
        dynamic_axes={"pixel_values": axes, **{output: {0: "batch"} for output in outputs}},
        opset_version=13,
    )


def write_reversed(path, weights):
    """As CNTK writes networks: blue first, one row of padding fewer at the end, a fixed size, the mean as a pooling of the whole map."""
    tensors = {name: values.numpy() for name, values in weights.items() if values.dim() > 0}
    nodes, fixed = [], []

    def tensor(name, values):
        fixed.append(numpy_helper.from_array(numpy.ascontiguousarray(values, dtype=numpy.float32), name))
        return name

    def node(operator, inputs, **attributes):
        output = f"{operator}{len(nodes)}_Output_0"
        nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def convolution(x, name, norm, stride=1, pads=(1, 1, 1, 1)):
        w = tensors[name + ".weight"]
        w = w[:, ::-1] if w.shape[1] == 3 else w
        x = node("Conv", [x, tensor(name, w)], kernel_shape=list(w.shape[2:]), strides=[stride, stride], pads=list(pads))
        parts = [tensor(f"{norm}.{part}", tensors[f"{norm}.{part}"]) for part in ("weight", "bias", "running_mean", "running_var")]
        return node("BatchNormalization", [x, *parts], epsilon=1e-5)

    x = node("Relu", [convolution("Input1", "base.0", "base.1", 2, (3, 3, 2, 2))])
    x = node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 0, 0])
    for block in ("base.4", "base.5"):
        y = node("Relu", [convolution(x, block + ".first.0", block + ".first.1")])
        y = convolution(y, block + ".second.0", block + ".second.1")
        x = node("Relu", [node("Add", [y, x])])
    x = node("AveragePool", [x], kernel_shape=[SIZE // 4, SIZE // 4], strides=[1, 1])
    graph = helper.make_graph(
        nodes,
        "CNTKGraph",
        [helper.make_tensor_value_info("Input1", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, 32, 1, 1])],
        fixed,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 8)], ir_version=3), path)


def write_channels_last(path):
    """As TensorFlow's networks are converted: [n, height, width, 3] in, a map with the channels last out, three images at a time."""
    w = numpy.random.default_rng(5).normal(size=(8, 3, 3, 3)).astype(numpy.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Transpose", ["images"], ["first"], perm=[0, 3, 1, 2]),
            helper.make_node("Conv", ["first", "w"], ["map"], kernel_shape=[3, 3], strides=[2, 2]),
            helper.make_node("Transpose", ["map"], ["features"], perm=[0, 2, 3, 1]),
        ],
        "channels-last",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [3, SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [3, 15, 15, 8])],
        [numpy_helper.from_array(w, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), path)
    return torch.from_numpy(w)


def main():
    torch.manual_seed(1)
    FOLDER.mkdir(exist_ok=True)
    pixels = images(4)
    x = normalised(pixels)
    expected = {}
    with torch.no_grad():
        residual = randomise(Residual())
        export(residual, "residual.onnx", ["logits"], {0: "batch", 2: "height", 3: "width"})
        expected["residual"] = residual.features(x)
        write_reversed(FOLDER / "reversed.onnx", residual.state_dict())
        expected["reversed"] = residual.features(normalised(pixels, [123.15 / 255, 115.90 / 255, 103.06 / 255], [1 / 255] * 3))

        transformer = Transformer().eval()
        export(transformer, "tokens.onnx", ["last_hidden_state"], {0: "batch"})
        hidden = transformer(x)
        expected["class"] = hidden[:, 0]
        expected["class+patches"] = torch.cat([hidden[:, 0], hidden[:, 1:].mean(1)], 1)

        pooled = Pooled().eval()
        export(pooled, "pooled.onnx", ["last_hidden_state", "pooler_output"], {0: "batch"})
        expected["pooled"] = pooled(x)[1]

        separable = Separable().eval()
        export(separable, "separable.onnx", ["logits"], {0: "batch", 2: "height", 3: "width"})
        expected["separable"] = separable.features(x)
        onnx.save(
            onnx.load(FOLDER / "separable.onnx"),
            str(FOLDER / "external.onnx"),
            save_as_external_data=True,
            location="external.onnx_data",
            size_threshold=256,
        )

        w = write_channels_last(FOLDER / "channels-last.onnx")
        expected["channels-last"] = nn.functional.conv2d(x, w, stride=2).mean((2, 3))
    (FOLDER / "expected.json").write_text(json.dumps({name: values.tolist() for name, values in expected.items()}) + "\n")


main()
