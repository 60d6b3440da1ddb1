// EtcdClient: a CoordinationStore at an etcd, 3.4 or later, through its HTTP gateway.
//
// On a thread of its own, with libcurl. When an endpoint does not answer it goes to the next. What
// may be asked twice is, within its time; a compare-and-set or a grant that may have arrived is
// not, and is answered as unknown.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "coordination/coordination_store.h"

namespace homeport::coordination {

// `endpoints`: "http://127.0.0.1:2379", at least one; of https:// the certificate is checked by
// what the system trusts.
core::Result<std::unique_ptr<CoordinationClient>> OpenEtcd(const std::string& cluster,
                                                           std::vector<std::string> endpoints);

}  // namespace homeport::coordination
