"""Schemas of the group `acquire`: where raw texts come from, and how politely they are fetched."""

from dataclasses import dataclass
from typing import Any

from trivium.schema.fields import opt


@dataclass
class HttpConfig:
    """How every server is asked."""

    user_agent: str = opt(
        "trivium/{version}",
        "What the client calls itself; add how you can be reached.",
    )
    requests_per_second: float = opt(1.0, "Requests to one host a second, retries included.", gt=0, le=1000)
    concurrency: int = opt(4, "Requests under way at once, over all hosts.", ge=1, le=256)
    timeout: float = opt(30.0, "Seconds without a byte after which a request has failed.", gt=0)
    retries: int = opt(5, "Further attempts after 429, 5xx, a cut connection or silence.", ge=0, le=20)
    max_wait: float = opt(120.0, "Longest wait before an attempt, in seconds; a server that asks for more is given up.", gt=0)
    max_bytes: int = opt(256 << 20, "Largest answer that is read, in bytes after decompression.", ge=1024)


@dataclass
class EndpointsConfig:
    """Base URLs; a mirror is one override."""

    gutenberg: str = opt(
        "https://gutenberg.pglaf.org",
        "Project Gutenberg's texts: a mirror, for the main site's pages are not for robots.",
    )
    gutenberg_catalogue: str = opt("https://www.gutenberg.org/cache/epub/feeds", "Project Gutenberg's catalogue feeds.")
    archive: str = opt("https://archive.org", "Internet Archive.")
    loc: str = opt("https://www.loc.gov", "Library of Congress, Chronicling America's JSON API.")
    hub: str = opt("https://huggingface.co", "Hugging Face hub.")


@dataclass
class AcquireConfig:
    """Sources to fetch into one folder."""

    name: str = opt("none", "Label.")
    dir: str | None = opt(None, "Folder of what is fetched; null takes data/raw/<name>.")
    sources: dict[str, Any] = opt({}, "The sources, name: {kind, …}; docs/acquire.md lists the kinds and their keys.")
    http: HttpConfig = opt(HttpConfig, "Manners.")
    endpoints: EndpointsConfig = opt(EndpointsConfig, "Base URLs.")
    max_items: int | None = opt(None, "Items of each source at most; null for no limit.", ge=1)
    dry_run: bool = opt(False, "Only count: how many items, how many bytes; nothing is downloaded.")
    refresh: bool = opt(False, "Also ask for items that are there, and fetch those that have changed.")
    min_sources: int = opt(1, "Sources that must give at least one item; fewer is a failure.", ge=0)
    seed: int = opt(42, "Seed of shuffled streams.", ge=0)
