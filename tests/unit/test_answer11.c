/* TAXII 1.1 answers: what they tell, and what is wrong with those that no server may give. Every answer is fed whole and
 * cut in several ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "answer_trace.h"

#define SPACE "xmlns:t='http://taxii.mitre.org/messages/taxii_xml_binding-1.1'"
#define IDS   " message_id='a:1' in_response_to='urn:q:1' "
#define HEADER                                                                                               \
    "<t:Extended_Headers><t:Extended_Header name='x'>y<z "                                                   \
    "xmlns=''/></t:Extended_Header></t:Extended_Headers>"
#define SIGNED "<Signature xmlns='http://www.w3.org/2000/09/xmldsig#'><SignedInfo>x</SignedInfo></Signature>"
#define HTTP   "<t:Protocol_Binding>urn:taxii.mitre.org:protocol:http:1.0</t:Protocol_Binding>"
#define HTTPS  "<t:Protocol_Binding> urn:taxii.mitre.org:protocol:https:1.0\n</t:Protocol_Binding>"
#define AT(x)  "<t:Address>" x "</t:Address>"
#define SPEAKS "<t:Message_Binding>urn:taxii.mitre.org:message:xml:1.1</t:Message_Binding>"
#define OLD    "<t:Message_Binding>urn:taxii.mitre.org:message:xml:1.0</t:Message_Binding>"

#define STATUS(attributes, body) "<t:Status_Message " SPACE IDS attributes ">" body "</t:Status_Message>"
#define POLL(attributes, body)   "<t:Poll_Response " SPACE IDS attributes ">" body "</t:Poll_Response>"
#define DISCOVERY(body)          "<t:Discovery_Response " SPACE IDS ">" body "</t:Discovery_Response>"
#define COLLECTIONS(body)                                                                                    \
    "<t:Collection_Information_Response " SPACE IDS ">" body "</t:Collection_Information_Response>"
#define BLOCK                                                                                                \
    "<t:Content_Block><t:Content_Binding binding_id='b'/><t:Content><x/></t:Content></t:Content_Block>"

static void a_status_is_told_with_its_details(void **state)
{
    (void)state;
    expect_told(STATUS("status_type='SUCCESS'", ""), ANSWER_STATUS, "status SUCCESS \"\"\n");
    expect_told("<?xml version='1.0' encoding='UTF-8'?>\n" STATUS(
                    "status_type='PENDING'",
                    HEADER "<t:Status_Detail>\n<t:Detail name='ESTIMATED_WAIT'> 30 </t:Detail>"
                           "<t:Detail name='RESULT_ID'>r<b xmlns=''>&amp;</b>1</t:Detail></t:Status_Detail>"
                           "<t:Message>Come\nback &lt;later&gt;</t:Message>" SIGNED),
                ANSWER_STATUS, "status PENDING \"Come back <later>\" ESTIMATED_WAIT=30 RESULT_ID=r&1\n");
    expect_told(STATUS("status_type='x:OF_ITS_OWN'", ""), ANSWER_STATUS, "status x:OF_ITS_OWN \"\"\n");
    expect_told("<t:Status_Message " SPACE " message_id='1' in_response_to='0' status_type='BAD_MESSAGE'/>",
                ANSWER_STATUS, "status BAD_MESSAGE \"\"\n");
    expect_told("<Status_Message xmlns='http://taxii.mitre.org/messages/taxii_xml_binding-1.1'" IDS
                "status_type='RETRY'/>",
                ANSWER_STATUS, "status RETRY \"\"\n");
}

static void discovery_tells_every_service(void **state)
{
    (void)state;
    expect_told(
        DISCOVERY(
            HEADER
            "<t:Service_Instance service_type='INBOX' service_version='urn:taxii.mitre.org:services:1.1' "
            "available='0'>" HTTPS AT("https://h/inbox") OLD SPEAKS
            "<t:Content_Binding binding_id='b1'/><t:Content_Binding binding_id='b2'><t:Subtype "
            "subtype_id='s'/>"
            "</t:Content_Binding><t:Message>m</t:Message></t:Service_Instance>"
            "<t:Service_Instance service_type='POLL' service_version='v'>" HTTP AT("http://h/poll") OLD
            "<t:Supported_Query format_id='q'><any "
            "xmlns=''/></t:Supported_Query></t:Service_Instance>" SIGNED),
        ANSWER_DISCOVERY,
        "instance INBOX urn:taxii.mitre.org:services:1.1 urn:taxii.mitre.org:protocol:https:1.0 "
        "https://h/inbox "
        "unavailable \"m\" urn:taxii.mitre.org:message:xml:1.0,urn:taxii.mitre.org:message:xml:1.1 | b1,b2\n"
        "instance POLL v urn:taxii.mitre.org:protocol:http:1.0 http://h/poll \"\" "
        "urn:taxii.mitre.org:message:xml:1.0 |\n");
    expect_told(DISCOVERY(""), ANSWER_DISCOVERY, "");
}

static void collections_tell_the_address_that_we_can_use(void **state)
{
    (void)state;
    expect_told(
        COLLECTIONS("<t:Collection collection_name='AIS' available='true'><t:Description/>"
                    "<t:Collection_Volume>3</t:Collection_Volume><t:Content_Binding binding_id='b'/>"
                    "<t:Push_Method>" HTTP SPEAKS "</t:Push_Method>"
                    "<t:Polling_Service>" HTTPS AT("https://h/old") OLD
                    "</t:Polling_Service>"
                    "<t:Polling_Service>" HTTP AT("http://h/poll") SPEAKS
                    "</t:Polling_Service>"
                    "<t:Polling_Service>" HTTPS AT("https://h/poll") OLD SPEAKS
                    "</t:Polling_Service>"
                    "<t:Polling_Service>" HTTPS AT("https://h/second") SPEAKS
                    "</t:Polling_Service>"
                    "<t:Subscription_Service>" HTTP AT("http://h/sub") SPEAKS
                    "</t:Subscription_Service>"
                    "<t:Receiving_Inbox_Service>" HTTPS AT("https://h/inbox") SPEAKS
                    "<t:Content_Binding binding_id='other'/></t:Receiving_Inbox_Service></t:Collection>"
                    "<t:Collection collection_name='S' collection_type='DATA_SET' available='false'>"
                    "<t:Description>A set</t:Description></t:Collection>"),
        ANSWER_COLLECTIONS,
        "collection AIS feed poll=https://h/poll inbox=https://h/inbox subscription=http://h/sub b\n"
        "collection S set unavailable poll= inbox= subscription=\n");
}

static void a_poll_is_told_before_its_blocks(void **state)
{
    (void)state;
    expect_told(
        POLL("collection_name='AIS' more='true' result_id='r' result_part_number='+02'", HEADER
             "<t:Subscription_ID>s</t:Subscription_ID>"
             "<t:Exclusive_Begin_Timestamp>2026-01-01T00:00:00Z</t:Exclusive_Begin_Timestamp>"
             "<t:Inclusive_End_Timestamp> 2026-01-02T00:00:00Z </t:Inclusive_End_Timestamp>"
             "<t:Record_Count partial_count='true'>7</t:Record_Count><t:Message>m</t:Message>" BLOCK
             "<t:Content_Block><t:Content_Binding binding_id='c'><t:Subtype subtype_id='s1'/>"
             "<t:Subtype subtype_id='s2'/></t:Content_Binding><t:Content/>"
             "<t:Timestamp_Label>2026-01-02T00:00:00.123456Z</t:Timestamp_Label><t:Message>x</t:Message>"
             "<t:Padding>xxx</t:Padding>" SIGNED "</t:Content_Block>" BLOCK SIGNED),
        ANSWER_POLL,
        "poll AIS result=r subscription=s more part=2 (2026-01-01T00:00:00Z, 2026-01-02T00:00:00Z] count=7+ "
        "\"m\"\nblock 1 b \n[<x/>]\nend \nblock 2 c s1,s2\n[]\nend 2026-01-02T00:00:00.123456Z\n"
        "block 3 b \n[<x/>]\nend \n");
    expect_told(POLL("collection_name='AIS'", ""), ANSWER_POLL,
                "poll AIS result= subscription= part=1 (, ] count=-1 \"\"\n");
}

static void another_version_is_named(void **state)
{
    (void)state;
    expect_broken("<Status_Message xmlns='http://taxii.mitre.org/messages/taxii_xml_binding-1'/>",
                  ACCORD_EPROTO, "the server answers in TAXII 1.0, this link speaks TAXII 1.1");
    expect_broken("<Status_Message xmlns='http://docs.oasis-open.org/cti/ns/taxii/xml-binding-1.1.1'/>",
                  ACCORD_EPROTO, "TAXII 1.1.1 (OASIS)");
}

static void what_is_no_answer_is_refused(void **state)
{
    (void)state;
    expect_broken("", ACCORD_EFORMAT, "this is no TAXII message: line 1: the document is empty");
    expect_broken("<!doctype html>\n<html lang=en>", ACCORD_EFORMAT,
                  "this is no TAXII message: line 1: DOCTYPE");
    expect_broken("{\"title\": 1}", ACCORD_EFORMAT, "this is no TAXII message: line 1: this is not XML");
    expect_broken("<html><body/></html>", ACCORD_EPROTO, "<html> of namespace \"\" is no TAXII 1.1 message");
    expect_broken("<Poll_Response/>", ACCORD_EPROTO, "is no TAXII 1.1 message");
    expect_broken("<t:Inbox_Message " SPACE "/>", ACCORD_EPROTO,
                  "Inbox_Message is no answer to what was asked");
    expect_broken("<t:Subscription_Management_Response " SPACE "/>", ACCORD_EPROTO, "is no answer");
    expect_broken(
        "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>" STATUS("status_type='SUCCESS'", "&e;"),
        ACCORD_EFORMAT, "DOCTYPE is not allowed");
}

static void ids_must_fit(void **state)
{
    (void)state;
    expect_broken("<t:Status_Message " SPACE " message_id='1' in_response_to='2' status_type='SUCCESS'/>",
                  ACCORD_EPROTO, "answers message \"2\", not ours, which was \"urn:q:1\"");
    expect_broken("<t:Poll_Response " SPACE " message_id='1' in_response_to='0' collection_name='c'/>",
                  ACCORD_EPROTO, "answers message \"0\"");
    expect_broken("<t:Status_Message " SPACE " in_response_to='urn:q:1' status_type='SUCCESS'/>",
                  ACCORD_EPROTO, "Status_Message has no message_id");
    expect_broken("<t:Status_Message " SPACE " message_id='1' status_type='SUCCESS'/>", ACCORD_EPROTO,
                  "Status_Message has no in_response_to");
}

static void attributes_must_be_there_and_right(void **state)
{
    (void)state;
    expect_broken(STATUS("", ""), ACCORD_EPROTO, "Status_Message has no status_type");
    expect_broken(STATUS("status_type='NOT_FOUND'", "<t:Status_Detail><t:Detail/></t:Status_Detail>"),
                  ACCORD_EPROTO, "Detail has no name");
    expect_broken(POLL("", ""), ACCORD_EPROTO, "Poll_Response has no collection_name");
    expect_broken(POLL("collection_name='c' more='true'", ""), ACCORD_EPROTO,
                  "more=\"true\" without a result_id");
    expect_broken(POLL("collection_name='c' more='yes'", ""), ACCORD_EPROTO, "neither true nor false");
    expect_broken(POLL("collection_name='c' result_part_number='0'", ""), ACCORD_EPROTO,
                  "result_part_number \"0\" is no number from 1 up");
    expect_broken(POLL("collection_name='c' result_part_number='99999999999999999999'", ""), ACCORD_EPROTO,
                  "is no number");
    expect_broken(POLL("collection_name='c' result_part_number='x'", ""), ACCORD_EPROTO, "is no number");
    expect_broken(POLL("collection_name='c'", "<t:Record_Count>-1</t:Record_Count>"), ACCORD_EPROTO,
                  "Record_Count \"-1\" is no number");
    expect_broken(POLL("collection_name='c'", "<t:Content_Block><t:Content_Binding/></t:Content_Block>"),
                  ACCORD_EPROTO, "Content_Binding has no binding_id");
    expect_broken(COLLECTIONS("<t:Collection/>"), ACCORD_EPROTO, "Collection has no collection_name");
    expect_broken(COLLECTIONS("<t:Collection collection_name='c' collection_type='FEED'/>"), ACCORD_EPROTO,
                  "neither DATA_FEED nor DATA_SET");
    expect_broken(DISCOVERY("<t:Service_Instance service_version='v'/>"), ACCORD_EPROTO,
                  "Service_Instance has no service_type");
    expect_broken(DISCOVERY("<t:Service_Instance service_type='POLL'/>"), ACCORD_EPROTO,
                  "Service_Instance has no service_version");
    expect_broken(DISCOVERY("<t:Service_Instance service_type='POLL' service_version='v' available='?'/>"),
                  ACCORD_EPROTO, "neither true nor false");
}

static void order_is_strict(void **state)
{
    (void)state;
    expect_broken(POLL("collection_name='c'", "<t:Record_Count>1</t:Record_Count><t:Subscription_ID/>"),
                  ACCORD_EPROTO, "Subscription_ID stands where Poll_Response does not allow it");
    expect_broken(POLL("collection_name='c'", "<t:Message/><t:Message/>"), ACCORD_EPROTO,
                  "Message stands where Poll_Response does not allow it");
    expect_broken(POLL("collection_name='c'", "<t:Content_Block><t:Content/></t:Content_Block>"),
                  ACCORD_EPROTO, "Content_Binding must stand in Content_Block before Content");
    expect_broken(
        POLL("collection_name='c'", "<t:Content_Block><t:Content_Binding binding_id='b'/></t:Content_Block>"),
        ACCORD_EPROTO, "Content_Block ends without Content");
    expect_broken(POLL("collection_name='c'", "<t:Content_Block/>"), ACCORD_EPROTO,
                  "Content_Block ends without Content_Binding");
    expect_broken(POLL("collection_name='c'", "<t:Extension/>"), ACCORD_EPROTO,
                  "Poll_Response holds Extension (namespace \"http://taxii");
    expect_broken(POLL("collection_name='c'", "<Message/>"), ACCORD_EPROTO, "holds Message (namespace \"\")");
    expect_broken(POLL("collection_name='c'", "stray"), ACCORD_EPROTO,
                  "holds text where only elements may stand");
    expect_broken(POLL("collection_name='c'", SIGNED BLOCK), ACCORD_EPROTO, "out of order");
    expect_broken(POLL("collection_name='c'", "<t:Subscription_ID>a<b xmlns=''/></t:Subscription_ID>"),
                  ACCORD_EPROTO, "Subscription_ID holds b where only text may stand");
    expect_broken(STATUS("status_type='SUCCESS'", "<t:Status_Detail/>"), ACCORD_EPROTO,
                  "Status_Detail ends without Detail");
    expect_broken(STATUS("status_type='SUCCESS'", "<t:Message/>" HEADER), ACCORD_EPROTO, "out of order");
    expect_broken(DISCOVERY("<t:Service_Instance service_type='POLL' service_version='v'>" AT(
                      "a") "</t:Service_Instance>"),
                  ACCORD_EPROTO, "Protocol_Binding must stand in Service_Instance before Address");
    expect_broken(COLLECTIONS("<t:Collection collection_name='c'/>"), ACCORD_EPROTO,
                  "Collection ends without Description");
}

/* `head`, then `part` so often, then `tail`. */
static char *repeated(const char *head, const char *part, size_t count, const char *tail)
{
    size_t step = strlen(part);
    char *text = malloc(strlen(head) + count * step + strlen(tail) + 1), *to = stpcpy(text, head);
    for (size_t i = 0; i < count; i++, to += step)
        memcpy(to, part, step);
    strcpy(to, tail);
    return text;
}

