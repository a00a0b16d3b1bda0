"""Who holds a port, as far as Linux tells: for the person who reads that it is taken."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_LISTENS = "0A"
_PROC = Path("/proc")


def holder(port: int) -> str:
    """The process that listens on this port, like `process 123 (nginx)`; or `another process` where it is not ours to
    see."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(port)}
    for process in _processes():
        if wanted & set(_files(process)):
            return f"process {process.name}{_name(process)}"
    return "another process"


def _inodes(port: int) -> Iterator[str]:
    for table in ("net/tcp", "net/tcp6"):
        with contextlib.suppress(OSError):
            for line in (_PROC / table).read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == _LISTENS and int(words[1].rpartition(":")[2], 16) == port:
                    yield words[9]


def _processes() -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from (each for each in _PROC.iterdir() if each.name.isdigit())


def _files(process: Path) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for each in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                yield os.readlink(each)


def _name(process: Path) -> str:
    with contextlib.suppress(OSError):
        return f" ({(process / 'comm').read_text().strip()})"
    return ""
