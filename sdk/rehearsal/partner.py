"""What the partners that are threads of this process share: a listener on loopback, TLS as weak or strong as it is asked to
be, what has happened, and faults that are to be played."""
import contextlib
import json
import socket
import socketserver
import ssl
import sys
import tempfile
import threading

from authority import Authority

VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2,
            "1.3": ssl.TLSVersion.TLSv1_3}


class Dropped(Exception):
    """The connection is over."""


class Faults:
    """Those that are to be played. `kinds`: their names; `apart`: those that are taken only when they are asked for by
    name."""

    def __init__(self, kinds, apart=()):
        self.kinds, self.apart = kinds, apart
        self.due, self.played = [], []

    def play(self, fault, service=None, times=None, **how):
        """`service`: where, such as an inbox, a queue or a command; None: anywhere."""
        name = fault.replace("_", "-")
        if name not in self.kinds:
            raise ValueError(f"there is no fault {fault}; there are {', '.join(sorted(self.kinds))}")
        self.due.append({"fault": name, "service": service, "times": times, **{key.replace("_", "-"): value
                                                                             for key, value in how.items()}})

    def clear(self):
        self.due = []

    def take(self, service, part=None, only=None):
        """The next fault for this request, counted down; `only`: of these names."""
        for fault in list(self.due):
            if fault["service"] not in (None, service) or fault.get("part", part) != part:
                continue
            if only and fault["fault"] not in only or not only and fault["fault"] in self.apart:
                continue
            if fault["times"] is not None:
                fault["times"] -= 1
                if fault["times"] <= 0:
                    self.due.remove(fault)
            self.played.append((service, fault["fault"]))
            return fault
        return None


class Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address, daemon_threads, block_on_close, request_queue_size = True, True, False, 256

    def __init__(self, partner, port):
        self.partner = partner
        super().__init__(("127.0.0.1", port), None)

    def finish_request(self, request, client_address):
        self.partner.serve(request, client_address)

    def shutdown_request(self, request):
        with contextlib.suppress(OSError):
            request.close()

    def handle_error(self, request, client_address):
        self.partner.tell("error", text=repr(sys.exc_info()[1]))
        self.partner.errors.append(sys.exc_info()[1])


class Partner:
    """`identity`, `trust`, `versions`, `ciphers` and `certificates` count for the connections that follow. A partner says
    what it does with a connection in converse()."""

    certificates = ssl.CERT_REQUIRED  # of clients

    def __init__(self, authority=None, port=0, identity=None, out=None):
        self.authority = authority or Authority()
        self.identity = identity or self.authority.server()
        self.trust = self.authority.trust      # of client certificates
        self.versions = ("1.2", "1.3")
        self.ciphers = None                    # of OpenSSL, for what it would not do by itself
        self.events, self.connections, self.errors = [], [], []
        self.closing, self.open, self.lock, self.out = threading.Event(), set(), threading.Lock(), out
        self.listen(port)
        self.tell("listening", port=self.port)

    def listen(self, port):
        self.listener = Listener(self, port)
        self.port = self.listener.server_address[1]
        self.thread = threading.Thread(target=self.listener.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def converse(self, connection, peer):
        raise NotImplementedError

    # ---- what has happened ----

    def tell(self, event, **facts):
        with self.lock:
            self.events.append({"event": event, **facts})
            if self.out:
                print(json.dumps({"event": event, **facts}), file=self.out, flush=True)

    def told(self, event, **facts):
        return [one for one in list(self.events)
                if one["event"] == event and all(one.get(key) == value for key, value in facts.items())]

    # ---- connections ----

    def context(self):
        """Made for each connection: so what is changed counts from the next one on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers(self.ciphers or "DEFAULT:@SECLEVEL=0")  # it may be as weak as it is made
        context.minimum_version = VERSIONS[min(self.versions)]
        context.maximum_version = VERSIONS[max(self.versions)]
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(self.identity.chain + self.identity.key)
            file.flush()
            context.load_cert_chain(file.name)
        context.load_verify_locations(cadata=self.trust.decode())
        context.verify_mode = self.certificates
        return context

    def serve(self, request, peer):
        with self.lock:
            self.open.add(request)
        request.settimeout(300)
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = request
        try:
            connection = self.context().wrap_socket(request, server_side=True)
            with self.lock:
                self.open = self.open - {request} | {connection}
            self.connections.append({"version": connection.version(), "cipher": connection.cipher()[0],
                                     "subject": self.subject_of(connection), "serial": self.serial_of(connection)})
            self.tell("connected", **self.connections[-1])
            self.converse(connection, peer)
        except Dropped:
            self.tell("dropped")
        except (OSError, ValueError) as problem:  # ValueError: written to after it was closed
            self.tell("broken", reason=str(problem))
        finally:
            with contextlib.suppress(OSError):
                connection.close()
            with self.lock:
                self.open -= {request, connection}
            self.tell("closed")

    @staticmethod
    def subject_of(connection):
        """Its common name; "" without certificate."""
        certificate = connection.getpeercert() or {}
        return next((value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"), "")

    @staticmethod
    def serial_of(connection):
        return (connection.getpeercert() or {}).get("serialNumber", "")

    def cut(self):
        """Drops what is open; goes on listening."""
        with self.lock:
            still = list(self.open)
        for connection in still:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def stop(self):
        self.closing.set()
        self.listener.shutdown()
        self.listener.server_close()
        self.cut()
        self.thread.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
