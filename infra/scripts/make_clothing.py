#!/usr/bin/env python3
"""Makes services/Ingestion/Samples/clothing.zip, the data set `clothing`, from a copy of
https://github.com/alexeygrigorev/clothing-dataset-small (CC0 1.0): folders train/ and test/ with a folder of photos for each class.

    make_clothing.py CLOTHING-DATASET-SMALL clothing.zip

needs Python's Pillow (Debian's python3-pil). The same photos and the same Pillow give the same bytes: photos are drawn class by class, in the
order of the SHA-256 of their files, scaled to a shorter side of SIDE pixels, and stored without time stamps or metadata.
"""

import hashlib
import io
import pathlib
import sys
import zipfile

from PIL import Image, ImageOps

IMAGES = {"train": 38, "test": 12}  # of each of ten classes: 500
SIDE = 160
QUALITY = 80
MOST_BYTES = 5_000_000


def draw(folder, count):
    """The first photos of a class by their hashes, each of which is there once, in the order of their names."""
    by_hash = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in sorted(folder.iterdir(), reverse=True)}
    drawn = [by_hash[key] for key in sorted(by_hash)][:count]
    if len(drawn) < count:
        sys.exit(f"{folder} has {len(drawn)} different photos; {count} are needed")
    return sorted(drawn)


def shrink(path):
    """A photo as a small JPEG."""
    with Image.open(path) as photo:
        upright = ImageOps.exif_transpose(photo).convert("RGB")
    scale = SIDE / min(upright.size)
    small = upright.resize([max(SIDE, round(side * scale)) for side in upright.size], Image.Resampling.LANCZOS)
    encoded = io.BytesIO()
    small.save(encoded, "JPEG", quality=QUALITY, optimize=True)
    return encoded.getvalue()


def main(source, target):
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for split, count in IMAGES.items():
            for folder in sorted(path for path in (pathlib.Path(source) / split).iterdir() if path.is_dir()):
                for path in draw(folder, count):
                    entry = zipfile.ZipInfo(f"{split}/{folder.name}/{path.stem}.jpg")
                    entry.external_attr = 0o644 << 16
                    archive.writestr(entry, shrink(path))
    made = pathlib.Path(target).read_bytes()
    if len(made) > MOST_BYTES:
        sys.exit(f"{target} has {len(made)} bytes; the most is {MOST_BYTES}")
    print(f"{len(zipfile.ZipFile(target).namelist())} photos, {len(made)} bytes, SHA-256 {hashlib.sha256(made).hexdigest()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
