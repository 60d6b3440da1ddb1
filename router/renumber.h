// Renumber: the number of an encoded Request or Response (client.capnp), read and changed in place.
//
// `number` keeps its place in every version, so that who passes messages on need not know what is
// in them. Pure; thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace homeport::router {

// nullopt: too malformed to have one, or written as no encoder of ours writes.
std::optional<uint64_t> NumberOf(std::string_view message);
// REQUIRES: NumberOf(*message).
void SetNumber(std::string* message, uint64_t number);

}  // namespace homeport::router
