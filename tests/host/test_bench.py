"""What `make bench` measures on the wire stays at or below what OpenSSL's client sends; times are not judged."""

import pytest

import bench


@pytest.fixture(scope="module")
def running():
    with bench.bench() as running:
        yield running


@pytest.mark.parametrize("row", bench.ROWS, ids=[row.name for row in bench.ROWS])
def test_bytes_on_the_wire(running, row):
    found = running.run(row)
    assert 0 < found["bytes_up"] <= row.baseline
    assert found["round_trips"] == row.trips
    assert found["bytes_down"] > 0 and found["heap"] > 0
