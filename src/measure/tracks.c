/* Players of DASH and of HLS with separate sound ask for picture and sound in turn, each segment by
 * itself. Encrypted, the two differ in size alone: sound is small, and its segments are nearly
 * equal, since a sound track has one steady bit rate, while the picture's sizes go with the scene
 * and the quality.
 *
 *     a size     answers within a tenth of each other
 *     run        answers of a size, with at most three others between one and the next, all of them
 *                a third larger and more: a poor picture that comes back after an outage makes no
 *                run
 *     sound      a size with a run of five, in turn with others (half of the times the answer
 *                before was of another size), others being at least half and at most three times as
 *                often, half as large again on the average, and small enough
 *
 * Sound that is away for twelve others is no sound any more: after an outage the picture may be
 * fetched alone for a while. A picture that comes with its sound in one answer stays at one size
 * for a while and then at another, or varies all over: no size of it comes in turn for long. Blind
 * spots: sound of varying size (ranges of ten seconds, then of five) is taken for picture, and so
 * is sound that is larger than the poorest picture. Counts of both together still carry the right
 * time on the average.
 */

#include "measure/tracks.h"

enum { SOUND_MAX = 400000, SOUND_TIMES = 5, COUNT_MAX = 4000, BETWEEN_MAX = 3, GONE_MAX = 12 };

static uint32_t middle(uint32_t bytes) { return bytes > 10 ? bytes / 10 : 1; }

static int find(const struct weir_tracks *tracks, uint32_t bytes) {
    int best = -1;
    uint32_t nearest = UINT32_MAX;
    for (int i = 0; i < WEIR_TRACK_SIZES; i++) {
        const struct weir_track_size *size = &tracks->sizes[i];
        uint32_t away = size->bytes > bytes ? size->bytes - bytes : bytes - size->bytes;
        if (size->n && away <= middle(size->bytes) && away < nearest) {
            nearest = away;
            best = i;
        }
    }
    return best;
}

static void run_begin(struct weir_tracks *tracks, int at) {
    tracks->sizes[at].born = tracks->chunks;
    tracks->sizes[at].n = tracks->sizes[at].turns = 0;
    tracks->sizes[at].sound = false;
    tracks->bytes[at] = tracks->all_bytes;
}

/* The place of the rarest size: it begins anew with this answer. */
static int begin(struct weir_tracks *tracks, uint32_t bytes) {
    int rarest = 0;
    for (int i = 1; i < WEIR_TRACK_SIZES; i++)
        if (!tracks->sizes[i].sound &&
            (tracks->sizes[rarest].sound || tracks->sizes[i].n < tracks->sizes[rarest].n))
            rarest = i;
    tracks->sizes[rarest] = (struct weir_track_size){.bytes = bytes};
    run_begin(tracks, rarest);
    return rarest;
}

static bool is_sound(const struct weir_tracks *tracks, int at) {
    const struct weir_track_size *size = &tracks->sizes[at];
    if (size->n < SOUND_TIMES || size->bytes > SOUND_MAX || size->turns * 2 < size->n) return false;
    uint32_t others = tracks->chunks - size->born - size->n;
    if (others * 2 < size->n || others > 3u * size->n) return false;
    double bytes = (double)(tracks->all_bytes - tracks->bytes[at]) - (double)size->n * size->bytes;
    return bytes >= 1.5 * size->bytes * others;
}

bool weir_tracks_is_sound(const struct weir_tracks *tracks, uint64_t answer_bytes) {
    int at = find(tracks, answer_bytes < UINT32_MAX ? (uint32_t)answer_bytes : UINT32_MAX);
    return at >= 0 && tracks->sizes[at].sound;
}

/* Runs of other sizes end where something comes between that is not clearly larger. */
static void break_runs(struct weir_tracks *tracks, int at, uint32_t bytes) {
    for (int i = 0; i < WEIR_TRACK_SIZES; i++)
        if (i != at && tracks->sizes[i].n && !tracks->sizes[i].sound &&
            (uint64_t)bytes * 3 < (uint64_t)tracks->sizes[i].bytes * 4)
            run_begin(tracks, i);
}

enum weir_media_track weir_tracks_add(struct weir_tracks *tracks, uint64_t answer_bytes,
                                      uint32_t *ret_found) {
    uint32_t bytes = answer_bytes < UINT32_MAX ? (uint32_t)answer_bytes : UINT32_MAX;
    *ret_found = 0;
    int at = find(tracks, bytes);
    if (at < 0) at = begin(tracks, bytes);
    struct weir_track_size *size = &tracks->sizes[at];
    uint32_t between = tracks->chunks - size->seen;
    if (size->n && between > (size->sound ? GONE_MAX : BETWEEN_MAX) + 1u) run_begin(tracks, at);
    break_runs(tracks, at, bytes);
    size->seen = tracks->chunks;
    size->bytes = (uint32_t)((int64_t)size->bytes + ((int64_t)bytes - size->bytes) / 8);
    size->turns += tracks->last != at + 1 && size->n < COUNT_MAX;
    size->n += size->n < COUNT_MAX;
    tracks->last = (uint8_t)(at + 1);
    tracks->chunks++;
    tracks->all_bytes += bytes;
    if (!size->sound && size->n < COUNT_MAX && is_sound(tracks, at)) {
        size->sound = true;
        *ret_found = size->n - 1u;
    }
    return size->sound ? WEIR_MEDIA_SOUND : WEIR_MEDIA_PICTURE;
}
