"""Simulated targets and clients of them."""

from __future__ import annotations

import pytest
from rsp_client import ALL_FEATURES, Client

from gdbstub.testing.target import SimulatedCore, SimulatedTarget

PID, OTHER_TID = 10, 11


@pytest.fixture
def target() -> SimulatedTarget:
    """Process 10 with threads 10 and 11."""
    simulated = SimulatedTarget()
    simulated.add_process(PID, (OTHER_TID,))
    return simulated


@pytest.fixture
def client(target: SimulatedTarget) -> Client:
    """A client that has said nothing of itself."""
    return Client(target)


@pytest.fixture
def modern(target: SimulatedTarget) -> Client:
    """A client that understands everything."""
    return Client(target, ALL_FEATURES)


@pytest.fixture
def core() -> Client:
    """A client of what neither runs nor changes."""
    simulated = SimulatedCore()
    simulated.add_process(PID, (OTHER_TID,))
    return Client(simulated)
