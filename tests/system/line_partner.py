"""The partner of the template's connector (sdk/template/connector/sample.c says what is spoken), on a thread of its own."""
import socketserver
import threading


class LinePartner:
    def __init__(self):
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
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
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
