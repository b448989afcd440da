"""Free ports of 127.0.0.1."""

import random
import socket
from contextlib import ExitStack

# SeaweedFS listens for its own kind on the port that is this much higher.
SECOND_PORT = 10_000
# Below what the kernel gives to clients.
_RANGE = (12_000, 22_000)


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on, nor on the port 10,000 above each."""
    with ExitStack() as held:
        return [_free_port(held) for _ in range(count)]


def _free_port(held: ExitStack) -> int:
    while True:
        port = random.randrange(*_RANGE)
        try:
            for number in (port, port + SECOND_PORT):
                probe = held.enter_context(socket.socket())
                probe.bind(("127.0.0.1", number))
        except OSError:
            continue
        return port
