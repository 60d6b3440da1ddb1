#include "tests/wan/relay.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/check.h"
#include "core/clock.h"

namespace homeport::wan {

using core::Result;
using core::Status;

struct Relay::End : Watcher {
  Relay* relay = nullptr;
  Connection* connection = nullptr;
  EndId id;
  size_t line = 0;  // that its bytes go into
  SocketFd socket;
  bool may_read = false;  // the connection is open, as far as this end can know
  bool readable = false;
  bool queued = false;     // in the line's readers
  bool has_ended = false;  // it will send no more
  bool end_comes = false;  // the other end will send no more than `out`
  bool told_end = false;   // and that was told
  std::deque<std::string> out;
  size_t written = 0;       // of out's first
  uint64_t on_its_way = 0;  // bytes read here and not yet written at the other end

  void OnEvents(uint32_t events) override { relay->OnEvents(*this, events); }
};

struct Relay::Connection {
  Door* door = nullptr;
  End near;
  End far;
  bool connecting = false;
  bool is_removed = false;
};

struct Relay::Door : Watcher {
  Relay* relay = nullptr;
  DoorConfig config;
  SocketFd listener;
  size_t forward = 0;
  size_t back = 0;

  void OnEvents(uint32_t) override { relay->AcceptAll(*this); }
};

Result<std::unique_ptr<Relay>> Relay::Open(Loop* loop, const WanMap& map, RelayOptions options) {
  std::unique_ptr<Relay> relay(new Relay(loop, options));
  for (const LinkConfig& link : map.links) {
    for (const bool there : {true, false}) {
      relay->lines_.push_back({there ? link.a : link.b,
                               there ? link.b : link.a,
                               DelayLine(link.line, options.seed + relay->lines_.size()),
                               {}});
    }
  }
  for (const DoorConfig& door : map.doors) RETURN_IF_ERROR(relay->OpenDoor(door));
  return relay;
}

Relay::Relay(Loop* loop, RelayOptions options) : loop_(loop), options_(options) {}

Relay::~Relay() {
  for (auto& [id, connection] : connections_) {
    Close(connection->near, false);
    Close(connection->far, false);
  }
  for (auto& door : doors_) loop_->Remove(door->listener.get());
}

Status Relay::OpenDoor(const DoorConfig& config) {
  auto door = std::make_unique<Door>();
  door->relay = this;
  door->config = config;
  door->forward = LineOf(config.from, config.to);
  door->back = LineOf(config.to, config.from);
  ASSIGN_OR_RETURN(door->listener, Listen(config.listen));
  loop_->Add(door->listener.get(), door.get());
  doors_.push_back(std::move(door));
  return {};
}

size_t Relay::LineOf(const std::string& from, const std::string& to) const {
  for (size_t i = 0; i < lines_.size(); ++i) {
    if (lines_[i].from == from && lines_[i].to == to) return i;
  }
  CHECK(false, "every door has a link", from, to);
}

void Relay::AcceptAll(Door& door) {
  while (true) {
    SocketFd socket = Accept(door.listener);
    if (!socket.is_open()) return;
    if (connections_.size() >= options_.connections_max) {
      ++refused_;
      socket.Reset();
      continue;
    }
    auto connection = std::make_unique<Connection>();
    const uint64_t id = ++last_connection_;
    connection->door = &door;
    for (End* end : {&connection->near, &connection->far}) {
      end->relay = this;
      end->connection = connection.get();
      end->id = {id, end == &connection->far};
      end->line = end->id.is_far ? door.back : door.forward;
    }
    End& near = connection->near;
    near.socket = std::move(socket);
    connections_.emplace(id, std::move(connection));
    loop_->Add(near.socket.get(), &near);
    Put(near, Parcel::Kind::kOpen);
  }
}

void Relay::OnEvents(End& end, uint32_t events) {
  if (!end.socket.is_open()) return;
  if (end.id.is_far && end.connection->connecting) {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) OnConnected(end);
    return;
  }
  if (!end.may_read && (events & (EPOLLERR | EPOLLHUP)) != 0) {
    Lose(end);
    return;
  }
  if ((events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) {
    end.readable = true;
    WantRead(end);
  }
  if ((events & EPOLLOUT) != 0) Write(end);
}

void Relay::OnConnected(End& far) {
  far.connection->connecting = false;
  if (ConnectError(far.socket) != 0) {
    Lose(far);
    return;
  }
  far.may_read = true;
  far.readable = true;
  Put(far, Parcel::Kind::kOpened);
  WantRead(far);
}

void Relay::Put(const End& from, Parcel::Kind kind, std::string bytes) {
  const EndId to{from.id.connection, !from.id.is_far};
  lines_[from.line].delay.Put(core::SteadyNow(), {to, kind, std::move(bytes)});
}

void Relay::Turn(Instant now) {
  removed_.clear();
  for (Line& line : lines_) {
    for (Parcel& parcel : line.delay.Take(now)) Deliver(std::move(parcel));
  }
  for (Line& line : lines_) ReadAll(line);
}

void Relay::Deliver(Parcel parcel) {
  const auto found = connections_.find(parcel.to.connection);
  if (found == connections_.end()) return;
  Connection& connection = *found->second;
  End& to = parcel.to.is_far ? connection.far : connection.near;
  switch (parcel.kind) {
    case Parcel::Kind::kOpen:
      Connect(connection);
      return;
    case Parcel::Kind::kOpened:
      to.may_read = true;
      to.readable = true;
      WantRead(to);
      return;
    case Parcel::Kind::kBytes:
      if (!to.socket.is_open()) return;
      out_bytes_ += parcel.bytes.size();
      to.out.push_back(std::move(parcel.bytes));
      Write(to);
      return;
    case Parcel::Kind::kEnd:
      to.end_comes = true;
      Write(to);
      return;
    case Parcel::Kind::kReset:
      Close(to, true);
      Remove(connection);
      return;
  }
}

void Relay::Connect(Connection& connection) {
  if (!connection.near.socket.is_open()) return;  // its loss comes next
  auto socket = StartConnect(connection.door->config.target);
  if (!socket.ok()) {
    Put(connection.far, Parcel::Kind::kReset);
    return;
  }
  connection.far.socket = std::move(socket).value();
  connection.connecting = true;
  loop_->Add(connection.far.socket.get(), &connection.far);
}

void Relay::WantRead(End& end) {
  Line& line = lines_[end.line];
  if (!end.socket.is_open() || !end.may_read || !end.readable || end.has_ended || end.queued ||
      end.on_its_way >= line.delay.CapacityBytes()) {
    return;
  }
  end.queued = true;
  line.readers.push_back(end.id);
}

void Relay::ReadAll(Line& line) {
  while (!line.readers.empty() && HeldBytes() < options_.held_bytes_max &&
         line.delay.HasRoom(core::SteadyNow())) {
    const EndId id = line.readers.front();
    line.readers.pop_front();
    const auto found = connections_.find(id.connection);
    if (found == connections_.end()) continue;
    End& end = id.is_far ? found->second->far : found->second->near;
    end.queued = false;
    Read(end, line.delay.ParcelBytes());
  }
}

void Relay::Read(End& end, uint64_t bytes_max) {
  if (!end.socket.is_open()) return;
  buffer_.resize(bytes_max);
  const ssize_t got = ::recv(end.socket.get(), buffer_.data(), buffer_.size(), 0);
  if (got > 0) {
    end.on_its_way += static_cast<uint64_t>(got);
    Put(end, Parcel::Kind::kBytes, buffer_.substr(0, static_cast<size_t>(got)));
    WantRead(end);
  } else if (got == 0) {
    end.has_ended = true;
    Put(end, Parcel::Kind::kEnd);
    RemoveIfOver(*end.connection);
  } else if (errno == EAGAIN) {
    end.readable = false;
  } else if (errno == EINTR) {
    WantRead(end);
  } else {
    Lose(end);
  }
}

void Relay::Write(End& end) {
  End& other = OtherOf(end);
  while (end.socket.is_open() && !end.out.empty()) {
    const std::string& bytes = end.out.front();
    const ssize_t put = ::send(end.socket.get(), bytes.data() + end.written,
                               bytes.size() - end.written, MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) return;
    if (put < 0) {
      Lose(end);
      return;
    }
    out_bytes_ -= static_cast<uint64_t>(put);
    other.on_its_way -= static_cast<uint64_t>(put);
    end.written += static_cast<size_t>(put);
    if (end.written == bytes.size()) {
      end.out.pop_front();
      end.written = 0;
    }
    WantRead(other);
  }
  if (end.socket.is_open() && end.end_comes && !end.told_end) {
    ::shutdown(end.socket.get(), SHUT_WR);
    end.told_end = true;
    RemoveIfOver(*end.connection);
  }
}

void Relay::Lose(End& end) {
  Close(end, true);
  Put(end, Parcel::Kind::kReset);
}

void Relay::RemoveIfOver(Connection& connection) {
  for (const End* end : {&connection.near, &connection.far}) {
    if (!end->has_ended || !end->told_end) return;
  }
  Remove(connection);
}

void Relay::Remove(Connection& connection) {
  if (std::exchange(connection.is_removed, true)) return;
  Close(connection.near, false);
  Close(connection.far, false);
  const auto found = connections_.find(connection.near.id.connection);
  removed_.push_back(std::move(found->second));
  connections_.erase(found);
}

void Relay::Close(End& end, bool reset) {
  if (!end.socket.is_open()) return;
  loop_->Remove(end.socket.get());
  if (reset) {
    end.socket.Reset();
  } else {
    end.socket.Close();
  }
  for (const std::string& bytes : end.out) out_bytes_ -= bytes.size();
  out_bytes_ += end.written;
  end.written = 0;
  end.out.clear();
}

Relay::End& Relay::OtherOf(const End& end) {
  return end.id.is_far ? end.connection->near : end.connection->far;
}

uint64_t Relay::HeldBytes() const {
  uint64_t held = out_bytes_;
  for (const Line& line : lines_) held += line.delay.bytes();
  return held;
}

std::optional<Instant> Relay::NextDeadline(Instant now) {
  std::optional<Instant> next;
  const auto consider = [&](std::optional<Instant> at) {
    if (at && (!next || *at < *next)) next = at;
  };
  for (Line& line : lines_) {
    consider(line.delay.NextOut(now));
    if (!line.readers.empty() && !line.delay.HasRoom(now)) consider(line.delay.NextRoom(now));
  }
  return next;
}

Status Relay::Do(Instant now, const WanCommand& command) {
  using Verb = WanCommand::Verb;
  std::vector<size_t> matching;
  for (size_t i = 0; i < lines_.size(); ++i) {
    if (command.lines.Matches(lines_[i].from, lines_[i].to)) matching.push_back(i);
  }
  if (matching.empty()) {
    return Status::BadRequest(
        fmt::format("no line goes from {} to {}", command.lines.from, command.lines.to));
  }
  for (const size_t i : matching) {
    DelayLine& line = lines_[i].delay;
    LineOptions options = line.options();
    options.delay = command.delay.value_or(options.delay);
    options.jitter = command.jitter.value_or(options.jitter);
    options.bits_per_s = command.bits_per_s.value_or(options.bits_per_s);
    line.Set(options);
    if (command.verb == Verb::kCut) line.Stop(now);
    if (command.verb == Verb::kStall) line.StopFor(now, command.stall);
    if (command.verb == Verb::kHeal) line.Resume(now);
  }
  if (command.verb != Verb::kReset) return {};
  std::vector<Connection*> lost;
  for (const auto& [id, connection] : connections_) {
    const auto is_lost = [&](size_t line) {
      return std::find(matching.begin(), matching.end(), line) != matching.end();
    };
    if (is_lost(connection->door->forward) || is_lost(connection->door->back)) {
      lost.push_back(connection.get());
    }
  }
  for (Connection* connection : lost) {
    Close(connection->near, true);
    Close(connection->far, true);
    Remove(*connection);
  }
  return {};
}

Relay::Figures Relay::Look(Instant now) {
  Figures figures;
  for (Line& line : lines_) {
    figures.lines.push_back({line.from, line.to, line.delay.options(), line.delay.IsStopped(now),
                             line.delay.bytes(), line.delay.bytes_out()});
  }
  figures.connections = connections_.size();
  figures.accepted = last_connection_;
  figures.refused = refused_;
  figures.held_bytes = HeldBytes();
  return figures;
}

std::string Relay::AddressOfDoor(size_t index) const {
  return LocalAddress(doors_[index]->listener);
}

}  // namespace homeport::wan
