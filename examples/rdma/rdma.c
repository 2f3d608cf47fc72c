// One-sided RDMA on memory of the daemon, with libibverbs alone.
//
//   rdma serve --fd N --bytes B [options]     registers the memory behind fd N, lets peers reach it
//   rdma write HOST --bytes B --pattern P     writes the pattern (a 32-bit number) into a peer's memory
//   rdma read HOST --bytes B --pattern P      reads a peer's memory, and checks that it is the pattern
//
// Options: --device NAME (default: the first one), --port P (18515), --offset O (0), --step S (0): word i of
// the pattern is P + i * S, --address A: the address of the device's network interface (default: that of the
// connection to the peer), --dmabuf: the fd itself is registered (ibv_reg_dmabuf_mr), for NICs that reach the
// memory of a GPU; without it, a mapping of the fd is (ibv_reg_mr), for memory of the host.
//
// With a NIC, or soft-RoCE (`rdma link add rxe0 type rxe netdev eth0`), and libibverbs-dev, from a checkout:
//
//   mkdir -p examples/rdma/build
//   gcc -std=gnu11 -D_GNU_SOURCE -O2 -o examples/rdma/build/rdma examples/rdma/rdma.c -libverbs
//   npx vkmemctl alloc window --size 64M
//   node examples/rdma/window.mjs window
//   examples/rdma/build/rdma write ADDRESS --bytes 67108864 --pattern 0x5eedc0de     (on the peer)
//
// `serve` prints "registered B bytes ..." once the NIC has the memory, then "peer ..." for each peer, and
// ends at the end of its standard input, or on SIGTERM: the memory region is deregistered first. It does not
// touch the bytes: neither does its CPU when a peer reads or writes them.
//
// A peer connects over TCP, to exchange what a queue pair needs: its number, a packet sequence number, a GID,
// and of the memory its address, its length and its key. That connection is not protected: in production,
// give these out by a channel that authenticates the peer, because the key lets its owner write.
//
// Exit codes: 0; 1 the reason is on standard error; 64 usage.

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <getopt.h>
#include <infiniband/verbs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kUsage = 64, kDefaultPort = 18515, kIbPort = 1, kChunk = 1 << 20, kDepth = 16, kMaxGids = 64 };

typedef struct {
  const char* device;
  const char* host;
  const char* address;
  int fd;
  uint16_t port;
  uint64_t bytes;
  uint64_t offset;
  uint32_t pattern;
  uint32_t step;
  bool dmabuf;
} Options;

// What one side tells the other, in network byte order.
typedef struct __attribute__((packed)) {
  uint32_t queue_pair;
  uint32_t sequence;
  uint8_t gid[16];
  uint64_t address;
  uint64_t length;
  uint32_t key;
} Card;

// A device with one reliable queue pair.
typedef struct {
  struct ibv_context* context;
  struct ibv_pd* domain;
  struct ibv_cq* completions;
  struct ibv_qp* queue_pair;
  struct ibv_mr* region;
  union ibv_gid gid;
  int gid_index;
  enum ibv_mtu mtu;
} Endpoint;

static void __attribute__((noreturn, format(printf, 1, 2))) Fail(const char* format, ...) {
  const int error = errno;
  va_list arguments;
  va_start(arguments, format);
  fputs("rdma: ", stderr);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  if (error != 0) fprintf(stderr, ": %s", strerror(error));
  fputc('\n', stderr);
  exit(1);
}

// ibv_ functions that return a pointer set errno; those that return a number return an errno.
static void Must(int error, const char* what) {
  errno = error;
  if (error != 0) Fail("%s", what);
}

static struct ibv_context* OpenDevice(const char* name) {
  int count = 0;
  struct ibv_device** devices = ibv_get_device_list(&count);
  if (devices == NULL) Fail("no RDMA devices can be listed");
  struct ibv_context* context = NULL;
  for (int i = 0; i < count && context == NULL; ++i) {
    if (name == NULL || strcmp(name, ibv_get_device_name(devices[i])) == 0)
      context = ibv_open_device(devices[i]);
  }
  ibv_free_device_list(devices);
  if (context == NULL) {
    errno = 0;
    Fail("there is no RDMA device%s%s, or it cannot be opened (see `rdma link`)", name ? " " : "",
         name ? name : "");
  }
  return context;
}

