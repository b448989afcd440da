"""The services of docker-compose.yml as native processes on loopback.

`Topology` takes commands, environments, health checks and start order from the parsed compose file, and only
replaces host names and ports by free ports of 127.0.0.1, and volumes by temporary folders.
"""

from tests.topology.compose import COMPOSE_FILE, SECURE_FILE
from tests.topology.topology import Topology, TopologyError

__all__ = ["COMPOSE_FILE", "SECURE_FILE", "Topology", "TopologyError"]
