"""One agreement's traffic, as the system tests send it: stow plans from a folder of the site to an SFTP partner.
The configuration is a dictionary of sections, so that a test says only what it has different."""
import json
import types

from harness import give, wait_for

import make_stow_plan

FOLDERS = {"site": {"name": "Acme Shipping Lines"}, "link folders": {"connector": "dir", "path": None}}
SITE = {
    **FOLDERS,
    "service stow-plans": {"type": "stow-plan", "direction": "receive", "link": "folders", "folder": "plans",
                           "settle": "100 ms", "rescan": "500 ms"},
}


def receiving(folder, type_, **others):
    """One more folder of the site, as a change of SITE: what is put there comes in."""
    keys = {"type": type_, "direction": "receive", "link": "folders", "folder": folder, "settle": "100 ms"}
    return {f"service {folder}": {**keys, **{key.replace("_", "-"): value for key, value in others.items()}}}


def sending(folder, type_, name=None, **keys):
    """As above: what goes out is put there."""
    return {f"service {name or folder}": {"type": type_, "direction": "send", "link": "folders", "folder": folder, **keys}}


def write_site(agent, site, *changes):
    agent.write_conf("site.conf", conf(site, {"link folders": {"path": agent.site}}, *changes))


def agreed(title="Interconnection Security Agreement", partner="Partner"):
    """An agreement in force."""
    return {"title": title, "partner": partner, "enabled": "yes", "acknowledged": "2026-01-01", "valid-for": "30 years"}


AGREEMENT = {
    "agreement": agreed(),
    "endpoint sftp": {"host": "127.0.0.1", "port": "22"},
    "link sftp": {"connector": "sftp", "endpoint": "sftp", "user": "acme", "key": "id", "host-key": None},
    "service stow-plan": {"type": "stow-plan", "direction": "send", "link": "sftp", "directory": "in",
                          "from": "site/stow-plans", "retry-first": "300 ms", "retry-longest": "1 s"},
    "policy encryption": {"ssh-ciphers": "aes256-gcm@openssh.com, aes256-ctr"},
    "policy content": {},
}


def conf(base, *changes):
    """The text of a file: `base` with what the changes say; None takes a section or a key away."""
    sections = {name: dict(keys) for name, keys in base.items()}
    for change in changes:
        for name, keys in change.items():
            if keys is None:
                sections.pop(name)
            else:
                sections.setdefault(name, {}).update(keys)
    return "\n".join(f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items() if value is not None)
                     for name, keys in sections.items())


def plan(reference, containers=3, break_=None, **others):
    """A stow plan; each reference goes once under an agreement, and has other boxes."""
    arguments = {"containers": containers, "seed": reference, "smdg": "2.0", "sender": "ACME", "recipient": "USCBP",
                 "reference": reference, "voyage": "601W", "vessel": "MV REHEARSAL", "vessel_id": "9999993",
                 "break_": break_, **others}
    return make_stow_plan.interchange(types.SimpleNamespace(**arguments))


def partner_of(server):
    """What the agreement's file says of a partner."""
    return {"endpoint sftp": {"port": server.port},
            "link sftp": {"user": server.user, "host-key": server.host_key.fingerprint}}


class Traffic:
    """An agent whose site has the folder `plans`, and the agreement `isa` with a partner. Nothing runs yet."""

    def __init__(self, agent, server, *changes, site=None):
        self.agent, self.server, self.plans = agent, server, 0
        self.folder = agent.site_folder("plans")
        self.inbox = server.files / "in"
        self.inbox.mkdir(exist_ok=True)
        give(server.files, "daemon")
        agent.secret("isa", "id", server.user_key.private)
        self.write_site(site or {})
        self.write_agreement(*changes)

    def write_site(self, *changes):
        write_site(self.agent, SITE, *changes)

    def write_agreement(self, *changes, name="isa"):
        self.agent.write_conf(f"{name}.conf", conf(AGREEMENT, partner_of(self.server), *changes))

    def start(self, environment=None):
        self.agent.start(environment)
        self.wait_up()
        return self

    def wait_up(self, name="isa"):
        self.wait_state("up", name)

    def wait_state(self, state, name="isa"):
        wait_for(lambda: self.state(name) == state,
                 lambda: f"{name} to be {state}; {self.agent.ask('agreements')}; the log ends:\n{self.agent.log_tail()}")

    def state(self, name="isa"):
        return next((row["state"] for row in self.agent.ask("agreements")["agreements"] if row["agreement"] == name),
                    None)

    def reload(self):
        return self.agent.ask("reload")

    def send(self, name, content=None, folder="plans", **options):
        """Drops a file, otherwise a plan under a control reference of its own; returns its bytes."""
        self.plans += 1
        content = plan(f"SENT{self.plans}", **options) if content is None else content
        self.agent.drop(folder, name, content)
        return content

    def wait(self, name, state):
        """`accord messages`' row of a message in that state."""
        return self.agent.wait_message(name=name, state=state)

    def delivered(self, name, content):
        """Waits until the partner has the file, and that it is the same."""
        row = self.wait(name, "delivered")
        assert (self.inbox / name).read_bytes() == content
        return row

    def delivery(self, row):
        return self.agent.ask("show", row["id"])["deliveries"][0]

    def link(self, agreement="isa"):
        return next(row for row in self.agent.ask("status")["links"] if row["agreement"] == agreement)

    def wait_parked(self):
        wait_for(lambda: self.link()["state"] == "parked",
                 lambda: f"the link to be parked: {self.link()}; the log ends:\n{self.agent.log_tail()}")
        return self.link()

    def records(self, *actions, chain="isa", **fields):
        """Audit records of these actions that have these fields (accord_link=... is accord.link)."""
        wanted = {name.replace("_", ".", 1): value for name, value in fields.items()}
        return [record for record in self.agent.audit_records(chain)
                if (not actions or record["event.action"] in actions)
                and all(record.get(name) == value for name, value in wanted.items())]

    def wait_record(self, *actions, chain="isa", **fields):
        """The first such record; export follows the commit."""
        wait_for(lambda: self.records(*actions, chain=chain, **fields),
                 lambda: f"a record {actions} {fields} in {chain}; there are "
                         + json.dumps(self.agent.audit_records(chain)[-12:], indent=1))
        return self.records(*actions, chain=chain, **fields)[0]

    def rejected(self, name, content, folder="plans"):
        """Waits until the file was set aside, whole, and returns the reason beside it."""
        aside = self.agent.site / folder / "rejected"
        wait_for((aside / name).exists, lambda: f"{aside / name}; the log ends:\n{self.agent.log_tail()}")
        assert (aside / name).read_bytes() == content
        return (aside / f"{name}.reason.txt").read_text()

    def left_behind(self):
        """What the source still has, claimed files included."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if not path.is_dir())
