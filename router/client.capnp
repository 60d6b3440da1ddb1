@0xe7a35b91c04d28f6;
# What clients and a region's gateway say to one another. docs/formats.md.
# One message is one frame. A request is answered by one response with the same number. `version` and
# `number` keep their places in every version, so that a request we cannot read can still be answered.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("homeport::router::wire");

const version :UInt16 = 1;

struct Account {
  uin @0 :UInt64;
  kind @1 :UInt8;
  name @2 :Data;
  home @3 :UInt16;
  takeover @4 :UInt32;
  move @5 :UInt32;
  createdAtMs @6 :Int64;
  members @7 :UInt64;          # of a group: how many
  fields @8 :List(ProfileField);
  owner @9 :UInt64;            # of a group; 0: nobody
  title @10 :Data;
  closed @11 :Bool;
  moving @12 :Bool;            # to its home; not served yet
}
struct SyncMessage {
  id @0 :UInt64;
  sender @1 :UInt64;
  senderName @2 :Data;
  group @3 :UInt64;
  groupName @4 :Data;
  groupSeq @5 :UInt64;
  version @6 :UInt64;
  sentAtMs @7 :Int64;
  body @8 :Data;
  event @9 :UInt8;             # of a group; 0: a message
  subject @10 :UInt64;         # of an event
  subjectName @11 :Data;
  text @12 :Data;
  recalled @13 :Bool;          # its body is gone
  isRecall @14 :Bool;          # the message of this id is recalled
  takeover @15 :UInt32;        # with move and version, its place in the reader's inbox
  move @16 :UInt32;
  expired @17 :Bool;           # its group keeps it no more: only group, place and groupSeq are known
}

struct ProfileField { name @0 :Data; value @1 :Data; }
# A change of what belongs to one user or group, at its home.
struct Change {
  subject @0 :UInt64;
  by @1 :UInt64;               # of a group: its owner
  once @30 :UInt64;            # not 0: executed once under this id of the client's
  expects @32 :Version;        # of a record: changed only if this is its version
  union {
    registerDevice :group { install @2 :UInt64; deviceName @3 :Data; }
    removeDevice @4 :UInt16;
    setProfile @5 :List(ProfileField);
    askContact :group { askPeer @6 :UInt64; askText @7 :Data; }
    deleteContact @8 :UInt64;
    blockContact :group { blockPeer @9 :UInt64; blocked @10 :Bool; }
    remarkContact :group { remarkPeer @11 :UInt64; remark @12 :Data; }
    recallMessage @13 :UInt64;                           # client message id
    createGroup :group { groupName @14 :Data; groupTitle @15 :Data; }
    renameGroup @16 :Data;
    closeGroup @17 :Bool;
    addMember @18 :UInt64;
    removeMember @19 :UInt64;
    transferGroup @20 :UInt64;
    putRecord :group { putTable @25 :Data; putKey @26 :Data; value @27 :Data; }
    deleteRecord :group { deleteTable @28 :Data; deleteKey @29 :Data; }
    moveHome @31 :UInt16;                                # to this incarnation
    markRead :group { readWith @21 :UInt64; readTakeover @22 :UInt32; readMove @23 :UInt32; readVersion @24 :UInt64; }
  }
}
struct Version { takeover @0 :UInt32; move @1 :UInt32; version @2 :UInt64; }
struct Contact {
  peer @0 :UInt64;
  peerName @1 :Data;
  relation @2 :UInt8;          # 0 none, 1 asked, 2 asking, 3 friends
  text @3 :Data;
  blocked @4 :Bool;
  remark @5 :Data;
  changedAtMs @6 :Int64;
}
# A place in the reader's inbox, and what lies there.
struct Mark {
  takeover @0 :UInt32;
  move @1 :UInt32;
  version @2 :UInt64;
  message @3 :UInt64;
  groupSeq @4 :UInt64;
}
struct Conversation {
  with @0 :UInt64;
  withName @1 :Data;
  read @2 :Mark;
  peersRead @3 :Mark;
  peersDelivered @4 :Mark;
}
# How far a device has a team's table of its user.
struct RecordsPlace { table @0 :Data; snapshot @1 :Data; }
struct Record { key @0 :Data; deleted @1 :Bool; value @2 :Data; changedAtMs @3 :Int64; }
struct Device { number @0 :UInt16; install @1 :UInt64; name @2 :Data; registeredAtMs @3 :Int64; seenAtMs @4 :Int64; }

