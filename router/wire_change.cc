#include "router/wire_parts.h"

namespace homeport::router {

using core::ChangeCommand;
using core::ClientMessageId;
using core::Data;
using core::DeviceNumber;
using core::Result;
using core::Status;
using core::Uin;

namespace {

void Fill(wire::Change::Builder to, const core::RegisterDevice& from) {
  auto group = to.initRegisterDevice();
  group.setInstall(from.install);
  group.setDeviceName(Data(from.name));
}
void Fill(wire::Change::Builder to, const core::RemoveDevice& from) {
  to.setRemoveDevice(from.device.value());
}
void Fill(wire::Change::Builder to, const core::SetProfile& from) {
  auto fields = to.initSetProfile(static_cast<unsigned>(from.fields.size()));
  for (unsigned i = 0; i < fields.size(); ++i) {
    fields[i].setName(Data(from.fields[i].name));
    fields[i].setValue(Data(from.fields[i].value));
  }
}
void Fill(wire::Change::Builder to, const core::AskContact& from) {
  auto group = to.initAskContact();
  group.setAskPeer(from.peer.value());
  group.setAskText(Data(from.text));
}
void Fill(wire::Change::Builder to, const core::DeleteContact& from) {
  to.setDeleteContact(from.peer.value());
}
void Fill(wire::Change::Builder to, const core::BlockContact& from) {
  auto group = to.initBlockContact();
  group.setBlockPeer(from.peer.value());
  group.setBlocked(from.blocked);
}
void Fill(wire::Change::Builder to, const core::RemarkContact& from) {
  auto group = to.initRemarkContact();
  group.setRemarkPeer(from.peer.value());
  group.setRemark(Data(from.remark));
}
void Fill(wire::Change::Builder to, const core::RecallMessage& from) {
  to.setRecallMessage(from.client_message.value());
}
void Fill(wire::Change::Builder to, const core::CreateGroup& from) {
  to.setBy(from.owner.value());
  auto group = to.initCreateGroup();
  group.setGroupName(Data(from.name));
  group.setGroupTitle(Data(from.title));
}
void Fill(wire::Change::Builder to, const core::RenameGroup& from) {
  to.setBy(from.by.value());
  to.setRenameGroup(Data(from.title));
}
void Fill(wire::Change::Builder to, const core::CloseGroup& from) {
  to.setBy(from.by.value());
  to.setCloseGroup(from.closed);
}
void Fill(wire::Change::Builder to, const core::AddMember& from) {
  to.setBy(from.by.value());
  to.setAddMember(from.user.value());
}
void Fill(wire::Change::Builder to, const core::RemoveMember& from) {
  to.setBy(from.by.value());
  to.setRemoveMember(from.user.value());
}
void Fill(wire::Change::Builder to, const core::TransferGroup& from) {
  to.setBy(from.by.value());
  to.setTransferGroup(from.to.value());
}
void Fill(wire::Change::Builder to, const core::MarkRead& from) {
  auto group = to.initMarkRead();
  group.setReadWith(from.with.value());
  group.setReadTakeover(from.through.epoch.takeover);
  group.setReadMove(from.through.epoch.move);
  group.setReadVersion(from.through.version.value());
}
void Fill(wire::Change::Builder to, const core::PutRecord& from) {
  auto group = to.initPutRecord();
  group.setPutTable(Data(from.table));
  group.setPutKey(Data(from.key));
  group.setValue(Data(from.value));
}
void Fill(wire::Change::Builder to, const core::DeleteRecord& from) {
  auto group = to.initDeleteRecord();
  group.setDeleteTable(Data(from.table));
  group.setDeleteKey(Data(from.key));
}

void Fill(wire::Change::Builder to, const core::MoveHome& from) {
  to.setMoveHome(from.to.value());
}

core::SetProfile ReadProfile(Uin user, capnp::List<wire::ProfileField>::Reader from) {
  core::SetProfile profile{user, {}};
  for (auto field : from) {
    profile.fields.push_back({String(field.getName()), String(field.getValue())});
  }
  return profile;
}

// Its kind and what that has; without the id under which it is executed.
Result<ChangeCommand> ReadKind(wire::Change::Reader from) {
  const Uin subject(from.getSubject());
  const Uin by(from.getBy());
  switch (from.which()) {
    case wire::Change::REGISTER_DEVICE: {
      auto group = from.getRegisterDevice();
      return ChangeCommand(
          core::RegisterDevice{subject, group.getInstall(), String(group.getDeviceName())});
    }
    case wire::Change::REMOVE_DEVICE:
      return ChangeCommand(core::RemoveDevice{subject, DeviceNumber(from.getRemoveDevice())});
    case wire::Change::SET_PROFILE:
      return ChangeCommand(ReadProfile(subject, from.getSetProfile()));
    case wire::Change::ASK_CONTACT: {
      auto group = from.getAskContact();
      return ChangeCommand(
          core::AskContact{subject, Uin(group.getAskPeer()), String(group.getAskText())});
    }
    case wire::Change::DELETE_CONTACT:
      return ChangeCommand(core::DeleteContact{subject, Uin(from.getDeleteContact())});
    case wire::Change::BLOCK_CONTACT: {
      auto group = from.getBlockContact();
      return ChangeCommand(
          core::BlockContact{subject, Uin(group.getBlockPeer()), group.getBlocked()});
    }
    case wire::Change::REMARK_CONTACT: {
      auto group = from.getRemarkContact();
      return ChangeCommand(
          core::RemarkContact{subject, Uin(group.getRemarkPeer()), String(group.getRemark())});
    }
    case wire::Change::RECALL_MESSAGE:
      return ChangeCommand(core::RecallMessage{subject, ClientMessageId(from.getRecallMessage())});
    case wire::Change::CREATE_GROUP: {
      auto group = from.getCreateGroup();
      return ChangeCommand(core::CreateGroup{subject, String(group.getGroupName()), by,
                                             String(group.getGroupTitle())});
    }
    case wire::Change::RENAME_GROUP:
      return ChangeCommand(core::RenameGroup{subject, by, String(from.getRenameGroup())});
    case wire::Change::CLOSE_GROUP:
      return ChangeCommand(core::CloseGroup{subject, by, from.getCloseGroup()});
    case wire::Change::ADD_MEMBER:
      return ChangeCommand(core::AddMember{subject, by, Uin(from.getAddMember())});
    case wire::Change::REMOVE_MEMBER:
      return ChangeCommand(core::RemoveMember{subject, by, Uin(from.getRemoveMember())});
    case wire::Change::TRANSFER_GROUP:
      return ChangeCommand(core::TransferGroup{subject, by, Uin(from.getTransferGroup())});
    case wire::Change::PUT_RECORD: {
      auto group = from.getPutRecord();
      return ChangeCommand(core::PutRecord{subject, String(group.getPutTable()),
                                           String(group.getPutKey()), String(group.getValue())});
    }
    case wire::Change::DELETE_RECORD: {
      auto group = from.getDeleteRecord();
      return ChangeCommand(core::DeleteRecord{subject, String(group.getDeleteTable()),
                                              String(group.getDeleteKey())});
    }
    case wire::Change::MOVE_HOME:
      return ChangeCommand(core::MoveHome{subject, core::Incarnation(from.getMoveHome())});
    case wire::Change::MARK_READ: {
      auto group = from.getMarkRead();
      return ChangeCommand(core::MarkRead{
          subject,
          Uin(group.getReadWith()),
          {{group.getReadTakeover(), group.getReadMove()}, core::Version(group.getReadVersion())}});
    }
  }
  return Status::BadRequest(fmt::format("no such change: {}", static_cast<int>(from.which())));
}

}  // namespace

void FillChange(const ChangeCommand& from, wire::Change::Builder to) {
  to.setSubject(core::SubjectOf(from).value());
  std::visit(
      [&](const auto& command) {
        Fill(to, command);
        if constexpr (requires { command.once; }) to.setOnce(command.once.value());
        if constexpr (requires { command.expects; }) {
          if (command.expects) FillVersion(*command.expects, to.initExpects());
        }
      },
      from);
}

Result<ChangeCommand> ReadChange(wire::Change::Reader from) {
  ASSIGN_OR_RETURN(ChangeCommand change, ReadKind(from));
  std::visit(
      [&](auto& command) {
        if constexpr (requires { command.once; }) command.once = ClientMessageId(from.getOnce());
        if constexpr (requires { command.expects; }) {
          if (from.hasExpects()) command.expects = ReadVersion(from.getExpects());
        }
      },
      change);
  return change;
}

}  // namespace homeport::router
