#!/usr/bin/python3
"""A partner's TAXII 1.1 server to rehearse against, on this machine only: mutual TLS, an inbox, a feed in parts, and faults on
request. Laid out like the AIS server: /flare/taxii11/discovery, poll, inbox and collection-management; AIS_INGEST takes,
AIS gives.

Prints one JSON object a line: first {"event": "listening", "port": N}, then what happens. Lines of JSON on its standard
input control it: {"play": "html", "service": "poll", "times": 1}, {"clear": true}, {"feed": "FILE"}, {"forget": true}.
"""
import argparse
import contextlib
import hashlib
import http.server
import json
import pathlib
import ssl
import sys
import threading
import time

import taxii_faults
from authority import Authority
from partner import Dropped, Partner
from taxii_faults import Answer
from taxii_messages import MESSAGES, PROTOCOL, SERVICES, STIX, Malformed, Reader, status
from taxii_services import Feed, Services

PATHS = {"/flare/taxii11/discovery": "discovery", "/flare/taxii11/collection-management": "collections",
         "/flare/taxii11/inbox": "inbox", "/flare/taxii11/poll": "poll"}
NO_TIME_CHECK = 0x200000  # X509_V_FLAG_NO_CHECK_TIME


class Exchange(http.server.BaseHTTPRequestHandler):
    """The requests of one connection, one after another."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "rehearsal", ""

    def __init__(self, partner, connection, peer):
        self.partner, self.socket, self.subject = partner, connection, partner.subject_of(connection)
        self.message = self.service = self.fault = None
        self.message_id, self.part, self.served = "0", None, 0
        super().__init__(connection, peer, None)

    def log_message(self, *_):
        pass

    def send(self, data):
        self.socket.sendall(data)

    def fault_is(self, name):
        return bool(self.fault) and self.fault["fault"] == name

    def handle_one_request(self):
        if self.served == 0 and self.partner.faults.take(None, only=["drop-before"]):
            taxii_faults.reset(self)
        super().handle_one_request()

    def do_GET(self):
        self.send_answer(Answer(b"", 405, {"Content-Type": "text/html", "Allow": "POST"}))

    def do_POST(self):
        body = self.read_body()
        self.service, self.message, self.message_id, self.part = PATHS.get(self.path), None, "0", None
        self.address = f"https://{self.headers.get('Host', 'localhost')}/flare/taxii11/"
        self.partner.tell("request", path=self.path, size=len(body), subject=self.subject)
        self.partner.keep_request(self, body)
        answer = self.refusal() or self.understood(body)
        self.fault = self.fault or self.partner.faults.take(self.service, self.part)
        if self.fault:
            self.partner.tell("fault", fault=self.fault["fault"], service=self.service)
            if self.message is not None:
                taxii_faults.KINDS[self.fault["fault"]](answer, self.fault, self)
        self.send_answer(answer)

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(body)

    def refusal(self):
        """What is wrong before the message is read."""
        if self.partner.refuses(self.socket):
            answer = Answer()
            taxii_faults.KINDS["no-certificate"](answer, {"title": self.partner.refuses(self.socket)}, self)
            return answer
        if not self.service:
            return Answer(taxii_faults.page("404 Not Found"), 404, {"Content-Type": "text/html"})
        wanted = {"Content-Type": "application/xml", "X-TAXII-Content-Type": MESSAGES, "X-TAXII-Accept": MESSAGES,
                  "X-TAXII-Protocol": PROTOCOL, "X-TAXII-Services": SERVICES}
        for name, value in wanted.items():
            if (self.headers.get(name) or "").split(";")[0].strip() != value:
                return Answer(status("0", "FAILURE", f"The specified value of {name} is not recognized"))
        return None

    def understood(self, body):
        try:
            self.message = Reader(body).root
            self.message_id = self.message.attributes["message_id"]
            self.part = int(self.message.attributes.get("result_part_number", 1))
            self.fault = self.partner.faults.take(self.service, self.part)
            return self.partner.services.answer(self) if not self.unheard() else Answer()
        except (Malformed, KeyError, ValueError) as problem:
            return Answer(status("0", "BAD_MESSAGE", f"Request was invalid: {problem}"))

    def unheard(self):
        """Faults that stand for not having acted upon the request at all."""
        return self.fault and self.fault["fault"] in ("http", "status", "no-certificate", "html", "replay") and \
            not self.fault.get("acted")

    def send_answer(self, answer):
        self.served += 1
        last = answer.close or self.served == self.partner.keep
        self.send_response(answer.code)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.size is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(answer.size))
        if last:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        sent = 0
        for piece in answer.pieces:
            if answer.pause and self.partner.closing.wait(answer.pause):
                raise Dropped
            if answer.cut_at is not None and sent + len(piece) > answer.cut_at:
                piece = piece[:answer.cut_at - sent]
                self.send(self.framed(answer, piece))
                taxii_faults.reset(self)
            self.send(self.framed(answer, piece))
            sent += len(piece)
        if answer.size is None:
            self.send(b"0\r\n\r\n")

    @staticmethod
    def framed(answer, piece):
        return piece if answer.size is not None else b"%x\r\n%s\r\n" % (len(piece), piece) if piece else b""


class TaxiiPartner(Partner):
    """The server, in threads of this process. Change its attributes as it runs; `identity` and `versions` count for the
    connections that follow."""

    def __init__(self, authority=None, port=0, identity=None, out=None):
        self.like_nginx = False                # refuse a client certificate with a page instead of an alert
        self.strangers = b""                   # like nginx: roots whose certificates get as far as that page
        self.takes, self.inbox_bindings = ["AIS_INGEST"], [STIX]
        self.destination = "required"          # required, optional, prohibited
        self.refuse_bindings = False           # UNSUPPORTED_CONTENT instead of dropping such a block silently
        self.judge = None                      # a function of the contents: None, or the arguments of status()
        self.feeds = {"AIS": Feed("AIS")}
        self.part_size, self.narrow, self.escaped, self.keep = 3, None, False, None
        self.kept_folder = None
        self.submissions, self.requests = [], []
        self.keep_bodies = 1 << 20             # of requests; larger ones are cut
        self.faults, self.services = taxii_faults.Faults(), Services(self)
        super().__init__(authority, port, identity, out)

    @property
    def feed(self):
        return self.feeds["AIS"]

    def keep_request(self, exchange, body):
        self.requests.append((exchange.path, dict(exchange.headers.items()), body[:self.keep_bodies]))

    def take(self, submission):
        self.submissions.append(submission)
        for content in submission.contents:
            hashed = hashlib.sha256(content.bytes).hexdigest()
            self.tell("taken", message_id=submission.message_id, size=len(content.bytes), sha256=hashed,
                      subject=submission.subject, again=submission.again)
            if self.kept_folder:
                (self.kept_folder / f"{len(self.submissions):06}-{hashed[:16]}.xml").write_bytes(content.bytes)

    def received(self):
        """Contents in their order; of a message that came twice, once."""
        return [content.bytes for one in list(self.submissions) if not one.again for content in one.contents]

    # ---- connections ----

    def context(self):
        context = super().context()
        if self.like_nginx:
            context.load_verify_locations(cadata=(self.trust + self.strangers).decode())
            context.verify_mode = ssl.CERT_OPTIONAL
            context.verify_flags |= NO_TIME_CHECK
        return context

    def converse(self, connection, peer):
        Exchange(self, connection, peer)

    def refuses(self, connection):
        """nginx's words about this client certificate; None: it is good."""
        certificate = connection.getpeercert()
        if not self.like_nginx:
            return None
        if not certificate:
            return "No required SSL certificate was sent"
        issuer = next(value for part in certificate["issuer"] for key, value in part if key == "commonName")
        ended = ssl.cert_time_to_seconds(certificate["notAfter"]) < time.time()
        return "The SSL certificate error" if ended or not issuer.startswith(self.authority.name) else None

    def forget_results(self):
        """As a server that has restarted between two parts."""
        self.services.results.clear()

