"""Writes jpegs.json: what PIL makes of JPEG files of many kinds, in full and at a half, a quarter and an eighth.

Run with Debian 12's python3-pil and libjpeg-turbo-progs: /usr/bin/python3 jpegs.py
"""
import base64
import hashlib
import io
import json
import os
import random
import subprocess
import sys

from PIL import Image, ImageDraw, ImageFilter, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "docs", "examples"))
from classify_onnx import to_square  # noqa: E402


def scene(width, height, seed):
    """Shapes of all sizes on a ramp, half of it blurred, with noise on a quarter: edges, plains and texture, as photos have."""
    drawn = random.Random(seed)
    image = Image.merge("RGB", [Image.linear_gradient("L").resize((width, height)).rotate(90 * i) for i in range(3)])
    draw = ImageDraw.Draw(image)
    for _ in range(60):
        x, y, side = drawn.randrange(width), drawn.randrange(height), drawn.randrange(3, max(width // 3, 5))
        colour = tuple(drawn.randrange(256) for _ in range(3))
        (draw.ellipse if drawn.random() < 0.5 else draw.rectangle)((x, y, x + side, y + drawn.randrange(3, side + 4)), fill=colour)
    image.paste(image.crop((0, 0, width // 2, height)).filter(ImageFilter.GaussianBlur(3)), (0, 0))
    noise = Image.frombytes("RGB", (width // 2, height // 2), drawn.randbytes(width // 2 * (height // 2) * 3))
    image.paste(Image.blend(image.crop((0, 0, *noise.size)), noise, 0.3), (width // 2, height // 2))
    return image


def saved(image, **options):
    stream = io.BytesIO()
    image.save(stream, "JPEG", **options)
    return stream.getvalue()


def transcoded(encoded, *options):
    return subprocess.run(["jpegtran", "-copy", "all", *options], input=encoded, stdout=subprocess.PIPE, check=True).stdout


def files():
    for sampling, name in enumerate(("4:4:4", "4:2:2", "4:2:0")):
        for width, height in ((157, 109), (96, 128), (33, 18), (9, 200)):
            yield f"{name} {width}x{height}", saved(scene(width, height, width), quality=85, subsampling=sampling)
    yield "grey", saved(scene(157, 109, 1).convert("L"), quality=85)
    yield "best quality", saved(scene(157, 109, 2), quality=100, subsampling=0)
    yield "worst quality", saved(scene(157, 109, 3), quality=1)
    yield "own Huffman codes", saved(scene(157, 109, 4), quality=60, optimize=True)
    yield "progressive", saved(scene(157, 109, 5), quality=85, progressive=True)
    yield "cmyk", saved(scene(157, 109, 6).convert("CMYK"), quality=85)
    yield "restarts after 3 units", transcoded(saved(scene(157, 109, 7), quality=85), "-restart", "3B")
    yield "restarts after each row", transcoded(saved(scene(157, 109, 8), quality=85), "-restart", "1")
    yield "arithmetic codes", transcoded(saved(scene(157, 109, 9), quality=85), "-arithmetic")
    exif = Image.Exif()
    exif[0x0112] = 6
    yield "turned", saved(scene(157, 109, 10), quality=85, exif=exif.tobytes())
    yield "cut short", saved(scene(157, 109, 11), quality=85)[:3000] + b"\xff\xd9"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def decoded(encoded, scale):
    image = Image.open(io.BytesIO(encoded))
    # What asks for no less than this gets it.
    image.draft(None, (max(image.width // scale, 1), max(image.height // scale, 1)))
    return ImageOps.exif_transpose(image).convert("RGB")


def main():
    cases = []
    for name, encoded in files():
        cases.append({
            "name": name,
            "file": base64.b64encode(encoded).decode(),
            "pixels": {scale: sha256(decoded(encoded, scale).tobytes()) for scale in (1, 2, 4, 8)},
            "squares": {
                f"{fit} {size}": sha256(to_square(Image.open(io.BytesIO(encoded)), size, fit, "scaled").tobytes())
                for fit in ("crop", "pad", "stretch")
                for size in (4, 12, 25, 60)
            },
        })
    with open(os.path.join(HERE, "jpegs.json"), "w", encoding="utf-8") as file:
        json.dump(cases, file, indent=0)
        file.write("\n")


main()
