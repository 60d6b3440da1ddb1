#include "core/messaging/outruns.h"

#include <string>
#include <vector>

#include "core/check.h"
#include "core/messaging/keys.h"
#include "core/messaging/rows.h"

namespace homeport::core {
namespace {

constexpr size_t kLookedAtPerEntry = 2;
constexpr size_t kNumberBytes = 8;
const Uin kNobody{};  // the head's key

}  // namespace

Outruns::Head& Outruns::head() {
  if (!head_.has_value()) {
    head_ = Head();
    if (const auto bytes = store_.Get(OutrunKey(shard_, kNobody))) {
      CHECK(bytes->size() == 2 * kNumberBytes, "only this class writes it");
      head_->count = DecodeNumber(bytes->substr(0, kNumberBytes));
      head_->last = Uin(DecodeNumber(bytes->substr(kNumberBytes)));
    }
  }
  return *head_;
}

bool Outruns::Has(Uin user) {
  const auto [at, first] = known_.try_emplace(user, false);
  if (first) at->second = head().count > 0 && store_.Get(OutrunKey(shard_, user)).has_value();
  return at->second;
}

void Outruns::Note(Uin user, bool outrun) {
  if (Has(user) == outrun) return;
  known_[user] = outrun;
  if (outrun) {
    batch_->Put(OutrunKey(shard_, user), "");
    ++head().count;
  } else {
    batch_->Delete(OutrunKey(shard_, user));
    --head().count;
  }
  Write();
}

void Outruns::Sweep(const std::function<bool(Uin)>& has_caught_up) {
  if (head().count == 0) return;
  const std::string prefix = TablePrefix(shard_, Table::kOutrun);
  std::vector<Uin> next;
  const auto look = [&](const std::string& from) {
    store_.Scan(from, PrefixEnd(prefix), [&](std::string_view key, std::string_view) {
      if (OwnerOfKey(key) != kNobody) next.push_back(OwnerOfKey(key));
      return next.size() < kLookedAtPerEntry;
    });
  };
  look(OutrunKey(shard_, Uin(head().last.value() + 1)));
  if (next.empty()) look(prefix);
  for (const Uin user : next) {
    head().last = user;
    // Noted by this entry: what is stored of it is of before.
    if (!known_.contains(user) && has_caught_up(user)) Note(user, false);
  }
  Write();
}

void Outruns::Write() {
  const Head& now = head();
  if (now.count == 0) {
    batch_->Delete(OutrunKey(shard_, kNobody));
  } else {
    batch_->Put(OutrunKey(shard_, kNobody),
                EncodeNumber(now.count) + EncodeNumber(now.last.value()));
  }
}

}  // namespace homeport::core
