// QueueReader: reads one stream in order, for programs that want a log and not a machine: a Reader
// with its sockets and the real clock.
//
//   auto reader = QueueReader::Open(context, options);
//   while (auto entries = (*reader)->Next(1s); entries.ok()) ...   // each once: 1, 2, 3 ...
//
// One thread; works while Next is called. Asks the replicas directly: no writer is needed.
#pragma once

#include <memory>
#include <vector>

#include "core/time.h"
#include "quorum_queue/queue_endpoint.h"
#include "quorum_queue/reader.h"

namespace homeport::quorum_queue {

struct QueueReaderOptions {
  ReaderOptions reader;  // its replicas is ignored; session_base, unless set, random
  std::vector<QueueClient::Endpoint> replicas;  // nearest first
};

struct Entry {
  Seq seq;
  WriterEpoch epoch;    // of the writer that appended it
  SharedBytes payload;  // empty for the entry that opens a writer's epoch
};

class QueueReader {
 public:
  static core::Result<std::unique_ptr<QueueReader>> Open(core::Context& context,
                                                         QueueReaderOptions options);
  ~QueueReader();

  // The next entries, at least one. None when nothing came within that time. kTrimmed(first) when
  // the next entry is gone: open another reader at `first`. kCorrupt when it is committed and no
  // replica that answers holds it: an alarm; may be called again.
  core::Result<std::vector<Entry>> Next(core::Duration within);
  ReaderStatus Status() const;

 private:
  class Driver;
  explicit QueueReader(std::unique_ptr<Driver> driver);
  std::unique_ptr<Driver> driver_;
};

}  // namespace homeport::quorum_queue
