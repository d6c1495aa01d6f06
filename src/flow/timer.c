/* One timer a flow, on a wheel of one-second slots.
 *
 * A timer is armed early and asks late: what postpones a deadline (a packet of an idle flow)
 * touches nothing, and when the timer fires flow_timer() looks whether anything is due and arms it
 * again. Only a nearer deadline moves it.
 *
 * The lists of the slots are linked outside the flows, densely, so that a tick knows which flows
 * come next long before it gets to them, and asks for their memory in time: a busy gateway fires
 * tens of thousands of timers a second, each of a flow that no cache holds any more (tests/bench,
 * mix: ticks were 23 % of the time, and are 4.5 % with this and with asking only media flows every
 * second; the two were not measured apart).
 */
#include "flow/flow.h"
#include "flow/table.h"

enum { AHEAD = 12 }; /* timers to be asked for in advance */

struct link {
    uint32_t prev, next;
};

size_t timer_link_bytes(size_t n_flows) { return n_flows * sizeof(struct link); }

static struct weir_flow *flow_at(struct weir_flow_table *table, uint32_t handle) {
    return slab_at(&table->flows, handle);
}

static void put(struct weir_flow *flow, int64_t due_sec) {
    struct weir_flow_table *table = flow->table;
    if (due_sec <= table->wheel_sec) due_sec = table->wheel_sec + 1;
    if (due_sec >= table->wheel_sec + TABLE_WHEEL_SLOTS)
        due_sec = table->wheel_sec + TABLE_WHEEL_SLOTS - 1;
    uint32_t *head = &table->wheel[(uint64_t)due_sec % TABLE_WHEEL_SLOTS], handle = handle_of(flow);
    flow->timer_due = (uint32_t)due_sec;
    table->links[handle] = (struct link){.prev = 0, .next = *head};
    if (*head) table->links[*head].prev = handle;
    *head = handle;
}

void timer_stop(struct weir_flow *flow) {
    struct weir_flow_table *table = flow->table;
    uint32_t *head = &table->wheel[flow->timer_due % TABLE_WHEEL_SLOTS], handle = handle_of(flow);
    struct link *link = &table->links[handle];
    if (link->prev)
        table->links[link->prev].next = link->next;
    else if (*head == handle)
        *head = link->next;
    if (link->next) table->links[link->next].prev = link->prev;
    *link = (struct link){0};
}

static int64_t second_after(int64_t due_us) {
    return due_us / WEIR_TICK_US + (due_us % WEIR_TICK_US > 0);
}

void timer_start(struct weir_flow *flow, int64_t now_us, int64_t due_us) {
    struct weir_flow_table *table = flow->table;
    if (!table->wheel_started) {
        table->wheel_sec = now_us / WEIR_TICK_US;
        table->wheel_started = true;
    }
    put(flow, second_after(due_us));
}

void timer_by(struct weir_flow *flow, int64_t due_us) {
    int64_t due_sec = second_after(due_us);
    if (due_sec <= flow->table->wheel_sec) due_sec = flow->table->wheel_sec + 1;
    if ((int32_t)((uint32_t)due_sec - flow->timer_due) >= 0) return;
    timer_stop(flow);
    put(flow, due_sec);
}

/* Takes all out of a slot, then calls `fire` for each, which may arm or end its own flow and no
 * other. */
static void fire_slot(struct weir_flow_table *table, int64_t sec, int64_t now_us,
                      void (*fire)(struct weir_flow *flow, int64_t now_us)) {
    uint32_t *head = &table->wheel[(uint64_t)sec % TABLE_WHEEL_SLOTS];
    uint32_t handle = *head, ahead = handle;
    *head = 0;
    for (unsigned i = 0; ahead && i < AHEAD; i++) {
        flow_prefetch(flow_at(table, ahead));
        ahead = table->links[ahead].next;
    }
    while (handle) {
        struct weir_flow *flow = flow_at(table, handle);
        handle = table->links[handle].next;
        table->links[handle_of(flow)] = (struct link){0};
        if (handle) table->links[handle].prev = 0;
        if (ahead) {
            flow_prefetch(flow_at(table, ahead));
            ahead = table->links[ahead].next;
        }
        fire(flow, now_us);
    }
}

void weir_flow_tick(struct weir_flow_table *table, int64_t now_us) {
    int64_t sec = now_us / WEIR_TICK_US;
    if (!table->wheel_started) {
        table->wheel_sec = sec - 1;
        table->wheel_started = true;
    }
    if (sec <= table->wheel_sec) return;
    dns_tick(table, now_us, false);
    int64_t first = table->wheel_sec + 1;
    if (sec - first >= TABLE_WHEEL_SLOTS) first = sec - TABLE_WHEEL_SLOTS + 1;
    table->wheel_sec = sec;
    for (int64_t at = first; at <= sec; at++) fire_slot(table, at, now_us, flow_timer);
}

static void last_end(struct weir_flow *flow, int64_t now_us) {
    flow_last_words(flow, now_us, now_us);
    flow_end(flow, flow_end_reason(flow, WEIR_END_OPEN), now_us, now_us);
}

void weir_flow_drain_part(struct weir_flow_table *table, int64_t now_us, int part) {
    if (part == 0) dns_tick(table, now_us, true);
    table->emptying = true;
    for (int64_t at = part; at < TABLE_WHEEL_SLOTS; at += WEIR_DRAIN_PARTS)
        fire_slot(table, at, now_us, last_end);
    if (part == WEIR_DRAIN_PARTS - 1) table_emptied(table);
}

void weir_flow_drain(struct weir_flow_table *table, int64_t now_us) {
    for (int part = 0; part < WEIR_DRAIN_PARTS; part++) weir_flow_drain_part(table, now_us, part);
}
