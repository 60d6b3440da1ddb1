@0xd1c7e0b5a4f3a6e1;
# Wire and log formats of the quorum queue. docs/formats.md.
#
# A wire message is one frame with a Frame, and one more frame per run with that run's payloads, back to back
# (zstd-compressed where the run says so). A log record is a LogRecord and at most one body.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("homeport::quorum_queue::wire");

const version :UInt16 = 1;

struct ChainLink {
  epoch @0 :UInt64;
  start @1 :UInt64;
}

struct Run {
  first @0 :UInt64;
  epoch @1 :UInt64;
  sizes @2 :List(UInt32);
  checksum @3 :UInt64;       # XXH3-64 of the uncompressed body
  compressed @4 :Bool;
}

struct Fence { stream @0 :UInt64; epoch @1 :UInt64; after @2 :UInt64; }
struct Fill { stream @0 :UInt64; epoch @1 :UInt64; run @2 :Run; }
struct Append {
  stream @0 :UInt64;
  epoch @1 :UInt64;
  chain @2 :List(ChainLink);
  run @3 :Run;               # null: no entries
  committed @4 :UInt64;
  trimmed @5 :UInt64;
}
struct Trim { stream @0 :UInt64; through @1 :UInt64; }
struct Read {
  stream @0 :UInt64;
  session @1 :UInt64;
  from @2 :UInt64;
  receivedBytes @3 :UInt64;
  creditBytes @4 :UInt64;
  compress @5 :Bool;
}
struct FenceAnswer {
  stream @0 :UInt64;
  epoch @1 :UInt64;
  disk @2 :UInt64;
  chain @3 :List(ChainLink);
  committed @4 :UInt64;
  trimmed @5 :UInt64;
  runs @6 :List(Run);
  after @7 :UInt64;
  through @8 :UInt64;        # 0: the last page
}
struct Fenced { stream @0 :UInt64; epoch @1 :UInt64; disk @2 :UInt64; promised @3 :UInt64; }
struct Stored {
  stream @0 :UInt64;
  epoch @1 :UInt64;
  disk @2 :UInt64;
  fill @3 :Bool;
  first @4 :UInt64;
  count @5 :UInt64;
  committed @6 :UInt64;
}
struct Refused { stream @0 :UInt64; epoch @1 :UInt64; disk @2 :UInt64; reason @3 :Text; }
struct ReadAnswer {
  stream @0 :UInt64;
  session @1 :UInt64;
  disk @2 :UInt64;
  outcome @3 :UInt8;
  next @4 :UInt64;
  runs @5 :List(Run);
  committed @6 :UInt64;
  trimmed @7 :UInt64;
  sentBytes @8 :UInt64;
}
struct StreamStatus {
  stream @0 :UInt64;
  promised @1 :UInt64;
  chainEpoch @2 :UInt64;
  committed @3 :UInt64;
  trimmed @4 :UInt64;
  last @5 :UInt64;
  entries @6 :UInt64;
}
struct StatusAnswer {
  disk @0 :UInt64;
  streams @1 :List(StreamStatus);
  logBytes @2 :UInt64;
  diskFreeBytes @3 :UInt64;
  full @4 :Bool;
  recovering @5 :Bool;
  nonce @6 :UInt64;
  waiting @7 :Bool;          # not admitted
  cluster @8 :Text;          # whose replica it is, as its directory says
  incarnation @9 :UInt16;
  replica @10 :UInt8;        # its number, from 1
}

struct Holdings { stream @0 :UInt64; from @1 :UInt64; }
struct HeldRun { first @0 :UInt64; count @1 :UInt64; epoch @2 :UInt64; bytes @3 :UInt64; }
struct HoldingsAnswer {
  stream @0 :UInt64;
  disk @1 :UInt64;
  promised @2 :UInt64;
  chainEpoch @3 :UInt64;
  committed @4 :UInt64;
  trimmed @5 :UInt64;
  from @6 :UInt64;
  through @7 :UInt64;
  runs @8 :List(HeldRun);
}

struct Recover { stream @0 :UInt64; epoch @1 :UInt64; from @2 :UInt64; }
struct RecoverAnswer {
  stream @0 :UInt64;
  epoch @1 :UInt64;
  disk @2 :UInt64;
  promised @3 :UInt64;
  chain @4 :List(ChainLink);
  committed @5 :UInt64;
  trimmed @6 :UInt64;
  from @7 :UInt64;
  through @8 :UInt64;
  runs @9 :List(Run);
}
struct Restore { stream @0 :UInt64; epoch @1 :UInt64; disk @2 :UInt64; run @3 :Run; }
struct Restored { epoch @0 :UInt64; disk @1 :UInt64; streams @2 :List(StreamState); }

