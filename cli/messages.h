// Messages as the CLI reads and shows them.
#pragma once

#include <string>

#include "cli/output.h"
#include "core/time.h"
#include "router/client.h"

namespace homeport::cli {

Json ToJson(const router::SyncedMessage& message);
// "2026-01-31T12:00:00.000Z club#7 <alice> hello"
std::string LineOf(const router::SyncedMessage& message);
// All there is after `snapshot`, page after page. `wait`: for the first, if there is none.
core::Result<router::SyncResult> ReadAll(router::Client& client, core::Uin user,
                                         core::DeviceNumber device, core::Duration wait,
                                         const std::string& snapshot);

}  // namespace homeport::cli
