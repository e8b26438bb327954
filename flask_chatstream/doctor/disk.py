"""The disk below an SQLite file: which file system it is, and how much room there is."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine

from flask_chatstream.storage.engine import find_file, is_temporary

from .finding import Finding, failure, ok, skipped, warning

MOUNTS = Path("/proc/mounts")
# fmt: off
#: File systems of other machines, on which SQLite's locks and shared memory do not hold.
NETWORK = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse.ceph", "fuse.davfs2",
    "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "glusterfs", "gpfs", "lustre",
    "ncpfs", "nfs", "nfs4", "smb3", "smbfs", "vboxsf", "virtiofs",
})
# fmt: on
MEMORY = frozenset({"tmpfs", "ramfs"})
#: Too little to go on, and too little to sleep well, in bytes.
LEAST, LITTLE = 50 * 2**20, 2**30


def check_disk(engine: Engine, durability: str) -> Iterator[Finding]:
    """The disk of an engine's file; a server's disk is not seen from here."""

    path = find_file(engine)

    if path is None or is_temporary(engine):
        yield skipped("The database's disk is not seen from here.")
        return

    folder = next(f for f in path.resolve().parents if f.is_dir())
    mounts = MOUNTS.read_text() if MOUNTS.exists() else ""
    yield from judge_file_system(find_file_system(folder, mounts), durability)
    yield judge_room(shutil.disk_usage(folder).free)


def find_file_system(folder: Path, mounts: str) -> str | None:
    """The kind of the file system that a folder is on, by the kernel's list (proc(5))."""

    found, longest = None, -1

    for line in mounts.splitlines():
        _, where, kind, *_ = line.split()
        point = Path(re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), where))

        # A later line covers an earlier one of the same place.
        if folder.is_relative_to(point) and len(point.parts) >= longest:
            found, longest = kind, len(point.parts)

    return found


def judge_file_system(kind: str | None, durability: str) -> Iterator[Finding]:
    """Whether a file system is one for an SQLite file."""

    if kind in NETWORK:
        yield failure(
            f"The SQLite file is on a network drive ({kind}), where its locks do not hold: two "
            "machines destroy it.",
            "Keep it on a disk of the machine, or take PostgreSQL or MariaDB.",
        )
    elif kind in MEMORY and durability == "power":
        yield warning(
            f"The SQLite file is in memory ({kind}): it does not survive a restart of the machine.",
            "Keep it on a disk.",
        )


def judge_room(free: int) -> Finding:
    """Whether there is room for more answers; ``free`` in bytes."""

    words = f"{free / 2**20:,.0f} MB are free where the SQLite file is."

    if free < LEAST:
        return failure(words, "Make room: on a full disk no question can be stored.")

    if free < LITTLE:
        return warning(words, "Make room before questions can no longer be stored.")

    return ok(words)
