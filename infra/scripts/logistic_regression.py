#!/usr/bin/env python3
"""Trains scikit-learn's logistic regression on the features and splits of completed runs, for comparison:
logistic_regression.py VOLUME [RUN_ID ...]

Reads the catalog of a one-process volume (catalog.db). Features are standardised on the training split; the penalty is
chosen on the validation split from a log grid, as the run's head chose its epoch there, and the test split is looked at once.
Prints one line a run: data set, head, our test accuracy, scikit-learn's, and the chosen C.
"""
import json
import pathlib
import sqlite3
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

PENALTIES = [10.0 ** exponent for exponent in range(-5, 3)]


def read_safetensors(path):
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    entry = json.loads(content[8 : 8 + length])["features"]
    begin, end = entry["data_offsets"]
    return np.frombuffer(content[8 + length + begin : 8 + length + end], np.float32).reshape(entry["shape"])


def compare(catalog, volume, run_id):
    run = catalog.execute("select * from runs where id = ?", (run_id,)).fetchone()
    dataset = catalog.execute("select * from datasets where sha256 = ?", (run["dataset_sha256"],)).fetchone()
    images = json.loads((volume / dataset["manifest_path"]).read_text())["images"]
    labels = np.array([image["label"] for image in images])
    split = json.loads((volume / run["split_path"]).read_text())
    shards = catalog.execute(
        "select file_path from feature_shards where feature_set_key = ? order by shard", (run["feature_set_key"],)
    ).fetchall()
    features = np.concatenate([read_safetensors(volume / shard["file_path"]) for shard in shards])

    def score(fit_on, test_on, penalty):
        scaler = StandardScaler().fit(features[split["train"]])
        model = LogisticRegression(C=penalty, max_iter=5000).fit(scaler.transform(features[fit_on]), labels[fit_on])
        return model.score(scaler.transform(features[test_on]), labels[test_on])

    best = max(PENALTIES, key=lambda penalty: (score(split["train"], split["validation"], penalty), -penalty))
    theirs = score(split["train"], split["test"], best)
    ours = catalog.execute("select test_accuracy from evaluations where run_id = ?", (run_id,)).fetchone()[0]
    head = json.loads(run["specification"])["head"]["kind"]
    precision = catalog.execute("select precision from feature_sets where key = ?", (run["feature_set_key"],)).fetchone()[0]
    print(f"{dataset['name']}\t{precision}\t{head}\tours {ours:.4f}\tscikit-learn {theirs:.4f} (C = {best:g})", flush=True)


def main():
    volume = pathlib.Path(sys.argv[1])
    catalog = sqlite3.connect(volume / "catalog.db")
    catalog.row_factory = sqlite3.Row
    runs = sys.argv[2:] or [row[0] for row in catalog.execute("select id from runs where state = 'Completed' order by submitted_at")]
    for run_id in runs:
        compare(catalog, volume, run_id)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main()
