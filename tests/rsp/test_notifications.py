"""The stop notification's states, against a model that is written differently."""

from __future__ import annotations

from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gdbstub.rsp.notifications import StopNotifications


class Notifications(RuleBasedStateMachine):
    """A target's stops, and a client that fetches them: each is told exactly once, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.notifications = StopNotifications()
        self.waiting: list[bytes] = []
        self.happened = 0
        self.told: list[bytes] = []
        self.notified = False
        """The client has been notified and has not yet fetched an OK."""

    def take(self) -> bytes | None:
        return self.waiting.pop(0) if self.waiting else None

    @rule()
    def a_stop_happens(self) -> None:
        self.happened += 1
        self.waiting.append(b"%d" % self.happened)
        sent = self.notifications.available(self.take)
        assert (sent is None) == self.notified, "a notification is sent if and only if none is under way"
        if sent is not None:
            self.told.append(sent)
            self.notified = True

    @rule()
    def the_target_says_so_again(self) -> None:
        sent = self.notifications.available(self.take)
        assert sent is None, "what has happened was told, or waits to be fetched"

    @rule()
    def the_client_fetches(self) -> None:
        reply = self.notifications.fetch(self.take)
        if reply is None:
            assert not self.waiting
            self.notified = False
        else:
            self.told.append(reply)
            self.notified = True

    @invariant()
    def each_is_told_once_and_in_order(self) -> None:
        assert self.told + self.waiting == [b"%d" % number for number in range(1, self.happened + 1)]

    @invariant()
    def nothing_waits_without_a_notification(self) -> None:
        assert self.notified or not self.waiting


TestNotifications = Notifications.TestCase


def test_a_query_starts_a_round_of_its_own() -> None:
    notifications = StopNotifications()
    waiting = [b"new"]

    def take() -> bytes | None:
        return waiting.pop() if waiting else None

    assert notifications.begin([b"1", b"2"]) == b"1"
    assert notifications.available(take) is None, "the client fetches already"
    assert notifications.fetch(take) == b"2"
    assert notifications.fetch(take) == b"new"
    assert notifications.fetch(take) is None
    waiting.append(b"later")
    assert notifications.available(take) == b"later"


def test_a_query_without_an_answer_starts_nothing() -> None:
    notifications = StopNotifications()
    assert notifications.begin([]) is None
    assert notifications.available(lambda: b"stop") == b"stop"


def test_a_second_query_begins_anew() -> None:
    notifications = StopNotifications()
    assert notifications.begin([b"1", b"2"]) == b"1"
    assert notifications.begin([b"1", b"2"]) == b"1"
    assert notifications.fetch(lambda: None) == b"2"
    assert notifications.fetch(lambda: None) is None
