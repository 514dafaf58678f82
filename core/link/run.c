#include "link/link.h"

#include "host/start.h"
#include "link/host.h"
#include "link/role.h"

static struct link_role the_role;
struct link_role *link_role;

static void on_message(struct process *p, const struct wire_message *m, int fd)
{
    bool configuring = m->type == WIRE_LINK || m->type == WIRE_SERVICE || m->type == WIRE_CURSOR;
    if (configuring)
        process_expect_configuring(p, m);
    else if (p->phase == PROCESS_CONFIGURING)
        process_refuse(p, m, "it may not come before START");
    switch (m->type) {
    case WIRE_LINK:
        link_configure(m);
        break;
    case WIRE_SERVICE:
        link_configure_service(m);
        break;
    case WIRE_CURSOR:
        link_configure_cursor(m);
        break;
    case WIRE_DIALED:
        session_dialed(m, fd);
        break;
    case WIRE_FACTS_VERDICT:
        session_verdict(m);
        break;
    case WIRE_SECRET_GIVEN:
        session_secret_given(m);
        break;
    case WIRE_DELIVER:
        delivery_begin(m);
        break;
    case WIRE_PIECE:
        delivery_piece(m);
        break;
    case WIRE_CANCEL:
        delivery_cancel(m);
        break;
    case WIRE_OFFER_PULL:
        offer_pulled(m);
        break;
    case WIRE_OFFER_DONE:
        offer_done(m);
        break;
    case WIRE_PROBE:
        probe_begin(m);
        break;
    case WIRE_ADVANCED:
        offer_advanced(m);
        break;
    default:
        process_refuse(p, m, "a link has no use for it");
    }
}

static void on_open(struct process *p)
{
    role_wake_init(&p->loop);
    link_open_all();
}

static void on_start(struct process *p)
{
    (void)p;
    for (size_t i = 0; i < link_role->link_count; i++) {
        struct link *link = link_role->links[i];
        instance_enter(&link->base);
        link->started = true;
        if (link->connector.start)
            link->connector.start(link->state);
    }
    offer_room();
}

static void stop_all(void)
{
    for (size_t i = 0; i < link_role->link_count; i++) {
        struct link *link = link_role->links[i];
        if (!link->started)
            continue;
        link->started = false;
        instance_enter(&link->base);
        if (link->connector.stop)
            link->connector.stop(link->state);
    }
}

static void on_drain(struct process *p)
{
    (void)p;
    stop_all();
}

static void on_room(struct process *p)
{
    (void)p;
    offer_room();
}

static void on_close(struct process *p)
{
    (void)p;
    stop_all();
    link_close_all();
    delivery_sweep();
    offer_sweep();
    probe_sweep();
    session_sweep();
    role_wake_end();
}

static void on_fini(struct process *p)
{
    (void)p;
    link_free_all();
    table_fini(&link_role->deliveries);
    table_fini(&link_role->sessions);
    table_fini(&link_role->offers);
    table_fini(&link_role->advances);
    buf_fini(&link_role->asked);
    buf_fini(&link_role->early);
}

static const struct process_role role = {
    .message = on_message,
    .open = on_open,
    .start = on_start,
    .drain = on_drain,
    .room = on_room,
    .close = on_close,
    .fini = on_fini,
};

static void begin(void)
{
    the_role = (struct link_role){0};
    link_role = &the_role;
    link_host_services(&link_role->host);
}

int link_main(const char *name, pid_t parent)
{
    begin();
    return start_role("link", name, SANDBOX_LINK, parent, &link_role->process, &role);
}

int link_run(const struct process_setup *setup)
{
    begin();
    return process_run(&link_role->process, &role, setup);
}
