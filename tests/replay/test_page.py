"""The page of a replay in a real browser: what it says first, what proves it, that nothing in it runs or asks for anything."""
import re
import struct

import pytest

from browser import browser, keep  # noqa: F401
from conftest import PCAPS, weir

CAPTURES = sorted(path.name for path in PCAPS.glob("*.pcap*"))

SHOWN = ("outage.pcap", "healthy.pcap", "lab-uplink.pcap.zst", "lab-shared_cdn.pcap.zst", "lab-frozen.pcap.zst") # between them: all states and parts


def test_the_checker_finds_faults(browser, tmp_path):
    (tmp_path / "bad.html").write_text("<img src=data:,>")
    browser.open("file://" + str(tmp_path / "bad.html"))
    assert {finding[0] for finding in browser.axe()} >= {"image-alt", "document-title", "html-has-lang"}
    browser.console()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    directory, made = tmp_path_factory.mktemp("pages"), {}

    def page(name):
        if name not in made:
            made[name] = directory / (name + ".html")
            weir("replay", "--html", made[name], PCAPS / name)
        return made[name]
    return page


def test_answer_comes_first(pages, browser):
    browser.look(1024)
    browser.open("file://" + str(pages("outage.pcap")))
    assert re.match(r"Netflix was down for 5\d s, from 21:33:[23]\d to 21:34:[12]\d UTC\.", browser.run("return document.querySelector('h1').textContent"))
    card = browser.run("return document.querySelector('article.card').innerText")
    for told in ("Began", "21:33:", "SYNs unanswered", "198.18.10.0/24", "10.77.0.13", "The uplink", "ruled out", "One device"):
        assert told in card, told
    assert re.fullmatch(r"2026-11-23 21:33:[23]\d UTC", browser.run("return document.querySelector('article.card time').title"))
    down = browser.run("return [...document.querySelectorAll('.bands')].filter(b => b.querySelector('.s-down')).map(b => b.getAttribute('aria-label'))")
    assert len(down) == 1 and re.match("Netflix: down from 21:33:[23].* to 21:3[45]:", down[0])
    assert browser.run("return document.querySelectorAll('.multiple').length") == 4
    keep(browser, "outage")


@pytest.mark.parametrize("name", CAPTURES)
def test_page_of_each_capture(pages, browser, name):
    path = pages(name)
    assert path.stat().st_size < 300_000
    for width in (1600, 390):
        browser.look(width, dark=CAPTURES.index(name) % 2 == 1)
        browser.open("file://" + str(path))
        assert browser.run("return document.documentElement.scrollWidth") <= width, "something is wider than the page"
    if name in SHOWN:
        assert browser.axe() == []
    assert browser.run("return document.scripts.length") == 0
    assert browser.run("return performance.getEntriesByType('resource').length") == 0
    assert browser.console() == []
    assert browser.run("return document.querySelector('h1').textContent.length") > 10


def test_a_file_that_cannot_be_written(tmp_path):
    weir("replay", "--html", tmp_path / "no" / "page.html", PCAPS / "outage.pcap", code=1)
    assert "no/page.html" in weir.stderr and "No such file" in weir.stderr


def test_same_bytes_with_any_workers(tmp_path):
    for workers in (1, 3):
        weir("replay", "--workers", workers, "--html", tmp_path / f"{workers}.html", PCAPS / "outage.pcap")
    assert (tmp_path / "1.html").read_bytes() == (tmp_path / "3.html").read_bytes()


def test_clients_are_hidden_where_asked(tmp_path):
    weir("replay", "--clients", "none", "--html", tmp_path / "page.html", PCAPS / "outage.pcap")
    assert "10.77.0." not in (tmp_path / "page.html").read_text()


def test_empty_capture(tmp_path, browser):
    empty = tmp_path / "empty.pcap"
    empty.write_bytes(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
    weir("replay", "--html", tmp_path / "page.html", empty)
    browser.open("file://" + str(tmp_path / "page.html"))
    assert "nothing to judge" in browser.run("return document.querySelector('h1').textContent")
    assert browser.axe() == []
