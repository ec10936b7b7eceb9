"""From the text of `--target` to a subject: an engine, an SDK behind its driver, or the pair of stub and SDK."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from rochallor_conformance.cases.model import ENGINE, PAIR, SDK
from rochallor_conformance.engine.subject import EngineSubject
from rochallor_conformance.engine.targets import Fleet, Target, read_target
from rochallor_conformance.running import Subject
from rochallor_conformance.sdk.manifest import Manifest, read_manifest
from rochallor_conformance.sdk.subject import SdkSubject


class Named(NamedTuple):
    """A target as it was named. `kind` is what of a case's `targets` it is."""

    kind: str
    engine: Target | None = None
    driver: Manifest | None = None


def read_subject(text: str) -> Named:
    """Return what a `--target` means.

    Raises:
        BadTarget, BadManifest: it means nothing, or its driver.toml is wrong.

    """
    kind, _, rest = text.partition(":")
    if kind in (SDK, PAIR) and rest:
        return Named(kind, driver=read_manifest(Path(rest)))
    return Named(ENGINE, engine=read_target(text))


@asynccontextmanager
async def opened(named: Named) -> AsyncIterator[Subject]:
    """Give the subject; what was started for it ends with the block."""
    if named.driver is not None:
        async with SdkSubject(named.driver, kind=named.kind) as sdk:
            yield sdk
    elif named.engine is not None:
        with tempfile.TemporaryDirectory(prefix="rochallor-conformance-") as folder:
            async with Fleet(named.engine, Path(folder)) as fleet:
                yield EngineSubject(fleet)
