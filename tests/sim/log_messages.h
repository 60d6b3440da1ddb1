// Lines of the event log for messages that arrive.
#pragma once

#include "quorum_queue/messages.h"
#include "tests/sim/event_log.h"
#include "tests/sim/sim_network.h"

namespace homeport::sim {

void LogRequest(EventLog* log, core::Instant at, ProcessId from, size_t replica,
                const quorum_queue::ReplicaRequest& request);
void LogAnswer(EventLog* log, core::Instant at, size_t replica, ProcessId to,
               const quorum_queue::ReplicaAnswer& answer);

}  // namespace homeport::sim
