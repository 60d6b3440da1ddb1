#include "core/messaging/executed.h"

#include "core/messaging/row_codec.h"

namespace homeport::core {

std::string EncodeExecuted(const Executed& commands) {
  return Encode<wire::Executed>([&](wire::Executed::Builder out) {
    out.setVersion(kRowVersion);
    auto list = out.initCommands(static_cast<unsigned>(commands.size()));
    for (unsigned i = 0; i < list.size(); ++i) {
      list[i].setId(commands[i].once.value());
      list[i].setDevice(commands[i].device.value());
      list[i].setChanged(commands[i].changed);
    }
  });
}

std::optional<Executed> DecodeExecuted(std::string_view bytes) {
  return DecodeValue<wire::Executed, Executed>(bytes, [](auto in, Executed* out) -> Status {
    for (const auto command : in.getCommands()) {
      out->push_back({ClientMessageId(command.getId()), DeviceNumber(command.getDevice()),
                      command.getChanged()});
    }
    return {};
  });
}

}  // namespace homeport::core
