// Text: bytes as people and JSON see them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/ids.h"

namespace homeport::core {

bool IsUtf8(std::string_view bytes);
std::string Base64(std::string_view bytes);
// nullopt when it is not what Base64 makes: wrong letters, padding or bits left over.
std::optional<std::string> FromBase64(std::string_view text);
// Base64url without padding.
std::string Base64Url(std::string_view bytes);
// Bits left over are ignored: who needs the one text of these bytes compares.
std::optional<std::string> FromBase64Url(std::string_view text);
// A place in an inbox: takeover, move and version, as in "0.1.17".
std::string FormatPlace(const Stamp& place);
// nullopt when it is not what FormatPlace makes.
std::optional<Stamp> ParsePlace(std::string_view text);
std::string FormatTime(int64_t ms_since_1970);  // "2026-01-31T12:00:00.000Z"

}  // namespace homeport::core
