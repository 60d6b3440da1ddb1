// Client: what an application links to talk to Homeport. Follows MOVED by itself and remembers who
// is home where.
//
//   auto client = Client::Connect({.gateways = {{"sh", {}, "tcp://127.0.0.1:7101"}}});
//   auto alice = (*client)->Create(core::AccountKind::kUser, "alice", "sh");
//   (*client)->Send(alice->uin, (*client)->NewClientMessageId(), bob->uin, false, "hello");
//
// Calls block until answered or `timeout` has passed; what may be retried is retried under one
// client message id. After kNoQuorum or kUnavailable the outcome of a Send is unknown: send again
// with the same id.
//
// A client is for one thread. For many requests in flight use SendAsync and Poll.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/messaging/commands.h"
#include "core/messaging/entry.h"
#include "core/messaging/queries.h"
#include "core/messaging/sync.h"
#include "core/status.h"
#include "core/time.h"
#include "router/views.h"

namespace homeport::router {

using core::ClientMessageId;
using core::Incarnation;
using core::MessageId;
using core::Result;
using core::Status;
using core::Uin;

struct ClientOptions {
  std::vector<GatewayAddress> gateways;  // at least one; the rest is learned from it
  std::string region;                    // where to connect first; empty: the first gateway
  core::Duration timeout = std::chrono::seconds(15);  // of a whole call, retries included
  // The id of a user tells where it was born, most often its home. False: ask where connected, and
  // be sent home.
  bool homes_from_ids = true;
  // The cluster's secret, of who may give operator's orders; empty: a client as any other.
  std::string operator_secret = {};
  // Told of every redirect, for the curious (`homeport --verbose`, the demo).
  std::function<void(const std::string& from_region, const std::string& to_region, Uin)> on_moved;
};

class Client {
 public:
  static Result<std::unique_ptr<Client>> Connect(ClientOptions options);
  virtual ~Client() = default;

  virtual ClientMessageId NewClientMessageId() = 0;  // random start, then counting

  // Claims the name at its partition and creates the account at `home_region`. kTaken when it
  // exists.
  virtual Result<AccountView> Create(core::AccountKind kind, const std::string& name,
                                     const std::string& home_region) = 0;
  // By name: any region's copy, then the name's partition if it is not there. nullopt: no such
  // name.
  virtual Result<std::optional<AccountView>> Find(core::AccountKind kind,
                                                  const std::string& name) = 0;
  virtual Result<std::optional<AccountView>> Show(Uin uin) = 0;
  // As the nearest region that answers knows them, or as `region` does, which has the last word
  // about those at home there. Sorted by name.
  virtual Result<std::vector<AccountView>> List(core::AccountKind kind,
                                                const std::string& region = {}) = 0;
  virtual Result<std::vector<Uin>> Members(Uin group) = 0;

  virtual Result<MessageId> Send(Uin from, ClientMessageId id, Uin to, bool to_group,
                                 std::string_view body) = 0;
  // Waits until a message sent to a group has its place in it; answers the place.
  virtual Result<uint64_t> AwaitSequenced(Uin group, Uin sender, ClientMessageId id) = 0;
  virtual Result<bool> Join(Uin group, Uin user) = 0;  // true: changed
  virtual Result<bool> Leave(Uin group, Uin user) = 0;
  // One page; `wait` lets the gateway hold the answer until there is something new.
  // With a device's number what it brings is acknowledged. kResync: begin again from "".
  virtual Result<SyncResult> Sync(Uin user, const std::string& snapshot, core::SyncLimits limits,
                                  core::Duration wait, core::DeviceNumber device = {}) = 0;

  // One page of what changed of the user's records in a team's table (docs/extending.md). As Sync,
  // with a snapshot of its own; PutRecord and DeleteRecord go by Change.
  virtual Result<core::RecordsPage> SyncRecords(Uin user, const std::string& table,
                                                const std::string& snapshot,
                                                core::SyncLimits limits, core::Duration wait) = 0;

