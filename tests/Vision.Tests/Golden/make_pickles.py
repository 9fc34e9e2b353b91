#!/usr/bin/env python3
"""Writes trainer-2.pth to trainer-5.pth: a checkpoint as trainers save it, by Python's own pickler in protocols 2 to 5.

Needs nothing but Python. Stand-ins for the names of PyTorch and NumPy make the pickles that those libraries make.
"""

import argparse
import collections
import datetime
import decimal
import enum
import fractions
import io
import pathlib
import pickle
import struct
import sys
import types
import zipfile

HERE = pathlib.Path(__file__).parent


def module(name):
    sys.modules[name] = types.ModuleType(name)
    return sys.modules[name]


def named(where, name):
    """A function that pickles as one of another module."""

    def function(*arguments):
        raise AssertionError("is never called")

    function.__name__ = function.__qualname__ = name
    function.__module__ = where
    setattr(sys.modules[where], name, function)
    return function


for name in ("torch", "torch._utils", "numpy", "numpy.core", "numpy.core.multiarray"):
    module(name)
rebuild = named("torch._utils", "_rebuild_tensor_v2")
parameter = named("torch._utils", "_rebuild_parameter")
numpy_scalar = named("numpy.core.multiarray", "scalar")
numpy_array = named("numpy.core.multiarray", "_reconstruct")
numpy_dtype = named("numpy", "dtype")
float_storage = named("torch", "FloatStorage")
long_storage = named("torch", "LongStorage")


class Storage:
    def __init__(self, kind, key, content, count):
        self.kind, self.key, self.content, self.count = kind, key, content, count


class Reduced:
    """What an object of another library pickles as."""

    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        return self.parts


class NodeDict(collections.OrderedDict):
    """A subclass with attributes, as configuration libraries have them."""


class Phase(enum.Enum):
    TRAIN = "train"


class Meter:
    __slots__ = ("count", "values")

    def __init__(self):
        self.count, self.values = 3, [1.0, 2.0]


Point = collections.namedtuple("Point", "x y")
storages = []


def tensor(values):
    content = struct.pack(f"<{len(values)}f", *values)
    storages.append(Storage(float_storage, str(len(storages)), content, len(values)))
    return Reduced(rebuild, (storages[-1], 0, (len(values),), (1,), False, collections.OrderedDict()))


class Pickler(pickle.Pickler):
    def persistent_id(self, item):
        return ("storage", item.kind, item.key, "cpu", item.count) if isinstance(item, Storage) else None


def scalar(value):
    return Reduced(numpy_scalar, (Reduced(numpy_dtype, ("f8", False, True), (3, "<", None, None, None, -1, -1, 0)), struct.pack("<d", value)))


def make(protocol):
    storages.clear()
    config = NodeDict(lr=0.1)
    config.name = "config"
    weights = collections.OrderedDict()
    weights["module.bias"] = tensor([0, 1, 2])
    weights["module.scale"] = Reduced(parameter, (tensor([3]), True, collections.OrderedDict()))
    cycle = []
    cycle.append(cycle)
    checkpoint = {
        "args": argparse.Namespace(lr=0.1, output=pathlib.PurePosixPath("/out"), betas=(0.9, 0.999)),
        "best": scalar(0.9),
        "history": Reduced(numpy_array, (Reduced(numpy_dtype, ("V8", False, True)), (0,), b"b"), (1, (2,), None, False, b"\0" * 16)),
        "counts": collections.Counter("abca"),
        "grouped": collections.defaultdict(list, a=[1]),
        "began": datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
        "took": datetime.timedelta(seconds=5),
        "config": config,
        "phase": Phase.TRAIN,
        "meter": Meter(),
        "point": Point(1, 2),
        "queue": collections.deque([1, 2], maxlen=3),
        "names": {"a", "b"},
        "frozen": frozenset({1}),
        "bytes": b"\x00\x01" * 200,
        "array": bytearray(b"abc"),
        "complex": 1 + 2j,
        "decimal": decimal.Decimal("0.1"),
        "fraction": fractions.Fraction(1, 3),
        "range": range(3),
        "slice": slice(1, 2),
        "big": 1 << 300,
        "none": None,
        (1, "tuple"): "key",
        "cycle": cycle,
        "optimizer": {"state": {0: {"step": 3, "exp_avg": tensor([9, 9])}}, "param_groups": [{"lr": 0.1, "params": [0]}]},
        "state_dict": weights,
    }
    content = io.BytesIO()
    Pickler(content, protocol=protocol).dump(checkpoint)
    with zipfile.ZipFile(HERE / f"trainer-{protocol}.pth", "w", zipfile.ZIP_STORED) as archive:
        for name, data in [("data.pkl", content.getvalue()), *((f"data/{storage.key}", storage.content) for storage in storages), ("version", b"3\n")]:
            archive.writestr(zipfile.ZipInfo("archive/" + name), data)


if __name__ == "__main__":
    for protocol in (2, 3, 4, 5):
        make(protocol)
