/* What a live weir takes of machines of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/budget.h"

#define MIB (UINT64_C(1) << 20)

static void assert_budget(uint64_t ram_mib, size_t memory, size_t evidence, size_t ring) {
    struct weir_budget budget = weir_budget_of(ram_mib * MIB);
    assert_int_equal(budget.memory, memory * MIB);
    assert_int_equal(budget.evidence, evidence * MIB);
    assert_int_equal(budget.ring, ring * MIB);
}

static void sizes(void **state) {
    assert_budget(32, 16, 2, 2); /* never less */
    assert_budget(128, 17, 2, 2);
    assert_budget(512, 68, 8, 4);
    assert_budget(2048, 272, 34, 16);
    assert_budget(65536, 512, 64, 16); /* never more */
    assert_budget(0, 512, 64, 16);     /* not known */
}

/* A router's memory is mostly another's: all together stays below a quarter of it. */
static void stays_a_guest(void **state) {
    for (uint64_t ram = 128; ram < 1 << 20; ram *= 2) {
        struct weir_budget budget = weir_budget_of(ram * MIB);
        assert_true(budget.memory + budget.evidence + budget.ring < ram * MIB / 4);
    }
}

static void knows_this_machine(void **state) { assert_true(weir_budget_ram() > 64 * MIB); }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes), cmocka_unit_test(stays_a_guest),
                                       cmocka_unit_test(knows_this_machine)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
