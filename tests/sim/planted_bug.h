// PlantedBug: a bug made on purpose, one at a time, to prove that the checkers see it. A checker is
// worth what it catches.
//
// A bug is a row of a table: a name, what it does, which checkers must see it, and hooks on the way
// of requests, answers, log records, and a writer's effects. A part of the simulation keeps its
// bugs in a file of its own and adds its table to AllBugs (planted_bug.cc). What no hook can
// express is planted in a machine: HOMEPORT_PLANTED("name") of quorum_queue/planted.h, compiled
// only into the copy of the library that the simulator links.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "quorum_queue/replica.h"
#include "quorum_queue/writer.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_options.h"

namespace homeport::sim {

class QueueSim;
struct SimReplicaOptions;

struct PlantedBug {
  std::string_view name;
  std::string_view what;
  // First words of the violations that may tell of it, with | between.
  std::string_view seen_as;

  // ---- hooks; null: nothing. "True" of a hook: it has dealt with the message, which goes no
  // further.
  void (*options)(QueueSimOptions*) = nullptr;  // once drawn
  void (*replica_options)(size_t replica, SimReplicaOptions*) = nullptr;
  bool (*request)(QueueSim*, ProcessId from, size_t replica,
                  quorum_queue::ReplicaRequest*) = nullptr;
  bool (*answer)(QueueSim*, size_t replica, quorum_queue::ReplicaPeer to,
                 quorum_queue::ReplicaAnswer*) = nullptr;
  // What the store gives a writer that starts.
  void (*grant)(QueueSim*, quorum_queue::Grant*) = nullptr;
  // A record on its way to the disk. Its number must stay.
  void (*record)(size_t replica, quorum_queue::LogRecordEffect*) = nullptr;
  // All effects of one Step of a writer.
  void (*writer_effects)(QueueSim*, ProcessId writer,
                         std::vector<quorum_queue::WriterEffect>*) = nullptr;
};

// Every bug there is, in order of name.
const std::vector<PlantedBug>& AllBugs();
// Null when there is none of that name.
const PlantedBug* FindBug(std::string_view name);

// The tables.
std::vector<PlantedBug> MessageBugs();  // bugs_messages.cc
std::vector<PlantedBug> MachineBugs();  // bugs_machines.cc
std::vector<PlantedBug> GroupBugs();    // bugs_groups.cc
std::vector<PlantedBug> MendBugs();     // bugs_mend.cc
std::vector<PlantedBug> RestoreBugs();  // bugs_restore.cc
std::vector<PlantedBug> AmnesiaBugs();  // bugs_amnesia.cc
std::vector<PlantedBug> DamageBugs();   // bugs_damage.cc

}  // namespace homeport::sim
