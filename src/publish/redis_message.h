/* What is queued for Redis and kept in the spool: a short list of commands as bytes, ready to be
 * sent and sent again.
 *
 *   command   u8 role, u16 number of arguments, then each: u32 length, bytes
 *
 * Two lengths stand for what is known only when the message is sent: the last argument of the
 * message's stream entry (its JSON, which goes out three times and is kept once), and the id that
 * the entry has in Redis.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEIR_COMMAND_ARGS_MAX = 352, WEIR_MESSAGE_BYTES_MAX = 65536 };

enum weir_command_role {
    WEIR_COMMAND_PLAIN, /* sent; its answer must not be an error */
    /* XADD under an explicit id (argument WEIR_ENTRY_ID): what follows waits for its answer */
    WEIR_COMMAND_ENTRY,
    WEIR_COMMAND_ALERT,  /* sent only when the entry is new */
    WEIR_COMMAND_INBOX,  /* to a key of another slot than the message's */
    WEIR_COMMAND_SERIES, /* only where RedisTimeSeries answers */
    WEIR_COMMAND_ROLE_N
};

/* XADD key MAXLEN ~ n id field value ...: where the id and the first field are. */
enum {
    WEIR_ENTRY_ID = 5,
    WEIR_ENTRY_FIELDS = 6,
    WEIR_ENTRY_IDENTITY = 3 /* pairs that tell one event from another */
};

#define WEIR_REF_JSON     0xffffffffu
#define WEIR_REF_ENTRY_ID 0xfffffffeu

struct weir_message {
    size_t size, room;
    size_t argc_at; /* of the command in the making */
    bool failed;    /* too large, or no memory */
    uint8_t *bytes;
};

void weir_message_clear(struct weir_message *message);
void weir_message_deinit(struct weir_message *message);
void weir_message_command(struct weir_message *message, enum weir_command_role role,
                          const char *name);
void weir_message_arg(struct weir_message *message, const char *text);
void weir_message_arg_int(struct weir_message *message, int64_t value);
void weir_message_arg_ref(struct weir_message *message, uint32_t ref);

struct weir_command {
    uint8_t role;
    int argc;
    /* NULL: a reference, its kind in `lengths`; not terminated */
    const char *argv[WEIR_COMMAND_ARGS_MAX];
    size_t lengths[WEIR_COMMAND_ARGS_MAX];
};

/* The command at *offset, which moves on. 1 there is one, 0 the end, -EBADMSG bytes that no message
 * has. */
int weir_message_next(const uint8_t *bytes, size_t size, size_t *offset,
                      struct weir_command *ret_command);
/* Is it the command of this name? */
bool weir_command_is(const struct weir_command *command, const char *name);
