// append_and_read: a whole queue on one page. Three replicas in a directory, append, read, kill
// one, go on. Walked through in quorum_queue/README.md.
//
//   append_and_read DIR        # DIR is new or empty
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "quorum_queue/queue_reader.h"
#include "quorum_queue/queue_writer.h"
#include "quorum_queue/replica_server.h"

using namespace homeport::quorum_queue;  // NOLINT
using namespace std::chrono_literals;
namespace core = homeport::core;

namespace {

const core::Incarnation kRegion(1);
const core::StreamId kStream(kRegion, core::ShardId(0));

template <class T>
T OrDie(core::Result<T> result) {
  if (result.ok()) return std::move(result).value();
  std::fprintf(stderr, "%s\n", result.status().ToString().c_str());
  std::exit(1);
}

// A replica as a thread; in production it is a process on a machine of its own.
struct RunningReplica {
  RunningReplica(core::Context& context, const std::string& dir, uint8_t number) {
    Identity identity{"example", "here", kRegion, number, NewDiskId(), 1};
    if (auto status = FormatReplica(dir, identity); !status.ok()) OrDie<int>(status);
    ReplicaServerOptions options;
    options.dir = dir;
    options.endpoint = "tcp://127.0.0.1:0";
    options.expected = identity;
    options.log.segment_bytes = 8 << 20;
    server = OrDie(ReplicaServer::Open(context, options));
    thread = std::thread([this] { server->Run(stop); });
  }
  ~RunningReplica() {
    stop = true;
    thread.join();
  }
  std::unique_ptr<ReplicaServer> server;
  std::atomic<bool> stop{false};
  std::thread thread;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "append_and_read DIR\n"), 2;
  const std::string dir = argv[1];
  core::Context context;

  // A group: three replicas, each with a disk of its own, and the record that knows their ids.
  std::unique_ptr<RunningReplica> replicas[3];
  std::vector<QueueClient::Endpoint> endpoints;
  Group group;
  for (uint8_t i = 0; i < 3; ++i) {
    const auto number = static_cast<uint8_t>(i + 1);
    replicas[i] = std::make_unique<RunningReplica>(
        context, dir + "/replica-" + std::to_string(number), number);
    endpoints.push_back({{0, i}, replicas[i]->server->endpoint()});
    group.disks[i] = replicas[i]->server->identity().disk;
  }
  if (auto status = LocalGrantStore::Create(dir + "/GRANTS", kRegion, {group}); !status.ok()) {
    OrDie<int>(status);
  }
  auto grants = OrDie(LocalGrantStore::Open(dir + "/GRANTS", kRegion));

  // Append: when it returns, the entry is on two disks.
  QueueWriterOptions writing{.writer = {.stream = kStream}, .replicas = endpoints};
  auto writer = OrDie(QueueWriter::Open(context, writing, grants.get()));
  for (const char* text : {"one", "two", "three"}) {
    std::printf("appended %lu: %s\n", OrDie(writer->Append(text)).value(), text);
  }

  // A replica dies; two are enough.
  replicas[0].reset();
  std::printf("replica 1 is dead\n");
  for (const char* text : {"four", "five"}) {
    std::printf("appended %lu: %s\n", OrDie(writer->Append(text)).value(), text);
  }

  // Read from the beginning. The reader turns from the dead replica to the next by itself.
  QueueReaderOptions reading{.reader = {.stream = kStream, .silent_after = 200ms},
                             .replicas = endpoints};
  auto reader = OrDie(QueueReader::Open(context, reading));
  for (uint64_t seen = 0; seen < 6;) {
    for (const Entry& entry : OrDie(reader->Next(1s))) {
      const std::string text(entry.payload.view());
      std::printf("read %lu: %s\n", entry.seq.value(), text.empty() ? "(open)" : text.c_str());
      ++seen;
    }
  }
  return 0;
}
