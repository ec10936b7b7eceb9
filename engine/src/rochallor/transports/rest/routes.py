"""Every operation of REST, once: the table from which the door, Starlette's routes, 405 and the log's names are built.

Templates and operation ids are those of the OpenAPI document (a test compares them). `hot` routes are found by the door
itself; such a template has at most one parameter, as its third segment.
"""

from __future__ import annotations

from typing import NamedTuple

from rochallor.transports.rest import definitions, events, instances, jobs, service, tasks
from rochallor.transports.rest.call import Handler


class Route(NamedTuple):
    """One operation: how it is reached, and who answers. A GET answers HEAD too."""

    method: str
    template: str
    operation: str
    handler: Handler
    hot: bool = False


ROUTES = (
    Route("POST", "/v1/jobs/poll", "pollJobs", jobs.poll, hot=True),
    Route("POST", "/v1/jobs/report", "reportJobs", jobs.report, hot=True),
    Route("POST", "/v1/jobs/{id}/complete", "completeJob", jobs.complete, hot=True),
    Route("POST", "/v1/jobs/{id}/fail", "failJob", jobs.fail, hot=True),
    Route("POST", "/v1/instances", "startInstance", instances.start, hot=True),
    Route("GET", "/v1/instances/{id}", "getInstance", instances.get, hot=True),
    Route("GET", "/v1/instances", "listInstances", instances.listing),
    Route("GET", "/v1/instances/{id}/history", "getInstanceHistory", instances.history),
    Route("GET", "/v1/instances/{id}/await", "awaitInstance", instances.wait),
    Route("GET", "/v1/instances/{id}/events", "watchInstance", events.watch),
    Route("GET", "/v1/instances/{id}/audit", "getInstanceAudit", instances.audit),
    Route("POST", "/v1/instances/{id}/cancel", "cancelInstance", instances.cancel),
    Route("POST", "/v1/instances/{id}/steps/{stepId}/retry", "retryStep", instances.retry),
    Route("POST", "/v1/instances/{instanceId}/user-tasks/{stepId}/complete", "completeUserTask", tasks.complete),
    Route("POST", "/v1/instances/{instanceId}/signals/{waitStepId}", "signalWait", tasks.signal),
    Route("GET", "/v1/user-tasks", "listUserTasks", tasks.listing),
    Route("POST", "/v1/definitions", "uploadDefinition", definitions.upload),
    Route("GET", "/v1/definitions", "listDefinitions", definitions.listing),
    Route("GET", "/v1/definitions/{id}", "getDefinition", definitions.get),
    Route("GET", "/v1/definitions/{id}/versions/{version}", "getDefinitionVersion", definitions.get_version),
    Route("GET", "/v1/openapi.json", "getOpenapi", service.openapi),
    Route("GET", "/v1/schemas/workflow-definition.json", "getDefinitionSchema", service.definition_schema),
    Route("GET", "/healthz", "healthz", service.healthz),
    Route("GET", "/readyz", "readyz", service.readyz),
)
