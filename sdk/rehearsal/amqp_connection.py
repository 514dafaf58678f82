"""One AMQP 1.0 connection of the rehearsal broker (amqp_partner.py): SASL by hand, since Debian's proton has no server side
of PLAIN, then proton's transport over the same socket. A thread for each; other threads only wake it or give it orders."""
import contextlib
import os
import select
import socket
import ssl
import struct
import time

from partner import Dropped
from proton import Array, Collector, Condition, Connection, Data, Delivery, Described, Endpoint, Event, Message, Transport
from proton import UNDESCRIBED, ProtonException, symbol, ubyte, ulong

SASL_HEADER, AMQP_HEADER = b"AMQP\3\1\0\0", b"AMQP\0\1\0\0"
MECHANISMS, INIT, OUTCOME = 0x40, 0x41, 0x44
REJECTED = "amqp:precondition-failed"


def encode(value):
    data = Data()
    data.put_object(value)
    return data.encode()


def frame(code, *fields):
    body = encode(Described(ulong(code), list(fields)))
    return struct.pack(">IBBH", 8 + len(body), 2, 1, 0) + body


def read_exactly(connection, size):
    read = b""
    while len(read) < size:
        piece = connection.recv(size - len(read))
        if not piece:
            raise Dropped
        read += piece
    return read


# At which moment each fault is played.
SASL = {"no-sasl", "refuse-login", "busy-login", "no-outcome", "garbage"}
OPEN = {"no-open", "close-at-open", "garbage-after-open"}
ATTACH = {"not-found", "unauthorized", "no-attach", "no-credit", "other-address"}
DELIVERY = {"release", "modify", "undeliverable", "reject", "detach", "end-session", "force-close", "cut",
            "no-disposition", "accept-and-cut", "unsettled"}
GIVING = {"give-and-cut", "give-and-detach", "give-aborted", "give-half"}
KINDS = SASL | OPEN | ATTACH | DELIVERY | GIVING


def node(address):
    """The queue that an address means, in RabbitMQ's forms and others'."""
    for form in ("/amq/queue/", "/queues/", "/queue/"):
        if address and address.startswith(form):
            return address[len(form):]
    return address


