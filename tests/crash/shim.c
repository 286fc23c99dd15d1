/* Preloaded into the server by tests/crash/disk.rs: a disk that waits or fails.
 *
 * - fdatasync of the journal waits while the file BURSAR_TEST_GATE exists;
 * - fdatasync of any file fails with the error number that is written in the
 *   file BURSAR_TEST_SYNC_ERROR, while that exists;
 * - writes to files below BURSAR_TEST_DATA fail with ENOSPC while the file
 *   BURSAR_TEST_FULL exists;
 * - fsync of a journal below BURSAR_TEST_DATA waits while the file
 *   BURSAR_TEST_COPY_GATE exists: a copy that is being made;
 * - every fdatasync is noted in the file BURSAR_TEST_LOG, before and after.
 *
 * Otherwise fsync and sync_file_range are left alone: what they do must not be
 * enough.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int is_there(const char *variable) {
    const char *path = getenv(variable);
    return path && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
}

static void path_of(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    path[length < 0 ? 0 : length] = 0;
}

static void note(const char *what, const char *path) {
    const char *log = getenv("BURSAR_TEST_LOG");
    if (!log) return;
    char line[PATH_MAX + 32];
    int length = snprintf(line, sizeof line, "%s %s\n", what, path);
    int fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0) return;
    syscall(SYS_write, fd, line, (size_t)length);
    syscall(SYS_close, fd);
}

int fdatasync(int fd) {
    char path[PATH_MAX];
    path_of(fd, path, sizeof path);
    note("begin", path);
    while (strstr(path, "/data/journal/") && is_there("BURSAR_TEST_GATE")) usleep(1000);
    if (is_there("BURSAR_TEST_SYNC_ERROR")) {
        char number[16] = {0};
        int error = syscall(SYS_openat, AT_FDCWD, getenv("BURSAR_TEST_SYNC_ERROR"), O_RDONLY);
        syscall(SYS_read, error, number, sizeof number - 1);
        syscall(SYS_close, error);
        errno = atoi(number);
        return -1;
    }
    int result = syscall(SYS_fdatasync, fd);
    note("end", path);
    return result;
}

int fsync(int fd) {
    const char *data = getenv("BURSAR_TEST_DATA");
    char path[PATH_MAX];
    path_of(fd, path, sizeof path);
    int is_copy = data && strncmp(path, data, strlen(data)) == 0 && strstr(path, "/journal");
    while (is_copy && is_there("BURSAR_TEST_COPY_GATE")) usleep(1000);
    return syscall(SYS_fsync, fd);
}

static int is_full(int fd) {
    if (!is_there("BURSAR_TEST_FULL")) return 0;
    const char *data = getenv("BURSAR_TEST_DATA");
    char path[PATH_MAX];
    path_of(fd, path, sizeof path);
    return data && strncmp(path, data, strlen(data)) == 0;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    if (is_full(fd)) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_write, fd, bytes, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    if (is_full(fd)) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, bytes, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return pwrite64(fd, bytes, count, offset);
}
