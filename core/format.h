// fmt for the types of ids.h and status.h: fmt::format("seq {} of stream {}", seq, stream).
#pragma once

#include <fmt/format.h>

#include "core/ids.h"
#include "core/status.h"

template <class Tag, class Rep>
struct fmt::formatter<homeport::core::StrongInt<Tag, Rep>> : fmt::formatter<Rep> {
  template <class Context>
  auto format(homeport::core::StrongInt<Tag, Rep> n, Context& context) const {
    return fmt::formatter<Rep>::format(n.value(), context);
  }
};

// As operator<< prints it: incarnation/shard.
template <>
struct fmt::formatter<homeport::core::StreamId> {
  constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  template <class Context>
  auto format(homeport::core::StreamId stream, Context& context) const {
    return fmt::format_to(context.out(), "{}/{}", stream.incarnation().value(),
                          stream.shard().value());
  }
};

// As Status::ToString.
template <>
struct fmt::formatter<homeport::core::Status> : fmt::formatter<std::string> {
  template <class Context>
  auto format(const homeport::core::Status& status, Context& context) const {
    return fmt::formatter<std::string>::format(status.ToString(), context);
  }
};
