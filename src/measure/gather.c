/* Evidence of all workers in one order. The engine's clock comes first, since slots hang on it; the
 * rest of the key tells apart whatever two flows or two events of one flow can be told apart by, so
 * that equal keys are equal evidence. Times come before addresses: what is told at one moment, as
 * time-outs are, goes by when it began, and no verdict hangs on how clients are numbered. Pieces
 * stay where the workers wrote them: only pointers are sorted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weir/measure.h>

struct weir_gather {
    size_t capacity;
    struct weir_evidence **evidence;
};

#define ORDER(x, y)                                \
    do {                                           \
        if ((x) != (y)) return (x) < (y) ? -1 : 1; \
    } while (0)

static int detail_compare(const struct weir_evidence *a, const struct weir_evidence *b) {
    switch (a->kind) {
    case WEIR_EVIDENCE_CHUNK:
    case WEIR_EVIDENCE_REPLY:
        ORDER(a->chunk.request_us, b->chunk.request_us);
        ORDER(a->chunk.bytes, b->chunk.bytes);
        break;
    case WEIR_EVIDENCE_PROGRESS:
        ORDER(a->progress.bytes, b->progress.bytes);
        ORDER(a->progress.open_us, b->progress.open_us);
        break;
    case WEIR_EVIDENCE_PAUSE: ORDER(a->pause.us, b->pause.us); break;
    case WEIR_EVIDENCE_DNS:
        ORDER(a->dns.qtype, b->dns.qtype);
        ORDER(a->dns.latency_us, b->dns.latency_us);
        break;
    default: break;
    }
    return 0;
}

int weir_evidence_compare(const struct weir_evidence *a, const struct weir_evidence *b) {
    ORDER(a->now_us, b->now_us);
    ORDER(a->ts_us, b->ts_us);
    ORDER(a->first_us, b->first_us);
    ORDER(a->flow_first_us, b->flow_first_us);
    int order = weir_addr_compare(&a->client, &b->client);
    if (order) return order;
    ORDER(a->client_port, b->client_port);
    order = weir_addr_compare(&a->server, &b->server);
    if (order) return order;
    ORDER(a->server_port, b->server_port);
    ORDER(a->transport, b->transport);
    ORDER(a->kind, b->kind);
    ORDER(a->layer, b->layer);
    ORDER(a->outcome, b->outcome);
    ORDER(a->host_hash, b->host_hash);
    return detail_compare(a, b);
}

int weir_flow_record_compare(const struct weir_flow_record *a, const struct weir_flow_record *b) {
    ORDER(a->last_ts_us, b->last_ts_us);
    for (int side = 0; side < 2; side++) {
        int order = weir_addr_compare(&a->addr[side], &b->addr[side]);
        if (order) return order;
        ORDER(a->port[side], b->port[side]);
    }
    ORDER(a->transport, b->transport);
    ORDER(a->first_ts_us, b->first_ts_us);
    ORDER(a->packets[0] + a->packets[1], b->packets[0] + b->packets[1]);
    return 0;
}

static int compare_untyped(const void *a, const void *b) {
    return weir_evidence_compare(*(const struct weir_evidence *const *)a,
                                 *(const struct weir_evidence *const *)b);
}

static int gather_reserve(struct weir_gather **gather, size_t n) {
    if (!*gather && !(*gather = calloc(1, sizeof **gather))) return -ENOMEM;
    if (n <= (*gather)->capacity) return 0;
    size_t capacity = (*gather)->capacity ? (*gather)->capacity : 256;
    while (capacity < n) capacity *= 2;
    struct weir_evidence **grown = realloc((*gather)->evidence, capacity * sizeof *grown);
    if (!grown) return -ENOMEM;
    (*gather)->evidence = grown;
    (*gather)->capacity = capacity;
    return 0;
}

int weir_evidence_gather(struct weir_gather **gather, const struct weir_block *blocks,
                         size_t n_blocks, struct weir_evidence ***ret_evidence, size_t *ret_n) {
    size_t n = 0;
    for (size_t i = 0; i < n_blocks; i++) n += blocks[i].n_evidence;
    int error = gather_reserve(gather, n);
    if (error < 0) return error;
    size_t at = 0;
    for (size_t i = 0; i < n_blocks; i++)
        for (size_t k = 0; k < blocks[i].n_evidence; k++)
            (*gather)->evidence[at++] = &blocks[i].evidence[k];
    if (n > 1) qsort((*gather)->evidence, n, sizeof *(*gather)->evidence, compare_untyped);
    *ret_evidence = (*gather)->evidence;
    *ret_n = n;
    return 0;
}

void weir_gather_free(struct weir_gather *gather) {
    if (gather) free(gather->evidence);
    free(gather);
}
