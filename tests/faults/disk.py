"""A disk that keeps, at a power cut, only what was synced: a shim below SQLite.

`Disk.put_under_sqlite` puts itself between this process's SQLite and its file system, without a
compiler: a VFS by ctypes whose writes and truncations are noted, and done to a second copy of each
file when the file is synced. That copy is what the disk holds after a power cut; `Disk.cut` puts
it in the place of the files once the process is dead. One process at a time may write the database,
because a sync of one would save the writes of all.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gevent.monkey import get_original

SUFFIXES = (".sqlite3", ".sqlite3-wal", ".sqlite3-journal")
_POINTER, _INT, _LONG = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
# SQLite keeps the pointer to a name, and has more behind its end.
_OPEN = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _POINTER, _INT, _POINTER)
_DELETE = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _INT)
_WRITE = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _INT, _LONG)
_TRUNCATE = ctypes.CFUNCTYPE(_INT, _POINTER, _LONG)
_SYNC = ctypes.CFUNCTYPE(_INT, _POINTER, _INT)

#: SQLite goes on calling what it was given, whoever forgets it.
_KEPT: list[Any] = []


class _Vfs(ctypes.Structure):
    """The beginning of ``sqlite3_vfs``, and all that comes behind what is replaced."""

    _fields_ = (
        ("version", _INT),
        ("file_size", _INT),
        ("longest_path", _INT),
        ("next", _POINTER),
        ("name", ctypes.c_char_p),
        ("data", _POINTER),
        ("open", _POINTER),
        ("delete", _POINTER),
        ("others", _POINTER * 14),
    )


class _Methods(ctypes.Structure):
    """``sqlite3_io_methods``."""

    _fields_ = (
        ("version", _INT),
        ("close", _POINTER),
        ("read", _POINTER),
        ("write", _POINTER),
        ("truncate", _POINTER),
        ("sync", _POINTER),
        ("others", _POINTER * 13),
    )


class Disk:
    """What of a folder's databases is on the disk, kept in another folder."""

    def __init__(self, folder: str | Path):
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        # SQLite calls from threads beside gevent's loop, which its own locks do not know.
        self._lock = get_original("_thread", "allocate_lock")()
        self._unsynced: dict[str, list[tuple[int, bytes | None]]] = {}
        self._files: dict[int, str] = {}
        self._methods: dict[int, _Methods] = {}

    def cut(self, database: str | Path) -> None:
        """Put what the disk holds in the place of a database's files; nobody has them open."""

        for path in Path(database).parent.glob(f"{Path(database).name}*"):
            path.unlink()

        for copy in self._folder.iterdir():
            shutil.copy(copy, Path(database).parent / copy.name)

    def put_under_sqlite(self) -> None:
        """From now on, for every database that this process opens."""

        library = _library()
        library.sqlite3_vfs_find.restype = _POINTER
        plain = _Vfs.from_address(library.sqlite3_vfs_find(None))
        self._open, self._delete = _OPEN(plain.open), _DELETE(plain.delete)
        vfs = _Vfs()
        ctypes.memmove(ctypes.byref(vfs), ctypes.byref(plain), ctypes.sizeof(_Vfs))
        vfs.name = b"synced-alone"
        vfs.open = self._keep(_OPEN(self._on_open))
        vfs.delete = self._keep(_DELETE(self._on_delete))
        _KEPT.append(vfs)
        assert library.sqlite3_vfs_register(ctypes.byref(vfs), 1) == 0

    def _keep(self, function: Any) -> int | None:
        _KEPT.append(function)

        return ctypes.cast(function, _POINTER).value

    def _on_open(self, vfs: int, name: int | None, file: int, flags: int, out: int) -> int:
        done: int = self._open(vfs, name, file, flags, out)
        path = _text(name) if name else ""

        if done == 0 and path.endswith(SUFFIXES):
            self._files[file] = path
            self._begin(path)
            methods = ctypes.c_void_p.from_address(file)
            methods.value = ctypes.addressof(self._shim(methods.value or 0))

        return done

    def _begin(self, path: str) -> None:
        """What is there when a file is opened first is on the disk."""

        with self._lock:
            if path not in self._unsynced:
                self._unsynced[path] = []
                shutil.copy(path, self._copy_of(path))

    def _copy_of(self, path: str) -> Path:
        return self._folder / Path(path).name

    def _shim(self, address: int) -> _Methods:
        if address not in self._methods:
            plain, shim = _Methods.from_address(address), _Methods()
            ctypes.memmove(ctypes.byref(shim), address, ctypes.sizeof(_Methods))
            shim.write = self._keep(_WRITE(self._on_write(_WRITE(plain.write))))
            shim.truncate = self._keep(_TRUNCATE(self._on_truncate(_TRUNCATE(plain.truncate))))
            shim.sync = self._keep(_SYNC(self._on_sync(_SYNC(plain.sync))))
            self._methods[address] = shim

        return self._methods[address]

    def _on_write(self, plain: Callable[..., int]) -> Callable[..., int]:
        def write(file: int, data: int, amount: int, offset: int) -> int:
            done = plain(file, data, amount, offset)

            if done == 0:
                self._note(file, offset, ctypes.string_at(data, amount))

            return done

        return write

    def _on_truncate(self, plain: Callable[..., int]) -> Callable[..., int]:
        def truncate(file: int, size: int) -> int:
            done = plain(file, size)

            if done == 0:
                self._note(file, size, None)

            return done

        return truncate

    def _note(self, file: int, offset: int, data: bytes | None) -> None:
        with self._lock:
            self._unsynced[self._files[file]].append((offset, data))

    def _on_sync(self, plain: Callable[..., int]) -> Callable[..., int]:
        def sync(file: int, flags: int) -> int:
            # What is written while it syncs may be on the disk or not: it is not.
            path = self._files[file]

            with self._lock:
                noted = len(self._unsynced[path])

            done = plain(file, flags)

            if done == 0:
                self._save(path, noted)

            return done

        return sync

    def _save(self, path: str, count: int) -> None:
        with self._lock:
            noted = self._unsynced[path]
            copy = os.open(self._copy_of(path), os.O_RDWR | os.O_CREAT)

            for offset, data in noted[:count]:
                if data is None:
                    os.ftruncate(copy, offset)
                else:
                    os.pwrite(copy, data, offset)

            os.close(copy)
            del noted[:count]

    def _on_delete(self, vfs: int, name: int, sync: int) -> int:
        path = _text(name)

        with self._lock:
            if self._unsynced.pop(path, None) is not None:
                self._copy_of(path).unlink(missing_ok=True)

        return int(self._delete(vfs, name, sync))


def _text(name: int) -> str:
    return os.fsdecode(ctypes.string_at(name))


def _library() -> Any:
    """The SQLite that Python's module uses: one of its own, or a shared one."""

    maps = Path("/proc/self/maps").read_text().split()
    found = [word for word in maps if "libsqlite3" in word]
    library = ctypes.CDLL(found[0] if found else sqlite3._sqlite3.__file__)  # type: ignore[attr-defined]
    assert library.sqlite3_libversion_number() == _number(sqlite3.sqlite_version)

    return library


def _number(version: str) -> int:
    major, minor, patch = (int(part) for part in version.split("."))

    return major * 1_000_000 + minor * 1_000 + patch
