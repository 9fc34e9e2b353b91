#!/usr/bin/env python3
"""Makes the golden values of the tests beside it, with the peers: torch, torchvision, scikit-learn, scipy.

Debian 12's packages are enough: python3-torch 1.13, python3-torchvision 0.14, python3-sklearn 1.2. Nothing is fetched.
Inputs are not stored but drawn by `draw`, which GoldenData.cs repeats.

    /usr/bin/python3 tests/Vision.Tests/Golden/make_golden.py
"""
import json
import os
import struct
from collections import OrderedDict
from pathlib import Path

import numpy
import scipy.stats
import sklearn.metrics
import sklearn.preprocessing
import torch
import torchvision

HERE = Path(__file__).parent
DEMO = HERE.parents[2] / "shared/Vision/Backbones/densenet121-cifar10-fp16.safetensors"
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def draw(stream, count):
    """Uniform float64 in [0, 1) with 24 bits: SplitMix64's finaliser of a counter that begins at stream * 2^40."""
    with numpy.errstate(over="ignore"):
        z = numpy.uint64(stream << 40) + numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = z ^ (z >> numpy.uint64(31))
    return (z >> numpy.uint64(40)).astype(numpy.float64) / (1 << 24)


def images(count, size):
    pixels = (draw(1, count * size * size * 3) * 256).astype(numpy.uint8).reshape(count, size, size, 3)
    # Half noise, half flat areas, so that all layers have something to answer to.
    pixels[:, : size // 2] = pixels[:, : size // 2] // 64 * 8 + 100
    return torch.from_numpy(pixels)


def features(base, pixels):
    x = (pixels.permute(0, 3, 1, 2).float() / 255 - MEAN) / STD
    with torch.no_grad():
        maps = torch.relu(base.eval()(x))
        return torch.nn.functional.adaptive_avg_pool2d(maps, 1).flatten(1).numpy()


def read_safetensors(path):
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    data = content[8 + length :]
    types = {"F16": numpy.float16, "F32": numpy.float32, "I64": numpy.int64}
    return {
        name: torch.from_numpy(numpy.frombuffer(data[slice(*entry["data_offsets"])], types[entry["dtype"]]).reshape(entry["shape"]).copy())
        for name, entry in header.items()
        if name != "__metadata__"
    }


def write_safetensors(path, tensors, metadata):
    header, data = {"__metadata__": metadata}, b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def fill(base):
    """Random weights: position of the name in ordinal order is the stream."""
    state = base.state_dict()
    names = sorted(name for name in state if not name.endswith("num_batches_tracked"))
    for stream, name in enumerate(names):
        tensor = state[name]
        u = draw(100 + stream, tensor.numel())
        if tensor.dim() == 4:
            values = (2 * u - 1) * numpy.sqrt(6.0 / (tensor.shape[1] * tensor.shape[2] * tensor.shape[3]))
        elif name.endswith("weight") or name.endswith("running_var"):
            values = 0.5 + u
        else:
            values = u - 0.5
        tensor.copy_(torch.from_numpy(values.astype(numpy.float32)).view(tensor.shape))


def block_means(ends):
    """The means of the maps that modules give in the next pass, in the order of the modules."""
    means = []
    for end in ends:
        end.register_forward_hook(lambda module, inputs, output: means.append(output.mean((2, 3)).numpy().copy()))
    return means


def make_features():
    found = {}
    demo = torchvision.models.densenet121(weights=None, num_classes=10)
    demo.load_state_dict({name: tensor.float() for name, tensor in read_safetensors(DEMO).items() if tensor.dtype != torch.int64}, strict=False)
    found["demo.96"] = features(demo.features, images(2, 96))
    found["demo.64"] = features(demo.features, images(1, 64))
    for name in ("densenet121", "densenet169", "densenet201", "densenet161"):
        base = getattr(torchvision.models, name)(weights=None).features
        fill(base)
        means = block_means(getattr(base, f"transition{block}").relu for block in (1, 2, 3))
        found[name + ".32"] = features(base, images(1, 32))
        found[name + ".32.4-blocks"] = numpy.concatenate([*means, found[name + ".32"]], 1)
    for name in ("resnet18", "resnet34", "resnet50", "resnet101"):
        network = getattr(torchvision.models, name)(weights=None)
        network.fc = torch.nn.Identity()
        fill(network)
        means = block_means(getattr(network, f"layer{stage}") for stage in (1, 2, 3))
        with torch.no_grad():
            found[name + ".64"] = network.eval()((images(1, 64).permute(0, 3, 1, 2).float() / 255 - MEAN) / STD).numpy()
        found[name + ".64.4-blocks"] = numpy.concatenate([*means, found[name + ".64"]], 1)
    write_safetensors(
        HERE / "features.safetensors",
        {name: ("F32", values.shape, values.astype("<f4").tobytes()) for name, values in found.items()},
        {"torch": torch.__version__, "torchvision": torchvision.__version__, "text": "ä \" \\ \u2028"},
    )


def make_adam():
    cases = []
    for decay in (0.0, 0.01):
        parameter = torch.nn.Parameter(torch.from_numpy((draw(2, 20) - 0.5).astype(numpy.float32)))
        optimizer = torch.optim.Adam([parameter], lr=0.02, weight_decay=decay)
        for step in range(10):
            parameter.grad = torch.from_numpy((draw(10 + step, 20) - 0.5).astype(numpy.float32))
            optimizer.step()
            if step in (0, 9):
                cases.append({"weightDecay": decay, "steps": step + 1, "parameters": parameter.detach().double().tolist()})
    return cases


def make_metrics():
    count, classes, k = 300, 7, 3
    logits = (draw(3, count * classes) * 4).astype(numpy.float32).reshape(count, classes)
    labels = numpy.minimum((draw(4, count) * classes).astype(int), classes - 2)  # the last class has no images
    logits[numpy.arange(count), labels] += (draw(5, count) * 3).astype(numpy.float32)
    logits[:, 4] -= 20  # a class that is never given
    wide = logits.astype(numpy.float64)
    probabilities = numpy.exp(wide - wide.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    given = logits.argmax(1)
    precision, recall, f1, support = sklearn.metrics.precision_recall_fscore_support(labels, given, labels=range(classes), zero_division=0)
    right = int((given == labels).sum())
    interval = scipy.stats.binomtest(right, count).proportion_ci(0.95, method="wilson")
    return {
        "count": count,
        "classes": classes,
        "k": k,
        "accuracy": sklearn.metrics.accuracy_score(labels, given),
        "interval": [interval.low, interval.high],
        "topK": sklearn.metrics.top_k_accuracy_score(labels, logits, k=k, labels=range(classes)),
        "macroF1": f1.mean(),
        "crossEntropy": sklearn.metrics.log_loss(labels, probabilities, labels=range(classes)),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "support": support.tolist(),
        "confusion": sklearn.metrics.confusion_matrix(labels, given, labels=range(classes)).tolist(),
    }


def make_scaling():
    values = (draw(6, 50 * 4) * 10).astype(numpy.float32).reshape(50, 4)
    values[:, 2] = 0.1
    scaler = sklearn.preprocessing.StandardScaler().fit(values[:40].astype(numpy.float64))
    return {"mean": scaler.mean_.tolist(), "scale": scaler.scale_.tolist()}


class OldTensor:
    """A tensor as PyTorch up to 0.3 wrote it."""

    def __init__(self, tensor):
        self.tensor = tensor

    def __reduce__(self):
        return torch._utils._rebuild_tensor, (self.tensor.storage(), self.tensor.storage_offset(), tuple(self.tensor.shape), self.tensor.stride())


class Evil:
    def __reduce__(self):
        return os.system, ("echo harm",)


def make_checkpoints():
    base = torch.arange(24, dtype=torch.float32)
    layer = torch.nn.Linear(2, 3)
    with torch.no_grad():
        layer.weight.copy_(base[:6].view(3, 2))
        layer.bias.copy_(base[:3])
    state = OrderedDict(layer.state_dict())
    state._metadata = layer.state_dict()._metadata  # makes the pickle use BUILD
    state["parameter"] = torch.nn.Parameter(base[:2].clone())
    for name, dtype in {"half": torch.float16, "bfloat16": torch.bfloat16, "double": torch.float64, "long": torch.int64, "int": torch.int32, "byte": torch.uint8}.items():
        state[name] = base[:4].to(dtype)
    state["bool"] = torch.tensor([True, False])
    state["scalar"] = torch.tensor(7)
    state["empty"] = torch.zeros(0, 3)
    shared = base.clone().view(4, 6)
    state["whole"] = shared
    state["slice"] = shared[1]
    state["transposed"] = shared.t()
    state["stepped"] = shared[::2, 1::2]
    torch.save(state, HERE / "state-zip.pth")
    torch.save(state, HERE / "state-legacy.pth", _use_new_zipfile_serialization=False)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    with torch.no_grad():
        layer.bias.copy_(base[:3])
    checkpoint = {"epoch": 3, "accuracy": 0.5, "name": "net", "optimizer": optimizer.state_dict(), "state_dict": OrderedDict(bias=layer.bias.detach())}
    torch.save(checkpoint, HERE / "nested-zip.pth")
    torch.save({"bias": OldTensor(base[:3].clone())}, HERE / "old-legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"bias": Evil()}, HERE / "evil-zip.pth")
    torch.save({"bias": Evil()}, HERE / "evil-legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(layer, HERE / "module-zip.pth")
    torch.save(OrderedDict(bias=layer.bias.detach()), HERE / "protocol4-zip.pth", pickle_protocol=4)


if __name__ == "__main__":
    make_features()
    make_checkpoints()
    golden = {"adam": make_adam(), "metrics": make_metrics(), "scaling": make_scaling()}
    (HERE / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
