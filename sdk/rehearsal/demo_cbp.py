"""make demo: the other services of the CBP agreement: requests and answers over a queue, plans by mail, container status and AES
commodity data by SFTP; and what every service of every agreement has done."""
import configparser
import hashlib

import make_records
from amqp_partner import AmqpPartner, answer_to
from authority import Authority
from mail_partner import MailPartner
from rehearsal import SERVER, give, wait_for
from stage import require, show, title

SITE = """
[link stow-plans-mail]
connector = dir
path      = {site}/stow-plans-mail

[link container-status]
connector = dir
path      = {site}/container-status

[link aes-commodity]
connector = dir
path      = {site}/aes-commodity

[link responses]
connector = dir
path      = {site}/responses

[service stow-plans-mail]
type      = stow-plan
direction = receive
link      = stow-plans-mail
settle    = 200 ms

[service container-status]
type      = container-status
direction = receive
link      = container-status
settle    = 200 ms

[service aes-commodity]
type      = aes-commodity
direction = receive
link      = aes-commodity
settle    = 200 ms

[service responses]
type      = cbp-response
direction = send
link      = responses
"""

# What the agreement's file gains.
MORE = """
[endpoint mq]
host = localhost
port = {mq}

[link mq]
connector  = mq
endpoint   = mq
profile    = generic
user       = acme
password   = mq.password
trust      = root.pem
idle-close = 500 ms

[service ace-request]
type            = ace-transaction
direction       = send
link            = mq
address         = CBP.REQUEST
reply-to        = ACME.RESPONSE
from            = site/ace
expect-response = 1 min
retry-first     = 500 ms

[service ace-response]
type       = cbp-response
direction  = receive
link       = mq
address    = ACME.RESPONSE
correlates = ace-request
to         = site/responses

[endpoint mail]
host = localhost
port = {mail}

[link mail]
connector  = smtp
endpoint   = mail
tls        = starttls
user       = acme
password   = mail.password
trust      = root.pem
idle-close = 500 ms

[service stow-plan-mail]
type        = stow-plan
direction   = send
link        = mail
mail-from   = plans@acme.example
mail-to     = stow-plans@cbp.example
subject     = Stow plan {{name}}
from        = site/stow-plans-mail
retry-first = 500 ms

[service container-status]
type      = container-status
direction = send
link      = sftp
directory = /inbound/csm
from      = site/container-status

[service aes-commodity]
type      = aes-commodity
direction = send
link      = sftp
directory = /inbound/aes
from      = site/aes-commodity
"""


