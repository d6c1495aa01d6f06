/* Sound beside picture, by hand. */
#include "fake.h"
#include "measure/tracks.h"

static enum weir_media_track add(struct weir_tracks *tracks, uint64_t bytes, uint32_t *found) {
    return weir_tracks_add(tracks, bytes, found);
}

/* Picture and sound in turn: the fifth segment of sound is known, and tells that four were taken
 * for picture. */
static void test_sound_in_turn(void **state) {
    struct weir_tracks tracks = {0};
    uint32_t found;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(add(&tracks, 900000 + (uint64_t)i * 3000, &found), WEIR_MEDIA_PICTURE);
        assert_int_equal(found, 0);
        assert_int_equal(add(&tracks, 65300 + (uint64_t)(i % 3) * 200, &found),
                         i < 4 ? WEIR_MEDIA_PICTURE : WEIR_MEDIA_SOUND);
        assert_int_equal(found, i == 4 ? 4 : 0);
    }
    /* the poorest picture is larger */
    assert_int_equal(add(&tracks, 100000, &found), WEIR_MEDIA_PICTURE);
}

/* One track that climbs its ladder and comes down again: long runs of a size are no turn. */
static void test_a_ladder_is_no_sound(void **state) {
    static const uint64_t steps[] = {100000, 230000, 500000, 900000, 500000, 230000, 100000};
    struct weir_tracks tracks = {0};
    uint32_t found;
    for (size_t step = 0; step < sizeof steps / sizeof *steps; step++)
        for (uint64_t i = 0; i < 6; i++)
            assert_int_equal(add(&tracks, steps[step] + i * 1000, &found), WEIR_MEDIA_PICTURE);
}

/* After each of many outages one poor segment, then eight good ones: the poor one makes no run. */
static void test_a_poor_picture_after_outages_is_no_sound(void **state) {
    struct weir_tracks tracks = {0};
    uint32_t found;
    for (int outage = 0; outage < 20; outage++) {
        assert_int_equal(add(&tracks, 97000, &found), WEIR_MEDIA_PICTURE);
        for (int i = 0; i < 8; i++)
            assert_int_equal(add(&tracks, 905000, &found), WEIR_MEDIA_PICTURE);
    }
}

/* Sizes all over, as of a film with cuts: what seems a run for a while breaks. */
static void test_varying_sizes_are_no_sound(void **state) {
    struct weir_tracks tracks = {0};
    uint32_t found, random = 12345;
    int sounds = 0;
    for (int i = 0; i < 5000; i++) {
        random = random * 1103515245 + 12345;
        sounds += add(&tracks, 200000 + (random >> 12) % 1000000, &found) == WEIR_MEDIA_SOUND;
    }
    assert_in_range(sounds, 0, 50);
}

static void test_absurd_sizes(void **state) {
    struct weir_tracks tracks = {0};
    uint32_t found;
    for (int i = 0; i < 70000; i++) add(&tracks, i % 3 ? UINT64_MAX : 0, &found);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_in_turn),
        cmocka_unit_test(test_a_ladder_is_no_sound),
        cmocka_unit_test(test_a_poor_picture_after_outages_is_no_sound),
        cmocka_unit_test(test_varying_sizes_are_no_sound),
        cmocka_unit_test(test_absurd_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
