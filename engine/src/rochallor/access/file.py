"""The tokens file as it is now: read at the start, and again when it has changed, without a restart.

A new file that cannot be used leaves the engine with the tokens it has, and a line in the log: a slip of an editor must
not lock everybody out, nor let anybody in. The change is noticed by looking at the file at most once a second, when a
request comes; `look` again at once is for SIGHUP.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from rochallor.access.reading import TokensError, read_tokens
from rochallor.access.tokens import TokenBook

LOOK_EVERY_MS = 1_000
MAX_BYTES = 4 * 1024 * 1024

log = logging.getLogger("rochallor.access")


class TokensFile:
    """The tokens of one file. Opening it raises `TokensError` if they cannot be used; later that is only logged."""

    def __init__(self, path: Path, now_ms: Callable[[], int]) -> None:
        self._path = path
        self._now_ms = now_ms
        self._looked_ms = now_ms()
        self._seen = self._stamp()
        self._book = self._read()

    def book(self, now_ms: int) -> TokenBook:
        """Return the tokens at `now_ms`."""
        if abs(now_ms - self._looked_ms) >= LOOK_EVERY_MS:  # abs: a clock may be set back
            self._looked_ms = now_ms
            stamp = self._stamp()
            if stamp != self._seen:
                self._seen = stamp
                self.reload()
        return self._book

    def reload(self) -> None:
        """Read the file again now; if it cannot be used, keep what there is and log why."""
        try:
            self._book = self._read()
        except TokensError as error:
            log.error("the tokens file cannot be used, the tokens from before stay: %s", error)  # noqa: TRY400 - the sentence says it all
        else:
            log.info("the tokens file was read again: %d tokens", len(self._book))

    def _stamp(self) -> tuple[int, ...]:
        """Return what changes when the file does; nothing while it is not there."""
        try:
            found = os.stat(self._path)  # noqa: PTH116 - on the way of requests, and five times as fast as Path.stat
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> TokenBook:
        try:
            with self._path.open(encoding="utf-8") as stream:
                text = stream.read(MAX_BYTES + 1)
        except OSError as error:
            raise TokensError(f"it cannot be read: {os.strerror(error.errno or 0)}") from None
        except UnicodeDecodeError:
            raise TokensError("it is not UTF-8") from None
        if len(text) > MAX_BYTES:
            raise TokensError(f"it is larger than {MAX_BYTES} bytes")
        return read_tokens(text)
