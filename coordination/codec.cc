#include "coordination/codec.h"

#include <fmt/format.h>

#include <utility>

#include "coordination/coordination.capnp.h"
#include "core/codec.h"

namespace homeport::coordination {

using core::Result;
using core::Status;

namespace {

constexpr size_t kMembersMax = 64;
constexpr size_t kChangesMax = 1 << 16;

std::string TextOf(capnp::Text::Reader text) {
  return std::string(core::View(text));
}
kj::StringPtr TextPtr(const std::string& text) {
  return {text.c_str(), text.size()};
}

void Put(const Row& row, wire::Row::Builder to) {
  to.setKey(TextPtr(row.key));
  to.setValue(core::Data(row.value));
  to.setRevision(row.revision.value());
  to.setToken(row.token.value());
  to.setLease(row.lease.value());
}
Result<Row> Take(wire::Row::Reader from) {
  Row row;
  row.key = TextOf(from.getKey());
  row.value = core::View(from.getValue());
  row.revision = Revision(from.getRevision());
  row.token = Token(from.getToken());
  row.lease = LeaseId(from.getLease());
  if (!IsKey(row.key)) return Status::BadRequest("a row's key is none");
  if (row.value.size() > kValueBytesMax) return Status::BadRequest("a row's value is too long");
  if (row.revision == Revision(0)) return Status::BadRequest("a row has a revision");
  return row;
}

void Put(const Change& change, wire::Row::Builder to) {
  Put(change.row, to);
  to.setDeleted(change.deleted);
}
Result<Change> TakeChange(wire::Row::Reader from) {
  Change change;
  ASSIGN_OR_RETURN(change.row, Take(from));
  change.deleted = from.getDeleted();
  return change;
}

template <class Builders>
void PutRows(const std::vector<Row>& rows, Builders to) {
  for (unsigned i = 0; i < to.size(); ++i) Put(rows[i], to[i]);
}
Result<std::vector<Row>> TakeRows(capnp::List<wire::Row>::Reader from, size_t max) {
  if (from.size() > max) return Status::BadRequest("too many rows");
  std::vector<Row> rows;
  for (const auto one : from) {
    if (one.getDeleted()) return Status::BadRequest("a deleted row is no row");
    ASSIGN_OR_RETURN(rows.emplace_back(), Take(one));
  }
  return rows;
}

// ---- requests

void Put(const Get& get, wire::Request::Builder to) {
  to.setGet(TextPtr(get.key));
}
void Put(const List& list, wire::Request::Builder to) {
  auto part = to.initList();
  part.setPrefix(TextPtr(list.prefix));
  part.setAfter(TextPtr(list.after));
}
void Put(const CompareAndSet& set, wire::Request::Builder to) {
  auto part = to.initCompareAndSet();
  part.setToken(set.token.value());
  auto terms = part.initTerms(static_cast<unsigned>(set.terms.size()));
  for (unsigned i = 0; i < terms.size(); ++i) {
    const Term& term = set.terms[i];
    terms[i].setKey(TextPtr(term.key));
    terms[i].setExpected(term.expected.value());
    if (!term.write.has_value()) {
      terms[i].setLook();
    } else if (!term.write->value.has_value()) {
      terms[i].setDelete();
    } else {
      auto put = terms[i].initPut();
      put.setValue(core::Data(*term.write->value));
      put.setLease(term.write->lease.value());
    }
  }
}
void Put(const GrantLease& grant, wire::Request::Builder to) {
  to.setGrantLease(static_cast<uint32_t>(grant.ttl.count()));
}
void Put(const KeepAlive& keep, wire::Request::Builder to) {
  to.setKeepAlive(keep.lease.value());
}
void Put(const EndLease& end, wire::Request::Builder to) {
  to.setEndLease(end.lease.value());
}
void Put(const Watch& watch, wire::Request::Builder to) {
  auto part = to.initWatch();
  part.setWatchPrefix(TextPtr(watch.prefix));
  part.setFrom(watch.from.value());
  part.setWaitMs(static_cast<uint32_t>(watch.wait.count()));
}
void Put(const AskStatus&, wire::Request::Builder to) {
  to.setStatus();
}

Result<Term> TakeTerm(wire::Term::Reader from) {
  Term term;
  term.key = TextOf(from.getKey());
  term.expected = Revision(from.getExpected());
  switch (from.which()) {
    case wire::Term::LOOK:
      return term;
    case wire::Term::DELETE:
      term.write = Write{};
      return term;
    case wire::Term::PUT:
      term.write = Write{std::string(core::View(from.getPut().getValue())),
                         LeaseId(from.getPut().getLease())};
      return term;
  }
  return Status::BadRequest("a term of an unknown kind");
}

Result<Request> TakeRequest(wire::Request::Reader from) {
  switch (from.which()) {
    case wire::Request::GET:
      return Request(Get{TextOf(from.getGet())});
    case wire::Request::LIST:
      return Request(List{TextOf(from.getList().getPrefix()), TextOf(from.getList().getAfter())});
    case wire::Request::COMPARE_AND_SET: {
      const auto part = from.getCompareAndSet();
      CompareAndSet set;
      set.token = Token(part.getToken());
      if (part.getTerms().size() > kTermsMax) return Status::BadRequest("too many terms");
      for (const auto term : part.getTerms()) {
        ASSIGN_OR_RETURN(set.terms.emplace_back(), TakeTerm(term));
      }
      return Request(std::move(set));
    }
    case wire::Request::GRANT_LEASE:
      return Request(GrantLease{std::chrono::seconds(from.getGrantLease())});
    case wire::Request::KEEP_ALIVE:
      return Request(KeepAlive{LeaseId(from.getKeepAlive())});
    case wire::Request::END_LEASE:
      return Request(EndLease{LeaseId(from.getEndLease())});
    case wire::Request::WATCH: {
      const auto part = from.getWatch();
      return Request(Watch{TextOf(part.getWatchPrefix()), Revision(part.getFrom()),
                           std::chrono::milliseconds(part.getWaitMs())});
    }
    case wire::Request::STATUS:
      return Request(AskStatus{});
  }
  return Status::BadRequest("a request of an unknown kind");
}

// ---- answers

void Put(const Status& status, wire::Answer::Builder to) {
  auto part = to.initFailed();
  part.setCode(static_cast<uint16_t>(status.code()));
  part.setMessage(TextPtr(status.message()));
  part.setDetail(status.detail());
}
void Put(const Rows& rows, wire::Answer::Builder to) {
  auto part = to.initRows();
  part.setRevision(rows.revision.value());
  PutRows(rows.rows, part.initRows(static_cast<unsigned>(rows.rows.size())));
  part.setMore(rows.more);
}
void Put(const Compared& compared, wire::Answer::Builder to) {
  auto part = to.initCompared();
  part.setDone(compared.done);
  part.setComparedAt(compared.revision.value());
  PutRows(compared.rows, part.initCurrent(static_cast<unsigned>(compared.rows.size())));
}
void Put(const Leased& leased, wire::Answer::Builder to) {
  auto part = to.initLeased();
  part.setLease(leased.lease.value());
  part.setTtlSeconds(static_cast<uint32_t>(leased.ttl.count()));
}
void Put(const LeaseEnded&, wire::Answer::Builder to) {
  to.setLeaseEnded();
}
void Put(const Changes& changes, wire::Answer::Builder to) {
  auto part = to.initChanges();
  auto list = part.initChanges(static_cast<unsigned>(changes.changes.size()));
  for (unsigned i = 0; i < list.size(); ++i) Put(changes.changes[i], list[i]);
  part.setNext(changes.next.value());
}
void Put(const StoreStatus& status, wire::Answer::Builder to) {
  auto part = to.initStatus();
  part.setKind(TextPtr(status.kind));
  part.setStatusRevision(status.revision.value());
  part.setRowCount(status.rows);
  part.setLeaseCount(status.leases);
  auto members = part.initMembers(static_cast<unsigned>(status.members.size()));
  for (unsigned i = 0; i < members.size(); ++i) {
    const Member& member = status.members[i];
    members[i].setName(TextPtr(member.name));
    members[i].setEndpoint(TextPtr(member.endpoint));
    members[i].setUp(member.up);
    members[i].setLeads(member.leads);
    members[i].setVersion(TextPtr(member.version));
  }
}

Result<Answer> TakeFailed(wire::Answer::Failed::Reader from) {
  const auto code = core::CodeFromNumber(from.getCode());
  if (!code || *code == core::Code::kOk) return Status::BadRequest("a failure of an unknown code");
  Status status(*code, TextOf(from.getMessage()));
  status.set_detail(from.getDetail());
  return Answer(std::move(status));
}
Result<Answer> TakeChanges(wire::Answer::Changes::Reader from) {
  Changes changes;
  if (from.getChanges().size() > kChangesMax) return Status::BadRequest("too many changes");
  for (const auto one : from.getChanges()) {
    ASSIGN_OR_RETURN(changes.changes.emplace_back(), TakeChange(one));
  }
  changes.next = Revision(from.getNext());
  return Answer(std::move(changes));
}
Result<Answer> TakeStatus(wire::Answer::Status::Reader from) {
  StoreStatus status;
  status.kind = TextOf(from.getKind());
  status.revision = Revision(from.getStatusRevision());
  status.rows = from.getRowCount();
  status.leases = from.getLeaseCount();
  if (from.getMembers().size() > kMembersMax) return Status::BadRequest("too many members");
  for (const auto one : from.getMembers()) {
    status.members.push_back({TextOf(one.getName()), TextOf(one.getEndpoint()), one.getUp(),
                              one.getLeads(), TextOf(one.getVersion())});
  }
  return Answer(std::move(status));
}

Result<Answer> TakeAnswer(wire::Answer::Reader from) {
  switch (from.which()) {
    case wire::Answer::FAILED:
      return TakeFailed(from.getFailed());
    case wire::Answer::ROWS: {
      const auto part = from.getRows();
      Rows rows;
      rows.revision = Revision(part.getRevision());
      ASSIGN_OR_RETURN(rows.rows, TakeRows(part.getRows(), kRowsPerListMax));
      rows.more = part.getMore();
      return Answer(std::move(rows));
    }
    case wire::Answer::COMPARED: {
      const auto part = from.getCompared();
      Compared compared;
      compared.done = part.getDone();
      compared.revision = Revision(part.getComparedAt());
      ASSIGN_OR_RETURN(compared.rows, TakeRows(part.getCurrent(), kTermsMax));
      return Answer(std::move(compared));
    }
    case wire::Answer::LEASED:
      return Answer(Leased{LeaseId(from.getLeased().getLease()),
                           std::chrono::seconds(from.getLeased().getTtlSeconds())});
    case wire::Answer::LEASE_ENDED:
      return Answer(LeaseEnded{});
    case wire::Answer::CHANGES:
      return TakeChanges(from.getChanges());
    case wire::Answer::STATUS:
      return TakeStatus(from.getStatus());
  }
  return Status::BadRequest("an answer of an unknown kind");
}

Status CheckVersion(uint16_t version) {
  if (version == wire::VERSION) return {};
  return Status::BadRequest(
      fmt::format("version {} of the coordination store's messages; this one speaks {}", version,
                  wire::VERSION));
}

// Of a root that has a version.
template <class Root, class Read>
Status DecodeVersioned(std::string_view bytes, const Read& read) {
  return core::Decode<Root>(bytes, [&](typename Root::Reader root) -> Status {
    RETURN_IF_ERROR(CheckVersion(root.getVersion()));
    return read(root);
  });
}

}  // namespace

std::string EncodeRequest(const NumberedRequest& request) {
  return core::Encode<wire::Request>([&](wire::Request::Builder root) {
    root.setVersion(wire::VERSION);
    root.setNumber(request.number);
    root.setCluster(TextPtr(request.cluster));
    std::visit([&](const auto& one) { Put(one, root); }, request.request);
  });
}

Result<NumberedRequest> DecodeRequest(std::string_view bytes) {
  NumberedRequest request;
  RETURN_IF_ERROR(DecodeVersioned<wire::Request>(bytes, [&](wire::Request::Reader root) -> Status {
    request.number = root.getNumber();
    request.cluster = TextOf(root.getCluster());
    ASSIGN_OR_RETURN(request.request, TakeRequest(root));
    return {};
  }));
  RETURN_IF_ERROR(CheckRequest(request.request));
  return request;
}

std::string EncodeAnswer(const NumberedAnswer& answer) {
  return core::Encode<wire::Answer>([&](wire::Answer::Builder root) {
    root.setVersion(wire::VERSION);
    root.setNumber(answer.number);
    std::visit([&](const auto& one) { Put(one, root); }, answer.answer);
  });
}

Result<NumberedAnswer> DecodeAnswer(std::string_view bytes) {
  NumberedAnswer answer;
  RETURN_IF_ERROR(DecodeVersioned<wire::Answer>(bytes, [&](wire::Answer::Reader root) -> Status {
    answer.number = root.getNumber();
    ASSIGN_OR_RETURN(answer.answer, TakeAnswer(root));
    return {};
  }));
  return answer;
}

uint64_t NumberOf(std::string_view bytes) {
  uint64_t number = 0;
  const Status status = core::Decode<wire::Request>(bytes, [&](wire::Request::Reader root) {
    number = root.getNumber();
    return Status();
  });
  return status.ok() ? number : 0;
}

std::string EncodeHead(const StoredHead& head) {
  return core::Encode<wire::StoredHead>([&](wire::StoredHead::Builder root) {
    root.setVersion(wire::VERSION);
    root.setCluster(TextPtr(head.cluster));
    root.setRevision(head.revision.value());
    root.setLastLease(head.last_lease.value());
  });
}

Result<StoredHead> DecodeHead(std::string_view bytes) {
  StoredHead head;
  RETURN_IF_ERROR(
      DecodeVersioned<wire::StoredHead>(bytes, [&](wire::StoredHead::Reader root) -> Status {
        head.cluster = TextOf(root.getCluster());
        head.revision = Revision(root.getRevision());
        head.last_lease = LeaseId(root.getLastLease());
        return {};
      }));
  return head;
}

std::string EncodeChange(const Change& change) {
  return core::Encode<wire::Row>([&](wire::Row::Builder root) { Put(change, root); });
}

Result<Change> DecodeChange(std::string_view bytes) {
  Change change;
  RETURN_IF_ERROR(core::Decode<wire::Row>(bytes, [&](wire::Row::Reader root) -> Status {
    ASSIGN_OR_RETURN(change, TakeChange(root));
    return {};
  }));
  return change;
}

std::string EncodeTtl(std::chrono::seconds ttl) {
  return core::Encode<wire::StoredLease>([&](wire::StoredLease::Builder root) {
    root.setTtlSeconds(static_cast<uint32_t>(ttl.count()));
  });
}

Result<std::chrono::seconds> DecodeTtl(std::string_view bytes) {
  std::chrono::seconds ttl{0};
  RETURN_IF_ERROR(
      core::Decode<wire::StoredLease>(bytes, [&](wire::StoredLease::Reader root) -> Status {
        ttl = std::chrono::seconds(root.getTtlSeconds());
        return {};
      }));
  return ttl;
}

}  // namespace homeport::coordination
