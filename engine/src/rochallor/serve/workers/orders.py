"""What parent and worker say to each other: a line each, over two pipes that are the worker's input and output.

The settings go this way too, because a password in the environment or on the command line could be seen by others.
Orders wait in the pipe until a worker can follow them; a signal would end one that is still starting. And when the
pipe ends, the parent is gone, however that came about.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec

from rochallor.config import Config


class Orders(msgspec.Struct):
    """The first line to a worker: its number, from 1, and its settings, with ports that are fixed."""

    number: int
    config: dict[str, Any]

    @classmethod
    def of(cls, number: int, config: Config) -> Orders:
        """Return the orders for a worker."""
        return cls(number, asdict(config))

    @property
    def settings(self) -> Config:
        """The configuration."""
        return Config(**self.config)


LISTEN = b"listen\n"
"""Open the doors, for everybody has started."""
RELOAD = b"reload\n"
"""Read the tokens anew."""
ASK_METRICS = b"metrics\n"
"""Say a `Page`."""


class Started(msgspec.Struct, tag=True):
    """A worker's first line: its engine works, its doors are closed."""


class Ready(msgspec.Struct, tag=True):
    """It serves."""


class Page(msgspec.Struct, tag=True):
    """A worker's answer to `ASK_METRICS`: its metrics as Prometheus text."""

    text: str


Told = Started | Ready | Page

MOST_BYTES = 64 * 1024 * 1024
"""The longest line; a page of metrics has one line per route, status and bucket."""

encode = msgspec.json.Encoder().encode
read_orders = msgspec.json.Decoder(Orders).decode
read_told = msgspec.json.Decoder(Told).decode


def line(message: Orders | Told) -> bytes:
    """Return a message as it is sent."""
    return bytes(encode(message)) + b"\n"
