// Backend: a coordination store as the conformance suite sees it: clients of it, and ways to
// disturb it. One per implementation.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "coordination/coordination_store.h"
#include "core/time.h"

namespace homeport::coordination {

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::unique_ptr<CoordinationStore> NewClient() = 0;
  virtual core::Instant Now() const = 0;
  // Until some client may have an answer, or a moment is over; simulated time goes on here.
  virtual void Wait(const std::vector<CoordinationStore*>& clients) = 0;
  // Something dies, by kill -9, and comes back. What was answered stays.
  virtual void Disturb() = 0;
  // All of it is gone, until Start.
  virtual void Stop() = 0;
  virtual void Start() = 0;
};

struct BackendKind {
  std::string name;
  // nullptr: it cannot run here; `why` says what is missing.
  std::function<std::unique_ptr<Backend>(std::string* why)> make;
};
// What a failing test is called.
inline void PrintTo(const BackendKind& kind, std::ostream* out) {
  *out << kind.name;
}

std::unique_ptr<Backend> MakeMemoryBackend(std::string* why);
std::unique_ptr<Backend> MakeEmbeddedBackend(std::string* why);
std::unique_ptr<Backend> MakeEtcdBackend(std::string* why);

}  // namespace homeport::coordination
