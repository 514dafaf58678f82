#!/usr/bin/python3
"""A partner's mail server to rehearse against, on this machine only: STARTTLS or TLS from the start, AUTH inside TLS only,
and faults on request.

Prints one JSON object a line: first {"event": "listening", "port": N}, then what happens. Lines of JSON on its standard
input control it: {"play": "greylist", "service": "RCPT", "times": 1}, {"clear": true}.
"""
import argparse
import asyncio
import contextlib
import email
import email.policy
import functools
import hashlib
import json
import logging
import pathlib
import socket
import ssl
import struct
import sys
import threading

from aiosmtpd.smtp import SMTP, AuthResult, TLSSetupException
from authority import Authority
from partner import Faults, Partner

logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd warns of its own old names

# What each fault answers to the command that it is played at; CONNECT is the greeting, BODY the end of the data.
REPLIES = {"greylist": "450 4.7.1 greylisted, try again in a minute", "busy": "421 4.3.2 shutting down, come back later",
           "refuse": "550 5.1.1 no such mailbox", "full": "452 4.2.2 mailbox full", "policy": "554 5.7.1 not wanted here"}
KINDS = {*REPLIES, "reply", "cut", "silent", "inject", "long-line", "garbage", "take-and-cut"}


class Mail:
    """One that was taken. `content`: as it came, with CR LF and without dot-stuffing."""

    def __init__(self, envelope, user, secure):
        self.sender, self.recipients = envelope.mail_from, list(envelope.rcpt_tos)
        self.options, self.content, self.user, self.secure = list(envelope.mail_options), envelope.content, user, secure

    @property
    def message(self):
        return email.message_from_bytes(self.content, policy=email.policy.default)

    def attachments(self):
        return list(self.message.iter_attachments())


class Session(SMTP):
    """One connection. Each command passes by the partner's faults."""

    def __init__(self, partner):
        self.partner, self.said = partner, []
        context = partner.context()
        super().__init__(partner, hostname="rehearsal", ident="rehearsal", loop=partner.loop,
                         data_size_limit=partner.size_limit, enable_SMTPUTF8=False, auth_require_tls=not partner.implicit,
                         tls_context=context if partner.starttls and not partner.implicit else None,
                         require_starttls=partner.starttls and not partner.implicit,
                         auth_required=partner.auth_required, authenticator=partner.authenticate,
                         auth_exclude_mechanism=[name for name in ("PLAIN", "LOGIN") if name not in partner.mechanisms])
        self._smtp_methods = {name: functools.partial(self.played, name, method)
                              for name, method in self._smtp_methods.items()}
        partner.sessions.append(self)

    @property
    def secure(self):
        return self.partner.implicit or self._tls_protocol is not None

    async def played(self, command, method, argument):
        self.said.append(command)
        self.partner.tell("command", command=command, secure=self.secure)
        fault = self.partner.faults.take(command)
        if fault is None:
            return await method(argument)
        return await self.play(command, fault, functools.partial(method, argument))

    async def play(self, command, fault, usual):
        kind = fault["fault"]
        self.partner.tell("fault", fault=kind, command=command)
        if kind == "silent":
            await asyncio.sleep(300)
        elif kind == "cut":
            self.drop()
        elif kind == "inject":  # what a listener in between writes before TLS has begun
            self._writer.write(b"220 go ahead\r\n250-rehearsal\r\n250 AUTH LOGIN\r\n")
        elif kind == "long-line":
            await self.push("250 " + "x" * 200000)
        elif kind == "garbage":
            self._writer.write(bytes(range(128, 256)) + b"\r\n")
        elif kind == "reply":
            await self.push(fault["text"])
        else:
            await self.push(REPLIES[kind])
        if kind == "busy":
            self.transport.close()

    def drop(self):
        """As a network does it: no reply, no end of TLS."""
        raw = self._original_transport or self.transport
        with contextlib.suppress(OSError, AttributeError):
            raw.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.abort()

    async def _handle_client(self):
        fault = self.partner.faults.take("CONNECT")
        if fault:
            await self.play("CONNECT", fault, None)
            if fault["fault"] != "cut":
                self.transport.close()
            return
        await super()._handle_client()

    def connection_lost(self, error):
        super().connection_lost(error)
        with contextlib.suppress(ValueError):
            self.partner.sessions.remove(self)
        self.partner.tell("closed", commands=self.said)


