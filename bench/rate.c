/*
 * Sends requests at a constant rate. bench/load.ts compiles it.
 *
 * Usage: rate PORT CONNECTIONS PER_SECOND SECONDS BODIES
 *
 * BODIES is a file with one JSON body a line. Each body is sent once, as POST /v1 to 127.0.0.1.
 * A request is due at a fixed moment, whatever became of the earlier ones. Its latency counts from
 * that moment: a server that stalls cannot slow the generator down and so hide the stall. Percentiles
 * are those of a quarter of a second, and of these the median.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MOST_CONNECTIONS = 1024, BUFFER = 16384 };
/* Answers may arrive for this long after the last request was due. */
static const int64_t DRAIN_NS = 2000000000;

struct connection {
  int fd;
  int64_t due_ns;
  size_t used;
  char answer[BUFFER + 1];
};

static struct connection connections[MOST_CONNECTIONS];
static struct connection *idle[MOST_CONNECTIONS];
static int idle_count;
static long refused;
/* A latency, and the slice of the time in which its request was due. */
struct latency {
  uint32_t slice, us;
};
static struct latency *latencies;
static long answered;
static int64_t start_ns;
/* A machine that stops for a moment spoils the slices of that moment, not the measurement. */
static const int64_t SLICE_NS = 250000000;

static void fail(const char *what) {
  fprintf(stderr, "rate: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* Processor time of this process. */
static double cpu_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void open_connection(struct connection *c, int port, int epoll) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0) fail("cannot connect");
  int on = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) fail("cannot wait for a connection");
  idle[idle_count++] = c;
}

static void send_request(struct connection *c, const char *body, size_t length, int64_t due_ns) {
  static char request[BUFFER];
  int head = snprintf(request, sizeof request,
      "POST /v1 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
      "Content-Length: %zu\r\n\r\n", length);
  if (head + length > sizeof request) {
    errno = EMSGSIZE;
    fail("a body");
  }
  memcpy(request + head, body, length);
  c->due_ns = due_ns;
  c->used = 0;
  if (send(c->fd, request, head + length, MSG_NOSIGNAL) != (ssize_t)(head + length)) fail("cannot send");
}

/* Bytes of the whole answer, 0 while its head is incomplete. */
static size_t answer_length(struct connection *c) {
  c->answer[c->used] = 0;
  char *end = strstr(c->answer, "\r\n\r\n");
  if (end == NULL) return 0;
  char *length = strcasestr(c->answer, "\r\ncontent-length:");
  size_t body = length == NULL || length > end ? 0 : strtoul(length + 17, NULL, 10);
  return end + 4 - c->answer + body;
}

static void receive(struct connection *c) {
  ssize_t count = recv(c->fd, c->answer + c->used, BUFFER - c->used, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) fail("a connection ended");
  c->used += count;
  size_t length = answer_length(c);
  if (length == 0 || c->used < length) return;
  if (strncmp(c->answer, "HTTP/1.1 200 ", 13) != 0) refused++;
  latencies[answered].slice = (c->due_ns - start_ns) / SLICE_NS;
  latencies[answered++].us = (now_ns() - c->due_ns) / 1000;
  idle[idle_count++] = c;
}

static int by_slice(const void *a, const void *b) {
  const struct latency *x = a, *y = b;
  if (x->slice != y->slice) return x->slice < y->slice ? -1 : 1;
  return (x->us > y->us) - (x->us < y->us);
}

static int ascending(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

/* The median, over all slices, of the latency that a share of a slice's requests does not exceed. */
static double median_slice_ms(int percent) {
  uint32_t *found = calloc(answered + 1, sizeof *found);
  long slices = 0;
  for (long i = 0, begin = 0; i < answered; i++) {
    if (i + 1 < answered && latencies[i + 1].slice == latencies[begin].slice) continue;
    found[slices++] = latencies[begin + (i + 1 - begin) * percent / 100].us;
    begin = i + 1;
  }
  qsort(found, slices, sizeof *found, ascending);
  double ms = slices == 0 ? 0 : found[slices / 2] / 1e3;
  free(found);
  return ms;
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: rate PORT CONNECTIONS PER_SECOND SECONDS BODIES\n");
    return 2;
  }
  int count = atoi(argv[2]);
  double per_second = atof(argv[3]), seconds = atof(argv[4]);
  if (count < 1 || count > MOST_CONNECTIONS || per_second <= 0 || seconds <= 0) return 2;
  int file = open(argv[5], O_RDONLY);
  struct stat info;
  if (file < 0 || fstat(file, &info) != 0) fail(argv[5]);
  char *body = mmap(NULL, info.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
  if (body == MAP_FAILED) fail(argv[5]);
  char *last = body + info.st_size;
  long total = per_second * seconds, sent = 0;
  latencies = calloc(total + 1, sizeof *latencies);
  int epoll = epoll_create1(0);
  /* Sleeps end within a microsecond, not within the usual 50. */
  prctl(PR_SET_TIMERSLACK, 1000UL);
  for (int i = 0; i < count; i++) open_connection(&connections[i], atoi(argv[1]), epoll);

  double used_us = cpu_us();
  int64_t start = start_ns = now_ns(), end = start + (int64_t)(seconds * 1e9), now = start;
  while (answered < total && now < end + DRAIN_NS) {
    int64_t due = start + (int64_t)(sent * 1e9 / per_second);
    while (sent < total && idle_count > 0 && due <= now) {
      char *next = memchr(body, '\n', last - body);
      if (next == NULL) {
        errno = ENODATA;
        fail(argv[5]);
      }
      send_request(idle[--idle_count], body, next - body, due);
      body = next + 1;
      due = start + (int64_t)(++sent * 1e9 / per_second);
    }
    int64_t wait = sent < total && idle_count > 0 ? due - now : 10000000;
    struct timespec timeout = {0, wait < 0 ? 0 : wait % 1000000000};
    struct epoll_event events[64];
    int ready = epoll_pwait2(epoll, events, 64, &timeout, NULL);
    if (ready < 0 && errno != EINTR) fail("cannot wait");
    for (int i = 0; i < ready; i++) receive(events[i].data.ptr);
    now = now_ns();
  }

  double elapsed = (now - start) / 1e9;
  used_us = cpu_us() - used_us;
  qsort(latencies, answered, sizeof *latencies, by_slice);
  printf("{\"requests\":%ld,\"refused\":%ld,\"missing\":%ld,\"seconds\":%.6f,"
      "\"p50Ms\":%.3f,\"p99Ms\":%.3f,\"cpuMicros\":%.0f}\n",
      answered, refused, total - answered, elapsed, median_slice_ms(50), median_slice_ms(99), used_us);
  return 0;
}
