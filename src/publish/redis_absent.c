/* Redis in a build without it: whoever asks for it is told so, before anything else happens. */
#include <errno.h>

#include <weir/sink.h>

#include "publish/redis_client.h"

static int absent(struct weir_fault *fault) {
    return weir_fault_set(
        fault, -ENOSYS,
        "this build has no Redis: it needs hiredis and libuv (meson -Dredis=enabled)");
}

int weir_redis_open(struct weir_redis **ret_redis, const char *url, const char *password_file,
                    struct weir_fault *fault) {
    return absent(fault);
}

void weir_redis_free(struct weir_redis *redis) {}

const char *weir_redis_shown(const struct weir_redis *redis) { return ""; }

redisReply *weir_redis_ask(struct weir_redis *redis, const struct weir_redis_command *command,
                           struct weir_fault *fault) {
    absent(fault);
    return NULL;
}

int weir_redis_ask_all(struct weir_redis *redis, const struct weir_redis_command *commands,
                       size_t n, redisReply **replies, struct weir_fault *fault) {
    return absent(fault);
}

int weir_sink_redis_new(void **ret_state, const struct weir_publish_context *context,
                        const struct weir_redis_options *options, struct weir_fault *fault) {
    return absent(fault);
}

const struct weir_sink weir_sink_redis = {.name = "redis", .help = "(not in this build)"};
