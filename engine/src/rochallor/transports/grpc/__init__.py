"""The gRPC door: protobuf messages to calls of the engine and back, and nothing else.

No rule of the engine lives here; `servicer.RPCS` is the table of what is served. Inside this package `import grpc`
is the library, this package is `rochallor.transports.grpc`.
"""

from rochallor.transports.grpc.health import Health
from rochallor.transports.grpc.server import bind, create_server
from rochallor.transports.grpc.servicer import Observe

__all__ = ["Health", "Observe", "bind", "create_server"]
