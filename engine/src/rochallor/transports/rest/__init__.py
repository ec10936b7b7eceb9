"""REST: JSON over HTTP for the engine's operations. `create_app(engine)` is the whole door."""

from rochallor.transports.rest.app import RestApp, create_app

__all__ = ["RestApp", "create_app"]
