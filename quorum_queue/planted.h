// Bugs planted into the machines, one at a time, to prove that the simulator sees them. Compiled
// only into the copy of this library that the simulator links (homeport_quorum_queue_planted); in
// the product HOMEPORT_PLANTED is false and nothing of this exists.
//
//   if (HOMEPORT_PLANTED("no-fill") || !filled) ...
//
// tests/sim/bugs_machines.cc says what each does and who sees it.
#pragma once

#ifdef HOMEPORT_PLANTED_BUGS

#include <cstdint>
#include <string_view>

namespace homeport::quorum_queue {

constexpr uint64_t PlantedId(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}
// The one that is planted now; 0: none.
inline thread_local uint64_t planted_id = 0;

}  // namespace homeport::quorum_queue

#define HOMEPORT_PLANTED(name)                                         \
  (::homeport::quorum_queue::planted_id == [] {                        \
    constexpr uint64_t id = ::homeport::quorum_queue::PlantedId(name); \
    return id;                                                         \
  }())

#else
#define HOMEPORT_PLANTED(name) false
#endif