class MailPartner(Partner):
    """The server, on a thread of this process. Change its attributes as it runs; they count for the connections that
    follow."""

    certificates = ssl.CERT_NONE

    def __init__(self, authority=None, port=0, identity=None, out=None, implicit=False):
        self.implicit, self.starttls, self.auth_required = implicit, True, True
        self.users, self.mechanisms = {"acme": "open sesame"}, ["PLAIN"]
        self.size_limit, self.kept = 20 << 20, None
        self.refused, self.greylisted = set(), set()  # recipients: 550, and 450 for the first time
        self.mails, self.sessions, self.faults = [], [], Faults(KINDS)
        super().__init__(authority, port, identity, out)

    def listen(self, port):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.listener = asyncio.run_coroutine_threadsafe(self._listen(port), self.loop).result(30)
        self.port = self.listener.sockets[0].getsockname()[1]

    async def _listen(self, port):
        return await self.loop.create_server(lambda: Session(self), "127.0.0.1", port,
                                             ssl=self.context() if self.implicit else None)

    def stop(self):
        self.closing.set()
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result(30)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    async def _close(self):
        self.listener.close()
        for session in list(self.sessions):
            session.transport.abort()
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()

    # ---- what aiosmtpd asks ----

    def authenticate(self, server, session, envelope, mechanism, data):
        user, password = data.login.decode(errors="replace"), data.password.decode(errors="replace")
        good = self.users.get(user) == password
        self.tell("login", mechanism=mechanism, user=user, ok=good, secure=server.secure)
        return AuthResult(success=good, handled=False, auth_data=user)

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refused:
            return REPLIES["refuse"]
        if address in self.greylisted:
            self.greylisted.discard(address)
            return REPLIES["greylist"]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        fault = self.faults.take("BODY")
        if fault and fault["fault"] not in ("take-and-cut", "cut"):
            self.tell("fault", fault=fault["fault"], command="BODY")
            return fault.get("text") or REPLIES[fault["fault"]]
        if not fault or fault["fault"] == "take-and-cut":
            self.mails.append(Mail(envelope, session.auth_data, server.secure))
            if self.kept:
                for number, attachment in enumerate(self.mails[-1].attachments()):
                    (self.kept / f"{len(self.mails)}.{number}").write_bytes(attachment.get_payload(decode=True))
            self.tell("taken", to=envelope.rcpt_tos, size=len(envelope.content), secure=server.secure,
                      sha256=hashlib.sha256(envelope.content).hexdigest())
        if fault:
            self.tell("fault", fault=fault["fault"], command="BODY")
            server.drop()
        return f"250 2.0.0 taken as {len(self.mails)}"

    async def handle_exception(self, error):
        if not isinstance(error, (OSError, asyncio.CancelledError, TLSSetupException)):
            self.tell("broken", reason=repr(error))
        return "451 4.3.0 something is wrong here"


# ---- the command ----

def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 (default): any free one")
    parser.add_argument("--pki", required=True, type=pathlib.Path, help="folder for root.pem: written")
    parser.add_argument("--implicit", action="store_true", help="TLS from the start, instead of STARTTLS")
    parser.add_argument("--no-starttls", action="store_true", help="offer no TLS at all")
    parser.add_argument("--user", default="acme:open sesame", help="NAME:PASSWORD")
    parser.add_argument("--kept", type=pathlib.Path, help="folder that takes the attachments of all mails")
    parser.add_argument("--tls", default="1.2,1.3", help="versions")
    parser.add_argument("--play", action="append", default=[], metavar="FAULT[:COMMAND]",
                        help="each time: " + ", ".join(sorted(KINDS)))
    return parser.parse_args()


def main():
    options = parse()
    authority = Authority()
    options.pki.mkdir(parents=True, exist_ok=True)
    (options.pki / "root.pem").write_bytes(authority.trust)
    partner = MailPartner(authority, options.port, out=sys.stdout, implicit=options.implicit)
    partner.starttls, partner.versions = not options.no_starttls, tuple(options.tls.split(","))
    partner.kept = options.kept
    partner.users = dict([options.user.split(":", 1)])
    for fault in options.play:
        name, _, command = fault.partition(":")
        partner.faults.play(name, command or None)
    for line in sys.stdin:
        try:
            order = json.loads(line)
            if order.pop("clear", False):
                partner.faults.clear()
            if "play" in order:
                partner.faults.play(order.pop("play"), **order)
        except (ValueError, TypeError) as problem:
            partner.tell("not-understood", text=str(problem))
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


if __name__ == "__main__":
    main()
