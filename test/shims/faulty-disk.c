/*
 * Preloaded (LD_PRELOAD) into a program, makes the disk under a path slow, full, read-only or broken.
 *
 *   FAULTY_DISK_PATH      the paths it concerns: those that begin with this, absolute and without symbolic links
 *   FAULTY_DISK_FLUSH_MS  each flush there (fsync, fdatasync, sync_file_range, msync with MS_SYNC) takes so many
 *                         milliseconds more, slept in the thread that calls; 8 is an SD card
 *   FAULTY_DISK_CONTROL   a file whose text says how the disk is now; it may change at any time:
 *       full      what takes space fails with ENOSPC (harsher than a real one, where a file can still be overwritten);
 *                 statfs tells of no free space
 *       low       statfs tells of 200 MB free space; nothing fails
 *       readonly  what changes anything fails with EROFS, as after ext4's errors=remount-ro; reads go on
 *       broken    fsync and fdatasync fail with EIO
 *       nothing, or no such file: the disk is well
 *
 * For programs linked to glibc that call it through its symbols: Bun's SQLite, Node, FreeRADIUS, MariaDB. What a program
 * asks of the kernel by itself, or of stdio, is not seen: Bun 1.4.5's own node:fs opens and writes so (it flushes, resizes,
 * names and asks for space through libc). A mapping that is written to is never made to fail. Without a control file only
 * flushes cost anything.
 *
 * Build: node test/shims/build.ts, or cc -O2 -shared -fPIC -o faulty-disk.so faulty-disk.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum mode { WELL, FULL, LOW, READONLY, BROKEN };

static const char *prefix, *control;
static size_t prefix_length;
static long flush_ms;

__attribute__((constructor)) static void begin(void) {
  const char *ms = getenv("FAULTY_DISK_FLUSH_MS");
  prefix = getenv("FAULTY_DISK_PATH");
  control = getenv("FAULTY_DISK_CONTROL");
  if (prefix && !*prefix) prefix = NULL;
  if (control && !*control) control = NULL;
  prefix_length = prefix ? strlen(prefix) : 0;
  flush_ms = ms ? atol(ms) : 0;
}

static enum mode read_control(void) {
  char text[16] = "";
  long file = syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC, 0);
  if (file < 0) return WELL;
  long length = syscall(SYS_read, file, text, sizeof text - 1);
  syscall(SYS_close, file);
  if (length <= 0) return WELL;
  text[strcspn(text, " \r\n")] = 0;
  if (!strcmp(text, "full")) return FULL;
  if (!strcmp(text, "low")) return LOW;
  if (!strcmp(text, "readonly")) return READONLY;
  if (!strcmp(text, "broken")) return BROKEN;
  return WELL;
}

/* How the disk is now. The file is read anew only when it changed, which costs a stat to see. */
static enum mode mode(void) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static struct stat seen;
  static enum mode last;
  if (!control || !prefix) return WELL;
  int kept = errno;
  struct stat now;
  if (stat(control, &now) != 0) {
    errno = kept;
    return WELL;
  }
  pthread_mutex_lock(&lock);
  if (now.st_ino != seen.st_ino || now.st_size != seen.st_size || now.st_mtim.tv_sec != seen.st_mtim.tv_sec ||
      now.st_mtim.tv_nsec != seen.st_mtim.tv_nsec) {
    last = read_control();
    seen = now;
  }
  enum mode answer = last;
  pthread_mutex_unlock(&lock);
  errno = kept;
  return answer;
}

static int concerns_fd(int fd) {
  if (!prefix) return 0;
  int kept = errno;
  char link[40], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path);
  errno = kept;
  return length >= (long)prefix_length && !memcmp(path, prefix, prefix_length);
}

