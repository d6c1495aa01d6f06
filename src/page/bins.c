/* Series of a capture of any length in so many bins.
 *
 * All services share one width, 10 s to begin with. A window that lies behind the last bin makes
 * every bin twice as wide: neighbours join, counts add up, what is averaged keeps its sum and its
 * number, and the worst state wins. A day so becomes 270 bins of 320 s.
 */
#include <math.h>
#include <string.h>

#include "page/page.h"

static const struct {
    const char *group, *name;
    bool adds_up;
} fields[WEIR_PAGE_SERIES_N] = {
    [WEIR_PAGE_OK] = {NULL, "trials_ok", true},
    [WEIR_PAGE_FAIL] = {"trials_fail", "total", true},
    [WEIR_PAGE_DNS_OK] = {"trials_by_layer", "dns_ok", true},
    [WEIR_PAGE_GOODPUT] = {"goodput", "p50_bps", false},
    [WEIR_PAGE_RTT_SERVER] = {"rtt_server", "p50_us", false},
    [WEIR_PAGE_RTT_CLIENT] = {"rtt_client", "p50_us", false},
    [WEIR_PAGE_LOSS_BEFORE] = {"loss", "down_before_share", false},
    [WEIR_PAGE_LOSS_BEYOND] = {"loss", "down_beyond_share", false},
};

bool weir_page_series_adds_up(enum weir_page_series series) { return fields[series].adds_up; }

void weir_page_series_field(enum weir_page_series series, const char **ret_group,
                            const char **ret_name) {
    *ret_group = fields[series].group;
    *ret_name = fields[series].name;
}

double weir_page_value(const struct weir_page_bin *bin, enum weir_page_series series) {
    if (bin->n[series] == 0) return NAN;
    return fields[series].adds_up ? (double)bin->sum[series]
                                  : (double)bin->sum[series] / bin->n[series];
}

static void join(struct weir_page_bin *into, const struct weir_page_bin *from) {
    into->seen |= from->seen;
    if (weir_page_badness(from->state) > weir_page_badness(into->state)) into->state = from->state;
    for (int s = 0; s < WEIR_PAGE_SERIES_N; s++) {
        into->sum[s] += from->sum[s];
        into->n[s] += from->n[s];
    }
}

static void widen(struct weir_page *page) {
    for (size_t i = 0; i < page->n_services; i++) {
        struct weir_page_track *track = page->services[i].track;
        for (size_t b = 0; track && b < WEIR_PAGE_BINS_MAX / 2; b++) {
            struct weir_page_bin joined = track->bins[2 * b];
            join(&joined, &track->bins[2 * b + 1]);
            track->bins[b] = joined;
        }
        if (track) memset(track->bins + WEIR_PAGE_BINS_MAX / 2, 0, sizeof track->bins / 2);
    }
    page->n_bins = (page->n_bins + 1) / 2;
    page->bin_us *= 2;
}

int weir_page_place(struct weir_page *page, int64_t start_us) {
    if (!page->bin_us) {
        page->bin_us = 10000000;
        page->first_us = start_us;
    }
    if (start_us < page->first_us) return -1;
    while ((start_us - page->first_us) / page->bin_us >= WEIR_PAGE_BINS_MAX) widen(page);
    int64_t place = (start_us - page->first_us) / page->bin_us;
    if ((size_t)place >= page->n_bins) page->n_bins = (size_t)place + 1;
    return (int)place;
}
