#include <fmt/format.h>

#include <optional>

#include "coordination/coordination_server.h"
#include "coordination/embedded_client.h"
#include "coordination/tests/child_process.h"
#include "coordination/tests/real_backend.h"

namespace homeport::coordination {
namespace {

constexpr const char* kCluster = "c0ffee";

class EmbeddedBackend final : public RealBackend {
 public:
  EmbeddedBackend() : endpoint_(fmt::format("tcp://127.0.0.1:{}", FreePort())) {
    const core::Status formatted = FormatCoordination(root() + "/store", kCluster);
    CHECK(formatted.ok(), "a new directory", formatted);
    Start();
  }
  std::unique_ptr<CoordinationStore> NewClient() override {
    auto client = OpenEmbedded(context_, kCluster, endpoint_);
    CHECK(client.ok(), "it connects in the background", client.status());
    return std::move(client).value();
  }
  void Disturb() override {
    Stop();
    Start();
  }
  void Stop() override { server_.reset(); }
  void Start() override {
    server_.emplace(std::vector<std::string>{TEST_SERVER, root() + "/store", endpoint_, kCluster},
                    root() + "/log");
  }

 private:
  core::Context context_;
  const std::string endpoint_;
  std::optional<ChildProcess> server_;
};

}  // namespace

std::unique_ptr<Backend> MakeEmbeddedBackend(std::string*) {
  return std::make_unique<EmbeddedBackend>();
}

}  // namespace homeport::coordination
