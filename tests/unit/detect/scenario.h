/* Scenarios: each has a site of its own. */
#pragma once

#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "site.h"

static struct site site;

static int begin(void **state) {
    site_begin(&site);
    return 0;
}

static int end(void **state) {
    site_end(&site);
    return 0;
}

#define SCENARIO(f) cmocka_unit_test_setup_teardown(f, begin, end)
