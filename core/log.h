// Logs: one line per event an operator would ask about, structured as key=value (logfmt), on stderr
// or a file.
//
//   LogInfo("replica_started", {{"region", "sh"}, {"replica", "1"}, {"disk", "…"}});
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace homeport::core {

using LogField = std::pair<std::string_view, std::string>;
// `level`: debug, info, warn, error. `file` empty: stderr. `role` is on every line. A file that
// cannot be opened is told on stderr, and so is the log. Before StartLog: warnings and errors, on
// stderr.
void StartLog(const std::string& level, const std::string& file, const std::string& role);
void LogDebug(std::string_view event, std::initializer_list<LogField> fields);
void LogInfo(std::string_view event, std::initializer_list<LogField> fields);
void LogWarn(std::string_view event, std::initializer_list<LogField> fields);
void LogError(std::string_view event, std::initializer_list<LogField> fields);

// What follows the time on a line: `level=info role=gateway event=started region=sh why="two
// words"`.
std::string LogText(std::string_view level, std::string_view role, std::string_view event,
                    std::initializer_list<LogField> fields);

}  // namespace homeport::core
