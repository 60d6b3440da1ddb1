// Relay: carries TCP connections from doors to their targets through the lines of a WAN box.
//
//   client --> near end ==(line from > to)==> far end --> target
//          <--          <==(line to > from)==         <--
//
// All that a connection does goes through the lines: its opening (a round trip, as a handshake
// takes), its bytes, its ends and its loss. So while a line stands still nothing passes, and
// nothing is lost. Not modelled: packets that are lost one by one, TCP's slow start, and that a
// one-way cut keeps acknowledgements of TCP from the other way.
//
// Bounded: an end is not read while its line has no room, while what it has sent and nobody has
// taken would fill the line alone, or while all that is held here exceeds a limit.
//
// Used by one thread, with its Loop. Call Turn after every round of the loop.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/status.h"
#include "tests/wan/delay_line.h"
#include "tests/wan/loop.h"
#include "tests/wan/socket_fd.h"
#include "tests/wan/wan_command.h"
#include "tests/wan/wan_map.h"

namespace homeport::wan {

struct RelayOptions {
  size_t connections_max = 20'000;
  uint64_t held_bytes_max = 256 << 20;
  uint64_t seed = 1;
};

class Relay {
 public:
  // Listens at every door. REQUIRES: a link for every door. `loop` outlives it.
  static core::Result<std::unique_ptr<Relay>> Open(Loop* loop, const WanMap& map,
                                                   RelayOptions options);
  ~Relay();
  // Delivers what has come out of the lines and reads what they have room for.
  void Turn(Instant now);
  std::optional<Instant> NextDeadline(Instant now);
  // kBadRequest when it names no line.
  core::Status Do(Instant now, const WanCommand& command);

  struct LineFigures {
    std::string from;
    std::string to;
    LineOptions options;
    bool stopped = false;
    uint64_t bytes_inside = 0;
    uint64_t bytes_out = 0;
  };
  struct Figures {
    std::vector<LineFigures> lines;
    uint64_t connections = 0;
    uint64_t accepted = 0;
    uint64_t refused = 0;  // too many
    uint64_t held_bytes = 0;
  };
  Figures Look(Instant now);
  // Where door `index` listens, with the real port.
  std::string AddressOfDoor(size_t index) const;

 private:
  struct Line {
    std::string from;
    std::string to;
    DelayLine delay;
    std::deque<EndId> readers;  // who has something to put in, in turns
  };
  struct End;
  struct Connection;
  struct Door;

  Relay(Loop* loop, RelayOptions options);
  core::Status OpenDoor(const DoorConfig& config);
  size_t LineOf(const std::string& from, const std::string& to) const;
  void AcceptAll(Door& door);
  void OnEvents(End& end, uint32_t events);
  void OnConnected(End& far);
  void Put(const End& from, Parcel::Kind kind, std::string bytes = {});
  void Deliver(Parcel parcel);
  void Connect(Connection& connection);
  void WantRead(End& end);
  void Read(End& end, uint64_t bytes_max);
  void ReadAll(Line& line);
  void Write(End& end);
  void Lose(End& end);
  void RemoveIfOver(Connection& connection);
  void Remove(Connection& connection);
  void Close(End& end, bool reset);
  End& OtherOf(const End& end);
  uint64_t HeldBytes() const;

  Loop* const loop_;
  const RelayOptions options_;
  std::vector<Line> lines_;
  std::vector<std::unique_ptr<Door>> doors_;
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Connection>> removed_;  // the loop may still tell of them
  std::string buffer_;
  uint64_t last_connection_ = 0;
  uint64_t refused_ = 0;
  uint64_t out_bytes_ = 0;  // came out of a line, and are not written yet
};

}  // namespace homeport::wan
