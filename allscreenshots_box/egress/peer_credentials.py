"""Whose program is at the other end of a loopback connection: the kernel is asked, the program is not."""

import os
import socket
import struct

from .. import logs

Ends = tuple[str, int]  # address and port

# sock_diag(7): a request for exactly one TCP socket, and where its owner stands in the answer.
_SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, _NETLINK_SOCK_DIAG = 20, 1, 4
_ANY_STATE = _NO_COOKIE = 0xFFFFFFFF
_HEADER = struct.Struct("=IHHII")
_ASKED = struct.Struct("=BBBBI")
_SOCKET = struct.Struct("!HH4s12x4s12x")
_REST = struct.Struct("=III")
_OWNER = struct.Struct("=I")
_OWNER_AT = _HEADER.size + 4 + 48 + 12


class Peers:
    """Tells whether connections come from programs of the box's own user. Made open; `close` ends it."""

    def __init__(self) -> None:
        self._kernel: socket.socket | None = None
        try:
            self._kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _NETLINK_SOCK_DIAG)
            self._try()
        except OSError as error:
            self.close()
            # Better sessions that every program of this machine may use than none.
            logs.fault("doors_unguarded", error)

    def _try(self) -> None:
        """Raise OSError unless the kernel knows a connection of our own."""
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname(), timeout=1) as client,
        ):
            if not self.is_ours(client.getsockname(), server.getsockname()):
                raise OSError("a connection of our own is not known as such")

    def is_ours(self, client: Ends, server: Ends) -> bool:
        """Say whether the socket *client*, which is connected to *server*, belongs to our user; IPv4 only."""
        if self._kernel is None:
            return True
        asked = _ASKED.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY_STATE)
        asked += _SOCKET.pack(client[1], server[1], socket.inet_aton(client[0]), socket.inet_aton(server[0]))
        asked += _REST.pack(0, _NO_COOKIE, _NO_COOKIE)
        head = _HEADER.pack(_HEADER.size + len(asked), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 0, 0)
        try:
            self._kernel.send(head + asked)
            answer = self._kernel.recv(4096)  # it is there when send returns
        except OSError:
            return False
        if _HEADER.unpack_from(answer)[1] != _SOCK_DIAG_BY_FAMILY:
            return False
        (owner,) = _OWNER.unpack_from(answer, _OWNER_AT)
        return bool(owner == os.geteuid())

    def close(self) -> None:
        """Give the socket back."""
        if self._kernel is not None:
            self._kernel.close()
            self._kernel = None
