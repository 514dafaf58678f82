/* TAXII 1.1: XML message binding 1.1, HTTP protocol binding 1.0. The order of elements is strict. */
#include <stdio.h>

#include "dialect.h"

#define NAMESPACE "http://taxii.mitre.org/messages/taxii_xml_binding-1.1"
#define MESSAGE   "urn:taxii.mitre.org:message:xml:1.1"

/* HTTP binding 1.0, 3.1. X-TAXII-Accept may name several, but real servers fail on two. */
static const struct accord_pair headers[] = {
    {"Content-Type", "application/xml"},
    {"Accept", "application/xml"},
    {"X-TAXII-Content-Type", MESSAGE},
    {"X-TAXII-Accept", MESSAGE},
    {"X-TAXII-Protocol", "urn:taxii.mitre.org:protocol:https:1.0"},
    {"X-TAXII-Services", "urn:taxii.mitre.org:services:1.1"},
};

static void attribute(struct draft *draft, const char *name, const char *value)
{
    draft_put(draft, " ");
    draft_put(draft, name);
    draft_put(draft, "=\"");
    draft_text(draft, value);
    draft_put(draft, "\"");
}

static void element(struct draft *draft, const char *name, const char *text)
{
    draft_put(draft, "<t:");
    draft_put(draft, name);
    draft_put(draft, ">");
    draft_text(draft, text);
    draft_put(draft, "</t:");
    draft_put(draft, name);
    draft_put(draft, ">");
}

/* The start tag up to its last attribute but one. A prefix, so that content keeps a default namespace of its own, or
 * none. */
static void root(struct draft *draft, const char *name, const char *id)
{
    draft_put(draft, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<t:");
    draft_put(draft, name);
    draft_put(draft, " xmlns:t=\"" NAMESPACE "\"");
    attribute(draft, "message_id", id);
}

static void discovery(struct draft *draft, const char *id)
{
    root(draft, "Discovery_Request", id);
    draft_put(draft, "/>\n");
}

static void collections(struct draft *draft, const char *id)
{
    root(draft, "Collection_Information_Request", id);
    draft_put(draft, "/>\n");
}

static void parameters(struct draft *draft, const struct dialect_poll *poll)
{
    draft_put(draft, "<t:Poll_Parameters allow_asynch=\"false\"><t:Response_Type>FULL</t:Response_Type>");
    for (size_t i = 0; i < poll->binding_count; i++) {
        draft_put(draft, "<t:Content_Binding");
        attribute(draft, "binding_id", poll->bindings[i]);
        draft_put(draft, "/>");
    }
    draft_put(draft, "</t:Poll_Parameters>");
}

static void poll(struct draft *draft, const char *id, const struct dialect_poll *poll)
{
    root(draft, "Poll_Request", id);
    attribute(draft, "collection_name", poll->collection);
    draft_put(draft, ">");
    if (poll->begin)
        element(draft, "Exclusive_Begin_Timestamp", poll->begin);
    if (poll->end)
        element(draft, "Inclusive_End_Timestamp", poll->end);
    if (poll->subscription)
        element(draft, "Subscription_ID", poll->subscription);
    else
        parameters(draft, poll);
    draft_put(draft, "</t:Poll_Request>\n");
}

static void part(struct draft *draft, const char *id, const struct dialect_part *part)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)part->part);
    root(draft, "Poll_Fulfillment", id);
    attribute(draft, "collection_name", part->collection);
    attribute(draft, "result_id", part->result);
    attribute(draft, "result_part_number", number);
    draft_put(draft, "/>\n");
}

static void inbox(struct draft *draft, const char *id, const struct dialect_inbox *inbox)
{
    root(draft, "Inbox_Message", id);
    draft_put(draft, ">");
    if (inbox->collection)
        element(draft, "Destination_Collection_Name", inbox->collection);
    draft_put(draft, "<t:Record_Count>");
    draft_number(draft, (int64_t)inbox->blocks);
    draft_put(draft, "</t:Record_Count>");
}

static void block(struct draft *draft, const struct dialect_block *block)
{
    draft_put(draft, "<t:Content_Block><t:Content_Binding");
    attribute(draft, "binding_id", block->binding);
    if (block->subtype) {
        draft_put(draft, "><t:Subtype");
        attribute(draft, "subtype_id", block->subtype);
        draft_put(draft, "/></t:Content_Binding>");
    } else {
        draft_put(draft, "/>");
    }
    draft_put(draft, "<t:Content>");
}

static void block_end(struct draft *draft)
{
    draft_put(draft, "</t:Content></t:Content_Block>");
}

static void inbox_end(struct draft *draft)
{
    draft_put(draft, "</t:Inbox_Message>\n");
}

const struct dialect taxii11 = {
    .version = "1.1",
    .headers = headers,
    .header_count = sizeof headers / sizeof *headers,
    .answer_type = MESSAGE,
    .discovery = discovery,
    .collections = collections,
    .poll = poll,
    .part = part,
    .inbox = inbox,
    .block = block,
    .block_end = block_end,
    .inbox_end = inbox_end,
};
