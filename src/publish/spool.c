/* The spool is an append-only log of two kinds of records, behind eight bytes that name the format:
 *
 *     WEIRSPL1 | add 1 <payload> | add 2 <payload> | done 1 | add 3 <payload> | ...
 *
 *     record    u32 magic, u32 length of payload, u64 seq, u8 kind + 7 zero bytes, u64 XXH3 of the
 * 24 bytes before and the payload
 *
 * Opening reads it through and hands out what was added and is not done. A record that a crash cut,
 * or a disk damaged, fails its checksum: reading goes on at the next place where a whole record
 * begins, and the tail behind the last whole record is cut off. When nothing is left to do the file
 * is cut back to its head; when it would grow past its bound the records still wanted are copied to
 * a new file, synced, that takes its name; and if those alone fill it, the oldest go.
 *
 * Some room is reserved on the disk at once, so that a disk filled by others still takes the first
 * incidents.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "publish/spool.h"

enum {
    MAGIC = 0x6c6f7053 /* "Spol" */,
    HEAD = 8,
    RESERVED_BYTES = 128 << 10,
    READ_BYTES_MAX = 256 << 20,
    BAD_CANDIDATES_MAX = 1000
};
enum { ADDED = 1, DONE = 2 };
static const char format_name[HEAD] = {'W', 'E', 'I', 'R', 'S', 'P', 'L', '1'};

struct record_head {
    uint32_t magic, length;
    uint64_t seq;
    uint8_t kind, zero[7];
    uint64_t hash;
};
_Static_assert(sizeof(struct record_head) == 32, "no padding: it is what is on the disk");

struct wanted {
    uint64_t seq;
    off_t offset;
    uint32_t length; /* of the payload */
};

struct weir_spool {
    int fd;
    char path[PATH_MAX];
    size_t max_bytes;
    off_t end;
    uint64_t next_seq;
    /* by seq: begins somewhere in the list, since it is mostly the oldest that go */
    struct wanted *list, *wanted;
    size_t n, room;
    uint64_t dropped, broken_bytes;
};

static uint64_t hash_of(const struct record_head *head, const uint8_t *payload) {
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    XXH3_64bits_update(&state, head, offsetof(struct record_head, hash));
    if (head->length) XXH3_64bits_update(&state, payload, head->length);
    return XXH3_64bits_digest(&state);
}

static struct record_head make_head(uint8_t kind, uint64_t seq, const uint8_t *payload,
                                    size_t size) {
    struct record_head head = {.magic = MAGIC, .length = (uint32_t)size, .seq = seq, .kind = kind};
    head.hash = hash_of(&head, payload);
    return head;
}

/* ---- the list of what is wanted ---- */

static int want(struct weir_spool *spool, uint64_t seq, off_t offset, uint32_t length) {
    size_t gone = (size_t)(spool->wanted - spool->list);
    if (gone + spool->n == spool->room && gone >= spool->room / 2 && gone > 0) {
        memmove(spool->list, spool->wanted, spool->n * sizeof spool->wanted[0]);
        spool->wanted = spool->list;
    } else if (gone + spool->n == spool->room) {
        size_t room = spool->room ? 2 * spool->room : 64;
        struct wanted *larger = realloc(spool->list, room * sizeof *larger);
        if (!larger) return -ENOMEM;
        spool->list = larger;
        spool->wanted = larger + gone;
        spool->room = room;
    }
    spool->wanted[spool->n++] = (struct wanted){seq, offset, length};
    return 0;
}

static void unwant(struct weir_spool *spool, size_t i) {
    spool->n--;
    if (i == 0)
        spool->wanted++;
    else
        memmove(&spool->wanted[i], &spool->wanted[i + 1], (spool->n - i) * sizeof spool->wanted[0]);
}

