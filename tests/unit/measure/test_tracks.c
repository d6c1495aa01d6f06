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

/* Six sizes are kept: a seventh takes the place of the rarest. */
static void test_the_rarest_makes_room(void **state) {
    static const uint64_t sizes[] = {1000000, 1500000, 2250000, 3400000, 5100000, 7600000};
    for (int rare = 0; rare < WEIR_TRACK_SIZES; rare++) {
        struct weir_tracks tracks = {0};
        uint32_t found;
        for (int i = 0; i < WEIR_TRACK_SIZES; i++)
            for (int times = 0; times < (i == rare ? 1 : 3); times++)
                add(&tracks, sizes[i], &found);
        add(&tracks, 12000000, &found);
        bool seen[WEIR_TRACK_SIZES] = {false};
        for (int i = 0; i < WEIR_TRACK_SIZES; i++)
            for (int at = 0; at < WEIR_TRACK_SIZES; at++)
                seen[i] |= tracks.sizes[at].bytes == sizes[i];
        for (int i = 0; i < WEIR_TRACK_SIZES; i++) assert_int_equal(seen[i], i != rare);
    }
}

/* Sizes within a tenth of each other are one, whose middle follows. */
static void test_a_size(void **state) {
    struct weir_tracks tracks = {0};
    uint32_t found;
    add(&tracks, 100000, &found);
    add(&tracks, 110000, &found);
    assert_int_equal(tracks.sizes[0].bytes, 101250);
    assert_int_equal(tracks.sizes[0].n, 2);
    add(&tracks, 101250 - 10125, &found);
    assert_int_equal(tracks.sizes[0].n, 3);
    add(&tracks, tracks.sizes[0].bytes + tracks.sizes[0].bytes / 10 + 1, &found);
    assert_int_equal(tracks.sizes[0].n, 0); /* another size, hardly larger: the run is broken */
    assert_int_equal(tracks.chunks, 4);
    assert_int_equal(tracks.all_bytes, 100000 + 110000 + 91125 + 109984);
}

/* Whether the fifth answer of a size in turn with others is taken for sound. */
static bool becomes_sound(uint64_t sound, uint64_t picture, int pictures_between, int in_a_row) {
    struct weir_tracks tracks = {0};
    uint32_t found;
    for (int i = 0; i < 30; i++) {
        for (int n = 0; n < in_a_row; n++)
            if (add(&tracks, sound, &found) == WEIR_MEDIA_SOUND) return true;
        for (int n = 0; n < pictures_between; n++)
            add(&tracks, picture + (uint64_t)(i % 3) * 997, &found);
    }
    return false;
}

static void test_what_is_taken_for_sound(void **state) {
    assert_true(becomes_sound(65000, 900000, 1, 1));
    assert_true(becomes_sound(65000, 900000, 3, 1));
    assert_false(becomes_sound(65000, 900000, 4, 1)); /* too seldom */
    assert_false(becomes_sound(65000, 900000, 1, 2)); /* too often */
    assert_true(becomes_sound(65000, 900000, 2, 2));
    assert_false(becomes_sound(65000, 900000, 3, 3)); /* no turn */
    assert_true(becomes_sound(400000, 900000, 1, 1));
    assert_false(becomes_sound(440000, 900000, 1, 1)); /* as large as a picture */
    assert_true(becomes_sound(65000, 98000, 1, 1));
    assert_false(becomes_sound(65000, 92000, 1, 1)); /* hardly smaller than the others */
}

/* Sound that is away for twelve others and more is none any more. */
static void test_sound_that_stays_away(void **state) {
    for (int away = 12; away <= 13; away++) {
        struct weir_tracks tracks = {0};
        uint32_t found;
        for (int i = 0; i < 8; i++) {
            add(&tracks, 900000, &found);
            add(&tracks, 65000, &found);
        }
        assert_true(weir_tracks_is_sound(&tracks, 65000));
        assert_true(weir_tracks_is_sound(&tracks, 71000));
        assert_false(weir_tracks_is_sound(&tracks, 72000));
        assert_false(weir_tracks_is_sound(&tracks, 900000));
        for (int i = 0; i < away; i++) add(&tracks, 900000, &found);
        assert_int_equal(add(&tracks, 65000, &found),
                         away == 12 ? WEIR_MEDIA_SOUND : WEIR_MEDIA_PICTURE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_in_turn),
        cmocka_unit_test(test_a_ladder_is_no_sound),
        cmocka_unit_test(test_a_poor_picture_after_outages_is_no_sound),
        cmocka_unit_test(test_varying_sizes_are_no_sound),
        cmocka_unit_test(test_absurd_sizes),
        cmocka_unit_test(test_the_rarest_makes_room),
        cmocka_unit_test(test_a_size),
        cmocka_unit_test(test_what_is_taken_for_sound),
        cmocka_unit_test(test_sound_that_stays_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
