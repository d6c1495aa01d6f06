/* Which sizes of requests a service answers with data: learned from all its flows, told to them as
 * pages. See asks.c. */
#pragma once

#include <weir/ask.h>
#include <weir/measure.h>

/* Answers to requests of one size. */
struct weir_asked {
    uint16_t data, little, held;
    uint16_t longest_ds; /* of those held: tenths of a second */
};

struct weir_asks {
    struct weir_asked (*services)[2][WEIR_ASK_SIZES]; /* by service id and transport */
    struct weir_ask_page *pages;                      /* WEIR_SERVICES_MAX of them */
    size_t n_services;
    bool news[WEIR_SERVICES_MAX];           /* since the service's page was written */
    int64_t timeouts_us[WEIR_SERVICES_MAX]; /* with which it was */
};

int weir_asks_init(struct weir_asks *asks, size_t n_services); /* 0 or -ENOMEM */
void weir_asks_deinit(struct weir_asks *asks);
/* A chunk of a media flow, not cut. */
void weir_asks_chunk(struct weir_asks *asks, const struct weir_evidence *evidence);
/* Whether such a request would be known by now, ahead of the next page. */
bool weir_asks_knows(const struct weir_asks *asks, const struct weir_evidence *chunk);
/* Writes the pages anew of services of which something was learned, or whose own `timeouts_us`
 * changed. */
void weir_asks_publish(struct weir_asks *asks, const int64_t *timeouts_us);
