#!/usr/bin/env python3
"""Submits a run by a plain JSON message and waits for its result: submit_run.py ['SPECIFICATION AS JSON']

Needs pika. RABBITMQ_URL names the broker, best as the user `client` (default amqp://guest:guest@127.0.0.1:5672/).
"""
import json
import os
import sys
import uuid

import pika

EVENTS = ("RunEvaluated", "RunFailed", "RunCancelled")

specification = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
run_id = str(uuid.uuid4())
connection = pika.BlockingConnection(pika.URLParameters(os.environ.get("RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672/")))
channel = connection.channel()

# The events are published to one fanout exchange a type; whoever binds a queue gets a copy.
mine = channel.queue_declare("", exclusive=True).method.queue
for event in EVENTS:
    exchange = f"Distributed.Contracts:{event}"
    channel.queue_bind(mine, exchange)

# The run's id is chosen here: publishing the same message again changes nothing.
channel.basic_publish("submit-run", "", json.dumps({"runId": run_id, "specification": specification}))
print(f"submitted {run_id}", flush=True)

for _, _, body in channel.consume(mine, auto_ack=True):
    envelope = json.loads(body)
    event = envelope["messageType"][0].rsplit(":", 1)[-1]
    message = envelope["message"]
    if message["runId"] != run_id:
        continue
    if event == "RunEvaluated":
        print(f"test accuracy {message['testAccuracy']:.1%} on {message['testImages']} images")
        sys.exit(0)
    sys.exit(f"{event}: {message.get('reason', '')}")
