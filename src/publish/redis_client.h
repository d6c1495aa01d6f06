/* Asking Redis and waiting for the answer: for commands at the prompt and for `weir fleet`, never
 * for capture. On a Redis Cluster each command goes to the node that has its key, wherever MOVED
 * and ASK say that is. Every operation has a time limit. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <weir/error.h>

#include "publish/redis_reply.h"

enum { WEIR_REDIS_ARGS_MAX = 64 };

/* One command: texts, and the key that says which node of a cluster it is for (NULL: any). All must
 * live until it is answered. */
struct weir_redis_command {
    const char *key;
    int n;
    const char *args[WEIR_REDIS_ARGS_MAX];
};
/* Made of a NULL-terminated list of texts. */
struct weir_redis_command weir_redis_command(const char *key, ...) __attribute__((sentinel));

struct weir_redis; /* opaque */

/* Connects, with the URL's credentials (the password also from a file's first line, or from
 * WEIR_REDIS_PASSWORD), and is greeted: < 0 with a fault that names the URL without its password.
 */
int weir_redis_open(struct weir_redis **ret_redis, const char *url, const char *password_file,
                    struct weir_fault *fault);
void weir_redis_free(struct weir_redis *redis);
const char *weir_redis_shown(const struct weir_redis *redis); /* the URL without its password */

/* The answer, the caller's to free with freeReplyObject; an error of Redis' own is one too. NULL
 * with a fault: not reachable, which a later call tries to mend. */
redisReply *weir_redis_ask(struct weir_redis *redis, const struct weir_redis_command *command,
                           struct weir_fault *fault);
/* All commands at once, `replies[i]` to commands[i]. Returns 0, or < 0 with a fault and no replies.
 */
int weir_redis_ask_all(struct weir_redis *redis, const struct weir_redis_command *commands,
                       size_t n, redisReply **replies, struct weir_fault *fault);
/* What a stranger's server answers may have any shape: these two never read what is not there.
 * The text of a string, status or error; NULL: the answer is of another kind, or there is none. */
const char *weir_redis_text(const redisReply *reply);
/* Element i of an array; a nil where the answer is no array, or a shorter one. Never NULL. */
const redisReply *weir_redis_at(const redisReply *reply, size_t i);
/* True when the answer is an error that begins with `word`. */
int weir_redis_is_error(const redisReply *reply, const char *word);
