#include "router/api_args.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <utility>

#include "core/check.h"
#include "core/text.h"
#include "router/directory.h"

namespace homeport::router {

using core::Result;
using core::Status;
using Object = nlohmann::json;

namespace {

// How deep brackets go, strings aside. What is no JSON is found out by the parser.
int DepthOf(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') deepest = std::max(deepest, ++depth);
    if (c == '}' || c == ']') --depth;
  }
  return deepest;
}

template <class Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return number;
}

}  // namespace

Result<Object> ParseApiObject(std::string_view text) {
  if (text.empty()) return Object::object();
  if (DepthOf(text) > kApiJsonDepthMax) {
    return Status::BadRequest(
        fmt::format("JSON nested deeper than {} is not read", kApiJsonDepthMax));
  }
  Object object = Object::parse(text, nullptr, /*allow_exceptions=*/false);
  if (object.is_discarded()) return Status::BadRequest("the body is not JSON");
  if (!object.is_object()) return Status::BadRequest("the body is no JSON object");
  return object;
}

ApiArgs::ApiArgs(Object object) : object_(std::move(object)) {
  CHECK(object_.is_object(), "arguments have names");
}

void ApiArgs::Fail(std::string message) {
  if (status_.ok()) status_ = Status::BadRequest(std::move(message));
}

void ApiArgs::Add(const std::string& key, std::string value) {
  // Bytes of a path may be any; in JSON they are text or base64.
  const std::string base64 = key + "_base64";
  if (object_.contains(key) || object_.contains(base64)) {
    return Fail(fmt::format("{} is given twice", Quoted(key)));
  }
  if (core::IsUtf8(value)) {
    object_[key] = std::move(value);
  } else {
    object_[base64] = core::Base64(value);
  }
}

const Object* ApiArgs::Take(std::string_view key, bool must) {
  taken_.emplace(key);
  const auto at = object_.find(key);
  if (at == object_.end() && must) Fail(fmt::format("{} is missing", key));
  return at == object_.end() || !status_.ok() ? nullptr : &*at;
}

uint64_t ApiArgs::TakeId(std::string_view key, std::optional<uint64_t> fallback) {
  const Object* value = Take(key, !fallback);
  if (value == nullptr) return fallback.value_or(0);
  const auto* text = value->get_ptr<const std::string*>();
  const auto number = text != nullptr ? ParseNumber<uint64_t>(*text) : std::nullopt;
  if (!number) Fail(fmt::format("{} is no string of digits, as \"281474976710657\"", key));
  return number.value_or(0);
}

uint32_t ApiArgs::TakeNumber(std::string_view key, uint32_t max, uint32_t fallback) {
  const Object* value = Take(key, false);
  if (value == nullptr) return fallback;
  std::optional<uint64_t> number;
  if (const auto* text = value->get_ptr<const std::string*>()) {
    number = ParseNumber<uint64_t>(*text);
  } else if (value->is_number_unsigned()) {
    number = value->get<uint64_t>();
  }
  if (!number || *number > max) {
    Fail(fmt::format("{} is no number from 0 to {}", key, max));
    return fallback;
  }
  return static_cast<uint32_t>(*number);
}

std::string ApiArgs::TakeText(std::string_view key, std::optional<std::string> fallback) {
  const Object* value = Take(key, !fallback);
  if (value == nullptr) return fallback.value_or("");
  if (const auto* text = value->get_ptr<const std::string*>()) return *text;
  Fail(fmt::format("{} is no string", key));
  return {};
}

std::string ApiArgs::TakeBytes(std::string_view key, std::string_view base64_key) {
  if (Has(key) == Has(base64_key)) {
    Fail(fmt::format("one of {} and {} is needed", key, base64_key));
    return {};
  }
  taken_.emplace(key);
  taken_.emplace(base64_key);
  if (Has(key)) return TakeText(key);
  const std::optional<std::string> bytes = core::FromBase64(TakeText(base64_key));
  if (!bytes) Fail(fmt::format("{} is not base64", base64_key));
  return bytes.value_or("");
}

std::string ApiArgs::TakeBytesIfAny(std::string_view key, std::string_view base64_key) {
  if (Has(key) || Has(base64_key)) return TakeBytes(key, base64_key);
  taken_.emplace(key);
  taken_.emplace(base64_key);
  return {};
}

bool ApiArgs::TakeFlag(std::string_view key, bool fallback) {
  const Object* value = Take(key, false);
  if (value == nullptr) return fallback;
  if (const auto* flag = value->get_ptr<const bool*>()) return *flag;
  Fail(fmt::format("{} is neither true nor false", key));
  return fallback;
}

std::vector<core::ProfileField> ApiArgs::TakeFields(std::string_view key) {
  std::vector<core::ProfileField> fields;
  const Object* list = Take(key, true);
  if (list == nullptr) return fields;
  if (!list->is_array()) {
    Fail(fmt::format("{} is no list of fields", key));
    return fields;
  }
  for (const Object& one : *list) {
    if (!one.is_object()) {
      Fail(fmt::format("{} has what is no object with name and value", key));
      return fields;
    }
    ApiArgs field(one);
    core::ProfileField& to = fields.emplace_back();
    to.name = field.TakeBytes("name", "name_base64");
    to.value = field.TakeBytes("value", "base64");
    if (Status bad = field.Finish(); !bad.ok()) Fail(fmt::format("{}: {}", key, bad.message()));
  }
  return fields;
}

std::vector<RecordsPlace> ApiArgs::TakeRecordsPlaces() {
  std::vector<RecordsPlace> places;
  const Object* list = Take("records", false);
  if (list == nullptr) return places;
  if (!list->is_array() || list->size() > core::kRecordTablesMax) {
    Fail(fmt::format("records is no list of up to {} tables", core::kRecordTablesMax));
    return places;
  }
  for (const Object& one : *list) {
    if (!one.is_object()) {
      Fail("records has what is no object with table and snapshot");
      return places;
    }
    ApiArgs place(one);
    RecordsPlace& to = places.emplace_back();
    to.table = place.TakeText("table");
    to.snapshot = place.TakeText("snapshot", "");
    if (Status bad = place.Finish(); !bad.ok()) Fail(fmt::format("records: {}", bad.message()));
  }
  return places;
}

core::Stamp ApiArgs::TakePlace(std::string_view key) {
  const std::optional<core::Stamp> place = core::ParsePlace(TakeText(key));
  if (!place) Fail(fmt::format("{} is no place of a message, as \"0.0.17\"", key));
  return place.value_or(core::Stamp());
}

core::DeviceNumber ApiArgs::TakeDevice() {
  return core::DeviceNumber(static_cast<uint16_t>(TakeNumber("device", UINT16_MAX)));
}

core::AccountKind ApiArgs::TakeKind(std::string_view key) {
  const std::string kind = TakeText(key);
  if (kind == "group") return core::AccountKind::kGroup;
  if (kind != "user") Fail(fmt::format("{} is neither user nor group", key));
  return core::AccountKind::kUser;
}

Status ApiArgs::Finish() {
  for (const auto& [key, value] : object_.items()) {
    if (taken_.contains(key)) continue;
    Fail(fmt::format("{} is unknown here; known: {}", Quoted(key), fmt::join(taken_, ", ")));
  }
  return status_;
}

}  // namespace homeport::router
