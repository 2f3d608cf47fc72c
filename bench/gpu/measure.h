// What the programs of bench:gpu share: the clock, and the lines of JSON that they print. Times are
// milliseconds.

#ifndef BENCH_GPU_MEASURE_H
#define BENCH_GPU_MEASURE_H

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { kMaxRounds = 10000 };

static inline double NowMs(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static inline void __attribute__((noreturn, format(printf, 1, 2))) Fail(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(1);
}

// A number of the command line.
static inline uint64_t NumberOf(const char* text) {
  char* end = NULL;
  errno = 0;
  const uint64_t number = strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0') Fail("%s is not a number", text);
  return number;
}

static inline int RoundsOf(const char* text) {
  const uint64_t rounds = NumberOf(text);
  if (rounds < 1 || rounds > kMaxRounds) Fail("%s is not a number from 1 to %d", text, kMaxRounds);
  return (int)rounds;
}

static inline void PrintTimes(const char* name, const double* times, int count) {
  printf("\"%s\":[", name);
  for (int i = 0; i < count; ++i) printf("%s%.6f", i == 0 ? "" : ",", times[i]);
  printf("]");
}

// As many fds as the hard limit allows.
static inline void RaiseFdLimit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

#endif
