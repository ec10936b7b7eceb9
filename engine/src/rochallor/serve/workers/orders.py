"""What parent and worker say to each other: a line of JSON each, over the worker's standard input and output.

The settings go this way too, because a password in the environment or on the command line could be seen by others.
Standard input has a second use: when it ends, the parent is gone, however that came about.
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


class Ready(msgspec.Struct, tag=True):
    """A worker's first line: it serves."""


class Page(msgspec.Struct, tag=True):
    """A worker's answer to `ask_metrics`: its metrics as Prometheus text."""

    text: str


Told = Ready | Page

ASK_METRICS = b"metrics\n"
MOST_BYTES = 64 * 1024 * 1024
"""The longest line; a page of metrics has one line per route, status and bucket."""

encode = msgspec.json.Encoder().encode
read_orders = msgspec.json.Decoder(Orders).decode
read_told = msgspec.json.Decoder(Told).decode


def line(message: Orders | Told) -> bytes:
    """Return a message as it is sent."""
    return bytes(encode(message)) + b"\n"
