"""Processes meet at their addresses before TensorFlow is told of them."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from seqcfg.distribution.cluster import Cluster
from seqcfg.distribution.meeting import meet
from seqcfg.errors import UserError


def free_addresses(count):
    """Addresses on this machine at which nobody listens."""
    doors = [socket.socket() for _ in range(count)]
    for door in doors:
        door.bind(("127.0.0.1", 0))
    addresses = tuple(f"127.0.0.1:{door.getsockname()[1]}" for door in doors)
    for door in doors:
        door.close()
    return addresses


def test_all_of_them_meet_and_leave_their_ports_free():
    addresses = free_addresses(3)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda index: meet(Cluster(addresses, index), 20.0), range(3)))
    for address in addresses:
        with socket.socket() as door:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind(("127.0.0.1", int(address.rpartition(":")[2])))


def test_those_who_do_not_come_are_named():
    addresses = free_addresses(2)
    with pytest.raises(UserError, match=f"waited 0.2 s in vain for {addresses[1]}"):
        meet(Cluster(addresses, 0), 0.2)


def test_a_port_that_is_taken_is_named():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        port = door.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} of 127.0.0.1:{port} is taken"):
            meet(Cluster((f"127.0.0.1:{port}", *free_addresses(1)), 0), 0.2)
