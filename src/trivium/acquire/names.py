"""Names of files made of names from elsewhere, such that none of them leaves its folder or meets another."""

import hashlib
import re

LONGEST = 80

_PLAIN = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{LONGEST - 1}}}")
_MARKED = re.compile(r".*-[0-9a-f]{12}")
_ODD = re.compile(r"[^A-Za-z0-9_-]+")
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


def plain(name: str) -> bool:
    """Whether a name may stand for itself as a file's or a folder's, on every system."""
    return _PLAIN.fullmatch(name) is not None and name not in _DEVICES


def safe_name(identifier: str) -> str:
    """A file name of letters, digits, hyphens and underscores, at most 80 characters; another one for every identifier.

    Small plain identifiers stay what they are; of all others the odd characters are replaced and a hash is added.

    >>> safe_name("2554"), safe_name("../../etc/passwd")
    ('2554', 'etc_passwd-3754d6cb3a38')
    """
    if plain(identifier) and not _MARKED.fullmatch(identifier):
        return identifier
    digest = hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    words = _ODD.sub("_", identifier).strip("_-").lower()[: LONGEST - 13].strip("_-")
    return f"{words or 'x'}-{digest}"
