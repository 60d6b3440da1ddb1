#include <fmt/format.h>

#include <algorithm>

#include "core/messaging/evaluator_impl.h"

namespace homeport::core {
namespace {

// Looked at, and removed, in one entry.
constexpr size_t kOwnersPerSweep = 256;
constexpr size_t kItemsPerSweep = 1024;

}  // namespace

// Devices, what they acknowledge, and the retention of inboxes (docs/messaging.md).

CommandResult Evaluator::Impl::operator()(const RegisterDevice& command) {
  if (Status bad = CheckServed(command.user, AccountKind::kUser, "user"); !bad.ok()) {
    return Refused(std::move(bad));
  }
  if (Status bad = CheckLabel(command.name, "the name of a device"); !bad.ok()) {
    return Refused(std::move(bad));
  }
  if (command.install == 0) {
    return Refused(Status::BadRequest("a device has an install number, a random one, not 0"));
  }
  const MastershipEpoch epoch = view.ResidenceOf(command.user).at.epoch;
  Counters& counters = view.CountersOf(command.user);
  CommandResult result;
  for (const DevicePosition& known : counters.devices) {
    std::string key = DeviceKey(shard(), command.user, known.number);
    const auto bytes = view.FindLive(key);
    std::optional<Device> device = bytes.has_value() ? DecodeDevice(*bytes) : std::nullopt;
    if (!device.has_value() || device->install != command.install) continue;
    result.device = known.number;
    if (device->name == command.name) return result;
    device->name = command.name;
    Put(std::move(key), {epoch, NextAccountVersion(command.user)}, EncodeDevice(*device));
    result.changed = true;
    return result;
  }
  if (counters.devices.size() >= kDevicesMax && !ForgetGoneDevice(command.user, &counters)) {
    return Refused(Status::TooLarge(
        kDevicesMax, fmt::format("a user has at most {} devices; remove one", kDevicesMax)));
  }
  if (counters.last_device.value() == UINT16_MAX) {
    return Refused(Status::TooLarge(UINT16_MAX, "no user ever had so many devices"));
  }
  result.device = ++Count(command.user).last_device;
  // It has what was trimmed as little as anybody; from here on it holds what comes.
  counters.devices.push_back({result.device, now_ms(), counters.floor});
  Put(DeviceKey(shard(), command.user, result.device), {epoch, NextAccountVersion(command.user)},
      EncodeDevice({command.install, command.name, now_ms()}));
  result.changed = true;
  return result;
}

// The device unseen longest, if it is gone.
bool Evaluator::Impl::ForgetGoneDevice(Uin user, Counters* counters) {
  const auto oldest =
      std::min_element(counters->devices.begin(), counters->devices.end(),
                       [](const auto& a, const auto& b) { return a.seen_at_ms < b.seen_at_ms; });
  if (oldest == counters->devices.end() || !IsGone(*oldest)) return false;
  Delete(DeviceKey(shard(), user, oldest->number),
         {view.ResidenceOf(user).at.epoch, NextAccountVersion(user)});
  counters->devices.erase(oldest);
  return true;
}

CommandResult Evaluator::Impl::operator()(const RemoveDevice& command) {
  if (Status bad = CheckServed(command.user, AccountKind::kUser, "user"); !bad.ok()) {
    return Refused(std::move(bad));
  }
  CommandResult result;
  Counters& counters = view.CountersOf(command.user);
  result.changed = std::erase_if(counters.devices, [&](const DevicePosition& device) {
                     return device.number == command.device;
                   }) > 0;
  if (!result.changed) return result;
  Delete(DeviceKey(shard(), command.user, command.device),
         {view.ResidenceOf(command.user).at.epoch, NextAccountVersion(command.user)});
  return result;
}

CommandResult Evaluator::Impl::operator()(const Acknowledge& command) {
  if (Status bad = CheckServed(command.user, AccountKind::kUser, "user"); !bad.ok()) {
    return Refused(std::move(bad));
  }
  DevicePosition* device = view.CountersOf(command.user).Find(command.device);
  if (device == nullptr) {
    return Refused(Status::BadRequest(
        fmt::format("user {} has no device {}", command.user.value(), command.device.value())));
  }
  const Stamp& before = device->acknowledged;
  // Across epochs the numbers go on, so the difference is at least that.
  const bool ahead = command.messages > before &&
                     (command.messages.epoch != before.epoch ||
                      command.messages.version - before.version >= options.messaging.ack_items);
  const bool old = now_ms() - device->seen_at_ms >= options.messaging.ack_age.count();
  CommandResult result;
  if (!ahead && !old) return result;
  Count(command.user);
  device->acknowledged = std::max(before, command.messages);
  device->seen_at_ms = std::max(device->seen_at_ms, now_ms());
  if (!view.CountersOf(command.user).telling) TellDelivered(command.user);
  result.changed = true;
  return result;
}

size_t Evaluator::Impl::TrimInbox(Uin user, size_t items_max) {
  const Counters& counters = view.CountersOf(user);
  std::optional<Stamp> held;  // by the device that has acknowledged least
  for (const DevicePosition& device : counters.devices) {
    if (IsGone(device)) continue;
    held = std::min(held.value_or(device.acknowledged), device.acknowledged);
  }
  const auto keep =
      held.has_value() ? options.messaging.inbox_retention : options.messaging.device_gone_after;
  const int64_t before_ms = now_ms() - keep.count();
  if (held.has_value() && *held <= counters.floor) return 0;
  // What is drafted and not applied is younger than anything that may go.
  Stamp through = counters.floor;
  size_t items = 0;
  view.store().Scan(InboxKey(shard(), user, through) + '\0', InboxEndKey(shard(), user),
                    [&](std::string_view key, std::string_view value) {
                      const Stamp stamp = PlaceOfInboxKey(key).stamp;
                      if (held.has_value() && stamp > *held) return false;
                      const auto item = DecodeInboxItem(value);
                      if (!item.has_value() || item->at_ms > before_ms) return false;
                      through = stamp;
                      return ++items < items_max;
                    });
  if (items == 0) return 0;
  const uint64_t last = view.InboxVersionOf(user);
  Counters& changed = Count(user);
  draft->TrimInbox(user, changed.floor, through);
  changed.floor = through;
  changed.messages = last;  // the items may no longer be there to tell
  return items;
}

Evaluator::Sweep Evaluator::TrimInboxes(Uin after) {
  CHECK(impl_->draft.has_value(), "TrimInboxes needs an open entry");
  const ShardId shard = impl_->shard();
  std::vector<Uin> owners;
  impl_->view.store().Scan(CountersKey(shard, after) + '\0',
                           PrefixEnd(TablePrefix(shard, Table::kCounters)),
                           [&](std::string_view key, std::string_view) {
                             owners.push_back(OwnerOfKey(key));
                             return owners.size() < kOwnersPerSweep;
                           });
  size_t items = 0;
  for (const Uin owner : owners) {
    const Residence residence = impl_->view.ResidenceOf(owner);
    const bool served =
        residence.at.known && residence.at.adopted && residence.at.home == impl_->options.self;
    if (served) {
      const size_t left = kItemsPerSweep - items;
      items += residence.kind == AccountKind::kUser ? impl_->TrimInbox(owner, left)
                                                    : impl_->TrimGroup(owner, left);
      if (items == kItemsPerSweep) return {after, true};  // this one may have more
    }
    after = owner;
  }
  return {owners.size() < kOwnersPerSweep ? Uin() : after, false};
}

}  // namespace homeport::core