struct Request {
  version @0 :UInt16;
  number @1 :UInt64;
  knownTakeover @60 :UInt32;   # of the home of whom it is about, as far as who asks was told
  knownMove @61 :UInt32;
  fromRegion @62 :UInt16;      # incarnation of the region that the client is nearest to; 0: it does not say
  union {
    hello @2 :Void;
    newUin @3 :Void;
    resolve :group { kind @4 :UInt8; name @5 :Data; }
    claimName :group { claimKind @6 :UInt8; claimName @7 :Data; claimUin @8 :UInt64; }
    createAccount :group { createUin @9 :UInt64; createKind @10 :UInt8; createName @11 :Data; }
    send :group { from @12 :UInt64; clientMessageId @13 :UInt64; to @14 :UInt64; toGroup @15 :Bool; body @16 :Data; }
    awaitSequenced :group { awaitGroup @17 :UInt64; awaitSender @18 :UInt64; awaitClientMessageId @19 :UInt64; awaitWaitMs @20 :UInt32; }
    join :group { joinGroup @21 :UInt64; joinUser @22 :UInt64; joinOnce @57 :UInt64; }
    leave :group { leaveGroup @23 :UInt64; leaveUser @24 :UInt64; leaveOnce @58 :UInt64; }
    show @25 :UInt64;                                    # uin
    list :group { listKind @26 :UInt8; listShard @27 :UInt16; listAfter @28 :UInt64; listLimit @29 :UInt32; }
    members :group { membersGroup @30 :UInt64; membersAfter @31 :UInt64; membersLimit @32 :UInt32; }
    sync :group { syncUser @33 :UInt64; snapshot @34 :Data; itemsMax @35 :UInt32; bytesMax @36 :UInt32; waitMs @37 :UInt32; device @40 :UInt16; }
    status @38 :Void;
    digest @39 :UInt16;                                  # shard
    change @41 :Change;
    awaitNews :group { newsUser @42 :UInt64; newsSnapshot @43 :Data; newsWaitMs @44 :UInt32; newsDevice @45 :UInt16; newsRecords @59 :List(RecordsPlace); }
    # What has this number and is held is forgotten. Not answered.
    cancel @46 :Void;
    records :group { recordsUser @51 :UInt64; table @52 :Data; recordsSnapshot @53 :Data; recordsItemsMax @54 :UInt32; recordsBytesMax @55 :UInt32; recordsWaitMs @56 :UInt32; }
    queueGroups @47 :Void;
    addQueueGroup :group { addedGroup @48 :UInt32; endpoints @49 :List(Text); }   # of its three replicas
    drainQueueGroup @50 :UInt32;                         # id
    # Of operators. Both are rows as docs/formats.md has them.
    orderRegion @63 :Data;                               # a RegionState
    writeJournal @64 :Data;                              # a JournalRecord
    journal :group { journalWriter @65 :UInt16; journalId @66 :UInt64; }          # records after this one
    # level 0: any copy, 1: one with at least this version, 2: the home's.
    readRecord :group { readUser @67 :UInt64; readTable @68 :Data; readKey @69 :Data; level @70 :UInt8; atLeast @71 :Version; }
  }
}

