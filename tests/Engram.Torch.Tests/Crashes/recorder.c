// Records what a process does to the files below RECORD_ROOT, in order, to the file RECORD_LOG: loaded by LD_PRELOAD before the C library. Before each recorded call, pages that have been
// changed through writable shared mappings since the last one are recorded too. A record: kind u8, file u32, offset i64, length i64, two names and data, each a length u32 and bytes.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN = 1, WRITE, TRUNCATE, SYNC, RENAME, LINK, UNLINK, MKDIR, RMDIR, PAGE, UNKNOWN };
enum { FILES = 65536, MAPPINGS = 256, PAGE_BYTES = 4096 };

struct mapping { char *start; char *known; size_t length; uint32_t file; off_t offset; };

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static const char *root;
static int log_file = -1;
static uint32_t files[FILES];   // number of the file that a descriptor is open on; 0 for others
static uint32_t last_file;
static struct mapping mappings[MAPPINGS];

// Looked up before the lock is taken: the loader, which has a lock of its own, opens files.
#define REAL(name) ({ static __typeof__(&name) found; if (!found) found = (__typeof__(&name))dlsym(RTLD_NEXT, #name); found; })

__attribute__((constructor)) static void start(void)
{
    root = getenv("RECORD_ROOT");
    const char *path = getenv("RECORD_LOG");
    if (root && path)
        log_file = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
}

