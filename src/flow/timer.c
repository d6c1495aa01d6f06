/* One timer a flow, on a wheel of one-second slots.
 *
 * A timer is armed early and asks late: what postpones a deadline (a packet of an idle flow) touches nothing, and when
 * the timer fires flow_timer() looks whether anything is due and arms it again. Only a nearer deadline moves it.
 * The flows that fire at a tick are put in the order of their first stamp and key, so that what a tick reports does
 * not depend on where in the table they lie, nor on how many workers there are.
 */
#include <stdlib.h>

#include "flow/flow.h"
#include "flow/table.h"

struct fired {
    int64_t first_ts_us;
    const struct weir_flow *flow;
};

size_t timer_fired_bytes(size_t n_flows)
{
    return n_flows * sizeof(struct fired);
}

static uint32_t handle_of(const struct weir_flow *flow)
{
    return (uint32_t)(((const uint8_t *)flow - flow->table->flows.base) / sizeof *flow);
}

static struct weir_flow *flow_at(struct weir_flow_table *table, uint32_t handle)
{
    return slab_at(&table->flows, handle);
}

static void put(struct weir_flow *flow, int64_t due_sec)
{
    struct weir_flow_table *table = flow->table;
    if (due_sec <= table->wheel_sec)
        due_sec = table->wheel_sec + 1;
    if (due_sec >= table->wheel_sec + TABLE_WHEEL_SLOTS)
        due_sec = table->wheel_sec + TABLE_WHEEL_SLOTS - 1;
    uint32_t *head = &table->wheel[(uint64_t)due_sec % TABLE_WHEEL_SLOTS];
    flow->timer_due = (uint32_t)due_sec;
    flow->timer_prev = 0;
    flow->timer_next = *head;
    if (*head)
        flow_at(table, *head)->timer_prev = handle_of(flow);
    *head = handle_of(flow);
}

void timer_stop(struct weir_flow *flow)
{
    struct weir_flow_table *table = flow->table;
    if (flow->timer_prev)
        flow_at(table, flow->timer_prev)->timer_next = flow->timer_next;
    else if (table->wheel[flow->timer_due % TABLE_WHEEL_SLOTS] == handle_of(flow))
        table->wheel[flow->timer_due % TABLE_WHEEL_SLOTS] = flow->timer_next;
    if (flow->timer_next)
        flow_at(table, flow->timer_next)->timer_prev = flow->timer_prev;
    flow->timer_prev = flow->timer_next = 0;
}

static int64_t second_after(int64_t due_us)
{
    return due_us / WEIR_TICK_US + (due_us % WEIR_TICK_US > 0);
}

void timer_start(struct weir_flow *flow, int64_t now_us, int64_t due_us)
{
    struct weir_flow_table *table = flow->table;
    if (!table->wheel_started) {
        table->wheel_sec = now_us / WEIR_TICK_US;
        table->wheel_started = true;
    }
    put(flow, second_after(due_us));
}

void timer_by(struct weir_flow *flow, int64_t due_us)
{
    int64_t due_sec = second_after(due_us);
    if (due_sec <= flow->table->wheel_sec)
        due_sec = flow->table->wheel_sec + 1;
    if ((int32_t)((uint32_t)due_sec - flow->timer_due) >= 0)
        return;
    timer_stop(flow);
    put(flow, due_sec);
}

int flow_compare(const struct weir_flow *a, const struct weir_flow *b)
{
    if (a->first_ts_us != b->first_ts_us)
        return a->first_ts_us < b->first_ts_us ? -1 : 1;
    int order = memcmp(a->addr, b->addr, sizeof a->addr);
    if (!order)
        order = memcmp(a->port, b->port, sizeof a->port);
    if (!order)
        order = (int)a->transport - (int)b->transport;
    return order ? order : a->domain < b->domain ? -1 : a->domain > b->domain;
}

static int fired_compare(const void *a, const void *b)
{
    const struct fired *one = a, *two = b;
    if (one->first_ts_us != two->first_ts_us)
        return one->first_ts_us < two->first_ts_us ? -1 : 1;
    return flow_compare(one->flow, two->flow);
}

static size_t take_slot(struct weir_flow_table *table, int64_t sec, size_t n)
{
    uint32_t handle = table->wheel[(uint64_t)sec % TABLE_WHEEL_SLOTS];
    table->wheel[(uint64_t)sec % TABLE_WHEEL_SLOTS] = 0;
    while (handle) {
        struct weir_flow *flow = flow_at(table, handle);
        handle = flow->timer_next;
        flow->timer_prev = flow->timer_next = 0;
        table->fired[n++] = (struct fired){flow->first_ts_us, flow};
    }
    return n;
}

void weir_flow_tick(struct weir_flow_table *table, int64_t now_us)
{
    int64_t sec = now_us / WEIR_TICK_US;
    if (!table->wheel_started) {
        table->wheel_sec = sec - 1;
        table->wheel_started = true;
    }
    if (sec <= table->wheel_sec)
        return;
    dns_tick(table, now_us, false);
    size_t n = 0;
    for (int64_t at = table->wheel_sec + 1; at <= sec && at <= table->wheel_sec + TABLE_WHEEL_SLOTS; at++)
        n = take_slot(table, at, n);
    table->wheel_sec = sec;
    qsort(table->fired, n, sizeof *table->fired, fired_compare);
    for (size_t i = 0; i < n; i++)
        flow_timer((struct weir_flow *)table->fired[i].flow, now_us);
}

void weir_flow_drain(struct weir_flow_table *table, int64_t now_us)
{
    dns_tick(table, now_us, true);
    size_t n = 0;
    for (int64_t at = 0; at < TABLE_WHEEL_SLOTS; at++)
        n = take_slot(table, at, n);
    qsort(table->fired, n, sizeof *table->fired, fired_compare);
    for (size_t i = 0; i < n; i++) {
        struct weir_flow *flow = (struct weir_flow *)table->fired[i].flow;
        flow_last_words(flow, now_us, now_us);
        flow_end(flow, flow_end_reason(flow, WEIR_END_OPEN), now_us, now_us);
    }
}
