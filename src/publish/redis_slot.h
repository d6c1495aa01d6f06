/* The slot of a key in a Redis Cluster: CRC16 of its hash tag, or of all of it. */
#pragma once

#include <stddef.h>

enum { WEIR_REDIS_SLOTS = 16384 };
unsigned weir_redis_slot(const char *key, size_t length);