// An address as a GID: that of IPv4 is mapped (::ffff:a.b.c.d).
static union ibv_gid GidOf(const struct sockaddr* address) {
  union ibv_gid gid = {.raw = {[10] = 0xff, [11] = 0xff}};
  if (address->sa_family == AF_INET) {
    memcpy(gid.raw + 12, &((const struct sockaddr_in*)address)->sin_addr, 4);
  } else {
    memcpy(gid.raw, &((const struct sockaddr_in6*)address)->sin6_addr, 16);
  }
  return gid;
}

static struct addrinfo* Resolve(const char* host, const char* service) {
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
  struct addrinfo* found = NULL;
  const int error = getaddrinfo(host, service, &hints, &found);
  if (error != 0) {
    errno = 0;
    Fail("%s: %s", host, gai_strerror(error));
  }
  return found;
}

// The GID of the address that was given, or of this end of the TCP connection.
static union ibv_gid OwnGid(const char* given, int socket) {
  if (given != NULL) {
    struct addrinfo* found = Resolve(given, NULL);
    const union ibv_gid gid = GidOf(found->ai_addr);
    freeaddrinfo(found);
    return gid;
  }
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (getsockname(socket, (struct sockaddr*)&address, &length) != 0) Fail("getsockname");
  return GidOf((struct sockaddr*)&address);
}

// The entry of the device's GID table for RoCE v2 and that GID.
static void FindGid(Endpoint* endpoint, union ibv_gid wanted) {
  struct ibv_gid_entry entries[kMaxGids];
  const ssize_t count = ibv_query_gid_table(endpoint->context, entries, kMaxGids, 0);
  if (count < 0) Must((int)-count, "ibv_query_gid_table");
  for (ssize_t i = 0; i < count; ++i) {
    if (entries[i].port_num != kIbPort || entries[i].gid_type != IBV_GID_TYPE_ROCE_V2) continue;
    if (memcmp(&entries[i].gid, &wanted, sizeof wanted) != 0) continue;
    endpoint->gid = wanted;
    endpoint->gid_index = (int)entries[i].gid_index;
    return;
  }
  errno = 0;
  Fail(
      "the device has no RoCE v2 GID of the address that the peer is connected to: use an address of its "
      "network interface, or name one (--address)");
}

static void OpenQueuePair(Endpoint* endpoint, union ibv_gid gid) {
  struct ibv_port_attr port;
  Must(ibv_query_port(endpoint->context, kIbPort, &port), "ibv_query_port");
  endpoint->mtu = port.active_mtu;
  FindGid(endpoint, gid);
  endpoint->completions = ibv_create_cq(endpoint->context, kDepth, NULL, NULL, 0);
  if (endpoint->completions == NULL) Fail("ibv_create_cq");
  struct ibv_qp_init_attr attributes = {
      .send_cq = endpoint->completions,
      .recv_cq = endpoint->completions,
      .cap = {.max_send_wr = kDepth, .max_recv_wr = 1, .max_send_sge = 1, .max_recv_sge = 1},
      .qp_type = IBV_QPT_RC,
  };
  endpoint->queue_pair = ibv_create_qp(endpoint->domain, &attributes);
  if (endpoint->queue_pair == NULL) Fail("ibv_create_qp");
  struct ibv_qp_attr init = {
      .qp_state = IBV_QPS_INIT,
      .port_num = kIbPort,
      .qp_access_flags = IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE,
  };
  Must(ibv_modify_qp(endpoint->queue_pair, &init,
                     IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS),
       "ibv_modify_qp to INIT");
}

static Card CardOf(const Endpoint* endpoint) {
  Card card = {.queue_pair = htobe32(endpoint->queue_pair->qp_num),
               .sequence = htobe32((uint32_t)getpid() & 0xffffff)};
  memcpy(card.gid, &endpoint->gid, sizeof card.gid);
  if (endpoint->region != NULL) {
    card.address = htobe64((uint64_t)(uintptr_t)endpoint->region->addr);
    card.length = htobe64(endpoint->region->length);
    card.key = htobe32(endpoint->region->rkey);
  }
  return card;
}

