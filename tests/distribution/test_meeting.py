"""Processes meet at their addresses before TensorFlow is told of them."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from seqcfg.distribution.cluster import Cluster
from seqcfg.distribution.lost import ProcessLost
from seqcfg.distribution.meeting import meet
from seqcfg.errors import EXIT_RESUBMIT, UserError


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


def both(*tasks):
    """What the tasks raise, run side by side."""
    with ThreadPoolExecutor(len(tasks)) as pool:
        return [future.exception() for future in [pool.submit(task) for task in tasks]]


def test_processes_that_meet_again_wait_for_the_slower_ones():
    addresses = free_addresses(3)

    def twice(index):
        meet(Cluster(addresses, index), 20.0)
        meet(Cluster(addresses, index), 20.0, again=True)

    for _ in range(5):
        assert both(*(lambda index=index: twice(index) for index in range(3))) == [None, None, None]


def test_who_was_there_and_does_not_return_is_lost_which_is_worth_another_start():
    addresses = free_addresses(2)
    assert both(*(lambda index=index: meet(Cluster(addresses, index), 20.0) for index in range(2))) == [None, None]
    with pytest.raises(ProcessLost, match=f"waited 0.2 s in vain for {addresses[1]} to return") as lost:
        meet(Cluster(addresses, 0), 0.2, again=True)
    assert lost.value.exit_code == EXIT_RESUBMIT


def test_a_process_that_was_given_other_addresses_is_named():
    first, second, third = free_addresses(3)
    one, other = both(lambda: meet(Cluster((first, second), 0), 20.0), lambda: meet(Cluster((first, second, third), 1), 20.0))
    assert str(one).startswith(f"the process at {second} was given other addresses than the one at {first}, whose are {first}, {second}")
    assert str(other).startswith(f"the process at {first} was given other addresses than the one at {second}")


def test_a_port_that_is_taken_is_named():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        port = door.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} of 127.0.0.1:{port} is taken"):
            meet(Cluster((f"127.0.0.1:{port}", *free_addresses(1)), 0), 0.2)
