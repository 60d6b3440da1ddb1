#include "cli/progress.h"

#include <fmt/format.h>

#include <cstdio>

#include "cli/output.h"

namespace homeport::cli {
namespace {

constexpr std::chrono::milliseconds kDrawEvery{100};
constexpr uint64_t kWidth = 30;

}  // namespace

Progress::Progress(std::string what, uint64_t total)
    : what_(std::move(what)), total_(total), terminal_(StderrIsTerminal()) {}

Progress::~Progress() {
  if (terminal_) std::fputs("\r\x1b[K", stderr);
}

void Progress::Show(uint64_t done, const std::string& note) {
  const auto now = Clock::now();
  if (!terminal_ || (now - drawn_ < kDrawEvery && done < total_)) return;
  drawn_ = now;
  const double seconds = std::chrono::duration<double>(now - begun_).count();
  const double left =
      done == 0 ? 0 : seconds * static_cast<double>(total_ - done) / static_cast<double>(done);
  const uint64_t filled = total_ == 0 ? kWidth : kWidth * done / total_;
  fmt::print(stderr, "\r\x1b[K{} [{:=<{}}{: <{}}] {}/{}  {}  {:.0f} s left", what_, "", filled, "",
             kWidth - filled, FormatCount(done), FormatCount(total_), note, left);
  std::fflush(stderr);
}

}  // namespace homeport::cli
