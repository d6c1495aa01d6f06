/* Times, spans and amounts for a person. Clocks are local, with their zone. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/local_time.h"
#include "view/view.h"

const char *weir_view_clock(char text[32], int64_t us, int64_t now_us) {
    char day[16] = "", today[16] = "";
    weir_local_time(day, sizeof day, us, "%Y-%m-%d");
    if (now_us) weir_local_time(today, sizeof today, now_us, "%Y-%m-%d");
    return weir_local_time(text, 32, us,
                           strcmp(day, today) == 0 ? "%H:%M:%S %Z" : "%Y-%m-%d %H:%M:%S %Z");
}

const char *weir_view_age(char text[32], int64_t us) {
    int64_t s = us > 0 ? us / 1000000 : 0;
    if (s < 60)
        snprintf(text, 32, "%" PRId64 " s", s);
    else if (s < 7200)
        snprintf(text, 32, "%" PRId64 " min", s / 60);
    else
        snprintf(text, 32, s < 172800 ? "%" PRId64 " h" : "%" PRId64 " days",
                 s < 172800 ? s / 3600 : s / 86400);
    return text;
}

const char *weir_view_failing(char text[96], const struct weir_view_service *service) {
    enum weir_outcome most = WEIR_OUTCOME_NONE;
    for (int kind = 0; kind < WEIR_OUTCOME_N; kind++)
        if (service->kinds[kind] > 0 &&
            (most == WEIR_OUTCOME_NONE || service->kinds[kind] > service->kinds[most]))
            most = (enum weir_outcome)kind;
    snprintf(text, 96, "%s", most == WEIR_OUTCOME_NONE ? "" : weir_outcome_help(most));
    return text;
}

const char *weir_view_span(char text[32], int64_t us) {
    int64_t s = us > 0 ? us / 1000000 : 0;
    if (s < 60)
        snprintf(text, 32, "%" PRId64 " s", s);
    else if (s < 3600)
        snprintf(text, 32, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
    else if (s < 172800)
        snprintf(text, 32, "%" PRId64 " h %" PRId64 " min", s / 3600, s / 60 % 60);
    else
        snprintf(text, 32, "%" PRId64 " days", s / 86400);
    return text;
}

const char *weir_view_amount(char text[32], double value, const char *unit) {
    static const char *const prefixes[] = {"", "k", "M", "G", "T"};
    int step = 0;
    if (isnan(value)) {
        snprintf(text, 32, "-");
        return text;
    }
    while (value >= 999.5 && step < 4) {
        value /= 1000;
        step++;
    }
    snprintf(text, 32, value >= 99.5 || step == 0 ? "%.0f %s%s" : "%.1f %s%s", value,
             prefixes[step], unit);
    return text;
}

const char *weir_view_viewers(char text[208], const struct weir_view_service *service) {
    char still[64] = "", startup[40] = "", rate[64] = "", amount[32];
    text[0] = 0;
    if (!(service->viewers > 0)) /* nor a number */
        return text;
    if (service->viewers_stalled > 0 && !isnan(service->stalled_share))
        snprintf(still, sizeof still, ", the picture stands still for %.0f (%.0f %% of the time)",
                 service->viewers_stalled, service->stalled_share * 100);
    else if (!isnan(service->stalled_share))
        snprintf(still, sizeof still, ", nobody's picture stands still");
    if (!isnan(service->startup_us))
        snprintf(startup, sizeof startup, ", begins after %.1f s", service->startup_us / 1e6);
    if (!isnan(service->bitrate_bps))
        snprintf(rate, sizeof rate, ", %s each",
                 weir_view_amount(amount, service->bitrate_bps, "bit/s"));
    snprintf(text, 208, "%.0f viewer%s%s%s%s", service->viewers, service->viewers > 1 ? "s" : "",
             still, startup, rate);
    return text;
}
