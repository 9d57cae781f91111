"""A server that speaks the part of the Hub's API that an upload needs, with a token, faults, and what it was given."""

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_writeTokenOfTheTests"


@dataclass
class Repo:
    """A repository: its visibility, its commits as files by path."""

    private: bool
    commits: list[dict[str, bytes]] = field(default_factory=list)


class LocalHub:
    """`refuse` maps a word of a path to the status that requests with it get; `asked` are all requests."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.refuse: dict[str, int] = {}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub.answer(self)

            do_POST = do_PUT = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if request.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(iter(lambda: self._chunk(request), b""))
        path = request.path.split("?")[0]
        self.asked.append(f"{request.command} {path}")
        status = next((status for word, status in self.refuse.items() if word in path), None)
        if status is None and not path.startswith("/blob/") and request.headers.get("Authorization") != f"Bearer {TOKEN}":
            status = 401
        try:
            told = {"error": "no"} if status else self.reply(request.command, path, body)
        except KeyError:
            status, told = 404, {"error": "not found"}
        data = json.dumps(told).encode()
        request.send_response(status or (409 if told.get("error") == "there" else 200))
        if status == 401:
            request.send_header("X-Error-Message", "Invalid credentials in Authorization header")
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    @staticmethod
    def _chunk(request: BaseHTTPRequestHandler) -> bytes:
        data = request.rfile.read(int(request.rfile.readline(), 16))
        request.rfile.readline()
        return data

    def reply(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        if path.startswith("/blob/"):
            assert hashlib.sha256(body).hexdigest() == path.removeprefix("/blob/")
            self.blobs[path.removeprefix("/blob/")] = body
            return {}
        if path == "/api/validate-yaml":
            return {"errors": [], "warnings": []}
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path.endswith("/info/lfs/objects/batch"):
            return {"transfer": "basic", "objects": [self._object(one) for one in json.loads(body)["objects"]]}
        name = "/".join(path.split("/")[3:5])
        repo = self.repos[name]
        if "/preupload/" in path:
            return {"files": [self._mode(one) for one in json.loads(body)["files"]]}
        if "/commit/" in path:
            repo.commits.append(dict(map(self._file, map(json.loads, body.splitlines()[1:]))))
            return {"commitUrl": f"{self.url}/{name}/commit/{len(repo.commits)}", "commitOid": "0" * 40}
        return {"id": name, "private": repo.private, "sha": "0" * 40, "siblings": [], "tags": [], "downloads": 0, "likes": 0}

    def _create(self, told: dict[str, Any]) -> dict[str, Any]:
        name = f"{told['organization']}/{told['name']}"
        if name in self.repos:
            return {"error": "there", "url": f"{self.url}/{name}"}
        self.repos[name] = Repo(told.get("visibility") == "private" or bool(told.get("private")))
        return {"url": f"{self.url}/{name}"}

    def _object(self, one: dict[str, Any]) -> dict[str, Any]:
        upload = {"actions": {"upload": {"href": f"{self.url}/blob/{one['oid']}"}}}
        return {"oid": one["oid"], "size": one["size"], **({} if one["oid"] in self.blobs else upload)}

    @staticmethod
    def _mode(one: dict[str, Any]) -> dict[str, Any]:
        return {
            "path": one["path"],
            "uploadMode": "lfs" if one["path"].endswith(".safetensors") else "regular",
            "shouldIgnore": False,
        }

    def _file(self, line: dict[str, Any]) -> tuple[str, bytes]:
        value = line["value"]
        if line["key"] == "lfsFile":
            return value["path"], self.blobs[value["oid"]]
        assert line["key"] == "file"
        return value["path"], base64.b64decode(value["content"])
