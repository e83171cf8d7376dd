/* Calls on files below one folder, counted; from an armed number on they fail, or the process dies.
 *
 * Preloaded (LD_PRELOAD), so that it sees the calls of Python and of Arrow alike. Nothing happens
 * until `arm` is called, and nothing outside of the folder is touched. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { READS = 1, WRITES = 2, RENAMES = 4 };
enum { ONCE, ALWAYS, DIE };

static char root[PATH_MAX];
static size_t root_length;
static long count, first;
static int kinds, manner, error_number;

/* Count from now on the calls of `wanted` kinds below `folder`; at number `at` (from 1; 0: never)
 * fail once, fail from there on, or die. */
void arm(const char *folder, int wanted, long at, int how, int number) {
    snprintf(root, sizeof root, "%s", folder);
    root_length = strlen(root);
    kinds = wanted, first = at, manner = how, error_number = number, count = 0;
}

long calls(void) { return count; }

static int below(const char *path) {
    char whole[PATH_MAX];
    if (!root_length || !path) return 0;
    if (path[0] != '/') {
        if (!getcwd(whole, sizeof whole / 2)) return 0;
        strncat(whole, "/", 2);
        strncat(whole, path, sizeof whole / 2 - 2);
        path = whole;
    }
    return !strncmp(path, root, root_length);
}

static int file_below(int file) {
    char link[64], path[PATH_MAX];
    if (!root_length) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below(path);
}

static int struck(int kind) {
    if (!(kinds & kind)) return 0;
    count++;
    if (!first || (manner == ALWAYS ? count < first : count != first)) return 0;
    if (manner == DIE) kill(getpid(), SIGKILL);
    errno = error_number;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define PATHS(kind, result, name, parameters, arguments, path, failure)      \
    result name parameters {                                                 \
        if (below(path) && struck(kind)) return failure;                     \
        return REAL(name) arguments;                                         \
    }
#define FILES(kind, result, name, parameters, arguments, file)               \
    result name parameters {                                                 \
        if (file_below(file) && struck(kind)) return -1;                     \
        return REAL(name) arguments;                                         \
    }
#define OPEN(name)                                                           \
    int name(const char *path, int flags, ...) {                             \
        va_list rest;                                                        \
        va_start(rest, flags);                                               \
        mode_t mode = va_arg(rest, mode_t);                                  \
        va_end(rest);                                                        \
        if (below(path) && struck(flags & (O_WRONLY | O_RDWR) ? WRITES : READS)) return -1; \
        return REAL(name)(path, flags, mode);                                \
    }
#define OPENAT(name)                                                         \
    int name(int folder, const char *path, int flags, ...) {                 \
        va_list rest;                                                        \
        va_start(rest, flags);                                               \
        mode_t mode = va_arg(rest, mode_t);                                  \
        va_end(rest);                                                        \
        if (below(path) && struck(flags & (O_WRONLY | O_RDWR) ? WRITES : READS)) return -1; \
        return REAL(name)(folder, path, flags, mode);                        \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
FILES(READS, ssize_t, read, (int f, void *b, size_t n), (f, b, n), f)
FILES(READS, ssize_t, pread, (int f, void *b, size_t n, off_t o), (f, b, n, o), f)
FILES(READS, ssize_t, pread64, (int f, void *b, size_t n, off64_t o), (f, b, n, o), f)
FILES(WRITES, ssize_t, write, (int f, const void *b, size_t n), (f, b, n), f)
FILES(WRITES, ssize_t, pwrite, (int f, const void *b, size_t n, off_t o), (f, b, n, o), f)
FILES(WRITES, ssize_t, pwrite64, (int f, const void *b, size_t n, off64_t o), (f, b, n, o), f)
FILES(WRITES, int, fsync, (int f), (f), f)
FILES(WRITES, int, ftruncate, (int f, off_t n), (f, n), f)
FILES(WRITES, int, ftruncate64, (int f, off64_t n), (f, n), f)
PATHS(WRITES | RENAMES, int, rename, (const char *a, const char *b), (a, b), a, -1)
PATHS(WRITES | RENAMES, int, renameat, (int c, const char *a, int d, const char *b), (c, a, d, b), a, -1)
PATHS(WRITES, int, unlink, (const char *p), (p), p, -1)
PATHS(WRITES, int, unlinkat, (int f, const char *p, int g), (f, p, g), p, -1)
PATHS(WRITES, int, rmdir, (const char *p), (p), p, -1)
PATHS(WRITES, int, mkdir, (const char *p, mode_t m), (p, m), p, -1)
PATHS(READS, DIR *, opendir, (const char *p), (p), p, NULL)
PATHS(READS, int, stat, (const char *p, struct stat *s), (p, s), p, -1)
PATHS(READS, int, stat64, (const char *p, struct stat64 *s), (p, s), p, -1)
PATHS(READS, int, lstat, (const char *p, struct stat *s), (p, s), p, -1)
PATHS(READS, int, lstat64, (const char *p, struct stat64 *s), (p, s), p, -1)
