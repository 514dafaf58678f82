#!/usr/bin/env python3
"""A partner to rehearse with (sample.c says what is spoken): partner.py PORT keeps what is stored in the folder in-tray, and
gives what lies in out-tray."""
import pathlib
import socketserver
import sys
import threading


class LinePartner:
    def __init__(self, port=0):
        self.stored = []   # (box, id, name, bytes)
        self.boxes = {}    # box -> [(id, name, bytes)], to be fetched
        self.rejected = []
        self.refuse = None  # what to say to a store: "no ..." or "later ..."
        partner = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                while line := self.rfile.readline():
                    partner.answer(line.decode().rstrip("\n").split(" "), self.rfile, self.wfile)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = allow_reuse_address = True

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, words, reader, writer):
        verb, box, *rest = words
        if verb == "store":
            content = reader.read(int(rest[1]))
            if self.refuse is None:
                self.stored.append((box, rest[0], " ".join(rest[2:]), content))
            writer.write((self.refuse or f"ok kept as {len(self.stored)}").encode() + b"\n")
        elif verb == "next":
            waiting = self.boxes.get(box, [])
            if not waiting:
                writer.write(b"none\n")
                return
            id_, name, content = waiting[0]
            writer.write(f"message {id_} {len(content)} {name}\n".encode() + content)
        else:  # done, reject
            message = next(one for one in self.boxes[box] if one[0] == rest[0])
            self.boxes[box].remove(message)
            if verb == "reject":
                self.rejected.append(message)
            writer.write(b"ok\n")

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class FolderPartner(LinePartner):
    """Each box is a folder; a message's id is its file's name."""

    def answer(self, words, reader, writer):
        box = pathlib.Path(words[1])
        box.mkdir(exist_ok=True)
        self.boxes[words[1]] = [(path.name.replace(" ", "-"), path.name, path.read_bytes()) for path in box.iterdir()]
        waiting = list(self.boxes[words[1]])
        super().answer(words, reader, writer)
        if words[0] == "store":
            (box / self.stored[-1][2]).write_bytes(self.stored[-1][3])
        for message in waiting:
            if message not in self.boxes[words[1]]:
                (box / message[1]).unlink()


if __name__ == "__main__":
    FolderPartner(int(sys.argv[1]))
    threading.Event().wait()
