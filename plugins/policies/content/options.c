/* The options of [policy content]. */
#include "validator.h"

#define OPTION(field) offsetof(struct validator_options, field)

static const char *const unvalidated[] = {[VALIDATOR_DENY] = "deny", [VALIDATOR_ALLOW] = "allow", NULL};
static const char *const require[] = {[STIX_REQUIRE_AIS] = "ais",
                                      [STIX_REQUIRE_TLP] = "tlp",
                                      [STIX_REQUIRE_ANY] = "any",
                                      [STIX_REQUIRE_NONE] = "none",
                                      NULL};
static const char *const timestamp[] = {
    [STIX_TIMESTAMP_ZONE] = "zone", [STIX_TIMESTAMP_ANY] = "any", [STIX_TIMESTAMP_NO] = "no", NULL};
static const char *const incoming[] = {
    [STIX_INCOMING_MARKING] = "marking", [STIX_INCOMING_PROFILE] = "profile", NULL};
static const char *const personal[] = {[STIX_PERSONAL_OFF] = "off", [STIX_PERSONAL_DENY] = "deny", NULL};
static const char *const colors[] = {"WHITE", "GREEN", "AMBER", "RED", NULL};
static const char *const consents[] = {"EVERYONE", "USG", "NONE", NULL};

static const char *const layouts[] = {"batch", "camir", NULL};
static const char *const exchanges[] = {
    "stow-plan", "container-status", "ace-transaction", "aes-commodity", "cbp-response", "none", NULL};

