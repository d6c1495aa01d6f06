/* What a signature file may not be, and where the fault says it is wrong. */
#undef NDEBUG
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <weir/service.h>

#include "signature_files.h"

#define HEAD  "id: a\ntitle: A\nkind: vod\n"
#define HOSTS "hosts:\n  media:\n    - a.net\n"

/* One file each, named a.yaml, and how its fault starts behind "<directory>/". */
static const struct {
    const char *what, *text, *fault;
} bad[] = {
    {"unknown key", HEAD HOSTS "colour: red\n", "a.yaml:7: Unexpected key: colour"},
    {"unknown key in between", "id: a\ncolour: red\n" HOSTS, "a.yaml:2: Unexpected key: colour"},
    {"unknown role", HEAD "hosts:\n  media:\n    - a.net\n  video:\n    - b.net\n",
     "a.yaml:7: hosts: Unexpected key: video"},
    {"key twice", HEAD HOSTS "title: B\n", "a.yaml:7: title: Mapping field already seen: title"},
    {"a list for a word", "id: [a]\ntitle: A\nkind: vod\n" HOSTS, "a.yaml:1: id: Expecting STRING"},
    {"a word for a list", HEAD "hosts:\n  media: a.net\n",
     "a.yaml:5: hosts.media: Expecting SEQUENCE"},
    {"a word for a number", HEAD HOSTS "asns: [AS2906]\n",
     "a.yaml:7: asns: Invalid uint64_t value: 'AS2906'"},
    {"number too large", HEAD HOSTS "asns: [4294967296]\n", "a.yaml:7: asns: Invalid UINT value"},
    {"negative number", HEAD HOSTS "asns: [-1]\n", "a.yaml:7: asns: Invalid UINT value"},
    {"AS 0", HEAD HOSTS "asns:\n  - 0\n", "a.yaml:7: asns: 0 is no AS number"},
    {"bad kind", "id: a\ntitle: A\nkind: film\n" HOSTS, "a.yaml:3: kind: Invalid ENUM value: film"},
    {"kind as number", "id: a\ntitle: A\nkind: 1\n" HOSTS, "a.yaml:3: kind: Invalid ENUM value: 1"},
    {"no title", "id: a\nkind: vod\n" HOSTS, "a.yaml: Missing required mapping field: title"},
    {"no hosts", HEAD, "a.yaml: Missing required mapping field: hosts"},
    {"hosts without role", HEAD "hosts: {}\n", "a.yaml:4: hosts: neither media nor control"},
    {"empty list", HEAD "hosts:\n  media: []\n", "a.yaml:5: hosts.media: Insufficient entries"},
    {"id with capital", "id: A\ntitle: A\nkind: vod\n" HOSTS, "a.yaml:1: id: 'A' is no service id"},
    {"id with dash", "id: a-b\ntitle: A\nkind: vod\n" HOSTS,
     "a.yaml:1: id: 'a-b' is no service id"},
    {"id of another file", "id: b\ntitle: A\nkind: vod\n" HOSTS,
     "a.yaml:1: id: 'b' differs from the file's name"},
    {"reserved id", "id: other\ntitle: A\nkind: vod\n" HOSTS, "a.yaml:1: id: 'other' is reserved"},
    {"id too long", "id: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\ntitle: A\nkind: vod\n" HOSTS,
     "a.yaml:1: id: STRING length > 31"},
    {"control characters", "id: a\ntitle: \"A\\e[2J\"\nkind: vod\n" HOSTS,
     "a.yaml:2: title: holds control characters"},
    {"C1 control characters", "id: a\ntitle: \"A\\x9b2J\"\nkind: vod\n" HOSTS,
     "a.yaml:2: title: holds control characters"},
    {"control characters in a fault", HEAD HOSTS "\"x\\e[2J\": 1\n",
     "a.yaml:5: Unexpected key: x?[2J"},
    {"capital in host", HEAD "hosts:\n  media:\n    - b.net\n    - A.net\n",
     "a.yaml:7: hosts.media: 'A.net' is no host name"},
    {"wildcard", HEAD "hosts:\n  control:\n    - '*.a.net'\n",
     "a.yaml:6: hosts.control: '*.a.net' is no host name"},
    {"leading dot", HEAD "hosts:\n  media:\n    - .a.net\n",
     "a.yaml:6: hosts.media: '.a.net' has an empty label"},
    {"two dots", HEAD "hosts:\n  media:\n    - a..net\n",
     "a.yaml:6: hosts.media: 'a..net' has an empty label"},
    {"trailing dot", HEAD "hosts:\n  media:\n    - a.net.\n",
     "a.yaml:6: hosts.media: 'a.net.' has an empty label"},
    {"top-level domain", HEAD "hosts:\n  media:\n    - net\n",
     "a.yaml:6: hosts.media: 'net' would match a whole"},
    {"bad never_count", HEAD HOSTS "never_count:\n  - a_b\n",
     "a.yaml:8: never_count: 'a_b' would match a whole"},
    {"host twice", HEAD "hosts:\n  media:\n    - a.net\n    - b.net\n    - a.net # again\n",
     "a.yaml:8: hosts.media: 'a.net' is listed twice"},
    {"host in both roles", HEAD HOSTS "  control:\n    - a.net\n",
     "a.yaml:8: hosts.control: 'a.net' is listed twice"},
    {"host never counted", HEAD HOSTS "never_count:\n  - a.net\n",
     "a.yaml:8: never_count: 'a.net' is listed twice"},
    {"no prefix", HEAD HOSTS "prefixes:\n  media:\n    - 192.0.2.0/33\n",
     "a.yaml:9: prefixes.media: '192.0.2.0/33' is no address prefix"},
    {"an address", HEAD HOSTS "prefixes:\n  media:\n    - 192.0.2.0\n",
     "a.yaml:9: prefixes.media: '192.0.2.0' is no address prefix"},
    {"bits behind", HEAD HOSTS "prefixes:\n  control:\n    - 192.0.2.1/24\n",
     "a.yaml:9: prefixes.control: '192.0.2.1/24' has address bits behind"},
    {"too wide", HEAD HOSTS "prefixes:\n  control:\n    - 96.0.0.0/7\n",
     "a.yaml:9: prefixes.control: '96.0.0.0/7' is too wide"},
    {"too wide, IPv6", HEAD HOSTS "prefixes:\n  media:\n    - 2000::/3\n",
     "a.yaml:9: prefixes.media: '2000::/3' is too wide"},
    {"prefix twice",
     HEAD HOSTS "prefixes:\n  media:\n    - 192.0.2.0/24\n  control:\n    - 192.0.2.0/24\n",
     "a.yaml:11: prefixes: '192.0.2.0/24' is listed twice"},
    {"protocol twice", HEAD HOSTS "ndpi:\n  - Netflix\n  - NetFlix\n", "a.yaml:"},
    {"segment too long", HEAD HOSTS "segment_seconds: 61\n",
     "a.yaml:7: segment_seconds: not within 0 and 60"},
    {"segment not a number", HEAD HOSTS "segment_seconds: nan\n", "a.yaml:7: segment_seconds: "},
    {"buffer too long", HEAD HOSTS "buffer_seconds: 601\n",
     "a.yaml:7: buffer_seconds: not within 0 and 600"},
    {"negative segment", HEAD HOSTS "segment_seconds: -2\n",
     "a.yaml:7: segment_seconds: not within 0 and 60"},
    {"alias", "id: &x a\ntitle: *x\nkind: vod\n" HOSTS, "a.yaml:2: title: YAML alias unsupported"},
    {"not YAML", "id: [a\n", "a.yaml:"},
    {"tabs", "\tid: a\n", "a.yaml: libyaml:"},
    {"nothing", "", "a.yaml: holds nothing"},
    {"only a comment", "# nothing\n", "a.yaml: holds nothing"},
};

