// Note: a rare branch of a world, by name. What no seed reaches is not tested, so the simulator
// counts notes and its fixed set of seeds asks that each was seen.
//
//   const Note kPowerCut("every replica loses power at once");   // at namespace scope
//   notes_.Add(kPowerCut);
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace homeport::sim {

class Note {
 public:
  // `name`: a literal, unique. Notes are made before main() only.
  explicit Note(std::string_view name) : index_(Names().size()) { Names().push_back(name); }
  size_t index() const { return index_; }
  // All there are, in the order of index().
  static const std::vector<std::string_view>& All() { return Names(); }

 private:
  static std::vector<std::string_view>& Names() {
    static std::vector<std::string_view> names;
    return names;
  }
  size_t index_;
};

// NoteCounts: how often each note was reached.
class NoteCounts {
 public:
  NoteCounts() : counts_(Note::All().size()) {}
  void Add(const Note& note, uint64_t times = 1) { counts_[note.index()] += times; }
  void Add(const NoteCounts& other) {
    for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  }
  uint64_t of(size_t index) const { return counts_[index]; }

 private:
  std::vector<uint64_t> counts_;
};

}  // namespace homeport::sim
