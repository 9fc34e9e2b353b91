"""Classifies images with a model's package, without any server.

    pip install onnxruntime pillow numpy
    python3 classify_onnx.py flowers-3.zip rose.jpg
"""

import json
import sys
import zipfile

import numpy
from PIL import Image, ImageOps

PADDING = (124, 116, 104)


def size_before(width, height, size, fit, crop_share=1):
    """The size that an image is resampled to before it is cut or padded."""
    if fit == "stretch":
        return size, size
    if fit == "crop":
        size = int(size / crop_share)
    reference = min(width, height) if fit == "crop" else max(width, height)
    return max(int(size * width / reference), 1), max(int(size * height / reference), 1)


def to_square(image, size, fit, decoding="full", crop_share=1, resampling="bicubic"):
    """An image as the network takes it: uint8 [size, size, 3], RGB. A file that Image.open has opened is not decoded before."""
    if decoding == "scaled" and image.format in ("JPEG", "MPO"):
        image.draft(None, [2 * side for side in size_before(*image.size, size, fit, crop_share)])
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image)
        image = white
    image = image.convert("RGB")
    width, height = image.size
    if (width, height) == (size, size) == size_before(width, height, size, fit, crop_share):
        return numpy.asarray(image)
    width, height = size_before(width, height, size, fit, crop_share)
    image = image.resize((width, height), Image.BILINEAR if resampling == "bilinear" else Image.BICUBIC)
    if fit == "stretch":
        return numpy.asarray(image)
    if fit == "crop":
        left, top = round((width - size) / 2), round((height - size) / 2)
        return numpy.asarray(image.crop((left, top, left + size, top + size)))
    square = Image.new("RGB", (size, size), PADDING)
    square.paste(image, (round((size - width) / 2), round((size - height) / 2)))
    return numpy.asarray(square)


def main(package, *paths):
    import onnxruntime

    with zipfile.ZipFile(package) as archive:
        model = json.loads(archive.read("model.json"))
        session = onnxruntime.InferenceSession(archive.read("model.onnx"))
    for path in paths:
        pixels = to_square(
            Image.open(path),
            model["inputSize"],
            model["fit"],
            model.get("decoding", "full"),
            model.get("cropShare", 1),
            model["resampling"],
        )
        probabilities = session.run(["probabilities"], {"images": pixels[None]})[0][0]
        best = int(probabilities.argmax())
        print(f"{path}\t{model['classes'][best]}\t{probabilities[best]:.4f}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit("usage: classify_onnx.py PACKAGE IMAGE…")
    main(*sys.argv[1:])
