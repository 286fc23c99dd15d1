/* Preloaded into the server by tests/power: notes, in one ordered log, all that
 * is done to files below BURSAR_RECORD_ROOT, so that the directory can be made
 * again as a power failure at any moment might have left it.
 *
 * A record of the log (numbers in the machine's own order):
 *   u32 kind, u32 length of the name, u64 inode, u64 a, u64 b, u64 length of the
 *   data; then the name (below the root; two of them have a zero in between),
 *   then the data. Kinds: see below.
 *
 * One lock orders what is done and what is noted. A sync is noted when it begins
 * and when it has ended well: it counts for what was noted before it began, and
 * from its end on. sync_file_range is not noted: it makes nothing durable.
 * What sets room aside by a system call of its own (rustix does) is seen by the
 * file's new length. What else goes past this file is noticed by the harness,
 * which compares what the log makes with what is there.
 *
 * While the file BURSAR_RECORD_STOP exists nothing is done any more, so that the
 * process can be killed without an act that was done and not noted. That it came
 * to that is told by a file of the same name with `.seen` behind it.
 *
 * BURSAR_RECORD_BUG seeds a bug: `none-is-synced` (fdatasync of the journal does
 * nothing and says it did), `late-sync` (it says so before it did).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, SIZE, CREATE, MKDIR, RENAME, UNLINK, RMDIR, LINK, SYNC_BEGINS, SYNC_ENDED };

struct record {
    uint32_t kind, name_length;
    uint64_t inode, a, b, data_length;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static char root[PATH_MAX];
static size_t root_length;
static uint64_t syncs;

/* Files below the root that were opened, and how long they are by the log. */
enum { KNOWN = 1 << 16 };
static struct { uint64_t inode, size; } known[KNOWN];

static void die(const char *why) {
    syscall(SYS_write, 2, why, strlen(why));
    syscall(SYS_write, 2, "\n", 1);
    _exit(99);
}

static void start(void) {
    static int started;
    if (started) return;
    started = 1;
    const char *at = getenv("BURSAR_RECORD_ROOT"), *path = getenv("BURSAR_RECORD_LOG");
    if (!at || !path) return;
    root_length = strlen(at);
    memcpy(root, at, root_length + 1);
    log_fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    /* Ids of syncs go on where an earlier process may have left them. */
    syncs = (uint64_t)getpid() << 32;
}

static void enter(void) {
    pthread_mutex_lock(&lock);
    start();
    const char *stop = getenv("BURSAR_RECORD_STOP");
    if (!stop || syscall(SYS_faccessat, AT_FDCWD, stop, F_OK) != 0) return;
    /* Whoever has the lock knows that nobody is between an act and its note. */
    char seen[PATH_MAX];
    snprintf(seen, sizeof seen, "%s.seen", stop);
    int fd = syscall(SYS_openat, AT_FDCWD, seen, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) syscall(SYS_close, fd);
    while (syscall(SYS_faccessat, AT_FDCWD, stop, F_OK) == 0) usleep(1000000);
}

static void leave(void) {
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
}

static void note(uint32_t kind, uint64_t inode, uint64_t a, uint64_t b, const char *name,
                 size_t name_length, const void *data, size_t data_length) {
    if (log_fd < 0) return;
    int error = errno;
    struct record record = {kind, name_length, inode, a, b, data_length};
    struct iovec parts[3] = {{&record, sizeof record},
                             {(void *)name, name_length},
                             {(void *)data, data_length}};
    size_t whole = sizeof record + name_length + data_length;
    if ((size_t)syscall(SYS_writev, log_fd, parts, 3) != whole) die("the record cannot be kept");
    errno = error;
}

