#include "tests/sim/log_messages.h"

namespace homeport::sim {

using namespace quorum_queue;  // NOLINT: every message

namespace {

// last() of a run that may be empty.
core::Seq End(const EntryRun& run) {
  return run.first + run.count();
}

uint64_t Held(const std::vector<EntryRun>& runs) {
  uint64_t held = 0;
  for (const EntryRun& run : runs) held += run.count();
  return held;
}

// Seen by one side of a link: who, and from or to which replica.
struct Line {
  EventLog* log;
  core::Instant at;
  uint64_t process;
  uint64_t replica;

  void operator()(const Fence& m) const {
    log->Add(at, "{} -> replica {}: Fence {:x}", process, replica, m.epoch);
  }
  void operator()(const Fill& m) const {
    log->Add(at, "{} -> replica {}: Fill {:x}: [{}, {}) of epoch {:x}", process, replica, m.epoch,
             m.run.first, End(m.run), m.run.epoch);
  }
  void operator()(const Append& m) const {
    log->Add(at, "{} -> replica {}: Append {:x}: [{}, {}) committed {}", process, replica, m.epoch,
             m.run.first, End(m.run), m.committed);
  }
  void operator()(const Trim& m) const {
    log->Add(at, "{} -> replica {}: Trim {}", process, replica, m.through);
  }
  void operator()(const Read& m) const {
    log->Add(at, "{} -> replica {}: Read from {}, received {} of credit {}", process, replica,
             m.from, m.received_bytes, m.credit_bytes);
  }
  void operator()(const StatusRequest&) const {
    log->Add(at, "{} -> replica {}: StatusRequest", process, replica);
  }
  void operator()(const FenceAnswer& m) const {
    log->Add(at,
             "{} <- replica {}: FenceAnswer {:x}: chain of {:x}, committed {}, {} entries above",
             process, replica, m.epoch, LastEpoch(m.chain), m.committed, Held(m.runs));
  }
  void operator()(const Fenced& m) const {
    log->Add(at, "{} <- replica {}: Fenced {:x}: promised {:x}", process, replica, m.epoch,
             m.promised);
  }
  void operator()(const Stored& m) const {
    log->Add(at, "{} <- replica {}: Stored {:x}: [{}, {}) committed {}", process, replica, m.epoch,
             m.first, m.first + m.count, m.committed);
  }
  void operator()(const Refused& m) const {
    log->Add(at, "{} <- replica {}: Refused {:x}", process, replica, m.epoch);
  }
  void operator()(const ReadAnswer& m) const {
    log->Add(at, "{} <- replica {}: ReadAnswer outcome {}: from {}, {} entries, committed {}",
             process, replica, m.outcome, m.next, Held(m.runs), m.committed);
  }
  void operator()(const StatusAnswer& m) const {
    log->Add(at, "{} <- replica {}: StatusAnswer, full {}", process, replica, m.full);
  }
  void operator()(const Recover& m) const {
    log->Add(at, "{} -> replica {}: Recover {:x} from {}", process, replica, m.epoch, m.from);
  }
  void operator()(const RecoverAnswer& m) const {
    log->Add(at, "{} <- replica {}: RecoverAnswer {:x}: chain of {:x}, committed {}, {} entries",
             process, replica, m.epoch, LastEpoch(m.chain), m.committed, Held(m.runs));
  }
  void operator()(const Restore& m) const {
    log->Add(at, "{} -> replica {}: Restore {:x}: [{}, {}) of epoch {:x}", process, replica,
             m.epoch, m.run.first, End(m.run), m.run.epoch);
  }
  void operator()(const Restored& m) const {
    log->Add(at, "{} -> replica {}: Restored {:x}", process, replica, m.epoch);
  }
  void operator()(const AskLife&) const {
    log->Add(at, "{} -> replica {}: AskLife", process, replica);
  }
  void operator()(const Admit& m) const {
    log->Add(at, "{} -> replica {}: Admit life {}: {}", process, replica, m.life.number,
             m.admission);
  }
  void operator()(const LifeAnswer& m) const {
    log->Add(at, "{} <- replica {}: LifeAnswer: disk {}, life {}, admitted {}, record {}", process,
             replica, m.disk, m.life.number, m.admitted, m.record);
  }
  // A message that is too new for a line of its own: by its number.
  template <class Message>
  void operator()(const Message&) const {
    log->Add(at, "{} and replica {}: another message", process, replica);
  }
};

}  // namespace

void LogRequest(EventLog* log, core::Instant at, ProcessId from, size_t replica,
                const ReplicaRequest& request) {
  std::visit(Line{log, at, from, replica}, request);
}

void LogAnswer(EventLog* log, core::Instant at, size_t replica, ProcessId to,
               const ReplicaAnswer& answer) {
  std::visit(Line{log, at, to, replica}, answer);
}

}  // namespace homeport::sim
