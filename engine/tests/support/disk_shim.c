/* Stands between a program and the system calls with which it writes below one directory: to be loaded with
 * LD_PRELOAD. It counts these calls, can let the k-th fail (once, or it and all of its kind that follow), and
 * can record all of them with their data, from which the state of a disk after a power failure is rebuilt.
 *
 *   SHIM_ROOT     the directory; what lies in "labs" below it is left alone (it stands for the targets)
 *   SHIM_AT       number of the call to fail, from 1
 *   SHIM_FAULT    eio | enospc | short (half is written, the rest is for the caller to write) | full (half is
 *                 written, then the disk is full)
 *   SHIM_STICKY   set: every later call of the same kind fails too
 *   SHIM_CALLS    file that gets a line for each counted call: its kind
 *   SHIM_TRACE    file that gets each successful call with its data; see journal_power.rs for the form
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define FILES 4096
static char *names[FILES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root, *fault;
static long at = 0, calls = 0;
static int sticky = 0, tripped = 0, calls_fd = -1, trace_fd = -1, ready = 0;
static const char *tripped_kind = "";

static int (*real_open)(const char *, int, ...);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int), (*real_fdatasync)(int), (*real_close)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_rename)(const char *, const char *), (*real_unlink)(const char *);
static int (*real_mkdir)(const char *, mode_t);

static void begin(void) {
    if (ready) return;
    ready = 1;
    real_open = dlsym(RTLD_NEXT, "open");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_close = dlsym(RTLD_NEXT, "close");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate");
    real_rename = dlsym(RTLD_NEXT, "rename");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_mkdir = dlsym(RTLD_NEXT, "mkdir");
    root = getenv("SHIM_ROOT");
    fault = getenv("SHIM_FAULT");
    at = getenv("SHIM_AT") ? atol(getenv("SHIM_AT")) : 0;
    sticky = getenv("SHIM_STICKY") != NULL;
    if (getenv("SHIM_CALLS"))
        calls_fd = real_open(getenv("SHIM_CALLS"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (getenv("SHIM_TRACE"))
        trace_fd = real_open(getenv("SHIM_TRACE"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int watched(const char *path) {
    size_t length = root ? strlen(root) : 0;
    if (!length || !path || strncmp(path, root, length)) return 0;
    if (path[length] && path[length] != '/') return 0;
    return strncmp(path + length, "/labs", 5) != 0;
}

static const char *name_of(int fd) { return fd >= 0 && fd < FILES ? names[fd] : NULL; }

/* Counts a call. The error that it shall fail with, -1 for a short write, 0 to let it pass. */
static int trip(const char *kind) {
    calls++;
    if (calls_fd >= 0) {
        char line[32];
        int length = snprintf(line, sizeof line, "%s\n", kind);
        real_write(calls_fd, line, length);
    }
    int writing = !strcmp(kind, "write") || !strcmp(kind, "create") || !strcmp(kind, "mkdir");
    if (at && calls == at) {
        tripped = 1;
        tripped_kind = kind;
        if (!strcmp(fault, "short") || !strcmp(fault, "full")) return -1;
    } else if (!tripped) {
        return 0;
    } else if (!strcmp(fault, "full")) {
        return writing ? ENOSPC : 0;
    } else if (!sticky) {
        return 0;
    } else if (!strcmp(fault, "short")) {
        return !strcmp(kind, "write") ? -1 : 0;
    } else if (!strcmp(fault, "enospc")) {
        return writing ? ENOSPC : 0;
    } else if (strcmp(kind, tripped_kind)) {
        return 0;
    }
    return !strcmp(fault, "enospc") ? ENOSPC : EIO;
}

static void put(const void *data, size_t length) {
    while (length) {
        ssize_t done = real_write(trace_fd, data, length);
        if (done <= 0) abort();
        data = (const char *)data + done;
        length -= done;
    }
}

static void put_text(const char *text) {
    uint32_t length = text ? strlen(text) : 0;
    put(&length, sizeof length);
    put(text, length);
}

static void trace(char what, const char *path, const char *other, uint64_t number, const void *data,
                  uint32_t length) {
    if (trace_fd < 0) return;
    put(&what, 1);
    put_text(path);
    put_text(other);
    put(&number, sizeof number);
    put(&length, sizeof length);
    put(data, length);
}