// Returns an errno, or zero: what the peer says may be nonsense.
static int Connect(Endpoint* endpoint, const Card* own, const Card* peer) {
  struct ibv_qp_attr receive = {
      .qp_state = IBV_QPS_RTR,
      .path_mtu = endpoint->mtu,
      .dest_qp_num = be32toh(peer->queue_pair),
      .rq_psn = be32toh(peer->sequence),
      .max_dest_rd_atomic = 1,
      .min_rnr_timer = 12,
      .ah_attr = {.is_global = 1, .port_num = kIbPort, .grh = {.hop_limit = 64}},
  };
  receive.ah_attr.grh.sgid_index = (uint8_t)endpoint->gid_index;
  memcpy(&receive.ah_attr.grh.dgid, peer->gid, sizeof peer->gid);
  const int failed = ibv_modify_qp(endpoint->queue_pair, &receive,
                                   IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
                                       IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER);
  if (failed != 0) return failed;
  struct ibv_qp_attr send = {
      .qp_state = IBV_QPS_RTS,
      .timeout = 18,   // 4.096 us * 2^18: about a second for an answer
      .retry_cnt = 6,  // soft-RoCE repeats without end at 7
      .rnr_retry = 7,
      .sq_psn = be32toh(own->sequence),
      .max_rd_atomic = 1,
  };
  return ibv_modify_qp(endpoint->queue_pair, &send,
                       IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
                           IBV_QP_MAX_QP_RD_ATOMIC);
}

static void CloseQueuePair(Endpoint* endpoint) {
  Must(ibv_destroy_qp(endpoint->queue_pair), "ibv_destroy_qp");
  Must(ibv_destroy_cq(endpoint->completions), "ibv_destroy_cq");
}

// Says why a registration failed, where the reason is a limit of this process.
static void __attribute__((noreturn)) FailRegistration(const char* call, uint64_t bytes) {
  struct rlimit limit;
  const bool memory = errno == ENOMEM || errno == EPERM;
  if (memory && getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
      limit.rlim_cur < bytes) {
    Fail(
        "%s of %llu bytes: RLIMIT_MEMLOCK permits %llu (raise it: ulimit -l, LimitMEMLOCK=, --ulimit "
        "memlock)",
        call, (unsigned long long)bytes, (unsigned long long)limit.rlim_cur);
  }
  Fail("%s of %llu bytes", call, (unsigned long long)bytes);
}

static const int kRemote = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE;

// Registers the memory of an fd. The fd is not needed afterwards: a mapping, or the region, keeps the memory.
static struct ibv_mr* RegisterFd(struct ibv_pd* domain, const Options* options) {
  if (options->dmabuf) {
    struct ibv_mr* region =
        ibv_reg_dmabuf_mr(domain, options->offset, options->bytes, 0, options->fd, kRemote);
    if (region == NULL) FailRegistration("ibv_reg_dmabuf_mr", options->bytes);
    return region;
  }
  void* bytes =
      mmap(NULL, options->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, options->fd, (off_t)options->offset);
  if (bytes == MAP_FAILED) Fail("mmap of fd %d", options->fd);
  struct ibv_mr* region = ibv_reg_mr(domain, bytes, options->bytes, kRemote);
  if (region == NULL) FailRegistration("ibv_reg_mr", options->bytes);
  return region;
}

static volatile sig_atomic_t g_ended = 0;
static void End(int signal) {
  (void)signal;
  g_ended = 1;
}

// Whose end ends this program: the standard input of `serve`; otherwise -1, which poll() ignores.
static int g_input = -1;

// Waits until the fd can be read. Returns false if the program is to end: a silent peer does not prevent
// that.
static bool Await(int fd) {
  struct pollfd waits[] = {{.fd = fd, .events = POLLIN}, {.fd = g_input, .events = POLLIN}};
  while (!g_ended) {
    if (poll(waits, 2, -1) < 0) continue;  // by a signal
    char byte;
    if (waits[1].revents != 0 && read(g_input, &byte, 1) <= 0) return false;
    if (waits[0].revents != 0) return true;
  }
  return false;
}

static bool ReceiveAll(int socket, void* into, size_t length) {
  for (size_t at = 0; at < length;) {
    if (!Await(socket)) return false;
    const ssize_t got = recv(socket, (char*)into + at, length - at, 0);
    if (got <= 0) return false;
    at += (size_t)got;
  }
  return true;
}

// Returns false if the peer has ended the connection, or this program is to end.
static bool Exchange(int socket, const Card* own, Card* peer) {
  return send(socket, own, sizeof *own, MSG_NOSIGNAL) == sizeof *own &&
         ReceiveAll(socket, peer, sizeof *peer);
}

// Waits until both sides can receive, or until the peer has finished.
static bool Meet(int socket) {
  char byte = 0;
  return send(socket, &byte, 1, MSG_NOSIGNAL) == 1 && ReceiveAll(socket, &byte, 1);
}

static int Listen(uint16_t port) {
  const int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any};
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 8) != 0) {
    Fail("port %u", port);
  }
  return listener;
}

