/* What can go wrong with Redis, as a table; and the manners of telling: once when it begins, once
 * when it is over. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum weir_trouble {
    WEIR_TROUBLE_NONE,
    /* of the connection */
    WEIR_TROUBLE_CONNECT,
    WEIR_TROUBLE_LOST,
    WEIR_TROUBLE_SLOW,
    WEIR_TROUBLE_AUTH,
    WEIR_TROUBLE_NOT_MASTER,
    WEIR_TROUBLE_SENTINEL,
    WEIR_TROUBLE_LOADING,
    /* Redis' answers to a command */
    WEIR_TROUBLE_READONLY,
    WEIR_TROUBLE_FULL,
    WEIR_TROUBLE_DISK,
    WEIR_TROUBLE_REPLICAS,
    WEIR_TROUBLE_BUSY,
    WEIR_TROUBLE_CLUSTER,
    WEIR_TROUBLE_MOVED,
    WEIR_TROUBLE_ASK,
    WEIR_TROUBLE_ID,
    WEIR_TROUBLE_TYPE,
    WEIR_TROUBLE_PERMISSION,
    WEIR_TROUBLE_ABORTED,
    WEIR_TROUBLE_OTHER,
    /* our own */
    WEIR_TROUBLE_SPOOL,
    WEIR_TROUBLE_DROPPED,
    WEIR_TROUBLE_N
};

/* What helps; where several commands of a message fail, the last in this order counts. */
enum weir_remedy {
    WEIR_REMEDY_NONE,
    WEIR_REMEDY_LOOK_UP, /* the entry's id is taken, or too old: is it this event? */
    WEIR_REMEDY_WAIT,    /* the message stays; try again in a while */
    /* will never work: a window is dropped and counted, an incident waits all the same */
    WEIR_REMEDY_REFUSE,
    WEIR_REMEDY_REDIRECT,  /* the key is elsewhere */
    WEIR_REMEDY_ASK,       /* this key is elsewhere already */
    WEIR_REMEDY_RECONNECT, /* another connection, perhaps to another server */
};

struct weir_trouble_row {
    const char *answer; /* how Redis' error begins; NULL: not an answer */
    enum weir_trouble trouble;
    enum weir_remedy remedy;
    int64_t quiet_ms;   /* over when not met for so long */
    const char *advice; /* NULL: an ordinary event, not worth a line */
};

/* The row of Redis' error text (the last is for any other). */
const struct weir_trouble_row *weir_trouble_of_answer(const char *error);
const struct weir_trouble_row *weir_trouble_row(enum weir_trouble trouble);

struct weir_troubles {
    struct {
        bool met;
        int64_t since_ms, last_ms;
        char text[160];
    } of[WEIR_TROUBLE_N];
    char last_error[200];
};
/* Notes it; true when it is new, and worth a line. */
bool weir_troubles_meet(struct weir_troubles *troubles, enum weir_trouble trouble, const char *text,
                        int64_t now_ms);
/* Nothing can be reached: what is wrong with the connection goes on. */
void weir_troubles_hold(struct weir_troubles *troubles, int64_t now_ms);
/* One that is over by now, and for how long it lasted; NONE when there is none. */
enum weir_trouble weir_troubles_over(struct weir_troubles *troubles, int64_t now_ms,
                                     int64_t *ret_lasted_ms);
