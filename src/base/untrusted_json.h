/* JSON that others may have written: files of a directory that is not only ours, and Redis.
 *
 * Its strings reach terminals, logs and messages once they are read. So what could steer a terminal
 * becomes '?' before (base/printable.h), also where it is written as an escape (\u001b). Whoever
 * reads the object asks each value's type: any of them may be null or of another kind.
 */
#pragma once

#include <json-c/json.h>
#include <stddef.h>

/* Returns an object, which the caller puts; NULL: no JSON, or no object. */
struct json_object *weir_untrusted_json(const char *text);
/* The same of a plain file of at most `max_bytes` (base/private_file.h); NULL also where there is
 * none. */
struct json_object *weir_untrusted_json_file(const char *path, size_t max_bytes);
/* The text of a string; "" for NULL and for any other kind. The object's own. */
const char *weir_untrusted_text(struct json_object *value);
/* The text of a member that is a string; "" where it is absent or of another kind. */
const char *weir_untrusted_member(struct json_object *object, const char *name);
