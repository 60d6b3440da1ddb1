// Grammar of a snapshot token, before base64url (docs/formats.md):
//
//   token    := head uin body checksum
//   head     := u8: format version (1) in the upper 4 bits, flags kOneEpoch and kWide in the lower
//   uin      := u64 big-endian
//   body     := epochs version version version
//   epochs   := epoch when kOneEpoch, else one each for account, contacts, messages
//   epoch    := takeover move
//   checksum := the first 7 bytes of XXH3-64 (seed below) of all before, big-endian
//
// Numbers of the body are LEB128; with kWide big-endian, 8 bytes for a version, 4 for the others.
//
// kWide is used, always with three epochs, only when the narrow form would pass kSnapshotBytesMax:
// 1 + 8 + 3 * 16 + 7 = 64. So each snapshot has exactly one token, and any other bytes are refused.
#include <xxhash.h>

#include <array>

#include "core/messaging/queries.h"

namespace homeport::core {
namespace {

constexpr uint8_t kFormat = 1;
constexpr uint8_t kOneEpoch = 1;
constexpr uint8_t kWide = 2;
constexpr size_t kHeadBytes = 9;
constexpr size_t kChecksumBytes = 7;
constexpr uint64_t kSeed = 0x736e617073686f74;  // "snapshot"
constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void PutFixed(uint64_t n, size_t bytes, std::string* out) {
  for (size_t i = bytes; i-- > 0;) out->push_back(static_cast<char>(n >> (8 * i)));
}

void PutVarint(uint64_t n, std::string* out) {
  for (; n >= 0x80; n >>= 7) out->push_back(static_cast<char>(n | 0x80));
  out->push_back(static_cast<char>(n));
}

std::string Checksum(std::string_view bytes) {
  std::string checksum;
  PutFixed(XXH3_64bits_withSeed(bytes.data(), bytes.size(), kSeed), 8, &checksum);
  checksum.resize(kChecksumBytes);
  return checksum;
}

std::string Base64Url(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() * 4 + 2) / 3);
  uint32_t bits = 0;
  int held = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<uint8_t>(c);
    for (held += 8; held >= 6;) text.push_back(kAlphabet[bits >> (held -= 6) & 63]);
  }
  if (held > 0) text.push_back(kAlphabet[bits << (6 - held) & 63]);
  return text;
}

// Leftover bits are ignored: ParseSnapshot compares with the one right text.
std::optional<std::string> FromBase64Url(std::string_view text) {
  std::string bytes;
  uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const size_t at = kAlphabet.find(c);
    if (at == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(at);
    held += 6;
    if (held >= 8) bytes.push_back(static_cast<char>(bits >> (held -= 8)));
  }
  return bytes;
}

// Reads numbers off the front; after a short read everything is 0 and `ok` is false.
struct Reader {
  std::string_view rest;
  bool wide = false;
  bool ok = true;

  uint64_t Fixed(size_t bytes) {
    if (rest.size() < bytes) return Fail();
    uint64_t n = 0;
    for (size_t i = 0; i < bytes; ++i) n = n << 8 | static_cast<uint8_t>(rest[i]);
    rest.remove_prefix(bytes);
    return n;
  }
  uint64_t Varint() {
    uint64_t n = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest.empty()) return Fail();
      const auto byte = static_cast<uint8_t>(rest.front());
      rest.remove_prefix(1);
      n |= uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80) == 0) return n;
    }
    return Fail();
  }
  MastershipEpoch Epoch() {
    const uint64_t takeover = wide ? Fixed(4) : Varint();
    const uint64_t move = wide ? Fixed(4) : Varint();
    if (takeover > UINT32_MAX || move > UINT32_MAX) ok = false;
    return {static_cast<uint32_t>(takeover), static_cast<uint32_t>(move)};
  }
  Version TableVersion() { return Version(wide ? Fixed(8) : Varint()); }
  uint64_t Fail() {
    ok = false;
    rest = {};
    return 0;
  }
};

std::string Content(const Snapshot& snapshot, bool wide) {
  const std::array<const Stamp*, 3> stamps = {&snapshot.account, &snapshot.contacts,
                                              &snapshot.messages};
  const bool one_epoch =
      !wide && stamps[0]->epoch == stamps[1]->epoch && stamps[1]->epoch == stamps[2]->epoch;
  std::string bytes;
  bytes.push_back(
      static_cast<char>(kFormat << 4 | (one_epoch ? kOneEpoch : 0) | (wide ? kWide : 0)));
  PutFixed(snapshot.user.value(), 8, &bytes);
  for (size_t i = 0; i < (one_epoch ? 1 : stamps.size()); ++i) {
    for (const uint32_t part : {stamps[i]->epoch.takeover, stamps[i]->epoch.move}) {
      wide ? PutFixed(part, 4, &bytes) : PutVarint(part, &bytes);
    }
  }
  for (const Stamp* stamp : stamps) {
    wide ? PutFixed(stamp->version.value(), 8, &bytes) : PutVarint(stamp->version.value(), &bytes);
  }
  return bytes;
}

}  // namespace

std::string FormatSnapshot(const Snapshot& snapshot) {
  std::string bytes = Content(snapshot, false);
  if (bytes.size() + kChecksumBytes > kSnapshotBytesMax) bytes = Content(snapshot, true);
  bytes += Checksum(bytes);
  CHECK(bytes.size() <= kSnapshotBytesMax, "a token has a bound", bytes.size());
  return Base64Url(bytes);
}

Result<Snapshot> ParseSnapshot(std::string_view token) {
  const Status malformed = Status::BadRequest("this is no sync token; begin again without one");
  if (token.size() > (kSnapshotBytesMax * 4 + 2) / 3) return malformed;
  const std::optional<std::string> bytes = FromBase64Url(token);
  if (!bytes.has_value() || bytes->size() < kHeadBytes + kChecksumBytes) return malformed;
  const std::string_view content =
      std::string_view(*bytes).substr(0, bytes->size() - kChecksumBytes);
  if (bytes->substr(content.size()) != Checksum(content)) return malformed;
  const auto head = static_cast<uint8_t>(content.front());
  if (head >> 4 != kFormat) return malformed;

  Reader reader{content.substr(1), (head & kWide) != 0};
  Snapshot snapshot;
  snapshot.user = Uin(reader.Fixed(8));
  snapshot.account.epoch = reader.Epoch();
  const bool one_epoch = (head & kOneEpoch) != 0;
  snapshot.contacts.epoch = one_epoch ? snapshot.account.epoch : reader.Epoch();
  snapshot.messages.epoch = one_epoch ? snapshot.account.epoch : reader.Epoch();
  snapshot.account.version = reader.TableVersion();
  snapshot.contacts.version = reader.TableVersion();
  snapshot.messages.version = reader.TableVersion();
  // There is one text per snapshot: what says the same otherwise was not made here.
  if (!reader.ok || !reader.rest.empty() || FormatSnapshot(snapshot) != token) return malformed;
  return snapshot;
}

}  // namespace homeport::core