static void ServePeer(Endpoint* endpoint, const char* address, int socket) {
  OpenQueuePair(endpoint, OwnGid(address, socket));
  const Card own = CardOf(endpoint);
  Card peer;
  const bool met = Exchange(socket, &own, &peer) && Connect(endpoint, &own, &peer) == 0 && Meet(socket);
  printf("peer %s\n", met && Meet(socket) ? "finished" : "gone");
  fflush(stdout);
  CloseQueuePair(endpoint);
}

static int Serve(const Options* options) {
  // Without SA_RESTART: poll() ends.
  const struct sigaction action = {.sa_handler = End};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  g_input = STDIN_FILENO;
  Endpoint endpoint = {.context = OpenDevice(options->device)};
  endpoint.domain = ibv_alloc_pd(endpoint.context);
  if (endpoint.domain == NULL) Fail("ibv_alloc_pd");
  endpoint.region = RegisterFd(endpoint.domain, options);
  const int listener = Listen(options->port);
  printf("registered %llu bytes %s with %s, port %u\n", (unsigned long long)options->bytes,
         options->dmabuf ? "of a dma-buf" : "of a mapping", ibv_get_device_name(endpoint.context->device),
         options->port);
  fflush(stdout);
  while (Await(listener)) {
    const int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (peer < 0) Fail("accept");
    ServePeer(&endpoint, options->address, peer);
    close(peer);
  }
  Must(ibv_dereg_mr(endpoint.region), "ibv_dereg_mr");
  Must(ibv_dealloc_pd(endpoint.domain), "ibv_dealloc_pd");
  Must(ibv_close_device(endpoint.context), "ibv_close_device");
  return 0;
}

static int Dial(const char* host, uint16_t port) {
  char service[8];
  snprintf(service, sizeof service, "%u", port);
  struct addrinfo* found = Resolve(host, service);
  const int peer = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (peer < 0 || connect(peer, found->ai_addr, found->ai_addrlen) != 0) Fail("%s port %u", host, port);
  freeaddrinfo(found);
  return peer;
}

static void Complete(const Endpoint* endpoint, int count) {
  for (int done = 0; done < count;) {
    struct ibv_wc completion;
    const int polled = ibv_poll_cq(endpoint->completions, 1, &completion);
    if (polled < 0) Fail("ibv_poll_cq");
    if (polled == 0) continue;
    errno = 0;
    if (completion.status != IBV_WC_SUCCESS)
      Fail("the transfer failed: %s", ibv_wc_status_str(completion.status));
    ++done;
  }
}

// Moves all bytes between the region and the peer's memory, in chunks of which kDepth are under way.
static void Move(Endpoint* endpoint, const Options* options, const Card* peer, enum ibv_wr_opcode opcode) {
  int under_way = 0;
  for (uint64_t at = 0; at < options->bytes; at += kChunk) {
    if (under_way == kDepth) {
      Complete(endpoint, 1);
      --under_way;
    }
    const uint64_t left = options->bytes - at;
    struct ibv_sge part = {.addr = (uintptr_t)endpoint->region->addr + at,
                           .length = (uint32_t)(left < kChunk ? left : kChunk),
                           .lkey = endpoint->region->lkey};
    struct ibv_send_wr request = {
        .sg_list = &part, .num_sge = 1, .opcode = opcode, .send_flags = IBV_SEND_SIGNALED};
    request.wr.rdma.remote_addr = be64toh(peer->address) + options->offset + at;
    request.wr.rdma.rkey = be32toh(peer->key);
    struct ibv_send_wr* bad = NULL;
    Must(ibv_post_send(endpoint->queue_pair, &request, &bad), "ibv_post_send");
    ++under_way;
  }
  Complete(endpoint, under_way);
}

// Word `i` of the pattern, modulo 2^32.
static uint32_t WordOf(const Options* options, uint64_t i) {
  return options->pattern + (uint32_t)i * options->step;
}

