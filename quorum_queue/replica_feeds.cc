#include "quorum_queue/replica_feeds.h"

#include <algorithm>

#include "core/check.h"
#include "quorum_queue/planted.h"

namespace homeport::quorum_queue {
namespace {

constexpr uint64_t kAnswerEntriesMax = 1 << 16;
constexpr size_t kAnswerRunsMax = 1024;
constexpr uint64_t kCreditBytesMax = 64 << 20;  // so that no reader asks for the whole log at once

// Why the entry at `next` cannot be sent now, if it cannot.
ReadOutcome Standing(const ReplicaStream& stream, Seq next) {
  if (next <= stream.trimmed) return ReadOutcome::kTrimmed;
  if (next > stream.committed) return ReadOutcome::kIdle;
  return stream.index.Find(next) ? ReadOutcome::kData : ReadOutcome::kLacking;
}

}  // namespace

void ReadFeeds::OnRead(core::Instant now, ReplicaPeer peer, const Read& read,
                       const ReplicaStreams& streams, std::vector<ReplicaEffect>* effects) {
  const Key key(read.stream, peer);
  const auto [it, is_new] = feeds_.try_emplace(key);
  Feed& feed = it->second;
  if (is_new || feed.session != read.session) {
    feed = Feed{};
    feed.session = read.session;
    feed.next = read.from;
  }
  if (read.from >= feed.next) {
    // The reader has all that was sent (or more, from elsewhere): reckon as it does.
    feed.next = read.from;
    feed.sent_bytes = read.received_bytes;
  }
  feed.received_bytes = std::clamp(read.received_bytes,
                                   std::min(feed.received_bytes, feed.sent_bytes), feed.sent_bytes);
  feed.credit_bytes = std::min(read.credit_bytes, kCreditBytesMax);
  feed.compress = read.compress;
  feed.renewed = now;
  feed.told.reset();
  if (is_new && feeds_.size() > options_.subscriptions_max &&
      !HOMEPORT_PLANTED("subscriptions-kept")) {
    DropOldestBut(key);
  }
  Push(key, &feed, streams, true, effects);
}

void ReadFeeds::Changed(StreamId stream) {
  const auto first = feeds_.lower_bound(Key(stream, ReplicaPeer(0)));
  if (first != feeds_.end() && first->first.first == stream) changed_.insert(stream);
}

void ReadFeeds::PushChanged(const ReplicaStreams& streams, std::vector<ReplicaEffect>* effects) {
  for (const StreamId stream : changed_) {
    auto it = feeds_.lower_bound(Key(stream, ReplicaPeer(0)));
    for (; it != feeds_.end() && it->first.first == stream; ++it) {
      Push(it->first, &it->second, streams, false, effects);
    }
  }
  changed_.clear();
}

void ReadFeeds::Push(const Key& key, Feed* feed, const ReplicaStreams& streams, bool must_answer,
                     std::vector<ReplicaEffect>* effects) {
  static const ReplicaStream unknown;
  const auto found = streams.find(key.first);
  const ReplicaStream& stream = found == streams.end() ? unknown : found->second;
  const auto answer = [&](ReadOutcome outcome, std::vector<RunLocation> runs) {
    ReadAnswer read{.stream = key.first,
                    .session = feed->session,
                    .disk = options_.disk,
                    .outcome = outcome,
                    .next = feed->next,
                    .runs = {},
                    .committed = stream.committed,
                    .trimmed = stream.trimmed,
                    .sent_bytes = feed->sent_bytes};
    effects->emplace_back(
        AnswerEffect{key.second, std::move(read), std::move(runs), feed->compress});
    must_answer = false;
  };

  ReadOutcome standing = Standing(stream, feed->next);
  for (;
       standing == ReadOutcome::kData && (feed->HasCredit() || HOMEPORT_PLANTED("credit-ignored"));
       standing = Standing(stream, feed->next)) {
    auto runs = stream.index.Contiguous(feed->next, stream.committed, kAnswerEntriesMax,
                                        kAnswerRunsMax, options_.read_answer_bytes_max);
    for (const RunLocation& run : runs) {
      CHECK(EpochAt(stream.chain, run.first) == run.epoch &&
                EpochAt(stream.chain, run.last()) == run.epoch,
            "what a reader gets is valid under the chain", key.first, run.first, run.count,
            run.epoch);
      feed->sent_bytes += run.bytes();
    }
    const Seq after = runs.back().last() + 1;
    answer(ReadOutcome::kData, std::move(runs));
    feed->next = after;
    feed->told.reset();
  }
  if (standing == ReadOutcome::kLacking || standing == ReadOutcome::kTrimmed) {
    if (feed->told != standing) answer(standing, {});
    feed->told = standing;
  } else if (must_answer) {
    answer(ReadOutcome::kIdle, {});
  }
}

void ReadFeeds::Expire(core::Instant now) {
  std::erase_if(feeds_, [&](const auto& item) {
    return now - item.second.renewed > options_.subscription_lifetime;
  });
}

void ReadFeeds::DropOldestBut(const Key& kept) {
  auto oldest = feeds_.end();
  for (auto it = feeds_.begin(); it != feeds_.end(); ++it) {
    if (it->first == kept) continue;
    if (oldest == feeds_.end() || it->second.renewed < oldest->second.renewed) oldest = it;
  }
  if (oldest != feeds_.end()) feeds_.erase(oldest);
}

}  // namespace homeport::quorum_queue
