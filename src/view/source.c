/* Opens a source of views and loads from it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/sink.h>

#include "view/source.h"

int weir_view_source_new(struct weir_view_source **ret_source, const struct weir_view_where *where,
                         struct weir_fault *fault) {
    struct weir_view_source *source = calloc(1, sizeof *source);
    int error = source ? 0 : -ENOMEM;
    if (!error && where->site) snprintf(source->site, sizeof source->site, "%s", where->site);
    if (!error && where->redis) {
        error = weir_redis_open(&source->redis, where->redis, where->password_file, fault);
        if (!error && !where->site) error = weir_view_choose_site(source, fault);
    } else if (!error && where->state)
        snprintf(source->path, sizeof source->path, "%s/" WEIR_STATUS_FILE, where->state);
    else if (!error)
        error = weir_fault_set(
            fault, -ENOENT,
            "nothing to read: name Redis by --redis URL, or by --state DIR the directory where weir live keeps " WEIR_STATUS_FILE);
    if (error) {
        weir_view_source_free(source);
        return error;
    }
    *ret_source = source;
    return 0;
}

void weir_view_source_free(struct weir_view_source *source) {
    if (source) weir_redis_free(source->redis);
    free(source);
}

struct weir_redis *weir_view_source_redis(struct weir_view_source *source) {
    return source->redis;
}

const char *weir_view_source_site(const struct weir_view_source *source) {
    return source->site[0] ? source->site : NULL;
}

int weir_view_acknowledge(struct weir_view_source *source, const char *id,
                          struct weir_fault *fault) {
    return source->redis ? weir_view_acknowledge_redis(source, id, fault)
                         : weir_view_acknowledge_file(source, id, fault);
}

int weir_view_mark(struct weir_view_source *source, char mark[WEIR_VIEW_MARK_MAX],
                   struct weir_fault *fault) {
    return source->redis ? weir_view_mark_redis(source, mark, fault)
                         : weir_view_mark_file(source, mark, fault);
}

static int by_name(const void *a, const void *b) {
    const struct weir_view_service *left = a, *right = b;
    return strcmp(left->name, right->name);
}

int weir_view_load(struct weir_view_source *source, int64_t now_us, unsigned n_points,
                   struct weir_view *view, struct weir_fault *fault) {
    weir_view_deinit(view);
    *view = (struct weir_view){.now_us = now_us};
    int error = source->redis ? weir_view_load_redis(source, n_points, view, fault)
                              : weir_view_load_file(source, view, fault);
    if (error) return error;
    qsort(view->services, view->n_services, sizeof view->services[0], by_name);
    if (view->replay) view->now_us = view->seen_us;
    return 0;
}

int weir_view_load_other(struct weir_view_source *source, const char *site, int64_t now_us,
                         struct weir_view *view, struct weir_fault *fault) {
    struct weir_view_source other = *source; /* its connection */
    snprintf(other.site, sizeof other.site, "%s", site);
    return weir_view_load(&other, now_us, 0, view, fault);
}

void weir_view_deinit(struct weir_view *view) {
    for (size_t i = 0; i < view->n_events; i++) {
        free(view->events[i].json);
        view->events[i].json = NULL;
    }
    view->n_events = 0;
}
