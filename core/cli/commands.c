/* The table of commands, and the usage that is made from it. */
#include "cli/cli.h"

const struct cli_command cli_commands[] = {
    {"check", "", 0, 0, false, false, "problems", cli_check,
     "read conf.d as the agent would, and list every mistake in it"},
    {"init", "[FOLDER] [--yes]", 0, 2, false, false, NULL, cli_init,
     "write a conf.d to begin with, by asking"},
    {"plugins", "", 0, 0, false, false, "plugins", cli_plugin_list,
     "the plugins, their hashes, and who uses them"},
    {"plugin new", "NAME [--kind connector|policy] [--to FOLDER]", 1, 5, false, false, "plugin",
     cli_plugin_new, "write a plugin to begin with, which builds and passes its tests, into a new folder"},
    {"enable", "NAME", 1, 1, false, false, "switch", cli_switch,
     "set enabled = yes in an agreement's file, and see it up"},
    {"disable", "NAME", 1, 1, false, false, "switch", cli_switch,
     "set enabled = no in an agreement's file, and see it down"},
    {"validate", "TYPE FILE [--agreement NAME]", 2, 4, false, false, "verdict", cli_validate,
     "the content policy's verdict on one file, in the sandbox, without the agent"},
    {"status", "", 0, 0, true, false, "agent", cli_ask, "the agent, its agreements, links, walls and queues"},
    {"agreements", "", 0, 0, true, false, "agreements", cli_ask, "the agreements, their dates and state"},
    {"reload", "", 0, 0, true, false, "problems", cli_ask, "read conf.d again and apply what is sound"},
    {"suspend", "NAME [--reason TEXT]", 1, 3, true, false, NULL, cli_decide,
     "cut an agreement off, at once and until it is resumed"},
    {"resume", "NAME[/LINK] [--reason TEXT]", 1, 3, true, false, NULL, cli_decide,
     "let a suspended agreement go on, and its parked links be tried again"},
    {"submit", "AGREEMENT/SERVICE FILE", 2, 2, true, false, "submitted", cli_submit,
     "offer a file to a receiving service, as its connector would"},
    {"messages", "[--agreement NAME] [--type TYPE] [--state STATE] [--limit N] [--before ID]", 0, 10, true,
     false, "messages", cli_messages, "messages, newest first"},
    {"show", "ID", 1, 1, true, false, "message", cli_ask, "one message and its deliveries"},
    {"explain", "ID", 1, 1, true, false, "explanation", cli_ask,
     "why a message went where it went: rules and reasons"},
    {"probe", "NAME[/ENDPOINT]", 1, 1, true, false, "steps", cli_probe,
     "try an agreement's endpoints step by step, so far name and TCP, and say where it fails"},
    {"metrics", "", 0, 0, true, false, "metrics", cli_metrics, "numbers for Prometheus, in its text format"},
    {"backup", "FOLDER", 1, 1, true, false, "backup", cli_backup,
     "copy the store and the audit trail while the agent runs; the secret keys are not copied"},
    {"key rotate", "[--agreement NAME]", 0, 2, true, false, NULL, cli_key_rotate,
     "replace the key in the store's key file, or the key of one agreement"},
    {"retry --all-dead", "AGREEMENT[/SERVICE] [--reason TEXT]", 1, 3, true, false, "decisions", cli_retry_all,
     "try everything again that is dead under an agreement"},
    {"retry", "ID... [--service AGREEMENT/SERVICE] [--reason TEXT]", 1, 10000, true, false, "decisions",
     cli_each_message,
     "try dead deliveries of messages, and those held for a person, again; all of them, or one service's"},
    {"discard", "ID... --reason TEXT [--service AGREEMENT/SERVICE]", 1, 10000, true, false, "decisions",
     cli_each_message,
     "give up deliveries of messages that have not been delivered; all of them, or one service's"},
    {"quarantine list", "[--agreement NAME] [--type TYPE] [--limit N]", 0, 6, true, false, "messages",
     cli_quarantined, "messages that were set aside, with rule and reason"},
    {"quarantine release", "ID... --reason TEXT", 1, 10000, true, false, "decisions", cli_each_message,
     "let quarantined messages go on, whatever their content policies said"},
    {"quarantine discard", "ID... --reason TEXT", 1, 10000, true, false, "decisions", cli_each_message,
     "give up quarantined messages"},
    {"audit verify", "[FOLDER]", 0, 1, false, false, "problems", cli_audit_verify,
     "check the audit trail's hash chains, line by line"},
    {"audit export", "FOLDER [--agreement NAME]", 1, 3, false, false, "export", cli_audit_export,
     "copy the audit trail, of one agreement or of all, into a new folder for an auditor"},
    {"version", "", 0, 0, false, false, "version", cli_version,
     "versions of this command and of the running agent"},
    {"help", "", 0, 0, false, false, NULL, cli_help, "this text"},
    {"reference", "FOLDER", 1, 1, false, true, NULL, cli_reference,
     "write the reference pages from the tables"},
    {"complete", "WORD...", 1, 1000, false, true, NULL, cli_complete,
     "what may stand in place of the last word"},
    {.name = NULL},
};

static void put_command(struct buf *to, const struct cli_command *command)
{
    struct buf left = {0};
    buf_format(&left, "%s%s%s", command->name, *command->arguments ? " " : "", command->arguments);
    const char *text = buf_string(&left);
    bool wide = left.size > 32;
    buf_format(to, "  %-32s%s%s\n", text ? text : command->name,
               wide ? "\n                                    " : "  ", command->help);
    buf_fini(&left);
}

void cli_usage(struct buf *to)
{
    buf_text(to, "usage: accord [--conf DIR] [--state DIR] [--json] COMMAND\n\n"
                 "  --conf DIR   conf.d; otherwise $ACCORD_CONF, otherwise " CLI_CONF_FOLDER "\n"
                 "  --state DIR  the agent's state folder; otherwise what agent.conf says\n"
                 "  --json       the answer as JSON\n");
    for (int agent = 1; agent >= 0; agent--) {
        buf_text(to, agent ? "\nThrough the running agent:\n" : "\nWithout it:\n");
        for (const struct cli_command *command = cli_commands; command->name; command++)
            if (command->needs_agent == agent && !command->hidden)
                put_command(to, command);
    }
    buf_text(to, "\nEnds with:\n");
#define X(ID, code, help) buf_text(to, "  " #code "  " help "\n");
    EXIT_TABLE(X)
#undef X
}
