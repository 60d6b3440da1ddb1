// ClientImpl: Client over DEALER sockets, one per region. Drives Calls with sockets and real time.
//
// client.cc: connecting and the turn of the loop. client_calls.cc: what each call of Client asks
// and makes of the answers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/reconnects.h"
#include "core/socket.h"
#include "router/calls.h"
#include "router/client.h"

namespace homeport::router {

class ClientImpl : public Client {
 public:
  struct Link {
    std::unique_ptr<core::DealerSocket> socket;
    std::unique_ptr<core::Reconnects> reconnects = nullptr;  // of the socket
    uint64_t bytes_unheard = 0;                              // sent since anything came back
  };
  // What Connect learned. `regions`: the one it connected to first.
  struct Connected {
    std::unique_ptr<core::Context> context;
    HelloAnswer hello;
    std::vector<GatewayAddress> regions;
    std::map<core::Incarnation, Link> links;
  };
  ClientImpl(ClientOptions options, Connected connected);

  ClientMessageId NewClientMessageId() override;
  // For what is sent again until it is answered: it is executed once.
  core::ChangeCommand Once(core::ChangeCommand command);
  Result<AccountView> Create(core::AccountKind kind, const std::string& name,
                             const std::string& home_region) override;
  Result<std::optional<AccountView>> Find(core::AccountKind kind, const std::string& name) override;
  Result<std::optional<AccountView>> Show(Uin uin) override;
  Result<std::vector<AccountView>> List(core::AccountKind kind, const std::string& region) override;
  Result<std::vector<Uin>> Members(Uin group) override;
  Result<MessageId> Send(Uin from, ClientMessageId id, Uin to, bool to_group,
                         std::string_view body) override;
  Result<uint64_t> AwaitSequenced(Uin group, Uin sender, ClientMessageId id) override;
  Result<bool> Join(Uin group, Uin user) override;
  Result<bool> Leave(Uin group, Uin user) override;
  Result<core::RecordsPage> SyncRecords(Uin user, const std::string& table,
                                        const std::string& snapshot, core::SyncLimits limits,
                                        core::Duration wait) override;
  Result<SyncResult> Sync(Uin user, const std::string& snapshot, core::SyncLimits limits,
                          core::Duration wait, core::DeviceNumber device) override;
  Result<core::RecordRead> ReadRecord(Uin user, const std::string& table, const std::string& key,
                                      ReadLevel level, core::Stamp at_least) override;
  Result<RecordWritten> WriteRecord(const core::ChangeCommand& command) override;
  Result<core::DeviceNumber> RegisterDevice(Uin user, uint64_t install,
                                            const std::string& name) override;
  Result<AccountView> CreateGroup(const std::string& name, const std::string& home_region,
                                  Uin owner, const std::string& title) override;
  Result<bool> Change(const core::ChangeCommand& command) override;
  Result<RegionReport> ReportOf(const std::string& region) override;
  Result<std::vector<core::TableDigest>> DigestOf(const std::string& region,
                                                  core::ShardId shard) override;
  Result<QueueGroups> QueueGroupsOf(const std::string& region) override;
  Result<GroupOrderResult> AddQueueGroup(const std::string& region, uint32_t group,
                                         const std::array<std::string, 3>& endpoints) override;
  Result<GroupOrderResult> DrainQueueGroup(const std::string& region, uint32_t group) override;
  Result<bool> OrderRegion(const std::string& at, const core::RegionState& order) override;
  Result<uint64_t> WriteJournal(const std::string& at, const core::JournalRecord& record) override;
  Result<std::vector<core::JournalRecord>> JournalOf(const std::string& at) override;
  const std::vector<GatewayAddress>& regions() const override { return regions_; }
  uint16_t shards() const override { return shards_; }
  void SendAsync(Uin from, ClientMessageId id, Uin to, bool to_group, std::string_view body,
                 SentCallback callback) override;
  void ChangeAsync(const core::ChangeCommand& command, ChangedCallback callback) override;
  void AwaitNews(Uin user, core::DeviceNumber device, const std::string& snapshot,
                 core::Duration wait, NewsCallback callback,
                 std::vector<RecordsPlace> records) override;
  void Poll(core::Duration wait) override;
  size_t in_flight() const override { return callbacks_.size(); }

 private:
  // ---- client.cc
  // Runs one call until it finishes, all others with it. An answer of another kind is kBadRequest.
  template <class Answer>
  Result<Answer> Ask(const Route& route, RequestBody body, core::Instant deadline);
  Result<ResponseBody> AskAny(const Route& route, RequestBody body, core::Instant deadline);
  // One turn: sends, waits for up to `wait`, receives, calls back. Returns what was called back.
  size_t Turn(core::Duration wait);
  size_t CarryOut();
  void ReceiveAll();
  bool SendFrame(Incarnation region, std::string bytes);

  // ---- client_calls.cc
  core::Instant Deadline() const { return core::SteadyNow() + options_.timeout; }
  const GatewayAddress* FindRegion(Incarnation incarnation) const;
  Result<GatewayAddress> RegionNamed(const std::string& name) const;
  AccountView Named(AccountView account) const;
  Result<std::optional<AccountView>> ShowAt(const Route& route, Uin uin, core::Instant deadline);
  // The account of an answer; where it only tells the uin, as its birth region knows it.
  Result<std::optional<AccountView>> Completed(const ResolvedAnswer& answer,
                                               core::Instant deadline);
  Result<Uin> Claim(core::AccountKind kind, const std::string& name, Uin uin,
                    core::Instant deadline);
  // Claims the name for a fresh uin and creates the account by the request that `make` answers.
  using MakeRequest = std::function<RequestBody(Uin)>;
  Result<AccountView> CreateNamed(core::AccountKind kind, const std::string& name,
                                  const std::string& home_region, const MakeRequest& make);
  Result<AccountView> CreateBound(core::AccountKind kind, const std::string& name, Uin uin,
                                  bool is_own, const GatewayAddress& home, const MakeRequest& make,
                                  core::Instant deadline);
  Incarnation NamePartition(const std::string& name) const;

  const ClientOptions options_;
  const std::unique_ptr<core::Context> context_;
  std::vector<GatewayAddress> regions_;
  const uint16_t shards_;
  std::map<core::Incarnation, Link> links_;
  core::Poller poller_;
  Calls calls_;
  CallsOutput output_;
  // Of SendAsync and AwaitNews; never iterated.
  std::unordered_map<CallId, std::function<void(const Result<ResponseBody>&)>> callbacks_;
  std::optional<CallId> awaited_;  // of the blocking call that runs
  std::optional<Result<ResponseBody>> awaited_answer_;
  uint64_t next_client_message_;
};

// The answer that was asked for, or why there is none.
template <class Answer>
Result<Answer> Expected(const Result<ResponseBody>& answer) {
  if (!answer.ok()) return answer.status();
  if (const auto* expected = std::get_if<Answer>(&*answer)) return *expected;
  return Status::BadRequest("the gateway answered something else than was asked");
}

template <class Answer>
Result<Answer> ClientImpl::Ask(const Route& route, RequestBody body, core::Instant deadline) {
  Result<ResponseBody> answer = AskAny(route, std::move(body), deadline);
  if (!answer.ok()) return answer.status();
  if (auto* expected = std::get_if<Answer>(&*answer)) return std::move(*expected);
  return Status::BadRequest("the gateway answered something else than was asked");
}

}  // namespace homeport::router
