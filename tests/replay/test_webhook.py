"""contrib/alerts/weir-webhook with a real Redis and a small web server that refuses now and then."""
import http.server
import json
import subprocess
import threading
import time

import pytest

from conftest import PCAPS, TOP, weir


@pytest.fixture
def hook():
    """A server that fails its first two requests; what it took is in `.bodies`."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.asked += 1
            if server.asked > 2:
                server.bodies.append(body)
            self.send_response(200 if server.asked > 2 else 503)
            self.end_headers()

        def log_message(self, *words):
            pass
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.bodies, server.asked = [], 0
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def wait_for(condition, seconds=20):
    end = time.time() + seconds
    while not condition() and time.time() < end:
        time.sleep(0.1)
    assert condition()


def test_each_event_once_though_the_hook_and_the_script_fail(redis, hook):
    command = ["/usr/bin/python3", str(TOP / "contrib" / "alerts" / "weir-webhook"), "--redis", redis.url, "--site", "home", "--from-start", "--hook",
               f"http://127.0.0.1:{hook.server_port}/hook"]
    first = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        weir("replay", "--redis", redis.url, "--site", "home", PCAPS / "outage.pcap")
        wait_for(lambda: hook.asked >= 1)
        first.kill()  # between the hook's refusal and its confirmation
        first.communicate()
        first = subprocess.Popen([*command, "--claim-ms", "0"], stderr=subprocess.PIPE, text=True)
        wait_for(lambda: len(hook.bodies) >= 3)
        time.sleep(1)
        assert [body["event"] for body in hook.bodies] == ["raised", "updated", "cleared"] and hook.bodies[0]["service"] == "netflix"
        wait_for(lambda: redis.cli("XPENDING", "weir:{home}:incidents", "webhook").splitlines()[0] == "0")

        weir("alerts", "--redis", redis.url, "--site", "home", "--ack", hook.bodies[0]["id"])
        redis.cli("XADD", "weir:{home}:incidents", "*", "id", hook.bodies[0]["id"], "event", "updated", "json", '{"text": "acknowledged"}')
        redis.cli("XADD", "weir:{home}:incidents", "*", "id", "other-1", "event", "raised", "json", '{"text": "another"}')
        wait_for(lambda: len(hook.bodies) >= 4)
        assert hook.bodies[3:] == [{"text": "another"}], "what was acknowledged is silent"
    finally:
        first.terminate()
        first.communicate(timeout=10)
