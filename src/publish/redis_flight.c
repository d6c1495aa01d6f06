/* Steps of a flight:
 *
 * - SEND: the commands up to and with the stream entry, all at once; then those behind it.
 * - EXACT: the entry's id is doubled or too old, Redis does not say which. XRANGE id id: if this
 *   very event is there, it has arrived.
 * - RECENT: else the newest entries are searched. An earlier flight may have put it under a new
 *   id, and lost the answer.
 * - AGAIN: else it is added under an id of Redis' own.
 *
 * An entry is this very event when its first three fields are equal (who, what, when). A step that
 * was redirected is taken again at the right node: HSET, EXPIRE and an entry with its id may be
 * said twice. A message is routed by the key of its first command that has one (MULTI and PUBLISH
 * have none); an inbox has its own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "publish/redis_flight.h"
#include "publish/redis_message.h"

enum { REDIRECTS_MAX = 5, LOOK_BACK_INCIDENTS = 512, LOOK_BACK_WINDOWS = 64 };

enum step { STEP_SEND, STEP_EXACT, STEP_RECENT, STEP_AGAIN };

struct flight {
    const struct weir_flight_options *options;
    struct weir_item *item;
    enum step step;
    size_t begin, end; /* the step's commands in the message; at `end` the next ones */
    unsigned waiting, redirects;
    enum weir_remedy remedy;
    enum weir_trouble trouble; /* what asks for that remedy */
    char error[256];
    struct weir_link *error_from, *asked;
    bool was_unsure, starting;
    char entry_id[48];
    char key[320]; /* of the message */
    size_t key_length;
    struct weir_command command; /* in the making; in EXACT and later, the entry */
};

/* What an answer must tell its flight. */
struct question {
    struct flight *flight;
    uint8_t role;
};

static void take_step(struct flight *flight);

static void note(struct flight *flight, const struct weir_trouble_row *row, struct weir_link *link,
                 const char *error) {
    flight->options->on_trouble(flight->options->context, row->trouble, error);
    if (row->remedy <= flight->remedy) return;
    flight->remedy = row->remedy;
    flight->trouble = row->trouble;
    flight->error_from = link;
    snprintf(flight->error, sizeof flight->error, "%s", error);
}

/* ---- landing ---- */

static void land(struct flight *flight, enum weir_remedy remedy) {
    flight->options->on_landed(flight->options->context, flight->item, remedy);
    free(flight);
}

static void again(struct flight *flight) {
    if (++flight->redirects > REDIRECTS_MAX)
        land(flight, WEIR_REMEDY_WAIT);
    else
        take_step(flight);
}

/* All answers of a step are there. */
static void step_done(struct flight *flight) {
    struct weir_router *router = flight->options->router;
    flight->asked = NULL;
    switch (flight->remedy) {
    case WEIR_REMEDY_NONE:
        if (flight->step == STEP_SEND) flight->begin = flight->end;
        if (flight->begin >= flight->item->size)
            land(flight, WEIR_REMEDY_NONE);
        else
            take_step(flight);
        return;
    case WEIR_REMEDY_LOOK_UP:
        flight->step = STEP_EXACT;
        take_step(flight);
        return;
    case WEIR_REMEDY_REDIRECT:
        weir_router_moved(router, flight->error_from, flight->error);
        again(flight);
        return;
    case WEIR_REMEDY_ASK:
        flight->asked = weir_router_asked(router, flight->error_from, flight->error);
        if (flight->asked)
            again(flight);
        else
            land(flight, WEIR_REMEDY_WAIT);
        return;
    case WEIR_REMEDY_RECONNECT:
        if (flight->error_from)
            weir_router_give_up(router, flight->error_from, flight->trouble, flight->error);
        land(flight, WEIR_REMEDY_RECONNECT);
        return;
    default: land(flight, flight->remedy);
    }
}

/* ---- answers ---- */

