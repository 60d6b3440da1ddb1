#include "tests/wan/loop.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/check.h"

namespace homeport::wan {
namespace {

constexpr int kEventsPerRound = 512;

// What a round leaves of the past is the next moment.
itimerspec At(std::optional<core::Instant> until) {
  itimerspec spec{};
  if (!until) return spec;
  const int64_t ns = std::max<int64_t>(until->time_since_epoch().count(), 1);
  spec.it_value = {ns / 1'000'000'000, ns % 1'000'000'000};
  return spec;
}

}  // namespace

Loop::Loop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
  CHECK(epoll_ >= 0 && timer_ >= 0, "a process has descriptors left at its start");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  CHECK(::epoll_ctl(epoll_, EPOLL_CTL_ADD, timer_, &event) == 0, "a timer can be waited for");
}

Loop::~Loop() {
  ::close(timer_);
  ::close(epoll_);
}

void Loop::Add(int fd, Watcher* watcher) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = watcher;
  CHECK(::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0, "a descriptor is added once", fd,
        errno);
}

void Loop::Remove(int fd) {
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
}

void Loop::Wait(std::optional<core::Instant> until) {
  const itimerspec spec = At(until);
  CHECK(::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &spec, nullptr) == 0, "a moment is one",
        errno);
  std::array<epoll_event, kEventsPerRound> events;
  const int count = ::epoll_wait(epoll_, events.data(), kEventsPerRound, -1);
  for (int i = 0; i < count; ++i) {
    if (events[i].data.ptr == nullptr) continue;  // the timer; set anew before the next wait
    static_cast<Watcher*>(events[i].data.ptr)->OnEvents(events[i].events);
  }
}

}  // namespace homeport::wan
