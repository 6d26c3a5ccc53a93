"""The client of test_http.py, on either runtime: `run(job)` posts each body and tells what came of it.

On MicroPython: `micropython post.py`, the job as one line of JSON on standard input.
"""

import json
import sys
import time
from binascii import unhexlify

from certlet.errors import Error
from certlet.transport.http import Http


def run(job):
    """Return {"results": [text of the reply, or [error class, code, detail]], "sent", "received", "trips"}."""
    anchors = [unhexlify(anchor) for anchor in job.get("anchors", ())]
    client = tuple(unhexlify(der) for der in job.get("client", ()))
    results = []
    try:
        http = Http(job["url"], job["type"], anchors, job.get("timeout", 5), job.get("limit", 16384), client)
    except Error as error:
        return {"results": [[type(error).__name__, error.code, error.detail]]}
    for body in job["bodies"]:
        try:
            results.append(http.exchange(memoryview(body.encode())).decode())
        except Error as error:
            results.append([type(error).__name__, error.code, error.detail])
        time.sleep(job.get("pause", 0))
    http.close()
    return {"results": results, "sent": http.sent, "received": http.received, "trips": http.trips}


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.stdin.readline()))))
