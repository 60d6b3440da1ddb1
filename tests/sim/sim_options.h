// QueueSimOptions: all that makes one world different from another, drawn from its seed.
//
// A part of the simulation with options of its own adds a struct here, with its own Draw and
// Describe, and takes its chance from its own stream, OptionsRandom(seed, "name"): so options that
// are added leave the others as they were.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/time.h"
#include "tests/sim/sim_random.h"

namespace homeport::sim {

struct PlantedBug;

// What the network does to messages; per mille of messages.
struct NetworkOptions {
  uint64_t loss = 0;
  uint64_t duplicates = 0;
  uint64_t late = 0;    // by up to 1.5 s
  bool ordered = true;  // each link keeps its order
  bool codec = false;   // messages go through their frames
};

// How often which fault comes: weights. Faults come every 1 to 60 ms.
struct FaultOptions {
  uint64_t crash = 0;
  uint64_t restart = 0;
  uint64_t cut = 0;   // a link, both ways or one way, or a whole replica
  uint64_t clog = 0;  // a link holds what is sent, then lets it go at once
  uint64_t new_writer = 0;
  uint64_t sleep = 0;  // a writer stands still
  uint64_t full = 0;
  uint64_t slow = 0;
  uint64_t bad_sync = 0;  // the next fdatasync fails: the process ends
  uint64_t reader = 0;
  uint64_t trim = 0;
  uint64_t power = 0;  // every replica at once
};

// A stream's writer, as drawn; all else as WriterOptions has it.
struct WriterDraw {
  uint64_t batch_bytes_max = 0;
  uint64_t batch_entries_max = 0;
  uint64_t window_bytes_max = 0;
  uint64_t replica_window_bytes_max = 0;
  uint64_t straggler_bytes_max = 0;
  core::Duration resend_after{};
  core::Duration look_after{};
};

// Several groups, and what befalls them.
struct GroupOptions {
  uint64_t at_first = 1;
  uint64_t group_fault = 0;  // weight: two replicas of a group at once
  uint64_t change = 0;       // weight: a group is added, or begins to drain, to be retired later
  core::Duration append_timeout{};
  core::Duration return_after{};
};

// The mender.
struct MendDraw {
  bool on = false;
  core::Duration ask_every{};
  core::Duration answer_timeout{};
  core::Duration grace{};
  uint64_t bytes_per_s = 0;
  uint64_t disturb = 0;  // weight of a fault: it dies, or the foreground gets busy
};

// Lost disks, and the keeper that replaces them.
struct RestoreDraw {
  uint64_t lose = 0;         // weight of a fault
  uint64_t kill_keeper = 0;  // weight of a fault
  core::Duration look_every{};
  core::Duration ask_again_after{};
};

// Directories that are put back from old copies of themselves.
struct AmnesiaDraw {
  bool on = false;        // replicas take part only once they are admitted
  uint64_t copy = 0;      // weight of a fault: a directory is copied
  uint64_t put_back = 0;  // weight of a fault: one is put back
  core::Duration look_every{};
  core::Duration look_again{};
};

// Bits that flip on disks; of one replica of each group at most.
struct DamageDraw {
  uint64_t flip = 0;   // weight of a fault
  uint64_t scrub = 0;  // weight: a scrubber comes to the end of a log
};

struct QueueSimOptions {
  uint64_t seed = 1;
  // ---- how to look at it; not drawn
  const PlantedBug* bug = nullptr;
  bool check_disks = true;  // look at the disks too, not only at what follows
  size_t events_kept = 50;  // for the report of a failure
  bool trace = false;       // every event to stdout
  // ---- drawn
  core::Duration faults_for{};     // then calm
  uint64_t segment_records = 0;    // at most, of a replica's log
  uint64_t fence_page_runs = 0;    // of a fence answer's page
  uint64_t drift_ppm_max = 0;      // of a process's clock, fast or slow
  uint64_t subscriptions_max = 0;  // of a replica's readers
  NetworkOptions network;
  FaultOptions faults;
  WriterDraw writer;
  GroupOptions groups;
  MendDraw mend;
  RestoreDraw restore;
  AmnesiaDraw amnesia;
  DamageDraw damage;
};

// The world of a seed.
QueueSimOptions DrawOptions(uint64_t seed);
// What was drawn, in one line.
std::string Describe(const QueueSimOptions& options);

// Chance for the options of one part.
Random OptionsRandom(uint64_t seed, std::string_view part);

}  // namespace homeport::sim
