// homeport-fuzz-replay CORPUS: every file of CORPUS/<target>/ through its target, and every seed;
// with any compiler. With --write-seeds it writes the seeds there instead.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "tests/fuzz/target.h"

namespace homeport::fuzz {
namespace {

namespace fs = std::filesystem;

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

int WriteSeeds(const fs::path& corpus) {
  for (const FuzzTarget& target : AllTargets()) {
    fs::create_directories(corpus / target.name);
    size_t number = 0;
    for (const std::string& seed : target.seeds()) {
      std::ofstream out(corpus / target.name / ("seed-" + std::to_string(number++)),
                        std::ios::binary);
      out << seed;
    }
  }
  return 0;
}

int Replay(const fs::path& corpus) {
  for (const FuzzTarget& target : AllTargets()) {
    size_t inputs = 0;
    for (const std::string& seed : target.seeds()) {
      target.run(seed);
      ++inputs;
    }
    std::set<fs::path> files;  // in one order everywhere
    if (fs::is_directory(corpus / target.name)) {
      for (const auto& file : fs::directory_iterator(corpus / target.name)) files.insert(file);
    }
    if (files.empty()) {
      std::fprintf(stderr, "no corpus for %s\n", std::string(target.name).c_str());
      return 1;
    }
    for (const fs::path& file : files) {
      // Said before: a crash names its input.
      std::printf("%s\n", file.c_str());
      std::fflush(stdout);
      target.run(ReadFile(file));
      ++inputs;
    }
    std::printf("%-18s %zu inputs\n", std::string(target.name).c_str(), inputs);
  }
  return 0;
}

}  // namespace
}  // namespace homeport::fuzz

int main(int argc, char** argv) {
  const bool write = argc == 3 && std::string(argv[1]) == "--write-seeds";
  if (argc != 2 && !write) {
    std::fprintf(stderr, "homeport-fuzz-replay [--write-seeds] CORPUS\n");
    return 2;
  }
  return write ? homeport::fuzz::WriteSeeds(argv[2]) : homeport::fuzz::Replay(argv[1]);
}
