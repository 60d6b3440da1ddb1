// Outruns: of a shard, the users whose new home this store heard of before all that their old homes
// had written (docs/mastership.md). Kept in the store, of this region only.
//
//   key of no user --> how many there are, and who was looked at last
//   key of a user  --> nothing
//
// While there are none, an entry costs one read. Else each user that it touches costs one, and a
// few are looked at in turn, whether they may be forgotten: never all of them, since a region that
// is cut off may have very many.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "core/ids.h"
#include "core/store.h"

namespace homeport::core {

class Outruns {
 public:
  // For one entry; writes go into `batch`.
  Outruns(const StoreView& store, ShardId shard, WriteBatch* batch)
      : store_(store), shard_(shard), batch_(batch) {}

  // As before the entry, or as noted by it.
  bool Has(Uin user);
  void Note(Uin user, bool outrun);
  // Forgets the next few that have caught up. The entry is at its end.
  void Sweep(const std::function<bool(Uin)>& has_caught_up);

 private:
  struct Head {
    uint64_t count = 0;
    Uin last;  // looked at
  };
  Head& head();
  void Write();

  const StoreView& store_;
  const ShardId shard_;
  WriteBatch* const batch_;
  std::optional<Head> head_;
  std::map<Uin, bool> known_;
};

}  // namespace homeport::core