/* The part of a path below the root; NULL if it is elsewhere. */
static const char *below(int dir, const char *path, char *whole) {
    start();
    if (log_fd < 0) return NULL;
    if (path[0] == '/') {
        snprintf(whole, PATH_MAX, "%s", path);
    } else {
        char link[64], base[PATH_MAX];
        if (dir == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
        else snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, base, sizeof base - 1);
        if (length < 0) return NULL;
        base[length] = 0;
        if (snprintf(whole, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) die("a long path");
    }
    if (strncmp(whole, root, root_length) != 0) return NULL;
    if (whole[root_length] == 0) return whole + root_length;
    return whole[root_length] == '/' ? whole + root_length + 1 : NULL;
}

static int status(int fd, struct stat *s) {
    return fstat(fd, s);
}

static size_t slot(uint64_t inode) {
    size_t at = inode * 0x9e3779b97f4a7c15u >> 48;
    while (known[at].inode && known[at].inode != inode) at = (at + 1) % KNOWN;
    return at;
}

static void know(uint64_t inode, uint64_t size) {
    size_t at = slot(inode);
    known[at].inode = inode;
    known[at].size = size;
}

/* Whether a descriptor is of a file that is noted; notes room set aside for it. */
static int is_known(int fd, struct stat *s) {
    if (log_fd < 0 || status(fd, s) != 0) return 0;
    size_t at = slot(s->st_ino);
    if (known[at].inode != s->st_ino) return 0;
    if (S_ISREG(s->st_mode) && (uint64_t)s->st_size > known[at].size) {
        known[at].size = s->st_size;
        note(SIZE, s->st_ino, s->st_size, 0, "", 0, NULL, 0);
    }
    return 1;
}

static int open_noted(int dir, const char *path, int flags, mode_t mode) {
    char whole[PATH_MAX];
    enter();
    const char *name = below(dir, path, whole);
    int was = name && syscall(SYS_faccessat, dir, path, F_OK) == 0;
    int fd = syscall(SYS_openat, dir, path, flags, mode);
    struct stat s;
    if (fd >= 0 && name && status(fd, &s) == 0) {
        int is_new = (flags & O_CREAT) && !was;
        if (is_new) note(CREATE, s.st_ino, 0, 0, name, strlen(name), NULL, 0);
        /* What an earlier process set aside and did not come to note, too. */
        int is_met = !is_new && S_ISREG(s.st_mode) && known[slot(s.st_ino)].inode != s.st_ino;
        if (is_met || (was && (flags & O_TRUNC)))
            note(SIZE, s.st_ino, s.st_size, 0, "", 0, NULL, 0);
        if (is_new || is_met || S_ISDIR(s.st_mode) || (flags & O_TRUNC)) know(s.st_ino, s.st_size);
    }
    leave();
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list more; \
        va_start(more, flags); \
        mode = va_arg(more, int); \
        va_end(more); \
    }

int open(const char *path, int flags, ...) {
    MODE(flags)
    return open_noted(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE(flags)
    return open_noted(AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...) {
    MODE(flags)
    return open_noted(dir, path, flags, mode);
}

int openat64(int dir, const char *path, int flags, ...) {
    MODE(flags)
    return open_noted(dir, path, flags, mode);
}

static void wrote(struct stat *s, const void *bytes, ssize_t count, uint64_t offset) {
    if (count <= 0) return;
    note(WRITE, s->st_ino, offset, 0, "", 0, bytes, count);
    size_t at = slot(s->st_ino);
    if (offset + count > known[at].size) known[at].size = offset + count;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    struct stat s;
    enter();
    int noted = is_known(fd, &s);
    ssize_t done = syscall(SYS_pwrite64, fd, bytes, count, offset);
    if (noted) wrote(&s, bytes, done, offset);
    leave();
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return pwrite64(fd, bytes, count, offset);
}

static ssize_t scattered(int fd, const struct iovec *parts, int count, off64_t offset) {
    ssize_t whole = 0;
    for (int part = 0; part < count; part++) {
        size_t length = parts[part].iov_len;
        ssize_t done = pwrite64(fd, parts[part].iov_base, length, offset + whole);
        if (done < 0) return whole ? whole : done;
        whole += done;
        if ((size_t)done < length) break;
    }
    return whole;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    return scattered(fd, parts, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
    return scattered(fd, parts, count, offset);
}

/* Where a write without an offset goes to. */
static uint64_t position(int fd, struct stat *s) {
    int flags = syscall(SYS_fcntl, fd, F_GETFL);
    return flags & O_APPEND ? (uint64_t)s->st_size : (uint64_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    struct stat s;
    if (fd <= 2) return syscall(SYS_write, fd, bytes, count);
    enter();
    int noted = is_known(fd, &s) && S_ISREG(s.st_mode);
    uint64_t at = noted ? position(fd, &s) : 0;
    ssize_t done = syscall(SYS_write, fd, bytes, count);
    if (noted) wrote(&s, bytes, done, at);
    leave();
    return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    struct stat s;
    enter();
    int noted = fd > 2 && is_known(fd, &s) && S_ISREG(s.st_mode);
    uint64_t at = noted ? position(fd, &s) : 0;
    ssize_t done = syscall(SYS_writev, fd, parts, count);
    ssize_t left = done;
    for (int part = 0; noted && part < count && left > 0; part++) {
        ssize_t length = (ssize_t)parts[part].iov_len < left ? (ssize_t)parts[part].iov_len : left;
        wrote(&s, parts[part].iov_base, length, at);
        at += length;
        left -= length;
    }
    leave();
    return done;
}

int ftruncate64(int fd, off64_t length) {
    struct stat s;
    enter();
    int noted = is_known(fd, &s);
    int done = syscall(SYS_ftruncate, fd, length);
    if (noted && done == 0) {
        note(SIZE, s.st_ino, length, 0, "", 0, NULL, 0);
        know(s.st_ino, length);
    }
    leave();
    return done;
}

int ftruncate(int fd, off_t length) {
    return ftruncate64(fd, length);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
    struct stat s;
    enter();
    int done = syscall(SYS_fallocate, fd, mode, offset, length);
    is_known(fd, &s);
    leave();
    return done;
}

int fallocate(int fd, int mode, off_t offset, off_t length) {
    return fallocate64(fd, mode, offset, length);
}

int posix_fallocate64(int fd, off64_t offset, off64_t length) {
    return fallocate64(fd, 0, offset, length) == 0 ? 0 : errno;
}

int posix_fallocate(int fd, off_t offset, off_t length) {
    return posix_fallocate64(fd, offset, length);
}

int mkdirat(int dir, const char *path, mode_t mode) {
    char whole[PATH_MAX];
    struct stat s;
    enter();
    const char *name = below(dir, path, whole);
    int done = syscall(SYS_mkdirat, dir, path, mode);
    if (name && done == 0 && fstatat(dir, path, &s, 0) == 0) {
        note(MKDIR, s.st_ino, 0, 0, name, strlen(name), NULL, 0);
        know(s.st_ino, 0);
    }
    leave();
    return done;
}

int mkdir(const char *path, mode_t mode) {
    return mkdirat(AT_FDCWD, path, mode);
}

/* Two names, with a zero in between. */
static void note_two(uint32_t kind, const char *from, const char *to) {
    char both[2 * PATH_MAX];
    if (!from || !to) die("a name that comes from elsewhere, or goes there");
    size_t first = strlen(from) + 1, second = strlen(to);
    memcpy(both, from, first);
    memcpy(both + first, to, second);
    note(kind, 0, 0, 0, both, first + second, NULL, 0);
}

int renameat2(int dir, const char *from, int other, const char *to, unsigned flags) {
    char here[PATH_MAX], there[PATH_MAX];
    enter();
    const char *old = below(dir, from, here), *new = below(other, to, there);
    int done = syscall(SYS_renameat2, dir, from, other, to, flags);
    if ((old || new) && done == 0) note_two(RENAME, old, new);
    leave();
    return done;
}

int renameat(int dir, const char *from, int other, const char *to) {
    return renameat2(dir, from, other, to, 0);
}

int rename(const char *from, const char *to) {
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int linkat(int dir, const char *from, int other, const char *to, int flags) {
    char here[PATH_MAX], there[PATH_MAX];
    enter();
    const char *old = below(dir, from, here), *new = below(other, to, there);
    int done = syscall(SYS_linkat, dir, from, other, to, flags);
    if ((old || new) && done == 0) note_two(LINK, old, new);
    leave();
    return done;
}

int link(const char *from, const char *to) {
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int dir, const char *path, int flags) {
    char whole[PATH_MAX];
    enter();
    const char *name = below(dir, path, whole);
    int done = syscall(SYS_unlinkat, dir, path, flags);
    if (name && done == 0)
        note(flags & AT_REMOVEDIR ? RMDIR : UNLINK, 0, 0, 0, name, strlen(name), NULL, 0);
    leave();
    return done;
}

int unlink(const char *path) {
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path) {
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

struct sync {
    int fd;
    uint64_t inode, id;
};

static int sync_noted(struct sync sync, long call, int noted) {
    int done = syscall(call, sync.fd);
    enter();
    if (noted && done == 0) note(SYNC_ENDED, sync.inode, sync.id, 0, "", 0, NULL, 0);
    leave();
    return done;
}

static void *sync_late(void *argument) {
    struct sync sync = *(struct sync *)argument;
    free(argument);
    usleep(3000);
    sync_noted(sync, SYS_fdatasync, 1);
    syscall(SYS_close, sync.fd);
    return NULL;
}

static int is_of_journal(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    return strstr(path, "/journal/") != NULL;
}

static int synced(int fd, long call) {
    struct stat s;
    const char *bug = getenv("BURSAR_RECORD_BUG");
    int seeded = bug && call == SYS_fdatasync && is_of_journal(fd);
    if (seeded && strcmp(bug, "none-is-synced") == 0) return 0;
    enter();
    int noted = is_known(fd, &s);
    struct sync sync = {fd, noted ? s.st_ino : 0, ++syncs};
    if (noted) note(SYNC_BEGINS, sync.inode, sync.id, 0, "", 0, NULL, 0);
    leave();
    if (!seeded || !noted) return sync_noted(sync, call, noted);
    struct sync *late = malloc(sizeof *late);
    *late = sync;
    late->fd = dup(fd);
    pthread_t thread;
    pthread_create(&thread, NULL, sync_late, late);
    pthread_detach(thread);
    return 0;
}

int fdatasync(int fd) {
    return synced(fd, SYS_fdatasync);
}

int fsync(int fd) {
    return synced(fd, SYS_fsync);
}
