/* The two shapes of table: what is remembered within a bound, and numbers for addresses. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/assoc.h"
#include "base/index.h"

struct entry {
    struct weir_assoc_mark mark;
    uint64_t key;
    uint32_t value;
};

static void test_assoc_is_bounded(void **state) {
    struct weir_assoc assoc;
    assert_int_equal(weir_assoc_init(&assoc, sizeof(struct entry), sizeof(uint64_t), 64), 0);
    for (uint64_t key = 0; key < 1000; key++) {
        struct entry *entry = weir_assoc_get(&assoc, &key, (int64_t)key);
        assert_int_equal(entry->value, 0);
        entry->value = (uint32_t)key + 1;
        assert_ptr_equal(weir_assoc_find(&assoc, &key), entry);
    }
    size_t n = 0, cursor = 0;
    for (struct entry *entry; (entry = weir_assoc_next(&assoc, &cursor)); n++)
        assert_int_equal(entry->value, entry->key + 1);
    assert_int_equal(n, 64);
    assert_int_equal(assoc.evicted, 1000 - 64);
    weir_assoc_deinit(&assoc);
}

/* The one unused for longest makes room: what is asked for all the time stays. */
static void test_assoc_keeps_what_is_used(void **state) {
    struct weir_assoc assoc;
    uint64_t dear = 77777;
    assert_int_equal(weir_assoc_init(&assoc, sizeof(struct entry), sizeof(uint64_t), 64), 0);
    ((struct entry *)weir_assoc_get(&assoc, &dear, 0))->value = 5;
    for (uint64_t key = 0; key < 1000; key++) {
        weir_assoc_get(&assoc, &key, (int64_t)(2 * key));
        weir_assoc_get(&assoc, &dear, (int64_t)(2 * key + 1));
    }
    assert_int_equal(((struct entry *)weir_assoc_find(&assoc, &dear))->value, 5);
    weir_assoc_deinit(&assoc);
}

/* What a caller remembers of a key is only where to look first. */
static void test_assoc_get_again(void **state) {
    struct weir_assoc assoc;
    assert_int_equal(weir_assoc_init(&assoc, sizeof(struct entry), sizeof(uint64_t), 64), 0);
    uint64_t one = 1, other = 2;
    struct entry *entry = weir_assoc_get_again(&assoc, NULL, &one, 10);
    assert_ptr_equal(weir_assoc_get_again(&assoc, entry, &one, 20), entry);
    assert_int_equal(entry->mark.last_us, 20);
    struct entry *another = weir_assoc_get_again(&assoc, entry, &other, 30);
    assert_ptr_not_equal(another, entry);
    assert_ptr_equal(weir_assoc_find(&assoc, &other), another);
    assert_ptr_equal(weir_assoc_find_again(&assoc, entry, &one), entry);
    assert_int_equal(entry->mark.last_us, 20); /* who only looks does not use it */
    assert_ptr_equal(weir_assoc_find_again(&assoc, another, &one), entry);
    assert_ptr_equal(weir_assoc_find_again(&assoc, NULL, &one), entry);
    for (uint64_t key = 100; key < 1100; key++) weir_assoc_get(&assoc, &key, (int64_t)key);
    assert_null(weir_assoc_find(&assoc, &one)); /* pushed out: its place is another's */
    assert_null(weir_assoc_find_again(&assoc, entry, &one));
    assert_int_equal(((struct entry *)weir_assoc_get_again(&assoc, entry, &one, 2000))->key, 1);
    assert_non_null(weir_assoc_find(&assoc, &one));
    weir_assoc_deinit(&assoc);
}

static struct weir_addr addr_of(uint32_t i) {
    struct weir_addr addr = {{0x20, 0x01, 0x0d, 0xb8}};
    memcpy(addr.bytes + 4, &i, sizeof i);
    return addr;
}

static void test_index_numbers(void **state) {
    struct weir_index index;
    weir_index_init(&index, 5000);
    for (int turn = 0; turn < 2; turn++) {
        for (uint32_t i = 0; i < 5000; i++) {
            struct weir_addr addr = addr_of(i);
            assert_int_equal(weir_index_find(&index, &addr), WEIR_INDEX_NONE);
            assert_int_equal(weir_index_get(&index, &addr), i);
            assert_int_equal(weir_index_get(&index, &addr), i);
            assert_int_equal(weir_index_get_again(&index, i, &addr), i);
            assert_int_equal(weir_index_get_again(&index, i / 2, &addr), i);
            assert_int_equal(weir_index_get_again(&index, WEIR_INDEX_NONE, &addr), i);
        }
        for (uint32_t i = 0; i < 5000; i++) {
            struct weir_addr addr = addr_of(i);
            assert_int_equal(weir_index_find(&index, &addr), i);
        }
        weir_index_clear(&index);
    }
    weir_index_deinit(&index);
}

static void test_index_is_bounded(void **state) {
    struct weir_index index;
    weir_index_init(&index, 100);
    for (uint32_t i = 0; i < 200; i++) {
        struct weir_addr addr = addr_of(i);
        assert_int_equal(weir_index_get(&index, &addr), i < 100 ? i : WEIR_INDEX_NONE);
    }
    assert_int_equal(index.n, 100);
    assert_int_equal(index.refused, 100);
    /* A small one after a great one gives the memory back. */
    weir_index_clear(&index);
    struct weir_addr addr = addr_of(7);
    assert_int_equal(weir_index_get(&index, &addr), 0);
    weir_index_clear(&index);
    assert_int_equal(index.room, 0);
    assert_int_equal(weir_index_get(&index, &addr), 0);
    weir_index_deinit(&index);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_assoc_is_bounded), cmocka_unit_test(test_assoc_keeps_what_is_used),
        cmocka_unit_test(test_assoc_get_again), cmocka_unit_test(test_index_numbers),
        cmocka_unit_test(test_index_is_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
