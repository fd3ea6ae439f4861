/* The time of day, put forward or back for one process and its children: LD_PRELOAD this, and name a file of eight bytes
 * in TEST_CLOCK, the nanoseconds (a signed integer) by which it is wrong from now on. The clock that only counts
 * (CLOCK_MONOTONIC) goes on as it did. Debian's libfaketime does more, and hangs now and then as processes are started.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

static const volatile int64_t *wrong;

__attribute__((constructor)) static void map(void) {
  const char *name = getenv("TEST_CLOCK");
  int file = name == NULL ? -1 : open(name, O_RDONLY | O_CLOEXEC);
  void *there = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *wrong, PROT_READ, MAP_SHARED, file, 0);
  if (file >= 0) close(file);
  if (there != MAP_FAILED) wrong = there;
}

static void add(struct timespec *time, int64_t nanoseconds) {
  int64_t all = time->tv_sec * SECOND + time->tv_nsec + nanoseconds;
  time->tv_sec = all / SECOND;
  time->tv_nsec = all % SECOND;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int status = (int)syscall(SYS_clock_gettime, clock, time);
  if (status == 0 && wrong != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) add(time, *wrong);
  return status;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t *time) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (time != NULL) *time = now.tv_sec;
  return now.tv_sec;
}

/* Who waits until a time of day means ours, not the kernel's. A time since the machine was started is small. */

static clockid_t kernels(struct timespec *until) {
  if (until->tv_sec < SECOND) return CLOCK_MONOTONIC;
  if (wrong != NULL) add(until, -*wrong);
  return CLOCK_REALTIME;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
  struct timespec kernel = *until;
  return sem_clockwait(semaphore, kernels(&kernel), &kernel);
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
  struct timespec kernel = *until;
  return pthread_cond_clockwait(condition, mutex, kernels(&kernel), &kernel);
}
