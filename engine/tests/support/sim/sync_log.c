/* Logs, in their real order, the writes and syncs of the journal and the directories that commands make.
   Preloaded into the program and everything that it starts; SYNC_LOG names the log. With SYNC_MS each sync of the
   journal takes so many milliseconds, as on a disk. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static void note(const char *what, const char *path) {
    const char *log = getenv("SYNC_LOG");
    if (!log) return;
    int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    ssize_t (*real_write)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    int fd = real_open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return;
    char line[4200];
    int length = snprintf(line, sizeof line, "%s %s\n", what, path);
    if (length > 0) (void)!real_write(fd, line, (size_t)length);
    close(fd);
}

/* Only what belongs to a journal is of interest. */
static void note_fd(const char *what, int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return;
    path[length] = 0;
    if (strstr(path, "journal.")) note(what, path);
}

static void take_time(void) {
    const char *ms = getenv("SYNC_MS");
    if (ms) usleep((useconds_t)atoi(ms) * 1000);
}

int fsync(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
    take_time();
    int result = real(fd);
    if (result == 0) note_fd("sync", fd);
    return result;
}

int fdatasync(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    take_time();
    int result = real(fd);
    if (result == 0) note_fd("sync", fd);
    return result;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    note_fd("write", fd);
    return real(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
    note_fd("write", fd);
    return real(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
    note_fd("write", fd);
    return real(fd, bytes, count, offset);
}

int mkdir(const char *path, mode_t mode) {
    int (*real)(const char *, mode_t) = dlsym(RTLD_NEXT, "mkdir");
    if (strstr(path, "effect-")) note("effect", path);
    return real(path, mode);
}