static int Reach(const Options* options, bool writes) {
  const int peer = Dial(options->host, options->port);
  Endpoint endpoint = {.context = OpenDevice(options->device)};
  endpoint.domain = ibv_alloc_pd(endpoint.context);
  if (endpoint.domain == NULL) Fail("ibv_alloc_pd");
  uint32_t* words = mmap(NULL, options->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (words == MAP_FAILED) Fail("mmap");
  const uint64_t count = options->bytes / sizeof *words;
  for (uint64_t i = 0; i < count; ++i) words[i] = writes ? WordOf(options, i) : ~WordOf(options, i);
  endpoint.region = ibv_reg_mr(endpoint.domain, words, options->bytes, IBV_ACCESS_LOCAL_WRITE);
  if (endpoint.region == NULL) FailRegistration("ibv_reg_mr", options->bytes);
  OpenQueuePair(&endpoint, OwnGid(options->address, peer));
  Card own = CardOf(&endpoint);
  own.key = 0;  // The other side never reaches this memory.
  Card theirs;
  errno = 0;
  if (!Exchange(peer, &own, &theirs)) Fail("the peer ended the connection");
  errno = 0;
  if (be64toh(theirs.length) < options->offset + options->bytes) {
    Fail("the peer's memory has %llu bytes", (unsigned long long)be64toh(theirs.length));
  }
  Must(Connect(&endpoint, &own, &theirs), "ibv_modify_qp");
  errno = 0;
  if (!Meet(peer)) Fail("the peer ended the connection");
  Move(&endpoint, options, &theirs, writes ? IBV_WR_RDMA_WRITE : IBV_WR_RDMA_READ);
  Meet(peer);
  close(peer);
  errno = 0;
  for (uint64_t i = 0; i < count; ++i) {
    if (words[i] != WordOf(options, i)) {
      Fail("byte %llu: read 0x%08x, not 0x%08x", (unsigned long long)(i * sizeof *words), words[i],
           WordOf(options, i));
    }
  }
  printf("%s %llu bytes of 0x%08x\n", writes ? "wrote" : "read", (unsigned long long)options->bytes,
         options->pattern);
  CloseQueuePair(&endpoint);
  Must(ibv_dereg_mr(endpoint.region), "ibv_dereg_mr");
  Must(ibv_dealloc_pd(endpoint.domain), "ibv_dealloc_pd");
  Must(ibv_close_device(endpoint.context), "ibv_close_device");
  return 0;
}

static int Usage(void) {
  fputs(
      "usage: rdma serve --fd N --bytes B [--dmabuf] [OPTION]...\n"
      "       rdma write|read HOST --bytes B --pattern P [--step S] [OPTION]...\n"
      "options: --device NAME, --port P, --offset O, --address A\n",
      stderr);
  return kUsage;
}

// A number of at most `max`, decimal or 0x...; ends with the usage otherwise.
static uint64_t Number(const char* text, uint64_t max) {
  char* end = NULL;
  errno = 0;
  const unsigned long long value = strtoull(text, &end, 0);
  if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value > max) exit(Usage());
  return value;
}

int main(int argc, char** argv) {
  Options options = {.fd = -1, .port = kDefaultPort};
  const struct option known[] = {
      {"fd", required_argument, NULL, 'f'},     {"bytes", required_argument, NULL, 'b'},
      {"device", required_argument, NULL, 'd'}, {"port", required_argument, NULL, 'p'},
      {"offset", required_argument, NULL, 'o'}, {"pattern", required_argument, NULL, 'w'},
      {"step", required_argument, NULL, 's'},   {"address", required_argument, NULL, 'a'},
      {"dmabuf", no_argument, NULL, 'm'},       {NULL, 0, NULL, 0}};
  for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
    if (c == 'f')
      options.fd = (int)Number(optarg, INT32_MAX);
    else if (c == 'b')
      options.bytes = Number(optarg, INT64_MAX);
    else if (c == 'd')
      options.device = optarg;
    else if (c == 'p')
      options.port = (uint16_t)Number(optarg, UINT16_MAX);
    else if (c == 'o')
      options.offset = Number(optarg, INT64_MAX);
    else if (c == 'w')
      options.pattern = (uint32_t)Number(optarg, UINT32_MAX);
    else if (c == 's')
      options.step = (uint32_t)Number(optarg, UINT32_MAX);
    else if (c == 'a')
      options.address = optarg;
    else if (c == 'm')
      options.dmabuf = true;
    else
      return Usage();
  }
  const char* command = optind < argc ? argv[optind] : "";
  if (options.bytes == 0 || options.bytes % sizeof options.pattern != 0) return Usage();
  if (strcmp(command, "serve") == 0 && options.fd >= 0 && optind + 1 == argc) return Serve(&options);
  const bool writes = strcmp(command, "write") == 0;
  if ((!writes && strcmp(command, "read") != 0) || optind + 2 != argc) return Usage();
  options.host = argv[optind + 1];
  return Reach(&options, writes);
}
