"""Just enough of ZMTP 3.0 (NULL mechanism, DEALER side) to send any frames at a ZeroMQ socket without ZeroMQ."""

import socket
import struct


def connect(endpoint):
    host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=10)


def read_exactly(sock, size):
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            raise ConnectionError("peer closed")
        data += part
    return data


def frame(body, flags=0):
    if len(body) > 255:
        return struct.pack(">BQ", flags | 2, len(body)) + body
    return struct.pack(">BB", flags, len(body)) + body


def dealer(endpoint):
    """A connected socket after the handshake."""
    sock = connect(endpoint)
    sock.sendall(b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31))
    read_exactly(sock, 64)
    name, kind = b"Socket-Type", b"DEALER"
    ready = (b"\x05READY" + bytes([len(name)]) + name + struct.pack(">I", len(kind)) + kind)
    sock.sendall(frame(ready, flags=4))
    flags, size = read_exactly(sock, 2)
    read_exactly(sock, size)
    return sock


def message(*bodies):
    return b"".join(frame(b, 1 if i + 1 < len(bodies) else 0) for i, b in enumerate(bodies))
