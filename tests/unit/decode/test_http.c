/* HTTP/1 requests: where the host stands, in what spelling, and when it is too early to say. */
#include "wire_test.h"

#include <weir/wire.h>

static enum weir_wire request_of(const char *text, size_t length,
                                 struct weir_http_request *request) {
    uint8_t *copy = exact_copy(text, length);
    enum weir_wire wire = weir_http_request(copy, length, request);
    free(copy);
    return wire;
}

static void test_requests(void **state) {
    static const struct {
        const char *text;
        enum weir_wire wire;
        const char *host;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: example.com\r\n", WEIR_WIRE_OK, "example.com"},
        {"GET /range/0-65535?o=AQ HTTP/1.1\r\nAccept: */*\r\nHOST:\t23.246.3.140 \r\n\r\n",
         WEIR_WIRE_OK, "23.246.3.140"},
        {"POST /x HTTP/1.0\nhost: Example.COM.\n", WEIR_WIRE_OK, "example.com"},
        {"HEAD / HTTP/1.1\r\nHost: example.com:8080\r\n", WEIR_WIRE_OK, "example.com"},
        {"GET http://u:p@cdn.example:81/a HTTP/1.1\r\n", WEIR_WIRE_OK, "cdn.example"},
        {"GET http://cdn.example?q=/a HTTP/1.1\r\nHost: other.example\r\n", WEIR_WIRE_OK,
         "cdn.example"},
        {"GET HTTP://cdn.example HTTP/1.1\r\n", WEIR_WIRE_OK, "cdn.example"},
        {"CONNECT media.example:443 HTTP/1.1\r\n", WEIR_WIRE_OK, "media.example"},
        {"OPTIONS * HTTP/1.1\r\nHost: a.example\r\n", WEIR_WIRE_OK, "a.example"},
        {"GET /go?u=http://no.example/ HTTP/1.1\r\nHost: a.example\r\n", WEIR_WIRE_OK, "a.example"},
        {"GET / HTTP/1.1\r\nX-Host: no.example\r\nHost: a.example\r\n", WEIR_WIRE_OK, "a.example"},
        {"GET / HTTP/1.1\r\nA: b\r\n  folded: c\r\nHost: a.example\r\n", WEIR_WIRE_OK, "a.example"},
        {"GET / HTTP/1.1\r\nHost:\r\n a.example\r\n", WEIR_WIRE_OK, "a.example"},
        {"GET / HTTP/1.1\r\nHost:\r\n \r\n\ta.example\r\n", WEIR_WIRE_OK, "a.example"},
        {"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n", WEIR_WIRE_OK, ""},
        {"GET / HTTP/1.1\r\nHost:\r\nA: b\r\n", WEIR_WIRE_OK, ""},
        {"GET / HTTP/1.1\r\nHost: a b\r\n", WEIR_WIRE_OK, ""},
        {"GET / HTTP/1.1\r\n\r\nHost: no.example\r\n", WEIR_WIRE_NOT, ""},
        {"GET / HTTP/1.1\r\nA: b\r\n\r\n", WEIR_WIRE_NOT, ""},
        {"GET / HTTP/2.0\r\nHost: a.example\r\n", WEIR_WIRE_NOT, ""},
        {"GET /\r\nHost: a.example\r\n", WEIR_WIRE_NOT, ""},
        {"GET HTTP/1.1\r\nHost: a.example\r\n", WEIR_WIRE_NOT, ""},
        {"GET / a HTTP/1.1\r\nHost: a.example\r\n", WEIR_WIRE_NOT, ""},
        {"GET /\x01 HTTP/1.1\r\nHost: a.example\r\n", WEIR_WIRE_NOT, ""},
        {"GET /\x01", WEIR_WIRE_NOT, ""},
        {"GETS / HTTP/1.1\r\nHost: a.example\r\n", WEIR_WIRE_NOT, ""},
        {"HTTP/1.1 200 OK\r\n", WEIR_WIRE_NOT, ""},
        {"PRI * HTTP/2.0\r\n\r\n", WEIR_WIRE_NOT, ""},
        {"", WEIR_WIRE_SHORT, ""},
        {"P", WEIR_WIRE_SHORT, ""},
        {"GET / HT", WEIR_WIRE_SHORT, ""},
        {"GET / HTTP/1.1\r", WEIR_WIRE_SHORT, ""},
        {"GET / HTTP/1.1\r\nHost: a.exam", WEIR_WIRE_SHORT, ""},
        {"GET / HTTP/1.1\r\nHost: a.example\r", WEIR_WIRE_SHORT, ""},
        {"GET / HTTP/1.1\r\nHost:\r\n", WEIR_WIRE_SHORT, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct weir_http_request request;
        enum weir_wire wire = request_of(rows[i].text, strlen(rows[i].text), &request);
        if (wire != rows[i].wire || strcmp(request.host.text, rows[i].host) != 0)
            fail_msg("%s: %d '%s'", rows[i].text, wire, request.host.text);
    }
}

static void test_every_cut(void **state) {
    static const char text[] =
        "DELETE /a/b HTTP/1.1\r\nUser-Agent: x\r\n y\r\nhOsT: media.example:8080\r\n\r\n";
    size_t enough = (size_t)(strstr(text, "8080\r\n") - text) + 6;
    for (size_t cut = 0; cut < sizeof text - 1; cut++) {
        struct weir_http_request request;
        assert_int_equal(request_of(text, cut, &request),
                         cut < enough ? WEIR_WIRE_SHORT : WEIR_WIRE_OK);
        assert_string_equal(request.host.text, cut < enough ? "" : "media.example");
    }
}

static void test_capture(void **state) {
    char *path = capture_path("netflix.pcap");
    FILE *lines =
        path ? tshark_fields(path, "http.request && tcp", "-e tcp.payload -e http.host") : NULL;
    free(path);
    if (!lines) skip();
    static char line[1 << 17];
    static uint8_t bytes[1 << 16];
    unsigned n_compared = 0;
    while (fgets(line, sizeof line, lines)) {
        char *rest = line;
        size_t length = unhex(next_field(&rest), bytes, sizeof bytes);
        struct weir_http_request request;
        if (request_of((const char *)bytes, length, &request) != WEIR_WIRE_OK)
            continue; /* not at the start of its segment */
        char *host = next_field(&rest);
        host[strcspn(host, ":")] = '\0';
        assert_string_equal(request.host.text, host);
        n_compared++;
    }
    pclose(lines);
    assert_true(n_compared >= 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_capture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
