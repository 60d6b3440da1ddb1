#include "bench/tail_reader.h"

#include <algorithm>

#include "core/clock.h"
#include "core/files.h"

namespace homeport::bench {

using quorum_queue::QueueClient;

namespace {

// A region's replayer asks for as much.
constexpr uint64_t kCreditBytes = 16 << 20;

quorum_queue::ReaderOptions OptionsOf(core::StreamId stream, core::Seq from) {
  quorum_queue::ReaderOptions options;
  options.stream = stream;
  options.from = from;
  options.session_base = core::RandomBits() >> 1;
  options.credit_bytes = kCreditBytes;
  return options;
}

}  // namespace

core::Result<std::unique_ptr<TailReader>> TailReader::Start(
    core::Context& context, const std::vector<QueueClient::Endpoint>& endpoints,
    core::StreamId stream, core::Seq from) {
  ASSIGN_OR_RETURN(auto client, QueueClient::Connect(context, endpoints));
  return std::unique_ptr<TailReader>(new TailReader(std::move(client), stream, from));
}

TailReader::TailReader(std::unique_ptr<QueueClient> client, core::StreamId stream, core::Seq from)
    : client_(std::move(client)), reader_(OptionsOf(stream, from)), next_(from.value()) {
  thread_ = std::thread([this] { Run(); });
}

TailReader::~TailReader() {
  stop_ = true;
  thread_.join();
}

void TailReader::Run() {
  core::Poller poller;
  client_->AddTo(&poller);
  std::vector<quorum_queue::ReaderEffect> effects;
  const auto step = [&](quorum_queue::ReaderEvent event) {
    effects.clear();
    reader_.Step(core::SteadyNow(), std::move(event), &effects);
    for (const auto& effect : effects) {
      if (const auto* send = std::get_if<quorum_queue::SendRead>(&effect)) {
        client_->Send({0, send->replica}, send->read);
      } else if (const auto* run = std::get_if<quorum_queue::DeliverEffect>(&effect)) {
        entries_ += run->run.count();
        next_ = (run->run.last() + 1).value();
      } else {
        failed_ = true;
      }
    }
  };
  while (!stop_) {
    const auto deadline = reader_.NextDeadline();
    if (deadline && *deadline <= core::SteadyNow()) step(quorum_queue::ReaderTick{});
    quorum_queue::ReplicaSlot from;
    quorum_queue::ReplicaAnswer answer;
    bool any = false;
    while (client_->Receive(&from, &answer)) {
      any = true;
      if (auto* read = std::get_if<quorum_queue::ReadAnswer>(&answer)) {
        step(quorum_queue::ReadAnswerReceived{from.slot, std::move(*read)});
      }
    }
    if (!any) poller.Wait(20000);
  }
}

}  // namespace homeport::bench
