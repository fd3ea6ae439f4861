"""A Hugging Face hub on this machine with one model, and a list of what it was asked."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def serve(model: Path, repository: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the hub's address and the paths that it was asked for, so far."""
    asked: list[str] = []
    files = {path.name: path.read_bytes() for path in model.iterdir()}

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            asked.append(self.path)
            api, place = f"/api/models/{repository}", self.path.partition("?")[0]
            name = place.removeprefix(f"/{repository}/resolve/{COMMIT}/")
            if place.startswith(f"{api}/tree/"):
                tree = [{"type": "file", "path": n, "size": len(b), "oid": _etag(b)} for n, b in files.items()]
                self._send(json.dumps(tree).encode(), body=body)
            elif place.startswith(api):
                siblings = [{"rfilename": name} for name in files]
                self._send(json.dumps({"id": repository, "sha": COMMIT, "siblings": siblings}).encode(), body=body)
            elif name in files:
                self._send(files[name], body=body)
            else:
                self.send_error(404)

        def _send(self, answer: bytes, *, body: bool) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.send_header("ETag", f'"{_etag(answer)}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if body:
                self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever, name="hub")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def _etag(content: bytes) -> str:
    return sha256(content).hexdigest()[:40]
