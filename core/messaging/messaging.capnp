@0x9a4f0c6be1d2f37b;
# Stored rows and stream entries of the messaging core. docs/formats.md.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("homeport::core::wire");

struct Stamp {
  takeover @0 :UInt32;
  move @1 :UInt32;
  version @2 :UInt64;
}

# Every replicated row but inbox items: its stamp and value; a deleted row stays as a tombstone.
struct Row {
  takeover @0 :UInt32;
  move @1 :UInt32;
  version @2 :UInt64;
  deleted @3 :Bool;
  value @4 :Data;
}

struct Position { stream @0 :UInt64; seq @1 :UInt64; }

# Mastership is part of the user's record. A group is an account of kind group.
struct Account {
  version @0 :UInt16;
  uin @1 :UInt64;
  kind @2 :UInt8;              # 0 user, 1 group
  name @3 :Data;
  createdAtMs @4 :Int64;
  home @5 :UInt16;             # incarnation
  takeover @6 :UInt32;         # mastership epoch (takeover, move)
  move @7 :UInt32;
  adopted @8 :Bool;
  deps @9 :List(Position);     # of the last Transfer or Adopt; empty when born here
  fields @10 :List(ProfileField);  # of a user
  owner @11 :UInt64;           # of a group; 0: nobody, an open room
  title @12 :Data;             # of a group
  closed @13 :Bool;            # a group that only its owner adds members to
}
struct ProfileField { name @0 :Data; value @1 :Data; }
# What a user wants of another, and how much of the other's wanting it took back.
struct ContactHalf { at @0 :Stamp; wants @1 :Bool; takesBack @2 :Stamp; }
struct Contact {
  version @0 :UInt16;
  mine @1 :ContactHalf;
  peers @2 :ContactHalf;
  text @3 :Data;
  blocked @4 :Bool;
  remark @5 :Data;
  changedAtMs @6 :Int64;
}
struct ContactChange { from @0 :UInt64; half @1 :ContactHalf; text @2 :Data; }
# How far somebody read, or was delivered, in one conversation: a place in the reader's inbox, and what lies there.
struct Mark {
  takeover @0 :UInt32;
  move @1 :UInt32;
  version @2 :UInt64;
  message @3 :UInt64;          # one to one; 0: not known any more
  groupSeq @4 :UInt64;         # of a group
}
# A user's conversation with another user, or in a group.
struct Conversation { version @0 :UInt16; read @1 :Mark; peersRead @2 :Mark; peersDelivered @3 :Mark; }
# A record in a team's own table, and what is counted of a user's records in one.
struct Record { version @0 :UInt16; value @1 :Data; changedAtMs @2 :Int64; }
struct RecordTable { version @0 :UInt16; last @1 :UInt64; records @2 :UInt32; bytes @3 :UInt64; }
# What `from` has read and was delivered of what the addressed user sent.
struct Receipt { from @0 :UInt64; read @1 :Mark; delivered @2 :Mark; }
struct Name { version @0 :UInt16; kind @1 :UInt8; uin @2 :UInt64; }
struct Member { version @0 :UInt16; joinedAtMs @1 :Int64; }
# What an operator ordered of a region last, as one region knows it: the highest number counts, then the highest writer.
struct RegionState {
  version @0 :UInt16;
  region @1 :UInt16;
  order @2 :UInt8;             # 1 drain, 2 block
  on @3 :Bool;
  number @4 :UInt64;
  by @5 :Data;                 # user@host
  atMs @6 :Int64;
  to @7 :List(UInt16);         # drain: the new homes
  writer @8 :UInt16;
}
# What an operator's command did, or is doing.
struct JournalRecord {
  version @0 :UInt16;
  id @1 :UInt64;               # random, made by who writes
  number @2 :UInt64;           # given at the first writing
  writer @3 :UInt16;
  kind @4 :Data;               # "drain"
  what @5 :Data;               # its arguments
  by @6 :Data;                 # user@host
  program @7 :Data;
  region @8 :UInt16;           # which it was about; 0: none
  begunAtMs @9 :Int64;
  changedAtMs @10 :Int64;
  state @11 :UInt8;            # 0 running, 1 done, 2 stopped, 3 failed
  counts @12 :List(JournalCount);
  lines @13 :List(Data);
}
struct JournalCount { name @0 :Data; count @1 :UInt64; }
# Commands that a user or group executed under an id of their client, and what was answered; the last ones.
struct Executed { version @0 :UInt16; commands @1 :List(ExecutedCommand); }
struct ExecutedCommand { id @0 :UInt64; device @1 :UInt16; changed @2 :Bool; }
# What is counted of one user or group, and what its devices acknowledged: the one row that every sync reads.
struct Counters {
  version @0 :UInt16;
  account @1 :UInt64;          # version of the last change, per sync table
  contacts @2 :UInt64;
  messages @3 :UInt64;         # at least that of the last inbox item at the last trim
  writes @4 :UInt64;           # of this row: the version of its stamp
  floor @5 :Stamp;             # the inbox begins after it
  lastDevice @6 :UInt16;       # number given out last
  devices @7 :List(DevicePosition);
  contactRows @8 :UInt32;
  unparking @9 :Bool;          # parked intents are left: what arrives is parked behind them
  conversationRows @10 :UInt32;
  told @11 :Stamp;             # senders were told of what was delivered up to here
  telling @12 :Bool;           # more of it is told by and by
  recordTables @13 :UInt16;
}
struct DevicePosition { number @0 :UInt16; seenAtMs @1 :Int64; acknowledged @2 :Stamp; }
struct Device { version @0 :UInt16; install @1 :UInt64; name @2 :Data; registeredAtMs @3 :Int64; }
# What a user or group remembers of a client message id.
struct Remembered {
  version @0 :UInt16;
  message @1 :UInt64;
  atMs @2 :Int64;
  groupSeq @3 :UInt64;         # its place in the group that remembers it
  to @4 :UInt64;               # whom the owner sent it
  inboxVersion @5 :UInt64;     # its place in the inbox of the user that remembers it
  recalled @6 :Bool;
}