struct RegionAddress { name @0 :Text; incarnation @1 :UInt16; gateway @2 :Text; }
struct Hello {
  cluster @0 :Text;
  region @1 :Text;
  incarnation @2 :UInt16;
  shards @3 :UInt16;
  regions @4 :List(RegionAddress);
  pid @5 :UInt32;
}
struct StreamStatus {
  stream @0 :UInt64;
  applied @1 :UInt64;
  committed @2 :UInt64;
  heardMsAgo @3 :Int64;        # -1: never
  appliedWrittenAtMs @4 :Int64;
  trimmed @5 :UInt64;          # from this region's replicas, or its relay log
  beginsAt @6 :UInt64;         # not 0: it lacks entries before this one, and they are gone
  heldNowhere @7 :UInt64;      # not 0: an alarm; committed, and no replica has it
}
struct AwayRegion {
  region @0 :UInt16;           # incarnation
  stream @1 :UInt64;           # of the answering region, which does not wait for it
  needsBootstrap @2 :Bool;
}
struct ShardStatus {
  shard @0 :UInt16;
  ready @1 :Bool;
  whyNot @2 :Text;
  epoch @3 :UInt64;
  committed @4 :UInt64;
  applied @5 :UInt64;
  commandsQueued @6 :UInt64;
  intentsPending @7 :UInt64;
}
struct Status {
  region @0 :Text;
  ready @1 :Bool;
  shards @2 :List(ShardStatus);
  streams @3 :List(StreamStatus);
  pid @4 :UInt32;
  away @5 :List(AwayRegion);
  states @6 :List(Data);       # each a RegionState
  writesRefused @7 :Text;      # why; empty: they are accepted
}
struct QueueGroup {
  id @0 :UInt32;
  draining @1 :Bool;
  disks @2 :List(UInt64);      # three
  endpoints @3 :List(Text);    # three
  whyNotRetired @4 :Text;
}
struct QueueGroups {
  groups @0 :List(QueueGroup); # ids ascend
  lastGroup @1 :UInt32;        # the highest id ever given
  settled @2 :Bool;            # every writer is open and knows these groups
  looksComplete @3 :Bool;      # what follows is all there is to tell
  lacking @4 :List(ReplicaLack);
  heldNowhere @5 :UInt64;      # entries
}
struct ReplicaLack {
  replica @0 :UInt32;          # its number, from 1
  silent @1 :Bool;
  entries @2 :UInt64;
  bytes @3 :UInt64;
  forMs @4 :UInt64;
}
struct Digest { table @0 :Text; rows @1 :UInt64; digest @2 :UInt64; }

struct Error {
  code @0 :UInt16;
  message @1 :Text;
  detail @2 :UInt64;
  home @3 :UInt16;
  takeover @4 :UInt32;
  move @5 :UInt32;
}

struct Response {
  version @0 :UInt16;
  number @1 :UInt64;
  listNext @22 :UInt64;        # of accounts, members: the next page begins after this; 0: there is none
  blocks @34 :UInt64;          # rises with every order to block a region, or no longer
  blocked @35 :List(UInt16);   # where clients are not to go, by then
  recordAt @36 :Version;       # changed: version of the record that was put
  union {
    error @2 :Error;
    hello @3 :Hello;
    uin @4 :UInt64;                                      # newUin, claimName
    changed @5 :Bool;                                    # createAccount, join, leave
    # resolve, show. boundUin: the name is bound to it, but its account is not known here (yet).
    resolved :group { found @6 :Bool; account @7 :Account; boundUin @18 :UInt64; }
    sent @8 :UInt64;                                     # message id
    sequenced :group { isSequenced @9 :Bool; groupSeq @10 :UInt64; }
    accounts @11 :List(Account);
    members @12 :List(UInt64);
    sync :group { messages @13 :List(SyncMessage); nextSnapshot @14 :Data; more @15 :Bool; account @19 :Account; devices @20 :List(Device); contacts @23 :List(Contact); conversations @29 :List(Conversation); }
    status @16 :Status;
    digest :group { digests @17 :List(Digest); }
    device @21 :UInt16;                                  # registerDevice
    news :group { hasNews @24 :Bool; replaced @25 :Bool; newsTables @33 :List(Data); }
    records :group { changedRecords @30 :List(Record); recordsSnapshot @31 :Data; recordsMore @32 :Bool; }
    queueGroups @26 :QueueGroups;
    groupOrder :group { orderedGroup @27 :UInt32; groupChanged @28 :Bool; }
    written @37 :UInt64;                                 # number of a record of the journal
    journal :group { journalRecords @38 :List(Data); journalMore @39 :Bool; }
    # not found and a version: it was deleted.
    record :group { recordFound @40 :Bool; recordValue @41 :Data; recordChangedAtMs @42 :Int64; recordVersion @43 :Version; }
  }
}
