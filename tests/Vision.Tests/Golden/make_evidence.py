#!/usr/bin/env python3
"""Makes evidence.json: golden values of calibration and of models that leave an image out, with numpy and scipy.

Debian 12's python3-scipy is enough. Inputs are drawn by make_golden.py's `draw`, which GoldenData.cs repeats. Models without an image are
fitted again for each, as slow as it sounds.

    /usr/bin/python3 tests/Vision.Tests/Golden/make_evidence.py
"""
import json
from pathlib import Path

import numpy
import scipy.optimize
import scipy.special

HERE = Path(__file__).parent
BINS = 15


def draw(stream, count):
    with numpy.errstate(over="ignore"):
        z = numpy.uint64(stream << 40) + numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = z ^ (z >> numpy.uint64(31))
    return (z >> numpy.uint64(40)).astype(numpy.float64) / (1 << 24)


def spread_loss(inverse, logits, labels):
    """Mean cross-entropy at a temperature, where every label is spread a little over all classes."""
    logs = scipy.special.log_softmax(logits * inverse, axis=1)
    spread = 1 / (len(labels) + 1)
    return -((1 - spread) * logs[numpy.arange(len(labels)), labels] + spread * logs.mean(1)).mean()


def make_calibration():
    count, classes = 400, 5
    logits = (draw(20, count * classes) * 12).astype(numpy.float32).reshape(count, classes)
    labels = (draw(21, count) * classes).astype(int)
    logits[numpy.arange(count), labels] += (draw(22, count) * 8).astype(numpy.float32)
    wide = logits.astype(numpy.float64)
    found = scipy.optimize.minimize_scalar(spread_loss, bounds=(1e-3, 1e3), args=(wide, labels), method="bounded", options={"xatol": 1e-12})
    probabilities = scipy.special.softmax(wide * found.x, axis=1)
    confidence, given = probabilities.max(1), probabilities.argmax(1)
    edges = numpy.linspace(0, 1, BINS + 1)
    counts, shares, error = [], [], 0
    for low, high in zip(edges[:-1], edges[1:]):
        inside = (confidence > low) & (confidence <= high)
        counts.append(int(inside.sum()))
        shares.append((given == labels)[inside].mean() if inside.any() else None)
        error += abs(confidence[inside].mean() - shares[-1]) * inside.mean() if inside.any() else 0
    return {
        "count": count,
        "classes": classes,
        "temperature": 1 / found.x,
        "error": error,
        "counts": counts,
        "accuracies": shares,
    }


def make_left_out():
    count, size, classes, ridge = 60, 6, 4, 0.1
    features = draw(30, count * size).astype(numpy.float32).reshape(count, size)
    labels = numpy.minimum((draw(31, count) * 3).astype(int), 2)  # class 3 has no images
    labels[7] = 3  # but for one
    features[numpy.arange(count), labels] += 0.8
    features = features.astype(numpy.float32).astype(numpy.float64)
    standard = (features - features.mean(0)) / features.std(0)
    means = numpy.stack([standard[labels == label].mean(0) for label in range(classes)])
    differences = standard - means[labels]
    variances = numpy.linalg.eigvalsh(differences.T @ differences / count)
    floor = ridge * variances.mean()
    logits, distances = [], []
    for row in range(count):
        others = numpy.arange(count) != row
        rest, own = standard[others], labels[others]
        if not (own == labels[row]).any():
            logits.append(None)
            distances.append(None)
            continue
        centres = numpy.stack([rest[own == label].mean(0) for label in range(classes)])
        inner = rest - centres[own]
        # Of the mean over all images one is taken out.
        inverse = numpy.linalg.inv(inner.T @ inner / count + floor * numpy.eye(size))
        squares = numpy.array([(standard[row] - centre) @ inverse @ (standard[row] - centre) for centre in centres])
        priors = numpy.log(numpy.bincount(own, minlength=classes) / (count - 1))
        logits.append((priors - squares / 2).tolist())
        distances.append(squares.min())
    query = features[3] + 0.3 * draw(32, size)
    inverse = numpy.linalg.inv(differences.T @ differences / count + floor * numpy.eye(size))
    away = (query - features.mean(0)) / features.std(0)
    nearest = min((away - mean) @ inverse @ (away - mean) for mean in means)
    known = [distance for distance in distances if distance is not None]
    return {
        "count": count,
        "size": size,
        "classes": classes,
        "ridge": ridge,
        "labels": labels.tolist(),
        "logits": logits,
        "distance": nearest**0.5,
        "percentile": sum(distance < nearest for distance in known) / len(known),
    }


if __name__ == "__main__":
    golden = {"calibration": make_calibration(), "leftOut": make_left_out()}
    (HERE / "evidence.json").write_text(json.dumps(golden, indent=1) + "\n")
