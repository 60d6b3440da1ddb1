// EmbeddedClient: a CoordinationStore at our own server (coordination_server.h).
#pragma once

#include <memory>
#include <string>

#include "coordination/coordination_store.h"
#include "core/socket.h"

namespace homeport::coordination {

// On a thread of its own. What is not sent yet waits for a connection until its time is over; what
// has no answer is sent again, but for a compare-and-set or a grant that was sent.
core::Result<std::unique_ptr<CoordinationClient>> OpenEmbedded(core::Context& context,
                                                               const std::string& cluster,
                                                               const std::string& endpoint);

}  // namespace homeport::coordination
