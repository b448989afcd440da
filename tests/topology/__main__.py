"""``make services``: the services of docker-compose.yml, a run through them, and nothing left running."""

import sys

from tests.topology.topology import TopologyError
from tests.topology.trial import TrialError, run

if __name__ == "__main__":
    try:
        run(lambda line: print(line, flush=True))  # noqa: T201
    except (TopologyError, TrialError) as error:
        sys.exit(str(error))