static bool fault_is(const char *what, const struct signature_files *files, const char *expected) {
    struct weir_fault fault = {""};
    struct weir_service_set *const untouched = (struct weir_service_set *)&fault, *set = untouched;
    int error = weir_service_set_load(&set, files->path, &fault);
    char wanted[300];
    snprintf(wanted, sizeof wanted, "%s/%s", files->path, expected);
    bool same = error < 0 && set == untouched && !strchr(fault.text, '\n') &&
                strncmp(fault.text, wanted, strlen(wanted)) == 0;
    if (!same)
        print_error("%s: %d, \"%s\" instead of \"%s...\"\n", what, error, fault.text, wanted);
    return same;
}

static void check_fault(const char *what, const struct signature_files *files,
                        const char *expected) {
    assert_true(fault_is(what, files, expected));
}

static void test_faults_name_file_line_and_field(void **state) {
    size_t n_wrong = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct signature_files files = signature_files_new();
        signature_files_add(&files, "a.yaml", bad[i].text);
        n_wrong += !fault_is(bad[i].what, &files, bad[i].fault);
        signature_files_free(&files);
    }
    assert_int_equal(n_wrong, 0);
}

/* A claim of two files: the later one has the fault, which names the earlier. */
static void check_claim(const char *a, const char *b, const char *fault, const char *owner) {
    struct signature_files files = signature_files_new();
    signature_files_add(&files, "a.yaml", a);
    signature_files_add(&files, "b.yaml", b);
    check_fault(fault, &files, fault);
    struct weir_fault text;
    struct weir_service_set *set;
    assert_int_equal(weir_service_set_load(&set, files.path, &text), -EINVAL);
    assert_non_null(strstr(text.text, owner));
    assert_non_null(strstr(text.text, "a.yaml)"));
    signature_files_free(&files);
}

