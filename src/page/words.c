/* Times, figures and states as a page shows them. Clocks are local, with their zone; UTC stands
 * beside them. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "page/page.h"
#include "view/view.h"

const char *weir_page_clock(char text[64], int64_t us, bool with_date, bool with_zone) {
    static const char *const formats[] = {"%H:%M:%S", "%H:%M:%S %Z", "%Y-%m-%d %H:%M:%S",
                                          "%Y-%m-%d %H:%M:%S %Z"};
    time_t seconds = (time_t)(us / 1000000);
    struct tm local;
    localtime_r(&seconds, &local);
    strftime(text, 64, formats[2 * with_date + with_zone], &local);
    return text;
}

const char *weir_page_utc(char text[64], int64_t us) {
    time_t seconds = (time_t)(us / 1000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(text, 64, "%Y-%m-%d %H:%M:%S UTC", &utc);
    return text;
}

const char *weir_page_delay(char text[32], double us) {
    if (isnan(us))
        snprintf(text, 32, "-");
    else if (us >= 9.995e5)
        snprintf(text, 32, "%.1f s", us / 1e6);
    else
        snprintf(text, 32, us < 9950 ? "%.1f ms" : "%.0f ms", us / 1e3);
    return text;
}

const char *weir_page_share_text(char text[32], double share) {
    if (isnan(share))
        snprintf(text, 32, "-");
    else
        snprintf(text, 32,
                 share == 0 || share >= 0.0995 ? "%.0f %%"
                 : share < 0.00995             ? "%.2f %%"
                                               : "%.1f %%",
                 share * 100);
    return text;
}

const char *weir_page_rate(char text[32], double bps) {
    return weir_view_amount(text, bps, "bit/s");
}

const char *weir_page_sure(char text[32], double probability) {
    snprintf(text, 32, probability >= 0.995 ? "over 99 %%" : "%.0f %%", probability * 100);
    return text;
}

enum weir_state weir_page_state(const char *name) {
    for (int state = WEIR_STATE_UNKNOWN; state <= WEIR_STATE_RECOVERING; state++)
        if (strcmp(weir_state_name((enum weir_state)state), name) == 0)
            return (enum weir_state)state;
    return WEIR_STATE_UNKNOWN;
}

int weir_page_badness(enum weir_state state) {
    static const int order[] = {
        [WEIR_STATE_UNKNOWN] = 0,    [WEIR_STATE_HEALTHY] = 1,  [WEIR_STATE_SUSPECT] = 2,
        [WEIR_STATE_RECOVERING] = 3, [WEIR_STATE_DEGRADED] = 4, [WEIR_STATE_PARTIAL] = 5,
        [WEIR_STATE_DOWN] = 6};
    return order[state];
}
