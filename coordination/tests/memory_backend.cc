#include <algorithm>

#include "coordination/memory_coordination.h"
#include "coordination/tests/backend.h"

namespace homeport::coordination {
namespace {

class MemoryBackend final : public Backend {
 public:
  MemoryBackend() : store_({.cluster = "c0ffee"}, core::Instant(std::chrono::hours(1))) {}
  std::unique_ptr<CoordinationStore> NewClient() override { return store_.NewClient(); }
  core::Instant Now() const override { return store_.now(); }
  void Wait(const std::vector<CoordinationStore*>&) override {
    constexpr core::Duration kStep = std::chrono::milliseconds(20);
    const auto next = store_.NextDeadline();
    store_.Advance(std::max(store_.now(), std::min(next.value_or(Now() + kStep), Now() + kStep)));
  }
  void Disturb() override { store_.Restart(); }
  void Stop() override { store_.set_fault(NetworkFault::kNotConnected); }
  void Start() override { store_.set_fault(NetworkFault::kNone); }

 private:
  MemoryCoordination store_;
};

}  // namespace

std::unique_ptr<Backend> MakeMemoryBackend(std::string*) {
  return std::make_unique<MemoryBackend>();
}

}  // namespace homeport::coordination