static bool optional(uint8_t role) {
    return role == WEIR_COMMAND_ALERT || role == WEIR_COMMAND_INBOX || role == WEIR_COMMAND_SERIES;
}

static void take_error(struct flight *flight, struct weir_link *link, uint8_t role,
                       const char *error) {
    const struct weir_trouble_row *row = weir_trouble_of_answer(error);
    if (optional(role) &&
        row->remedy == WEIR_REMEDY_REFUSE) /* may be forbidden: the stream has it all */
        flight->options->on_trouble(flight->options->context, row->trouble, error);
    else
        note(flight, row, link, error);
}

static void take_answer(struct flight *flight, struct weir_link *link, uint8_t role,
                        const redisReply *reply) {
    struct weir_item *item = flight->item;
    bool failed = reply->type == REDIS_REPLY_ERROR;
    if (failed) take_error(flight, link, role, reply->str);
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        if (reply->element[i]->type == REDIS_REPLY_ERROR)
            take_error(flight, link, role, reply->element[i]->str);
    if (role == WEIR_COMMAND_ALERT && !failed) item->alerted = true;
    if (role != WEIR_COMMAND_ENTRY) return;
    item->unsure = false;
    if (!failed && reply->type == REDIS_REPLY_STRING) {
        snprintf(flight->entry_id, sizeof flight->entry_id, "%s", reply->str);
        item->ours = true;
    } else if (flight->was_unsure) {
        item->ours = true; /* if it is there, it came with the sending that got no answer */
    }
}

static void on_answer(void *context, struct weir_link *link, const redisReply *reply) {
    struct question *question = context;
    struct flight *flight = question->flight;
    uint8_t role = question->role;
    free(question);
    if (reply)
        take_answer(flight, link, role, reply);
    else if (flight->remedy < WEIR_REMEDY_RECONNECT) {
        flight->remedy = WEIR_REMEDY_RECONNECT;
        flight->error_from = NULL; /* gone already */
    }
    if (--flight->waiting == 0 && !flight->starting) step_done(flight);
}

static bool same_text(const redisReply *there, const char *text, size_t length) {
    return there->type == REDIS_REPLY_STRING && there->len == length &&
           memcmp(there->str, text, length) == 0;
}

/* Is this stream entry ([id, [name, value, ...]]) the event of the entry in the making? */
static bool same_event(const struct weir_command *entry, const redisReply *there) {
    if (there->type != REDIS_REPLY_ARRAY || there->elements != 2 ||
        there->element[0]->type != REDIS_REPLY_STRING ||
        there->element[1]->type != REDIS_REPLY_ARRAY ||
        there->element[1]->elements < 2 * WEIR_ENTRY_IDENTITY)
        return false;
    for (int i = 0; i < 2 * WEIR_ENTRY_IDENTITY; i++)
        if (!same_text(there->element[1]->element[i], entry->argv[WEIR_ENTRY_FIELDS + i],
                       entry->lengths[WEIR_ENTRY_FIELDS + i]))
            return false;
    return true;
}

static void on_look_up(void *context, struct weir_link *link, const redisReply *reply) {
    struct flight *flight = context;
    flight->waiting = 0;
    if (!reply) {
        land(flight, WEIR_REMEDY_RECONNECT);
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        note(flight, weir_trouble_of_answer(reply->str), link, reply->str);
        flight->step = STEP_SEND; /* from its beginning, at the right node or later */
        step_done(flight);
        return;
    }
    const redisReply *found = NULL;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements && !found; i++)
        found = same_event(&flight->command, reply->element[i]) ? reply->element[i] : NULL;
    if (found) {
        snprintf(flight->entry_id, sizeof flight->entry_id, "%s", found->element[0]->str);
        flight->step = STEP_SEND;
        step_done(flight);
        return;
    }
    flight->step++;
    take_step(flight);
}

/* ---- steps ---- */

