// Codec: requests and answers as bytes, and what the embedded store keeps on disk.
//
// Decoding takes any bytes: what is malformed, of another version or beyond a limit is kBadRequest,
// never a crash. Pure; thread safe.
#pragma once

#include <string>
#include <string_view>

#include "coordination/messages.h"
#include "core/status.h"

namespace homeport::coordination {

// Of a request: all values of the largest compare-and-set, and what is around them. Of an answer: a
// page, or a whole revision more.
inline constexpr uint64_t kRequestFrameBytesMax = 3 << 19;
inline constexpr uint64_t kFrameBytesMax = 8 << 20;

struct NumberedRequest {
  uint64_t number = 0;
  std::string cluster;
  Request request;
};
struct NumberedAnswer {
  uint64_t number = 0;
  Answer answer;
};
std::string EncodeRequest(const NumberedRequest& request);
// It is within the limits (CheckRequest).
core::Result<NumberedRequest> DecodeRequest(std::string_view bytes);
std::string EncodeAnswer(const NumberedAnswer& answer);
core::Result<NumberedAnswer> DecodeAnswer(std::string_view bytes);
// Of a request that cannot be read otherwise; 0: not even that.
uint64_t NumberOf(std::string_view bytes);

// ---- on disk

struct StoredHead {
  std::string cluster;
  Revision revision;
  LeaseId last_lease;
};
std::string EncodeHead(const StoredHead& head);
core::Result<StoredHead> DecodeHead(std::string_view bytes);
std::string EncodeChange(const Change& change);
core::Result<Change> DecodeChange(std::string_view bytes);
std::string EncodeTtl(std::chrono::seconds ttl);
core::Result<std::chrono::seconds> DecodeTtl(std::string_view bytes);

}  // namespace homeport::coordination