  // One record. With kAny as the nearest region that answers has it, maybe old. With kCritical it
  // has this version or a later one, from the nearest region, or else from home. With kLatest from
  // home.
  virtual Result<core::RecordRead> ReadRecord(Uin user, const std::string& table,
                                              const std::string& key, ReadLevel level,
                                              core::Stamp at_least = {}) = 0;
  // A PutRecord or DeleteRecord, whose version a kCritical read may name. With `expects`
  // test-and-set-write: kRefused when the record has another version; read it, and decide again.
  virtual Result<RecordWritten> WriteRecord(const core::ChangeCommand& command) = 0;

  // As Create, for a group that `owner` owns.
  virtual Result<AccountView> CreateGroup(const std::string& name, const std::string& home_region,
                                          Uin owner, const std::string& title) = 0;

  // ---- what belongs to one user or group
  // `install`: a random number that the device made once and keeps. The same number again.
  virtual Result<core::DeviceNumber> RegisterDevice(Uin user, uint64_t install,
                                                    const std::string& name) = 0;
  // A change without more to answer than whether it changed anything. Executed once, however often
  // it is sent: under its `once`, or one that is given to it here.
  virtual Result<bool> Change(const core::ChangeCommand& command) = 0;

  // Of one region's daemon, by name.
  virtual Result<RegionReport> ReportOf(const std::string& region) = 0;
  virtual Result<std::vector<core::TableDigest>> DigestOf(const std::string& region,
                                                          core::ShardId shard) = 0;
  virtual Result<QueueGroups> QueueGroupsOf(const std::string& region) = 0;
  // A group of the region's queue begins, with the next number; its replicas run there, and are
  // empty.
  virtual Result<GroupOrderResult> AddQueueGroup(const std::string& region, uint32_t group,
                                                 const std::array<std::string, 3>& endpoints) = 0;
  // It takes no entries any more, and is retired when it is not needed.
  virtual Result<GroupOrderResult> DrainQueueGroup(const std::string& region, uint32_t group) = 0;
  // ---- operators' orders and their journal, at the gateway of one region (docs/mastership.md)
  virtual Result<bool> OrderRegion(const std::string& at, const core::RegionState& order) = 0;
  virtual Result<uint64_t> WriteJournal(const std::string& at,
                                        const core::JournalRecord& record) = 0;  // its number
  // Of all regions, as far as this one knows; by number.
  virtual Result<std::vector<core::JournalRecord>> JournalOf(const std::string& at) = 0;

  virtual const std::vector<GatewayAddress>& regions() const = 0;
  virtual uint16_t shards() const = 0;

  // ---- many in flight: send a message, be called back once with its answer (retries and MOVED
  // included). Messages of one sender keep the order of the calls as long as nothing is lost on the
  // way; a retry may pass a later message. Who needs the order for sure waits for each answer.
  // Callbacks run inside Poll or any blocking call, and may call SendAsync but nothing that blocks.
  using SentCallback = std::function<void(const Result<MessageId>&)>;
  virtual void SendAsync(Uin from, ClientMessageId id, Uin to, bool to_group, std::string_view body,
                         SentCallback callback) = 0;
  // As SendAsync, for a change.
  using ChangedCallback = std::function<void(const Result<bool>&)>;
  virtual void ChangeAsync(const core::ChangeCommand& command, ChangedCallback callback) = 0;
  // Calls back once: with `news` when a sync with this snapshot would bring something; with
  // `replaced` when another AwaitNews of the same user and device (not 0) came later, from
  // wherever; with neither after `wait`, of which 5 minutes count. Ask again then: that is the
  // heartbeat of a connection.
  using NewsCallback = std::function<void(const Result<NewsAnswer>&)>;
  // Likewise when a SyncRecords from one of these places would bring something.
  virtual void AwaitNews(Uin user, core::DeviceNumber device, const std::string& snapshot,
                         core::Duration wait, NewsCallback callback,
                         std::vector<RecordsPlace> records = {}) = 0;
  // Works for up to `wait`; returns when something was called back or the time is over.
  virtual void Poll(core::Duration wait) = 0;
  virtual size_t in_flight() const = 0;
};

}  // namespace homeport::router