#define HEAD_B "id: b\ntitle: B\nkind: live\n"

static void test_a_claim_of_two_services_names_both(void **state) {
    check_claim(HEAD HOSTS, HEAD_B "hosts:\n  control:\n    - b.net\n    - a.net\n",
                "b.yaml:7: hosts.control: 'a.net'", "belongs to a already");
    check_claim(HEAD HOSTS "prefixes:\n  media: [198.18.0.0/24]\n",
                HEAD_B "hosts: {media: [b.net]}\nprefixes:\n  control: [198.18.0.0/24]\n",
                "b.yaml:6: prefixes: '198.18.0.0/24'", "belongs to a already");
    check_claim(HEAD HOSTS "ndpi: [Foo]\n", HEAD_B "hosts: {media: [b.net]}\nndpi: [FOO]\n",
                "b.yaml:5: ndpi: 'FOO'", "belongs to a already");
}

static void test_cdn_file(void **state) {
    struct signature_files files = signature_files_new();
    signature_files_add(&files, "a.yaml", HEAD HOSTS);
    signature_files_add(&files, "cdn.yaml", "cdn: [b.net, b.net]\n");
    check_fault("cdn twice", &files, "cdn.yaml:1: cdn: 'b.net' is listed twice");
    signature_files_add(&files, "cdn.yaml", "cdn:\n  - x.a.net\n");
    check_fault("cdn of a service", &files, "cdn.yaml:2: cdn: 'x.a.net' belongs to a (");
    signature_files_add(&files, "cdn.yaml", "cdn:\n  - A\n");
    check_fault("cdn no host", &files, "cdn.yaml:2: cdn: 'A' is no host name");
    signature_files_add(&files, "cdn.yaml", "id: cdn\ncdn: [b.net]\n");
    check_fault("cdn unknown key", &files, "cdn.yaml:1: Unexpected key: id");
    signature_files_free(&files);
}

static void test_directories_and_files_that_cannot_be_read(void **state) {
    struct weir_fault fault;
    struct weir_service_set *set = NULL;
    assert_int_equal(weir_service_set_load(&set, "/nonexistent", &fault), -ENOENT);
    assert_non_null(strstr(fault.text, "/nonexistent: cannot be opened"));

    struct signature_files files = signature_files_new();
    assert_int_equal(weir_service_set_load(&set, files.path, &fault), -ENOENT);
    assert_non_null(strstr(fault.text, "holds no signatures"));
    signature_files_add(&files, "README.md", "no signature");
    signature_files_add(&files, ".a.yaml", "no signature");
    signature_files_add(&files, "cdn.yaml", "cdn: [a.net]\n");
    assert_int_equal(weir_service_set_load(&set, files.path, &fault), -ENOENT);

    char path[128];
    snprintf(path, sizeof path, "%s/a.yaml", files.path);
    assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes: reading must not wait */
    check_fault("fifo", &files, "a.yaml: not a regular file");
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    check_fault("directory", &files, "a.yaml: not a regular file");
    rmdir(path);
    assert_int_equal(symlink("nowhere", path), 0);
    check_fault("dangling", &files, "a.yaml: cannot be opened");
    unlink(path);
    signature_files_add(&files, "a.yaml", HEAD HOSTS);
    assert_int_equal(chmod(path, 0), 0);
    if (access(path, R_OK) < 0) /* root reads everything */
        check_fault("mode 0", &files, "a.yaml: cannot be opened");
    signature_files_free(&files);
}

static void test_bounds_of_a_file(void **state) {
    struct signature_files files = signature_files_new();
    size_t size = 64 * 1024;
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, '#', size + 1);
    memcpy(text, HEAD HOSTS, strlen(HEAD HOSTS));
    signature_files_write(&files, "a.yaml", text, size);
    struct weir_service_set *set;
    struct weir_fault fault = {""};
    assert_int_equal(weir_service_set_load(&set, files.path, &fault), 0);
    weir_service_set_unref(set);
    signature_files_write(&files, "a.yaml", text, size + 1);
    check_fault("too long", &files, "a.yaml: longer than 65536 bytes");

    char *end = text + sprintf(text, HEAD "hosts:\n  media:\n");
    for (int i = 0; i < 257; i++) end += sprintf(end, "    - h%d.net\n", i);
    signature_files_add(&files, "a.yaml", text);
    check_fault("too many hosts", &files, "a.yaml:262: hosts.media: Excessive entries (256 max)");
    free(text);
    signature_files_free(&files);
}

