"""Run the compiled loop, and empty its arrays when they are full."""

from schedlab.serving.compiled.collect import Collector
from schedlab.serving.compiled.layout import Replica
from schedlab.serving.compiled.loop import FAILED, NEEDS_ROOM, advance
from schedlab.serving.compiled.prepare import Arrivals
from schedlab.serving.records import Run


def serve(replica: Replica, arrivals: Arrivals, scheduler: str) -> Run | None:
    """Return the run, or None if the plain engine would have refused a batch.

    Parameters
    ----------
    replica
        Before its first batch.
    arrivals
        Its requests.
    scheduler
        Name of the scheduler.
    """
    collector = Collector(arrivals, compact=len(replica.slots) > 0)
    while (status := advance(replica)) == NEEDS_ROOM:
        replica = collector.make_room(replica)
    return None if status == FAILED else collector.run(replica, scheduler)
