#include "coordination/messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <type_traits>

namespace homeport::coordination {

using core::Status;

namespace {

bool IsKeyText(std::string_view text) {
  return text.size() <= kKeyBytesMax && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '/' || c == '.' ||
                  c == '_' || c == '-';
         });
}

Status CheckKey(std::string_view key) {
  if (IsKey(key)) return {};
  return Status::BadRequest(fmt::format("a key is 1 to {} of a-z, 0-9 and / . _ -", kKeyBytesMax));
}
Status CheckPrefix(std::string_view prefix) {
  if (IsKeyText(prefix)) return {};
  return Status::BadRequest(
      fmt::format("a prefix is up to {} of a-z, 0-9 and / . _ -", kKeyBytesMax));
}
Status CheckLease(LeaseId lease) {
  return lease == LeaseId(0) ? Status::BadRequest("lease 0 is no lease") : Status();
}

Status Check(const Get& get) {
  return CheckKey(get.key);
}
Status Check(const List& list) {
  RETURN_IF_ERROR(CheckPrefix(list.prefix));
  return CheckPrefix(list.after);
}
Status Check(const CompareAndSet& set) {
  if (set.token == Token(0)) return Status::BadRequest("a compare-and-set has a token");
  if (set.terms.empty() || set.terms.size() > kTermsMax) {
    return Status::BadRequest(fmt::format("a compare-and-set has 1 to {} terms; this has {}",
                                          kTermsMax, set.terms.size()));
  }
  std::set<std::string_view> keys;
  size_t bytes = 0;
  for (const Term& term : set.terms) {
    RETURN_IF_ERROR(CheckKey(term.key));
    if (!keys.insert(term.key).second) {
      return Status::BadRequest(fmt::format("the key {} is in two terms", term.key));
    }
    if (!term.write.has_value()) continue;
    if (!term.write->value.has_value()) {
      if (term.expected != Revision(0)) continue;
      return Status::BadRequest(
          fmt::format("{}: what is not there cannot be deleted: only look at it", term.key));
    }
    if (term.write->value->size() > kValueBytesMax) {
      return Status::TooLarge(kValueBytesMax,
                              fmt::format("the value of {} has {} bytes; at most {}", term.key,
                                          term.write->value->size(), kValueBytesMax));
    }
    bytes += term.write->value->size();
  }
  if (bytes <= kRequestBytesMax) return {};
  return Status::TooLarge(kRequestBytesMax,
                          fmt::format("the values of a compare-and-set have {} bytes; at most {}",
                                      bytes, kRequestBytesMax));
}
Status Check(const GrantLease& grant) {
  if (grant.ttl >= kLeaseTtlMin && grant.ttl <= kLeaseTtlMax) return {};
  return Status::BadRequest(fmt::format("a lease is for {} to {} seconds, not {}",
                                        kLeaseTtlMin.count(), kLeaseTtlMax.count(),
                                        grant.ttl.count()));
}
Status Check(const KeepAlive& keep) {
  return CheckLease(keep.lease);
}
Status Check(const EndLease& end) {
  return CheckLease(end.lease);
}
Status Check(const Watch& watch) {
  RETURN_IF_ERROR(CheckPrefix(watch.prefix));
  if (watch.from == Revision(0)) return Status::BadRequest("revisions begin at 1");
  if (watch.wait.count() >= 0 && watch.wait <= kWatchWaitMax) return {};
  return Status::BadRequest(
      fmt::format("a watch waits for 0 to {} seconds", kWatchWaitMax.count()));
}
Status Check(const AskStatus&) {
  return {};
}

}  // namespace

bool IsKey(std::string_view text) {
  return !text.empty() && IsKeyText(text);
}

Status NoAnswer(bool perhaps_written) {
  if (perhaps_written) {
    return Status::NoQuorum(
        "the coordination store did not answer in time; it may have carried it out: read it back");
  }
  return Status::Unavailable("the coordination store did not answer in time");
}

bool IsAnswerTo(const Request& request, const Answer& answer) {
  if (std::holds_alternative<Status>(answer)) return true;
  if (const auto* keep = std::get_if<KeepAlive>(&request)) {
    const auto* leased = std::get_if<Leased>(&answer);
    return leased != nullptr && leased->lease == keep->lease;
  }
  if (std::holds_alternative<GrantLease>(request)) {
    const auto* leased = std::get_if<Leased>(&answer);
    return leased != nullptr && leased->lease != LeaseId(0);
  }
  if (std::holds_alternative<CompareAndSet>(request)) {
    return std::holds_alternative<Compared>(answer);
  }
  if (std::holds_alternative<EndLease>(request)) return std::holds_alternative<LeaseEnded>(answer);
  if (std::holds_alternative<Watch>(request)) return std::holds_alternative<Changes>(answer);
  if (std::holds_alternative<AskStatus>(request)) {
    return std::holds_alternative<StoreStatus>(answer);
  }
  return std::holds_alternative<Rows>(answer);
}

bool IsWrite(const Request& request) {
  return std::holds_alternative<CompareAndSet>(request) ||
         std::holds_alternative<GrantLease>(request) ||
         std::holds_alternative<KeepAlive>(request) || std::holds_alternative<EndLease>(request);
}

bool IsRepeatable(const Request& request) {
  return !std::holds_alternative<CompareAndSet>(request) &&
         !std::holds_alternative<GrantLease>(request);
}

Status CheckRequest(const Request& request) {
  return std::visit([](const auto& one) { return Check(one); }, request);
}

}  // namespace homeport::coordination
