"""Copies the tagged images of a project of Azure Custom Vision into class folders, with nothing but Python's own library:
for machines that reach Azure and have no .NET. What is there already is not fetched again.

    CUSTOM_VISION_TRAINING_KEY=... python3 custom_vision_export.py https://NAME.cognitiveservices.azure.com PROJECT_ID FOLDER

Images with several tags are left out, since here an image has one class. Then: run --dataset FOLDER
"""

import json
import os
import pathlib
import re
import sys
import urllib.request

PAGE = 256


def read(endpoint, key, path):
    request = urllib.request.Request(f"{endpoint.rstrip('/')}/customvision/v3.3/training/{path}", headers={"Training-Key": key})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def folder_of(tag):
    name = re.sub(r'[\x00-\x1f/\\:*?"<>|]', "-", tag.strip()).lstrip(".").rstrip(". ")
    return name or "unnamed"


def extension_of(content):
    for begin, extension in ((b"\x89PNG", ".png"), (b"GIF", ".gif"), (b"BM", ".bmp")):
        if content.startswith(begin):
            return extension
    return ".jpg"


def main(endpoint, project, target):
    key = os.environ["CUSTOM_VISION_TRAINING_KEY"]
    root = pathlib.Path(target)
    root.mkdir(parents=True, exist_ok=True)
    there = {path.with_suffix("") for path in root.glob("*/*") if path.suffix != ".partial"}
    fetched = skipped = count = 0
    while page := read(endpoint, key, f"projects/{project}/images/tagged?orderBy=Oldest&take={PAGE}&skip={count}"):
        count += len(page)
        for image in page:
            if len(image.get("tags") or []) != 1:
                skipped += 1
                continue
            stem = root / folder_of(image["tags"][0]["tagName"]) / image["id"]
            if stem in there:
                continue
            with urllib.request.urlopen(image["originalImageUri"], timeout=60) as response:
                content = response.read()
            stem.parent.mkdir(exist_ok=True)
            partial = stem.with_suffix(".partial")
            partial.write_bytes(content)
            partial.rename(stem.with_suffix(extension_of(content)))
            fetched += 1
    print(f"{count - skipped} images, {fetched} of them fetched now; {skipped} with several tags left out")


if __name__ == "__main__":
    main(*sys.argv[1:4])
