"""A meeting of all processes before TensorFlow is told of them, because it waits for those that are missing without end."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import threading
import time

from seqcfg.distribution.cluster import Cluster
from seqcfg.distribution.lost import ProcessLost
from seqcfg.errors import UserError

PAUSE_SECONDS = 0.05
PATIENCE_SECONDS = 5.0  # for one answer
LONGEST = 512  # bytes of a call or an answer


def meet(cluster: Cluster, seconds: float, again: bool = False) -> None:
    """Returns when every process has reached every other at its address; raises UserError naming those it has not.

    Each process answers at its own address, which it leaves free again for TensorFlow, and calls at all others. Where they
    meet `again`, those who do not come were there before: this raises ProcessLost.
    """
    deadline = time.monotonic() + seconds
    others = {index: address for index, address in enumerate(cluster.addresses) if index != cluster.index}
    word = f"{hashlib.sha256(' '.join(cluster.addresses).encode()).hexdigest()[:16]}-{int(again)}"
    reached: set[int] = set()
    came: set[int] = set()
    strangers: list[str] = []
    left = threading.Event()
    with _listening(cluster.mine) as door:
        answering = threading.Thread(target=_answer, args=(door, word, came, strangers, left), daemon=True)
        answering.start()
        try:
            while len(reached) < len(others) or len(came) < len(others):
                reached |= {index for index, address in others.items() if index not in reached and _call(address, cluster, word, strangers)}
                if strangers:
                    raise _strange(cluster, strangers[0])
                if time.monotonic() > deadline:
                    raise _alone(cluster.mine, seconds, [one for index, one in others.items() if not {index} <= reached & came], again)
                time.sleep(PAUSE_SECONDS)
        finally:
            left.set()
            answering.join()


def _alone(mine: str, seconds: float, missing: list[str], again: bool) -> UserError:
    if again:
        return ProcessLost(f"another process of this run is gone: {mine} waited {seconds:g} s in vain for {', '.join(missing)} to return")
    hint = "start all processes within training.strategy.meeting_seconds, and let these ports through"
    return UserError(f"{mine} waited {seconds:g} s in vain for {', '.join(missing)}", hint=hint)


def _strange(cluster: Cluster, stranger: str) -> UserError:
    return UserError(
        f"the process at {stranger} was given other addresses than the one at {cluster.mine}, whose are {', '.join(cluster.addresses)}",
        hint="give the same addresses in the same order to all processes, and to each a number of its own",
    )


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


def _answer(door: socket.socket, word: str, came: set[int], strangers: list[str], left: threading.Event) -> None:
    """Notes the numbers of those who call, once they were told so, and the address of one that was given other addresses."""
    while not left.is_set():
        with contextlib.suppress(OSError, ValueError):
            visitor, _ = door.accept()
            with visitor:
                visitor.settimeout(PATIENCE_SECONDS)
                number, theirs, address = visitor.recv(LONGEST).decode("ascii").split()
                visitor.sendall(f"{word}\n".encode("ascii"))
                if theirs == word:
                    came.add(int(number))
                elif _are_others(theirs, word):
                    strangers.append(address)


def _call(address: str, cluster: Cluster, word: str, strangers: list[str]) -> bool:
    """Whether the process at this address heard that this one is there."""
    host, _, port = address.rpartition(":")
    answer = ""
    with (
        contextlib.suppress(OSError, ValueError),
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE_SECONDS) as line,
    ):
        line.sendall(f"{cluster.index} {word} {cluster.mine}\n".encode("ascii"))
        answer = line.recv(LONGEST).decode("ascii").strip()
    if _are_others(answer, word):
        strangers.append(address)
    return answer[:16] == word[:16] and answer >= word  # who meets again has met before


def _are_others(theirs: str, word: str) -> bool:
    """Whether these are words of processes that were given other addresses; TensorFlow answers at a port that is free again."""
    return re.fullmatch(r"[0-9a-f]{16}-[01]", theirs) is not None and theirs[:16] != word[:16]
