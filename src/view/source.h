/* The two places a view is read from, behind view.h's source. */
#pragma once

#include "publish/redis_client.h"
#include "view/view.h"

/* The file of acknowledged incidents: one id a line. */
enum { WEIR_ACKNOWLEDGED_BYTES_MAX = 1 << 20 };

struct weir_view_source {
    char site[WEIR_VIEW_NAME_MAX]; /* "" until known */
    char path[4200];               /* of status.json; "" for Redis */
    struct weir_redis *redis;
};

int weir_view_load_file(struct weir_view_source *source, struct weir_view *view,
                        struct weir_fault *fault);
int weir_view_load_redis(struct weir_view_source *source, unsigned n_points, struct weir_view *view,
                         struct weir_fault *fault);
int weir_view_acknowledge_file(struct weir_view_source *source, const char *id,
                               struct weir_fault *fault);
int weir_view_acknowledge_redis(struct weir_view_source *source, const char *id,
                                struct weir_fault *fault);
int weir_view_mark_file(struct weir_view_source *source, char mark[WEIR_VIEW_MARK_MAX],
                        struct weir_fault *fault);
int weir_view_mark_redis(struct weir_view_source *source, char mark[WEIR_VIEW_MARK_MAX],
                         struct weir_fault *fault);
/* Settles which site is meant where none was named; the fault lists the sites. */
int weir_view_choose_site(struct weir_view_source *source, struct weir_fault *fault);
/* The value of a field in an array of names and values, or NULL: fits weir_view_get. */
const char *weir_view_reply_get(const void *reply, const char *name);
