// QueueWriter: appends to one stream, for programs that want a log and not a machine: a Writer with
// its sockets, the real clock and a thread of its own.
//
//   auto writer = QueueWriter::Open(context, options, &grants);  // takes the stream over
//   auto seq = (*writer)->Append("hello");                       // on disk at 2 of 3 replicas
//
// An append that fails with kNoQuorum or kFenced has an unknown outcome: read the stream to know.
// kOverloaded, kTooLarge and kUnavailable: it was not appended.
//
// Thread safe. Ends without waiting for what is in flight.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/time.h"
#include "quorum_queue/grants.h"
#include "quorum_queue/queue_endpoint.h"
#include "quorum_queue/writer.h"

namespace homeport::quorum_queue {

struct QueueWriterOptions {
  WriterOptions writer;
  std::vector<QueueClient::Endpoint> replicas;  // every one of the grant
  uint64_t waiting_bytes_max = 16 << 20;        // appended faster than the writer's window takes
  core::Duration open_within = std::chrono::seconds(10);
  core::Duration append_within = std::chrono::seconds(10);  // for Append without a callback
};

class QueueWriter {
 public:
  using Done = std::function<void(core::Result<Seq>)>;

  // Takes a grant and takes over. kNoQuorum when 2 of 3 replicas of each group do not answer in
  // time; the message names those that are waited for.
  static core::Result<std::unique_ptr<QueueWriter>> Open(core::Context& context,
                                                         QueueWriterOptions options,
                                                         GrantStore* grants);
  ~QueueWriter();

  // Waits until the entry is committed, for append_within at most.
  core::Result<Seq> Append(std::string payload);
  // `done` is called once: from the writer's thread, in the order of seqs; with kOverloaded at
  // once, on the caller's. It must not block. What it appends itself is answered too, also while
  // the writer is closed; so it must not do that after every failure.
  void Append(std::string payload, Done done);
  // Entries <= through may go on all replicas.
  void Trim(Seq through);
  WriterStatus Status() const;

 private:
  class Driver;
  explicit QueueWriter(std::unique_ptr<Driver> driver);
  std::unique_ptr<Driver> driver_;
};

}  // namespace homeport::quorum_queue
