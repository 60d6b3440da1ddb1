// Json: how Homeport writes JSON, at the command line and over HTTP.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/text.h"

namespace homeport::core {

// Keys keep the order in which they were put: the order of the docs.
using Json = nlohmann::ordered_json;

// Under `key` when `bytes` are UTF-8, else under `other_key` as base64.
inline void PutBytes(Json* json, const std::string& key, const std::string& other_key,
                     std::string_view bytes) {
  if (IsUtf8(bytes)) {
    (*json)[key] = std::string(bytes);
  } else {
    (*json)[other_key] = Base64(bytes);
  }
}

// On one line. What is not UTF-8 becomes U+FFFD.
inline std::string ToText(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace homeport::core
