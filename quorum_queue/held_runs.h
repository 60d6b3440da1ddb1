// HeldRuns: which entries a replica holds, as runs; and what one set of them has that another has
// not.
//
// Ascending, not overlapping. Two entries are the same when seq and epoch are. Bytes of a part of a
// run are in proportion. Pure, thread safe.
#pragma once

#include <vector>

#include "quorum_queue/messages.h"

namespace homeport::quorum_queue {

using HeldRuns = std::vector<RunInfo>;

// The entries of `runs` in first .. last; none when first > last.
HeldRuns Within(const HeldRuns& runs, Seq first, Seq last);
// All entries of both; where both have a seq, that of `a`.
HeldRuns Union(const HeldRuns& a, const HeldRuns& b);
// The entries of `a` that `b` does not have too.
HeldRuns Without(const HeldRuns& a, const HeldRuns& b);
// The entries that both have.
HeldRuns Common(const HeldRuns& a, const HeldRuns& b);
uint64_t CountOf(const HeldRuns& runs);
uint64_t BytesOf(const HeldRuns& runs);
// How many seqs of first .. last are in none of the runs.
uint64_t CountMissing(const HeldRuns& runs, Seq first, Seq last);

}  // namespace homeport::quorum_queue