static void expect_repeated(const char *head, const char *part, size_t count, const char *tail, int error,
                            const char *part_of_result)
{
    char *text = repeated(head, part, count, tail);
    struct answer_trace trace = answer_trace_all(text, strlen(text), NULL, 1 << 20);
    if (trace.error != error || !strstr(error ? trace.why : trace.calls, part_of_result))
        fail_msg("%d %s%s", trace.error, trace.why, trace.error ? "" : trace.calls);
    answer_trace_free(&trace);
    free(text);
}

static void texts_and_lists_are_limited(void **state)
{
    (void)state;
    expect_repeated("<t:Status_Message " SPACE IDS "status_type='", "x", 511, "'/>", 0, "xxx \"\"");
    expect_repeated("<t:Status_Message " SPACE IDS "status_type='", "x", 512, "'/>", ACCORD_ELIMIT,
                    "status_type is longer than 511 bytes");
    expect_repeated("<t:Poll_Response " SPACE IDS "collection_name='c'><t:Subscription_ID>", "x", 3000,
                    "</t:Subscription_ID></t:Poll_Response>", ACCORD_ELIMIT, "Subscription_ID is longer");
    expect_repeated("<t:Status_Message " SPACE IDS "status_type='S'><t:Status_Detail>",
                    "<t:Detail name='n'>v</t:Detail>", 64, "</t:Status_Detail></t:Status_Message>", 0, "n=v");
    expect_repeated("<t:Status_Message " SPACE IDS "status_type='S'><t:Status_Detail>",
                    "<t:Detail name='n'>v</t:Detail>", 65, "</t:Status_Detail></t:Status_Message>",
                    ACCORD_ELIMIT, "more than 64 Detail elements");
    /* What is for people is cut, not within a character. */
    for (int i = 0; i < 3; i++) {
        static const char *const heads[] = {"<t:Message>", "<t:Message>a", "<t:Message>ab"};
        char head[400];
        snprintf(head, sizeof head, "<t:Status_Message " SPACE IDS "status_type='S'>%s", heads[i]);
        expect_repeated(head, "\xE2\x82\xAC", 1000, "</t:Message></t:Status_Message>", 0, "\xE2\x82\xAC\"\n");
        snprintf(head, sizeof head,
                 "<t:Status_Message " SPACE IDS "status_type='S'><t:Status_Detail>"
                 "<t:Detail name='n'>%s",
                 heads[i] + strlen("<t:Message>"));
        expect_repeated(head, "\xE2\x82\xAC", 1000, "</t:Detail></t:Status_Detail></t:Status_Message>", 0,
                        "\xE2\x82\xAC\n");
    }
    expect_repeated("<t:Poll_Response " SPACE IDS "collection_name='c'><t:Subscription_ID>x", " ", 3000,
                    "x</t:Subscription_ID></t:Poll_Response>", ACCORD_ELIMIT, "Subscription_ID is longer");
    expect_broken(STATUS("status_type='a&#10;b'", ""), ACCORD_EPROTO, "control character");
    char *text =
        repeated("<t:Poll_Response " SPACE IDS "collection_name='c'>", BLOCK, 200, "</t:Poll_Response>");
    struct answer_trace trace = answer_trace_all(text, strlen(text), NULL, 10000);
    assert_int_equal(trace.error, ACCORD_ELIMIT);
    assert_non_null(strstr(trace.why, "larger than 10000 bytes"));
    free(text);
}