# One start of a replica's process.
struct Life { number @0 :UInt64; random @1 :UInt64; }
struct Admit { disk @0 :UInt64; life @1 :Life; admission @2 :UInt8; }
struct LifeAnswer {
  disk @0 :UInt64;
  life @1 :Life;
  proposed @2 :Life;
  admitted @3 :Bool;
  recovering @4 :Bool;
  record @5 :UInt64;
}

struct Frame {
  version @0 :UInt16;
  union {
    fence @1 :Fence;
    fill @2 :Fill;
    append @3 :Append;
    trim @4 :Trim;
    read @5 :Read;
    status @6 :Void;
    fenceAnswer @7 :FenceAnswer;
    fenced @8 :Fenced;
    stored @9 :Stored;
    refused @10 :Refused;
    readAnswer @11 :ReadAnswer;
    statusAnswer @12 :StatusAnswer;
    unsupported @13 :UInt16;    # answer to a version we do not speak: ours
    holdings @14 :Holdings;
    holdingsAnswer @15 :HoldingsAnswer;
    recover @16 :Recover;
    recoverAnswer @17 :RecoverAnswer;
    restore @18 :Restore;
    restored @19 :Restored;
    askLife @21 :Void;
    admit @22 :Admit;
    lifeAnswer @23 :LifeAnswer;
  }
  nonce @20 :UInt64;           # of status, askLife, admit, lifeAnswer
}

# State of one stream without its entries, written at the start of each segment and when records were lost.
struct StreamState {
  stream @0 :UInt64;
  promised @1 :UInt64;
  chain @2 :List(ChainLink);
  committed @3 :UInt64;
  trimmed @4 :UInt64;
  last @5 :UInt64;             # highest seq held
  doubtful @6 :UInt64;         # entries above committed up to here may have been lost; 0: none
}

struct LogRecord {
  version @0 :UInt16;
  union {
    fence @1 :Fence;
    fill @2 :Fill;
    append @3 :Append;
    trim @4 :Trim;
    checkpoint @5 :List(StreamState);
    relay @6 :Relay;           # in a region's relay log only
    restoreBegin @7 :UInt64;   # epoch
    restored @8 :Restored;
  }
}

# Entries of another region's stream, kept raw.
struct Relay { stream @0 :UInt64; run @1 :Run; }

# Identity of a replica's directory (file IDENTITY), of a region's (file IDENTITY) and its grants (file GRANTS).
struct Identity {
  version @0 :UInt16;
  cluster @1 :Text;
  region @2 :Text;
  incarnation @3 :UInt16;
  replica @4 :UInt8;           # 1 .. 3; 0: the region's own directory
  disk @5 :UInt64;
  shards @6 :UInt16;
  recovering @7 :Bool;         # replaces a lost disk and has not got everything yet
  life @8 :Life;               # of a replica's last process that was offered one
}
struct GrantGroup {
  id @0 :UInt32;
  disks @1 :List(UInt64);      # three
  endpoints @2 :List(Text);    # three; empty: as configured
  drained @3 :UInt64;          # number of the grant record when draining began; 0: active
}
struct Grants {
  version @0 :UInt16;          # 3; 2 had no reservedThrough
  incarnation @1 :UInt16;
  counter @2 :UInt64;
  groups @3 :List(GrantGroup);
  checksum @4 :UInt64;         # XXH3-64 of the fields above, as docs/formats.md says
  lastGroup @5 :UInt32;        # highest id ever given
  reservedThrough @6 :UInt64;  # of the counter, by the coordination store; 0: it is this record's own
}

# A region's file LIVES: which start of its replicas' processes it admitted last.
struct DiskLife {
  disk @0 :UInt64;
  admitted @1 :Life;
  offered @2 :Life;
  mark @3 :UInt64;             # a record that was on that disk
}
struct Lives {
  version @0 :UInt16;
  incarnation @1 :UInt16;
  disks @2 :List(DiskLife);
  checksum @3 :UInt64;         # XXH3-64 of the fields above, as docs/formats.md says
}
