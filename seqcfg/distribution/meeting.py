"""A meeting of all processes before TensorFlow is told of them, because it waits for those that are missing without end."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from seqcfg.distribution.cluster import Cluster
from seqcfg.errors import UserError

PAUSE_SECONDS = 0.05
PATIENCE_SECONDS = 5.0  # for one answer


def meet(cluster: Cluster, seconds: float) -> None:
    """Returns when every process has reached every other at its address; raises UserError naming those it has not.

    Each process answers at its own address, which it leaves free again for TensorFlow, and calls at all others.
    """
    deadline = time.monotonic() + seconds
    others = {index: address for index, address in enumerate(cluster.addresses) if index != cluster.index}
    reached: set[int] = set()
    came: set[int] = set()
    left = threading.Event()
    with _listening(cluster.mine) as door:
        answering = threading.Thread(target=_answer, args=(door, came, left), daemon=True)
        answering.start()
        try:
            while len(reached) < len(others) or len(came) < len(others):
                reached |= {index for index, address in others.items() if index not in reached and _call(address, cluster.index)}
                if time.monotonic() > deadline:
                    raise _alone(cluster.mine, seconds, [one for index, one in others.items() if not {index} <= reached & came])
                time.sleep(PAUSE_SECONDS)
        finally:
            left.set()
            answering.join()


def _alone(mine: str, seconds: float, missing: list[str]) -> UserError:
    hint = "start all processes within training.strategy.meeting_seconds, and let these ports through"
    return UserError(f"{mine} waited {seconds:g} s in vain for {', '.join(missing)}", hint=hint)


def _listening(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    door = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((host.strip("[]") if host in ("127.0.0.1", "localhost") else "", int(port)))
    except OSError as error:
        door.close()
        raise UserError(
            f"port {port} of {address} is taken: {error.strerror}", hint="end the process that has it, or use another port"
        ) from None
    door.listen(128)
    door.settimeout(PAUSE_SECONDS)
    return door


def _answer(door: socket.socket, came: set[int], left: threading.Event) -> None:
    """Notes the numbers of those who call, once they were told that they were heard."""
    while not left.is_set():
        with contextlib.suppress(OSError, ValueError):
            visitor, _ = door.accept()
            with visitor:
                visitor.settimeout(PATIENCE_SECONDS)
                number = int(visitor.recv(16).decode("ascii").strip())
                visitor.sendall(b"heard\n")
                came.add(number)


def _call(address: str, index: int) -> bool:
    """Whether the process at this address heard that this one is there."""
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE_SECONDS) as line:
        line.sendall(f"{index}\n".encode("ascii"))
        return line.recv(16) == b"heard\n"
    return False