static int concerns_path(int dir, const char *path) {
  if (!prefix || !path) return 0;
  if (path[0] == '/') return !strncmp(path, prefix, prefix_length);
  char whole[2 * PATH_MAX], link[40];
  if (dir == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
  else snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
  int kept = errno;
  long length = syscall(SYS_readlinkat, AT_FDCWD, link, whole, PATH_MAX - 1);
  errno = kept;
  if (length < 0) return 0;
  snprintf(whole + length, sizeof whole - length, "/%s", path);
  return !strncmp(whole, prefix, prefix_length);
}

/* The error of a call that takes space: none, ENOSPC or EROFS. */
static int space_error(void) {
  enum mode now = mode();
  return now == FULL ? ENOSPC : now == READONLY ? EROFS : 0;
}

#define REFUSE(error) \
  do { \
    errno = (error); \
    return -1; \
  } while (0)

/* -- flushes -- */

static int flushing(int fd) {
  if (!prefix || !concerns_fd(fd)) return 0;
  if (flush_ms > 0) {
    struct timespec left = {flush_ms / 1000, flush_ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
  }
  return mode() == BROKEN ? EIO : 0;
}

int fsync(int fd) {
  int error = flushing(fd);
  if (error) REFUSE(error);
  return syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
  int error = flushing(fd);
  if (error) REFUSE(error);
  return syscall(SYS_fdatasync, fd);
}

#ifdef SYS_sync_file_range
int sync_file_range(int fd, off64_t offset, off64_t count, unsigned int flags) {
  int error = flushing(fd);
  if (error) REFUSE(error);
  return syscall(SYS_sync_file_range, fd, offset, count, flags);
}
#endif

/* Which file a mapping belongs to is not known here: one that waits for the disk is taken to be concerned. */
int msync(void *address, size_t length, int flags) {
  if (prefix && (flags & MS_SYNC) && flush_ms > 0) {
    struct timespec left = {flush_ms / 1000, flush_ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
  }
  return syscall(SYS_msync, address, length, flags);
}

/* -- what takes space -- */

#define TAKES_SPACE(fd) \
  do { \
    int error = space_error(); \
    if (error && concerns_fd(fd)) REFUSE(error); \
  } while (0)

ssize_t write(int fd, const void *data, size_t length) {
  TAKES_SPACE(fd);
  return syscall(SYS_write, fd, data, length);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
  TAKES_SPACE(fd);
  return syscall(SYS_pwrite64, fd, data, length, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
  TAKES_SPACE(fd);
  return syscall(SYS_pwrite64, fd, data, length, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  TAKES_SPACE(fd);
  return syscall(SYS_writev, fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  TAKES_SPACE(fd);
  return syscall(SYS_pwritev, fd, parts, count, offset, 0);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
  TAKES_SPACE(fd);
  return syscall(SYS_pwritev, fd, parts, count, offset, 0);
}

static int resize(int fd, off64_t length) {
  int error = space_error();
  if (error && concerns_fd(fd)) {
    struct stat now;
    if (error == EROFS || fstat(fd, &now) != 0 || length > now.st_size) REFUSE(error);
  }
  return syscall(SYS_ftruncate, fd, length);
}

int ftruncate(int fd, off_t length) { return resize(fd, length); }
int ftruncate64(int fd, off64_t length) { return resize(fd, length); }

int fallocate(int fd, int how, off_t offset, off_t length) {
  TAKES_SPACE(fd);
  return syscall(SYS_fallocate, fd, how, offset, length);
}

int fallocate64(int fd, int how, off64_t offset, off64_t length) {
  TAKES_SPACE(fd);
  return syscall(SYS_fallocate, fd, how, offset, length);
}

/* These two give the error as their value. */
int posix_fallocate(int fd, off_t offset, off_t length) {
  int error = space_error();
  if (error && concerns_fd(fd)) return error;
  return syscall(SYS_fallocate, fd, 0, offset, length) == 0 ? 0 : errno;
}

int posix_fallocate64(int fd, off64_t offset, off64_t length) { return posix_fallocate(fd, offset, length); }

/* -- opening, naming -- */

static int open_path(int dir, const char *path, int flags, mode_t permissions) {
  int error = space_error();
  if (error && concerns_path(dir, path)) {
    int makes = (flags & O_TMPFILE) == O_TMPFILE || ((flags & O_CREAT) && faccessat(dir, path, F_OK, 0) != 0);
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
    if (makes || (error == EROFS && writes)) REFUSE(error);
  }
  return syscall(SYS_openat, dir, path, flags, permissions);
}

#define PERMISSIONS(flags, permissions) \
  mode_t permissions = 0; \
  if (((flags) & O_CREAT) || ((flags) & O_TMPFILE) == O_TMPFILE) { \
    va_list rest; \
    va_start(rest, flags); \
    permissions = va_arg(rest, mode_t); \
    va_end(rest); \
  }

int open(const char *path, int flags, ...) {
  PERMISSIONS(flags, permissions)
  return open_path(AT_FDCWD, path, flags, permissions);
}

int open64(const char *path, int flags, ...) {
  PERMISSIONS(flags, permissions)
  return open_path(AT_FDCWD, path, flags | O_LARGEFILE, permissions);
}

int openat(int dir, const char *path, int flags, ...) {
  PERMISSIONS(flags, permissions)
  return open_path(dir, path, flags, permissions);
}

int openat64(int dir, const char *path, int flags, ...) {
  PERMISSIONS(flags, permissions)
  return open_path(dir, path, flags | O_LARGEFILE, permissions);
}

int creat(const char *path, mode_t permissions) {
  return open_path(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, permissions);
}

int mkdir(const char *path, mode_t permissions) {
  int error = space_error();
  if (error && concerns_path(AT_FDCWD, path) && access(path, F_OK) != 0) REFUSE(error);
  return syscall(SYS_mkdirat, AT_FDCWD, path, permissions);
}

#define CHANGES(dir, path) \
  do { \
    if (mode() == READONLY && concerns_path(dir, path)) REFUSE(EROFS); \
  } while (0)

int unlink(const char *path) {
  CHANGES(AT_FDCWD, path);
  return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int unlinkat(int dir, const char *path, int flags) {
  CHANGES(dir, path);
  return syscall(SYS_unlinkat, dir, path, flags);
}

int rename(const char *from, const char *to) {
  CHANGES(AT_FDCWD, from);
  return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to) {
  CHANGES(from_dir, from);
  return syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}

int fchmod(int fd, mode_t permissions) {
  if (mode() == READONLY && concerns_fd(fd)) REFUSE(EROFS);
  return syscall(SYS_fchmod, fd, permissions);
}

int chmod(const char *path, mode_t permissions) {
  CHANGES(AT_FDCWD, path);
  return syscall(SYS_fchmodat, AT_FDCWD, path, permissions);
}

/* -- questions -- */

int access(const char *path, int wanted) {
  if (wanted & W_OK) CHANGES(AT_FDCWD, path);
  return syscall(SYS_faccessat, AT_FDCWD, path, wanted);
}

static long free_blocks_of(long block_size) {
  enum mode now = mode();
  return now == FULL ? 0 : now == LOW && block_size > 0 ? 200000000 / block_size : -1;
}

#define TELL(answer, concerned) \
  do { \
    long free_blocks = free_blocks_of((answer)->f_bsize); \
    if (free_blocks >= 0 && (concerned)) (answer)->f_bavail = (answer)->f_bfree = free_blocks; \
  } while (0)

int statfs(const char *path, struct statfs *answer) {
  if (syscall(SYS_statfs, path, answer) != 0) return -1;
  TELL(answer, concerns_path(AT_FDCWD, path));
  return 0;
}

int fstatfs(int fd, struct statfs *answer) {
  if (syscall(SYS_fstatfs, fd, answer) != 0) return -1;
  TELL(answer, concerns_fd(fd));
  return 0;
}

int statfs64(const char *path, struct statfs64 *answer) { return statfs(path, (struct statfs *)answer); }
int fstatfs64(int fd, struct statfs64 *answer) { return fstatfs(fd, (struct statfs *)answer); }
