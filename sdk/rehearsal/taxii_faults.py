"""What a TAXII server can do wrong, on request (taxii_partner.py).

A fault is a dictionary: {"fault": NAME, "service": "poll", "times": 1, ...}. `service` is one of discovery, collections,
inbox, poll, or left out: any; `times` is left out for "until it is taken back"; `part` limits it to that part of a poll.
The names are the functions below that take (answer, fault, exchange); each changes the answer, or does something else with
the connection and raises Dropped.
"""
import gzip
import itertools
import re
import socket
import struct
import time

import partner
from partner import Dropped
from taxii_messages import HEADERS, SPACE, STIX, status

KINDS = {}
FOREVER = 1 << 40


class Answer:
    """What will be sent. `pieces`: an iterable of bytes; `size`: None for chunks."""

    def __init__(self, body=b"", code=200, headers=None, pieces=None, size=None):
        self.code, self.headers = code, dict(HEADERS if headers is None else headers)
        self.pieces = [body] if pieces is None else pieces
        self.size = len(body) if pieces is None else size
        self.pause = 0.0     # seconds before every piece
        self.cut_at = None   # bytes of the body after which the connection goes
        self.close = False

    def body(self):
        return b"".join(self.pieces)

    def replace(self, body):
        self.pieces, self.size = [body], len(body)


def kind(function):
    KINDS[function.__name__.rstrip("_").replace("_", "-")] = function
    return function


def page(title):
    return (f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
            f"<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n").encode()


# ---- other answers than a message ----

@kind
def html(answer, fault, _exchange):
    """An error page with status 200, as from a proxy that is tired."""
    answer.headers = {"Content-Type": "text/html"}
    answer.replace(page(fault.get("title", "Service temporarily unavailable")))


@kind
def http(answer, fault, _exchange):
    """An HTTP status: `code`, `retry-after`, and a page."""
    answer.code, answer.headers = int(fault["code"]), {"Content-Type": "text/html"}
    if "retry-after" in fault:
        answer.headers["Retry-After"] = str(fault["retry-after"])
    if "location" in fault:
        answer.headers["Location"] = fault["location"]
    answer.replace(page(f"{answer.code} {fault.get('title', 'No')}"))


@kind
def no_certificate(answer, fault, _exchange):
    """What nginx says when a client certificate is missing or not accepted: `title`."""
    title = fault.get("title", "The SSL certificate error")
    answer.code, answer.headers, answer.close = 400, {"Content-Type": "text/html"}, True
    answer.replace((f"<html>\r\n<head><title>400 {title}</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1>"
                    f"</center>\r\n<center>{title}</center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"
                    ).encode())


@kind
def status_(answer, fault, exchange):
    """A Status_Message: `type`, `details` (name to value or values), `message`."""
    details = [(name, value) for name, values in fault.get("details", {}).items()
               for value in (values if isinstance(values, list) else [values])]
    answer.code, answer.headers = 200, dict(HEADERS)
    answer.replace(status(exchange.message_id, fault["type"], fault.get("message"), details))


@kind
def empty(answer, _fault, _exchange):
    answer.replace(b"")


@kind
def content_type(answer, fault, _exchange):
    """A good message that says it is something else."""
    answer.headers = {"Content-Type": fault.get("type", "text/plain")}


@kind
def body(answer, fault, _exchange):
    """`text` in place of the message."""
    answer.replace(fault["text"].encode())


@kind
def replay(answer, fault, exchange):
    """`text`: head and body of an answer that was captured elsewhere; it names our request instead of that one."""
    head, _, text = fault["text"].partition(b"\n\n")
    first, *lines = head.decode().splitlines()
    answer.code = int(first.split()[1])
    answer.headers = dict(line.split(": ", 1) for line in lines if not line.startswith(("Content-Length:", "Connection:")))
    answer.close = "Connection: close" in lines
    answer.replace(re.sub(rb'in_response_to="[^"]{2,}"', f'in_response_to="{exchange.message_id}"'.encode(), text, count=1))


@kind
def wrong_id(answer, _fault, exchange):
    """An answer to another request."""
    answer.replace(answer.body().replace(exchange.message_id.encode(), b"urn:uuid:00000000-0000-4000-8000-00000000dead"))


# ---- broken documents ----

