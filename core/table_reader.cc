#include "core/table_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace homeport::core {
namespace {

std::string_view KindOf(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number with a point";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

}  // namespace

TableReader::TableReader(const toml::table& table, std::string file, std::string path)
    : table_(table), file_(std::move(file)), path_(std::move(path)) {}

std::string TableReader::Text(std::string_view key, std::string_view expected,
                              bool (*good)(std::string_view)) {
  const toml::node* node = Take(key, expected);
  if (node == nullptr) return {};
  const auto* text = node->as_string();
  if (text == nullptr) return Fail(key, expected, KindOf(*node)), std::string();
  if (!good(text->get())) return Fail(key, expected, fmt::format("\"{}\"", text->get())), "";
  return text->get();
}

int64_t TableReader::Integer(std::string_view key, int64_t min, int64_t max,
                             std::string_view expected) {
  const toml::node* node = Take(key, expected);
  if (node == nullptr) return 0;
  const auto* number = node->as_integer();
  if (number == nullptr) return Fail(key, expected, KindOf(*node)), 0;
  if (number->get() < min || number->get() > max) {
    return Fail(key, expected, fmt::to_string(number->get())), 0;
  }
  return number->get();
}

std::vector<std::string> TableReader::Texts(std::string_view key, size_t min, size_t max,
                                            std::string_view expected,
                                            bool (*good)(std::string_view)) {
  std::vector<std::string> texts;
  const toml::node* node = Take(key, expected);
  if (node == nullptr) return texts;
  const auto* array = node->as_array();
  if (array == nullptr) return Fail(key, expected, KindOf(*node)), texts;
  if (array->size() < min || array->size() > max) {
    return Fail(key, expected, fmt::format("{} of them", array->size())), texts;
  }
  for (const toml::node& element : *array) {
    const auto* text = element.as_string();
    if (text == nullptr) return Fail(key, expected, KindOf(element)), texts;
    if (!good(text->get())) return Fail(key, expected, fmt::format("\"{}\"", text->get())), texts;
    texts.push_back(text->get());
  }
  return texts;
}

const toml::table* TableReader::Table(std::string_view key, std::string_view expected) {
  const toml::node* node = Take(key, expected);
  if (node == nullptr) return nullptr;
  if (!node->is_table()) return Fail(key, expected, KindOf(*node)), nullptr;
  return node->as_table();
}

std::vector<const toml::table*> TableReader::Tables(std::string_view key, size_t min, size_t max,
                                                    std::string_view expected) {
  std::vector<const toml::table*> tables;
  const toml::node* node = Take(key, expected);
  if (node == nullptr) return tables;
  const auto* array = node->as_array();
  if (array == nullptr) return Fail(key, expected, KindOf(*node)), tables;
  if (array->size() < min || array->size() > max) {
    return Fail(key, expected, fmt::to_string(array->size())), tables;
  }
  for (const toml::node& element : *array) {
    if (!element.is_table()) {
      Fail(key, expected, KindOf(element));
      return {};
    }
    tables.push_back(element.as_table());
  }
  return tables;
}

std::string TableReader::Path(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

void TableReader::Fail(std::string_view key, std::string_view expected, std::string_view found) {
  if (!status_.ok()) return;
  status_ = Status::BadRequest(
      fmt::format("{}: key {}: expected {}, found {}", file_, Path(key), expected, found));
}

Status TableReader::Finish() {
  for (const auto& [key, node] : table_) {
    if (status_.ok() && !taken_.contains(key.str())) {
      std::vector<std::string> names(taken_.begin(), taken_.end());
      status_ = Status::BadRequest(fmt::format("{}: key {}: unknown; the keys here are {}", file_,
                                               Path(key.str()), fmt::join(names, ", ")));
    }
  }
  return status_;
}

const toml::node* TableReader::Take(std::string_view key, std::string_view expected) {
  taken_.emplace(key);
  const toml::node* node = table_.get(key);
  if (node == nullptr) Fail(key, expected, "nothing");
  return status_.ok() ? node : nullptr;
}

Result<toml::table> ParseToml(const std::string& text, const std::string& file) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    return Status::BadRequest(fmt::format("{}:{}:{}: not TOML: {}", file, error.source().begin.line,
                                          error.source().begin.column, error.description()));
  }
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const unsigned char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += static_cast<char>(c);
    } else if (c < ' ' || c == 0x7f) {
      quoted += fmt::format("\\u{:04X}", c);
    } else {
      quoted += static_cast<char>(c);
    }
  }
  return quoted + '"';
}

bool IsHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view host = text.substr(0, colon);
  if (!std::all_of(host.begin(), host.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.' || c == '_' || c == '*';
      })) {
    return false;
  }
  uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
  return parsed.ec == std::errc() && parsed.ptr == end && port > 0;
}

}  // namespace homeport::core
