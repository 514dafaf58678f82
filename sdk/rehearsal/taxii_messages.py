"""TAXII 1.1 messages as a server reads and writes them (taxii_partner.py)."""
import datetime
import html
import uuid
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

SPACE = "http://taxii.mitre.org/messages/taxii_xml_binding-1.1"
MESSAGES = "urn:taxii.mitre.org:message:xml:1.1"
SERVICES = "urn:taxii.mitre.org:services:1.1"
PROTOCOL = "urn:taxii.mitre.org:protocol:https:1.0"
STIX = "urn:stix.mitre.org:xml:1.1.1"
HEADERS = {"Content-Type": "application/xml", "X-TAXII-Content-Type": MESSAGES, "X-TAXII-Protocol": PROTOCOL,
           "X-TAXII-Services": SERVICES}
UTC = datetime.timezone.utc
MICROSECOND = datetime.timedelta(microseconds=1)


class Malformed(Exception):
    """The request is no TAXII message."""


def now():
    return datetime.datetime.now(UTC)


def moment(text):
    """RFC 3339, with a zone."""
    try:
        found = datetime.datetime.fromisoformat(text.strip())
    except ValueError:
        raise Malformed(f"{text!r} is no time") from None
    if found.tzinfo is None:
        raise Malformed(f"{text!r} has no zone")
    return found.astimezone(UTC)


def written(at):
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def new_id():
    return f"urn:uuid:{uuid.uuid4()}"


class Element:
    """One of the envelope; what a Content holds is kept as the bytes that stand there."""

    def __init__(self, name, attributes):
        self.name, self.attributes, self.children, self.text = name, attributes, [], ""
        self.raw, self.only_text = b"", True

    def all(self, name):
        return [child for child in self.children if child.name == name]

    def one(self, name):
        return next(iter(self.all(name)), None)

    def text_of(self, name, otherwise=None):
        child = self.one(name)
        return otherwise if child is None else child.text.strip()


class Reader:
    """Reads a request into elements."""

    def __init__(self, body):
        self.body, self.root, self.open, self.inside, self.begin = body, None, [], 0, 0
        parser = self.parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self.start, self.end
        parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = self.characters, self.doctype
        try:
            parser.Parse(body, True)
        except expat.ExpatError as problem:
            raise Malformed(str(problem)) from None

    def doctype(self, *_):
        raise Malformed("a DOCTYPE")

    def start(self, name, attributes):
        if self.inside:
            self.inside += 1
            self.open[-1].only_text = False
            return
        space, _, local = name.rpartition(" ")
        if space != SPACE:
            raise Malformed(f"element {name} does not belong here")
        element = Element(local, attributes)
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)
        if local == "Content":
            self.inside = 1
            self.begin = self.body.index(b">", self.parser.CurrentByteIndex) + 1

    def end(self, _name):
        if self.inside > 1:
            self.inside -= 1
            return
        element = self.open.pop()
        if self.inside:
            self.inside = 0
            element.raw = self.body[self.begin:max(self.begin, self.parser.CurrentByteIndex)]

    def characters(self, text):
        if self.inside <= 1:
            self.open[-1].text += text


class Content:
    """A content block that was submitted: as it stood there, and what it means."""

    def __init__(self, block):
        binding, content = block.one("Content_Binding"), block.one("Content")
        if binding is None or content is None:
            raise Malformed("a content block without binding or content")
        self.binding = binding.attributes.get("binding_id", "")
        self.subtypes = [one.attributes.get("subtype_id", "") for one in binding.all("Subtype")]
        self.raw, self.escaped = content.raw, content.only_text and bool(content.text.strip())
        self.bytes = (content.text.encode() if self.escaped else content.raw).strip()


# ---- answers ----

def element(name, /, *inside, **attributes):
    """Bytes. Attributes whose value is None are left out."""
    words = "".join(f" {key}={quoteattr(str(value))}" for key, value in attributes.items() if value is not None)
    body = b"".join(part if isinstance(part, bytes) else escape(str(part)).encode() for part in inside)
    return f"<t:{name}{words}".encode() + (b">" + body + f"</t:{name}>".encode() if inside else b"/>")


def opening(name, message_id, in_response_to, **attributes):
    """The start tag of a message."""
    found = {"message_id": message_id, "in_response_to": in_response_to, **attributes}
    words = "".join(f" {key}={quoteattr(str(value))}" for key, value in found.items() if value is not None)
    return f'<t:{name} xmlns:t="{SPACE}"{words}>'.encode()


def whole(name, in_response_to, *inside, **attributes):
    return opening(name, new_id(), in_response_to, **attributes) + b"".join(inside) + f"</t:{name}>".encode()


def status(in_response_to, kind, message=None, details=()):
    """`details`: pairs of name and value."""
    inside = []
    if details:
        inside.append(element("Status_Detail", *[element("Detail", value, name=name) for name, value in details]))
    if message:
        inside.append(element("Message", message))
    return whole("Status_Message", in_response_to, *inside, status_type=kind)


def instance(service, address, bindings=(), message=None, available=True):
    inside = [element("Protocol_Binding", PROTOCOL), element("Address", address), element("Message_Binding", MESSAGES)]
    inside += [element("Content_Binding", binding_id=binding) for binding in bindings]
    if message:
        inside.append(element("Message", message))
    return element("Service_Instance", *inside, service_type=service, service_version=SERVICES,
                   available="true" if available else "false")


def service_of_collection(name, address, bindings=()):
    return element(name, element("Protocol_Binding", PROTOCOL), element("Address", address),
                   element("Message_Binding", MESSAGES),
                   *[element("Content_Binding", binding_id=binding) for binding in bindings])


def block_pieces(block, escaped=False):
    """A content block in pieces: the content is one of them, as it is."""
    subtype = element("Subtype", subtype_id=block.subtype) if block.subtype else None
    inside = [subtype] if subtype else []
    content = html.escape(block.content.decode(), quote=False).encode() if escaped else block.content
    yield b"<t:Content_Block>" + element("Content_Binding", *inside, binding_id=block.binding) + b"<t:Content>"
    yield content
    yield b"</t:Content>" + element("Timestamp_Label", written(block.label)) + b"</t:Content_Block>"
