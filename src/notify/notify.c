#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/private_file.h"
#include "base/untrusted_json.h"
#include "notify/hook.h"
#include "notify/mailbox.h"
#include "notify/notify.h"

enum {
    EVENTS_MAX = 10000,
    READ_AT_ONCE = 500,
    TIMEOUT_S = 15,
    CONNECT_S = 5,
    BACKOFF_MAX_S = 60,
    LOOK_MS = 500,
    ANSWER_MAX = 65536,
    CURSOR_BYTES_MAX = 16 << 20,
    ONCE_FAILURES = 3
};

struct post {
    struct weir_notifier *notifier;
    struct weir_mailbox box;
    int command_fd; /* -1: HTTP */
    CURL *easy;
    struct curl_slist *headers;
    char *body;
    size_t answered;
    bool trouble; /* was said */
};

struct weir_notifier {
    struct weir_notify_options options;
    size_t n_posts;
    struct post *posts;
    CURLM *multi;
    size_t n_events;
    struct weir_event_record *events[EVENTS_MAX];
    char read_to[48]; /* position of the newest event that was read */
    bool began, feed_trouble, dirty;
    bool stuck; /* the cursor can't be written */
    int64_t looked_us;
};

static int64_t clock_us(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- the cursor ---- */

static int write_cursor(struct weir_notifier *n) {
    struct json_object *object = json_object_new_object(), *targets = json_object_new_object();
    for (size_t i = 0; i < n->n_posts; i++)
        json_object_object_add(targets, n->posts[i].box.target.name,
                               weir_mailbox_save(&n->posts[i].box));
    json_object_object_add(object, "weir", json_object_new_int(1));
    json_object_object_add(object, "site", json_object_new_string(weir_feed_site(n->options.feed)));
    json_object_object_add(object, "targets", targets);
    const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
    const struct weir_piece piece = {text, strlen(text)};
    int error = weir_private_replace(n->options.cursor, 0600, true, &piece, 1);
    json_object_put(object);
    n->dirty = false;
    return error;
}

static void save(struct weir_notifier *n) {
    int error = write_cursor(n);
    if (error)
        weir_log(WEIR_LOG_ERROR, "%s: %s; what was told may be told again", n->options.cursor,
                 strerror(-error));
}

/* Whoever can't remember what was told must not begin to tell. */
static int cannot_write(struct weir_notifier *n, int error, struct weir_fault *fault) {
    const struct passwd *self = getpwuid(geteuid());
    char number[24];
    snprintf(number, sizeof number, "%u", (unsigned)geteuid());
    n->stuck = true;
    return weir_fault_set(fault, error,
                          "%s: user %s cannot write there: %s; give the directory to that user, or "
                          "name another with --user/--cursor",
                          n->options.cursor, self ? self->pw_name : number, strerror(-error));
}

/* What earlier runs told each target. A cursor of another site counts for nothing: its positions
 * are others. */
static void load(struct weir_notifier *n) {
    struct json_object *whole = weir_untrusted_json_file(n->options.cursor, CURSOR_BYTES_MAX),
                       *targets, *one;
    bool ours =
        strcmp(weir_untrusted_member(whole, "site"), weir_feed_site(n->options.feed)) == 0 &&
        json_object_object_get_ex(whole, "targets", &targets);
    for (size_t i = 0; ours && i < n->n_posts; i++)
        if (json_object_object_get_ex(targets, n->posts[i].box.target.name, &one))
            weir_mailbox_load(&n->posts[i].box, one);
    json_object_put(whole);
}

/* Once the feed answers: where each target goes on. */
static int begin(struct weir_notifier *n, struct weir_fault *fault) {
    char newest[48];
    int error = weir_feed_newest(n->options.feed, newest, fault);
    if (error) return error;
    load(n);
    for (size_t i = 0; i < n->n_posts; i++) {
        struct weir_mailbox *box = &n->posts[i].box;
        if (!box->at[0] ||
            weir_position_compare(box->at, newest) > 0) /* new; or the events began anew */
            strcpy(box->at, n->options.from_start || box->at[0] ? "0" : newest);
        if (i == 0 || weir_position_compare(box->at, n->read_to) < 0) strcpy(n->read_to, box->at);
    }
    n->began = true;
    error = write_cursor(n);
    return error ? cannot_write(n, error, fault) : 0;
}

/* ---- events ---- */

static int take_event(void *context, const char *position, const char *json) {
    struct weir_notifier *n = context;
    struct weir_event_record *event = malloc(sizeof *event);
    if (!event) return -ENOMEM;
    snprintf(n->read_to, sizeof n->read_to, "%s", position);
    if (weir_event_read(event, position, json) < 0)
        free(event);
    else
        n->events[n->n_events++] = event;
    return 0;
}

/* Forgets what every target has heard, or will not hear. */
static void forget_settled(struct weir_notifier *n) {
    size_t kept = 0;
    for (size_t i = 0; i < n->n_events; i++) {
        bool settled = true;
        for (size_t t = 0; settled && t < n->n_posts; t++)
            settled = weir_position_compare(n->events[i]->position, n->posts[t].box.at) <= 0 &&
                      n->posts[t].box.event != n->events[i];
        if (!settled) {
            n->events[kept++] = n->events[i];
            continue;
        }
        weir_event_deinit(n->events[i]);
        free(n->events[i]);
    }
    n->n_events = kept;
}

static int look(struct weir_notifier *n, struct weir_fault *fault) {
    size_t before;
    int error = n->began ? 0 : begin(n, fault);
    do {
        before = n->n_events;
        int room = (int)(EVENTS_MAX - n->n_events), max = room < READ_AT_ONCE ? room : READ_AT_ONCE;
        if (!error && max > 0)
            error = weir_feed_read(n->options.feed, n->read_to, max, take_event, n, fault);
    } while (!error && n->n_events - before == READ_AT_ONCE);
    if (error && !n->feed_trouble && !n->stuck)
        weir_log(WEIR_LOG_WARNING, "%s; waiting", fault->text);
    else if (!error && n->feed_trouble)
        weir_log(WEIR_LOG_NOTICE, "incidents can be read (again)");
    n->feed_trouble = error != 0;
    return error;
}

/* ---- telling ---- */

static size_t swallow(char *bytes, size_t size, size_t n, void *context) {
    struct post *post = context;
    post->answered += size * n;
    return post->answered > ANSWER_MAX ? 0 : size * n; /* an answer without end is no answer */
}

static int start_http(struct post *post, const struct weir_headers *headers) {
    char url[500];
    post->headers = NULL;
    for (int i = 0; i < headers->n; i++)
        post->headers = curl_slist_append(post->headers, headers->text[i]);
    if (post->box.target.authorization[0])
        post->headers = curl_slist_append(post->headers, post->box.target.authorization);
    post->headers = curl_slist_append(post->headers, "Expect:");
    post->easy = curl_easy_init();
    post->answered = 0;
    if (!post->easy) return -ENOMEM;
    curl_easy_setopt(post->easy, CURLOPT_URL, weir_event_url(&post->box.target, url));
    curl_easy_setopt(post->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(post->easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(post->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(post->easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(post->easy, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    curl_easy_setopt(post->easy, CURLOPT_USERAGENT, "weir/" WEIR_VERSION);
    curl_easy_setopt(post->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(post->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(post->body));
    curl_easy_setopt(post->easy, CURLOPT_POSTFIELDS, post->body);
    curl_easy_setopt(post->easy, CURLOPT_HTTPHEADER, post->headers);
    curl_easy_setopt(post->easy, CURLOPT_WRITEFUNCTION, swallow);
    curl_easy_setopt(post->easy, CURLOPT_WRITEDATA, post);
    curl_easy_setopt(post->easy, CURLOPT_PRIVATE, post);
    return curl_multi_add_handle(post->notifier->multi, post->easy) == CURLM_OK ? 0 : -EIO;
}

static void clean(struct post *post) {
    if (post->easy) {
        curl_multi_remove_handle(post->notifier->multi, post->easy);
        curl_easy_cleanup(post->easy);
    }
    curl_slist_free_all(post->headers);
    free(post->body);
    post->easy = NULL;
    post->headers = NULL;
    post->body = NULL;
    post->box.flying = false;
    post->box.event = NULL;
}

static void retry_later(struct post *post, const char *why) {
    int64_t wait_s = post->box.failures < 6 ? INT64_C(1) << post->box.failures : BACKOFF_MAX_S;
    post->box.failures++;
    post->box.next_us = clock_us(CLOCK_MONOTONIC) + wait_s * 1000000;
    if (!post->trouble)
        weir_log(WEIR_LOG_WARNING, "%s: %s; trying on", post->box.target.shown, why);
    post->trouble = true;
    clean(post);
}

static void settled(struct post *post, bool taken, const char *why) {
    struct weir_notifier *n = post->notifier;
    struct weir_event_record *event = post->box.event;
    weir_mailbox_settle(&post->box, n->events, n->n_events, event, taken);
    save(n);
    if (!taken)
        weir_log(WEIR_LOG_ERROR, "%s: refuses %s of %s for good (%s): set aside, the %llu. so far",
                 post->box.target.shown, event->event, event->id, why,
                 (unsigned long long)post->box.aside);
    else if (post->trouble)
        weir_log(WEIR_LOG_NOTICE, "%s: takes events again", post->box.target.shown);
    post->trouble = post->trouble && !taken;
    post->box.failures = 0;
    post->box.next_us = 0;
    clean(post);
    forget_settled(n);
}

static void start(struct post *post, struct weir_event_record *event) {
    struct weir_headers headers;
    post->box.flying = true;
    post->box.event = event;
    post->body = weir_event_body(event, &post->box.target, weir_mailbox_service(&post->box, event),
                                 &headers);
    int error = !post->body ? -ENOMEM
                : post->command_fd >= 0
                    ? weir_hook_ask(post->command_fd, post->body, strlen(post->body))
                    : start_http(post, &headers);
    if (error) retry_later(post, strerror(-error));
}

static bool is_acknowledged(void *context, const char *id) {
    return weir_feed_is_acknowledged(context, id);
}

static void start_what_is_due(struct weir_notifier *n) {
    int64_t now_us = clock_us(CLOCK_MONOTONIC), wall_us = clock_us(CLOCK_REALTIME);
    for (size_t i = 0; i < n->n_posts; i++) {
        struct post *post = &n->posts[i];
        if (post->box.flying || now_us < post->box.next_us) continue;
        struct weir_event_record *event =
            weir_mailbox_next(&post->box, n->events, n->n_events, wall_us, is_acknowledged,
                              n->options.feed, &n->dirty);
        if (event) start(post, event);
    }
    if (n->dirty) save(n);
}

/* ---- answers ---- */

static void finish_http(struct post *post, CURLcode result) {
    long code = 0;
    char why[CURL_ERROR_SIZE + 64];
    curl_easy_getinfo(post->easy, CURLINFO_RESPONSE_CODE, &code);
    if (result != CURLE_OK && !(result == CURLE_WRITE_ERROR && code >= 200))
        snprintf(why, sizeof why, "%s", curl_easy_strerror(result));
    else
        snprintf(why, sizeof why, "HTTP %ld%s", code,
                 code >= 300 && code < 400 ? ", a redirect, which is not followed" : "");
    bool good = result == CURLE_OK && code >= 200 && code < 300;
    bool never = result == CURLE_OK &&
                 ((code >= 400 && code < 500 && code != 408 && code != 425 && code != 429) ||
                  code == 301 || code == 308);
    if (good || never)
        settled(post, good, why);
    else
        retry_later(post, why);
}

static void take_http_answers(struct weir_notifier *n) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(n->multi, &left))) {
        struct post *post = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&post);
        if (message->msg == CURLMSG_DONE && post) finish_http(post, message->data.result);
    }
}

static void take_command_answer(struct post *post) {
    struct pollfd answer = {.fd = post->command_fd, .events = POLLIN};
    if (post->command_fd < 0 || !post->box.flying || poll(&answer, 1, 0) <= 0) return;
    int said = weir_hook_answer(post->command_fd);
    if (said == WEIR_HOOK_TAKEN || said == WEIR_HOOK_NEVER)
        settled(post, said == WEIR_HOOK_TAKEN, "exit code 100");
    else
        retry_later(post, said < 0 ? "its process is gone" : "it failed");
}

/* ---- the loop ---- */

static int wait_a_while(struct weir_notifier *n) {
    struct curl_waitfd commands[WEIR_TARGETS_MAX];
    unsigned n_commands = 0;
    int running;
    for (size_t i = 0; i < n->n_posts; i++)
        if (n->posts[i].command_fd >= 0 && n->posts[i].box.flying)
            commands[n_commands++] =
                (struct curl_waitfd){.fd = n->posts[i].command_fd, .events = CURL_WAIT_POLLIN};
    curl_multi_poll(n->multi, commands, n_commands, LOOK_MS / 2, NULL);
    curl_multi_perform(n->multi, &running);
    return running;
}

/* With `once`: is there anything left that may still be taken? */
static int unsettled(const struct weir_notifier *n, bool *ret_hopeless) {
    int left = 0;
    *ret_hopeless = true;
    for (size_t t = 0; t < n->n_posts; t++) {
        int waiting = 0;
        for (size_t i = 0; i < n->n_events; i++)
            waiting += !weir_mailbox_is_settled(&n->posts[t].box, n->events[i]);
        left += waiting;
        if (waiting && n->posts[t].box.failures < ONCE_FAILURES) *ret_hopeless = false;
    }
    return left;
}

int weir_notifier_run(struct weir_notifier *n, const volatile int *stop, void (*alive)(void),
                      struct weir_fault *fault) {
    while (!*stop) {
        int64_t now_us = clock_us(CLOCK_MONOTONIC);
        if (now_us - n->looked_us >= LOOK_MS * 1000) {
            n->looked_us = now_us;
            if (look(n, fault) < 0 && (n->options.once || n->stuck)) return -EIO;
            if (alive) alive();
        }
        start_what_is_due(n);
        bool hopeless;
        int left = n->options.once ? unsettled(n, &hopeless) : 1;
        if (n->options.once && (!left || hopeless)) return left;
        wait_a_while(n);
        take_http_answers(n);
        for (size_t i = 0; i < n->n_posts; i++) take_command_answer(&n->posts[i]);
    }
    return 0;
}

/* ---- life ---- */

int weir_notifier_new(struct weir_notifier **ret_notifier,
                      const struct weir_notify_options *options, const int *command_fds,
                      struct weir_fault *fault) {
    struct weir_notifier *n = calloc(1, sizeof *n);
    if (!n) return -ENOMEM;
    n->options = *options;
    n->looked_us = INT64_MIN / 2;
    n->multi = curl_multi_init();
    n->posts = calloc(options->n_targets, sizeof *n->posts);
    if (!n->multi || !n->posts) {
        weir_notifier_free(n);
        return -ENOMEM;
    }
    n->n_posts = options->n_targets;
    for (size_t i = 0; i < n->n_posts; i++) {
        n->posts[i].notifier = n;
        n->posts[i].box.target = options->targets[i];
        n->posts[i].command_fd = command_fds[i];
    }
    *ret_notifier = n;
    return 0;
}

void weir_notifier_free(struct weir_notifier *n) {
    if (!n) return;
    for (size_t i = 0; i < n->n_posts; i++) clean(&n->posts[i]);
    for (size_t i = 0; i < n->n_events; i++) {
        weir_event_deinit(n->events[i]);
        free(n->events[i]);
    }
    free(n->posts);
    curl_multi_cleanup(n->multi);
    free(n);
}
