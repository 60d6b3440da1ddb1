#include "router/wire_parts.h"

namespace homeport::router {

using core::Data;
using core::DeviceNumber;
using core::Result;
using core::Status;
using core::Uin;

namespace {

void Fill(wire::UserCommand::Builder to, const core::RegisterDevice& from) {
  to.setUser(from.user.value());
  auto group = to.initRegisterDevice();
  group.setInstall(from.install);
  group.setDeviceName(Data(from.name));
}
void Fill(wire::UserCommand::Builder to, const core::RemoveDevice& from) {
  to.setUser(from.user.value());
  to.setRemoveDevice(from.device.value());
}

}  // namespace

void FillUserCommand(const core::UserCommand& from, wire::UserCommand::Builder to) {
  std::visit([&](const auto& command) { Fill(to, command); }, from);
}

Result<core::UserCommand> ReadUserCommand(wire::UserCommand::Reader from) {
  const Uin user(from.getUser());
  switch (from.which()) {
    case wire::UserCommand::REGISTER_DEVICE: {
      auto group = from.getRegisterDevice();
      return core::UserCommand(
          core::RegisterDevice{user, group.getInstall(), String(group.getDeviceName())});
    }
    case wire::UserCommand::REMOVE_DEVICE:
      return core::UserCommand(core::RemoveDevice{user, DeviceNumber(from.getRemoveDevice())});
  }
  return Status::BadRequest(
      fmt::format("no such command of a user: {}", static_cast<int>(from.which())));
}

}  // namespace homeport::router
