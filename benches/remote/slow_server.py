"""Serves the files of a folder over HTTP on loopback, in the parts that are asked for, each answer after a delay.

It stands for a store far away: the time of a request counts, not the bandwidth.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class SlowServer(ThreadingHTTPServer):
    """Counts requests and the bytes of their answers."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, folder: Path, delay: float) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.delay, self.lock = folder, delay, threading.Lock()
        self.requests = self.bytes = 0

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def count(self, bytes: int) -> None:
        with self.lock:
            self.requests += 1
            self.bytes += bytes

    def take(self) -> tuple[int, int]:
        """Requests and bytes since the last call."""
        with self.lock:
            counts = self.requests, self.bytes
            self.requests = self.bytes = 0
        return counts


class Handler(BaseHTTPRequestHandler):
    server: SlowServer
    protocol_version = "HTTP/1.1"
    # An answer is sent at once: its head must not wait for the acknowledgement of the one before.
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        time.sleep(self.server.delay)
        path = self.server.folder / self.path.lstrip("/")
        if not path.is_file():
            self.server.count(0)
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        size = path.stat().st_size
        start, end = 0, size
        if asked := self.headers.get("Range"):
            first, last = asked.removeprefix("bytes=").split("-")
            start, end = int(first), min(int(last) + 1 if last else size, size)
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.send_header("Content-Length", str(end - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{size}"')
        self.end_headers()
        if self.command == "GET":
            with path.open("rb") as file:
                file.seek(start)
                self.wfile.write(file.read(end - start))
            self.server.count(end - start)
        else:
            self.server.count(0)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve(folder: Path, delay: float) -> Iterator[SlowServer]:
    """A server for as long as the block lasts; `delay` in seconds."""
    server = SlowServer(folder, delay)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
