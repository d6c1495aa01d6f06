/* Commands to Redis, and answers whose form nobody can vouch for. Without hiredis: see
 * redis_reply.h. */
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "publish/redis_client.h"

struct weir_redis_command weir_redis_command(const char *key, ...) {
    struct weir_redis_command command = {.key = key};
    va_list args;
    va_start(args, key);
    for (const char *text; command.n < WEIR_REDIS_ARGS_MAX && (text = va_arg(args, const char *));)
        command.args[command.n++] = text;
    va_end(args);
    return command;
}

const char *weir_redis_text(const redisReply *reply) {
    bool text = reply && (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS ||
                          reply->type == REDIS_REPLY_ERROR);
    return text ? reply->str : NULL;
}

const redisReply *weir_redis_at(const redisReply *reply, size_t i) {
    static const redisReply nil = {.type = REDIS_REPLY_NIL};
    bool there =
        reply && reply->type == REDIS_REPLY_ARRAY && i < reply->elements && reply->element[i];
    return there ? reply->element[i] : &nil;
}

int weir_redis_is_error(const redisReply *reply, const char *word) {
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, word, strlen(word)) == 0;
}
