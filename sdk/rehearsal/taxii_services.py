"""The four services of a TAXII 1.1 server, and what they keep: feeds, results, submissions (taxii_partner.py)."""
import bisect
import datetime
import threading

from taxii_faults import Answer
from taxii_messages import (MICROSECOND, STIX, Content, block_pieces, element, instance, moment, new_id, now, opening,
                            service_of_collection, status, whole, written)


class Block:
    """One of a feed."""

    def __init__(self, label, content, binding, subtype):
        self.label, self.content, self.binding, self.subtype = label, content, binding, subtype


class Feed:
    """A collection that gives: blocks in the order of their labels."""

    def __init__(self, name, kind="DATA_FEED", bindings=(STIX,)):
        self.name, self.kind, self.bindings, self.blocks = name, kind, bindings, []

    def add(self, content, label=None, binding=STIX, subtype=None):
        """Labels are of now, and strictly increase."""
        label = label or now()
        if self.blocks and label <= self.blocks[-1].label:
            label = self.blocks[-1].label + MICROSECOND
        self.blocks.append(Block(label, content, binding, subtype))
        return self.blocks[-1]

    def between(self, begin, end):
        """begin < label <= end"""
        labels = [block.label for block in self.blocks]
        first = bisect.bisect_right(labels, begin) if begin else 0
        return self.blocks[first:bisect.bisect_right(labels, end)]


class Result:
    """What a poll found, until its parts were fetched."""

    def __init__(self, feed, begin, end, blocks, size):
        self.id, self.feed, self.begin, self.end, self.blocks = new_id(), feed, begin, end, blocks
        self.parts = [blocks[i:i + size] for i in range(0, len(blocks), size)] or [[]]


class Submission:
    """An inbox message that was taken."""

    def __init__(self, message, contents, collections, subject, again):
        self.message_id, self.contents, self.collections = message.attributes["message_id"], contents, collections
        self.subject, self.again, self.at = subject, again, now()  # again: a message of that id had come before


