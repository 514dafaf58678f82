/* What we say in TAXII 1.1: the headers of the HTTP binding, and each message, byte for byte. Against the official schema
 * they are held by test_shared_taxii. */
#include "connectors/taxii/dialect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define XML "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define NS  " xmlns:t=\"http://taxii.mitre.org/messages/taxii_xml_binding-1.1\""

static void is_written(struct draft *draft, const char *expected)
{
    assert_false(draft->failed);
    assert_string_equal(draft->bytes, expected);
    assert_int_equal(draft->size, strlen(expected));
    draft_fini(draft);
}

static void the_headers_are_those_of_the_binding(void **state)
{
    static const struct accord_pair expected[] = {
        {"Content-Type", "application/xml"},
        {"Accept", "application/xml"},
        {"X-TAXII-Content-Type", "urn:taxii.mitre.org:message:xml:1.1"},
        {"X-TAXII-Accept", "urn:taxii.mitre.org:message:xml:1.1"},
        {"X-TAXII-Protocol", "urn:taxii.mitre.org:protocol:https:1.0"},
        {"X-TAXII-Services", "urn:taxii.mitre.org:services:1.1"}};
    (void)state;
    assert_int_equal(taxii11.header_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(taxii11.headers[i].name, expected[i].name);
        assert_string_equal(taxii11.headers[i].value, expected[i].value);
    }
}

static void questions_have_an_id_and_nothing_else(void **state)
{
    struct draft draft = {0};
    (void)state;
    taxii11.discovery(&draft, "urn:uuid:1");
    is_written(&draft, XML "<t:Discovery_Request" NS " message_id=\"urn:uuid:1\"/>\n");
    taxii11.collections(&draft, "urn:uuid:2");
    is_written(&draft, XML "<t:Collection_Information_Request" NS " message_id=\"urn:uuid:2\"/>\n");
}

static void a_poll_asks_for_a_window_and_for_bindings(void **state)
{
    static const char *const bindings[] = {"urn:stix.mitre.org:xml:1.1.1", "urn:x"};
    struct draft draft = {0};
    (void)state;
    taxii11.poll(&draft, "1",
                 &(struct dialect_poll){.collection = "AIS",
                                        .begin = "2026-01-01T00:00:00.000000Z",
                                        .end = "2026-01-02T00:00:00.000000Z",
                                        .bindings = bindings,
                                        .binding_count = 2});
    is_written(&draft,
               XML "<t:Poll_Request" NS " message_id=\"1\" collection_name=\"AIS\">"
                   "<t:Exclusive_Begin_Timestamp>2026-01-01T00:00:00.000000Z</t:Exclusive_Begin_Timestamp>"
                   "<t:Inclusive_End_Timestamp>2026-01-02T00:00:00.000000Z</t:Inclusive_End_Timestamp>"
                   "<t:Poll_Parameters allow_asynch=\"false\"><t:Response_Type>FULL</t:Response_Type>"
                   "<t:Content_Binding binding_id=\"urn:stix.mitre.org:xml:1.1.1\"/><t:Content_Binding "
                   "binding_id=\"urn:x\"/>"
                   "</t:Poll_Parameters></t:Poll_Request>\n");
}

static void a_subscription_stands_in_the_place_of_parameters(void **state)
{
    struct draft draft = {0};
    (void)state;
    taxii11.poll(&draft, "1", &(struct dialect_poll){.collection = "SET", .subscription = "s-1"});
    is_written(&draft, XML "<t:Poll_Request" NS " message_id=\"1\" collection_name=\"SET\">"
                           "<t:Subscription_ID>s-1</t:Subscription_ID></t:Poll_Request>\n");
}

static void a_further_part_is_asked_for_by_result_and_number(void **state)
{
    struct draft draft = {0};
    (void)state;
    taxii11.part(&draft, "1", &(struct dialect_part){"AIS", "urn:uuid:9", 7});
    is_written(&draft, XML "<t:Poll_Fulfillment" NS
                           " message_id=\"1\" collection_name=\"AIS\" result_id=\"urn:uuid:9\" "
                           "result_part_number=\"7\"/>\n");
}

static void an_inbox_message_frames_its_blocks(void **state)
{
    struct draft draft = {0};
    (void)state;
    taxii11.inbox(&draft, "urn:accord:x", &(struct dialect_inbox){"AIS_INGEST", 2});
    taxii11.block(&draft, &(struct dialect_block){"urn:a", NULL});
    draft_put(&draft, "<x/>");
    taxii11.block_end(&draft);
    taxii11.block(&draft, &(struct dialect_block){"urn:a", "sub"});
    taxii11.block_end(&draft);
    taxii11.inbox_end(&draft);
    is_written(&draft,
               XML "<t:Inbox_Message" NS " message_id=\"urn:accord:x\">"
                   "<t:Destination_Collection_Name>AIS_INGEST</"
                   "t:Destination_Collection_Name><t:Record_Count>2</t:Record_Count>"
                   "<t:Content_Block><t:Content_Binding "
                   "binding_id=\"urn:a\"/><t:Content><x/></t:Content></t:Content_Block>"
                   "<t:Content_Block><t:Content_Binding binding_id=\"urn:a\"><t:Subtype subtype_id=\"sub\"/>"
                   "</t:Content_Binding><t:Content></t:Content></t:Content_Block></t:Inbox_Message>\n");
    taxii11.inbox(&draft, "i", &(struct dialect_inbox){NULL, 1});
    is_written(&draft, XML "<t:Inbox_Message" NS " message_id=\"i\"><t:Record_Count>1</t:Record_Count>");
}

static void texts_cannot_leave_their_place(void **state)
{
    struct draft draft = {0};
    (void)state;
    taxii11.part(&draft, "\"><x/>", &(struct dialect_part){"A&B<\n", "\r'\t>", 2});
    is_written(
        &draft,
        XML "<t:Poll_Fulfillment" NS " message_id=\"&quot;&gt;&lt;x/&gt;\" "
            "collection_name=\"A&amp;B&lt;&#10;\" result_id=\"&#13;'&#9;&gt;\" result_part_number=\"2\"/>\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_headers_are_those_of_the_binding),
        cmocka_unit_test(questions_have_an_id_and_nothing_else),
        cmocka_unit_test(a_poll_asks_for_a_window_and_for_bindings),
        cmocka_unit_test(a_subscription_stands_in_the_place_of_parameters),
        cmocka_unit_test(a_further_part_is_asked_for_by_result_and_number),
        cmocka_unit_test(an_inbox_message_frames_its_blocks),
        cmocka_unit_test(texts_cannot_leave_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
