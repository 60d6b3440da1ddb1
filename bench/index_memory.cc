// index_memory: what a replica keeps in memory for each entry in its log: the index of each stream
// and the offsets of the records. Filled as the server fills them, with batches that arrive
// from several streams by chance; no disk.
#include <fmt/format.h>
#include <malloc.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "quorum_queue/entry_index.h"
#include "quorum_queue/log_record.h"
#include "quorum_queue/record_offsets.h"
#include "quorum_queue/segment_format.h"

namespace homeport::bench {
namespace {

using namespace quorum_queue;

constexpr uint64_t kEntryBytes = 1024;  // on average: half as many to half as many more
constexpr uint64_t kStreams = 16;
constexpr uint64_t kSegmentBytes = 64 << 20;

uint64_t HeapBytes() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

uint64_t HeaderBytes(uint64_t batch) {
  Append append{StreamId(core::Incarnation(1), core::ShardId(1)),
                WriterEpoch(1 << 24),
                {},
                {},
                Seq(1 << 20),
                Seq(0)};
  append.run.first = Seq(1 << 20);
  append.run.epoch = append.epoch;
  append.run.sizes.assign(batch, kEntryBytes);
  return EncodeLogRecord(append).size();
}

void Measure(uint64_t entries, uint64_t batch) {
  const uint64_t before = HeapBytes();
  const auto start = std::chrono::steady_clock::now();
  std::vector<EntryIndex> indexes(kStreams);
  std::vector<Seq> next(kStreams, Seq(1));
  std::vector<RecordOffsets> segments(1);
  const uint64_t header_bytes = HeaderBytes(batch);
  std::minstd_rand random(1);
  uint64_t offset = kSegmentHeaderBytes;
  uint64_t record = 0;
  for (uint64_t done = 0; done < entries; done += batch) {
    const uint64_t bytes = batch * kEntryBytes / 2 + random() % (batch * kEntryBytes);
    const uint64_t record_bytes = RecordBytes(header_bytes, bytes);
    if (offset + record_bytes > kSegmentBytes) {
      segments.back().Seal();
      segments.emplace_back();
      offset = kSegmentHeaderBytes;
    }
    segments.back().Add(static_cast<uint32_t>(offset));
    offset += record_bytes;
    const uint64_t stream = random() % kStreams;
    indexes[stream].Put({next[stream], batch, WriterEpoch(1 << 24), RecordNumber(++record),
                         next[stream], batch, bytes});
    next[stream] = next[stream] + batch;
  }
  const uint64_t index_and_offsets = HeapBytes() - before;
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const uint64_t with_index = HeapBytes();
  indexes.clear();
  indexes.shrink_to_fit();
  const uint64_t index = with_index - HeapBytes();
  fmt::print(
      "{} entries in batches of {:>3}: {:>7.1f} MiB, {:.2f} bytes a batch of index and {:.2f} "
      "of offsets; {:.0f} ns a batch\n",
      entries, batch, static_cast<double>(index_and_offsets) / (1 << 20),
      static_cast<double>(index) / static_cast<double>(record),
      static_cast<double>(index_and_offsets - index) / static_cast<double>(record),
      seconds * 1e9 / static_cast<double>(record));
}

}  // namespace
}  // namespace homeport::bench

int main(int argc, char** argv) {
  const uint64_t entries = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000'000;
  for (const uint64_t batch : {256, 16, 1}) homeport::bench::Measure(entries, batch);
}
