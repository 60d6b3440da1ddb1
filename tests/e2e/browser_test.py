"""A page in headless Chromium talks to gateways: is sent home from the wrong region, gets messages live, sends, and goes on when
its region's daemon is killed. Driven over WebDriver. Skips where there is no Chromium."""

import functools
import http.server
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import urllib.parse
import urllib.request

import api
import api_cluster
import cluster as c

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
         # The driver and the browser meet by a pipe: a bare machine may not even know `localhost`.
         "--remote-debugging-pipe"]


class Pages(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def serve_pages():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Pages, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


class Browser:
    def __init__(self, chromium, driver):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.profile = tempfile.mkdtemp(prefix="homeport-browser-", dir=os.environ.get("HOMEPORT_TMP"))
        self.log = open(os.path.join(self.profile, "driver.log"), "wb")
        self.driver = subprocess.Popen([driver, f"--port={self.port}"], stdout=self.log, stderr=self.log)
        self.session = None
        try:
            c.wait_for("the driver listens", self.is_ready)
            options = {"binary": chromium, "args": FLAGS + [f"--user-data-dir={self.profile}/data"]}
            self.session = self.call("POST", "/session", {
                "capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})["sessionId"]
        except BaseException:
            self.close()
            raise

    def is_ready(self):
        try:
            return self.call("GET", "/status")["ready"]
        except OSError:
            return False

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"},
                                         method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.loads(answer.read())["value"]
        except urllib.error.HTTPError as failed:
            raise AssertionError(f"{method} {path}: {failed.read()[:2000]}") from failed

    def open(self, url):
        self.call("POST", f"/session/{self.session}/url", {"url": url})

    def run(self, script):
        return self.call("POST", f"/session/{self.session}/execute/sync", {"script": script, "args": []})

    def close(self):
        if self.session:
            self.call("DELETE", f"/session/{self.session}")
        self.driver.terminate()
        self.driver.wait(timeout=30)
        self.log.close()
        shutil.rmtree(self.profile, ignore_errors=True)


def live_in_a_page(cluster, urls, browser, pages):
    alice, bob = api.create(urls["sh"], "user", "alice"), api.create(urls["hk"], "user", "bob")
    sh = api.Api(urls["sh"])
    number = iter(range(1, 1000))

    def send(text):
        return sh.must("POST", "/v1/send", {"from": alice, "client_message_id": str(next(number)), "to": bob, "text": text})

    def seen():
        return browser.run("return seen")
    send("kept")
    query = urllib.parse.urlencode({"api": urls["ca"], "user": bob, "device": 0})
    browser.open(f"{pages}/chat.html?{query}")
    c.wait_for("the page has what was kept", lambda: seen()["texts"] == ["kept"])
    c.check(seen()["moved"] == ["hk"] and seen()["api"] == urls["hk"], f"sent home from ca: {seen()}")

    texts = ["kept"]
    for i in range(5):  # each after the one before was seen
        texts.append(f"live {i} é <b>")
        send(texts[-1])
        c.wait_for(f"the page has {texts[-1]}", lambda: seen()["texts"] == texts)
    for i in range(20):  # many at once: several pages of two
        texts.append(f"many {i}")
        send(texts[-1])
    c.wait_for("the page has many", lambda: seen()["texts"] == texts)
    shown = browser.run("return document.getElementById('messages').innerText").splitlines()
    c.check(shown == [f"alice: {text}" for text in texts], shown)

    browser.run(f"say({json.dumps(urls['sh'])}, {json.dumps(alice)}, '1', 'from a page')")
    c.wait_for("the page has sent", lambda: seen()["sent"])
    c.check(seen()["sent"][0]["status"] == 200 and seen()["sent"][0]["api"] == urls["hk"], seen()["sent"])
    page = sh.must("POST", "/v1/sync", {"user": alice, "wait_ms": 20000})
    c.check([m["text"] for m in page["messages"]] == ["from a page"], page)

    opened = seen()["opened"]
    pid = cluster.kill("all", "hk")
    cluster.restarted("all", "hk", None, pid)
    c.wait_for("the page is connected again", lambda: seen()["opened"] > opened)
    texts.append("after the kill")
    send(texts[-1])
    c.wait_for("the page goes on", lambda: seen()["texts"] == texts)
    c.check(seen()["errors"] == [], seen()["errors"])


def main():
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        c.skip("no chromium and chromedriver here (Debian: chromium, chromium-driver)")
    pages = serve_pages()
    with api_cluster.start(api_origins=pages) as (cluster, urls):
        browser = Browser(chromium, driver)
        try:
            live_in_a_page(cluster, urls, browser, pages)
        finally:
            browser.close()


main()
