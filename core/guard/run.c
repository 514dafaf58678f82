#include "guard/guard.h"

#include "guard/role.h"
#include "host/start.h"

static struct guard_role the_role;
struct guard_role *guard_role;

static void configure(struct process *p, const struct wire_message *m)
{
    process_expect_configuring(p, m);
    if (m->type == WIRE_LINK)
        module_configure_link(m);
    else if (m->type == WIRE_SERVICE)
        module_configure_service(m);
    else
        module_configure(m);
}

static void on_message(struct process *p, const struct wire_message *m, int fd)
{
    if (fd >= 0)
        process_refuse(p, m, "a policy process has no use for a descriptor");
    if (m->type == WIRE_LINK || m->type == WIRE_SERVICE || m->type == WIRE_MODULE) {
        configure(p, m);
        return;
    }
    if (p->phase == PROCESS_CONFIGURING)
        process_refuse(p, m, "it may not come before START");
    switch (m->type) {
    case WIRE_COMPILE:
        profile_compile(m);
        break;
    case WIRE_JUDGE:
        case_judge(m);
        break;
    case WIRE_PIECE:
        case_piece(m);
        break;
    case WIRE_CANCEL:
        case_cancel(m);
        break;
    default:
        process_refuse(p, m, "a policy process has no use for it");
    }
}

static void on_open(struct process *p)
{
    (void)p;
    module_open_all();
}

static void on_close(struct process *p)
{
    (void)p;
    case_drop_all();
    module_close_all();
    case_sweep();
}

static void on_fini(struct process *p)
{
    (void)p;
    module_free_all();
    table_fini(&guard_role->cases);
    table_fini(&guard_role->asked);
}

static const struct process_role role = {
    .message = on_message,
    .open = on_open,
    .close = on_close,
    .fini = on_fini,
};

static void begin(bool inspect)
{
    the_role = (struct guard_role){.inspect = inspect};
    guard_role = &the_role;
    instance_base_services(&guard_role->base);
    guard_role->host = (struct accord_policy_host){
        .size = sizeof guard_role->host, .base = &guard_role->base, .answer = case_answer, .pull = case_pull};
}

int guard_main(const char *name, pid_t parent, bool inspect)
{
    begin(inspect);
    return start_role(inspect ? "inspect" : "guard", name, inspect ? SANDBOX_INSPECT : SANDBOX_GUARD, parent,
                      &guard_role->process, &role);
}

int guard_run(const struct process_setup *setup, bool inspect)
{
    begin(inspect);
    return process_run(&guard_role->process, &role, setup);
}