struct Message {
  id @0 :UInt64;
  sender @1 :UInt64;
  clientMessageId @2 :UInt64;
  sentAtMs @3 :Int64;
  body @4 :Data;
}
struct GroupMessage {
  version @0 :UInt16;
  groupSeq @1 :UInt64;
  message @2 :Message;         # of an event: who did it, and when; of what is or was recalled: without a body
  event @3 :GroupEvent;
  recalled @4 :Bool;
  isRecall @5 :Bool;           # tells that the message of this id was recalled
  atMs @6 :Int64;              # when it came into the group; 0: older, as it was sent
}
struct GroupEvent { kind @0 :UInt8; subject @1 :UInt64; text @2 :Data; }   # kind 0: none
struct InboxItem {
  version @0 :UInt16;
  union {
    message @1 :Message;                 # one to one
    groupMessage :group { group @2 :UInt64; groupSeq @3 :UInt64; }
  }
  atMs @4 :Int64;                        # when it came into the inbox
  recalled @5 :Bool;                     # as in GroupMessage
  isRecall @6 :Bool;
}

# ---- stream entries. An entry of zero bytes is a writer's Open.

struct Put {
  key @0 :Data;                # whole store key
  stamp @1 :Stamp;
  deleted @2 :Bool;
  value @3 :Data;
}
# One inbox item put into many inboxes: users[i] gets it at version versions[i] of epoch.
struct Fanout {
  item @0 :Data;               # an InboxItem
  takeover @1 :UInt32;
  move @2 :UInt32;
  users @3 :List(UInt64);
  versions @4 :List(UInt64);
}
# The items of a user's inbox after `from`, up to and including `through`, are removed.
# Of a group: its messages, whose versions are their places.
struct TrimInbox { user @0 :UInt64; from @1 :Stamp; through @2 :Stamp; ofGroup @3 :Bool; }
struct Effect { union { put @0 :Put; fanout @1 :Fanout; trimInbox @2 :TrimInbox; } }

