"""Asks a server for the classes of an image, with nothing but Python's own library.

    python3 predict.py http://127.0.0.1:8080 flowers@champion rose.jpg

The key, where the server wants one, is in the variable KEY.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request


def predict(server, model, image, key=None, tries=5):
    """Probabilities by class, the most probable first."""
    headers = {"Content-Type": "application/octet-stream"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(f"{server}/api/v1/models/{model}/predict?top=1000", image, headers)
    for left in reversed(range(tries)):
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                answer = json.load(response)["images"][0]
            return {one["class"]: one["probability"] for one in answer["classes"]}
        except urllib.error.HTTPError as error:
            # 429 and 503: the server has too much to do, and says when to come again.
            if error.code not in (429, 503) or left == 0:
                raise SystemExit(explain(error))
            time.sleep(float(error.headers.get("Retry-After", "1")))
        except urllib.error.URLError as error:
            raise SystemExit(f"{server} does not answer: {error.reason}")


def explain(error):
    """What the server says is wrong: in one sentence, or by field."""
    problem = json.load(error)
    fields = [f"{field}: {text}" for field, texts in problem.get("errors", {}).items() for text in texts]
    return problem.get("detail") or "; ".join(fields) or f"The server answered {error.code}."


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit("usage: predict.py SERVER MODEL IMAGE")
    server, model, path = sys.argv[1:4]
    with open(path, "rb") as file:
        for name, probability in predict(server, model, file.read(), os.environ.get("KEY")).items():
            print(f"{name}\t{probability:.4f}")
