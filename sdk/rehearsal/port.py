"""Ports on loopback for servers of our own."""
import socket


class Port:
    """A port of our own, at which nothing listens until a server of ours does. As long as this object lives the kernel
    gives it to nobody else: neither to who asks for any port, nor to who connects to somewhere."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: both may bind to it
        self.socket.bind(("127.0.0.1", 0))
        self.number = self.socket.getsockname()[1]
