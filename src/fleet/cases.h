/* The incidents of all sites, as their events said them last: what `weir fleet` judges. A table in
 * memory; Redis keeps the same, so that another fleet can go on. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detect/fisher.h"

enum { WEIR_FLEET_CASES_MAX = 200000, WEIR_FLEET_SITE_MAX = 136 };

struct weir_fleet_case {
    char key[WEIR_FLEET_SITE_MAX + 48]; /* "<site> <id>" */
    char site[WEIR_FLEET_SITE_MAX], service[64], state[12], cause[24], layer[12];
    /* by the site's clock; where that is ahead of Redis', by Redis' */
    int64_t onset_us;
    int64_t arrived_us; /* its first event, by Redis' clock */
    int64_t last_us;    /* its last one */
    int64_t ended_us;   /* cleared: by Redis' clock; 0 while open */
    struct weir_tally trials;
    /* not kept in Redis */
    int64_t seen_us, asked_us; /* last word of the site's probe, and when that was asked */
    bool skewed;
};

/* Reads an event as it lies in an inbox: site, record, and when Redis got it. 0, or -EINVAL where
 * it is none. */
int weir_fleet_case_read(struct weir_fleet_case *ret_case, const char *site, const char *json,
                         int64_t arrived_us);
/* As text for Redis, and back; `text` holds WEIR_FLEET_CASE_TEXT bytes. */
enum { WEIR_FLEET_CASE_TEXT = 640 };
const char *weir_fleet_case_write(const struct weir_fleet_case *one, char *text);
int weir_fleet_case_parse(struct weir_fleet_case *ret_case, const char *key, const char *text);

/* True where the site blames the service (or its CDN, or its DNS) for connections that fail: only
 * then it has a vote. */
bool weir_fleet_case_counts(const struct weir_fleet_case *one);

struct weir_fleet_cases; /* opaque */
struct weir_fleet_cases *weir_fleet_cases_new(void);
void weir_fleet_cases_free(struct weir_fleet_cases *cases);
/* Puts it in, in place of the older one with its key, whose arrival it keeps. NULL: no room. */
struct weir_fleet_case *weir_fleet_cases_put(struct weir_fleet_cases *cases,
                                             const struct weir_fleet_case *one);
void weir_fleet_cases_remove(struct weir_fleet_cases *cases, const char *key);
const struct weir_fleet_case *weir_fleet_cases_find(const struct weir_fleet_cases *cases,
                                                    const char *key);
/* All of them, in no order; valid until the next put or remove. */
struct weir_fleet_case **weir_fleet_cases_all(struct weir_fleet_cases *cases, size_t *ret_n);
