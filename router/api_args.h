// ApiArgs: takes the arguments of one API request, out of JSON, path and query, each with its
// check.
//
// The first error stays; after it every Take returns an empty value. Pure; not thread safe.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/messaging/commands.h"
#include "core/messaging/snapshot.h"
#include "core/status.h"
#include "router/views.h"

namespace homeport::router {

// Deeper than anything we are asked: objects in objects cost more than their bytes.
inline constexpr int kApiJsonDepthMax = 8;

// An object; of no bytes, the empty one. kBadRequest for anything else. (Not Json of core/json.h,
// which looks for a key from the first to the last.)
core::Result<nlohmann::json> ParseApiObject(std::string_view text);

class ApiArgs {
 public:
  // REQUIRES: an object.
  explicit ApiArgs(nlohmann::json object);

  // Of path or query: what `object` has already is refused.
  void Add(const std::string& key, std::string value);

  bool Has(std::string_view key) const { return object_.contains(key); }
  // 64 bits are a string. Without `fallback` it must be there.
  uint64_t TakeId(std::string_view key, std::optional<uint64_t> fallback = {});
  uint32_t TakeNumber(std::string_view key, uint32_t max, uint32_t fallback = 0);
  std::string TakeText(std::string_view key, std::optional<std::string> fallback = {});
  // Under `key` as UTF-8, or under `base64_key`; one of them.
  std::string TakeBytes(std::string_view key, std::string_view base64_key);
  // As TakeBytes; empty when it is not there.
  std::string TakeBytesIfAny(std::string_view key, std::string_view base64_key);
  bool TakeFlag(std::string_view key, bool fallback);
  // Objects of a name and a value each.
  std::vector<core::ProfileField> TakeFields(std::string_view key);
  // "records": objects of a table and a snapshot each; none when it is not there.
  std::vector<RecordsPlace> TakeRecordsPlaces();
  core::Stamp TakePlace(std::string_view key);  // in an inbox, "0.0.17"
  core::DeviceNumber TakeDevice();              // "device"; 0 when there is none
  core::AccountKind TakeKind(std::string_view key);

  void Fail(std::string message);
  // The first error; else of keys nobody took.
  core::Status Finish();

 private:
  const nlohmann::json* Take(std::string_view key, bool must);

  nlohmann::json object_;
  std::set<std::string, std::less<>> taken_;
  core::Status status_;
};

}  // namespace homeport::router
