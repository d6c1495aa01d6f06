/* Commands as bytes, written and read back. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "publish/redis_message.h"

void weir_message_clear(struct weir_message *message) {
    message->size = message->argc_at = 0;
    message->failed = false;
}

void weir_message_deinit(struct weir_message *message) {
    free(message->bytes);
    *message = (struct weir_message){0};
}

static void put(struct weir_message *message, const void *bytes, size_t n) {
    if (message->failed || message->size + n > WEIR_MESSAGE_BYTES_MAX) {
        message->failed = true;
        return;
    }
    if (message->size + n > message->room) {
        size_t room = 2 * (message->size + n);
        uint8_t *larger = realloc(message->bytes, room);
        if (!larger) {
            message->failed = true;
            return;
        }
        message->bytes = larger;
        message->room = room;
    }
    if (n) memcpy(message->bytes + message->size, bytes, n);
    message->size += n;
}

static void count_arg(struct weir_message *message) {
    uint16_t argc;
    if (message->failed) return;
    memcpy(&argc, message->bytes + message->argc_at, sizeof argc);
    message->failed = ++argc > WEIR_COMMAND_ARGS_MAX;
    memcpy(message->bytes + message->argc_at, &argc, sizeof argc);
}

void weir_message_command(struct weir_message *message, enum weir_command_role role,
                          const char *name) {
    const uint8_t byte = (uint8_t)role;
    const uint16_t none = 0;
    put(message, &byte, sizeof byte);
    message->argc_at = message->size;
    put(message, &none, sizeof none);
    weir_message_arg(message, name);
}

void weir_message_arg(struct weir_message *message, const char *text) {
    uint32_t length = (uint32_t)strlen(text);
    count_arg(message);
    put(message, &length, sizeof length);
    put(message, text, length);
}

void weir_message_arg_int(struct weir_message *message, int64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    weir_message_arg(message, text);
}

void weir_message_arg_ref(struct weir_message *message, uint32_t ref) {
    count_arg(message);
    put(message, &ref, sizeof ref);
}

static bool take(const uint8_t *bytes, size_t size, size_t *offset, void *into, size_t n) {
    if (size - *offset < n) return false;
    memcpy(into, bytes + *offset, n);
    *offset += n;
    return true;
}

int weir_message_next(const uint8_t *bytes, size_t size, size_t *offset,
                      struct weir_command *ret_command) {
    uint16_t argc;
    if (*offset >= size) return 0;
    if (!take(bytes, size, offset, &ret_command->role, 1) ||
        !take(bytes, size, offset, &argc, sizeof argc) ||
        ret_command->role >= WEIR_COMMAND_ROLE_N || argc == 0 || argc > WEIR_COMMAND_ARGS_MAX)
        return -EBADMSG;
    for (ret_command->argc = 0; ret_command->argc < argc; ret_command->argc++) {
        uint32_t length;
        if (!take(bytes, size, offset, &length, sizeof length)) return -EBADMSG;
        bool ref = length >= WEIR_REF_ENTRY_ID;
        if ((ref && ret_command->argc == 0) || (!ref && size - *offset < length)) return -EBADMSG;
        ret_command->argv[ret_command->argc] = ref ? NULL : (const char *)bytes + *offset;
        ret_command->lengths[ret_command->argc] = length;
        *offset += ref ? 0 : length;
    }
    return ret_command->role == WEIR_COMMAND_ENTRY &&
                   argc < WEIR_ENTRY_FIELDS + 2 * WEIR_ENTRY_IDENTITY
               ? -EBADMSG
               : 1;
}

bool weir_command_is(const struct weir_command *command, const char *name) {
    return command->lengths[0] == strlen(name) &&
           memcmp(command->argv[0], name, command->lengths[0]) == 0;
}
