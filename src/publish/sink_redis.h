/* How the delivery behind a Redis sink stands: for tests that drive it. */
#pragma once

struct weir_delivery;
struct weir_delivery *weir_sink_redis_delivery(void *state);
