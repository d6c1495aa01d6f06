/* See untrusted_json.h. */
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "base/private_file.h"
#include "base/untrusted_json.h"

/* Takes `text`, which it changes and frees. */
static struct json_object *parse(char *text) {
    struct json_object *object = text ? json_tokener_parse(weir_printable_json(text)) : NULL;
    free(text);
    if (json_object_is_type(object, json_type_object)) return object;
    json_object_put(object);
    return NULL;
}

struct json_object *weir_untrusted_json(const char *text) {
    return parse(strdup(text));
}

struct json_object *weir_untrusted_json_file(const char *path, size_t max_bytes) {
    char *text = NULL;
    size_t n;
    return weir_private_read(path, max_bytes, &text, &n) < 0 ? NULL : parse(text);
}

const char *weir_untrusted_text(struct json_object *value) {
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

const char *weir_untrusted_member(struct json_object *object, const char *name) {
    struct json_object *value;
    return json_object_object_get_ex(object, name, &value) ? weir_untrusted_text(value) : "";
}
