/* The form of Redis' answers, for those who read them: hiredis' own, or, in a build without Redis,
 * one of the same members, of which there never is any. So readers are the same in both builds. */
#pragma once

#ifdef WEIR_WITH_REDIS
#include <hiredis/hiredis.h>
#else
#include <stddef.h>

enum {
    REDIS_REPLY_STRING = 1,
    REDIS_REPLY_ARRAY,
    REDIS_REPLY_INTEGER,
    REDIS_REPLY_NIL,
    REDIS_REPLY_STATUS,
    REDIS_REPLY_ERROR
};

typedef struct redisReply {
    int type;
    long long integer;
    size_t len;
    char *str;
    size_t elements;
    struct redisReply **element;
} redisReply;

static inline void freeReplyObject(void *reply) { (void)reply; }
#endif
