/* HTTP/1 requests: which host they are for.
 *
 *   GET /path HTTP/1.1 CRLF  Host: example.com:8080 CRLF  ...  CRLF CRLF
 *
 * The target itself may name the host (a proxy's absolute form, or CONNECT) and then outranks the
 * Host field (RFC 9112 3.2.2). Lines may end in a bare LF and values may be folded, as old clients
 * do both. Each byte is looked at once or twice; how much header is worth buffering is the caller's
 * to say. */
#include <strings.h>

#include <weir/wire.h>

static const char *const methods[] = {"GET ",     "HEAD ",  "POST ",    "PUT ",  "DELETE ",
                                      "OPTIONS ", "PATCH ", "CONNECT ", "TRACE "};

struct text {
    const char *at, *end;
};

static size_t text_len(struct text text) { return (size_t)(text.end - text.at); }

/* Cuts the next line off `rest`, without its line end; false when its end is not there yet. */
static bool next_line(struct text *rest, struct text *ret_line) {
    const char *lf = memchr(rest->at, '\n', text_len(*rest));
    if (!lf) return false;
    *ret_line = (struct text){rest->at, lf > rest->at && lf[-1] == '\r' ? lf - 1 : lf};
    rest->at = lf + 1;
    return true;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static struct text trim(struct text text) {
    while (text.at < text.end && is_blank(*text.at)) text.at++;
    while (text.at < text.end && is_blank(text.end[-1])) text.end--;
    return text;
}

/* [user@]host[:port], up to '/', '?' or '#'. A name that is none (an IPv6 literal) leaves the host
 * empty. */
static void set_authority(struct weir_host *host, struct text text) {
    for (const char *c = text.at; c < text.end; c++)
        if (*c == '/' || *c == '?' || *c == '#') text.end = c;
    const char *user = memrchr(text.at, '@', text_len(text));
    if (user) text.at = user + 1;
    const char *colon = memchr(text.at, ':', text_len(text));
    if (colon) text.end = colon;
    weir_host_set(host, text.at, text_len(text));
}

/* The length of the method and its space; 0 when there is none, or *ret_short when one may yet
 * come. */
static size_t match_method(struct text text, bool *ret_short) {
    *ret_short = false;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        size_t length = strlen(methods[i]);
        size_t at_hand = text_len(text) < length ? text_len(text) : length;
        if (memcmp(text.at, methods[i], at_hand) != 0) continue;
        if (at_hand == length) return length;
        *ret_short = true;
    }
    return 0;
}

/* Where "://" ends in a target of absolute form, else NULL. */
static const char *behind_scheme(struct text target) {
    const char *c = target.at;
    while (c < target.end && ((*c | 0x20) >= 'a' && (*c | 0x20) <= 'z')) c++;
    bool absolute = c > target.at && target.end - c > 3 && memcmp(c, "://", 3) == 0;
    return absolute ? c + 3 : NULL;
}

/* Bytes that no request line has, as far as it is there: what is not text is not HTTP. */
static bool has_control(struct text text) {
    for (const char *c = text.at; c < text.end; c++)
        if ((uint8_t)*c < ' ' || *c == 0x7f) return true;
    return false;
}

/* "target HTTP/1.x". NOT when it is no request line. Sets the host when the target names one. */
static enum weir_wire read_target(struct text line, bool connect, struct weir_host *host) {
    const char *space = memrchr(line.at, ' ', text_len(line));
    if (!space || space == line.at || line.end - space != 9 ||
        memcmp(space + 1, "HTTP/1.", 7) != 0 || line.end[-1] < '0' || line.end[-1] > '9' ||
        has_control(line))
        return WEIR_WIRE_NOT;
    struct text target = {line.at, space};
    if (memchr(target.at, ' ', text_len(target))) return WEIR_WIRE_NOT;
    const char *authority = connect ? target.at : behind_scheme(target);
    if (authority) set_authority(host, (struct text){authority, target.end});
    return WEIR_WIRE_OK;
}

/* The value of a Host field, unfolded as far as needed to have it begin. SHORT when that is not
 * there yet. */
static enum weir_wire read_host_value(struct text value, struct text rest, struct weir_host *host) {
    value = trim(value);
    while (value.at == value.end) {
        if (rest.at == rest.end) return WEIR_WIRE_SHORT;
        if (!is_blank(*rest.at)) return WEIR_WIRE_OK; /* an empty Host, which RFC 9112 allows */
        struct text line;
        if (!next_line(&rest, &line)) return WEIR_WIRE_SHORT;
        value = trim(line);
    }
    set_authority(host, value);
    return WEIR_WIRE_OK;
}

static enum weir_wire read_fields(struct text rest, struct weir_host *host) {
    struct text line;
    while (next_line(&rest, &line)) {
        if (line.at == line.end) return WEIR_WIRE_NOT; /* the header ends and named no host */
        if (text_len(line) >= 5 && strncasecmp(line.at, "host:", 5) == 0)
            return read_host_value((struct text){line.at + 5, line.end}, rest, host);
    }
    return WEIR_WIRE_SHORT;
}

enum weir_wire weir_http_request(const uint8_t *bytes, size_t length,
                                 struct weir_http_request *ret_request) {
    struct weir_host *host = &ret_request->host;
    host->length = 0;
    host->text[0] = '\0';
    if (length == 0) return WEIR_WIRE_SHORT;

    struct text rest = {(const char *)bytes, (const char *)bytes + length}, line;
    bool is_short;
    size_t method_len = match_method(rest, &is_short);
    if (method_len == 0) return is_short ? WEIR_WIRE_SHORT : WEIR_WIRE_NOT;
    bool connect = rest.at[0] == 'C';
    rest.at += method_len;
    if (!next_line(&rest, &line)) {
        if (rest.at < rest.end && rest.end[-1] == '\r') rest.end--;
        return has_control(rest) ? WEIR_WIRE_NOT : WEIR_WIRE_SHORT;
    }
    enum weir_wire wire = read_target(line, connect, host);
    if (wire != WEIR_WIRE_OK || host->length > 0) return wire;
    return read_fields(rest, host);
}
