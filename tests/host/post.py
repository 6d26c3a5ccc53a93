"""The client of test_http.py and test_coap.py, on either runtime: `run(job)` posts each body and tells what came of it.

On MicroPython: `micropython post.py`, the job as one line of JSON on standard input.
"""

import json
import sys
import time
from binascii import unhexlify

from certlet.errors import Error


def run(job):
    """Return {"results": [text of the reply, or [error class, code, detail]], "sent", "received", "trips"}."""
    results = []
    try:
        http = transport(job)
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


def transport(job):
    """Return the transport that fits the URL."""
    timeout, limit = job.get("timeout", 5), job.get("limit", 16384)
    if job["url"].startswith("coap"):
        from certlet.transport.coap import Coap

        return Coap(job["url"], job["type"], timeout, limit, job.get("block", 1024))
    from certlet.transport.http import Http

    anchors = [unhexlify(anchor) for anchor in job.get("anchors", ())]
    client = tuple(unhexlify(der) for der in job.get("client", ()))
    return Http(job["url"], job["type"], anchors, timeout, limit, client)


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.stdin.readline()))))
