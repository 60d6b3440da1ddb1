// EtcdJson: requests and answers as etcd's HTTP gateway has them (v3, JSON, grpc-gateway).
//
// A key is ours below "homeport/<cluster>/"; a value begins with its token, 8 bytes, big-endian.
// Answers may be any bytes: what is not as etcd says it is kBadRequest. Pure; thread safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "coordination/messages.h"

namespace homeport::coordination {

struct EtcdCall {
  std::string path;
  std::string body;
};

// Of an etcd of this version, for a person; empty: none, or it is no version.
std::string KnownFaults(std::string_view version);

class EtcdJson {
 public:
  explicit EtcdJson(const std::string& cluster) : prefix_("homeport/" + cluster + '/') {}

  // REQUIRES: CheckRequest(request) is ok, and it is no AskStatus: that is several calls.
  EtcdCall Encode(const Request& request) const;
  // Of all but a Watch. `http`: the code, 200 when all is well.
  Answer Decode(const Request& request, int http, std::string_view body) const;
  // One line of a watch's answer. nullopt: nothing to tell yet.
  std::optional<Answer> DecodeLine(std::string_view line) const;

  // ---- the calls of an AskStatus
  static EtcdCall MemberCall() { return {"/v3/maintenance/status", "{}"}; }
  static EtcdCall LeasesCall() { return {"/v3/lease/leases", "{}"}; }
  EtcdCall CountCall() const;
  // Each into `status`; false when it is not what was asked for.
  static bool DecodeMember(const std::string& endpoint, std::string_view body, StoreStatus* status);
  static bool DecodeLeases(std::string_view body, StoreStatus* status);
  static bool DecodeCount(std::string_view body, StoreStatus* status);

 private:
  const std::string prefix_;
};

}  // namespace homeport::coordination