/* Its place, or n. */
static size_t find(const struct weir_spool *spool, uint64_t seq) {
    size_t low = 0, high = spool->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (spool->wanted[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < spool->n && spool->wanted[low].seq == seq ? low : spool->n;
}

/* ---- reading it through ---- */

/* Is a whole record here? Its size, or 0. */
static size_t whole_record(const uint8_t *bytes, size_t left, struct record_head *ret_head,
                           unsigned *bad) {
    if (left < sizeof *ret_head) return 0;
    memcpy(ret_head, bytes, sizeof *ret_head);
    if (ret_head->magic != MAGIC || ret_head->length > WEIR_SPOOL_RECORD_MAX ||
        ret_head->length > left - sizeof *ret_head)
        return 0;
    if (hash_of(ret_head, bytes + sizeof *ret_head) == ret_head->hash)
        return sizeof *ret_head + ret_head->length;
    ++*bad;
    return 0;
}

static int read_through(struct weir_spool *spool, const uint8_t *bytes, size_t size) {
    size_t at = HEAD, good_end = HEAD;
    unsigned bad = 0;
    int error = 0;
    while (at < size && bad < BAD_CANDIDATES_MAX && !error) {
        struct record_head head;
        size_t record = whole_record(bytes + at, size - at, &head, &bad);
        if (!record) {
            at++;
            continue;
        }
        if (head.kind == ADDED && head.seq >= spool->next_seq)
            error = want(spool, head.seq, (off_t)at, head.length);
        else if (head.kind == DONE && find(spool, head.seq) < spool->n)
            unwant(spool, find(spool, head.seq));
        if (head.seq >= spool->next_seq) spool->next_seq = head.seq + 1;
        spool->broken_bytes += at - good_end;
        at += record;
        good_end = at;
    }
    spool->broken_bytes += size - good_end;
    spool->end = (off_t)good_end;
    return error;
}

static int write_all(int fd, const void *bytes, size_t n, off_t offset) {
    while (n) {
        ssize_t done = pwrite(fd, bytes, n, offset);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return done < 0 ? -errno : -EIO;
        bytes = (const char *)bytes + done;
        n -= (size_t)done;
        offset += done;
    }
    return 0;
}

/* Cuts what is behind the end off, and keeps some room beyond it. */
static int cut(struct weir_spool *spool) {
    if (ftruncate(spool->fd, spool->end) < 0) return -errno;
    if ((size_t)spool->end < RESERVED_BYTES)
        (void)!fallocate(spool->fd, FALLOC_FL_KEEP_SIZE, 0, RESERVED_BYTES);
    return 0;
}

static int load(struct weir_spool *spool, weir_spool_visitor visit, void *context,
                struct weir_fault *fault) {
    struct stat info;
    if (fstat(spool->fd, &info) < 0 || !S_ISREG(info.st_mode))
        return weir_fault_set(fault, -EINVAL, "%s: not a file", spool->path);
    /* Compaction keeps it below its bound. What is larger is another's file: it must not take the
     * memory of this machine. */
    size_t size = (size_t)info.st_size;
    if (info.st_size > READ_BYTES_MAX)
        return weir_fault_set(fault, -EFBIG, "%s: larger than any spool of weir's; move it away",
                              spool->path);
    uint8_t *bytes = malloc(size + 1);
    ssize_t got = bytes ? pread(spool->fd, bytes, size, 0) : -1;
    int error = got < 0 ? -EIO : 0;
    /* new, or cut in its first bytes */
    bool young = got >= 0 && got < HEAD && memcmp(bytes, format_name, (size_t)got) == 0;
    if (!error && !young && (got < HEAD || memcmp(bytes, format_name, HEAD) != 0))
        error =
            weir_fault_set(fault, -EINVAL, "%s: not a spool of weir; move it away", spool->path);
    spool->end = HEAD;
    if (!error)
        error = young ? write_all(spool->fd, format_name, HEAD, 0)
                      : read_through(spool, bytes, (size_t)got);
    if (!error) error = cut(spool);
    for (size_t i = 0; !error && i < spool->n; i++)
        visit(context, spool->wanted[i].seq,
              bytes + spool->wanted[i].offset + sizeof(struct record_head),
              spool->wanted[i].length);
    free(bytes);
    return error;
}

static void sync_directory(const char *path) {
    char directory[PATH_MAX];
    snprintf(directory, sizeof directory, "%s", path);
    char *slash = strrchr(directory, '/');
    if (slash) slash[slash == directory] = '\0';
    int fd = open(slash ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

int weir_spool_open(struct weir_spool **ret_spool, const char *path, size_t max_bytes,
                    weir_spool_visitor visit, void *context, struct weir_fault *fault) {
    struct weir_spool *spool = calloc(1, sizeof *spool);
    if (!spool) return -ENOMEM;
    spool->max_bytes = max_bytes;
    spool->next_seq = 1;
    snprintf(spool->path, sizeof spool->path, "%s", path);
    spool->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    int error = 0;
    if (spool->fd < 0)
        error = weir_fault_set(fault, -errno, "%s: %s", path, strerror(errno));
    else if (flock(spool->fd, LOCK_EX | LOCK_NB) < 0)
        error = weir_fault_set(fault, -EBUSY,
                               "%s: another weir uses this spool; give each its own --state", path);
    if (!error) error = load(spool, visit, context, fault);
    if (error) {
        if (fault && !fault->text[0])
            weir_fault_set(fault, error, "%s: %s", path, strerror(-error));
        weir_spool_close(spool);
        return error;
    }
    sync_directory(path);
    *ret_spool = spool;
    return 0;
}

void weir_spool_close(struct weir_spool *spool) {
    if (!spool) return;
    if (spool->fd >= 0) close(spool->fd);
    free(spool->list);
    free(spool);
}

/* ---- writing ---- */

static int append(struct weir_spool *spool, uint8_t kind, uint64_t seq, const uint8_t *payload,
                  size_t size) {
    struct record_head head = make_head(kind, seq, payload, size);
    int error = write_all(spool->fd, &head, sizeof head, spool->end);
    if (!error) error = write_all(spool->fd, payload, size, spool->end + (off_t)sizeof head);
    if (error)
        (void)!ftruncate(spool->fd, spool->end); /* half a record helps nobody */
    else
        spool->end += (off_t)(sizeof head + size);
    return error;
}

/* Copies what is wanted, from record `first` on, into a new file. */
static int copy_wanted(struct weir_spool *spool, struct weir_spool *fresh, size_t first) {
    uint8_t *payload = malloc(WEIR_SPOOL_RECORD_MAX);
    int error = payload ? write_all(fresh->fd, format_name, HEAD, 0) : -ENOMEM;
    fresh->end = HEAD;
    for (size_t i = first; i < spool->n && !error; i++) {
        const struct wanted *one = &spool->wanted[i];
        off_t at = fresh->end;
        if (pread(spool->fd, payload, one->length,
                  one->offset + (off_t)sizeof(struct record_head)) != (ssize_t)one->length)
            error = -EIO;
        else
            error = append(fresh, ADDED, one->seq, payload, one->length);
        if (!error) error = want(fresh, one->seq, at, one->length);
    }
    free(payload);
    return error;
}

/* The oldest records go until the others, and one of `size` more, take at most three quarters of
 * the bound. */
static size_t first_to_keep(const struct weir_spool *spool, size_t size) {
    size_t total = HEAD + sizeof(struct record_head) + size, first = spool->n;
    while (first > 0 && (total += sizeof(struct record_head) + spool->wanted[first - 1].length) <=
                            spool->max_bytes / 4 * 3)
        first--;
    return first;
}

static int compact(struct weir_spool *spool, size_t size) {
    char path[PATH_MAX + 8];
    struct weir_spool fresh = {.fd = -1};
    size_t first = first_to_keep(spool, size);
    snprintf(path, sizeof path, "%s.new", spool->path);
    unlink(path); /* what a killed run left, or whatever else is there */
    fresh.fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int error = fresh.fd < 0 ? -errno : 0;
    if (!error && flock(fresh.fd, LOCK_EX | LOCK_NB) < 0) error = -EBUSY;
    if (!error) error = copy_wanted(spool, &fresh, first);
    if (!error && (fsync(fresh.fd) < 0 || rename(path, spool->path) < 0)) error = -errno;
    if (error) {
        if (fresh.fd >= 0) close(fresh.fd);
        unlink(path);
        free(fresh.list);
        return error;
    }
    sync_directory(spool->path);
    close(spool->fd);
    free(spool->list);
    spool->dropped += first;
    spool->fd = fresh.fd;
    spool->end = fresh.end;
    spool->list = fresh.list;
    spool->wanted = fresh.wanted;
    spool->n = fresh.n;
    spool->room = fresh.room;
    return 0;
}

int weir_spool_add(struct weir_spool *spool, const uint8_t *bytes, size_t size, uint64_t *ret_seq) {
    if (size > WEIR_SPOOL_RECORD_MAX) return -EMSGSIZE;
    int error = 0;
    if ((size_t)spool->end + sizeof(struct record_head) + size > spool->max_bytes)
        error = compact(spool, size);
    off_t at = spool->end;
    if (!error) error = want(spool, spool->next_seq, at, (uint32_t)size);
    if (error) return error;
    error = append(spool, ADDED, spool->next_seq, bytes, size);
    if (error) {
        spool->n--;
        return error;
    }
    *ret_seq = spool->next_seq++;
    return 0;
}

int weir_spool_sync(struct weir_spool *spool) { return fdatasync(spool->fd) < 0 ? -errno : 0; }

void weir_spool_done(struct weir_spool *spool, uint64_t seq) {
    size_t i = find(spool, seq);
    if (i == spool->n) return;
    unwant(spool, i);
    if (spool->n == 0) {
        spool->end = HEAD;
        (void)!cut(spool);
    } else if ((size_t)spool->end + sizeof(struct record_head) <= spool->max_bytes) {
        /* failing (a full disk), it is sent again after a restart */
        append(spool, DONE, seq, NULL, 0);
    }
}

struct weir_spool_stats weir_spool_read_stats(const struct weir_spool *spool) {
    return (struct weir_spool_stats){spool->n, (size_t)spool->end, spool->dropped,
                                     spool->broken_bytes};
}
