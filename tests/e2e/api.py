"""A client of a gateway's HTTP API and of its stream, of Python's standard library alone."""

import base64
import hashlib
import http.client
import json
import os
import socket
import struct


class Api:
    """One connection to a gateway: `Api("127.0.0.1:7103").post("/v1/send", {...})` answers (status, JSON)."""

    def __init__(self, address, timeout=60):
        self.address = address.removeprefix("http://")
        self.connection = http.client.HTTPConnection(self.address, timeout=timeout)

    def request(self, method, path, body=None, headers=None):
        data = None if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
        self.connection.request(method, path, data, headers or {})
        answer = self.connection.getresponse()
        self.headers = answer.headers
        text = answer.read()
        return answer.status, json.loads(text) if text else None

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, body=None):
        return self.request("POST", path, body)

    def must(self, method, path, body=None):
        status, answer = self.request(method, path, body)
        if status != 200:
            raise AssertionError(f"{method} {path} {body}: {status} {answer}")
        return answer


def create(address, kind, name):
    """The three steps of an account, as the C++ client does them, at the gateway of its home. Answers its uin."""
    home = Api(address)
    uin = home.must("POST", "/v1/uins")["uin"]
    claim = {"kind": kind, "name": name, "uin": uin}
    status, answer = home.post("/v1/names", claim)
    if status == 421:
        answer = Api(answer["home"]["api"]).must("POST", "/v1/names", claim)
    if answer["uin"] != uin:
        raise AssertionError(f"the name {name} is taken by {answer}")
    if home.must("POST", "/v1/accounts", {"uin": uin, "kind": kind, "name": name}) != {"changed": True}:
        raise AssertionError(f"{name} was not created")
    return uin


def register(address, user, install):
    """The number of a device of the user, at the gateway of its home."""
    return Api(address).must("POST", f"/v1/users/{user}/devices", {"install": str(install), "name": "phone"})["device"]


class Closed(Exception):
    """The stream has ended: `code` and `reason`, None without a close frame."""

    def __init__(self, code=None, reason=""):
        super().__init__(f"closed: {code} {reason}")
        self.code = code
        self.reason = reason


class WebSocket:
    """Just enough of RFC 6455 for a client."""

    def __init__(self, address, path="/v1/stream", headers="", timeout=60, window=None):
        host, port = address.removeprefix("http://").rsplit(":", 1)
        self.sock = socket.socket()
        if window:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.sock.settimeout(timeout)
        self.sock.connect((host, int(port)))
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{headers}\r\n".encode())
        self.buffer = b""
        head = self.read_until(b"\r\n\r\n")
        self.status = int(head.split(b" ", 2)[1])
        if self.status == 101:
            accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
            if accept not in head:
                raise AssertionError(f"not our handshake: {head}")

    def fill(self):
        part = self.sock.recv(65536)
        if not part:
            raise Closed()
        self.buffer += part

    def read_until(self, end):
        while end not in self.buffer:
            self.fill()
        head, self.buffer = self.buffer.split(end, 1)
        return head

    def read(self, size):
        while len(self.buffer) < size:
            self.fill()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def send_frame(self, opcode, data, fin=True, mask=True):
        size = len(data)
        head = bytes([opcode | (0x80 if fin else 0)])
        bit = 0x80 if mask else 0
        if size < 126:
            head += bytes([bit | size])
        elif size < 65536:
            head += bytes([bit | 126]) + struct.pack(">H", size)
        else:
            head += bytes([bit | 127]) + struct.pack(">Q", size)
        if mask:
            head += bytes(4)  # a mask of zeros is a mask
        self.sock.sendall(head + data)

    def send(self, message):
        self.send_frame(1, json.dumps(message).encode())

    def frame(self):
        first, second = self.read(2)
        size = second & 0x7f
        if size == 126:
            size, = struct.unpack(">H", self.read(2))
        elif size == 127:
            size, = struct.unpack(">Q", self.read(8))
        return first & 0x0f, self.read(size)

    def receive(self):
        """The next message; pings are answered."""
        while True:
            opcode, data = self.frame()
            if opcode == 1:
                return json.loads(data)
            if opcode == 9:
                self.send_frame(10, data)
            if opcode == 8:
                raise Closed(struct.unpack(">H", data[:2])[0] if data else None, data[2:].decode())

    def ask(self, name, args, number=1):
        self.send({"id": number, name: args})
        while True:
            answer = self.receive()
            if answer.get("id") == number:
                return answer

    def close(self):
        self.sock.close()