static int inside(const char *path)
{
    if (log_file < 0 || !path) return 0;
    size_t length = strlen(root);
    return strncmp(path, root, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static uint32_t file_of(int descriptor) { return descriptor >= 0 && descriptor < FILES ? files[descriptor] : 0; }

static void record(uint8_t kind, uint32_t file, int64_t offset, int64_t length, const char *one, const char *two, const void *data, uint32_t bytes)
{
    uint32_t ones = one ? strlen(one) : 0, twos = two ? strlen(two) : 0;
    struct iovec parts[] = {
        { &kind, 1 }, { &file, 4 }, { &offset, 8 }, { &length, 8 }, { &ones, 4 }, { (void *)one, ones }, { &twos, 4 }, { (void *)two, twos }, { &bytes, 4 }, { (void *)data, bytes },
    };
    if (syscall(SYS_writev, log_file, parts, 10) < 0) abort();
}

static void record_pages(void)
{
    char now[PAGE_BYTES];
    for (int i = 0; i < MAPPINGS; i++) {
        struct mapping *m = &mappings[i];
        for (size_t at = 0; m->start && at < m->length; at += PAGE_BYTES) {
            size_t bytes = m->length - at < PAGE_BYTES ? m->length - at : PAGE_BYTES;
            memcpy(now, m->start + at, bytes);   // other threads may be writing
            if (memcmp(now, m->known + at, bytes) == 0) continue;
            memcpy(m->known + at, now, bytes);
            record(PAGE, m->file, m->offset + at, 0, 0, 0, now, bytes);
        }
    }
}

static void enter(void) { pthread_mutex_lock(&lock); if (log_file >= 0) record_pages(); }

static void leave(void) { pthread_mutex_unlock(&lock); }

static int opened(int descriptor, const char *path, int flags)
{
    if (descriptor >= FILES) abort();
    if (descriptor >= 0) {
        files[descriptor] = ++last_file;
        record(OPEN, last_file, flags & O_CREAT, flags & O_TRUNC, path, 0, 0, 0);
    }
    return descriptor;
}

#define OPENS(name) \
    int name(const char *path, int flags, ...) \
    { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        __typeof__(&name) real = REAL(name); \
        if (!inside(path)) return real(path, flags, mode);   /* may wait, for the other end of a pipe */ \
        enter(); \
        int result = opened(real(path, flags, mode), path, flags); \
        leave(); \
        return result; \
    }
OPENS(open)
OPENS(open64)

int close(int descriptor)
{
    __typeof__(&close) real = REAL(close);
    if (!file_of(descriptor)) return real(descriptor);
    enter();
    files[descriptor] = 0;
    int result = real(descriptor);
    leave();
    return result;
}

ssize_t write(int descriptor, const void *data, size_t bytes)
{
    if (!file_of(descriptor)) return REAL(write)(descriptor, data, bytes);
    __typeof__(&write) real = REAL(write);
    enter();
    ssize_t result = real(descriptor, data, bytes);
    if (result > 0) record(WRITE, file_of(descriptor), lseek(descriptor, 0, SEEK_CUR) - result, result, 0, 0, data, result);
    leave();
    return result;
}

#define PWRITES(name) \
    ssize_t name(int descriptor, const void *data, size_t bytes, off_t offset) \
    { \
        if (!file_of(descriptor)) return REAL(name)(descriptor, data, bytes, offset); \
        __typeof__(&name) real = REAL(name); \
        enter(); \
        ssize_t result = real(descriptor, data, bytes, offset); \
        if (result > 0) record(WRITE, file_of(descriptor), offset, result, 0, 0, data, result); \
        leave(); \
        return result; \
    }
PWRITES(pwrite)
PWRITES(pwrite64)

#define TRUNCATES(name) \
    int name(int descriptor, off_t length) \
    { \
        __typeof__(&name) real = REAL(name); \
        if (!file_of(descriptor)) return real(descriptor, length); \
        enter(); \
        int result = real(descriptor, length); \
        if (result == 0) record(TRUNCATE, file_of(descriptor), 0, length, 0, 0, 0, 0); \
        leave(); \
        return result; \
    }
TRUNCATES(ftruncate)
TRUNCATES(ftruncate64)

#define SYNCS(name) \
    int name(int descriptor) \
    { \
        __typeof__(&name) real = REAL(name); \
        if (!file_of(descriptor)) return real(descriptor); \
        enter(); \
        int result = real(descriptor); \
        if (result == 0) record(SYNC, file_of(descriptor), 0, 0, 0, 0, 0, 0); \
        leave(); \
        return result; \
    }
SYNCS(fsync)
SYNCS(fdatasync)

#define ON_PATH(name, kind, parameters, arguments) \
    int name parameters \
    { \
        __typeof__(&name) real = REAL(name); \
        if (!inside(path)) return real arguments; \
        enter(); \
        int result = real arguments; \
        if (result == 0) record(kind, 0, 0, 0, path, 0, 0, 0); \
        leave(); \
        return result; \
    }
ON_PATH(unlink, UNLINK, (const char *path), (path))
ON_PATH(rmdir, RMDIR, (const char *path), (path))
ON_PATH(mkdir, MKDIR, (const char *path, mode_t mode), (path, mode))

#define ON_PATHS(name, kind) \
    int name(const char *from, const char *to) \
    { \
        __typeof__(&name) real = REAL(name); \
        if (!inside(from) && !inside(to)) return real(from, to); \
        enter(); \
        int result = real(from, to); \
        if (result == 0) record(kind, 0, 0, 0, from, to, 0, 0); \
        leave(); \
        return result; \
    }
ON_PATHS(rename, RENAME)
ON_PATHS(link, LINK)
ON_PATHS(symlink, UNKNOWN)

#define MAPS(name) \
    void *name(void *address, size_t length, int protection, int flags, int descriptor, off_t offset) \
    { \
        __typeof__(&name) real = REAL(name); \
        if (!file_of(descriptor) || !(protection & PROT_WRITE) || !(flags & MAP_SHARED)) return real(address, length, protection, flags, descriptor, offset); \
        enter(); \
        char *result = real(address, length, protection, flags, descriptor, offset); \
        if (result != MAP_FAILED) { \
            int i = 0; \
            while (mappings[i].start) if (++i == MAPPINGS) abort(); \
            mappings[i] = (struct mapping) { result, malloc(length), length, file_of(descriptor), offset }; \
            memcpy(mappings[i].known, result, length); \
        } \
        leave(); \
        return result; \
    }
MAPS(mmap)
MAPS(mmap64)

int munmap(void *address, size_t length)
{
    __typeof__(&munmap) real = REAL(munmap);
    enter();
    for (int i = 0; i < MAPPINGS; i++)
        if (mappings[i].start == address && mappings[i].start) {
            free(mappings[i].known);
            mappings[i].start = 0;
        }
    int result = real(address, length);
    leave();
    return result;
}

int msync(void *address, size_t length, int flags)
{
    __typeof__(&msync) real = REAL(msync);
    enter();
    int result = real(address, length, flags);
    for (int i = 0; i < MAPPINGS && result == 0 && (flags & MS_SYNC); i++)
        if (mappings[i].start == address && mappings[i].start && length >= mappings[i].length)
            record(SYNC, mappings[i].file, 0, 0, 0, 0, 0, 0);
    leave();
    return result;
}

ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off_t offset)
{
    if (file_of(descriptor)) record(UNKNOWN, 0, 0, 0, "pwritev64", 0, 0, 0);
    return REAL(pwritev64)(descriptor, parts, count, offset);
}

int fallocate64(int descriptor, int mode, off_t offset, off_t length)
{
    if (file_of(descriptor)) record(UNKNOWN, 0, 0, 0, "fallocate64", 0, 0, 0);
    return REAL(fallocate64)(descriptor, mode, offset, length);
}
