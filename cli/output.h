// Output of the CLI: data on stdout as a table or JSON, talk and errors on stderr.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/status.h"

namespace homeport::cli {

using core::Base64;
using core::FormatTime;
using core::IsUtf8;
using core::Json;
using core::PutBytes;

enum class Format { kTable, kJson };

// One line and LF. Bytes that are not UTF-8 become U+FFFD; who must keep them uses PutBytes.
void PrintJson(const Json& json);
void PrintLine(std::string_view text);  // data, on stdout
void Say(std::string_view text);        // talk, on stderr

// Columns as wide as their widest cell, two blanks between them.
class Table {
 public:
  explicit Table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.size() == 1; }
  std::string Format() const;
  void Print() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// "name" of a user or group as people read it: control characters and what is not UTF-8 as \xHH.
std::string Printable(std::string_view bytes);
std::string FormatCount(uint64_t n);  // "1,234,567"

// What failed, why (code and sentence), what to try: `hint`, or what usually helps with that code.
// Returns the exit code.
int PrintError(std::string_view what, const core::Status& why, std::string_view hint = "");

bool StderrIsTerminal();

}  // namespace homeport::cli