# Addressed to shard(target) of one region incarnation, with the mastership epoch behind that address.
struct Target {
  incarnation @0 :UInt16;
  shard @1 :UInt16;
  takeover @2 :UInt32;
  move @3 :UInt32;
  users @4 :List(UInt64);      # deliver: one; fanout: the members there
}
struct Intent {
  union {
    deliver @0 :Message;                 # into the inbox of a user
    post @1 :Message;                    # into a group, at its home
    fanout :group { group @2 :UInt64; groupSeq @3 :UInt64; }   # a group message to its members
    contact @5 :ContactChange;
    recall @6 :Message;                  # without a body; goes the way of the message
    unpark @7 :Void;                     # from a shard to itself: the next of what is parked for this account
    receipt @8 :Receipt;
    tell @9 :Void;                       # from a user's home to itself: the next senders are told what was delivered
  }
  targets @4 :List(Target);
}
# Everything addressed to this shard in `stream`, up to and including intent `index` of entry `seq`, is consumed,
# in role `role`. The default index is the whole entry.
struct Consumed {
  role @0 :UInt16;
  stream @1 :UInt64;
  seq @2 :UInt64;
  index @3 :UInt32 = 0xffffffff;
}

# What the writing region's store had on its disk. docs/replication.md, "Trim".
struct Report {
  version @0 :UInt16;          # of an unknown one: passed over, which only delays trimming
  positions @1 :List(StreamPosition);
  away @2 :List(Away);
}
struct StreamPosition { stream @0 :UInt64; applied @1 :UInt64; consumed @2 :UInt64; }
struct Away { region @0 :UInt16; stream @1 :UInt64; since @2 :UInt64; kept @3 :UInt64; }

# D is dead, B is its heir; docs/takeover.md. In each stream of the heir, and in the row of those that a region knows.
struct Takeover {
  number @0 :UInt32;           # 1, 2, 3 ...
  heir @1 :UInt16;
  dead @2 :List(UInt16);       # ascending
  cuts @3 :List(Position);     # by stream, ascending: the last entry of each dead stream that counts
}

struct Entry {
  version @0 :UInt16;
  writtenAtMs @1 :Int64;
  effects @2 :List(Effect);
  intents @3 :List(Intent);
  consumed @4 :List(Consumed);
  idsThrough @5 :UInt64;       # this shard gave out no id counter above it; 0: unchanged
  report @6 :Report;           # optional
  takeover @7 :Takeover;       # optional; then alone in its entry
}

# ---- local rows (never replicated)

# All takeovers that this region has learned, in order.
struct Takeovers { version @0 :UInt16; all @1 :List(Takeover); }

# How much this region's own streams grew, and when, counted in time that its daemon ran.
struct Retention {
  version @0 :UInt16;
  uptimeMs @1 :UInt64;
  streams @2 :List(RetentionStream);     # by shard
}
struct RetentionStream { bytes @0 :UInt64; points @1 :List(RetentionPoint); }
struct RetentionPoint { seq @0 :UInt64; uptimeMs @1 :UInt64; bytes @2 :UInt64; }

# An intent addressed to a shard of this region, waiting to be consumed.
struct PendingIntent {
  version @0 :UInt16;
  target @1 :Target;
  union {
    deliver @2 :Message;
    post @3 :Message;
    fanout :group { group @4 :UInt64; groupSeq @5 :UInt64; }
    contact @6 :ContactChange;
    recall @7 :Message;
    unpark @8 :Void;
    receipt @9 :Receipt;
    tell @10 :Void;
  }
}
