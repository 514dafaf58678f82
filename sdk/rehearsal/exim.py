"""A mail server of our own: Exim as Debian ships it, from build/servers-mail (tests/tools/servers mail), on loopback ports
that are free: STARTTLS on one, TLS from the start on the other, AUTH inside TLS only. What it takes is delivered into
a folder, a file for each recipient."""
import pathlib
import shutil
import subprocess

from port import Port
from rehearsal import SERVER, account, account_of_child, end, give, wait_for

CONFIGURATION = """
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid
exim_path = {program}/exim4
keep_environment = LD_LIBRARY_PATH : LD_PRELOAD : NSS_WRAPPER_PASSWD : NSS_WRAPPER_GROUP
primary_hostname = localhost
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port} : {tls_port}
tls_on_connect_ports = {tls_port}
tls_advertise_hosts = *
tls_certificate = {folder}/server.pem
tls_privatekey = {folder}/server.key
auth_advertise_hosts = ${{if def:tls_in_cipher {{*}}{{}}}}
message_size_limit = {size_limit}
log_selector = +all_parents +tls_cipher +smtp_protocol_error +smtp_syntax_error +received_recipients
qualify_domain = localhost
never_users =
deliver_drop_privilege = true
queue_only_override = false
host_lookup =
rfc1413_hosts =
acl_smtp_rcpt = recipient
acl_smtp_data = data

begin acl
recipient:
  deny    local_parts = refused
          message = 5.1.1 no such mailbox here
  defer   local_parts = busy
          message = 4.7.1 greylisted, try again later
  deny    !authenticated = *
          message = 5.7.1 log in first
  accept
data:
  accept

begin routers
everyone:
  driver = accept
  transport = box

begin transports
box:
  driver = appendfile
  maildir_format
  create_directory
  directory = {folder}/mail
  user = {user}
  delivery_date_add
  envelope_to_add
  return_path_add

begin retry
* * F,1h,1m

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${{if and{{{{eq{{$auth2}}{{{login}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
"""


class Exim:
    """`root`: where Debian's packages were unpacked. `identity`: an authority's for its ports."""

    def __init__(self, root, folder, identity, login="acme", password="open sesame", size_limit="20M"):
        self.folder, self.login, self.password = pathlib.Path(folder), login, password
        self.reserved = [Port(), Port()]
        self.port, self.tls_port = [each.number for each in self.reserved]
        self.program, self.process = self.folder / "program", None
        self.install(pathlib.Path(root))
        for name in ("spool", "log", "mail"):
            (self.folder / name).mkdir()
        identity.write(self.folder, "server")
        (self.folder / "conf").write_text(CONFIGURATION.format(
            folder=self.folder, program=self.program, port=self.port, tls_port=self.tls_port, size_limit=size_limit,
            user=account(SERVER).pw_name, login=login, password=password))
        self.start()

    def install(self, root):
        """A copy beside its files, without the bit that would make it root's: the sources may lie where its user may not
        look. It insists on a user Debian-exim, which is whoever runs it here."""
        self.program.mkdir(parents=True)
        for library in root.glob("**/lib/*-linux-gnu/*.so*"):
            shutil.copy(library, self.program)
        shutil.copyfile(root / "usr/sbin/exim4", self.program / "exim4")
        (self.program / "exim4").chmod(0o755)
        user = account(SERVER)
        (self.program / "passwd").write_text("".join(
            f"{name}:x:{uid}:{gid}::{self.folder}:/bin/sh\n" for name, uid, gid in
            (("root", 0, 0), (user.pw_name, user.pw_uid, user.pw_gid), ("Debian-exim", user.pw_uid, user.pw_gid))))
        (self.program / "group").write_text(f"root:x:0:\nDebian-exim:x:{user.pw_gid}:\n")

    def start(self):
        give(self.folder, SERVER)
        self.log = (self.folder / "output").open("ab")
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", self.program / "exim4", "-bdf", "-q1m", "-C", self.folder / "conf"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=self.folder, **account_of_child(SERVER),
            env={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": str(self.program),
                 "LD_PRELOAD": str(self.program / "libnss_wrapper.so"),
                 "NSS_WRAPPER_PASSWD": str(self.program / "passwd"), "NSS_WRAPPER_GROUP": str(self.program / "group")})
        wait_for(lambda: self.process.poll() is not None or "listening for SMTP" in self.said(),
                 lambda: f"exim to listen: {self.said()}")
        if self.process.poll() is not None:
            raise AssertionError(f"exim ended: {self.said()}")

    def said(self):
        files = [self.folder / "output", *sorted((self.folder / "log").glob("*log"))]
        return "".join(path.read_text(errors="replace") for path in files if path.exists())

    def mail(self, box=""):
        """What came for somebody's box, in the order in which it came."""
        found = sorted((self.folder / "mail/new").glob("*"), key=lambda path: path.stat().st_mtime_ns)
        mails = [path.read_bytes() for path in found]
        return [mail for mail in mails if f"Envelope-to: {box}".encode() in mail]

    def stop(self):
        if self.process:
            end(self.process)
            self.log.close()

    close = stop
