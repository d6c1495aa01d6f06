/* Client addresses as they leave weir: plain, a keyed pseudonym, or nothing.
 *
 * A pseudonym is BLAKE2b (libsodium) of the address under a 32-byte key that stays on the probe:
 * the same client keeps its pseudonym across restarts, and nobody without the key can try all
 * addresses. IPv6 clients are hashed by /64, since privacy extensions (RFC 8981) change the rest
 * daily.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <weir/sink.h>

const char *weir_client_text(const struct weir_publish_context *context,
                             const struct weir_addr *addr, char *text) {
    if (context->clients == WEIR_CLIENTS_PLAIN) return weir_addr_text(addr, text);
    if (context->clients == WEIR_CLIENTS_NONE) {
        text[0] = '\0';
        return text;
    }
    uint8_t digest[16];
    size_t length = weir_addr_is_v4(addr) ? 16 : 8;
    crypto_generichash(digest, sizeof digest, addr->bytes, length, context->key,
                       sizeof context->key);
    memcpy(text, "c-", 2);
    sodium_bin2hex(text + 2, WEIR_CLIENT_TEXT_MAX - 2, digest, 8);
    return text;
}

static int key_make(uint8_t key[32], const char *path, struct weir_fault *fault) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return weir_fault_set(fault, -errno, "%s: cannot make the key of client pseudonyms: %s",
                              path, strerror(errno));
    randombytes_buf(key, 32);
    ssize_t written = write(fd, key, 32);
    int sync_error = fsync(fd);
    close(fd);
    if (written != 32 || sync_error < 0) {
        unlink(path);
        return weir_fault_set(fault, -EIO, "%s: cannot write the key of client pseudonyms", path);
    }
    return 0;
}

int weir_client_key_load(uint8_t key[32], const char *path, struct weir_fault *fault) {
    if (sodium_init() < 0) return weir_fault_set(fault, -EIO, "libsodium cannot start");
    if (!path) {
        randombytes_buf(key, 32);
        return 0;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO answers at once: nothing */
    if (fd < 0 && errno == ENOENT) return key_make(key, path, fault);
    if (fd < 0) return weir_fault_set(fault, -errno, "%s: %s", path, strerror(errno));
    ssize_t length = read(fd, key, 32);
    close(fd);
    if (length != 32)
        return weir_fault_set(
            fault, -EINVAL,
            "%s: a key of client pseudonyms has 32 bytes, this file has %zd; remove it to make a new one",
            path, length);
    return 0;
}