static void test_bounds_of_a_directory(void **state) {
    struct signature_files files = signature_files_new();
    char name[32], text[128];
    for (int i = 0; i < 127; i++) {
        snprintf(name, sizeof name, "s%03d.yaml", i);
        snprintf(text, sizeof text,
                 "id: s%03d\ntitle: S\nkind: call\nhosts: {media: [s%03d.net]}\n", i, i);
        signature_files_add(&files, name, text);
        struct weir_service_set *set;
        struct weir_fault fault = {""};
        if (i == 125) {
            assert_int_equal(weir_service_set_load(&set, files.path, &fault), 0);
            assert_int_equal(weir_service_set_count(set), WEIR_SERVICES_MAX);
            assert_string_equal(weir_service_get(set, WEIR_SERVICES_MAX - 1)->id, "s125");
            assert_int_equal(weir_service_match_host(set, "s125.net", 8).service,
                             WEIR_SERVICES_MAX - 1);
            weir_service_set_unref(set);
        }
    }
    struct weir_service_set *set;
    struct weir_fault fault = {""};
    assert_int_equal(weir_service_set_load(&set, files.path, &fault), -E2BIG);
    assert_non_null(strstr(fault.text, "more than 126 services"));
    signature_files_free(&files);
}

static void test_every_field_arrives(void **state) {
    struct signature_files files = signature_files_new();
    signature_files_add(
        &files, "all.yaml",
        "id: all\ntitle: Tout \xc3\xa9t\xc3\xa9\nkind: audio\nndpi: [One, Two]\n"
        "hosts:\n  control: [c.all.net]\n  media: [m.all.net, all.net]\n"
        "never_count: [n.all.net]\nprefixes:\n  media: [2001:db8::/32]\n  control: [198.18.0.0/15]\n"
        "asns: [64496, 4294967295]\nsegment_seconds: 3.84\nbuffer_seconds: 90.5\n");
    struct weir_service_set *set;
    struct weir_fault fault = {""};
    assert_int_equal(weir_service_set_load(&set, files.path, &fault), 0);
    signature_files_free(&files); /* nothing is read later */
    weir_service_id id = weir_service_find(set, "all");
    assert_int_equal(id, WEIR_SERVICE_FIRST);
    const struct weir_service *service = weir_service_get(set, id);
    assert_string_equal(service->id, "all");
    assert_string_equal(service->title, "Tout \xc3\xa9t\xc3\xa9");
    assert_int_equal(service->kind, WEIR_KIND_AUDIO);
    assert_int_equal(service->n_ndpi, 2);
    assert_string_equal(service->ndpi[1], "Two");
    assert_int_equal(service->n_hosts, 3);
    assert_string_equal(service->hosts[0].suffix, "m.all.net");
    assert_int_equal(service->hosts[0].role, WEIR_ROLE_MEDIA);
    assert_string_equal(service->hosts[2].suffix, "c.all.net");
    assert_int_equal(service->hosts[2].role, WEIR_ROLE_CONTROL);
    assert_int_equal(service->n_never_count, 1);
    assert_string_equal(service->never_count[0], "n.all.net");
    assert_int_equal(service->n_prefixes, 2);
    assert_int_equal(service->prefixes[0].bits, 32);
    assert_int_equal(service->prefix_roles[0], WEIR_ROLE_MEDIA);
    assert_int_equal(service->prefixes[1].bits, 96 + 15);
    assert_int_equal(service->prefix_roles[1], WEIR_ROLE_CONTROL);
    assert_int_equal(service->n_asns, 2);
    assert_true(service->asns[1] == UINT32_MAX);
    assert_int_equal(service->buffer_us, 90500000);
    assert_int_equal(service->segment_us, 3840000);
    weir_service_set_unref(set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults_name_file_line_and_field),
        cmocka_unit_test(test_a_claim_of_two_services_names_both),
        cmocka_unit_test(test_cdn_file),
        cmocka_unit_test(test_directories_and_files_that_cannot_be_read),
        cmocka_unit_test(test_bounds_of_a_file),
        cmocka_unit_test(test_bounds_of_a_directory),
        cmocka_unit_test(test_every_field_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
