"""Redis (or weir) breaks in many ways while incidents flow: none is lost, none doubled. Short forms of what tests/redis/run does at
length; they mostly wait, so several run at the same time."""
import concurrent.futures
import pathlib
import shutil
import sys

import pytest

from conftest import TOP

sys.path.insert(0, str(TOP / "tests" / "redis"))
import faults  # noqa: E402


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """fault -> the future of its row."""
    if not shutil.which("redis-server"):
        pytest.fail("redis-server is missing: contrib/test installs it")
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        yield {fault: pool.submit(fault, pathlib.Path(tmp_path_factory.mktemp(fault.__name__)), False) for fault in faults.ALL}


@pytest.mark.parametrize("fault", faults.ALL, ids=lambda fault: fault.__name__)
def test_nothing_lost_nothing_doubled(rows, fault):
    row = rows[fault].result(timeout=200)
    if row is None:
        pytest.skip("not permitted here (a namespace, or a mount)")
    assert row.sent > 0 and row.lost == 0 and row.doubled == 0 and row.inbox_lost == 0
