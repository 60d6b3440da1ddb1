#include "core/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace homeport::core {
namespace {

constexpr size_t kValueBytesMax = 1024;

struct Log {
  std::shared_ptr<spdlog::logger> logger;
  std::string role;
};

std::shared_ptr<spdlog::logger> MakeLogger(spdlog::sink_ptr sink, spdlog::level::level_enum level) {
  auto logger = std::make_shared<spdlog::logger>("homeport", std::move(sink));
  logger->set_pattern("ts=%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc);
  logger->set_level(level);
  logger->flush_on(spdlog::level::debug);
  return logger;
}

spdlog::sink_ptr Stderr() {
  return std::make_shared<spdlog::sinks::stderr_sink_mt>();
}

// Never destroyed: threads may log until the very end.
Log& TheLog() {
  static Log* log = new Log{MakeLogger(Stderr(), spdlog::level::warn), "none"};
  return *log;
}

spdlog::level::level_enum LevelOf(const std::string& level) {
  if (level == "debug") return spdlog::level::debug;
  if (level == "warn") return spdlog::level::warn;
  if (level == "error") return spdlog::level::err;
  return spdlog::level::info;
}

bool NeedsQuotes(std::string_view value) {
  if (value.empty()) return true;
  for (const unsigned char c : value) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return true;
  }
  return false;
}

void AppendQuoted(std::string_view value, std::string* out) {
  *out += '"';
  for (const unsigned char c : value) {
    if (c == '"' || c == '\\') {
      *out += '\\';
      *out += static_cast<char>(c);
    } else if (c == '\n') {
      *out += "\\n";
    } else if (c < ' ' || c == 0x7f) {
      *out += fmt::format("\\x{:02x}", c);
    } else {
      *out += static_cast<char>(c);
    }
  }
  *out += '"';
}

void AppendField(std::string_view key, std::string_view value, std::string* out) {
  if (!out->empty()) *out += ' ';
  out->append(key) += '=';
  std::string shortened;
  if (value.size() > kValueBytesMax) {
    shortened = fmt::format("{}... ({} bytes)", value.substr(0, kValueBytesMax), value.size());
    value = shortened;
  }
  if (NeedsQuotes(value)) {
    AppendQuoted(value, out);
  } else {
    out->append(value);
  }
}

void Write(spdlog::level::level_enum level, std::string_view name, std::string_view event,
           std::initializer_list<LogField> fields) {
  const Log& log = TheLog();
  if (!log.logger->should_log(level)) return;
  log.logger->log(level, spdlog::string_view_t(LogText(name, log.role, event, fields)));
}

}  // namespace

void StartLog(const std::string& level, const std::string& file, const std::string& role) {
  Log& log = TheLog();
  log.role = role;
  std::string failure;
  spdlog::sink_ptr sink;
  if (!file.empty()) {
    try {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
    } catch (const spdlog::spdlog_ex& exception) {
      failure = exception.what();
    }
  }
  log.logger = MakeLogger(sink ? sink : Stderr(), LevelOf(level));
  if (!failure.empty()) LogError("log_file_failed", {{"file", file}, {"error", failure}});
}

void LogDebug(std::string_view event, std::initializer_list<LogField> fields) {
  Write(spdlog::level::debug, "debug", event, fields);
}
void LogInfo(std::string_view event, std::initializer_list<LogField> fields) {
  Write(spdlog::level::info, "info", event, fields);
}
void LogWarn(std::string_view event, std::initializer_list<LogField> fields) {
  Write(spdlog::level::warn, "warn", event, fields);
}
void LogError(std::string_view event, std::initializer_list<LogField> fields) {
  Write(spdlog::level::err, "error", event, fields);
}

std::string LogText(std::string_view level, std::string_view role, std::string_view event,
                    std::initializer_list<LogField> fields) {
  std::string text;
  AppendField("level", level, &text);
  AppendField("role", role, &text);
  AppendField("event", event, &text);
  for (const auto& [key, value] : fields) AppendField(key, value, &text);
  return text;
}

}  // namespace homeport::core