static int send_command(struct flight *flight, struct weir_link *link, weir_link_answer answer,
                        void *context) {
    static const char *asking[] = {"ASKING"};
    struct weir_command *command = &flight->command;
    if (flight->asked && weir_link_ask(link, 1, asking, NULL, NULL, NULL) < 0) return -EIO;
    return weir_link_ask(link, command->argc, command->argv, command->lengths, answer, context);
}

/* Puts the entry's JSON and id where the command refers to them. The entry's own bytes are in the
 * message, before. */
static void resolve(struct flight *flight, const char *json, size_t json_length) {
    struct weir_command *command = &flight->command;
    for (int i = 0; i < command->argc; i++) {
        if (command->argv[i]) continue;
        bool is_json = command->lengths[i] == WEIR_REF_JSON;
        command->argv[i] = is_json ? json : flight->entry_id;
        command->lengths[i] = is_json ? json_length : strlen(flight->entry_id);
    }
}

static bool wanted(const struct flight *flight) {
    const struct weir_command *command = &flight->command;
    switch (command->role) {
    case WEIR_COMMAND_ALERT: return flight->item->ours && !flight->item->alerted;
    case WEIR_COMMAND_SERIES: return flight->options->series;
    /* An asked node would answer for the MULTI, not for what is in it: the commands go one by one.
     */
    default:
        return !flight->asked ||
               (!weir_command_is(command, "MULTI") && !weir_command_is(command, "EXEC"));
    }
}

static struct weir_link *link_for(const struct flight *flight) {
    const struct weir_command *command = &flight->command;
    if (flight->asked) return flight->asked;
    bool own = command->role == WEIR_COMMAND_INBOX && command->argc > 1;
    return weir_router_find(flight->options->router, own ? command->argv[1] : flight->key,
                            own ? command->lengths[1] : flight->key_length);
}

/* Sends one command: 1 sent, 0 not wanted, < 0 no connection. */
static int send_one(struct flight *flight) {
    if (!wanted(flight)) return 0;
    struct weir_link *link = link_for(flight);
    struct question *question = link ? malloc(sizeof *question) : NULL;
    if (!question) return -EAGAIN;
    *question = (struct question){flight, flight->command.role};
    flight->waiting++;
    if (send_command(flight, link, on_answer, question) < 0) {
        flight->waiting--;
        free(question);
        return -EAGAIN;
    }
    if (flight->command.role == WEIR_COMMAND_ENTRY) {
        flight->was_unsure = flight->item->unsure;
        flight->item->unsure = true;
    }
    return 1;
}

/* The last argument of the message's entry. */
static void find_json(const struct weir_item *item, const char **ret_json, size_t *ret_length) {
    static struct weir_command command; /* the publisher's thread is the only one */
    size_t offset = 0;
    *ret_json = "";
    *ret_length = 0;
    while (weir_message_next(item->bytes, item->size, &offset, &command) > 0)
        if (command.role == WEIR_COMMAND_ENTRY && command.argv[command.argc - 1]) {
            *ret_json = command.argv[command.argc - 1];
            *ret_length = command.lengths[command.argc - 1];
        }
}

static int send_commands(struct flight *flight) {
    const struct weir_item *item = flight->item;
    const char *json;
    size_t json_length, offset = flight->begin;
    int sent = 0;
    find_json(item, &json, &json_length);
    while (sent >= 0 && weir_message_next(item->bytes, item->size, &offset, &flight->command) > 0) {
        bool entry = flight->command.role == WEIR_COMMAND_ENTRY;
        resolve(flight, json, json_length);
        sent = send_one(flight);
        if (entry) break;
    }
    flight->end = offset;
    return sent < 0 ? sent : 0;
}

/* The entry of this step, for looking it up. */
static void find_entry(struct flight *flight) {
    size_t offset = flight->begin;
    while (weir_message_next(flight->item->bytes, flight->item->size, &offset, &flight->command) >
           0)
        if (flight->command.role == WEIR_COMMAND_ENTRY) break;
    flight->end = offset;
}

