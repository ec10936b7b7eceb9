"""REST: JSON over HTTP for the engine's operations. `create_app(engine)` is the whole door."""

from rochallor.transports.rest.app import create_app

__all__ = ["create_app"]
