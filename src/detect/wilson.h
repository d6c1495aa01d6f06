/* Wilson score interval: see wilson.c. */
#pragma once

#include <stdint.h>

struct weir_interval {
    double low, high;
};
/* 95 % interval of a share, k of n; 0 to 1 when n is 0. */
struct weir_interval weir_wilson(uint64_t k, uint64_t n);