class AmqpConnection:
    def __init__(self, partner, connection, subject):
        self.partner, self.socket, self.subject = partner, connection, subject
        self.orders, self.waker = [], os.pipe()
        self.given = {}      # delivery tag -> (queue, entry), not settled yet
        self.pieces = {}     # delivery tag -> what has come of a large one
        self.held = set()    # links that are given no credit
        self.tags = 0
        self.transport = self.amqp = self.collector = None

    # ---- from other threads ----

    def wake(self):
        with contextlib.suppress(OSError):
            os.write(self.waker[1], b".")

    def ask(self, what, how):
        self.orders.append((what, how))
        self.wake()

    # ---- SASL ----

    def log_in(self):
        """The user's name."""
        fault = self.partner.faults.take(None, only=SASL)
        if fault and fault["fault"] == "garbage":
            self.socket.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            raise Dropped
        header = read_exactly(self.socket, 8)
        if fault and fault["fault"] == "no-sasl" or header != SASL_HEADER:
            self.socket.sendall(AMQP_HEADER)
            raise Dropped
        offered = Array(UNDESCRIBED, Data.SYMBOL, *map(symbol, self.partner.mechanisms))
        self.socket.sendall(SASL_HEADER + frame(MECHANISMS, offered))
        size, offset, _, _ = struct.unpack(">IBBH", read_exactly(self.socket, 8))
        body = read_exactly(self.socket, size - 8)[4 * offset - 8:]
        data = Data()
        data.decode(body)
        data.next()
        mechanism, response = (data.get_object().value + [None])[:2]
        user = self.judge(str(mechanism), bytes(response or b""))
        self.partner.tell("login", mechanism=str(mechanism), user=user or "", ok=user is not None)
        if fault and fault["fault"] == "no-outcome":
            self.partner.closing.wait(300)
        code = 2 if fault and fault["fault"] == "busy-login" else 1 if fault or user is None else 0
        self.socket.sendall(frame(OUTCOME, ubyte(code)))
        if code:
            raise Dropped
        return user

    def judge(self, mechanism, response):
        if mechanism not in self.partner.mechanisms:
            return None
        if mechanism == "PLAIN":
            _, user, password = (response.split(b"\0") + [b"", b""])[:3]
            good = self.partner.users.get(user.decode(errors="replace")) == password.decode(errors="replace")
            return user.decode() if good else None
        if mechanism == "EXTERNAL":
            return self.subject or None
        return "anonymous"

    # ---- life ----

    def run(self):
        try:
            self.log_in()
            self.transport = Transport(Transport.SERVER)
            self.transport.max_frame_size = self.partner.max_frame
            if self.partner.idle_timeout:
                self.transport.idle_timeout = self.partner.idle_timeout
            self.amqp, self.collector = Connection(), Collector()
            self.amqp.collect(self.collector)
            self.amqp.container = "rehearsal"
            self.transport.bind(self.amqp)
            self.partner.sessions.append(self)
            self.pump()
        finally:
            with contextlib.suppress(ValueError):
                self.partner.sessions.remove(self)
            back = {}
            for queue, entry in self.given.values():
                back.setdefault(queue, []).append(entry)
            for queue, entries in back.items():
                self.partner.give_back(queue, *entries)
            self.given = {}
            for descriptor in self.waker:
                os.close(descriptor)

    def pump(self):
        """Until one side has closed."""
        while not self.transport.closed and not self.partner.closing.is_set():
            self.dispatch()
            self.flush()
            if self.transport.closed:
                break
            later = self.transport.tick(time.time())
            wait = max(0.0, min(1.0, later - time.time())) if later else 1.0
            ready, _, _ = select.select([self.socket, self.waker[0]], [], [], 0 if self.socket_pending() else wait)
            if self.waker[0] in ready:
                os.read(self.waker[0], 4096)
                self.obey()
                self.give_all()
            if self.socket in ready or self.socket_pending():
                self.read()

    def socket_pending(self):
        return isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0

    def read(self):
        capacity = self.transport.capacity()
        if capacity <= 0:
            return
        self.socket.setblocking(False)
        try:
            piece = self.socket.recv(min(capacity, 65536))
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        finally:
            self.socket.settimeout(300)
        if piece:
            with contextlib.suppress(ProtonException):
                self.transport.push(piece)
        else:
            with contextlib.suppress(ProtonException):
                self.transport.close_tail()

    def flush(self):
        while (size := self.transport.pending()) > 0:
            self.socket.sendall(self.transport.peek(size))
            self.transport.pop(size)
            self.dispatch()
        if size < 0:
            raise Dropped

    def drop(self):
        """As a network does it: no close frame, no end of TLS."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.socket.detach())
        raise Dropped

    # ---- events ----

    def dispatch(self):
        while (event := self.collector.peek()) is not None:
            handler = getattr(self, event.type.method, None)
            if handler:
                handler(event)
            self.collector.pop()

    def on_connection_remote_open(self, event):
        fault = self.partner.faults.take(None, only=OPEN)
        self.partner.tell("open", container=str(self.amqp.remote_container), hostname=str(self.amqp.remote_hostname))
        if fault and fault["fault"] == "no-open":
            return
        self.amqp.open()
        if fault and fault["fault"] == "close-at-open":
            self.amqp.condition = Condition("amqp:connection:forced", "not today")
            self.amqp.close()
        if fault and fault["fault"] == "garbage-after-open":
            self.flush()
            self.socket.sendall(bytes(range(256)))
            self.drop()

    def on_connection_remote_close(self, event):
        self.amqp.close()

    def on_session_remote_open(self, event):
        event.session.open()

    def on_session_remote_close(self, event):
        event.session.close()

    def on_link_remote_close(self, event):
        event.link.close()

    def on_link_remote_detach(self, event):
        event.link.detach()

    def on_link_remote_open(self, event):
        link = event.link
        address = (link.remote_source if link.is_sender else link.remote_target).address
        queue = node(address)
        fault = self.partner.faults.take(queue, only=ATTACH)
        kind = fault["fault"] if fault else ""
        self.partner.tell("attach", queue=str(queue), address=str(address), gives=link.is_sender, fault=kind)
        if kind == "no-attach":
            return
        if kind in ("not-found", "unauthorized") or queue not in self.partner.queues:
            link.open()
            link.condition = Condition("amqp:unauthorized-access" if kind == "unauthorized" else "amqp:not-found",
                                       f"{queue}: no such queue here, or not for you")
            link.close()
            return
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        if kind == "other-address":
            link.target.address = "elsewhere"
        if self.partner.max_message_size:
            link.max_message_size = self.partner.max_message_size
        link.open()
        if kind == "no-credit":
            self.held.add(link.name)
        elif link.is_receiver:
            link.flow(self.partner.credit)
        else:
            self.give(link)

    def on_link_flow(self, event):
        if event.link.is_sender:
            self.give(event.link)

    def on_delivery(self, event):
        delivery = event.delivery
        if event.link.is_receiver:
            self.take(event.link, delivery)
        elif delivery.updated:
            self.settle(event.link, delivery)

    # ---- what comes ----

    def take(self, link, delivery):
        if delivery.aborted:
            self.partner.tell("aborted")
            delivery.settle()
            link.flow(1)
            return
        if not delivery.readable or delivery.partial:
            if delivery.partial and delivery.pending > 1 << 20:
                self.pieces.setdefault(delivery.tag, []).append(link.recv(delivery.pending))
            return
        pieces = self.pieces.pop(delivery.tag, [])
        encoded = b"".join(pieces) + (link.recv(delivery.pending) or b"")
        link.advance()
        queue = node(link.remote_target.address)
        message = Message()
        message.decode(encoded)
        fault = self.partner.faults.take(queue, only=DELIVERY)
        self.answer(link, delivery, queue, message, fault)
        if link.name not in self.held and link.state & Endpoint.LOCAL_ACTIVE:
            link.flow(1)

    def answer(self, link, delivery, queue, message, fault):
        kind = fault["fault"] if fault else "accept"
        if fault:
            self.partner.tell("fault", fault=kind, queue=queue, id=str(message.id))
        outcomes = {"release": Delivery.RELEASED, "modify": Delivery.MODIFIED, "undeliverable": Delivery.MODIFIED,
                    "reject": Delivery.REJECTED, "accept": Delivery.ACCEPTED, "accept-and-cut": Delivery.ACCEPTED,
                    "unsettled": Delivery.ACCEPTED}
        if kind in ("accept", "accept-and-cut", "unsettled"):
            self.partner.accepted(queue, message)
        if kind == "reject":
            delivery.local.condition = Condition(fault.get("condition", REJECTED), fault.get("description", "not that one"))
        if kind in ("modify", "undeliverable"):
            delivery.local.failed, delivery.local.undeliverable = True, kind == "undeliverable"
        if kind in ("accept-and-cut", "cut"):
            self.drop()
        elif kind == "detach":
            self.detach(link)
        elif kind == "end-session":
            self.end(link.session)
        elif kind == "force-close":
            self.force()
        elif kind in outcomes:
            delivery.update(outcomes[kind])
            if kind != "unsettled":
                delivery.settle()

    # ---- what goes ----

    def give_all(self):
        link = self.amqp.link_head(Endpoint.LOCAL_ACTIVE | Endpoint.REMOTE_ACTIVE)
        while link:
            if link.is_sender:
                self.give(link)
            link = link.next(Endpoint.LOCAL_ACTIVE | Endpoint.REMOTE_ACTIVE)

    def give(self, link):
        queue = node(link.remote_source.address)
        while link.credit > 0 and link.state & Endpoint.LOCAL_ACTIVE:
            entry = self.partner.take(queue)
            if entry is None:
                if link.drain_mode:
                    link.drained()
                return
            message, _ = entry
            fault = self.partner.faults.take(queue, only=GIVING)
            self.tags += 1
            tag = f"{self.tags}"
            delivery = link.delivery(tag)
            encoded = message if isinstance(message, bytes) else message.encode()
            kind = fault["fault"] if fault else ""
            self.given[tag] = (queue, entry)
            if kind in ("give-half", "give-aborted"):
                link.send(encoded[:len(encoded) // 2])
                self.flush()
                if kind == "give-half":
                    self.drop()
                delivery.abort()
                self.given.pop(tag)
                self.partner.give_back(queue, entry)
                return
            link.send(encoded)
            link.advance()
            self.partner.tell("given", queue=queue, size=len(encoded))
            if kind == "give-and-cut":
                self.flush()
                self.drop()
            if kind == "give-and-detach":
                self.detach(link)

    def settle(self, link, delivery):
        """Who received it says what became of it."""
        known = self.given.pop(delivery.tag, None)
        state = delivery.remote_state
        names = {Delivery.ACCEPTED: "accepted", Delivery.REJECTED: "rejected", Delivery.RELEASED: "released",
                 Delivery.MODIFIED: "modified"}
        if known:
            self.partner.settled.append((known[0], names.get(state, "settled")))
            if state in (Delivery.RELEASED, Delivery.MODIFIED):
                self.partner.give_back(*known)
        delivery.settle()

    # ---- orders ----

    def obey(self):
        while self.orders:
            what, how = self.orders.pop(0)
            if what == "force_close":
                self.force(**how)
            elif what == "drop":
                self.drop()
            elif what == "end_session":
                session = self.amqp.session_head(Endpoint.LOCAL_ACTIVE)
                while session:
                    self.end(session)
                    session = session.next(Endpoint.LOCAL_ACTIVE)
            elif what == "detach":
                link = self.amqp.link_head(Endpoint.LOCAL_ACTIVE)
                while link:
                    self.detach(link)
                    link = link.next(Endpoint.LOCAL_ACTIVE)

    def force(self, condition="amqp:connection:forced", description="the broker is going down"):
        self.amqp.condition = Condition(condition, description)
        self.amqp.close()

    @staticmethod
    def end(session):
        session.condition = Condition("amqp:internal-error", "the session is over")
        session.close()

    @staticmethod
    def detach(link, condition="amqp:link:detach-forced", description="the queue is being moved"):
        link.condition = Condition(condition, description)
        link.close()