const struct accord_option validator_option_table[] = {
    {.name = "unvalidated",
     .kind = ACCORD_CHOICE,
     .offset = OPTION(unvalidated),
     .fallback = "deny",
     .choices = unvalidated,
     .help = "What becomes of messages whose type has no validator; deny keeps anything from passing "
             "unexamined (CBP-1b, AIS-3.4a)."},
    {.name = "stow-plan-versions",
     .kind = ACCORD_LIST,
     .offset = OPTION(stow_plan.versions),
     .fallback = "1:911, D:95B",
     .help = "BAPLIE versions that a stow plan may have, as in UNH S009 after the type: SMDG 1.5 is 1:911, "
             "2.x is D:95B; D:95B:UN:SMDG22 allows that one alone."},
    {.name = "stow-plan-senders",
     .kind = ACCORD_LIST,
     .offset = OPTION(stow_plan.senders),
     .help = "Interchange senders (UNB S002) that may stand in a stow plan, as ID or ID:QUALIFIER; empty: "
             "any."},
    {.name = "stow-plan-recipients",
     .kind = ACCORD_LIST,
     .offset = OPTION(stow_plan.recipients),
     .help = "Interchange recipients (UNB S003), likewise; a stow plan without recipient is always refused."},
    {.name = "allow-test-indicator",
     .kind = ACCORD_BOOL,
     .offset = OPTION(allow_test_indicator),
     .fallback = "no",
     .help = "Let interchanges pass that are marked as a test (UNB 0035, ISA15)."},
    {.name = "allow-bom",
     .kind = ACCORD_BOOL,
     .offset = OPTION(allow_bom),
     .fallback = "no",
     .help =
         "Let EDIFACT and X12 files pass that begin with a UTF-8 byte order mark; it is sent on as it came."},
    {.name = "allow-indent",
     .kind = ACCORD_BOOL,
     .offset = OPTION(allow_indent),
     .fallback = "yes",
     .help = "Let spaces stand before an X12 segment; they are sent on as they came."},
    {.name = "container-status-messages",
     .kind = ACCORD_LIST,
     .offset = OPTION(container_status.messages),
     .fallback = "315, 322, CODECO, COARRI, IFTSTA",
     .help = "Container status messages that there may be: X12 transaction sets and EDIFACT message types. "
             "Of COPARN, COPRAR and COPINO, which are orders, and of 214, 301 and 304 only the envelope is "
             "known (19 CFR 4.7d)."},
    {.name = "container-status-versions",
     .kind = ACCORD_LIST,
     .offset = OPTION(container_status.versions),
     .help = "Versions that they may have, X12's as in GS08 (004010), EDIFACT's as in UNH S009 after the "
             "type (D:95B); empty: any."},
    {.name = "container-status-senders",
     .kind = ACCORD_LIST,
     .offset = OPTION(container_status.senders),
     .help = "Senders that may stand in them: UNB S002, or ISA06 (qualifier ISA05) and GS02, as ID or "
             "ID:QUALIFIER; empty: any."},
    {.name = "container-status-recipients",
     .kind = ACCORD_LIST,
     .offset = OPTION(container_status.recipients),
     .help = "Recipients, UNB S003, or ISA08 (qualifier ISA07) and GS03, likewise."},
    {.name = "ace-transaction-messages",
     .kind = ACCORD_LIST,
     .offset = OPTION(ace_transaction.messages),
     .fallback = "batch, camir",
     .choices = layouts,
     .help = "Layouts of 80-column records that an ACE transaction may have: batch (CATAIR's A, B, Y and "
             "Z) or camir (ACR first). A site whose code begins with CR needs batch alone."},
    {.name = "ace-transaction-senders",
     .kind = ACCORD_LIST,
     .offset = OPTION(ace_transaction.senders),
     .help = "Senders, site and id, that may stand in columns 2 to 8 of the A record; empty: any."},
    {.name = "ace-transaction-applications",
     .kind = ACCORD_LIST,
     .offset = OPTION(ace_transaction.applications),
     .help = "Application identifiers that A and B records may have, such as FT; empty: any."},
    {.name = "ace-transaction-application-columns",
     .kind = ACCORD_LIST,
     .offset = OPTION(ace_transaction.application_columns),
     .fallback = "A:26-27, B:11-12",
     .help = "Where A and B records have their application identifier; none: nowhere (CATAIR, Batch and "
             "Block Control)."},
    {.name = "ace-transaction-filler",
     .kind = ACCORD_LIST,
     .offset = OPTION(ace_transaction.filler),
     .fallback = "A:23-25, A:28-37, A:40-59, B:13-44, B:57-59, Y:2-3, Y:18-44, Y:47-80, Z:23-37, "
                 "Z:40-80",
     .help = "Columns of A, B, Y and Z records that must be blank, or CBP refuses the batch with DATA "
             "FOUND IN FILLER; none: no columns (CSMS 14-000277)."},
    {.name = "ace-transaction-repeat",
     .kind = ACCORD_LIST,
     .offset = OPTION(ace_transaction.repeat),
     .fallback = "A:2-5, A:6-8",
     .help = "Columns of A that Z must repeat, and of B that Y must (B:4-12); none: no columns."},
    {.name = "ace-transaction-opaque",
     .kind = ACCORD_BOOL,
     .offset = OPTION(ace_transaction.opaque),
     .fallback = "no",
     .help = "Take ACE transactions of any content, unexamined."},
    {.name = "aes-commodity-messages",
     .kind = ACCORD_LIST,
     .offset = OPTION(aes_commodity.messages),
     .fallback = "batch, 601",
     .help = "What AES commodity data may be: batch (AESTIR's 80-column A, B, Y and Z records) or X12 "
             "transaction sets."},
    {.name = "aes-commodity-versions",
     .kind = ACCORD_LIST,
     .offset = OPTION(aes_commodity.versions),
     .help = "Versions of X12 that it may have, as in GS08 (004050); empty: any."},
    {.name = "aes-commodity-senders",
     .kind = ACCORD_LIST,
     .offset = OPTION(aes_commodity.senders),
     .help = "Senders that may stand in X12: ISA06 (qualifier ISA05) and GS02, as ID or ID:QUALIFIER; "
             "empty: any."},
    {.name = "aes-commodity-recipients",
     .kind = ACCORD_LIST,
     .offset = OPTION(aes_commodity.recipients),
     .help = "Recipients, ISA08 (qualifier ISA07) and GS03, likewise."},
    {.name = "aes-commodity-applications",
     .kind = ACCORD_LIST,
     .offset = OPTION(aes_commodity.applications),
     .fallback = "XP",
     .help = "Application identifiers of batches that go out; one of `answers` may not (AESTIR)."},
    {.name = "aes-commodity-answers",
     .kind = ACCORD_LIST,
     .offset = OPTION(aes_commodity.answers),
     .fallback = "XT",
     .help = "Application identifiers of batches that come in; one of `applications` may not (AESTIR)."},
    {.name = "aes-commodity-application-columns",
     .kind = ACCORD_LIST,
     .offset = OPTION(aes_commodity.application_columns),
     .fallback = "A:26-27, B:11-12",
     .help = "Where A and B records of AES have their application identifier, to be taken from AESTIR; the "
             "default is CATAIR's; none: nowhere."},
    {.name = "aes-commodity-filler",
     .kind = ACCORD_LIST,
     .offset = OPTION(aes_commodity.filler),
     .help = "Columns of A, B, Y and Z records of AES that must be blank, as in A:40-59."},
    {.name = "aes-commodity-repeat",
     .kind = ACCORD_LIST,
     .offset = OPTION(aes_commodity.repeat),
     .help = "Columns of A that Z must repeat, and of B that Y must, as in A:2-10."},
    {.name = "aes-commodity-opaque",
     .kind = ACCORD_BOOL,
     .offset = OPTION(aes_commodity.opaque),
     .fallback = "no",
     .help = "Take AES commodity data of any content, unexamined."},
    {.name = "cbp-response-messages",
     .kind = ACCORD_LIST,
     .offset = OPTION(cbp_response.messages),
     .fallback = "batch, camir, CUSRES, CONTRL, 997, 999, TA1",
     .help = "What CBP's responses may be: layouts of 80-column records (batch, camir), EDIFACT message "
             "types, X12 transaction sets, or TA1. Of 350 and 355, if they are added, only the envelope is "
             "known."},
    {.name = "cbp-response-versions",
     .kind = ACCORD_LIST,
     .offset = OPTION(cbp_response.versions),
     .help = "Versions that they may have, X12's as in GS08, EDIFACT's as in UNH S009 after the type; "
             "empty: any."},
    {.name = "cbp-response-senders",
     .kind = ACCORD_LIST,
     .offset = OPTION(cbp_response.senders),
     .help = "Senders that may stand in them: UNB S002, or ISA06 (qualifier ISA05) and GS02, as ID or "
             "ID:QUALIFIER; empty: any."},
    {.name = "cbp-response-recipients",
     .kind = ACCORD_LIST,
     .offset = OPTION(cbp_response.recipients),
     .help = "Recipients, UNB S003, or ISA08 (qualifier ISA07) and GS03, likewise."},
    {.name = "cbp-response-applications",
     .kind = ACCORD_LIST,
     .offset = OPTION(cbp_response.applications),
     .help = "Application identifiers that A and B records of responses may have; empty: any but XP, which "
             "is no response."},
    {.name = "cbp-response-application-columns",
     .kind = ACCORD_LIST,
     .offset = OPTION(cbp_response.application_columns),
     .fallback = "A:26-27, B:11-12",
     .help = "Where A and B records of responses have their application identifier; none: nowhere."},
    {.name = "x12-groups",
     .kind = ACCORD_LIST,
     .offset = OPTION(x12_groups),
     .fallback = "QM:214, QO:315, RO:301, SE:601, SO:304, SO:322, SO:350, SO:355, FA:997, FA:999",
     .help = "In which group (GS01) each X12 transaction set (ST01) stands; a set that is not here is "
             "refused (X12 data element 479)."},
    {.name = "detail-records",
     .kind = ACCORD_LIST,
     .offset = OPTION(detail_records),
     .help = "Beginnings of 80-column records that stand between B and Y and only look like an A, B, Y or "
             "Z record."},
    {.name = "batch-key",
     .kind = ACCORD_LIST,
     .offset = OPTION(batch_key),
     .help = "Columns of the A record that identify a batch, which may then be sent only once, as in "
             "A:2-8, A:15-22; CATAIR confirms no batch number, so none is the default."},
    {.name = "unique-references",
     .kind = ACCORD_LIST,
     .offset = OPTION(unique_references),
     .fallback = "stow-plan, container-status, ace-transaction, aes-commodity, cbp-response",
     .choices = exchanges,
     .help = "Types whose control references (UNB 0020, ISA13, batch-key) a sender may use once in an "
             "agreement; none: no type."},
    {.name = "max-segments",
     .kind = ACCORD_INTEGER,
     .offset = OPTION(max_segments),
     .fallback = "500000",
     .min = 10,
     .max = 10000000,
     .help =
         "EDIFACT or X12 segments, or 80-column records, in one file; a plan of 24 000 containers has about "
         "240 000 segments."},
    {.name = "stix-versions",
     .kind = ACCORD_LIST,
     .offset = OPTION(stix.versions),
     .fallback = "1.1.1",
     .help = "Versions that a STIX 1 package may have; AIS takes 1.1.1 alone (AIS-3.4a, AIS Data Profile)."},
    {.name = "stix-max-size",
     .kind = ACCORD_SIZE,
     .offset = OPTION(stix.max_size),
     .fallback = "100 MiB",
     .min = 1024,
     .max = 2147483648,
     .help =
         "Largest STIX 1 package; AIS has published no limit of its own, 100 MiB is that of CISA's client "
         "(AIS-3.7c)."},
    {.name = "stix-incoming",
     .kind = ACCORD_CHOICE,
     .offset = OPTION(stix.incoming),
     .fallback = "marking",
     .choices = incoming,
     .help = "What is asked of STIX 1 packages that come in: `marking` holds them to version, marking and "
             "schemas, `profile` to everything that is asked of those that go out (AIS-3.4a)."},
    {.name = "require-marking",
     .kind = ACCORD_CHOICE,
     .offset = OPTION(stix.marking),
     .fallback = "ais",
     .choices = require,
     .help = "Marking that a STIX 1 package must have as a whole: one AIS marking, a TLP colour (an AIS "
             "marking has one), any that is recognised, or none; what is marked is examined in every case "
             "(AIS-3.4a)."},
    {.name = "allow-tlp",
     .kind = ACCORD_LIST,
     .offset = OPTION(stix.colors),
     .fallback = "WHITE, GREEN, AMBER",
     .choices = colors,
     .help = "TLP colours that a STIX 1 package or a part of it may have; an AIS marking is never RED "
             "(AIS-3.3, AIS-3.4a)."},
    {.name = "allow-consent",
     .kind = ACCORD_LIST,
     .offset = OPTION(stix.consents),
     .fallback = "EVERYONE, USG, NONE",
     .choices = consents,
     .help = "AIS consents that may stand in a marking; with proprietary information it is EVERYONE in every "
             "case (AIS-3.4a, AIS marking schema)."},
    {.name = "allow-isa",
     .kind = ACCORD_BOOL,
     .offset = OPTION(stix.isa),
     .fallback = "yes",
     .help = "Let ISA markings stand in a STIX 1 package; one that says anything but unclassified (CLS:U) is "
             "refused in every case (AIS-3.3)."},
    {.name = "stix-containers",
     .kind = ACCORD_LIST,
     .offset = OPTION(stix.containers),
     .fallback = "Indicators, TTPs, Courses_Of_Action, Exploit_Targets",
     .help = "Parts that a STIX 1 package may have beside its header; observables stand inside of indicators "
             "(AIS-3.4a, AIS Data Profile)."},
    {.name = "stix-objects",
     .kind = ACCORD_LIST,
     .offset = OPTION(stix.objects),
     .fallback = "Address, DomainName, DNSQuery, DNSRecord, EmailMessage, File, HTTPSession, Hostname, Link, "
                 "Mutex, NetworkConnection, Port, SocketAddress, URI, WinRegistryKey",
     .help = "CybOX objects that a STIX 1 package may hold, as in their namespace: File of "
             "http://cybox.mitre.org/objects#FileObject-2; empty: any (AIS-3.4a, AIS Data Profile)."},
    {.name = "stix-namespaces",
     .kind = ACCORD_LIST,
     .offset = OPTION(stix.namespaces),
     .fallback = "http://stix.mitre.org/, http://cybox.mitre.org/, http://data-marking.mitre.org/, "
                 "http://www.us-cert.gov/, urn:oasis:names:tc:ciq:, urn:edm:edh:cyber:",
     .help = "Beginnings of the namespaces that elements of a STIX 1 package may have; empty: any "
             "(AIS-3.4a)."},
    {.name = "require-id",
     .kind = ACCORD_BOOL,
     .offset = OPTION(stix.id),
     .fallback = "yes",
     .help = "Ask for an id of the package as PREFIX:TYPE-UNIQUE, the prefix declared (AIS Data Profile)."},
    {.name = "require-timestamp",
     .kind = ACCORD_CHOICE,
     .offset = OPTION(stix.timestamp),
     .fallback = "any",
     .choices = timestamp,
     .help = "Ask for the package's timestamp, with a time zone or in any form that STIX 1.1.1 has (AIS Data "
             "Profile; RFC 3339)."},
    {.name = "max-future",
     .kind = ACCORD_DURATION,
     .offset = OPTION(stix.max_future),
     .fallback = "1 day",
     .help = "How far ahead of this clock the timestamps in a STIX 1 package may be (AIS-3.7c)."},
    {.name = "require-header",
     .kind = ACCORD_BOOL,
     .offset = OPTION(stix.header),
     .fallback = "yes",
     .help = "Ask for a STIX_Header (AIS Data Profile)."},
    {.name = "require-intent",
     .kind = ACCORD_BOOL,
     .offset = OPTION(stix.intent),
     .fallback = "yes",
     .help = "Ask for a Package_Intent in the header (AIS Data Profile)."},
    {.name = "package-intents",
     .kind = ACCORD_LIST,
     .offset = OPTION(stix.intents),
     .fallback = "Collective Threat Intelligence, Threat Report, Indicators, Indicators - Phishing, "
                 "Indicators - Watchlist, Indicators - Malware Artifacts, Indicators - Network Activity, "
                 "Indicators - Endpoint Characteristics, Campaign Characterization, "
                 "Threat Actor Characterization, Exploit Characterization, Attack Pattern Characterization, "
                 "Malware Characterization, TTP - Infrastructure, TTP - Tools, Courses of Action, Incident, "
                 "Observations, Observations - Email, Malware Samples",
     .help =
         "What a Package_Intent may say; the default is PackageIntentVocab-1.0; empty: anything (AIS Data "
         "Profile)."},
    {.name = "require-identity",
     .kind = ACCORD_BOOL,
     .offset = OPTION(stix.identity),
     .fallback = "no",
     .help = "Ask who submits, in the Information_Source of the marking or of the header: organisation, "
             "country, administrative area and sector (AIS marking schema)."},
    {.name = "personal-data",
     .kind = ACCORD_CHOICE,
     .offset = OPTION(stix.personal),
     .fallback = "deny",
     .choices = personal,
     .help = "Screen the free text of a STIX 1 package for e-mail addresses, telephone numbers, US social "
             "security numbers and payment cards; what is denied waits in quarantine, where an operator may "
             "release it (AIS-2, AIS-3.3)."},
    {.name = "schemas",
     .kind = ACCORD_PATH,
     .flags = ACCORD_FOLDER_READ,
     .offset = OPTION(stix.schemas),
     .help =
         "Folder with the XML schemas that STIX 1 packages are held against; nothing is ever fetched from "
         "a network; not set: they are not (AIS-3.4a)."},
    {.name = "schema-driver",
     .kind = ACCORD_TEXT,
     .offset = OPTION(stix.schema_driver),
     .fallback = "driver.xsd",
     .max = 255,
     .help = "The file in `schemas` that imports all others (AIS-3.4a)."},
    {0},
};