static int opened(const char *path, int flags, mode_t mode) {
    begin();
    if (!watched(path)) return real_open(path, flags, mode);
    pthread_mutex_lock(&lock);
    int there = faccessat(AT_FDCWD, path, F_OK, 0) == 0, fails = 0, fd = -1;
    int creates = (flags & O_CREAT) && !there;
    if (creates || (flags & O_ACCMODE) != O_RDONLY) fails = trip(creates ? "create" : "open");
    if (fails > 0) {
        errno = fails;
    } else {
        fd = real_open(path, flags, mode);
        if (fd >= 0 && fd < FILES) {
            free(names[fd]);
            names[fd] = strdup(path);
            if (creates) trace('C', path, NULL, 0, NULL, 0);
            else if (flags & O_TRUNC) trace('T', path, NULL, 0, NULL, 0);
        }
    }
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return fd;
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return opened(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return opened(path, flags, mode);
}

int close(int fd) {
    begin();
    pthread_mutex_lock(&lock);
    if (name_of(fd)) {
        free(names[fd]);
        names[fd] = NULL;
    }
    int result = real_close(fd), error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

/* offset < 0: where the file stands. */
static ssize_t written(int fd, const void *data, size_t length, off_t offset) {
    begin();
    if (!name_of(fd)) {
        return offset < 0 ? real_write(fd, data, length) : real_pwrite(fd, data, length, offset);
    }
    pthread_mutex_lock(&lock);
    int fails = trip("write");
    ssize_t done = -1;
    if (fails > 0) {
        errno = fails;
    } else {
        if (fails < 0 && length > 1) length /= 2;
        done = offset < 0 ? real_write(fd, data, length) : real_pwrite(fd, data, length, offset);
        if (done > 0) {
            off_t start = offset < 0 ? lseek(fd, 0, SEEK_CUR) - done : offset;
            trace('W', name_of(fd), NULL, start, data, done);
        }
    }
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

ssize_t write(int fd, const void *data, size_t length) { return written(fd, data, length, -1); }
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    return written(fd, data, length, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) {
    return written(fd, data, length, offset);
}

static int synced(int fd, int (*real)(int)) {
    pthread_mutex_lock(&lock);
    int fails = trip("sync"), result = -1;
    if (fails) {
        /* As Linux does: what was not written is not tried again, though it can still be read. */
        errno = fails > 0 ? fails : EIO;
        trace('F', name_of(fd), NULL, 0, NULL, 0);
    } else {
        result = real(fd);
        if (result == 0) trace('S', name_of(fd), NULL, 0, NULL, 0);
    }
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int fsync(int fd) {
    begin();
    return name_of(fd) ? synced(fd, real_fsync) : real_fsync(fd);
}

int fdatasync(int fd) {
    begin();
    return name_of(fd) ? synced(fd, real_fdatasync) : real_fdatasync(fd);
}

static int truncated(int fd, off_t size) {
    begin();
    if (!name_of(fd)) return real_ftruncate(fd, size);
    pthread_mutex_lock(&lock);
    int fails = trip("truncate"), result = -1;
    if (fails) {
        errno = fails > 0 ? fails : EIO;
    } else {
        result = real_ftruncate(fd, size);
        if (result == 0) trace('T', name_of(fd), NULL, size, NULL, 0);
    }
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int ftruncate(int fd, off_t size) { return truncated(fd, size); }
int ftruncate64(int fd, off_t size) { return truncated(fd, size); }

static int named(const char *kind, char what, const char *path, const char *other, mode_t mode) {
    begin();
    int seen = watched(path) || (other && watched(other));
    int fails = 0, result = -1;
    pthread_mutex_lock(&lock);
    if (seen) fails = trip(kind);
    if (fails) {
        errno = fails > 0 ? fails : EIO;
    } else {
        result = what == 'R' ? real_rename(path, other) : what == 'U' ? real_unlink(path) : real_mkdir(path, mode);
        if (seen && result == 0) trace(what, path, other, 0, NULL, 0);
    }
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int rename(const char *from, const char *to) { return named("rename", 'R', from, to, 0); }
int unlink(const char *path) { return named("unlink", 'U', path, NULL, 0); }
int mkdir(const char *path, mode_t mode) { return named("mkdir", 'D', path, NULL, mode); }