class Services:
    """The four services. One lock: requests are answered one at a time, sent side by side."""

    def __init__(self, partner):
        self.partner, self.lock = partner, threading.Lock()
        self.results, self.subscriptions, self.taken = {}, {}, set()

    def answer(self, exchange):
        roots = {"discovery": {"Discovery_Request": self.discovery}, "inbox": {"Inbox_Message": self.inbox},
                 "collections": {"Collection_Information_Request": self.collections,
                                 "Subscription_Management_Request": self.subscription},
                 "poll": {"Poll_Request": self.poll, "Poll_Fulfillment": self.fulfilment}}
        work = roots[exchange.service].get(exchange.message.name)
        if not work:
            return Answer(status(exchange.message_id, "FAILURE", "Message not supported by this service"))
        with self.lock:
            return work(exchange)

    def discovery(self, exchange):
        at = exchange.address
        return Answer(whole("Discovery_Response", exchange.message_id,
                            instance("DISCOVERY", at + "discovery", message="Rehearsal"),
                            instance("COLLECTION_MANAGEMENT", at + "collection-management"),
                            instance("INBOX", at + "inbox", self.partner.inbox_bindings),
                            instance("POLL", at + "poll", [STIX])))

    def collections(self, exchange):
        at, partner = exchange.address, self.partner
        taking = [element("Collection", element("Description", "Indicators to be shared"),
                          *[element("Content_Binding", binding_id=binding) for binding in partner.inbox_bindings],
                          service_of_collection("Receiving_Inbox_Service", at + "inbox", partner.inbox_bindings),
                          collection_name=name, available="true") for name in partner.takes]
        giving = [element("Collection", element("Description", "A feed"), element("Collection_Volume", len(feed.blocks)),
                          *[element("Content_Binding", binding_id=binding) for binding in feed.bindings],
                          service_of_collection("Polling_Service", at + "poll"),
                          service_of_collection("Subscription_Service", at + "collection-management"),
                          collection_name=feed.name, collection_type=feed.kind, available="true")
                  for feed in partner.feeds.values()]
        return Answer(whole("Collection_Information_Response", exchange.message_id, *taking, *giving))

    def subscription(self, exchange):
        message = exchange.message
        name, action = message.attributes.get("collection_name"), message.attributes.get("action")
        wanted = message.text_of("Subscription_ID")
        if name not in self.partner.feeds or wanted and wanted not in self.subscriptions:
            return Answer(status(exchange.message_id, "NOT_FOUND", details=[("ITEM", wanted or name)]))
        if action == "SUBSCRIBE":
            wanted = new_id()
            self.subscriptions[wanted] = "ACTIVE"
        elif action != "STATUS":
            self.subscriptions[wanted] = {"PAUSE": "PAUSED", "RESUME": "ACTIVE", "UNSUBSCRIBE": "UNSUBSCRIBED"}[action]
        named = [wanted] if wanted else list(self.subscriptions)
        rows = [element("Subscription", element("Subscription_ID", one), status=self.subscriptions[one]) for one in named]
        return Answer(whole("Subscription_Management_Response", exchange.message_id, *rows, collection_name=name))

    # ---- inbox ----

    def inbox(self, exchange):
        partner, message = self.partner, exchange.message
        collections = [one.text.strip() for one in message.all("Destination_Collection_Name")]
        wrong = [name for name in collections if name not in partner.takes]
        if wrong or not collections and partner.destination == "required" or \
                collections and partner.destination == "prohibited":
            accepted = partner.takes if partner.destination != "prohibited" else []
            return Answer(status(exchange.message_id, "DESTINATION_COLLECTION_ERROR",
                                 details=[("ACCEPTABLE_DESTINATION", name) for name in accepted]))
        contents = [Content(block) for block in message.all("Content_Block")]
        supported = [one for one in contents if one.binding in partner.inbox_bindings]
        if partner.refuse_bindings and len(supported) < len(contents):
            return Answer(status(exchange.message_id, "UNSUPPORTED_CONTENT",
                                 details=[("SUPPORTED_CONTENT", binding) for binding in partner.inbox_bindings]))
        if partner.judge:
            verdict = partner.judge(supported)
            if verdict:
                return Answer(status(exchange.message_id, *verdict))
        partner.take(Submission(message, supported, collections, exchange.subject, exchange.message_id in self.taken))
        self.taken.add(exchange.message_id)
        return Answer(status(exchange.message_id, "SUCCESS"))

    # ---- polls ----

    def poll(self, exchange):
        partner, message = self.partner, exchange.message
        feed = partner.feeds.get(message.attributes.get("collection_name"))
        subscription, parameters = message.text_of("Subscription_ID"), message.one("Poll_Parameters")
        if not feed or subscription and subscription not in self.subscriptions:
            item = subscription if feed else message.attributes.get("collection_name")
            return Answer(status(exchange.message_id, "NOT_FOUND", details=[("ITEM", item)]))
        begin, end = (message.text_of(f"{name}_Timestamp") for name in ("Exclusive_Begin", "Inclusive_End"))
        begin, end = begin and moment(begin), moment(end) if end else now()
        if begin and end <= begin:
            return Answer(status(exchange.message_id, "FAILURE", "The end is not after the beginning"))
        if parameters and [one for one in parameters.all("Content_Binding")
                           if one.attributes.get("binding_id") not in feed.bindings]:
            return Answer(status(exchange.message_id, "UNSUPPORTED_CONTENT",
                                 details=[("SUPPORTED_CONTENT", binding) for binding in feed.bindings]))
        if partner.narrow and begin:
            end = min(end, begin + datetime.timedelta(seconds=partner.narrow))
        partner.tell("poll", collection=feed.name, begin=begin and written(begin), end=written(end))
        result = Result(feed, begin, end, feed.between(begin, end), partner.part_size)
        count_only = parameters and parameters.text_of("Response_Type") == "COUNT_ONLY"
        if len(result.parts) > 1 or exchange.fault_is("parts-forever"):
            self.results[result.id] = result
        return self.part(exchange, result, 1, count_only)

    def fulfilment(self, exchange):
        message = exchange.message
        result = self.results.get(message.attributes.get("result_id"))
        if not result or result.feed.name != message.attributes.get("collection_name"):
            return Answer(status(exchange.message_id, "NOT_FOUND", details=[("ITEM", message.attributes.get("result_id"))]))
        number = exchange.part
        if not exchange.fault_is("parts-forever") and not 1 <= number <= len(result.parts):
            return Answer(status(exchange.message_id, "INVALID_RESPONSE_PART",
                                 details=[("MAX_PART_NUMBER", len(result.parts))]))
        self.partner.tell("part", collection=result.feed.name, part=number, of=len(result.parts))
        return self.part(exchange, result, number)

    def part(self, exchange, result, number, count_only=False):
        forever, feed = exchange.fault_is("parts-forever"), result.feed
        more = forever or number < len(result.parts)
        blocks = [] if count_only else result.parts[min(number, len(result.parts)) - 1]
        end = result.end
        if exchange.fault_is("future"):
            end = end + datetime.timedelta(seconds=float(exchange.fault.get("seconds", 86400)))
        head = [opening("Poll_Response", new_id(), exchange.message_id, collection_name=feed.name, result_id=result.id,
                        more="true" if more else "false", result_part_number=number)]
        if feed.kind == "DATA_FEED":
            if result.begin:
                head.append(element("Exclusive_Begin_Timestamp", written(result.begin)))
            head.append(element("Inclusive_End_Timestamp", written(end)))
        head.append(element("Record_Count", len(result.blocks), partial_count="false"))
        head.append(element("Message", "Here are the results that were requested."))
        pieces = [b"".join(head)]
        for block in blocks:
            pieces += block_pieces(block, self.partner.escaped)
        pieces.append(b"</t:Poll_Response>")
        return Answer(pieces=pieces, size=sum(map(len, pieces)))