static void an_answer_cut_anywhere_is_refused(void **state)
{
    (void)state;
    static const char document[] =
        POLL("collection_name='c' result_id='r'", "<t:Message>m</t:Message>" BLOCK BLOCK SIGNED);
    for (size_t size = 0; size < sizeof document - 1; size++) {
        struct answer_trace trace = answer_trace_all(document, size, NULL, 1 << 20);
        if (trace.error != ACCORD_EFORMAT)
            fail_msg("%zu bytes: %d %s", size, trace.error, trace.why);
    }
}

static int never(void *arg, const struct answer_status *status)
{
    (void)arg, (void)status;
    fail_msg("a status was told before its answer was whole");
    return 0;
}

static void a_status_counts_only_when_the_answer_is_whole(void **state)
{
    (void)state;
    static const char text[] = STATUS("status_type='SUCCESS'", "") "<!-- cut";
    const struct answer_events events = {.status = never};
    struct answer *answer = answer_new(ANSWER_ID, 1000, &events, NULL);
    assert_int_equal(answer_feed(answer, (const uint8_t *)text, sizeof text - 1), 0);
    assert_int_equal(answer_finish(answer), ACCORD_EFORMAT);
    answer_free(answer);
}

static int refuse(void *arg, const struct answer_block *block)
{
    (void)arg, (void)block;
    return ACCORD_ECANCELED;
}

static void a_callback_ends_the_reading(void **state)
{
    (void)state;
    static const char text[] = POLL("collection_name='c'", BLOCK);
    const struct answer_events events = {.block = refuse};
    struct answer *answer = answer_new(ANSWER_ID, 1000, &events, NULL);
    assert_int_equal(answer_feed(answer, (const uint8_t *)text, sizeof text - 1), ACCORD_ECANCELED);
    assert_int_equal(answer_finish(answer), ACCORD_ECANCELED);
    answer_free(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_status_is_told_with_its_details),
        cmocka_unit_test(discovery_tells_every_service),
        cmocka_unit_test(collections_tell_the_address_that_we_can_use),
        cmocka_unit_test(a_poll_is_told_before_its_blocks),
        cmocka_unit_test(another_version_is_named),
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(ids_must_fit),
        cmocka_unit_test(attributes_must_be_there_and_right),
        cmocka_unit_test(order_is_strict),
        cmocka_unit_test(texts_and_lists_are_limited),
        cmocka_unit_test(an_answer_cut_anywhere_is_refused),
        cmocka_unit_test(a_status_counts_only_when_the_answer_is_whole),
        cmocka_unit_test(a_callback_ends_the_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
