// Grammar of a snapshot token, before base64url (docs/formats.md):
//
//   token    := head uin body seal
//   head     := u8: format version (2) in the upper 4 bits, flags kOneEpoch and kWide in the lower
//   uin      := u64 big-endian
//   body     := device epochs version version version
//   epochs   := epoch when kOneEpoch, else one for account and contacts, one for messages
//   epoch    := takeover move
//   seal     := the first 7 bytes of SipHash-2-4 of all before, big-endian
//
// Numbers of the body are LEB128; with kWide big-endian: 2 bytes for the device, 3 for a part of an
// epoch, 6 for a version.
//
// kWide is used, always with two epochs, only when the narrow form would be longer:
// 1 + 8 + 2 + 2 * 6 + 3 * 6 + 7 = 48 bytes, 64 characters. So each snapshot has exactly one token,
// and any other text is refused.
#include "core/messaging/snapshot.h"

#include <sodium/crypto_generichash.h>
#include <sodium/crypto_shorthash.h>

#include <array>
#include <optional>

#include "core/check.h"
#include "core/text.h"

namespace homeport::core {
namespace {

constexpr uint8_t kFormat = 2;
constexpr uint8_t kOneEpoch = 1;
constexpr uint8_t kWide = 2;
constexpr size_t kHeadBytes = 9;
constexpr size_t kSealBytes = 7;
constexpr size_t kTokenBytesMax = 48;
constexpr size_t kDeviceBytes = 2;
constexpr size_t kEpochPartBytes = 3;
constexpr size_t kVersionBytes = 6;
// What the secret is used for, so that another use gives another key.
constexpr std::string_view kPurpose = "homeport snapshot token";

void PutFixed(uint64_t n, size_t bytes, std::string* out) {
  for (size_t i = bytes; i-- > 0;) out->push_back(static_cast<char>(n >> (8 * i)));
}

void PutVarint(uint64_t n, std::string* out) {
  for (; n >= 0x80; n >>= 7) out->push_back(static_cast<char>(n | 0x80));
  out->push_back(static_cast<char>(n));
}

std::string SealOf(const SnapshotKey& key, std::string_view bytes) {
  std::string seal;
  PutFixed(key.Seal(bytes), 8, &seal);
  seal.resize(kSealBytes);
  return seal;
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
    const uint64_t takeover = wide ? Fixed(kEpochPartBytes) : Varint();
    const uint64_t move = wide ? Fixed(kEpochPartBytes) : Varint();
    if (takeover > UINT32_MAX || move > UINT32_MAX) ok = false;
    return {static_cast<uint32_t>(takeover), static_cast<uint32_t>(move)};
  }
  Version TableVersion() { return Version(wide ? Fixed(kVersionBytes) : Varint()); }
  DeviceNumber Device() {
    const uint64_t device = wide ? Fixed(kDeviceBytes) : Varint();
    if (device > UINT16_MAX) ok = false;
    return DeviceNumber(static_cast<uint16_t>(device));
  }
  uint64_t Fail() {
    ok = false;
    rest = {};
    return 0;
  }
};

bool IsInRange(const Stamp& stamp) {
  const uint64_t part_end = uint64_t{1} << (8 * kEpochPartBytes);
  return stamp.epoch.takeover < part_end && stamp.epoch.move < part_end &&
         stamp.version.value() >> (8 * kVersionBytes) == 0;
}

std::string Content(const Snapshot& snapshot, bool wide) {
  const auto put = [wide](uint64_t n, size_t bytes, std::string* out) {
    wide ? PutFixed(n, bytes, out) : PutVarint(n, out);
  };
  const bool one_epoch = !wide && snapshot.contacts.epoch == snapshot.messages.epoch;
  std::string bytes;
  bytes.push_back(
      static_cast<char>(kFormat << 4 | (one_epoch ? kOneEpoch : 0) | (wide ? kWide : 0)));
  PutFixed(snapshot.user.value(), 8, &bytes);
  put(snapshot.device.value(), kDeviceBytes, &bytes);
  put(snapshot.contacts.epoch.takeover, kEpochPartBytes, &bytes);
  put(snapshot.contacts.epoch.move, kEpochPartBytes, &bytes);
  if (!one_epoch) {
    put(snapshot.messages.epoch.takeover, kEpochPartBytes, &bytes);
    put(snapshot.messages.epoch.move, kEpochPartBytes, &bytes);
  }
  for (const Stamp* stamp : {&snapshot.account, &snapshot.contacts, &snapshot.messages}) {
    put(stamp->version.value(), kVersionBytes, &bytes);
  }
  return bytes;
}

}  // namespace

