#include "tests/wan/delay_line.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace homeport::wan {
namespace {

// As the buffer of a router before a slow link: what waits for the bandwidth waits so long at most.
constexpr Duration kQueueMax = std::chrono::milliseconds(50);
constexpr uint64_t kUnlimitedCapacityBytes = 64 << 20;
constexpr uint64_t kParcelBytesMin = 1448;  // of a packet
constexpr uint64_t kParcelBytesMax = 64 << 10;
constexpr Duration kParcelTime = std::chrono::milliseconds(2);

uint64_t BytesIn(Duration duration, uint64_t bits_per_s) {
  const auto us = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
  return us * (bits_per_s / 8) / 1'000'000;
}

Duration TimeFor(uint64_t bytes, uint64_t bits_per_s) {
  if (bits_per_s == 0) return Duration(0);
  return Duration(static_cast<int64_t>(bytes * 8 * 1'000'000'000 / bits_per_s));
}

}  // namespace

uint64_t DelayLine::CapacityBytes() const {
  if (options_.bits_per_s == 0) return kUnlimitedCapacityBytes;
  return BytesIn(options_.delay + options_.jitter + kQueueMax, options_.bits_per_s) + ParcelBytes();
}

uint64_t DelayLine::ParcelBytes() const {
  if (options_.bits_per_s == 0) return kParcelBytesMax;
  return std::clamp(BytesIn(kParcelTime, options_.bits_per_s), kParcelBytesMin, kParcelBytesMax);
}

bool DelayLine::HasRoom(Instant now) {
  const Instant here = Settle(now);
  return bytes_ < CapacityBytes() && free_at_ < here + kQueueMax;
}

std::optional<Instant> DelayLine::NextRoom(Instant now) {
  const Instant here = Settle(now);
  if (bytes_ >= CapacityBytes()) return std::nullopt;  // after a Take
  if (!standing_) return free_at_ - kQueueMax + Duration(1);
  if (standing_->until == Instant::max()) return std::nullopt;
  return standing_->until + (free_at_ - kQueueMax + Duration(1) - here);
}

void DelayLine::Put(Instant now, Parcel parcel) {
  const Instant here = Settle(now);
  free_at_ = std::max(free_at_, here) + TimeFor(parcel.bytes.size(), options_.bits_per_s);
  last_out_ = std::max(last_out_, free_at_ + options_.delay + Jitter());
  bytes_ += parcel.bytes.size();
  inside_.push_back({last_out_, std::move(parcel)});
}

std::vector<Parcel> DelayLine::Take(Instant now) {
  std::vector<Parcel> out;
  Settle(now);
  if (standing_) return out;
  while (!inside_.empty() && inside_.front().out <= now) {
    bytes_ -= inside_.front().parcel.bytes.size();
    bytes_out_ += inside_.front().parcel.bytes.size();
    out.push_back(std::move(inside_.front().parcel));
    inside_.pop_front();
  }
  return out;
}

std::optional<Instant> DelayLine::NextOut(Instant now) {
  const Instant here = Settle(now);
  if (inside_.empty()) return std::nullopt;
  if (!standing_) return inside_.front().out;
  if (standing_->until == Instant::max()) return std::nullopt;
  return standing_->until + std::max(inside_.front().out - here, Duration(0));
}

void DelayLine::StopUntil(Instant now, Instant until) {
  Settle(now);
  if (!standing_) {
    standing_ = Standing{now, until};
  } else {
    standing_->until = std::max(standing_->until, until);
  }
}

void DelayLine::Resume(Instant now) {
  Settle(now);
  if (!standing_) return;
  const Duration stood = now - standing_->since;
  CHECK(stood >= Duration(0), "time does not go back", stood.count());
  free_at_ += stood;
  last_out_ += stood;
  for (Inside& each : inside_) each.out += stood;
  standing_.reset();
}

bool DelayLine::IsStopped(Instant now) {
  Settle(now);
  return standing_.has_value();
}

Instant DelayLine::Settle(Instant now) {
  if (!standing_) return now;
  if (now < standing_->until) return standing_->since;
  const Instant until = standing_->until;
  standing_->until = Instant::max();  // for Resume's own look
  Resume(until);
  return now;
}

Duration DelayLine::Jitter() {
  if (options_.jitter <= Duration(0)) return Duration(0);
  return Duration(
      static_cast<int64_t>(random_.Below(static_cast<uint64_t>(options_.jitter.count()) + 1)));
}

}  // namespace homeport::wan
