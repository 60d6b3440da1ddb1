// Checker: one thing that must hold for a stream, whatever fails. It is told what the outside sees
// (acknowledgements, reads, takeovers) and what is on the disks, and says what is wrong.
//
// A checker is small and knows only what it was told. Its name is the first word of a violation.
// docs/simulation.md lists them; each is proven by planted bugs (planted_bug.h).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/sim/disk_image.h"

namespace homeport::sim {

// What the outside knows of a writer. Updated after the checkers have seen the event.
struct WriterLife {
  std::map<Seq, std::string> submitted;  // Open too, with an empty payload
  std::optional<Seq> open;               // where it decided to begin
  bool opened = false;
  Seq acknowledged;  // through
};
struct History {
  std::map<WriterEpoch, WriterLife> writers;
  Seq committed;         // the highest that any writer has told
  Seq acknowledged_end;  // of all writers
};

using Disks = std::vector<const DiskImage*>;

class Checker {
 public:
  // Takes what is wrong, without the name.
  using Tell = std::function<void(std::string)>;

  virtual ~Checker() = default;
  virtual std::string_view name() const = 0;

  virtual void Decided(const History&, WriterEpoch, Seq /*open*/) {}
  virtual void Opened(const History&, WriterEpoch, Seq /*open*/) {}
  // Entries of the writer from `first` to `through`, in order.
  virtual void Acknowledged(const History&, WriterEpoch, Seq /*first*/, Seq /*through*/,
                            const Disks&) {}
  virtual void Read(const History&, std::string_view /*reader*/, Seq /*expected*/,
                    const EntryRun&) {}
  // Faults are over and a fresh reader has read all there is, `from` .. `next` - 1.
  virtual void End(const History&, Seq /*from*/, Seq /*next*/, Seq /*trimmed*/, const Disks&) {}

 protected:
  void Fail(std::string what) const { tell_(std::move(what)); }

 private:
  friend class QueueChecker;
  Tell tell_;
};

// All checkers of a stream: stream_checkers.cc.
std::vector<std::unique_ptr<Checker>> StreamCheckers();

}  // namespace homeport::sim
