"""Says that a version was promoted, as a flow does: ``python -m tests.support.emit``."""

from prefect.events import emit_event
from prefect.events.worker import EventsWorker

from flows.promote import PROMOTED_EVENT

if __name__ == "__main__":
    resource = {"prefect.resource.id": "mistworks.model.mist"}
    emit_event(PROMOTED_EVENT, resource, payload={"uri": "models:/mist/7"})
    EventsWorker.drain_all(timeout=20)
