"""Configurations that fetch from the local archive, and what they left behind."""

import json
from pathlib import Path
from typing import Any

from trivium.schema import AcquireConfig, EndpointsConfig, HttpConfig

QUICK: dict[str, Any] = {"requests_per_second": 500.0, "timeout": 10.0, "retries": 2, "max_wait": 3.0, "max_bytes": 1 << 20}


def config_for(url: str, sources: dict[str, Any], **settings: Any) -> AcquireConfig:
    """All endpoints at one address; keys of `acquire.http` may stand among the others."""
    http = QUICK | {name: settings.pop(name) for name in list(settings) if name in HttpConfig.__dataclass_fields__}
    endpoints = EndpointsConfig(f"{url}/pg", f"{url}/feeds", f"{url}/ia", f"{url}/loc", f"{url}/hf")
    return AcquireConfig(name="test", sources=sources, http=HttpConfig(**http), endpoints=endpoints, **settings)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file that a reader sees, without what depends on the hour."""
    files = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}
    seen = {name: path for name, path in files.items() if not any(part.startswith(".") for part in name.split("/"))}
    return {name: _timeless(path) for name, path in seen.items() if name != "report.json"}


def _timeless(path: Path) -> bytes:
    if path.name != "provenance.jsonl":
        return path.read_bytes()
    return json.dumps([{k: v for k, v in row.items() if k != "fetched"} for row in rows(path)]).encode()


def half_written(folder: Path) -> list[str]:
    """What must not be there when a run has ended, one way or the other."""
    return [p.name for p in folder.rglob("*") if p.is_file() and p.suffix in (".tmp", ".part")]
