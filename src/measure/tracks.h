/* Picture or sound: which of a session's two tracks an answer belongs to. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { WEIR_TRACK_SIZES = 6 };
enum weir_media_track { WEIR_MEDIA_PICTURE, WEIR_MEDIA_SOUND };

struct weir_track_size {
    uint32_t bytes;      /* middle of the size */
    uint32_t born, seen; /* chunks before the first and the last of its run; they wrap */
    uint16_t n, turns;   /* chunks of its run; of these, those that came after another size */
    bool sound;
};

struct weir_tracks { /* zeroed memory is an empty one */
    struct weir_track_size sizes[WEIR_TRACK_SIZES];
    uint64_t bytes[WEIR_TRACK_SIZES]; /* of the session before the first chunk of that size */
    uint64_t all_bytes;
    uint32_t chunks;
    uint8_t last; /* 1 + place of the size that came last */
};

/* Takes one answer of `bytes`. *ret_found: so many earlier answers, taken for picture, turn out to
 * be sound with this one. */
enum weir_media_track weir_tracks_add(struct weir_tracks *tracks, uint64_t bytes,
                                      uint32_t *ret_found);
/* Whether an answer of `bytes` is sound, by what is known now. */
bool weir_tracks_is_sound(const struct weir_tracks *tracks, uint64_t bytes);
