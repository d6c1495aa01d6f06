/* Local clocks, and sentences that hold clocks. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/local_time.h"

static struct tm broken_down(int64_t us) {
    time_t seconds = (time_t)(us / 1000000);
    struct tm local;
    localtime_r(&seconds, &local);
    return local;
}

const char *weir_local_time(char *text, size_t size, int64_t us, const char *format) {
    struct tm local = broken_down(us);
    if (!strftime(text, size, format, &local)) *text = '\0';
    return text;
}

const char *weir_local_zone(char text[16], int64_t us) {
    return weir_local_time(text, 16, us, "%Z");
}

static bool of_address(char c) { return isxdigit((unsigned char)c) || c == ':' || c == '.'; }

/* "21:33:28", no part of anything longer. */
static bool is_clock(const char *text, const char *at) {
    static const char form[] = "dd:dd:dd";
    for (size_t i = 0; form[i]; i++)
        if (form[i] == 'd' ? !isdigit((unsigned char)at[i]) : at[i] != form[i]) return false;
    bool ends = at[8] != ':' && !isxdigit((unsigned char)at[8]);
    return ends && (at == text || !of_address(at[-1]));
}

const char *weir_local_sentence(char *room, size_t size, const char *sentence, int64_t around_us) {
    struct tm local = broken_down(around_us);
    char zone[16];
    size_t used = 0;
    weir_local_zone(zone, around_us);
    for (const char *at = sentence; *at && used + 1 < size;) {
        if (is_clock(sentence, at)) {
            int hour = 0, minute = 0, second = 0;
            sscanf(at, "%2d:%2d:%2d", &hour, &minute, &second);
            long s = (3600L * hour + 60 * minute + second + local.tm_gmtoff) % 86400;
            if (s < 0) s += 86400;
            used += (size_t)snprintf(room + used, size - used, "%02ld:%02ld:%02ld", s / 3600,
                                     s / 60 % 60, s % 60);
            at += 8;
        } else if (strncmp(at, " UTC", 4) == 0 && !isalnum((unsigned char)at[4])) {
            used += (size_t)snprintf(room + used, size - used, " %s", zone);
            at += 4;
        } else {
            room[used++] = *at++;
        }
    }
    room[used < size ? used : size - 1] = '\0';
    return room;
}
