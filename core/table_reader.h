// TableReader: takes keys out of one TOML table, each with its check; Finish tells of keys nobody
// took. For configuration files: errors name the file, the key, what was expected and what found.
//
// The first error stays; after it every call returns an empty value.
#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace homeport::core {

class TableReader {
 public:
  // `table` outlives it. `path`: of the table, in errors; empty: the whole file.
  TableReader(const toml::table& table, std::string file, std::string path);

  std::string Text(std::string_view key, std::string_view expected, bool (*good)(std::string_view));
  int64_t Integer(std::string_view key, int64_t min, int64_t max, std::string_view expected);
  // The strings of an array: between min and max of them.
  std::vector<std::string> Texts(std::string_view key, size_t min, size_t max,
                                 std::string_view expected, bool (*good)(std::string_view));
  // The table [key]; nullptr: there is none.
  const toml::table* Table(std::string_view key, std::string_view expected);
  // The tables of [[key]]: between min and max of them.
  std::vector<const toml::table*> Tables(std::string_view key, size_t min, size_t max,
                                         std::string_view expected);

  bool Has(std::string_view key) const { return table_.contains(key); }
  void set_path(std::string path) { path_ = std::move(path); }
  std::string Path(std::string_view key) const;
  void Fail(std::string_view key, std::string_view expected, std::string_view found);

  Status Finish();
  // What is known so far.
  const Status& status() const { return status_; }

 private:
  const toml::node* Take(std::string_view key, std::string_view expected);

  const toml::table& table_;
  const std::string file_;
  std::string path_;
  std::set<std::string, std::less<>> taken_;
  Status status_;
};

// kBadRequest: "<file>:<line>:<column>: not TOML: ...".
Result<toml::table> ParseToml(const std::string& text, const std::string& file);
// A TOML basic string.
std::string Quoted(std::string_view text);

// host:port with port 1 .. 65535.
bool IsHostPort(std::string_view text);

}  // namespace homeport::core
