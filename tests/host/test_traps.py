"""tests/traps.csv: every trap of CMP between implementations has a test, and the tests of its own that need a server."""

import csv
from pathlib import Path

import pytest

import named
from certlet_host.cli.cmp import join_url
from host.runtimes import BOTH
from host.test_http import Server, reply

TRAPS = Path(__file__).resolve().parents[1] / "traps.csv"


def test_every_trap_has_a_test():
    with TRAPS.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["number"]) for row in rows] == list(range(1, 34))
    for row in rows:
        names = row["tests"].split(" | ")
        assert names and row["trap"].endswith("."), row
        assert not named.missing(names), row["number"]


def test_a_name_that_names_nothing():
    good = ("tests/host/test_traps.py::test_a_name_that_names_nothing", "tests/vectors/gen/cmp.py::MAC")
    bad = ("tests/host/test_traps.py", "tests/host/test_traps.py::test_nothing", "tests/nothing.py::test_a", "README.md::x",
           "tests/interop/openssl_server.csv::no such row", "tests/vectors/gen/cmp.py::MAC, no such title",
           "tests/host/test_http.py::test_reply[no such row]")  # fmt: skip
    assert named.missing([*good, *bad]) == list(bad)


@pytest.fixture(**BOTH)
def post(request):
    return request.param


@pytest.mark.parametrize("path", ["/.well-known/cmp", "/.well-known/cmp/", "/.well-known/cmp/p/lab/initialization", "/pkix/"])
def test_trap_30_every_message_goes_to_one_path(post, path):
    """certConf and pollReq follow the first request, octet for octet, with its trailing slash or without."""
    with Server([[reply(), reply(), reply()]]) as server:
        url = join_url(f"http://127.0.0.1:{server.port}", path)
        done = post({"url": url, "type": "application/pkixcmp", "bodies": ["ir", "pollReq", "certConf"]})
    assert done["trips"] == 3
    assert [request.split(b" ")[1].decode() for request in server.requests] == [path] * 3
