"""An SFTP server that answers by a script: a small honest one (version 3, a dictionary of files) whose every reply can be
replaced. For what no real server can be made to say."""
import asyncio
import struct
import threading

from harness import PATIENCE, Key, asyncssh

INIT, VERSION, OPEN, CLOSE, READ, LSTAT, FSTAT = 1, 2, 3, 4, 5, 7, 8
OPENDIR, READDIR, REMOVE, MKDIR, REALPATH, STAT, RENAME = 11, 12, 13, 14, 16, 17, 18
STATUS, HANDLE, DATA, NAME, ATTRS, EXTENDED = 101, 102, 103, 104, 105, 200
OK, EOF, NO_SUCH_FILE, DENIED, FAILURE, UNSUPPORTED = 0, 1, 2, 3, 4, 8
FILE, FOLDER, LINK = 0o100644, 0o40755, 0o120777


def string(data):
    data = data.encode() if isinstance(data, str) else data
    return struct.pack(">I", len(data)) + data


def packet(kind, number, body=b""):
    return string(struct.pack(">BI", kind, number) + body)


def status(number, code, words=""):
    return packet(STATUS, number, struct.pack(">I", code) + string(words) + string(""))


def attrs(size, modified, mode=FILE):
    return struct.pack(">IQIII", 1 | 4 | 8, size, mode, modified, modified)


def name_entry(name, attributes):
    return string(name) + string(b"-rw-r--r-- 1 a a 0 Jan 1 00:00 " + (name.encode() if isinstance(name, str) else name)) + \
        attributes


class Request:
    """One request: its kind, number and fields."""

    def __init__(self, body):
        self.kind, self.number = struct.unpack(">BI", body[:5])
        self.path = self.handle = self.target = None
        if self.kind == INIT:
            return
        at, texts = 5, []
        for _ in range(2 if self.kind == RENAME else 1):
            size = struct.unpack(">I", body[at:at + 4])[0]
            texts.append(body[at + 4:at + 4 + size])
            at += 4 + size
        if self.kind in (CLOSE, READ, FSTAT, READDIR):
            self.handle = texts[0]
        else:
            self.path = texts[0]
        self.target = texts[-1]
        if self.kind == READ:
            self.offset, self.size = struct.unpack(">QI", body[at:at + 12])


class Session(asyncssh.SSHServerSession):
    def __init__(self, server):
        self.server, self.channel, self.buffer, self.open = server, None, b"", {}

    def connection_made(self, chan):
        self.channel = chan

    def subsystem_requested(self, subsystem):
        return subsystem == "sftp"

    def data_received(self, data, datatype):
        self.buffer += data
        while len(self.buffer) >= 4:
            size = struct.unpack(">I", self.buffer[:4])[0]
            if len(self.buffer) < 4 + size:
                return
            body, self.buffer = self.buffer[4:4 + size], self.buffer[4 + size:]
            request = Request(body)
            self.server.requests.append(request)
            for reply in self.server.replies(self, request):
                if self.channel.is_closing():
                    return
                self.channel.write(reply)


class Hostile:
    """`files`: path below `out` to (content, modified); bytes. `script(session, request, honest)` gives the list of
    replies; honest() is what an honest server does and would send."""

    def __init__(self, folder):
        self.files, self.requests, self.script = {}, [], None
        self.removed = []
        self.host_key, self.user_key, self.user = Key(), Key(), "acme"
        authorized = folder / "authorized_keys"
        authorized.write_text(self.user_key.public)
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.listener = self.run(self._listen(authorized))
        self.port = self.listener.sockets[0].getsockname()[1]

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)

    async def _listen(self, authorized):
        server = self

        class Server(asyncssh.SSHServer):
            def session_requested(self):
                return Session(server)
        return await asyncssh.listen("127.0.0.1", 0, server_factory=Server, server_host_keys=[self.host_key.key],
                                     authorized_client_keys=str(authorized), encoding=None)

    async def _close(self):
        self.listener.close()

    def stop(self):
        self.run(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)

    # ---- the honest part ----

    def replies(self, session, request):
        def honest():
            return [self.honest(session, request)]
        return self.script(session, request, honest) if self.script else honest()

    def at(self, path):
        return path[len(b"out/"):] if path.startswith(b"out/") else None

    def honest(self, session, request):
        number = request.number
        if request.kind == INIT:
            return string(struct.pack(">BI", VERSION, 3))
        if request.kind in (OPEN, OPENDIR):
            path = None if request.kind == OPENDIR else self.at(request.path)
            if request.kind == OPENDIR and request.path != b"out" or request.kind == OPEN and path not in self.files:
                return status(number, NO_SUCH_FILE)
            handle = str(len(session.open)).encode()
            session.open[handle] = [path, sorted(self.files)]
            return packet(HANDLE, number, string(handle))
        if request.kind in (LSTAT, STAT, FSTAT):
            path = session.open[request.handle][0] if request.handle else self.at(request.path)
            if path not in self.files:
                return status(number, NO_SUCH_FILE)
            return packet(ATTRS, number, attrs(len(self.files[path][0]), self.files[path][1]))
        if request.kind == READDIR:
            names = session.open[request.handle][1]
            some, names[:] = names[:100], names[100:]
            entries = [name_entry(name, attrs(len(self.files[name][0]), self.files[name][1])) for name in some
                       if name in self.files]
            return packet(NAME, number, struct.pack(">I", len(entries)) + b"".join(entries)) if entries else \
                status(number, EOF)
        if request.kind == READ:
            content = self.files.get(session.open[request.handle][0], (b"", 0))[0]
            part = content[request.offset:request.offset + request.size]
            return packet(DATA, number, string(part)) if part else status(number, EOF)
        if request.kind == REMOVE:
            self.removed.append(self.at(request.path))
            return status(number, OK if self.files.pop(self.at(request.path), None) else NO_SUCH_FILE)
        if request.kind == RENAME:
            self.files[self.at(request.target)] = self.files.pop(self.at(request.path))
            return status(number, OK)
        return status(number, OK if request.kind in (CLOSE, MKDIR) else UNSUPPORTED)
