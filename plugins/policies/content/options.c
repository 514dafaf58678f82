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

const struct accord_option validator_option_table[] = {
    {.name = "unvalidated",
     .kind = ACCORD_CHOICE,
     .offset = OPTION(unvalidated),
     .fallback = "deny",
     .choices = unvalidated,
     .help = "What becomes of messages whose type has no validator yet; deny keeps anything from passing "
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
     .help = "Let interchanges pass that are marked as a test (UNB 0035)."},
    {.name = "allow-bom",
     .kind = ACCORD_BOOL,
     .offset = OPTION(allow_bom),
     .fallback = "no",
     .help = "Let EDIFACT files pass that begin with a UTF-8 byte order mark; it is sent on as it came."},
    {.name = "max-segments",
     .kind = ACCORD_INTEGER,
     .offset = OPTION(max_segments),
     .fallback = "500000",
     .min = 10,
     .max = 10000000,
     .help = "EDIFACT segments in one file; a plan of 24 000 containers has about 240 000."},
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