SnapshotKey SnapshotKey::FromSecret(std::string_view secret) {
  static_assert(crypto_shorthash_KEYBYTES == crypto_generichash_BYTES_MIN);
  SnapshotKey key;
  const auto* bytes = reinterpret_cast<const unsigned char*>(secret.data());
  const auto* purpose = reinterpret_cast<const unsigned char*>(kPurpose.data());
  const int failed = crypto_generichash(key.key_.data(), key.key_.size(), bytes, secret.size(),
                                        purpose, kPurpose.size());
  CHECK(failed == 0, "BLAKE2b takes any secret");
  return key;
}

uint64_t SnapshotKey::Seal(std::string_view bytes) const {
  std::array<unsigned char, crypto_shorthash_BYTES> out;
  crypto_shorthash(out.data(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                   key_.data());
  uint64_t seal = 0;
  for (const unsigned char byte : out) seal = seal << 8 | byte;
  return seal;
}

Result<std::string> FormatSnapshot(const SnapshotKey& key, const Snapshot& snapshot) {
  CHECK(snapshot.account.epoch == snapshot.contacts.epoch, "account and contacts share an epoch",
        snapshot.user);
  for (const Stamp* stamp : {&snapshot.account, &snapshot.contacts, &snapshot.messages}) {
    if (!IsInRange(*stamp)) {
      return Status::Corrupt("a stored stamp is beyond what any region gives out");
    }
  }
  std::string bytes = Content(snapshot, false);
  if (bytes.size() + kSealBytes > kTokenBytesMax) bytes = Content(snapshot, true);
  bytes += SealOf(key, bytes);
  CHECK(bytes.size() <= kTokenBytesMax, "a token has a bound", bytes.size());
  return Base64Url(bytes);
}

Result<Snapshot> ParseSnapshot(const SnapshotKey& key, std::string_view token) {
  const Status malformed = Status::BadRequest("this is no sync token; begin again without one");
  if (token.size() > kSnapshotTextMax) return malformed;
  const std::optional<std::string> bytes = FromBase64Url(token);
  if (!bytes.has_value() || bytes->size() < kHeadBytes + kSealBytes) return malformed;
  const std::string_view content = std::string_view(*bytes).substr(0, bytes->size() - kSealBytes);
  if (bytes->substr(content.size()) != SealOf(key, content)) return malformed;
  const auto head = static_cast<uint8_t>(content.front());
  if (head >> 4 != kFormat) return malformed;

  Reader reader{content.substr(1), (head & kWide) != 0};
  Snapshot snapshot;
  snapshot.user = Uin(reader.Fixed(8));
  snapshot.device = reader.Device();
  snapshot.contacts.epoch = snapshot.account.epoch = reader.Epoch();
  const bool one_epoch = (head & kOneEpoch) != 0;
  snapshot.messages.epoch = one_epoch ? snapshot.contacts.epoch : reader.Epoch();
  snapshot.account.version = reader.TableVersion();
  snapshot.contacts.version = reader.TableVersion();
  snapshot.messages.version = reader.TableVersion();
  // There is one text per snapshot: what says the same otherwise was not made here.
  if (!reader.ok || !reader.rest.empty()) return malformed;
  const Result<std::string> text = FormatSnapshot(key, snapshot);
  if (!text.ok() || *text != token) return malformed;
  return snapshot;
}

}  // namespace homeport::core
