/* serve: a site's pages over HTTP.
 *
 * - reader (the main thread): once a second asks for a mark; where it changed reads the site,
 *   makes all pages.
 * - shelf: the pages of one generation. Whole responses, made once, handed to all.
 * - server (libmicrohttpd's threads): answers GET and HEAD from the shelf; holds the streams of
 *   events.
 *
 * What a hundred open pages cost is a hundred copies of finished bytes; the probe, its Redis and
 * its files see one reader.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <weir/error.h>

#include "page/page.h"
#include "view/view.h"

enum { WEIR_SERVE_CONNECTIONS = 512, WEIR_SERVE_STREAMS = 256 };

/* ---- the shelf ---- */

struct weir_shelf; /* opaque: all pages of one generation, reference counted */
int weir_shelf_new(struct weir_shelf **ret_shelf, const struct weir_page_site *site,
                   const struct weir_page *page, const struct weir_view *view,
                   unsigned long generation);
struct weir_shelf *weir_shelf_ref(struct weir_shelf *shelf);
void weir_shelf_unref(struct weir_shelf *shelf);
unsigned long weir_shelf_generation(const struct weir_shelf *shelf);

/* ---- the server ---- */

struct weir_server; /* opaque */
struct weir_server_options {
    int fd;            /* listens; the server's from now on */
    const char *token; /* who has it may read; NULL: anybody */
    bool local;        /* only who asks for this machine by its own name */
};
int weir_server_start(struct weir_server **ret_server, const struct weir_server_options *options,
                      struct weir_fault *fault);
/* From now on these pages are handed out, and open pages are told. Takes over the caller's
 * reference. */
void weir_server_show(struct weir_server *server, struct weir_shelf *shelf);
/* Wakes streams that have been still for long, so that a peer that went away is noticed. Once a
 * second. */
void weir_server_tick(struct weir_server *server, int64_t now_us);
void weir_server_stop(struct weir_server *server);
/* A listening socket at "127.0.0.1:8470", "[::1]:8470" or ":8470"; *ret_loopback: whether only this
 * machine reaches it. fd or < 0. */
int weir_serve_listen(const char *where, bool *ret_loopback, struct weir_fault *fault);
