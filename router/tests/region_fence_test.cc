// A region with `fence = lease`: real files, sockets and time, and a coordination store in a
// process of its own that is stopped and killed. docs/coordination.md, "Fence".
#include "router/region_fence.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "coordination/blocking.h"
#include "coordination/codec.h"
#include "coordination/coordination_server.h"
#include "coordination/embedded_client.h"
#include "coordination/registry.h"
#include "coordination/tests/child_process.h"
#include "coordination/tests/real_backend.h"
#include "router/tests/local_cluster.h"
#include "router/tests/must.h"

namespace homeport::router {
namespace {

using coordination::BlockingStore;
using coordination::IncarnationState;
using coordination::Rows;
using core::AccountKind;
using core::Code;
using core::Incarnation;
using core::Status;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr core::Duration kLong = seconds(60);
constexpr uint32_t kLeaseSeconds = 3;
const Incarnation kSelf(1);

// Between a region and the store: carries what they say, or nothing at all.
class Wire {
 public:
  Wire(core::Context& context, const std::string& store)
      : front_(Must(
            core::RouterSocket::Bind(context, "tcp://127.0.0.1:0", coordination::kFrameBytesMax))),
        runner_([this, &context, store](const std::atomic<bool>& stop) {
          Carry(context, store, stop);
        }) {}
  const std::string& endpoint() const { return front_->endpoint(); }
  void Cut(bool cut) { cut_ = cut; }

 private:
  void Carry(core::Context& context, const std::string& store, const std::atomic<bool>& stop) {
    std::map<core::PeerId, std::unique_ptr<core::DealerSocket>> backs;  // one per client
    core::Poller poller;
    poller.Add(front_->raw());
    core::PeerId peer;
    core::Frames frames;
    while (!stop) {
      poller.Wait(20'000);
      while (front_->Receive(&peer, &frames)) {
        if (cut_) continue;
        auto& back = backs[peer];
        if (back == nullptr) {
          back = Must(core::DealerSocket::Connect(context, store, coordination::kFrameBytesMax));
          poller.Add(back->raw());
        }
        back->Send(std::move(frames));
      }
      for (auto& [client, back] : backs) {
        while (back->Receive(&frames)) {
          if (!cut_) front_->Send(client, std::move(frames));
        }
      }
    }
  }

  std::atomic<bool> cut_ = false;
  const std::unique_ptr<core::RouterSocket> front_;
  const Runner runner_;
};

class RegionFenceTest : public testing::Test {
 protected:
  RegionFenceTest() : cluster_({"sh"}) {
    const Status formatted = coordination::FormatCoordination(StoreDir(), cluster_.config.cluster);
    EXPECT_TRUE(formatted.ok()) << formatted;
    StartStore();
    wire_.emplace(cluster_.context(), store_endpoint_);
    cluster_.config.coordination = {core::CoordinationKind::kEmbedded,
                                    {wire_->endpoint()},
                                    "127.0.0.1:0",
                                    core::Fence::kLease,
                                    kLeaseSeconds};
    cluster_.StartAll("sh");
    patient_ = cluster_.Connect("sh", kLong);
    hasty_ = cluster_.Connect("sh", milliseconds(500));
    alice_ = Must(patient_->Create(AccountKind::kUser, "alice", "sh")).uin;
    bob_ = Must(patient_->Create(AccountKind::kUser, "bob", "sh")).uin;
  }
  std::string StoreDir() const { return cluster_.config.data + "/coordination"; }
  void StartStore() {
    store_.emplace(
        std::vector<std::string>{TEST_SERVER, StoreDir(), store_endpoint_, cluster_.config.cluster},
        cluster_.config.data + "/store.log");
  }
  Status Send(Client& client) {
    return client.Send(alice_, client.NewClientMessageId(), bob_, false, "hello").status();
  }
  // Writes until one is refused for this; how many were accepted until then.
  int AwaitRefusal(const std::string& why) {
    const auto end = core::SteadyNow() + kLong;
    for (int accepted = 0;;) {
      const Status status = Send(*hasty_);
      accepted += status.ok();
      if (status.code() == Code::kUnavailable && status.message().find(why) != std::string::npos) {
        return accepted;
      }
      if (core::SteadyNow() > end) {
        ADD_FAILURE() << "never refused: " << status;
        return accepted;
      }
    }
  }
  void ExpectReadsGoOn() {
    EXPECT_FALSE(Must(patient_->Sync(bob_, "", {}, core::Duration(0))).messages.empty());
    EXPECT_EQ(Must(patient_->List(AccountKind::kUser)).size(), 2u);
  }
  // As who takes over does it; past the wire.
  bool DeclareDead(BlockingStore& store) {
    const Rows row =
        Must(store.AskFor<Rows>(coordination::Get{coordination::IncarnationKey(kSelf)}, kLong));
    const auto dead =
        Must(coordination::MarkTerms(row.rows.at(0), IncarnationState::kDead, core::WallMs(1)));
    return Must(store.AskFor<coordination::Compared>(
                    coordination::CompareAndSet{coordination::Token(++token_), dead}, kLong))
        .done;
  }

  const std::string store_endpoint_ =
      "tcp://127.0.0.1:" + std::to_string(coordination::RealBackend::FreePort());
  LocalCluster cluster_;
  std::optional<coordination::ChildProcess> store_;
  std::optional<Wire> wire_;
  std::unique_ptr<Client> patient_;
  std::unique_ptr<Client> hasty_;
  core::Uin alice_, bob_;
  uint64_t token_ = 0;
};

TEST_F(RegionFenceTest, WithoutItsLeaseItAcceptsNoWritesAndReadsGoOn) {
  EXPECT_TRUE(Send(*patient_).ok());
  for (const bool dies : {false, true}) {
    if (dies) {
      store_.reset();
    } else {
      store_->Pause();
    }
    AwaitRefusal("accepts no writes while it does not hold its lease");
    ExpectReadsGoOn();
    EXPECT_NE(Must(patient_->ReportOf("sh")).writes_refused, "");
    if (dies) {
      StartStore();
    } else {
      store_->Resume();
    }
    EXPECT_TRUE(Send(*patient_).ok());
    EXPECT_EQ(Must(patient_->ReportOf("sh")).writes_refused, "");
  }
}

TEST_F(RegionFenceTest, ItHasStoppedWhenOthersSeeItsLeaseOver) {
  EXPECT_TRUE(Send(*patient_).ok());
  BlockingStore store(
      Must(coordination::OpenEmbedded(cluster_.context(), "feed", store_endpoint_)));
  const Rows lease =
      Must(store.AskFor<Rows>(coordination::Get{coordination::LeaseKey(kSelf)}, kLong));
  ASSERT_EQ(lease.rows.size(), 1u) << "it writes while it has one";
  EXPECT_FALSE(DeclareDead(store));

  wire_->Cut(true);
  const auto over = Must(store.AskFor<coordination::Changes>(
      coordination::Watch{coordination::LeaseKey(kSelf), lease.revision + 1, seconds(60)}, kLong));
  ASSERT_EQ(over.changes.size(), 1u);
  EXPECT_TRUE(over.changes[0].deleted);
  EXPECT_EQ(AwaitRefusal("accepts no writes"), 0);
  EXPECT_TRUE(DeclareDead(store));

  wire_->Cut(false);
  AwaitRefusal("incarnation 1 of sh is dead");
  ExpectReadsGoOn();
}

}  // namespace
}  // namespace homeport::router
