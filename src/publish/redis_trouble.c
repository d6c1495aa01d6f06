/* Redis says what is wrong by the first word of an error; each has its remedy. */
#include <stdio.h>
#include <string.h>

#include "publish/redis_trouble.h"

/* ms: a connection is seen at once, a refusal comes once a window */
enum { SOON = 1500, LATER = 30000 };

static const struct weir_trouble_row rows[] = {
    {NULL, WEIR_TROUBLE_CONNECT, WEIR_REMEDY_RECONNECT, SOON, "trying again until it answers"},
    {NULL, WEIR_TROUBLE_LOST, WEIR_REMEDY_RECONNECT, SOON, "connecting again"},
    {NULL, WEIR_TROUBLE_SLOW, WEIR_REMEDY_RECONNECT, SOON,
     "connecting again; is it overloaded, or the network cut?"},
    {NULL, WEIR_TROUBLE_SENTINEL, WEIR_REMEDY_RECONNECT, SOON, "asking the next Sentinel"},
    {NULL, WEIR_TROUBLE_NOT_MASTER, WEIR_REMEDY_RECONNECT, SOON,
     "waiting for the fail-over to end"},
    {NULL, WEIR_TROUBLE_SPOOL, WEIR_REMEDY_WAIT, SOON,
     "until then incidents are kept in memory only"},
    {NULL, WEIR_TROUBLE_DROPPED, WEIR_REMEDY_WAIT, LATER,
     "the queue is full: the oldest are dropped, and counted in the probe's hash"},
    {"NOAUTH", WEIR_TROUBLE_AUTH, WEIR_REMEDY_RECONNECT, SOON,
     "give the password: in a file (--redis-password-file), WEIR_REDIS_PASSWORD, or the URL"},
    {"WRONGPASS", WEIR_TROUBLE_AUTH, WEIR_REMEDY_RECONNECT, SOON,
     "correct user and password; a password file is read again at each try"},
    {"ERR AUTH", WEIR_TROUBLE_AUTH, WEIR_REMEDY_RECONNECT, SOON,
     "Redis wants no password, or another: correct it"},
    {"ERR invalid password", WEIR_TROUBLE_AUTH, WEIR_REMEDY_RECONNECT, SOON,
     "correct the password"},
    {"ERR Client sent AUTH", WEIR_TROUBLE_AUTH, WEIR_REMEDY_RECONNECT, SOON,
     "Redis wants no password: leave it out"},
    {"LOADING", WEIR_TROUBLE_LOADING, WEIR_REMEDY_RECONNECT, SOON,
     "waiting until it has loaded its data"},
    {"MASTERDOWN", WEIR_TROUBLE_READONLY, WEIR_REMEDY_RECONNECT, SOON, "waiting for a master"},
    {"READONLY", WEIR_TROUBLE_READONLY, WEIR_REMEDY_RECONNECT, SOON,
     "this is a replica: looking for the master"},
    {"OOM", WEIR_TROUBLE_FULL, WEIR_REMEDY_WAIT, LATER,
     "raise its maxmemory, or free some; incidents are kept until then"},
    {"MISCONF", WEIR_TROUBLE_DISK, WEIR_REMEDY_WAIT, LATER,
     "Redis can't write its disk; incidents are kept until then"},
    {"NOREPLICAS", WEIR_TROUBLE_REPLICAS, WEIR_REMEDY_WAIT, LATER,
     "incidents are kept until enough replicas are there"},
    {"BUSY", WEIR_TROUBLE_BUSY, WEIR_REMEDY_WAIT, LATER, "a script keeps it busy"},
    {"CLUSTERDOWN", WEIR_TROUBLE_CLUSTER, WEIR_REMEDY_WAIT, LATER, "waiting for the cluster"},
    {"TRYAGAIN", WEIR_TROUBLE_CLUSTER, WEIR_REMEDY_WAIT, LATER, "waiting for the cluster"},
    {"ERR CROSSSLOT", WEIR_TROUBLE_OTHER, WEIR_REMEDY_WAIT, LATER, "please report this"},
    {"MOVED ", WEIR_TROUBLE_MOVED, WEIR_REMEDY_REDIRECT, SOON, NULL},
    {"ASK ", WEIR_TROUBLE_ASK, WEIR_REMEDY_ASK, SOON, NULL},
    {"ERR The ID specified in XADD", WEIR_TROUBLE_ID, WEIR_REMEDY_LOOK_UP, SOON, NULL},
    {"WRONGTYPE", WEIR_TROUBLE_TYPE, WEIR_REMEDY_REFUSE, LATER,
     "another program uses a key of weir's: rename or delete it"},
    {"NOPERM", WEIR_TROUBLE_PERMISSION, WEIR_REMEDY_REFUSE, LATER,
     "allow it: ACL SETUSER <user> ~weir:* &weir:* +@all, or less as the README lists"},
    {"EXECABORT", WEIR_TROUBLE_ABORTED, WEIR_REMEDY_WAIT, SOON,
     NULL}, /* the command at fault had its own answer */
    {"", WEIR_TROUBLE_OTHER, WEIR_REMEDY_REFUSE, LATER, "weir needs Redis 5 or newer"},
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

const struct weir_trouble_row *weir_trouble_of_answer(const char *error) {
    const struct weir_trouble_row *row = rows;
    while (!row->answer || strncmp(error, row->answer, strlen(row->answer)) != 0) row++;
    return row;
}

const struct weir_trouble_row *weir_trouble_row(enum weir_trouble trouble) {
    for (int i = 0; i < N_ROWS; i++)
        if (rows[i].trouble == trouble) return &rows[i];
    return &rows[N_ROWS - 1];
}

bool weir_troubles_meet(struct weir_troubles *troubles, enum weir_trouble trouble, const char *text,
                        int64_t now_ms) {
    const struct weir_trouble_row *row = weir_trouble_row(trouble);
    if (!row->advice) return false;
    bool fresh = !troubles->of[trouble].met;
    if (fresh) {
        troubles->of[trouble].since_ms = now_ms;
        snprintf(troubles->of[trouble].text, sizeof troubles->of[trouble].text, "%s", text);
    }
    troubles->of[trouble].met = true;
    troubles->of[trouble].last_ms = now_ms;
    snprintf(troubles->last_error, sizeof troubles->last_error, "%s", text);
    return fresh;
}

void weir_troubles_hold(struct weir_troubles *troubles, int64_t now_ms) {
    for (int i = 1; i < WEIR_TROUBLE_N; i++)
        if (troubles->of[i].met &&
            weir_trouble_row((enum weir_trouble)i)->remedy == WEIR_REMEDY_RECONNECT)
            troubles->of[i].last_ms = now_ms;
}

enum weir_trouble weir_troubles_over(struct weir_troubles *troubles, int64_t now_ms,
                                     int64_t *ret_lasted_ms) {
    for (int i = 1; i < WEIR_TROUBLE_N; i++)
        if (troubles->of[i].met &&
            now_ms - troubles->of[i].last_ms > weir_trouble_row((enum weir_trouble)i)->quiet_ms) {
            troubles->of[i].met = false;
            *ret_lasted_ms = troubles->of[i].last_ms - troubles->of[i].since_ms;
            return (enum weir_trouble)i;
        }
    return WEIR_TROUBLE_NONE;
}
