#include <algorithm>

#include "core/messaging/evaluator_impl.h"
#include "core/messaging/executed.h"

namespace homeport::core {

// Commands that have an id are executed once, however late they come again (executed.h).

CommandResult Evaluator::Impl::RunOnce(Uin owner, ClientMessageId once,
                                       const std::function<CommandResult()>& run) {
  std::string key = ExecutedKey(shard(), owner);
  const std::optional<Row> row = view.Find(key);
  Executed known;
  if (row.has_value() && !row->deleted) known = DecodeExecuted(row->value).value_or(Executed());
  const auto before = std::find_if(known.begin(), known.end(),
                                   [&](const auto& command) { return command.once == once; });
  if (before != known.end()) {
    CommandResult result;
    result.changed = before->changed;
    result.device = before->device;
    return result;
  }
  CommandResult result = run();
  if (!result.status.ok()) return result;
  if (known.size() >= kExecutedMax) known.erase(known.begin());
  known.push_back({once, result.device, result.changed});
  const Version version = row.has_value() ? row->stamp.version + 1 : kFirst;
  Put(std::move(key), {view.ResidenceOf(owner).at.epoch, version}, EncodeExecuted(known));
  return result;
}

}  // namespace homeport::core