# ---- the command ----

def control(partner, order):
    """One line of standard input."""
    if order.pop("clear", False):
        partner.faults.clear()
    if order.pop("forget", False):
        partner.forget_results()
    if "feed" in order:
        partner.feed.add(pathlib.Path(order.pop("feed")).read_bytes())
    if "play" in order:
        partner.faults.play(order.pop("play"), **order)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 (default): any free one")
    parser.add_argument("--pki", required=True, type=pathlib.Path, help="folder for root.pem, client.pem, client.key: written")
    parser.add_argument("--kept", type=pathlib.Path, help="folder for what is submitted")
    parser.add_argument("--feed", nargs="*", default=[], type=pathlib.Path, help="files that the feed AIS gives")
    parser.add_argument("--part-size", type=int, default=3, help="blocks in each part of a poll")
    parser.add_argument("--narrow", type=float, metavar="SECONDS", help="answer no wider windows than that")
    parser.add_argument("--escaped", action="store_true", help="give contents as escaped text")
    parser.add_argument("--tls", default="1.2,1.3", help="versions")
    parser.add_argument("--like-nginx", action="store_true", help="refuse client certificates with a page")
    parser.add_argument("--play", action="append", default=[], metavar="FAULT[:SERVICE]",
                        help="for every request: " + ", ".join(sorted(taxii_faults.KINDS)))
    return parser.parse_args()


def main():
    options = parse()
    authority = Authority()
    options.pki.mkdir(parents=True, exist_ok=True)
    (options.pki / "root.pem").write_bytes(authority.trust)
    authority.client().write(options.pki, "client")
    partner = TaxiiPartner(authority, options.port, out=sys.stdout)
    partner.kept_folder, partner.part_size, partner.narrow = options.kept, options.part_size, options.narrow
    partner.escaped, partner.like_nginx = options.escaped, options.like_nginx
    partner.versions = tuple(options.tls.split(","))
    for path in options.feed:
        partner.feed.add(path.read_bytes())
    for fault in options.play:
        name, _, service = fault.partition(":")
        partner.faults.play(name, service or None)
    for line in sys.stdin:
        try:
            control(partner, json.loads(line))
        except (OSError, ValueError, TypeError) as problem:
            partner.tell("not-understood", text=str(problem))
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


if __name__ == "__main__":
    main()
