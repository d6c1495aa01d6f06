/* Who reads a site for all who look at it. */
#pragma once

#include "serve/serve.h"

struct weir_reader; /* opaque */
struct weir_reader_options {
    struct weir_view_where where;       /* its texts outlive the reader */
    const struct weir_service_set *set; /* titles; NULL: ids */
    bool hide_clients;
};
int weir_reader_new(struct weir_reader **ret_reader,
                    const struct weir_reader_options *options); /* < 0: no memory */
void weir_reader_free(struct weir_reader *reader);
/* Once a second: the pages, where they changed, the caller's; else NULL. */
struct weir_shelf *weir_reader_look(struct weir_reader *reader, int64_t now_us);
