"""Writes golden.json: what PIL and torchvision make of images that this script draws.

Run with Debian 12's python3-pil and python3-torchvision: /usr/bin/python3 generate.py
"""
import base64
import hashlib
import io
import json
import os
import struct
import zlib

from PIL import Image, ImageOps
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

HERE = os.path.dirname(os.path.abspath(__file__))


def pattern(width, height):
    """The same formula as in GoldenFile.cs: noise over ramps, so that kernels overshoot on both ends."""
    data = bytearray(width * height * 3)
    for i in range(len(data)):
        mixed = (i * 2654435761) & 0xFFFFFFFF
        mixed ^= mixed >> 15
        mixed = (mixed * 2246822519) & 0xFFFFFFFF
        noise = mixed >> 24
        data[i] = noise if (i // 96) % 2 == 0 else (255 if noise > 127 else (i // 3) % 64)
    return Image.frombytes("RGB", (width, height), bytes(data))


def scene(width=40, height=28):
    """A small scene that is not symmetric in any way, smooth enough for JPEG."""
    image = Image.new("RGB", (width, height))
    for y in range(height):
        for x in range(width):
            inside = (x - 10) ** 2 + (y - 8) ** 2 < 36
            image.putpixel((x, y), (220, 60, 30) if inside else (x * 5 + 20, y * 7 + 30, 200 - x * 3))
    return image


def png(width, height, depth, colour, rows, extra=b""):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    raw = b"".join(b"\0" + row for row in rows)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
            + extra + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


def gamma_chunk(value):
    data = struct.pack(">I", value)
    return struct.pack(">I", 4) + b"gAMA" + data + struct.pack(">I", zlib.crc32(b"gAMA" + data))


def saved(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def looked_at(encoded):
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded)))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, (255, 255, 255))
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image.convert("RGB")


def decoding():
    cases = []

    def add(name, encoded, tolerance, expected=None):
        image = expected or looked_at(encoded)
        cases.append({
            "name": name, "file": base64.b64encode(encoded).decode(), "width": image.width, "height": image.height,
            "pixels": base64.b64encode(image.tobytes()).decode(), "tolerance": tolerance})

    rgb = scene()
    width, height = rgb.size
    alpha = Image.new("L", rgb.size)
    alpha.putdata([(x * 6 + y * 3) % 256 for y in range(height) for x in range(width)])
    rgba = rgb.copy()
    rgba.putalpha(alpha)
    add("png", saved(rgb, "PNG"), 0)
    add("png with alpha", saved(rgba, "PNG"), 0)
    add("png grey", saved(rgb.convert("L"), "PNG"), 0)
    add("png grey with alpha", saved(rgba.convert("LA"), "PNG"), 0)
    add("png of one bit", saved(rgb.convert("1"), "PNG"), 0)
    palette = rgb.quantize(16)
    add("png with palette", saved(palette, "PNG"), 0)
    add("png with palette and transparent entry", saved(palette, "PNG", transparency=3), 0)
    add("png with gamma", png(width, height, 8, 2, [rgb.crop((0, y, width, y + 1)).tobytes() for y in range(height)], gamma_chunk(100000)), 0)
    wide = [[c for x in range(width) for c in rgb.getpixel((x, y))] for y in range(height)]
    add("png of 16 bits", png(width, height, 16, 2, [b"".join(struct.pack(">H", c * 257) for c in row) for row in wide]), 0, rgb)
    grey = rgb.convert("L")
    rows = [b"".join(struct.pack(">H", grey.getpixel((x, y)) * 257) for x in range(width)) for y in range(height)]
    # PIL clips 16-bit grey instead of scaling it, so the expected values are the drawn ones.
    add("png grey of 16 bits", png(width, height, 16, 0, rows), 0, grey.convert("RGB"))
    add("bmp", saved(rgb, "BMP"), 0)
    add("bmp with palette", saved(palette, "BMP"), 0)
    add("gif", saved(palette, "GIF"), 0)
    second = ImageOps.invert(rgb).quantize(16)
    add("gif of two frames", saved(palette, "GIF", save_all=True, append_images=[second], duration=100), 0)
    add("webp lossless", saved(rgb, "WEBP", lossless=True), 0)
    add("webp lossless with alpha", saved(rgba, "WEBP", lossless=True, exact=True), 0)
    add("webp lossy", saved(rgb, "WEBP", quality=90), 0)
    add("jpeg", saved(rgb, "JPEG", quality=95, subsampling=0), 0)
    add("jpeg with half the colour", saved(rgb, "JPEG", quality=95, subsampling=2), 0)
    add("jpeg progressive", saved(rgb, "JPEG", quality=95, subsampling=0, progressive=True), 0)
    add("jpeg grey", saved(grey, "JPEG", quality=95), 0)
    add("jpeg cmyk", saved(rgb.convert("CMYK"), "JPEG", quality=95), 0)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        add(f"jpeg turned {orientation}", saved(rgb, "JPEG", quality=95, subsampling=0, exif=exif.tobytes()), 0)
    return cases


def described(image):
    data = image.tobytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "head": list(data[:12])}


def resampling():
    cases = []
    shapes = [
        ((96, 96), (224, 224)), ((96, 96), (64, 64)), ((96, 96), (32, 48)), ((500, 375), (298, 224)), ((37, 61), (61, 37)), ((61, 37), (1, 1)),
        ((8, 8), (96, 96)), ((300, 9), (7, 90)), ((100, 80), (100, 33)), ((100, 80), (33, 80)), ((640, 48), (96, 96)), ((5, 7), (5, 7)), ((1, 1), (9, 9))]
    for name, filter in (("bilinear", Image.BILINEAR), ("bicubic", Image.BICUBIC)):
        for source, target in shapes:
            cases.append({"filter": name, "from": source, "to": target, **described(pattern(*source).resize(target, filter))})
    return cases


def fitting():
    cases = []
    for source in [(96, 96), (120, 96), (96, 121), (500, 375), (375, 500), (333, 221), (64, 201), (50, 51), (1000, 9)]:
        for size in (32, 96, 97, 224):
            image = pattern(*source)
            cropped = CenterCrop(size)(Resize(size, InterpolationMode.BICUBIC)(image))
            stretched = image.resize((size, size), Image.BICUBIC)
            cases.append({"mode": "crop", "from": source, "size": size, **described(cropped)})
            cases.append({"mode": "stretch", "from": source, "size": size, **described(stretched)})
    return cases


def main():
    golden = {"decoding": decoding(), "resampling": resampling(), "fitting": fitting()}
    with open(os.path.join(HERE, "golden.json"), "w", encoding="utf-8") as file:
        json.dump(golden, file, indent=0)
        file.write("\n")


main()
