// ReadFeeds: the subscriptions of readers to a replica's streams, and what to push to each.
//
//   Read (new session) --> at `from` --(entries <= committed, credit)--> kData, kData ...
//        (same session) --> more credit          next is trimmed, or committed and not held: told
//        once
//
// Bounded: the oldest goes when there are too many, and each goes when its reader is silent for too
// long. Pure; not thread safe. Design section 3, `Read`.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "quorum_queue/replica.h"
#include "quorum_queue/replica_stream.h"

namespace homeport::quorum_queue {

class ReadFeeds {
 public:
  explicit ReadFeeds(const ReplicaOptions& options) : options_(options) {}

  // Opens or goes on with a subscription, pushes what can be pushed, and if that is nothing says
  // so.
  void OnRead(core::Instant now, ReplicaPeer peer, const Read& read, const ReplicaStreams& streams,
              std::vector<ReplicaEffect>* effects);
  // `stream` changed: the next PushChanged looks at its feeds. Cheap, so that many small changes
  // become few answers.
  void Changed(StreamId stream);
  void PushChanged(const ReplicaStreams& streams, std::vector<ReplicaEffect>* effects);
  // Ends the subscriptions whose reader was silent.
  void Expire(core::Instant now);
  size_t size() const { return feeds_.size(); }

 private:
  using Key = std::pair<StreamId, ReplicaPeer>;
  struct Feed {
    uint64_t session = 0;
    Seq next;  // to be sent next
    uint64_t sent_bytes = 0;
    uint64_t received_bytes = 0;
    uint64_t credit_bytes = 0;
    bool compress = false;
    core::Instant renewed;            // by a Read
    std::optional<ReadOutcome> told;  // kLacking or kTrimmed, since the last Read, of `next`
    bool HasCredit() const {
      return (sent_bytes > received_bytes ? sent_bytes - received_bytes : 0) < credit_bytes;
    }
  };

  // Sends what can be sent. `must_answer`: at least one answer, whatever there is.
  void Push(const Key& key, Feed* feed, const ReplicaStreams& streams, bool must_answer,
            std::vector<ReplicaEffect>* effects);
  void DropOldestBut(const Key& kept);

  const ReplicaOptions options_;
  std::map<Key, Feed> feeds_;
  std::set<StreamId> changed_;
};

}  // namespace homeport::quorum_queue