def middle(text):
    """Where to break it: behind some tag in the middle."""
    return text.index(b">", len(text) // 2) + 1


@kind
def cut_document(answer, _fault, _exchange):
    """Half of the document, in an answer that is whole for HTTP."""
    text = answer.body()
    answer.replace(text[:len(text) // 2])


@kind
def malformed(answer, fault, _exchange):
    """Something in the middle that is not well-formed: `text`."""
    text = answer.body()
    at = middle(text)
    answer.replace(text[:at] + fault.get("text", "</wrong>").encode() + text[at:])


def with_doctype(answer, doctype, reference):
    text = answer.body()
    at = text.index(b">") + 1
    answer.replace(b'<?xml version="1.0"?>\n' + doctype + text[:at] + b"<t:Extended_Headers><t:Extended_Header name='urn:x'>"
                   + reference + b"</t:Extended_Header></t:Extended_Headers>" + text[at:])


@kind
def doctype(answer, _fault, _exchange):
    with_doctype(answer, b"<!DOCTYPE d>\n", b"x")


@kind
def xxe(answer, fault, _exchange):
    """An external entity: `url`."""
    url = fault.get("url", "file:///etc/passwd").encode()
    with_doctype(answer, b'<!DOCTYPE d [<!ENTITY x SYSTEM "' + url + b'">]>\n', b"&x;")


@kind
def entities(answer, _fault, _exchange):
    """A billion laughs."""
    names = b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
    with_doctype(answer, b'<!DOCTYPE d [<!ENTITY a0 "ha">' + names + b"]>\n", b"&a9;")


def with_element(answer, text):
    """Inside of the envelope, where an extension may stand."""
    whole = answer.body()
    at = whole.index(b">") + 1
    answer.replace(whole[:at] + b"<t:Extended_Headers><t:Extended_Header name='urn:x'>" + text +
                   b"</t:Extended_Header></t:Extended_Headers>" + whole[at:])


@kind
def attributes(answer, fault, _exchange):
    """One element with very many attributes: minutes for libxml2."""
    count = int(fault.get("count", 100000))
    with_element(answer, b"<x " + b" ".join(b'a%d="1"' % n for n in range(count)) + b"/>")


@kind
def depth(answer, fault, _exchange):
    count = int(fault.get("count", 100000))
    with_element(answer, b"<x>" * count + b"</x>" * count)


@kind
def utf16(answer, _fault, _exchange):
    answer.replace('<?xml version="1.0" encoding="UTF-16"?>'.encode("utf-16") + answer.body().decode().encode("utf-16-le"))


@kind
def extension(answer, _fault, _exchange):
    """An unknown extended header and comments: to be ignored."""
    with_element(answer, b"<y:z xmlns:y='urn:y'>!</y:z>")
    answer.replace(answer.body().replace(b"<t:Extended_Headers>", b"<!-- & --><?pi x?><t:Extended_Headers>", 1))


# ---- bodies that do not end well ----

@kind
def truncated(answer, fault, _exchange):
    """The connection goes in the middle of the body: after `bytes`, or half of it."""
    text = answer.body()
    answer.replace(text)
    answer.cut_at = int(fault.get("bytes", len(text) // 2))


@kind
def truncated_chunks(answer, fault, exchange):
    """The same, of a body that did not tell its size."""
    truncated(answer, fault, exchange)
    answer.size = None


@kind
def endless(answer, fault, _exchange):
    """A body without end: `with` = blanks, blocks, text or attributes."""
    text = answer.body()
    start = text[:text.rindex(b"<")]
    block = (b"<t:Content_Block><t:Content_Binding binding_id='%s'/><t:Content><x>%s</x></t:Content></t:Content_Block>"
             % (STIX.encode(), b"y" * 60000))
    filler = {"blanks": b" " * 65536, "blocks": block, "text": b"y" * 65536, "attributes": b" a='1'" * 10000}
    which = fault.get("with", "blanks")
    start += {"text": b"<t:Message>", "attributes": b"<t:Message"}.get(which, b"")
    answer.pieces, answer.size = itertools.chain([start], itertools.repeat(filler[which])), None


@kind
def slow(answer, fault, _exchange):
    """A byte at a time, `pause` seconds apart."""
    text = answer.body()
    answer.pieces = (text[i:i + 1] for i in range(len(text)))
    answer.size, answer.pause = len(text), float(fault.get("pause", 0.3))


@kind
def gzip_bomb(answer, fault, _exchange):
    """1 GB of blanks in the envelope, compressed though nobody asked for it."""
    text = answer.body()
    at = text.index(b">") + 1
    blanks = gzip.compress(b" " * (1 << 20), 9)
    pieces = [gzip.compress(text[:at])] + [blanks] * int(fault.get("megabytes", 1024)) + [gzip.compress(text[at:])]
    answer.headers["Content-Encoding"] = "gzip"
    answer.pieces, answer.size = pieces, sum(map(len, pieces))


@kind
def endless_head(answer, _fault, exchange):
    """Header lines without end."""
    exchange.send(b"HTTP/1.1 200 OK\r\n")
    for number in range(FOREVER):
        exchange.send(b"X-Filler-%d: %s\r\n" % (number, b"x" * 1000))
    raise Dropped


@kind
def not_http(answer, fault, exchange):
    exchange.send(fault.get("text", "SSH-2.0-OpenSSH_9.2\r\n").encode())
    raise Dropped


# ---- connections that go ----

def reset(exchange):
    """Away with it, with RST."""
    exchange.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Dropped


@kind
def drop_before(answer, _fault, exchange):
    """After the handshake, before anything of the request was read. (The server looks for it.)"""
    reset(exchange)


@kind
def drop_after(answer, _fault, exchange):
    """After the request was read and acted upon."""
    reset(exchange)


@kind
def silent(answer, fault, exchange):
    """No answer for `seconds`, then none at all."""
    deadline = time.monotonic() + float(fault.get("seconds", 3600))
    while time.monotonic() < deadline and not exchange.partner.closing.is_set():
        exchange.partner.closing.wait(0.2)
    raise Dropped


# ---- what a server may say that makes no sense ----

@kind
def parts_forever(answer, _fault, exchange):
    """Part numbers that never end. (The poll itself looks for it.)"""


@kind
def future(answer, _fault, exchange):
    """A clock `seconds` ahead: labels and the end of the window. (The poll itself looks for it.)"""


@kind
def duplicate_attribute(answer, _fault, _exchange):
    answer.replace(answer.body().replace(f'xmlns:t="{SPACE}"'.encode(), f'xmlns:t="{SPACE}" a="1" a="2"'.encode(), 1))


class Faults(partner.Faults):
    def __init__(self):
        super().__init__(KINDS, apart=["drop-before"])
