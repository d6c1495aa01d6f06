/* One event of an incident, as it was published, and what it looks like to others. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "notify/target.h"

struct weir_event_record {
    char position[48]; /* in the stream or the table: later ones are greater (weir_position_compare)
                        */
    char id[48], event[12], service[64], state[16], cause[24], site[160];
    int64_t ts_us, onset_us;
    bool maintenance, raised_like; /* raised or reopened */
    uint8_t severity;              /* enum weir_state */
    char place[64]; /* what it may share with others: the system or the first prefix that fails; ""
                     */
    char *text;     /* json's */
    struct json_object *json; /* the record */
};

/* -EBADMSG: no incident's record. */
int weir_event_read(struct weir_event_record *ret_event, const char *position, const char *json);
void weir_event_deinit(struct weir_event_record *event);
/* < 0, 0, > 0. Ids of streams ("ms-seq") and numbers. */
int weir_position_compare(const char *a, const char *b);

/* The request's body, the caller's to free, and its headers (WEIR_HEADERS_MAX at the most, the
 * content type first). `told_service`: as it was told first, which an Alertmanager must find
 * again. */
enum { WEIR_HEADERS_MAX = 6, WEIR_HEADER_BYTES = 300 };
struct weir_headers {
    int n;
    char text[WEIR_HEADERS_MAX][WEIR_HEADER_BYTES];
};
char *weir_event_body(const struct weir_event_record *event, const struct weir_target *target,
                      const char *told_service, struct weir_headers *ret_headers);
/* The URL that it goes to; `url` holds 500 bytes. */
const char *weir_event_url(const struct weir_target *target, char *url);
