"""A remote protocol client that costs as little as it can, so that the servers are what is measured."""

import socket


class Client:
    """One connection; packets are bytes without frame."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self._acknowledge = b"+"
        features = self.ask(
            b"qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+;fork-events+;no-resumed+;xmlRegisters=i386"
        )
        self.packet_size = next(
            int(feature.partition(b"=")[2], 16)
            for feature in features.split(b";")
            if feature.startswith(b"PacketSize=")
        )
        self.ask(b"QStartNoAckMode")
        self._acknowledge = b""

    @staticmethod
    def frame(payload: bytes) -> bytes:
        return b"$%b#%02x" % (payload, sum(payload) & 0xFF)

    def ask(self, payload: bytes) -> bytes:
        return self.ask_framed(self.frame(payload))

    def ask_framed(self, framed: bytes) -> bytes:
        """Send a framed packet; the reply's payload as it travels (run-length codes included)."""
        self._socket.sendall(framed)
        buffer = self._buffer
        while True:
            end = buffer.find(b"#")
            if end >= 0 and len(buffer) >= end + 3:
                self._buffer = buffer[end + 3 :]
                if self._acknowledge:
                    self._socket.sendall(self._acknowledge)
                return buffer[buffer.index(b"$") + 1 : end]
            buffer += self._socket.recv(1 << 18)

    def send(self, payload: bytes) -> None:
        self._socket.sendall(self.frame(payload))

    def close(self) -> None:
        self._socket.close()


def expand(payload: bytes) -> bytes:
    """Undo run-length coding."""
    parts = payload.split(b"*")
    expanded = bytearray(parts[0])
    for part in parts[1:]:
        expanded += expanded[-1:] * (part[0] - 29) + part[1:]
    return bytes(expanded)


def thread_of(stop: bytes) -> bytes:
    """The thread that a stop reply names."""
    return stop.partition(b"thread:")[2].partition(b";")[0]
