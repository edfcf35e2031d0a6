"""Folders of disturbed runs, which several files of the group "crashes" share."""

import pytest

from tests.training.crashing import Place
from tests.training.fork_server import ForkServer


@pytest.fixture(scope="session")
def server():
    with ForkServer() as server:
        yield server


@pytest.fixture(scope="session")
def place(tmp_path_factory, server):
    return Place(tmp_path_factory.mktemp("crashes"), server)


@pytest.fixture(scope="session")
def long_place(tmp_path_factory, server):
    """Of runs with 30 checkpoints each."""
    return Place(tmp_path_factory.mktemp("long"), server, steps=120)
