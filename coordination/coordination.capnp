@0xc3a8f0b6d2417e95;
# The coordination store: what its clients and our own server say to one another, and what that server
# keeps on disk. docs/formats.md.
# One message is one frame. `version` and `number` keep their places in every version, so that a request
# we cannot read can still be answered.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("homeport::coordination::wire");

const version :UInt16 = 1;

struct Row {
  key @0 :Text;
  value @1 :Data;
  revision @2 :UInt64;
  token @3 :UInt64;
  lease @4 :UInt64;
  deleted @5 :Bool;            # of a change
}
struct Term {
  key @0 :Text;
  expected @1 :UInt64;
  union {
    look @2 :Void;
    delete @3 :Void;
    put :group { value @4 :Data; lease @5 :UInt64; }
  }
}
struct Member {
  name @0 :Text;
  endpoint @1 :Text;
  up @2 :Bool;
  leads @3 :Bool;
  version @4 :Text;
}

struct Request {
  version @0 :UInt16;
  number @1 :UInt64;
  cluster @2 :Text;            # whose store is meant
  union {
    get @3 :Text;
    list :group { prefix @4 :Text; after @5 :Text; }
    compareAndSet :group { token @6 :UInt64; terms @7 :List(Term); }
    grantLease @8 :UInt32;     # seconds
    keepAlive @9 :UInt64;
    endLease @10 :UInt64;
    watch :group { watchPrefix @11 :Text; from @12 :UInt64; waitMs @13 :UInt32; }
    status @14 :Void;
  }
}
struct Answer {
  version @0 :UInt16;
  number @1 :UInt64;
  union {
    failed :group { code @2 :UInt16; message @3 :Text; detail @4 :UInt64; }
    rows :group { revision @5 :UInt64; rows @6 :List(Row); more @7 :Bool; }
    compared :group { done @8 :Bool; comparedAt @9 :UInt64; current @10 :List(Row); }
    leased :group { lease @11 :UInt64; ttlSeconds @12 :UInt32; }
    leaseEnded @13 :Void;
    changes :group { changes @14 :List(Row); next @15 :UInt64; }
    status :group {
      kind @16 :Text;
      statusRevision @17 :UInt64;
      rowCount @18 :UInt64;
      leaseCount @19 :UInt64;
      members @20 :List(Member);
    }
  }
}

# ---- on disk

struct StoredHead {
  version @0 :UInt16;
  cluster @1 :Text;
  revision @2 :UInt64;
  lastLease @3 :UInt64;
}
struct StoredLease {
  ttlSeconds @0 :UInt32;
}

# ---- records: values of rows. coordination/registry.h

struct IncarnationRecord {
  version @0 :UInt16;
  number @1 :UInt16;
  region @2 :Text;
  state @3 :UInt8;             # 0 live, 1 retired, 2 dead
  sinceMs @4 :Int64;
}
# Of `incarnation-counter` and `epochs/`.
struct NumberRecord {
  version @0 :UInt16;
  number @1 :UInt64;
}