class CbpDemo:
    """Acts on an agent that runs. `plan`: drops a stow plan into a folder; `files`: the SFTP partner's."""

    def __init__(self, agent, plan):
        self.agent, self.plan = agent, plan
        authority = Authority()
        self.queues = AmqpPartner(authority, queues=["CBP.REQUEST", "ACME.RESPONSE"])
        self.mail = MailPartner(authority)
        self.queues.answers["CBP.REQUEST"] = self.answer
        self.number = 0

    @staticmethod
    def answer(request):
        return answer_to(request, make_records.cbp_response(), content_type="text/plain")

    def text(self):
        return MORE.format(mq=self.queues.port, mail=self.mail.port)

    def begin(self, files):
        title("The agreement's other services: a queue both ways, mail, and two more folders")
        for name in ("csm", "aes"):
            (files / "inbound" / name).mkdir(exist_ok=True)
            give(files / "inbound" / name, SERVER)
        for folder in ("stow-plans-mail", "container-status", "aes-commodity", "responses"):
            self.agent.site_folder(folder)
        for name in ("mq.password", "mail.password"):
            self.agent.secret("cbp-isa", name, b"open sesame\n")
        self.agent.secret("cbp-isa", "root.pem", self.queues.authority.trust)
        site, file = self.agent.conf / "site.conf", self.agent.conf / "cbp-isa.conf"
        self.agent.write_conf("site.conf", site.read_text() + SITE.format(site=self.agent.site))
        self.agent.write_conf("cbp-isa.conf", file.read_text().replace("\n[policy", self.text() + "\n[policy", 1))
        answer = self.agent.ask("reload")
        require(answer.code == 0, f"the file was not taken: {answer}")
        show("partners", f"amqps://localhost:{self.queues.port}, smtp://localhost:{self.mail.port} with STARTTLS")

    def drop(self, folder, name, content):
        self.agent.drop(folder, name, content)
        return self.agent.wait_message(name=name, state="delivered")

    def delivery(self, row):
        return self.agent.ask("show", row["id"])["deliveries"][0]

    def request(self):
        title("An ACE request goes out over a queue, and its answer comes back")
        row = self.drop("ace", "entry-1.txt", make_records.ace_transaction())
        show("session", "{version}, {cipher}; SASL {mechanism} as {user}".format(
            **self.queues.connections[0], **self.queues.told("login")[0]))
        show("receipt", self.delivery(row)["receipt"])
        folder = self.agent.site / "responses"
        wait_for(lambda: [path for path in folder.iterdir() if not path.name.startswith(".")], "the answer to come")
        related = wait_for(lambda: self.agent.ask("show", row["id"]).tables.get("related"), "the answer to be shown")[0]
        show("answer", f"{related['id']} answers {row['id']}: {related['type']} from {related['origin']}")
        request = self.queues.received[0][1]
        require(request.id == row["id"] and related["is"] == "answer", f"not correlated: {request} {related}")
        require("SECRET" not in self.agent.log(), "a password was seen")

    def by_mail(self):
        title("A stow plan goes by mail")
        hashed = self.plan("MVREHEARSAL-602W.edi", folder="stow-plans-mail", containers=40)
        row = self.agent.wait_message(name="MVREHEARSAL-602W.edi", state="delivered")
        mail = self.mail.mails[0]
        attachment = mail.attachments()[0]
        show("session", "inside STARTTLS, as {user}; nothing was said before it but {before}".format(
            user=mail.user, before=", ".join(dict.fromkeys(one["command"] for one in self.mail.told("command", secure=False)))))
        show("mail", f"to {', '.join(mail.recipients)}: {mail.message['Subject']}; {attachment.get_filename()}, "
                     f"{attachment.get_content_type()}")
        show("receipt", self.delivery(row)["receipt"])
        same = hashlib.sha256(attachment.get_payload(decode=True)).hexdigest() == hashed
        require(same and mail.secure, "the attachment differs")

    def by_sftp(self, files):
        title("Container status messages and AES commodity data go by SFTP")
        for folder, there, name, content in (
                ("container-status", "csm", "loaded-1.edi", make_records.container_status()),
                ("aes-commodity", "aes", "shipment-1.txt", make_records.aes_commodity())):
            row = self.drop(folder, name, content)
            show(folder, self.delivery(row)["receipt"])
            require((files / "inbound" / there / name).read_bytes() == content, "the partner's copy differs")
        self.agent.drop("container-status", "broken-1.edi", make_records.container_status(2, break_="count"))
        row = self.agent.wait_message(name="broken-1.edi", state="quarantined")
        show("miscounted", f"{row['rule']}: {row['reason']}")

    def parked(self, link):
        found = wait_for(lambda: [one for one in self.agent.ask("status").tables.get("links", [])
                                  if one["link"] == link and one["state"] == "parked"], f"{link} to be parked")[0]
        show("link", f"{link} is parked: {found['reason']}")

    def resume(self, name):
        answer = self.agent.ask("resume", "cbp-isa")
        require(answer.code == 0, f"the link could not be resumed: {answer}")
        self.agent.wait_message(name=name, state="delivered")

    def no_starttls(self):
        title("The mail server offers no STARTTLS: no name, no password and no plan is told to it")
        wait_for(lambda: not self.mail.sessions, "the last connection to end")
        self.mail.starttls, before = False, len(self.mail.told("command"))
        self.plan("MVREHEARSAL-603W.edi", folder="stow-plans-mail", containers=12)
        self.parked("mail")
        said = [one["command"] for one in self.mail.told("command")[before:]]
        show("it heard", ", ".join(said))
        require(not {"AUTH", "MAIL", "DATA"} & set(said), "something was said in the open")
        self.mail.starttls = True
        self.resume("MVREHEARSAL-603W.edi")
        show("then", "it has STARTTLS again, `accord resume cbp-isa`, and the plan goes")

    def only_anonymous(self):
        title("The queue's broker lets anybody in (SASL ANONYMOUS): we do not come in")
        self.queues.mechanisms = ["ANONYMOUS"]
        self.queues.order("force_close")
        before = len(self.queues.told("login"))
        self.agent.drop("ace", "entry-2.txt", make_records.ace_transaction(2))
        self.parked("mq")
        require(len(self.queues.told("login")) == before, "someone has logged in")
        self.queues.mechanisms = ["PLAIN", "EXTERNAL"]
        self.resume("entry-2.txt")
        show("then", "it asks for a name again, and the request goes")

    # ---- what all of them have done ----

    def tally(self):
        title("Every service of the agreements: what was sent, received and refused")
        counts = Tally(self.agent)
        print(f"   {'service':<28} {'type':<18} {'over':<14} {'sent':>5} {'received':>9} {'refused':>8}")
        for row in counts.rows():
            print(f"   {row[0]:<28} {row[1]:<18} {row[2]:<14} {row[3]:>5} {row[4]:>9} {row[5]:>8}")
        print("   Refused: by a rule, before anything left; every one has its reason in `accord explain ID`.")

    def close(self):
        self.queues.stop()
        self.mail.stop()


class Tally:
    """Counts messages by the services that they came from and went to."""

    def __init__(self, agent):
        self.services, self.counts = {}, {}
        for path in sorted(agent.conf.glob("*.conf")):
            parser = configparser.ConfigParser(inline_comment_prefixes=(";",), strict=False, interpolation=None)
            parser.read(path)
            if path.stem in ("agent", "site"):
                continue
            for section in parser.sections():
                if section.startswith("service "):
                    name = f"{path.stem}/{section.removeprefix('service ')}"
                    link = parser[f"link {parser[section]['link']}"]["connector"]
                    self.services[name] = {**parser[section], "connector": link}
        last = ()
        while page := agent.ask("messages", "--limit", 256, *last)["messages"]:
            for row in page:
                self.count(agent.ask("show", row["id"]), row)
            last = "--before", page[-1]["id"]

    def add(self, service, what):
        self.counts[service, what] = self.counts.get((service, what), 0) + 1

    def count(self, shown, row):
        origin = shown["message"][0]["origin"]
        if origin in self.services:
            self.add(origin, "refused" if row["state"] == "quarantined" else "received")
        elif row["state"] == "quarantined":
            for name, service in self.services.items():
                if service.get("from") == origin:
                    self.add(name, "refused")
        for delivery in shown.tables.get("deliveries", []):
            if delivery["state"] in ("delivered", "dead"):
                self.add(delivery["to"], "sent" if delivery["state"] == "delivered" else "refused")

    def rows(self):
        for name, service in self.services.items():
            cells = [self.counts.get((name, what), 0) for what in ("sent", "received", "refused")]
            require(cells[0] + cells[1] > 0, f"{name} has carried nothing")
            yield [name, service["type"], service["connector"], *(cell or "-" for cell in cells)]
