"""The full screen in a real terminal (tmux): two sizes, keys, resizing, terminals with fewer colours and with none."""
import os
import shutil
import subprocess
import sys
import time

import pytest

from conftest import PCAPS, TOP, WEIR, weir

sys.path.insert(0, str(TOP / "tests" / "fleet"))
import sites  # noqa: E402

SERVICES = ["netflix", "twitch", "youtube", "disneyplus", "hulu", "max", "spotify", "deezer", "tidal", "vimeo", "tubi", "appletv", "peacock",
            "primevideo", "dazn", "crunchyroll", "plutotv", "tiktok", "pandora", "paramountplus", "soundcloud", "applemusic", "bbciplayer", "other"]


class Terminal:
    def __init__(self, directory, columns, lines, *arguments, environment=()):
        if not shutil.which("tmux"):
            pytest.skip("tmux is missing")
        self.socket = str(directory / "tmux")
        words = " ".join(["env", *environment, WEIR, "top", *arguments]) + "; echo ended with $?; sleep 60"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(lines), words)

    def tmux(self, *words):
        return subprocess.run(["tmux", "-u", "-S", self.socket, *words], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout

    def screen(self, *options):
        return self.tmux("capture-pane", "-p", *options)

    def wait(self, condition, seconds=15):
        end = time.time() + seconds
        while time.time() < end:
            if condition(self.screen()):
                return self.screen()
            time.sleep(0.1)
        raise AssertionError("the screen stays\n" + self.screen())

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def close(self):
        self.tmux("kill-server")


@pytest.fixture
def terminal(tmp_path):
    opened = []

    def open_terminal(*arguments, **options):
        directory = tmp_path / str(len(opened))
        directory.mkdir()
        opened.append(Terminal(directory, *arguments, **options))
        return opened[-1]
    yield open_terminal
    for one in opened:
        one.close()


@pytest.fixture
def home(redis):
    """A site of 24 services, two of them ill, and its incidents."""
    server = sites.Server(redis.port)
    now = sites.now() // 10 * 10
    for k in range(30, -1, -1):
        for name in SERVICES:
            state = {"netflix": "down" if k < 6 else "healthy", "twitch": "partial", "other": "unknown"}.get(name, "healthy")
            sites.window(server, "home", name, now - 10 * k, 0 if state == "down" else 10 + k % 5, 5 if state == "down" else k % 3 if name == "twitch" else 0, state)
    for name, state, ago in (("twitch", "partial", 190), ("netflix", "down", 55)):
        record = sites.incident("home", name, "raised", now - ago, now - ago + 30, state=state)
        record["text"] = f"{name} is {state} for 5 of 5 clients: 0 of 14 connection trials useful."
        flat = [word for pair in record.items() if not isinstance(pair[1], dict) for word in pair]
        server.send("XADD", "weir:{home}:incidents", f"{int((now - ago + 30) * 1000)}-0", *flat)
    sites.probe(server, "home", sites.now() + 30, SERVICES)
    server.flush()
    yield server
    server.close()


def fits(screen, columns, lines):
    rows = screen.rstrip("\n").split("\n")
    return len(rows) <= lines and all(len(row) <= columns for row in rows)


def test_small_and_large_and_resized(terminal, redis, home):
    small = terminal(80, 24, "--redis", redis.url)
    text = small.wait(lambda screen: "q quit" in screen)
    assert fits(text, 80, 24)
    rows = text.split("\n")
    assert "home" in rows[0] and " of 24" in rows[0] and "netflix is down" in rows[1]
    assert rows[4].startswith("netflix") and "down" in rows[4] and rows[5].startswith("twitch") and "partial" in rows[5]
    assert "incidents: 2 open" in text and "0 of 14 connection" in text
    small.tmux("resize-window", "-x", "200", "-y", "50")
    text = small.wait(lambda screen: "failing by" in screen and "bbciplayer" in screen)
    assert fits(text, 200, 50) and all(name in text for name in SERVICES) and " of 24" not in text
    small.tmux("resize-window", "-x", "20", "-y", "5")
    small.wait(lambda screen: "netflix" in screen)
    small.tmux("resize-window", "-x", "80", "-y", "24")
    small.wait(lambda screen: "q quit" in screen)
    small.keys("q")
    small.wait(lambda screen: "ended with 0" in screen)


def test_a_dead_service_has_an_empty_bar_and_nothing_ends_in_a_cliff(terminal, redis, home):
    """Netflix serves nothing for a minute: its last columns are blank. A window that was cut short has no column at all."""
    now = sites.now() // 10 * 10
    for name in SERVICES:
        sites.window(home, "home", name, now + 3, 1, 0, "healthy")
    home.flush()
    top = terminal(200, 50, "--redis", redis.url)
    text = top.wait(lambda screen: "q quit" in screen and "bbciplayer" in screen)
    head = text.split("\n")[3]
    first, last = head.index("trials"), head.index("goodput") - 4
    bars = {row.split()[0]: row[first:last] for row in text.split("\n")[4:28]}
    assert "█" in bars["netflix"] and "█" in bars["disneyplus"]
    gap = len(bars["disneyplus"].rstrip()) - len(bars["netflix"].rstrip())
    assert 4 <= gap <= 6, "six windows without a useful trial are blank"
    assert "▁" not in bars["disneyplus"].rstrip()[-1:], "the window of one trial, cut short, is not drawn"


def test_enter_opens_a_service(terminal, redis, home):
    top = terminal(110, 40, "--redis", redis.url)
    top.wait(lambda screen: "Enter open" in screen and "netflix" in screen)
    top.keys("Enter")
    text = top.wait(lambda screen: "Enter back" in screen)
    for told in ("netflix  down", "useful", "failing by", "goodput", "a column is", "0 of 14 connection", "nflxvideo.net", "control hosts"):
        assert told in text, told
    assert fits(text, 110, 40)
    top.keys("Down")
    top.wait(lambda screen: "twitch  partial" in screen)
    top.keys("Escape")
    top.wait(lambda screen: "sort: state" in screen)
    top.keys("Enter")
    top.wait(lambda screen: "twitch  partial" in screen)
    top.tmux("resize-window", "-x", "30", "-y", "6")
    top.wait(lambda screen: "twitch" in screen)


def test_only_what_does_not_fit_scrolls(terminal, redis, home):
    top = terminal(130, 50, "--redis", redis.url)
    before = top.wait(lambda screen: "sort: state" in screen and "bbciplayer" in screen).split("\n")
    top.keys(*["Down"] * 10)
    time.sleep(1)
    rows = top.screen().split("\n")
    assert [row.split()[0] for row in rows[4:28]] == [row.split()[0] for row in before[4:28]], "all rows fit: none moves"
    top.tmux("resize-window", "-x", "130", "-y", "16")
    top.wait(lambda screen: " of 24" in screen)
    top.keys(*["Down"] * 20)
    text = top.wait(lambda screen: "other" in screen)
    assert "of 24" in text.split("\n")[0] and "netflix " not in "\n".join(text.split("\n")[4:9])


def test_keys(terminal, redis, home):
    top = terminal(130, 50, "--redis", redis.url)
    top.wait(lambda screen: "sort: state" in screen)
    top.keys("s")
    text = top.wait(lambda screen: "sort: name" in screen)
    names = [row.split()[0] for row in text.split("\n")[4:28]]
    assert names == sorted(set(SERVICES) - {"other"}) + ["other"], "by name, the control group last"
    top.keys("r")
    text = top.wait(lambda screen: "(reversed)" in screen)
    assert text.split("\n")[4].startswith("youtube")
    top.keys("f")
    text = top.wait(lambda screen: "show: not healthy" in screen)
    assert text.split("\n")[4].startswith("twitch") and text.split("\n")[5].startswith("netflix") and "youtube  " not in text
    top.keys("f", "f", "/", "t", "i", "d", "Enter")
    text = top.wait(lambda screen: "name: tid" in screen)
    assert text.split("\n")[4].startswith("tidal") and not text.split("\n")[5].strip()
    top.keys("?")
    top.wait(lambda screen: "sort by the next" in screen)
    top.keys("?")
    top.wait(lambda screen: "tidal" in screen)


def test_it_follows_what_comes_and_says_when_it_cannot(terminal, redis, home):
    top = terminal(100, 30, "--redis", redis.url)
    top.wait(lambda screen: "incidents: 2 open" in screen)
    now = sites.now()
    home.ask("XADD", "weir:{home}:incidents", "*", "ts", now, "id", "hulu-1", "event", "raised", "service", "hulu", "state", "down", "cause", "service",
             "onset_ts", now - 20, "text", "hulu is down.")
    sites.window(home, "home", "hulu", now, 0, 5, "down")  # later than the last of the fixture, which may be of this second
    home.flush()
    top.wait(lambda screen: "incidents: 3 open" in screen and "hulu down" in screen)
    redis.process.terminate()
    text = top.wait(lambda screen: "Redis at" in screen or "cannot reach" in screen)
    assert "netflix" in text, "what was known stays on the screen"


def test_terminals_with_fewer_colours(terminal, redis, home, tmp_path):
    for kind, environment, colours in (("tmux-256color", (), True), ("screen", (), True), ("vt100", (), False), ("tmux-256color", ("NO_COLOR=1",), False)):
        top = terminal(80, 24, "--redis", redis.url, environment=("TERM=" + kind, *environment))
        top.wait(lambda screen: "q quit" in screen and "netflix" in screen)
        coloured = any(f"\x1b[{code}m" in top.screen("-e") or f"\x1b[1m\x1b[{code}m" in top.screen("-e") for code in (31, 32))
        assert coloured == colours, kind
        top.close()
    plain = terminal(80, 24, "--redis", redis.url, environment=("LC_ALL=C",))
    text = plain.wait(lambda screen: "q quit" in screen and "netflix" in screen)
    assert text.isascii(), "no block characters where the locale has none"


def test_a_terminal_that_cannot_be_drawn_on_gets_words(tmp_path, terminal):
    weir("replay", "--state", tmp_path, PCAPS / "outage.pcap")
    assert "All is well" in weir("top", "--state", tmp_path) and "cannot be drawn on" in weir.stderr
    dumb = terminal(80, 24, "--state", str(tmp_path), environment=("TERM=dumb",))
    text = dumb.wait(lambda screen: "ended with 0" in screen)
    assert "All is well" in text and "\x1b" not in dumb.screen("-e").replace("\x1b[0m", "")
    ended = terminal(80, 24, "--state", str(tmp_path))
    ended.wait(lambda screen: "(replay)" in screen and "netflix" in screen)