static int look_up(struct flight *flight) {
    struct weir_command *entry = &flight->command;
    struct weir_link *link =
        weir_router_find(flight->options->router, flight->key, flight->key_length);
    char count[16];
    snprintf(count, sizeof count, "%d",
             flight->item->lane == WEIR_LANE_INCIDENT ? LOOK_BACK_INCIDENTS : LOOK_BACK_WINDOWS);
    const char *exact[] = {"XRANGE", entry->argv[1], entry->argv[WEIR_ENTRY_ID],
                           entry->argv[WEIR_ENTRY_ID]};
    const size_t exact_lengths[] = {6, entry->lengths[1], entry->lengths[WEIR_ENTRY_ID],
                                    entry->lengths[WEIR_ENTRY_ID]};
    const char *recent[] = {"XREVRANGE", entry->argv[1], "+", "-", "COUNT", count};
    const size_t recent_lengths[] = {9, entry->lengths[1], 1, 1, 5, strlen(count)};
    if (!link) return -EAGAIN;
    int error = flight->step == STEP_EXACT
                    ? weir_link_ask(link, 4, exact, exact_lengths, on_look_up, flight)
                    : weir_link_ask(link, 6, recent, recent_lengths, on_look_up, flight);
    flight->waiting = error ? 0 : 1;
    return error;
}

static int add_again(struct flight *flight) {
    flight->command.argv[WEIR_ENTRY_ID] = "*";
    flight->command.lengths[WEIR_ENTRY_ID] = 1;
    flight->item->unsure = false;
    return send_one(flight);
}

/* Sends what the step has to; a step without any command is done at once. */
static int try_step(struct flight *flight) {
    flight->remedy = WEIR_REMEDY_NONE;
    flight->error_from = NULL;
    if (flight->step == STEP_SEND) return send_commands(flight);
    find_entry(flight);
    return flight->step == STEP_AGAIN ? add_again(flight) : look_up(flight);
}

static void take_step(struct flight *flight) {
    flight->starting = true;
    int error = try_step(flight);
    flight->starting = false;
    if (flight->step == STEP_AGAIN) flight->step = STEP_SEND;
    if (error < 0 && flight->remedy == WEIR_REMEDY_NONE) flight->remedy = WEIR_REMEDY_RECONNECT;
    if (flight->waiting == 0) step_done(flight);
}

/* ---- start ---- */

bool weir_flight_can(const uint8_t *bytes, size_t size) {
    static struct weir_command command;
    size_t offset = 0;
    bool keyed = false;
    int more;
    while ((more = weir_message_next(bytes, size, &offset, &command)) > 0)
        keyed |= command.argc > 1 && command.argv[1];
    return more == 0 && keyed;
}

static void find_key(struct flight *flight) {
    size_t offset = 0;
    while (weir_message_next(flight->item->bytes, flight->item->size, &offset, &flight->command) >
           0)
        if (flight->command.argc > 1 && flight->command.argv[1] &&
            flight->command.lengths[1] < sizeof flight->key) {
            flight->key_length = flight->command.lengths[1];
            memcpy(flight->key, flight->command.argv[1], flight->key_length);
            return;
        }
}

int weir_flight_start(const struct weir_flight_options *options, struct weir_item *item) {
    struct flight *flight = calloc(1, sizeof *flight);
    if (!flight) return -EAGAIN;
    flight->options = options;
    flight->item = item;
    find_key(flight);
    flight->starting = true;
    if (!weir_router_find(options->router, flight->key, flight->key_length) ||
        try_step(flight) < 0 || flight->waiting == 0) {
        if (flight->waiting == 0) {
            free(flight);
            return -EAGAIN;
        }
        flight->remedy = WEIR_REMEDY_RECONNECT; /* half of it was sent: the answers land it */
    }
    flight->starting = false;
    return 0;
}
