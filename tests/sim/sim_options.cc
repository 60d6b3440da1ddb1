#include "tests/sim/sim_options.h"

#include <fmt/format.h>

#include <initializer_list>

namespace homeport::sim {
namespace {

uint64_t OneOf(Random* random, std::initializer_list<uint64_t> values) {
  return *(values.begin() + random->Below(values.size()));
}

NetworkOptions DrawNetwork(Random random) {
  NetworkOptions network;
  network.loss = OneOf(&random, {0, 0, 10, 100});
  network.duplicates = OneOf(&random, {0, 0, 20, 200});
  network.late = OneOf(&random, {0, 0, 5, 50});
  network.ordered = random.Chance(600);
  network.codec = random.Chance(250);
  return network;
}

FaultOptions DrawFaults(Random random) {
  FaultOptions faults;
  faults.crash = OneOf(&random, {0, 5, 20});
  faults.restart = OneOf(&random, {20, 60});
  faults.cut = OneOf(&random, {0, 10, 30});
  faults.clog = OneOf(&random, {0, 0, 10});
  faults.new_writer = OneOf(&random, {2, 10, 30});
  faults.sleep = OneOf(&random, {0, 5, 20});
  faults.full = OneOf(&random, {0, 0, 5});
  faults.slow = OneOf(&random, {0, 5});
  faults.bad_sync = OneOf(&random, {0, 0, 3});
  faults.reader = OneOf(&random, {0, 5, 10});
  faults.trim = OneOf(&random, {0, 5, 10});
  faults.power = OneOf(&random, {0, 0, 4});
  return faults;
}

WriterDraw DrawWriter(Random random) {
  WriterDraw writer;
  writer.batch_bytes_max = random.Between(100, 1000);
  writer.batch_entries_max = random.Between(1, 16);
  writer.window_bytes_max = random.Between(3000, 20000);
  writer.replica_window_bytes_max = random.Between(500, 5000);
  writer.straggler_bytes_max = random.Between(0, 10000);
  writer.resend_after = random.Millis(10, 50);
  writer.look_after = random.Millis(100, 2000);
  return writer;
}

GroupOptions DrawGroups(Random random) {
  GroupOptions groups;
  groups.at_first = OneOf(&random, {1, 1, 2, 2, 3});
  groups.group_fault = groups.at_first == 1 ? 0 : OneOf(&random, {0, 5, 20});
  groups.change = OneOf(&random, {0, 0, 4, 15});
  groups.append_timeout = random.Millis(20, 300);
  groups.return_after = random.Millis(50, 800);
  return groups;
}

MendDraw DrawMend(Random random) {
  MendDraw mend;
  mend.on = random.Chance(600);
  mend.ask_every = random.Millis(20, 300);
  mend.answer_timeout = random.Millis(20, 200);
  mend.grace = random.Chance(300) ? core::Duration(0) : random.Millis(0, 500);
  mend.bytes_per_s = OneOf(&random, {400'000, 2'000'000, 100'000'000});
  mend.disturb = OneOf(&random, {0, 5});
  return mend;
}

RestoreDraw DrawRestore(Random random) {
  RestoreDraw restore;
  restore.lose = OneOf(&random, {0, 0, 3, 10});
  restore.kill_keeper = OneOf(&random, {0, 5, 20});
  restore.look_every = random.Millis(10, 200);
  restore.ask_again_after = random.Millis(10, 100);
  return restore;
}

AmnesiaDraw DrawAmnesia(Random random) {
  AmnesiaDraw amnesia;
  amnesia.on = random.Chance(600);
  if (!amnesia.on) return amnesia;
  amnesia.copy = OneOf(&random, {0, 10, 20});
  amnesia.put_back = amnesia.copy == 0 ? 0 : OneOf(&random, {3, 10});
  amnesia.look_every = random.Millis(10, 500);
  amnesia.look_again = random.Millis(5, 50);
  return amnesia;
}

DamageDraw DrawDamage(Random random) {
  DamageDraw damage;
  damage.flip = OneOf(&random, {0, 0, 5, 20});
  damage.scrub = damage.flip == 0 ? 0 : OneOf(&random, {2, 10});
  return damage;
}

int64_t Micros(core::Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

std::string DescribeMend(const MendDraw& mend) {
  return fmt::format(
      " | mender: on={} ask_every={}us answer_timeout={}us grace={}us rate={}B/s disturb={}",
      mend.on, Micros(mend.ask_every), Micros(mend.answer_timeout), Micros(mend.grace),
      mend.bytes_per_s, mend.disturb);
}

std::string DescribeRestore(const RestoreDraw& restore) {
  return fmt::format(" | disks: lose={} kill_keeper={} look_every={}us ask_again_after={}us",
                     restore.lose, restore.kill_keeper, Micros(restore.look_every),
                     Micros(restore.ask_again_after));
}

std::string DescribeAmnesia(const AmnesiaDraw& amnesia) {
  return fmt::format(" | amnesia: on={} copy={} put_back={} look_every={}us look_again={}us",
                     amnesia.on, amnesia.copy, amnesia.put_back, Micros(amnesia.look_every),
                     Micros(amnesia.look_again));
}

}  // namespace

Random OptionsRandom(uint64_t seed, std::string_view part) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : part) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return Random(seed ^ hash);
}

QueueSimOptions DrawOptions(uint64_t seed) {
  QueueSimOptions options;
  options.seed = seed;
  Random random = OptionsRandom(seed, "world");
  options.faults_for = random.Millis(1000, 5000);
  options.segment_records = random.Between(20, 300);
  options.fence_page_runs = random.Chance(500) ? 1024 : random.Between(1, 4);
  options.drift_ppm_max = OneOf(&random, {0, 0, 1000, 100000});
  Random memory = OptionsRandom(seed, "memory");
  options.subscriptions_max = OneOf(&memory, {1024, 1024, 2, 4});
  options.network = DrawNetwork(OptionsRandom(seed, "network"));
  options.faults = DrawFaults(OptionsRandom(seed, "faults"));
  options.writer = DrawWriter(OptionsRandom(seed, "writer"));
  options.groups = DrawGroups(OptionsRandom(seed, "groups"));
  options.mend = DrawMend(OptionsRandom(seed, "mend"));
  options.restore = DrawRestore(OptionsRandom(seed, "restore"));
  options.amnesia = DrawAmnesia(OptionsRandom(seed, "amnesia"));
  options.damage = DrawDamage(OptionsRandom(seed, "damage"));
  return options;
}

std::string Describe(const QueueSimOptions& o) {
  const NetworkOptions& n = o.network;
  const FaultOptions& f = o.faults;
  const WriterDraw& w = o.writer;
  const std::string world = fmt::format(
      "faults_for={}ms segment_records={} fence_page_runs={} drift_ppm_max={} "
      "subscriptions_max={} | network "
      "(permille): loss={} "
      "duplicates={} late={} ordered={} codec={} | faults (weights): crash={} restart={} cut={} "
      "clog={} new_writer={} sleep={} full={} slow={} bad_sync={} reader={} trim={} power={} | "
      "writer: batch={}B/{} window={}B replica_window={}B straggler={}B resend_after={}us "
      "look_after={}us | "
      "groups: at_first={} group_fault={} change={} append_timeout={}us return_after={}us",
      Micros(o.faults_for) / 1000, o.segment_records, o.fence_page_runs, o.drift_ppm_max,
      o.subscriptions_max, n.loss, n.duplicates, n.late, n.ordered, n.codec, f.crash, f.restart,
      f.cut, f.clog, f.new_writer, f.sleep, f.full, f.slow, f.bad_sync, f.reader, f.trim, f.power,
      w.batch_bytes_max, w.batch_entries_max, w.window_bytes_max, w.replica_window_bytes_max,
      w.straggler_bytes_max, Micros(w.resend_after), Micros(w.look_after), o.groups.at_first,
      o.groups.group_fault, o.groups.change, Micros(o.groups.append_timeout),
      Micros(o.groups.return_after));
  return world + DescribeMend(o.mend) + DescribeRestore(o.restore) + DescribeAmnesia(o.amnesia) +
         fmt::format(" | damage: flip={} scrub={}", o.damage.flip, o.damage.scrub);
}

}  // namespace homeport::sim
